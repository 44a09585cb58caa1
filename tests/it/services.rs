//! Services: saved, enabled, started together.

use std::fs;

use tetra::supervise::meta::{Meta, ProcessState, RunState};
use tetra::tsm::definition::Definition;

use crate::ports::{free_port, free_ports};
use crate::sandbox::Sandbox;
use crate::waiting::eventually;
use crate::world::World;

fn definition(world: &World, name: &str) -> Definition {
    let file = world.paths().service(&name.parse().expect("a name"));
    Definition::read(&file, world.session.host.variables()).expect("a definition")
}

#[test]
fn a_saved_process_says_all_that_its_start_said() {
    let mut world = World::new();
    world.file("odd.env", "A=1\n");
    let port = free_port();
    let line = format!(
        "tsm start --name lamp --port {port} --no-wait --env odd.env --env 'K=it'\\''s $5' --pre-hook 'test -n \"$K\"' \
         --restart always --max-restarts 3 --kill-timeout 1500ms --log-size 64K --log-keep 2 \
         -- bash -c 'exec sleep 1000' '' 'two words'"
    );
    world.run(&line).done();
    world.run(&format!("tsm save lamp-{port} light")).done();
    let saved = definition(&world, "light");
    assert_eq!(saved.exports, [("K".to_owned(), "it's $5".to_owned())]);
    assert!(matches!(saved.env_files(), [file] if file.ends_with("/work/odd.env")));
    assert_eq!(saved.pre_command.as_deref(), Some("test -n \"$K\""));
    assert!(saved.command.ends_with("bash -c 'exec sleep 1000' '' 'two words'"));
    world.run(&format!("tsm stop lamp-{port}")).done();
    world.run("tsm start --no-wait light").done();
    let runs = ["lamp", "light"].map(|name| {
        let name = format!("{name}-{port}");
        let dir = world.paths().process(&name.parse().expect("a name"));
        tetra::supervise::meta::read(&dir).expect("readable").expect("a record").run
    });
    let [before, mut after] = runs;
    assert!(after.service.ends_with("light.tsm"));
    (after.service, after.started_by, after.created_ms) = (String::new(), before.started_by, before.created_ms);
    assert!(after.options.take().is_some(), "what its start said is kept");
    assert_eq!(before, after);
}

#[test]
fn what_is_saved_without_an_effect_is_named() {
    let mut world = World::new();
    world.file("conf/x.env", "A=1\n");
    world.file("sub/readme", "");
    let mut notes = |line: &str| {
        let said = world.run(line);
        assert_eq!(said.code, 0, "{}", said.stderr);
        said.stderr
    };
    let said = notes("tsm save a node app.js -e foo");
    assert!(said.contains("env file `foo` not found; write `--` before the words of the program"), "{said}");
    let said = notes("tsm save e --cwd sub --env-file conf/x.env -- sleep 1000");
    assert!(!said.contains("not found"), "{said}");
    let said = notes("tsm save f --cwd sub --env-file conf/y.env -- sleep 1000");
    assert!(said.contains("env file `conf/y.env` not found"), "{said}");
    let said = notes("tsm save b node app.js -- -e foo");
    assert!(!said.contains("foo"), "{said}");
    notes("tsm save c --cron-tz UTC -- sleep 1000");
    let said = notes("tsm start c --no-wait");
    assert!(said.contains("TSM_CRON_TZ has no effect without TSM_CRON"), "{said}");
    let said = notes("tsm start --no-wait --name d --health-interval 5s -- sleep 1000");
    assert!(said.contains("`--health-interval` has no effect without `--health`"), "{said}");
    assert_eq!(definition(&world, "b").command, "node app.js -e foo");
}

#[test]
fn a_start_that_fails_for_its_dependency_says_so() {
    let mut world = World::new();
    world.run("tsm save a --deps missing -- sleep 1000").done();
    let said = world.run("tsm start a --no-wait");
    assert!(said.stderr.contains("a dependency was not started: missing: service not found"), "{}", said.stderr);
    assert_ne!(said.code, 0);
}

