use std::fs;

use super::*;
use crate::supervise::meta::RestartPolicy;
use crate::tsm::port::PortSpec;
use std::time::Duration;

pub(super) fn import(name: &str, text: &str) -> Imported {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join(name);
    fs::write(&path, text).expect("a file");
    let imported = read(&path, &BTreeMap::from([("HOME".to_owned(), "/home/u".to_owned())]))
        .unwrap_or_else(|error| panic!("{error}"));
    for it in &imported.services {
        let none = std::collections::BTreeMap::new();
        let file = Path::new("/x/y.tsm");
        let back = Definition::parse(&it.to_text(), file, &none).expect("what is written can be read");
        assert_eq!(Definition { file: PathBuf::new(), ..back }, *it);
    }
    imported
}

pub(super) fn lost(imported: &Imported) -> Vec<&str> {
    imported.unsupported.iter().map(|it| it.field.as_str()).collect()
}

#[test]
fn a_mark_at_the_begin_is_no_text_and_an_error_shows_no_secret() {
    let imported = import("Procfile.dev", "\u{feff}web: x\n");
    assert_eq!(imported.services[0].name, "web");
    let dir = tempfile::tempdir().expect("a directory");
    for (name, text, expected) in [
        ("a.yaml", "", "is not a valid YAML file: it is empty"),
        ("b.yaml", "text", "is not a valid compose file: it must be a mapping"),
        ("c.yaml", "services:\n  a:\n    environment:\n      DB_PASSWORD: hunter2\n     B: [\n", "line 5"),
        ("d.json", r#"{"env": {"DB_PASSWORD": "hunter2" "X": 1}}"#, "is not a valid JSON file: expected comma"),
    ] {
        let path = dir.path().join(name);
        fs::write(&path, text).expect("a file");
        let error = read(&path, &BTreeMap::new()).expect_err(name).to_string();
        assert!(error.contains(expected) && !error.contains("hunter2"), "{error}");
    }
}

#[test]
fn an_ecosystem_file() {
    let imported = import(
        "ecosystem.config.json",
        r#"{"apps": [{"name": "web app", "script": "./server.js", "args": "--title 'a b'", "node_args": ["--max-old-space-size=200"],
            "instances": 2, "exec_mode": "cluster", "env": {"PORT": 3000, "NODE_ENV": "production"}, "env_staging": {"A": "1"},
            "watch": ["src"], "ignore_watch": ["*.log"], "max_memory_restart": "300M", "kill_timeout": 1600,
            "cron_restart": "0 4 * * *", "max_restarts": 5, "out_file": "x.log", "wait_ready": true, "odd": 1},
            {"script": "worker.py", "autorestart": false, "instances": "max", "watch": false}], "deploy": {}}"#,
    );
    let [web, worker] = &imported.services[..] else { panic!("two services") };
    assert_eq!(web.command, "node '--max-old-space-size=200' ./server.js --title 'a b'");
    assert_eq!(
        (web.name.as_str(), web.instances, web.port.map(|it| it.to_string())),
        ("web-app", Some(2), Some("3000".into()))
    );
    assert_eq!(web.exports, [("NODE_ENV".to_owned(), "production".to_owned())]);
    let keep = &web.options;
    assert_eq!(
        (keep.restart, keep.max_restarts, keep.kill_timeout),
        (Some(RestartPolicy::Always), Some(5), Some(Duration::from_millis(1600)))
    );
    assert_eq!((keep.max_memory, keep.cron.is_some()), (Some(300 << 20), true));
    assert_eq!(
        (keep.watch.as_deref(), keep.ignore.as_deref()),
        (Some(&["src".to_owned()][..]), Some(&["*.log".to_owned()][..]))
    );
    assert_eq!(
        (worker.command.as_str(), worker.options.restart, worker.options.watch.as_ref()),
        ("python3 worker.py", Some(RestartPolicy::Never), None)
    );
    assert_eq!(
        (worker.options.stop_signal.map(|it| it.to_string()).as_deref(), worker.options.kill_timeout),
        (Some("SIGINT"), Some(Duration::from_millis(1600))),
        "as PM2 stops it"
    );
    assert_eq!(
        lost(&imported),
        [
            "deploy",
            "apps[0].name",
            "apps[0].exec_mode",
            "apps[0].env_staging",
            "apps[0].out_file",
            "apps[0].wait_ready",
            "apps[0].odd",
            "apps[1].instances"
        ]
    );
}

#[test]
fn a_procfile() {
    let imported =
        import("Procfile", "# all\nweb: gunicorn app -b 0.0.0.0:$PORT\nworker: python worker.py\nrelease: ./migrate\n");
    let [web, worker] = &imported.services[..] else { panic!("two services") };
    assert_eq!(
        (web.command.as_str(), web.port.map(|it| it.to_string())),
        ("gunicorn app -b 0.0.0.0:$PORT", Some("5000+".into()))
    );
    assert_eq!((worker.command.as_str(), worker.port), ("python worker.py", None));
    assert_eq!(lost(&imported), ["release"]);
}

