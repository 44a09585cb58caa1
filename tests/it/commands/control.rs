//! Stopping, restarting and deleting.

use serde_json::json;
use tetra::supervise::meta::{ExitStatus, ProcessState, RestartPolicy};

use crate::sandbox::{Sandbox, is_running};
use crate::waiting::eventually;

#[test]
fn stop_by_id_name_and_name_without_port() {
    for (word, port) in [("7", None), ("test-server", None), ("test-server", Some(3001)), ("test-server-3001", None)] {
        let sandbox = Sandbox::new();
        let mut meta = sandbox.record(7, "test-server-3001", "exec sleep 600");
        meta.port = port;
        let pid = sandbox.start_record(&meta);
        assert_eq!(sandbox.ok(&["tsm", "stop", word]), "stopped test-server-3001 (7)\n");
        let meta = sandbox.read("test-server-3001");
        assert_eq!((meta.state, meta.pid, is_running(pid)), (ProcessState::Stopped, 0, false), "{word}");
    }
}

#[test]
fn without_a_terminal_a_part_of_a_name_ends_nothing() {
    let sandbox = Sandbox::new();
    let mut meta = sandbox.record(7, "api-gateway", "exec sleep 600");
    meta.port = Some(3001);
    let pid = sandbox.start_record(&meta);
    for verb in ["stop", "delete", "kill", "restart", "reload"] {
        for word in ["api", "gateway"] {
            let said = sandbox.run(&["tsm", verb, word]);
            assert_eq!(said.code, 5, "{verb} {word}: {}", said.err);
            assert!(
                said.err.contains("did you mean 'api-gateway'") && said.err.contains("a full name"),
                "{}",
                said.err
            );
        }
    }
    for word in ["3001", &pid.to_string()] {
        assert_eq!(sandbox.run(&["tsm", "delete", word]).code, 5, "{word}");
    }
    assert!(is_running(pid));
}

#[test]
fn an_ambiguous_name_stops_nothing() {
    let sandbox = Sandbox::new();
    let pids = [
        sandbox.launch(0, "test-server-3001", "exec sleep 600"),
        sandbox.launch(1, "test-client-3002", "exec sleep 600"),
    ];
    let said = sandbox.run(&["tsm", "stop", "test"]);
    assert_eq!(said.code, 5);
    let wanted = "tsm: ambiguous name 'test', matches:\n  0: test-server-3001\n  1: test-client-3002\n";
    assert!(said.err.contains(wanted) && said.err.contains("use the TSM ID or the exact name"), "{}", said.err);
    assert!(pids.iter().all(|pid| is_running(*pid)));
}

#[test]
fn several_targets_fail_alone_and_the_first_failure_gives_the_code() {
    let sandbox = Sandbox::new();
    sandbox.launch(0, "one", "exec sleep 600");
    sandbox.launch(1, "two", "exec sleep 600");
    let said = sandbox.run(&["tsm", "stop", "one", "nope", "two"]);
    assert_eq!((said.code, said.out.as_str()), (5, "stopped one (0)\nstopped two (1)\n"));
    assert!(said.err.contains("'nope' not found"), "{}", said.err);
    let said = sandbox.run(&["tsm", "stop", "one"]);
    assert_eq!((said.code, said.out.as_str()), (0, "one (0) is not running\n"));
    assert_eq!(sandbox.run(&["tsm", "stop"]).code, 2);
}

#[test]
fn stop_all_stops_all_at_the_same_time() {
    let sandbox = Sandbox::new();
    // Each takes a while to end; one after the other they would take ten times as long.
    let slow = "trap 'sleep 0.3; exit 0' TERM; echo up; while :; do sleep 0.01; done";
    let names: Vec<String> = (0..5).map(|id| format!("slow-{id}")).collect();
    for (id, name) in (0..).zip(&names) {
        sandbox.launch(id, name, slow);
    }
    eventually("all are up", || names.iter().all(|name| !sandbox.text(name, "current.out").is_empty()));
    let said = sandbox.run(&["tsm", "stop", "*"]);
    assert_eq!(said.code, 0, "{}", said.err);
    assert!(said.err.contains("stopped 5 processes"), "{}", said.err);
    let ends: Vec<u64> = names.iter().map(|name| sandbox.read(name).last_exit.expect("an end").at_ms).collect();
    let apart = ends.iter().max().expect("five") - ends.iter().min().expect("five");
    assert!(apart < 4 * 300, "they ended {apart} ms apart");
    assert!(sandbox.json(&["tsm", "list"]).as_array().is_some_and(Vec::is_empty));
    assert_eq!(sandbox.ok(&["tsm", "stop", "all"]), "");
}

