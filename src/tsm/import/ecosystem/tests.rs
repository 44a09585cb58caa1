use super::super::tests::{import, lost};
use super::*;

fn refused(imported: &Imported) -> Vec<&str> {
    imported.rejected.iter().map(|it| it.field.as_str()).collect()
}

#[test]
fn json5_and_a_default_and_programs_that_only_say_a_value() {
    let apps = "{\n  // all\n  apps: [{ name: 'web', script: 'a.js', env: { A: 0x10, }, }, /* more */],\n}";
    for (name, text) in [
        ("ecosystem.json", apps.to_owned()),
        ("ecosystem.json5", format!("{{default: {apps}}}")),
        ("ecosystem.config.js", format!("// @ts-check\n'use strict';\n/** x */\nmodule.exports = {apps};\n")),
        ("ecosystem.config.mjs", format!("export default {apps}")),
    ] {
        let imported = import(name, &text);
        assert_eq!((imported.services.len(), imported.services[0].command.as_str()), (1, "node a.js"), "{name}");
        assert_eq!(imported.services[0].exports, [("A".to_owned(), "16".to_owned())], "{name}");
    }
    for text in ["const a = 1; module.exports = {}", "module.exports = { apps: [{ script: process.env.X }] }", "", "//"]
    {
        assert_eq!(literal(text, Path::new("/srv")), None, "{text}");
    }
}

