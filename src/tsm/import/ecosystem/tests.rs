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
fn what_is_not_started_at_boot_and_what_pm2_serves_itself() {
    let imported = import(
        "x.json",
        "[{script: 'a.js', autostart: false}, {script: 'b.js', autostart: true}, {script: 'serve', env: {PM2_SERVE_PORT: 8080}}]",
    );
    let started: Vec<Option<bool>> = imported.services.iter().map(|it| it.autostart).collect();
    assert_eq!(started, [Some(false), None, None]);
    assert_eq!(lost(&imported), ["apps[2].script"]);
}

#[test]
fn a_script_below_the_home_directory_is_found_there() {
    for (script, command) in [
        ("~/app/run.sh", "bash /home/u/app/run.sh"),
        ("~/app/server.js", "node /home/u/app/server.js"),
        ("~/app/run.sh --fast", "~/app/run.sh --fast"),
        ("~other/run.sh", "bash '~other/run.sh'"),
    ] {
        assert_eq!(import("x.json", &format!("{{script: '{script}'}}")).services[0].command, command);
    }
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

/// What a program in `dir` exports, where `HOME` and `SET` are set.
fn exported(text: &str, dir: &Path) -> Result<Value, Unread> {
    let variables =
        [("HOME", "/home/u"), ("SET", "yes"), ("EMPTY", "")].map(|(key, value)| (key.to_owned(), value.to_owned()));
    program::exported(text, dir, &variables.into()).map(|it| it.value)
}

#[test]
fn expressions_whose_value_can_be_seen_are_read() {
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::write(dir.path().join("package.json"), r#"{"name": "shop", "version": "1.2.3"}"#).expect("written");
    std::fs::write(dir.path().join(".env"), "FILED=f\n").expect("written");
    let at = dir.path().display();
    let read = |value: &str| {
        let head = "const path = require('path');\nimport { join as put } from 'node:path'\nconst base = { a: 1, b: 2 }, list = [1, 2];\n\
                    require('dotenv').config();\nconst pkg = require('./package.json')\nconst { SET, NONE = 'n' } = process.env;\n\
                    const unused = fetch('x').then(it => it)\nfunction also() { for (;;) {} }\nconst twice = (x, { y }) => `${x}${y}`";
        let text = format!("{head}\nmodule.exports = {{ apps: [{{ value: {value}, /* x */ n: 1 }}] }};");
        let found = exported(&text, dir.path()).unwrap_or_else(|why| panic!("{value}: {why:?}"));
        found["apps"][0]["value"].clone()
    };
    for (value, expected) in [
        ("`a b.js`", "a b.js".to_owned()),
        ("'a' + \"b\" + `c`", "abc".to_owned()),
        ("__dirname + '/a.js' // where it is\n", format!("{at}/a.js")),
        ("path.join(__dirname, 'x', '../a.js')", format!("{at}/a.js")),
        ("put(__dirname, './a' + '.js')", format!("{at}/a.js")),
        ("path.resolve('a', 'b.js')", format!("{at}/a/b.js")),
        ("path.resolve('a', '/b.js')", "/b.js".to_owned()),
        ("path.join('a', '/b', '..', '../../c')", "../c".to_owned()),
        ("path.join(process.cwd(), `${base.a}-${'$'}`)", format!("{at}/1-$")),
        (r"'it\'s __dirname'", "it's __dirname".to_owned()),
        ("process.env.SET || 'y'", "yes".to_owned()),
        ("process.env.NOT_SET || 'y'", "y".to_owned()),
        ("process.env.EMPTY || 'y'", "y".to_owned()),
        ("process.env.EMPTY ?? 'y'", String::new()),
        ("process.env['NOT_SET'] ?? 'y'", "y".to_owned()),
        ("process.env.FILED", "f".to_owned()),
        ("process.env.SET === 'yes' ? 'a' : boom()", "a".to_owned()),
        ("SET + NONE", "yesn".to_owned()),
        ("pkg.name + '@' + require('./package').version", "shop@1.2.3".to_owned()),
        ("`${pkg.name}-${`in ${'`'}`}`", "shop-in `".to_owned()),
        ("twice('a', { y: 'b' }).toUpperCase()", "AB".to_owned()),
        ("['a', 'b'].map((x, at) => x + at).join(' ')", "a0 b1".to_owned()),
        ("`${__dirname}/logs/\\n`", format!("{at}/logs/\n")),
        ("/\\.log$/i", "/\\.log$/".to_owned()),
    ] {
        assert_eq!(read(value), expected, "{value}");
    }
    for (value, expected) in [
        ("{ ...base, b: 3, ['c']: list.length, pkg: undefined }", serde_json::json!({"a": 1, "b": 3, "c": 2})),
        ("[...list, ...[3]]", serde_json::json!([1, 2, 3])),
        ("{ ...(process.env.SET && { a: 1 }), ...process.env }", serde_json::json!({"a": 1})),
        ("Object.assign({}, base, { SET: process.env.SET })", serde_json::json!({"a": 1, "b": 2, "SET": "${SET}"})),
        ("parseInt(process.env.NOT_SET, 10) || 3000 + 1", 3001.into()),
        ("2 * (3 + 4) - 10 / 4", 11.5.into()),
        ("!process.env.CI && 0x10", 16.into()),
        ("require('os').cpus().length", "max".into()),
    ] {
        assert_eq!(read(value), expected, "{value}");
    }
}

#[test]
fn what_cannot_be_seen_is_named_with_its_place() {
    for (value, column, what) in [
        ("fetch('x')", 1, "`fetch` is not evaluated"),
        ("require('./config').x", 1, "the module `./config` is not evaluated"),
        ("'a' + later.x", 7, "`later` is not evaluated"),
        ("new Date()", 1, "`new` is not evaluated"),
        ("os.cpus().length - 1", 1, "not a number that can be seen"),
        ("os.hostname()", 1, "`os.hostname(…)` is not evaluated"),
        ("'a'.padStart(3)", 4, "the method `padStart` is not evaluated"),
        ("'a", 1, "an open quote"),
        ("f(1)", 1, "`f` is not evaluated"),
        ("process.pid", 0, "`process.pid` is not a value"),
        ("{ a() {} }", 4, "a method is not evaluated"),
        ("x = 5", 3, "expected `}`"),
    ] {
        let why = exported(&format!("module.exports = {{\n  v: {value}\n}}"), Path::new("/srv")).expect_err(value);
        let place = 24 + column - 1;
        assert_eq!((why.at, why.what.as_str()), (if column == 0 { 0 } else { place }, what), "{value}");
    }
    for (text, what) in [
        ("const a = 1;", "it exports nothing: no `module.exports =` and no `export default`"),
        ("", "it exports nothing: no `module.exports =` and no `export default`"),
        ("if (x) { module.exports = {} }", "not a value that can be seen"),
        ("const f = (x) => f(x); module.exports = f(1)", "it calls itself"),
        ("const a = 'x'; a = 'y'; module.exports = { a }", "not a value that can be seen"),
        ("let a = ['x']; a.push('y'); module.exports = { a }", "the method `push` is not evaluated"),
    ] {
        let why = exported(text, Path::new("/srv")).expect_err(text);
        assert_eq!(why.what, what, "{text}");
    }
    let deep = format!("module.exports = {}1{}", "[".repeat(5000), "]".repeat(5000));
    let long = format!("module.exports = 'a'{}", " + 'a'".repeat(5000));
    let wide = format!(
        "const a0 = [1, 1];\n{}module.exports = a60",
        (1..=60).map(|at| format!("const a{at} = [...a{0}, ...a{0}];\n", at - 1)).collect::<String>()
    );
    let ticks = format!("module.exports = {}", "`${".repeat(5000));
    for text in [deep, long, wide, ticks] {
        assert!(exported(&text, Path::new("/srv")).is_err(), "{}", &text[..40]);
    }
}

proptest::proptest! {
    #[test]
    fn no_program_is_too_much(text in "(module.exports = |const a = |[a-z]|'|\"|`|\\$\\{|[{}()\\[\\];,.:?!|&+/*=> \n]|é|[0-9])*") {
        let _ = exported(&text, Path::new("/srv"));
    }
}

#[test]
fn a_program_of_several_shapes_is_imported() {
    let text = "import 'dotenv/config';\nconst { join } = require('node:path');\nconst base = { exec_mode: 'fork', autorestart: true };\n\
                const name = process.env.NOT_SET ?? 'shop';\nmodule.exports.apps = ['web', 'worker'].map((part) => ({\n  ...base,\n  \
                name: `${name}-${part}`,\n  script: join(__dirname, 'dist', `${part}.js`),\n  ignore_watch: [/node_modules/],\n  \
                env: { ROLE: part, TOKEN: process.env.TOKEN },\n}));\n";
    let imported = import("ecosystem.config.cjs", text);
    let names: Vec<&str> = imported.services.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names, ["shop-web", "shop-worker"]);
    assert!(imported.services[1].command.ends_with("/dist/worker.js"), "{}", imported.services[1].command);
    assert_eq!(imported.services[1].exports, [("ROLE".to_owned(), "worker".to_owned())]);
    assert_eq!(
        lost(&imported),
        [
            "apps[0].env.TOKEN",
            "apps[0].ignore_watch",
            "apps[1].env.TOKEN",
            "apps[1].ignore_watch",
            "process.env.NOT_SET"
        ]
    );
}