#[test]
fn who_does_not_listen_is_killed_after_its_time() {
    let sandbox = Sandbox::new();
    let mut meta = sandbox.record(0, "deaf", "trap '' TERM; echo up; while :; do sleep 0.01; done");
    meta.run.kill_timeout_ms = 200;
    let pid = sandbox.start_record(&meta);
    eventually("it is up", || !sandbox.text("deaf", "current.out").is_empty());
    let said = sandbox.json_with_schema(&["tsm", "stop", "deaf"], "tsm-stop");
    assert_eq!((&said[0]["forced"], is_running(pid)), (&json!(true), false));
    let meta = sandbox.read("deaf");
    assert_eq!(
        (meta.state, meta.last_exit.map(|exit| exit.status)),
        (ProcessState::Stopped, Some(ExitStatus::Signal(9)))
    );
}

#[test]
fn who_lost_its_supervisor_is_adopted_and_stopped() {
    let sandbox = Sandbox::new();
    let pid = sandbox.launch(0, "api", "exec sleep 600");
    sandbox.kill_supervisors("api");
    assert_eq!(sandbox.ok(&["tsm", "stop", "api"]), "stopped api (0)\n");
    assert_eq!((sandbox.read("api").state, is_running(pid)), (ProcessState::Stopped, false));
}

#[test]
fn a_stop_that_another_order_overtakes_says_so() {
    let sandbox = Sandbox::new();
    let mut meta = sandbox.record(0, "slow", "trap 'sleep 0.5; exit 0' TERM; echo up; while :; do sleep 0.01; done");
    meta.run.kill_timeout_ms = 20_000;
    sandbox.start_record(&meta);
    eventually("it is up", || !sandbox.text("slow", "current.out").is_empty());
    let stop =
        sandbox.command(&["tsm", "stop", "slow"]).stderr(std::process::Stdio::piped()).spawn().expect("tetra runs");
    sandbox.until("slow", |meta| meta.state == ProcessState::Stopping);
    tetra::supervise::client::send(&sandbox.dir("slow"), tetra::supervise::client::ControlCommand::Restart)
        .expect("an order");
    let ended = stop.wait_with_output().expect("collected");
    let err = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert!(ended.status.code() == Some(1) && err.contains("started by another command"), "{err}");
    sandbox.until("slow", |meta| meta.state == ProcessState::Online);
}

#[test]
fn restart_keeps_the_id_and_counts() {
    let sandbox = Sandbox::new();
    let first = sandbox.launch(3, "api", "echo up; exec sleep 600");
    eventually("it has spoken", || sandbox.text("api", "current.out") == "up\n");
    let said = sandbox.json_with_schema(&["tsm", "restart", "api"], "tsm-restart");
    let meta = sandbox.read("api");
    assert_eq!((meta.tsm_id, meta.restarts, meta.state), (3, 1, ProcessState::Online));
    assert_eq!((&said[0]["id"], &said[0]["pid"], &said[0]["restarts"]), (&json!(3), &json!(meta.pid), &json!(1)));
    assert!(meta.pid != first && !is_running(first) && is_running(meta.pid));
    eventually("both lives have spoken", || sandbox.text("api", "current.out") == "up\nup\n");
}

#[test]
fn restart_starts_what_does_not_run() {
    let sandbox = Sandbox::new();
    sandbox.launch(3, "api", "echo up; exec sleep 600");
    eventually("it has spoken", || sandbox.text("api", "current.out") == "up\n");
    sandbox.ok(&["tsm", "stop", "api"]);
    let out = sandbox.ok(&["tsm", "restart", "api"]);
    let meta = sandbox.read("api");
    assert_eq!(out, "started api (3)\n");
    assert_eq!((meta.tsm_id, meta.restarts, meta.state, is_running(meta.pid)), (3, 1, ProcessState::Online, true));
    eventually("both lives have spoken", || sandbox.text("api", "current.out") == "up\nup\n");
}

