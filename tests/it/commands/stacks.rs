//! The order in which a stack is stopped, seen by its own processes.

use std::fs;

use nix::sys::signal::Signal;
use tetra::supervise::meta::ProcessState;

use crate::sandbox::{Sandbox, is_running, signal};
use crate::waiting::eventually;

/// A service of the stack `shop` that runs a script of bash, which does `at_term` when it is asked to end.
fn member(sandbox: &Sandbox, name: &str, deps: &str, at_term: &str) {
    let script = format!(
        "trap 'touch {name}.term; {at_term}; exit 0' TERM\ntouch {name}.up\nwhile :; do sleep 600 & wait $!; done\n"
    );
    fs::write(sandbox.path(&format!("{name}.sh")), script).expect("a script");
    let available = sandbox.home().join("tsm/services-available");
    fs::create_dir_all(&available).expect("a directory");
    let cwd = sandbox.root().display();
    let deps = if deps.is_empty() { String::new() } else { format!("TSM_DEPS={deps}\n") };
    let text = format!("TSM_STACK=shop\nTSM_CWD={cwd}\nTSM_COMMAND='bash {name}.sh'\n{deps}");
    fs::write(available.join(format!("{name}.tsm")), text).expect("a definition");
}

/// Starts the stack; each of these can be asked to end then.
fn start(sandbox: &Sandbox, names: &[&str]) {
    sandbox.ok(&["tsm", "stack", "start", "shop"]);
    for name in names {
        eventually(name, || sandbox.path(&format!("{name}.up")).exists());
    }
}

/// Looks for a second whether the database was asked to end, and writes what it saw.
fn look_for_database(name: &str) -> String {
    format!(
        "for n in $(seq 50); do [ -e db.term ] && break; sleep 0.02; done; [ -e db.term ] && echo ended >{name}.saw || echo alive >{name}.saw"
    )
}

fn saw(sandbox: &Sandbox, name: &str) -> String {
    fs::read_to_string(sandbox.path(&format!("{name}.saw"))).unwrap_or_default()
}

#[test]
fn what_others_need_is_stopped_after_them_and_a_level_at_the_same_time() {
    let sandbox = Sandbox::new();
    member(&sandbox, "db", "", "true");
    for (name, other) in [("web", "mail"), ("mail", "web")] {
        // Each goes on only when the other one was asked too.
        let meet = format!("until [ -e {other}.term ]; do sleep 0.02; done; {}", look_for_database(name));
        member(&sandbox, name, "db", &meet);
    }
    start(&sandbox, &["db", "web", "mail"]);
    sandbox.json_with_schema(&["tsm", "stack", "stop", "shop"], "tsm-stop");
    assert_eq!((saw(&sandbox, "web").as_str(), saw(&sandbox, "mail").as_str()), ("alive\n", "alive\n"));
    for name in ["db", "web", "mail"] {
        assert_eq!(sandbox.read(name).state, ProcessState::Stopped, "{name}");
    }
}

#[test]
fn a_start_shows_the_pids_of_what_runs_already() {
    let sandbox = Sandbox::new();
    member(&sandbox, "db", "", "true");
    member(&sandbox, "web", "db", "true");
    start(&sandbox, &["db", "web"]);
    let rows = sandbox.json_with_schema(&["tsm", "stack", "start", "shop"], "tsm-startup");
    for (row, name) in rows.as_array().expect("rows").iter().zip(["db", "web"]) {
        assert_eq!((&row["result"], &row["pid"]), (&"running".into(), &sandbox.read(name).pid.into()), "{row}");
    }
}

#[test]
fn what_is_needed_by_way_of_a_service_that_does_not_run_is_stopped_after_it_too() {
    let sandbox = Sandbox::new();
    member(&sandbox, "db", "", "true");
    member(&sandbox, "api", "db", "true");
    member(&sandbox, "web", "api", &look_for_database("web"));
    start(&sandbox, &["db", "api", "web"]);
    sandbox.ok(&["tsm", "delete", "api"]);
    sandbox.ok(&["tsm", "stack", "stop", "shop"]);
    assert_eq!(saw(&sandbox, "web"), "alive\n");
}

#[test]
fn an_interrupted_stop_leaves_what_is_still_needed() {
    let sandbox = Sandbox::new();
    member(&sandbox, "db", "", "true");
    member(&sandbox, "web", "db", "until [ -e go ]; do sleep 0.02; done");
    start(&sandbox, &["db", "web"]);
    let mut command = sandbox.command(&["tsm", "stack", "stop", "shop"]);
    let command = command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let stop = command.spawn().expect("tetra runs");
    eventually("web is asked to end", || sandbox.path("web.term").exists());
    signal(stop.id(), Signal::SIGINT);
    let said = stop.wait_with_output().expect("it ends");
    let err = String::from_utf8_lossy(&said.stderr);
    assert_eq!(said.status.code(), Some(130), "{err}");
    assert!(err.contains("`db` was not stopped"), "{err}");
    assert!(!sandbox.path("db.term").exists() && is_running(sandbox.read("db").pid));
    fs::write(sandbox.path("go"), "").expect("written");
    sandbox.until_state("web", ProcessState::Stopped);
}
