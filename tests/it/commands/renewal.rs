//! Restarting by the definition as it is now, instances one after the other, more and fewer of them.

use std::fs;

use serde_json::json;
use tetra::supervise::meta::ProcessState;

use crate::ports::free_ports;
use crate::sandbox::{Sandbox, is_running};
use crate::waiting::eventually;

fn service(sandbox: &Sandbox, name: &str, text: &str) {
    let available = sandbox.home().join("tsm/services-available");
    fs::create_dir_all(&available).expect("a directory");
    fs::write(available.join(format!("{name}.tsm")), format!("TSM_CWD=/\n{text}")).expect("a definition");
}

#[test]
fn a_restart_takes_the_definition_as_it_is_now_and_what_cannot_be_taken_stops_nothing() {
    let sandbox = Sandbox::new();
    service(&sandbox, "api", "TSM_COMMAND='sleep 600'\nexport GREETING=old\n");
    sandbox.ok(&["tsm", "start", "api", "--restart", "always"]);
    let first = sandbox.read("api").pid;
    let same = sandbox.json_with_schema(&["tsm", "restart", "api"], "tsm-restart");
    assert_eq!(same[0]["changes"], json!([]));
    service(&sandbox, "api", "TSM_COMMAND='sleep 601'\nexport GREETING=new\n");
    let said = sandbox.json_with_schema(&["tsm", "restart", "api"], "tsm-restart");
    let changes = said[0]["changes"].to_string();
    assert!(changes.contains("GREETING: old → new") && changes.contains("sleep 601"), "{said:#}");
    let meta = sandbox.read("api");
    assert!(meta.pid != first && is_running(meta.pid) && meta.command.ends_with("sleep 601"), "{}", meta.command);
    assert_eq!(meta.run.restart, tetra::supervise::meta::RestartPolicy::Always, "the option of the start is kept");
    for text in
        ["TSM_COMMAND='sleep 602\n", "TSM_COMMAND='none-such-program'\n", "TSM_COMMAND='sleep 1'\nTSM_NAME=other\n"]
    {
        service(&sandbox, "api", text);
        assert_ne!(sandbox.run(&["tsm", "restart", "api"]).code, 0, "{text}");
        assert!(is_running(meta.pid) && sandbox.read("api").pid == meta.pid, "{text}: it was not stopped");
    }
}

#[test]
fn what_cannot_run_again_is_not_stopped() {
    let sandbox = Sandbox::new();
    for (name, script, interpreter) in [("program", "own", &[][..]), ("script", "run.sh", &["sh"])] {
        let path = sandbox.path(script);
        fs::write(&path, "#!/bin/sh\nexec sleep 600\n").expect("a script");
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("made executable");
        let path = path.to_str().expect("a path").to_owned();
        sandbox.ok(&[&["tsm", "start", "--name", name, "--"], interpreter, &[path.as_str()]].concat());
        let pid = sandbox.read(name).pid;
        fs::remove_file(&path).expect("removed");
        for verb in ["restart", "reload", "up"] {
            let said = sandbox.run(&["tsm", verb, name]);
            assert!(said.code == 5 && said.err.contains(&format!("'{path}' not found")), "{verb} {name}: {}", said.err);
            assert!(is_running(pid) && sandbox.read(name).pid == pid, "{verb} {name}");
        }
    }
}

#[test]
fn a_restart_says_what_the_definition_asks_for_and_it_does_not_do() {
    let sandbox = Sandbox::new();
    service(&sandbox, "api", "TSM_COMMAND='sleep 600'\n");
    sandbox.ok(&["tsm", "start", "api"]);
    let said_of = |text: &str| {
        service(&sandbox, "api", text);
        let said = sandbox.run(&["tsm", "restart", "api"]);
        assert_eq!(said.code, 0, "{}", said.err);
        said.err
    };
    assert_eq!(said_of("TSM_COMMAND='sleep 600'\n"), "");
    let err = said_of("TSM_COMMAND='sleep 600'\nTSM_INSTANCES=3\n");
    assert!(err.contains("instances of `api`: 1, and its definition says 3: `tsm scale api 3`"), "{err}");
    let err = said_of("TSM_COMMAND='sleep 600'\nTSM_RESTRT=always\n");
    assert!(err.contains("unknown key TSM_RESTRT; did you mean TSM_RESTART?"), "{err}");
    fs::remove_file(sandbox.home().join("tsm/services-available/api.tsm")).expect("removed");
    let said = sandbox.run(&["tsm", "restart", "api"]);
    assert!(said.code == 0 && said.err.contains("restarted as it was: its definition"), "{}", said.err);
}

