//! What a started process is: its name, its id, its record, its words.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use tetra::supervise::meta::{ProcessState, ProcessStatus, RestartPolicy};

use super::{StartSandbox, json, lives, read};
use crate::ports::{free_port, free_ports};
use crate::waiting::eventually;

#[test]
fn a_python_module_is_named_by_directory_module_and_port() {
    let sandbox = StartSandbox::new();
    fs::create_dir(sandbox.world.work().join("my-api")).expect("a directory");
    let port = free_port().to_string();
    let said = sandbox.tsm_in("my-api", &["start", "python", "-m", "http.server", &port]);
    let name = format!("my-api-http-{port}");
    let meta = sandbox.meta(&name);
    let line = format!("started {name} (0), port {port}\n");
    assert_eq!((said.code, said.out), (0, line), "{}", said.err);
    assert_eq!(
        (meta.process_type.as_str(), meta.status, meta.state),
        ("python", ProcessStatus::Online, ProcessState::Online)
    );
    assert!(meta.interpreter.starts_with('/') && meta.command.starts_with(&meta.interpreter), "{}", meta.command);
    assert!(meta.command.ends_with(&format!("-m http.server {port}")), "{}", meta.command);
    assert_eq!(meta.cwd, sandbox.world.work().join("my-api").canonicalize().expect("a directory"));
    assert!(lives(meta.pid));
}

#[test]
fn the_record_has_the_published_fields_with_their_types() {
    let sandbox = StartSandbox::new();
    sandbox.start(&["sleep", "1000"]);
    let text = read(&sandbox.dir("work-sleep").join("meta.json"));
    let meta: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    for field in ["tsm_id", "pid", "start_time", "restarts", "unstable_restarts"] {
        assert!(meta[field].is_u64(), "{field}: {}", meta[field]);
    }
    for field in ["name", "command", "cwd", "interpreter", "process_type", "env_file", "prehook", "status"] {
        assert!(meta[field].is_string(), "{field}: {}", meta[field]);
    }
    assert_eq!((&meta["port"], &meta["env_file"]), (&"none".into(), &"".into()));
}

#[test]
fn a_node_program_is_named_by_directory_script_and_port() {
    let sandbox = StartSandbox::new();
    sandbox.world.file("backend/app.js", "require('http').createServer().listen(process.argv[2])\n");
    let port = free_port();
    let said = sandbox.tsm_in("backend", &["start", "node", "app.js", &port.to_string()]);
    assert!(said.out.starts_with(&format!("started backend-app-{port} ")), "{said:?}");
    assert_eq!(sandbox.meta(&format!("backend-app-{port}")).process_type, "node");
}

#[test]
fn global_options_behind_a_program_are_the_programs() {
    let sandbox = StartSandbox::new();
    sandbox.script("show.sh", "#!/bin/bash\nexec sleep 1000\n");
    let said = sandbox.tsm(&["start", "./show.sh", "--json", "-v", "--name", "s"]);
    assert!(said.out.starts_with("started s ("), "{said:?}");
    assert_eq!(sandbox.meta("s").run.argv[1..], ["./show.sh", "--json", "-v"]);
}

#[test]
fn a_word_behind_a_script_is_its_name_and_env_is_a_file() {
    let sandbox = StartSandbox::new();
    sandbox.world.file("env/dev.env", "export GREETING=\"hello there\"\n");
    sandbox.script("test-service.sh", "#!/bin/bash\necho \"$GREETING $#\"\nexec sleep 1000\n");
    let started = sandbox.start(&["--env", "dev", "./test-service.sh", "my-app"]);
    assert_eq!((&started["name"], &started["type"]), (&"my-app".into(), &"bash".into()));
    eventually("it wrote", || read(&sandbox.dir("my-app").join("current.out")) == "hello there 0\n");
}