#[test]
fn several_env_files_are_kept_from_the_start_to_the_restart_and_the_service() {
    let mut world = World::new();
    world.file("a.env", "A=a\nB=a\nC=a\n");
    world.file("b.env", "B=b\n");
    let seen = |world: &mut World, name: &str| {
        let said = world.run(&format!("tsm env {name} --json")).done();
        let rows: Vec<serde_json::Value> = serde_json::from_str(&said).expect("JSON");
        let of = |key: &str| {
            rows.iter().find(|row| row["name"] == key).map_or("-", |row| row["value"].as_str().expect("a text"))
        };
        ["A", "B", "C"].map(|key| of(key).to_owned())
    };
    let files = |world: &mut World, name: &str| {
        let said = world.run(&format!("tsm info {name} --json")).done();
        let fields: serde_json::Value = serde_json::from_str(&said).expect("JSON");
        let work = format!("{}/", world.work().display());
        let all = fields["env_files"].as_array().expect("a list");
        all.iter().map(|file| file.as_str().expect("a text").replace(&work, "")).collect::<Vec<_>>()
    };
    world
        .run("tsm start --name lamp --env-file a.env --env-file b.env --env-file=-c.env -- bash -c 'exec sleep 1000'")
        .done();
    assert_eq!(seen(&mut world, "lamp"), ["a", "b", "a"]);
    assert_eq!(files(&mut world, "lamp"), ["a.env", "b.env", "-c.env"]);
    let shown = world.run("tsm info lamp").done();
    assert!(shown.lines().any(|line| line.contains("a.env") && line.contains("b.env")), "{shown}");

    // What may be missing counts once it is there, and what has to be there is missed.
    world.file("c.env", "C=c\n");
    world.file("b.env", "B=new\n");
    world.run("tsm restart lamp").done();
    assert_eq!(seen(&mut world, "lamp"), ["a", "new", "c"]);
    world.run("tsm save lamp light").done();
    world.run("tsm start light").done();
    assert_eq!(seen(&mut world, "light"), ["a", "new", "c"]);
    assert_eq!(files(&mut world, "light"), ["a.env", "b.env", "-c.env"]);

    // A start with another file is that start's, and stays so after a restart.
    world.run("tsm stop light").done();
    world.run("tsm start light --env-file b.env").done();
    assert_eq!(
        (seen(&mut world, "light"), files(&mut world, "light")),
        (["-", "new", "-"].map(str::to_owned), vec!["b.env".to_owned()])
    );
    world.run("tsm restart light").done();
    assert_eq!(files(&mut world, "light"), ["b.env"]);
    fs::remove_file(world.work().join("a.env")).expect("removed");
    let refused = world.run("tsm restart lamp").failed(5);
    assert!(refused.contains("a.env"), "{refused}");
    world.run("tsm delete lamp light -y").done();
}

#[test]
fn a_service_is_replaced_only_when_confirmed() {
    let mut world = World::new();
    world.run("tsm save api node a.js").done();
    world.run("tsm save api node b.js").failed(4);
    world.answers(&["n", "y"]);
    world.run("tsm save api node b.js").failed(4);
    assert_eq!(definition(&world, "api").command, "node a.js");
    world.run("tsm save api node b.js").done();
    assert_eq!(definition(&world, "api").command, "node b.js");
    world.run("tsm save api --force node c.js --port 1 -- --port 2").done();
    let saved = definition(&world, "api");
    assert_eq!(
        (saved.command.as_str(), saved.port.map(|port| port.to_string())),
        ("node c.js --port 2", Some("1".into()))
    );
    assert_eq!(fs::read_dir(world.paths().services_available()).expect("a directory").count(), 1);
}

#[test]
fn a_hundred_services_are_started_together_and_in_order() {
    let mut world = World::new();
    for n in 0..100 {
        let needs = if n >= 10 { format!("TSM_DEPS=s{}\n", n % 10) } else { String::new() };
        let text = format!("TSM_COMMAND=\"sleep 1000\"\nTSM_CWD=/\n{needs}");
        world.file(world.paths().services_available().join(format!("s{n}.tsm")), &text);
        world.run(&format!("tsm enable s{n}")).done();
    }
    let said = world.run("tsm startup --json").done();
    let rows: Vec<serde_json::Value> = serde_json::from_str(&said).expect("a list");
    assert!(rows.iter().all(|row| row["result"] == "started"), "{said}");
    let started = |name: &str| {
        let dir = world.paths().process(&name.parse().expect("a name"));
        tetra::supervise::meta::read(&dir).expect("readable").expect("a record").run_state.started_ms
    };
    for n in 10..100 {
        // What is needed has settled before.
        let need = format!("s{}", n % 10);
        assert!(started(&format!("s{n}")) >= started(&need) + 500, "s{n} came before {need}");
    }
    let log = fs::read_to_string(world.paths().startup_log()).expect("a log");
    assert!(log.contains(" 100 started, 0 failed in "), "{log}");
    let again = world.run("tsm startup").done();
    assert!(again.contains("running") && !again.contains("started "), "{again}");
    assert_eq!(fs::read_to_string(world.paths().startup_log()).expect("a log").lines().count(), 2);
}

#[test]
fn instances_have_the_next_ports_and_one_name() {
    let mut world = World::new();
    let port = free_ports(3).start;
    world.file(
        "serve.py",
        "import os, socket, time\ns = socket.socket()\ns.bind(('127.0.0.1', int(os.environ['PORT'])))\n\
                            s.listen()\nprint(os.environ['TSM_INSTANCE'], flush=True)\ntime.sleep(1000)\n",
    );
    let line = format!("tsm start --name web --port {port} --instances 3 --json python3 serve.py");
    let rows: Vec<serde_json::Value> = serde_json::from_str(&world.run(&line).done()).expect("a list");
    for (n, row) in rows.iter().enumerate() {
        let own = usize::from(port) + n;
        assert_eq!((&row["process"], &row["port"]), (&format!("web-{own}").into(), &own.into()), "{row}");
        // It listens before it prints.
        eventually(&format!("web-{own} said which one it is"), || {
            world.run(&format!("tsm logs web-{own}")).done() == format!("{}\n", n + 1)
        });
    }
    assert_eq!(rows.len(), 3);
    world.run("tsm stop web").done();
    assert_eq!(world.run("tsm list running --json").done().trim(), "[]");
    world.run("tsm restart web").done();
    assert_eq!(world.run("tsm list running").done().lines().count(), 4);
    let ports = fs::read_to_string(world.paths().ports()).expect("a registry");
    assert_eq!(ports.lines().filter(|line| line.starts_with("web:")).count(), 3);
}