#[test]
fn what_a_command_says_about_its_port_wins() {
    let imported = import(
        "Procfile",
        "web: bundle exec rails s -p 3997\napi: PORT=4000 node api.js\nother: x --on $PORT\nhttp: python3 -m http.server 8000\n",
    );
    let ports: Vec<Option<PortSpec>> = imported.services.iter().map(|it| it.port).collect();
    assert_eq!(ports, [None, None, Some(PortSpec::AtLeast(5000)), None]);
    let imported = import(
        "compose.yaml",
        "services:\n  a: {command: 'x --port 4000', ports: ['80:3000', '81:4000']}\n  b: {command: x, environment: {PORT: 3000}}\n  \
         c: {command: 'x --port 4000', ports: ['3000']}\n  d: {command: x, ports: ['3000'], environment: {PORT: 3000}}\n",
    );
    let said: Vec<(Option<PortSpec>, usize)> = imported.services.iter().map(|it| (it.port, it.exports.len())).collect();
    let port = |port| Some(PortSpec::Exact(port));
    assert_eq!(said, [(port(4000), 0), (None, 1), (None, 0), (port(3000), 0)]);
    assert_eq!(lost(&imported), ["services.a.ports[0]", "services.a.ports[1]", "services.c.ports[0]"]);
}

#[test]
fn some_of_a_file_and_names_with_a_prefix() {
    let text = "services:\n  web: {command: a, depends_on: [db, api], volumes: [x]}\n  api: {command: b, volumes: [y]}\n  db: {command: c}\n";
    let path = Path::new("/srv/compose.yaml");
    let some = import("compose.yaml", text).only(&["web".to_owned(), "db".to_owned()], path).expect("both are there");
    let some = some.prefixed("shop").expect("a prefix");
    let names: Vec<&str> = some.services.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(
        (names, some.services[0].deps()),
        (vec!["shop-web", "shop-db"], &["shop-db".to_owned(), "api".to_owned()][..])
    );
    assert_eq!(lost(&some), ["services.web.volumes", "web: api"]);
    let error = import("compose.yaml", text).only(&["wep".to_owned()], path).expect_err("none");
    assert_eq!((error.kind(), error.advice().as_deref()), (FaultKind::NotFound, Some("did you mean `web`?")));
    let named = |prefix: &str| import("compose.yaml", text).prefixed(prefix).map(|it| it.services[2].name.clone());
    assert_eq!(named("a.").expect("a prefix"), "a.db");
    assert_eq!(named("a b").expect_err("no name").kind(), FaultKind::Usage);
}

#[test]
fn compose_words_variables_and_profiles() {
    let imported = import(
        "compose.yaml",
        "services:\n  a:\n    command: [sh, -c, 'echo $$A']\n    environment: ['X=${X}', 'Y=$Y', 'Z=a$$b', 'W=${HOST:-h}/x', V]\n    \
         stop_signal: SIGTERM\n    restart: 'on-failure:3'\n    profiles: [debug]\n    init: true\n    env_file: [a.env, {path: no.env, required: false, format: raw}, {path: ./b.env}]\n",
    );
    let it = &imported.services[0];
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    assert_eq!(it.command, "sh -c 'echo $A'");
    assert_eq!(it.exports, [pair("Z", "a$b"), pair("W", "h/x")]);
    assert_eq!((it.options.max_restarts, it.autostart), (Some(3), Some(false)));
    let files: Vec<_> = it.env_files().iter().map(|file| file.replace(it.cwd.to_str().expect("text"), "")).collect();
    assert_eq!(files, ["/a.env", "-/no.env", "/./b.env"]);
    assert_eq!(
        lost(&imported),
        [
            "services.a.environment.V",
            "services.a.environment.X",
            "services.a.environment.Y",
            "services.a.env_file",
            "services.a.restart",
            "services.a.profiles",
            "services.a.init"
        ]
    );
}

#[test]
fn a_package() {
    let imported = import(
        "package.json",
        r#"{"name": "@acme/shop", "version": "1.0.0", "scripts": {"start": "node .", "test": "jest"}, "engines": {"node": ">=20"}}"#,
    );
    assert_eq!((imported.services[0].name.as_str(), imported.services[0].command.as_str()), ("shop", "npm start"));
    assert_eq!(lost(&imported), ["version", "engines", "scripts.test"]);
}