#[test]
fn a_service_is_started_by_its_name_with_all_that_it_says() {
    let sandbox = StartSandbox::new();
    let port = free_port();
    sandbox.server("app/server.py");
    sandbox.world.file("app/env/dev.env", "MODE=dev\n");
    let cwd = sandbox.world.work().join("app");
    sandbox.service(
        "tetra",
        &format!(
            "TSM_NAME=\"tetra\"\nTSM_CWD=\"{}\"\nTSM_ENV_FILE=\"env/dev.env\"\nTSM_PORT=\"{port}\"\n\
             TSM_COMMAND=\"python3 server.py --env dev\"\nTSM_PRE_COMMAND=\"touch prepared\"\nTSM_RESTART_ON_FAILURE=true\n",
            cwd.display()
        ),
    );
    let started = sandbox.ready(&["tetra"]);
    let name = format!("tetra-{port}");
    assert_eq!((&started["name"], &started["listening"]), (&name.as_str().into(), &true.into()));
    let meta = sandbox.meta(&name);
    assert_eq!(meta.run.argv[1..], ["server.py", "--env", "dev"], "its command is opaque");
    assert_eq!((meta.run.restart, meta.run.service.ends_with("/tetra.tsm")), (RestartPolicy::OnFailure, true));
    assert!(meta.env_file.ends_with("/app/env/dev.env"), "{}", meta.env_file);
    assert!(cwd.join("prepared").exists(), "the pre-start command ran in its directory");
}

#[test]
fn words_reach_the_program_as_they_were_given() {
    let sandbox = StartSandbox::new();
    sandbox.script("show.sh", "#!/bin/bash\nprintf '<%s>\\n' \"$@\"\nexec sleep 1000\n");
    let words = ["a b", "", "it's", "\"quoted\"", "$HOME", "naïve ✅", "back\\slash", "*", "--port", "x\ny"];
    let started = sandbox.start(&[&["--name", "show", "./show.sh", "--"], &words[..]].concat());
    assert_eq!(started["name"], "show");
    let expected: String = words.iter().map(|word| format!("<{word}>\n")).collect();
    eventually("it wrote", || read(&sandbox.dir("show").join("current.out")) == expected);
    let meta = sandbox.meta("show");
    assert_eq!(shlex::split(&meta.command), Some(meta.run.argv), "the command reads back as the words");
}

#[test]
fn one_word_is_split_and_with_operators_goes_to_a_shell() {
    let sandbox = StartSandbox::new();
    sandbox.start(&["--name", "plain", "sleep 1000"]);
    assert_eq!(sandbox.meta("plain").run.argv, ["sleep", "1000"]);
    sandbox.start(&["--name", "shell", "echo one && echo two >&2; exec sleep 1000"]);
    eventually("both ran", || {
        read(&sandbox.dir("shell").join("current.out")) == "one\n"
            && read(&sandbox.dir("shell").join("current.err")) == "two\n"
    });
}

#[test]
fn ids_are_the_lowest_free_and_a_derived_name_is_counted_on() {
    let sandbox = StartSandbox::new();
    let id = |words: &[&str]| sandbox.start(words)["id"].as_u64();
    assert_eq!(id(&["sleep", "1000"]), Some(0));
    assert_eq!(id(&["sleep", "1000"]), Some(1));
    assert_eq!(id(&["--name", "c", "sleep", "1000"]), Some(2));
    assert_eq!(sandbox.processes(), ["c", "work-sleep", "work-sleep-2"]);
    assert_eq!(sandbox.tsm(&["delete", "1"]).code, 0);
    assert_eq!(id(&["--name", "d", "sleep", "1000"]), Some(1), "the gap is filled");
}

#[test]
fn a_given_name_that_is_online_is_refused_and_a_stopped_one_starts_again_with_id_and_logs() {
    let sandbox = StartSandbox::new();
    let script = sandbox.script("api.sh", "#!/bin/bash\necho life\nexec sleep 1000\n");
    sandbox.ready(&["--name", "other", "sleep", "1000"]);
    let words = ["--name", "api", script.to_str().expect("text")];
    let first = sandbox.ready(&words);
    let refused = sandbox.tsm(&[&["start"], &words[..]].concat());
    assert_eq!(refused.code, 1);
    assert!(refused.err.contains("already running"), "{}", refused.err);
    assert_eq!(sandbox.tsm(&["stop", "api"]).code, 0);
    let again = sandbox.ready(&words);
    assert_eq!((&again["id"], again["pid"] == first["pid"]), (&first["id"], false));
    eventually("both lives are in one log", || read(&sandbox.dir("api").join("current.out")) == "life\nlife\n");
    assert_eq!(sandbox.tsm(&["stop", "api"]).code, 0);
    assert_eq!(sandbox.ready(&["api"])["id"], first["id"], "its name is enough");
    assert_eq!(sandbox.meta("api").restarts, 2);
}