#[test]
fn a_startup_calls_started_what_a_start_calls_started() {
    let mut world = World::new();
    let port = free_port();
    world.run(&format!("tsm save slow --port {port} -- sleep 1000; tsm save gone -- sh -c 'exit 3'")).done();
    world.run("tsm enable slow gone").done();
    let said = world.run("tsm startup");
    assert_eq!(said.code, 1, "{}", said.stderr);
    let row = |name: &str| said.output.lines().find(|line| line.starts_with(name)).unwrap_or_default().to_owned();
    assert!(row("slow").contains("started") && row("gone").contains("failed"), "{}", said.output);
    assert!(said.stderr.contains("startup incomplete: 1 started (1 not ready), 1 failed"), "{}", said.stderr);
    assert!(said.stderr.contains(&format!("started but not listening on {port}")), "{}", said.stderr);
    assert!(!said.stderr.contains("already in use"), "nothing listens there: {}", said.stderr);
}

#[test]
fn a_startup_starts_what_was_cut_off_together_with_its_supervisor() {
    let sandbox = Sandbox::of_tsm();
    sandbox.ok(&["save", "web", "sleep", "1000"]);
    sandbox.ok(&["enable", "web"]);
    sandbox.ok(&["startup"]);
    let running = sandbox.read("web");
    sandbox.kill_all_but_strays("web");
    // As where the child was killed first: the supervisor had noted it, and was killed before it started the child again.
    let next_start_ms = running.run_state.started_ms + 3_600_000;
    let run_state = RunState { next_start_ms, ..running.run_state.clone() };
    let waiting = Meta { pid: 0, state: ProcessState::Waiting, run_state, ..running.clone() };
    tetra::supervise::meta::write(&sandbox.dir("web"), &waiting).expect("a record");
    let said = sandbox.ok(&["startup"]);
    assert!(said.contains("started"), "{said}");
    let started = sandbox.until_state("web", ProcessState::Online);
    assert!(started.pid != running.pid && started.tsm_id == running.tsm_id);
    assert_eq!(sandbox.supervisors("web").len(), 2, "guard and worker");
    sandbox.kill_all_but_strays("web");
    let said = sandbox.ok(&["startup"]);
    assert!(said.contains("started") && sandbox.read("web").state == ProcessState::Online, "{said}");
}

/// A number alone is refused in an option, a key, a saved service and an import: one means seconds by it, another milliseconds.
#[test]
fn a_number_alone_is_refused_wherever_a_time_is_given() {
    let mut world = World::new();
    let (port, files) = (free_port(), world.paths().services_available());
    fs::create_dir_all(&files).expect("a directory");
    let grace = |world: &mut World, name: &str| {
        let shown = world.run(&format!("tsm show {name} --json"));
        assert_eq!(shown.code, 0, "{}", shown.stderr);
        let value: serde_json::Value = serde_json::from_str(&shown.output).expect("JSON");
        value["kill_timeout"].as_f64()
    };
    for (given, span) in [
        ("3s", Some(3.0)),
        ("500ms", Some(0.5)),
        ("0", Some(0.0)),
        ("3", None),
        ("0.5", None),
        ("99", None),
        ("3000", None),
    ] {
        let saved = world.run(&format!("tsm save by-option --force --kill-timeout {given} -- sleep 9"));
        world.file(
            files.join("by-key.tsm"),
            &format!("TSM_NAME=by-key\nTSM_COMMAND='sleep 9'\nTSM_KILL_TIMEOUT={given}\n"),
        );
        world.file(
            "compose.yaml",
            &format!(
                "services:\n  by-import:\n    command: sleep 9\n    ports: ['{port}']\n    stop_grace_period: {given}\n"
            ),
        );
        let imported = world.run("tsm import compose.yaml --force");
        match span {
            Some(span) => {
                assert_eq!((saved.code, imported.code), (0, 0), "{given}: {}{}", saved.stderr, imported.stderr);
                for name in ["by-option", "by-key", "by-import"] {
                    assert_eq!(grace(&mut world, name), Some(span), "{name} {given}");
                }
            }
            None => {
                assert!(saved.stderr.contains("a time span with a unit"), "{given}: {}", saved.stderr);
                let shown = world.run("tsm show by-key");
                assert!(shown.stderr.contains("a time span with a unit"), "{given}: {}", shown.stderr);
                assert!(imported.output.contains("missing unit"), "{given}: {}", imported.output);
            }
        }
    }
}