#[test]
fn a_program_that_is_gone_is_found_by_the_path_of_the_one_who_restarts_it() {
    let sandbox = Sandbox::new();
    let with = |directory: &str, words: &[&str]| {
        let path = format!("{}:{}", sandbox.path(directory).display(), std::env::var("PATH").expect("a PATH"));
        let said = sandbox.command(words).env("PATH", path).output().expect("tetra runs");
        assert!(said.status.success(), "{words:?}: {}", String::from_utf8_lossy(&said.stderr));
        String::from_utf8_lossy(&[said.stdout, said.stderr].concat()).into_owned()
    };
    for directory in ["old", "new"] {
        fs::create_dir(sandbox.path(directory)).expect("a directory");
        std::os::unix::fs::symlink("/bin/sleep", sandbox.path(directory).join("doze")).expect("a link");
    }
    with("old", &["tsm", "start", "--name", "x", "--", "doze", "600"]);
    fs::remove_dir_all(sandbox.path("old")).expect("removed");
    let said = with("new", &["tsm", "restart", "x"]);
    assert!(said.contains("changed program:") && said.contains("/new/doze"), "{said}");
    assert!(is_running(sandbox.read("x").pid));
}

#[test]
fn all_means_those_that_are_not_stopped_and_many_are_started_together() {
    let sandbox = Sandbox::new();
    let names: Vec<String> = (0..12).map(|number| format!("p{number}")).collect();
    for name in &names {
        sandbox.ok(&["tsm", "start", "--no-wait", "--name", name, "sleep", "600"]);
    }
    sandbox.ok(&["tsm", "stop", "p0"]);
    let said = sandbox.run(&["tsm", "restart", "*"]);
    assert_eq!(said.code, 0, "{}", said.err);
    assert_eq!(sandbox.read("p0").state, ProcessState::Stopped);
    assert_eq!((sandbox.read("p1").restarts, sandbox.read("p11").restarts), (1, 1));
    sandbox.ok(&["tsm", "stop", "*"]);
    let words: Vec<&str> = ["tsm", "restart"].into_iter().chain(names.iter().map(String::as_str)).collect();
    sandbox.ok(&words);
    assert!(names.iter().all(|name| is_running(sandbox.read(name).pid)));
}

#[test]
fn instances_follow_one_after_the_other_and_not_behind_one_that_fails() {
    let sandbox = Sandbox::new();
    service(&sandbox, "api", "TSM_INSTANCES=3\nTSM_COMMAND='exec sleep 600'\n");
    sandbox.ok(&["tsm", "start", "api"]);
    let pids = || ["api-1", "api-2", "api-3"].map(|name| sandbox.read(name).pid);
    let before = pids();
    sandbox.ok(&["tsm", "reload", "api"]);
    let started = ["api-1", "api-2", "api-3"].map(|name| sandbox.read(name).run_state.started_ms);
    assert!(started[1] >= started[0] + 500 && started[2] >= started[1] + 500, "each had settled: {started:?}");
    let after = pids();
    assert!(before.iter().zip(after).all(|(before, after)| *before != after && is_running(after)));
    service(&sandbox, "api", "TSM_INSTANCES=3\nTSM_COMMAND='false'\n");
    let said = sandbox.run(&["tsm", "restart", "api"]);
    assert!(said.code == 1 && said.err.contains("was not restarted: `api-1` did not become ready"), "{}", said.err);
    assert_eq!(pids()[1..], after[1..], "the others go on");
}