#[test]
fn the_selected_process_is_started_when_none_is_named() {
    let sandbox = StartSandbox::new();
    sandbox.start(&["--name", "s", "sleep", "1000"]);
    assert_eq!(sandbox.tsm(&["stop", "s"]).code, 0);
    let program = crate::world::PROGRAM;
    let output = sandbox.world.program(program).args(["-c", "select s; tsm start"]).output().expect("tetra runs");
    let said = super::said(output);
    assert!(said.code == 0 && said.out.contains("started s (0)"), "{said:?}");
}

#[test]
fn of_many_starts_of_one_name_one_wins_and_nothing_is_left_of_the_others() {
    let sandbox = StartSandbox::new();
    let race = sandbox.race(8, &["start", "--name", "same", "--no-wait", "sleep", "1000"]);
    assert_eq!(race.iter().filter(|said| said.code == 0).count(), 1, "{race:?}");
    assert!(
        race.iter().filter(|said| said.code != 0).all(|said| said.code == 1 && said.err.contains("already running")),
        "{race:?}"
    );
    assert_eq!(sandbox.processes(), ["same"]);
}

#[test]
fn starts_at_the_same_time_never_share_an_id_or_a_port() {
    let sandbox = StartSandbox::new();
    let first = free_ports(20).start;
    let wish = format!("{first}+");
    let words = ["start", "--json", "--no-wait", "--name", "w", "--port", &wish, "sleep", "1000"];
    let said = sandbox.race(6, &words).into_iter().map(json);
    let numbers = |said: serde_json::Value| Some((said["id"].as_u64()?, said["port"].as_u64()?));
    let mut given: Vec<(u64, u64)> = said.map(|said| numbers(said).expect("numbers")).collect();
    given.sort_unstable();
    assert_eq!(given.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5]);
    let mut ports: Vec<u64> = given.iter().map(|(_, port)| *port).collect();
    ports.sort_unstable();
    ports.dedup();
    assert_eq!(ports.len(), 6, "{given:?}");
}

#[test]
fn what_belongs_to_a_process_is_private() {
    let sandbox = StartSandbox::new();
    sandbox.start(&["--name", "p", "sleep", "1000"]);
    let mode = |path: &std::path::Path| fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    assert_eq!(mode(&sandbox.world.paths().runtime()), 0o700);
    assert_eq!(mode(&sandbox.dir("p")), 0o700);
    assert_eq!(mode(&sandbox.dir("p").join("environ")), 0o600);
    assert_eq!(mode(&sandbox.dir("p").join("meta.json")), 0o600);
}

#[test]
fn a_dry_run_shows_the_plan_and_changes_nothing() {
    let sandbox = StartSandbox::new();
    sandbox.world.file("app.js", "");
    let before = sandbox.world.tree();
    let plan = sandbox.start(&["--dry-run", "--port", "4100+", "--env", "API_TOKEN=geheim", "node", "app.js"]);
    assert_eq!(sandbox.world.tree(), before);
    assert_eq!((&plan["id"], &plan["type"], &plan["port_from"]), (&0.into(), &"node".into(), &"--port".into()));
    assert!(plan["name"].as_str().is_some_and(|name| name.starts_with("work-app-41")), "{plan}");
    assert!(!plan.to_string().contains("geheim"), "{plan}");
    let shown = sandbox.tsm(&["start", "--dry-run", "node", "app.js"]);
    assert!(shown.out.starts_with("Would start: work-app\n"), "{}", shown.out);
}

#[test]
fn with_debug_the_plan_is_shown_and_then_carried_out() {
    let sandbox = StartSandbox::new();
    let said = sandbox.tsm(&["start", "--debug", "sleep", "1000"]);
    assert!(said.err.contains("port ladder") && said.out.contains("started work-sleep "), "{said:?}");
}