#[test]
fn a_compose_file() {
    let imported = import(
        "compose.yaml",
        "name: shop\nservices:\n  web:\n    build: .\n    command: [\"node\", \"server.js\", \"a b\"]\n    environment:\n      - NODE_ENV=production\n      \
         - URL=${HOST}/x\n    ports: [\"8080:3000\", \"9229:9229\"]\n    depends_on:\n      db: {condition: service_healthy}\n      api: {condition: service_started}\n    \
         restart: unless-stopped\n    volumes: [\"./x:/x\"]\n    stop_grace_period: 30s\n  api:\n    image: node:20\n    entrypoint: node\n    command: api.js --cost $$5\n    \
         restart: on-failure:3\n    healthcheck:\n      test: [\"CMD-SHELL\", \"curl -f http://localhost || exit 1\"]\n      interval: 5s\n      retries: 4\n      start_interval: 1s\n  \
         db:\n    image: postgres:16\nvolumes:\n  data: {}\n",
    );
    let [web, api] = &imported.services[..] else { panic!("two services") };
    assert_eq!(
        (web.command.as_str(), web.port.map(|it| it.to_string())),
        ("node server.js 'a b'", Some("3000".into()))
    );
    assert_eq!((web.deps(), web.options.stack.as_deref()), (&["api".to_owned()][..], Some("shop")));
    assert_eq!(
        (web.options.restart, web.options.kill_timeout),
        (Some(RestartPolicy::Always), Some(Duration::from_secs(30)))
    );
    assert_eq!(web.exports[1], ("URL".to_owned(), "${HOST}/x".to_owned()));
    assert_eq!((api.command.as_str(), api.options.max_restarts), ("node api.js --cost '$5'", Some(3)));
    assert_eq!(
        api.options.health.as_ref().map(ToString::to_string).as_deref(),
        Some("exec:curl -f http://localhost || exit 1")
    );
    assert_eq!((api.options.health_interval, api.options.health_threshold), (Some(Duration::from_secs(5)), Some(4)));
    assert_eq!(
        lost(&imported),
        [
            "volumes",
            "services.web.environment.URL",
            "services.web.ports[0]",
            "services.web.ports[1]",
            "services.web.volumes",
            "services.api.restart",
            "services.api.healthcheck.start_interval",
            "services.api.image",
            "services.db",
            "services.web.depends_on.db"
        ]
    );
}

#[test]
fn what_is_something_else_is_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    for (name, text, kind) in [
        ("ecosystem.config.js", "const a = f(1); module.exports = { a }", FaultKind::Usage),
        ("x.txt", "", FaultKind::Usage),
        ("shop.service", "[Unit]\n", FaultKind::Failed),
        ("supervisord.conf", "[supervisord]\n", FaultKind::Failed),
        ("process-compose.yaml", "processes: 5", FaultKind::Failed),
        ("x.json", "{", FaultKind::Failed),
        ("x.json", "1", FaultKind::Failed),
        ("compose.yaml", "a: [", FaultKind::Failed),
        ("compose.yaml", "a: 1", FaultKind::Failed),
        ("Procfile", "no command", FaultKind::Failed),
        ("package.json", "{}", FaultKind::Failed),
    ] {
        let path = dir.path().join(name);
        fs::write(&path, text).expect("a file");
        assert_eq!(read(&path, &BTreeMap::new()).expect_err(name).kind(), kind, "{name} {text}");
    }
    assert_eq!(read(&dir.path().join("none.json"), &BTreeMap::new()).expect_err("none").kind(), FaultKind::NotFound);
}

#[test]
fn a_value_that_is_refused_is_named_with_what_is_expected() {
    let whys = |name: &str, text: &str| -> Vec<String> {
        import(name, text).unsupported.iter().map(|it| format!("{}: {}", it.field, it.why)).collect()
    };
    let app =
        r#"{"apps": [{"name": "a", "script": "a.js", "max_memory_restart": 200, "kill_timeout": "x", "port": 99999}]}"#;
    let said = whys("ecosystem.config.json", app);
    for expected in [
        "apps[0].max_memory_restart: invalid size `200B`: expected at least 4M (any program uses more)",
        "apps[0].kill_timeout: invalid value `x`: expected a number",
        "apps[0].port: invalid value `99999`: too large",
    ] {
        assert!(said.iter().any(|it| it == expected), "{expected}: {said:?}");
    }
    let compose = "services: {a: {command: ./a, mem_limit: 1x, ulimits: {nofile: many}}}";
    let unit = "[Service]\nExecStart=/bin/a\nMemoryMax=1x\nTimeoutStopSec=soon\n";
    for (name, text) in [
        ("compose.yaml", compose),
        ("a.service", unit),
        ("supervisord.conf", "[program:a]\ncommand=./a\nstartretries=many\n"),
    ] {
        let said = whys(name, text);
        let refused: Vec<_> = said.iter().filter(|it| it.contains(": invalid")).collect();
        assert!(!refused.is_empty() && refused.iter().all(|it| it.contains("expected")), "{name}: {said:?}");
    }
}