#[test]
fn a_restart_right_after_a_crash_does_not_take_the_old_end_for_the_new_one() {
    let sandbox = Sandbox::new();
    for id in 0..10 {
        let (name, go) = (format!("api-{id}"), sandbox.path(&format!("go-{id}")));
        sandbox.write_record(&sandbox.record(
            id,
            &name,
            &format!("test -e '{}' || exit 4; exec sleep 600", go.display()),
        ));
        let program = std::path::Path::new(env!("CARGO_BIN_EXE_tetra"));
        let _ = tetra::supervise::client::launch(program, &sandbox.dir(&name));
        sandbox.until(&name, |meta| meta.state == ProcessState::Crashed);
        std::fs::write(go, "").expect("a file");
        sandbox.ok(&["tsm", "restart", &name, "--no-wait"]);
        assert!(is_running(sandbox.read(&name).pid));
    }
}

#[test]
fn a_restart_that_fails_says_why() {
    let sandbox = Sandbox::new();
    let script = sandbox.path("run.sh");
    std::fs::write(&script, "exec sleep 600\n").expect("a script");
    let mut meta = sandbox.record(0, "api", "x");
    meta.run.argv = vec!["sh".into(), script.to_string_lossy().into_owned()];
    sandbox.start_record(&meta);
    std::fs::write(&script, "echo broken >&2; exit 9\n").expect("a script");
    let said = sandbox.run(&["tsm", "restart", "api"]);
    assert_eq!(said.code, 1, "{}{}", said.out, said.err);
    assert!(said.err.contains('9') && said.err.contains("api"), "{}", said.err);
}

#[test]
fn what_waits_for_its_restart_is_stopped_for_good_or_started_at_once() {
    let sandbox = Sandbox::new();
    let gate = sandbox.path("gate");
    let line = format!("test -e {} && exec sleep 600; exit 4", gate.display());
    for (id, name) in [(0, "stopped"), (1, "started")] {
        let mut meta = sandbox.record(id, name, &line);
        meta.run.restart = RestartPolicy::OnFailure;
        sandbox.start_record(&meta);
        sandbox.until(name, |meta| meta.state == ProcessState::Waiting && meta.restarts >= 4);
    }
    sandbox.ok(&["tsm", "stop", "stopped"]);
    assert_eq!(sandbox.read("stopped").state, ProcessState::Stopped);
    std::fs::write(&gate, "").expect("a gate");
    sandbox.ok(&["tsm", "restart", "started"]);
    assert_eq!(sandbox.read("started").state, ProcessState::Online);
}

#[test]
fn who_still_holds_the_port_after_a_stop_is_named() {
    let sandbox = Sandbox::new();
    // A program of its own: what this one opens is held for a moment by every child that another test forks.
    let script =
        "import socket; s = socket.create_server(('127.0.0.1', 0)); print(s.getsockname()[1], flush=True); input()";
    let mut holder = std::process::Command::new("python3");
    let holder = holder.args(["-c", script]).stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
    let mut holder = holder.spawn().expect("python runs");
    let mut port = String::new();
    let out = holder.stdout.take().expect("piped");
    std::io::BufRead::read_line(&mut std::io::BufReader::new(out), &mut port).expect("a port");
    let port: u16 = port.trim().parse().expect("a port");
    let mut meta = sandbox.record(0, "api", "exec sleep 600");
    meta.port = Some(port);
    sandbox.start_record(&meta);
    let said = sandbox.run(&["tsm", "stop", "api"]);
    assert_eq!(said.out, "stopped api (0)\n");
    let wanted = format!("port {port} is still held by pid {}", holder.id());
    assert!(said.err.contains(&wanted), "{}", said.err);
    holder.kill().and_then(|()| holder.wait()).expect("it is ended");
    sandbox.start_record(&meta);
    assert_eq!(sandbox.run(&["tsm", "stop", "api"]).err, "");
}