#[test]
fn what_keeps_crashing_is_not_said_to_need_a_start() {
    let sandbox = Sandbox::new();
    let crash = ["--restart", "always", "--", "sh", "-c", "sleep 0.3; exit 3"];
    sandbox.run(&[&["tsm", "start", "--name", "loop"], &crash[..]].concat());
    eventually("a reload comes between two runs", || {
        sandbox.until("loop", |meta| meta.state == ProcessState::Waiting && meta.run_state.backoff_exponent > 4);
        let said = sandbox.run(&["tsm", "reload", "loop"]);
        assert!(!said.err.contains("`tsm start loop`"), "it would be refused: {}", said.err);
        said.err.contains("it restarts by itself in") && said.err.contains("`tsm restart loop` starts it now")
    });
    eventually("a restart meets its end", || {
        let said = sandbox.run(&["tsm", "restart", "loop"]);
        assert!(!said.err.contains("`tsm start loop`"), "{}", said.err);
        said.err.contains("it is being restarted; run `tsm logs loop`")
    });
    let fail = ["--restart", "always", "--max-restarts", "1", "--", "false"];
    sandbox.run(&[&["tsm", "start", "--name", "given-up"], &fail[..]].concat());
    eventually("it is given up", || sandbox.read("given-up").state == ProcessState::Errored);
    let said = sandbox.run(&["tsm", "reload", "given-up"]);
    assert!(said.err.contains("`tsm start given-up` tries again"), "{}", said.err);
}

#[test]
fn what_starts_a_whole_group_is_named_where_one_of_it_was_to_be_started() {
    let sandbox = Sandbox::new();
    sandbox.ok(&["tsm", "start", "--name", "api", "--instances", "2", "--", "sleep", "600"]);
    sandbox.ok(&["tsm", "stop", "api"]);
    let said = sandbox.run(&["tsm", "start", "api"]);
    assert!(said.code == 5 && said.err.contains("`tsm up api` starts all of them"), "{}", said.err);
    sandbox.ok(&["tsm", "up", "api"]);
    assert!(["api-1", "api-2"].iter().all(|name| is_running(sandbox.read(name).pid)));
}

#[test]
fn instances_become_more_and_fewer() {
    let sandbox = Sandbox::new();
    service(&sandbox, "api", "TSM_INSTANCES=2\nTSM_COMMAND='exec sleep 600'\n");
    sandbox.ok(&["tsm", "start", "api"]);
    let before = sandbox.read("api-1").pid;
    sandbox.json_with_schema(&["tsm", "scale", "api", "+2"], "tsm-scale");
    assert!(["api-1", "api-2", "api-3", "api-4"].iter().all(|name| is_running(sandbox.read(name).pid)));
    sandbox.json_with_schema(&["tsm", "scale", "api", "1"], "tsm-scale");
    assert!(sandbox.read("api-1").pid == before && is_running(before) && !sandbox.dir("api-2").exists());
    sandbox.ok(&["tsm", "start", "--name", "lone", "sleep", "600"]);
    sandbox.ok(&["tsm", "scale", "lone", "2"]);
    assert!(is_running(sandbox.read("lone").pid) && is_running(sandbox.read("lone-2").pid));
    assert_eq!(sandbox.run(&["tsm", "scale", "lone", "many"]).code, 2);
}