#[test]
fn no_shell_sees_more_than_words() {
    for (app, command) in [
        (r#"{script: "a.js", args: "-p $5 `id` $$ 'a b' \"c\""}"#, "node a.js -p '$5' '`id`' '$$' 'a b' c"),
        (r#"{script: "a.js", args: ["$HOME", "x;y"]}"#, "node a.js '$HOME' 'x;y'"),
        (r#"{script: "a.js", node_args: "--title='$x'"}"#, "node '--title=$x' a.js"),
        (r#"{script: "a.js", args: "it's"}"#, "node a.js \"it's\""),
        (r#"{cmd: "my app.sh $HOME && b", name: "x"}"#, "my app.sh $HOME && b"),
        (r#"{command: "b", interpreter: "/opt/my node", interpreterArgs: ["-x"]}"#, "'/opt/my node' -x b"),
        (r#"{exec: "serve", args: 5}"#, "serve 5"),
    ] {
        let imported = import("ecosystem.json", app);
        assert_eq!(imported.services[0].command, command, "{app}");
        let line = crate::tsm::command_line::CommandLine::of_text(command).expect("words");
        assert_eq!(line.shell.is_some(), command.contains("&&"), "{command}");
    }
}

#[test]
fn one_bad_app_does_not_lose_the_others() {
    let imported = import("x.json", "{apps: [{name: 'a'}, 5, {script: 'b.js'}, {script: ''}, {script: 'c.py'}]}");
    let names: Vec<&str> = imported.services.iter().map(|it| it.name.as_str()).collect();
    assert_eq!((names, refused(&imported)), (vec!["b", "c"], vec!["apps[0]", "apps[1]", "apps[3]"]));
}

#[test]
fn instances_ports_and_modes() {
    for (fields, instances, port, exports, gone) in [
        ("instances: '4,', env: {PORT: 3000}", Some(4), Some(3000), 0, &["apps[0].exec_mode"][..]),
        ("instances: 1, env: {PORT: 3000}", None, None, 1, &[]),
        ("env: {PORT: 3000}", None, None, 1, &[]),
        ("port: 3000", None, Some(3000), 0, &[]),
        ("port: 3000, env: {PORT: 3000}", None, Some(3000), 0, &[]),
        ("env: {PORT: 3000}, args: '--port 4000', instances: 2, exec_mode: 'fork'", Some(2), None, 1, &[]),
        ("instances: 'max'", None, None, 0, &["apps[0].instances"]),
        ("instances: -1", None, None, 0, &["apps[0].instances"]),
        ("execMode: 'cluster', instances: 2", Some(2), None, 0, &["apps[0].exec_mode"]),
    ] {
        let imported = import("x.json", &format!("{{script: 'a.js', {fields}}}"));
        let it = &imported.services[0];
        assert_eq!((it.instances, it.port), (instances, port.map(PortSpec::Exact)), "{fields}");
        assert_eq!((it.exports.len(), lost(&imported)), (exports, gone.to_vec()), "{fields}");
    }
}

#[test]
fn other_names_homes_objects_and_expressions() {
    let text = r"{apps: [{script: 'a.js', name: 'my app', cwd: '~/app', env: {A: {b: [1, 'x']}, B: true}, maxRestarts: 3,
        ignore_watch: ['node_modules', '\\.log$', '[\\/\\\\]\\./', '*.tmp'], watch: true, cron_restart: 0, namespace: 'default',
        out: 'x.log', kill_timeout: 3000, cron: null}]}";
    let imported = import("x.json", text);
    let it = &imported.services[0];
    assert_eq!((it.name.as_str(), it.cwd.as_path()), ("my-app", Path::new("/home/u/app")));
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    assert_eq!(it.exports, [pair("A", r#"{"b":[1,"x"]}"#), pair("B", "true")]);
    assert_eq!((it.options.max_restarts, it.options.kill_timeout), (Some(3), Some(Duration::from_secs(3))));
    assert_eq!(it.options.ignore, Some(vec!["node_modules".to_owned(), "*.tmp".to_owned()]));
    assert_eq!((it.options.cron.as_ref(), it.options.stack.as_ref()), (None, None));
    assert_eq!(lost(&imported), ["apps[0].name", "apps[0].ignore_watch", "apps[0].ignore_watch", "apps[0].out_file"]);
}

#[test]
fn what_no_definition_may_say_is_named() {
    let imported =
        import("x.json", "{script: 'a.js', max_restarts: 99999999, kill_timeout: 99999999999, instances: 2000000}");
    let it = &imported.services[0];
    assert_eq!((it.options.max_restarts, it.options.kill_timeout, it.instances), (None, None, None));
    for lost in ["a.instances", "a.max_restarts", "a.kill_timeout"] {
        assert!(imported.unsupported.iter().any(|it| it.field == lost), "{lost}: {:?}", imported.unsupported);
    }
}

#[test]
fn expressions_whose_value_can_be_seen_are_read() {
    let read = |value: &str| {
        let text = format!(
            "const path = require('path');\nmodule.exports = {{ apps: [{{ script: {value}, /* x */ n: 1 }}] }};"
        );
        let found = literal(&text, Path::new("/srv/app"))?;
        Some(found["apps"][0]["script"].as_str()?.to_owned())
    };
    for (value, expected) in [
        ("`a b.js`", "a b.js"),
        ("'a' + \"b\" + `c`", "abc"),
        ("__dirname", "/srv/app"),
        ("__dirname + '/a.js' // where it is\n", "/srv/app/a.js"),
        ("path.join(__dirname, 'x', '../a.js')", "/srv/app/a.js"),
        ("path.resolve(__dirname, './a' + '.js')", "/srv/app/a.js"),
        ("path.join(__dirname, `__dirname`)", "/srv/app/__dirname"),
        (r"'it\'s __dirname'", "it's __dirname"),
    ] {
        assert_eq!(read(value).as_deref(), Some(expected), "{value}");
    }
    for value in [
        "process.env.X",
        "process.env.X || 'a'",
        "`a${b}`",
        "`a",
        "path.join('a', 'b')",
        "path.join(__dirname, x)",
        "path.resolve(__dirname, '/a')",
        "path.basename(__dirname)",
        "__dirname.length",
        "__dirnames",
        "'a' + b",
        "'a' || 'b'",
        "x ? 'a' : 'b'",
        "require('./package.json').name",
        "f('a')",
    ] {
        assert_eq!(read(value), None, "{value}");
    }
}