#[test]
fn the_selected_process_is_meant_when_none_is_named() {
    let sandbox = Sandbox::new();
    sandbox.launch(0, "api", "echo up; exec sleep 600");
    let pid = sandbox.launch(1, "web", "exec sleep 600");
    eventually("it has spoken", || sandbox.text("api", "current.out") == "up\n");
    assert_eq!(sandbox.ok(&["-c", "select api; tsm logs; tsm stop"]), "up\nstopped api (0)\n");
    assert!(is_running(pid));
}

#[test]
fn delete_stops_removes_and_frees_the_id() {
    let sandbox = Sandbox::new();
    let pid = sandbox.launch(0, "api", "exec sleep 600");
    sandbox.launch(1, "web", "exec sleep 600");
    assert_eq!(sandbox.ok(&["tsm", "delete", "0"]), "deleted api (0)\n");
    assert!(!sandbox.dir("api").exists() && !is_running(pid));
    let left: Vec<_> = std::fs::read_dir(sandbox.dir("")).expect("the directory").filter_map(Result::ok).collect();
    assert_eq!(left.len(), 1, "nothing is left aside: {left:?}");
    assert_eq!(sandbox.run(&["tsm", "info", "0"]).code, 5);
    assert_eq!(sandbox.json_with_schema(&["tsm", "del", "*"], "tsm-stop")[0]["name"], json!("web"));
    assert!(sandbox.json(&["tsm", "list", "all"]).as_array().is_some_and(Vec::is_empty));
}

#[test]
fn production_is_guarded_by_the_environment_of_the_process() {
    let sandbox = Sandbox::new();
    let mut meta = sandbox.record(0, "shop", "exec sleep 600");
    meta.run.environment = "prod".to_owned();
    let pid = sandbox.start_record(&meta);
    for verb in ["stop", "restart", "delete", "kill"] {
        assert_eq!(sandbox.run(&["tsm", verb, "shop"]).code, 4, "{verb}");
    }
    assert!(is_running(pid));
    assert_eq!(sandbox.run(&["--yes", "tsm", "stop", "shop"]).code, 0);
    assert!(!is_running(pid));
}

#[test]
fn interrupted_waiting_takes_nothing_back() {
    let sandbox = Sandbox::new();
    let mut meta = sandbox.record(0, "slow", "trap 'sleep 1; exit 0' TERM; echo up; while :; do sleep 0.01; done");
    meta.run.kill_timeout_ms = 20_000;
    sandbox.start_record(&meta);
    eventually("it is up", || !sandbox.text("slow", "current.out").is_empty());
    let stop =
        sandbox.command(&["tsm", "stop", "slow"]).stderr(std::process::Stdio::piped()).spawn().expect("tetra runs");
    sandbox.until("slow", |meta| meta.state == ProcessState::Stopping);
    crate::sandbox::signal(stop.id(), nix::sys::signal::Signal::SIGINT);
    let ended = stop.wait_with_output().expect("collected");
    let err = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert_eq!(ended.status.code(), Some(130), "{err}");
    assert!(err.contains("still in effect"), "{err}");
    sandbox.until("slow", |meta| meta.state == ProcessState::Stopped);
}

#[test]
fn a_start_of_several_names_is_refused_with_a_line_for_each() {
    let sandbox = Sandbox::new();
    for (id, name) in [(7, "api"), (8, "web")] {
        sandbox.start_record(&sandbox.record(id, name, "exec sleep 600"));
        sandbox.ok(&["tsm", "stop", name]);
    }
    for (words, advice) in [
        (["api", "web"], "`tsm start api; tsm start web`"),
        (["7", "8"], "`tsm start 7; tsm start 8`"),
        (["api", "px"], "`tsm start api`; `px` is not a service or process"),
    ] {
        let said = sandbox.run(&["tsm", "start", words[0], words[1]]);
        assert_eq!(said.code, 2, "{}", said.err);
        assert!(said.err.contains("one service or process at a time") && said.err.contains(advice), "{}", said.err);
    }
    let said = sandbox.run(&["tsm", "start", "px", "api"]);
    assert!(said.code == 5 && said.err.contains("'px' not found"), "{}", said.err);
}