#[test]
fn the_process_that_others_were_added_to_is_one_of_them() {
    let sandbox = Sandbox::new();
    let first = free_ports(2).start;
    let listen =
        "import os, socket, time; s = socket.create_server(('127.0.0.1', int(os.environ['PORT']))); time.sleep(600)";
    sandbox.ok(&["tsm", "start", "--name", "web", "--port", &first.to_string(), "python3", "-c", listen]);
    sandbox.ok(&["tsm", "scale", "web", "2"]);
    let names = [format!("web-{first}"), format!("web-{}", first + 1)];
    let site = sandbox.ok(&["tsm", "nginx", "generate", "web"]);
    assert!([first, first + 1].iter().all(|port| site.contains(&format!("127.0.0.1:{port};"))), "{site}");
    sandbox.ok(&["tsm", "reload", "web"]);
    let started = names.each_ref().map(|name| sandbox.read(name).run_state.started_ms);
    assert_ne!(started[0], started[1], "one after the other");
    sandbox.ok(&["tsm", "stop", "web"]);
    assert!(names.iter().all(|name| sandbox.read(name).state == ProcessState::Stopped));
    sandbox.ok(&["tsm", "start", "--name", "lone", "sleep", "600"]);
    assert_eq!(sandbox.run(&["tsm", "signal", "*", "USR1"]).code, 0, "what does not run gets no signal");
}

#[test]
fn up_starts_what_does_not_run_and_restarts_what_does() {
    let sandbox = Sandbox::new();
    service(&sandbox, "db", "TSM_COMMAND='sleep 600'\n");
    service(&sandbox, "api", "TSM_DEPS=db\nTSM_COMMAND='sleep 600'\n");
    sandbox.json_with_schema(&["tsm", "up", "api"], "tsm-restart");
    let (db, api) = (sandbox.read("db").pid, sandbox.read("api").pid);
    sandbox.json_with_schema(&["tsm", "up", "api"], "tsm-restart");
    assert!(sandbox.read("db").pid == db && sandbox.read("api").pid != api && is_running(sandbox.read("api").pid));
}

#[test]
fn a_stack_knows_what_was_started_before_it_was_saved() {
    let sandbox = Sandbox::new();
    sandbox.ok(&["tsm", "start", "--name", "web", "sleep", "600"]);
    sandbox.ok(&["tsm", "save", "web", "--stack", "shop"]);
    let status = sandbox.json_with_schema(&["tsm", "stack", "status", "shop"], "tsm-stack-status");
    assert_eq!(
        (&status[0]["service"], &status[0]["process"], &status[0]["status"]),
        (&json!("web"), &json!("web"), &json!("online"))
    );
    sandbox.ok(&["tsm", "stack", "start", "shop"]);
    sandbox.ok(&["tsm", "stack", "stop", "shop"]);
    assert_eq!(sandbox.read("web").state, ProcessState::Stopped);
}

#[test]
fn a_number_of_instances_that_is_none_is_named() {
    let sandbox = Sandbox::new();
    sandbox.ok(&["tsm", "start", "--name", "api", "sleep", "600"]);
    for value in ["x", "e", "0", "999", "+x"] {
        let said = sandbox.run(&["tsm", "scale", "api", value]);
        assert_eq!(said.code, 2, "{}", said.err);
        let message = format!("invalid value `{value}` for `<N|+N|-N>`: expected a number from 1 to 256, or +N or -N");
        assert!(said.err.contains(&message), "{}", said.err);
    }
}

#[test]
fn the_switch_of_another_program_behind_a_script_is_named_and_the_start_goes_on() {
    let sandbox = Sandbox::new();
    fs::write(sandbox.path("app.sh"), "exec sleep 600\n").expect("a script");
    for (name, words) in [("last", &["--watch"][..]), ("between", &["--watch", "--max-restarts", "3"])] {
        let said = sandbox.run(&[&["tsm", "start", "--name", name, "bash", "app.sh"][..], words].concat());
        assert_eq!(said.code, 0, "{}", said.err);
        assert!(said.err.contains("`--watch` is given to app.sh") && said.err.contains("--watch ."), "{}", said.err);
        assert!(sandbox.read(name).command.ends_with("app.sh --watch"), "{}", sandbox.read(name).command);
    }
    let said = sandbox.run(&["tsm", "start", "--name", "ours", "bash", "app.sh", "--watch", "."]);
    assert!(said.code == 0 && !said.err.contains("PM2"), "{}", said.err);
    assert!(sandbox.read("ours").command.ends_with("app.sh"), "{}", sandbox.read("ours").command);
}
