//! Killing what is managed and what is not.

use std::process::{Command, Stdio};

use serde_json::json;

use crate::fault_injection::can_break;
use crate::sandbox::{ChildGuard, CommandOutput, Sandbox, is_running};
use crate::waiting::eventually;

/// A process of the test itself that listens on a free port.
pub(super) fn listener() -> (ChildGuard, u16) {
    let script = "import socket,time\ns=socket.socket()\ns.bind(('127.0.0.1',0))\ns.listen()\nprint(s.getsockname()[1],flush=True)\ntime.sleep(600)";
    let mut child = Command::new("python3").args(["-c", script]).stdout(Stdio::piped()).spawn().expect("python3 runs");
    let mut line = String::new();
    let out = child.stdout.take().expect("piped");
    std::io::BufRead::read_line(&mut std::io::BufReader::new(out), &mut line).expect("a port");
    (ChildGuard(child), line.trim().parse().expect("a port"))
}

#[test]
fn kill_removes_the_process_and_its_directory() {
    let sandbox = Sandbox::new();
    let pid = sandbox.launch(0, "api", "exec sleep 600");
    assert_eq!(sandbox.ok(&["tsm", "kill", "0"]), "killed api (0)\n");
    assert!(!is_running(pid) && !sandbox.dir("api").exists());
    let said = sandbox.run(&["tsm", "kill", "999999999"]);
    assert!(said.code == 5 && said.err.contains("not found"), "{}", said.err);
}

#[test]
fn kill_all_empties_the_list() {
    let sandbox = Sandbox::new();
    for (id, name) in [(0, "a"), (1, "b"), (2, "c")] {
        sandbox.launch(id, name, "exec sleep 600");
    }
    let said = sandbox.run(&["tsm", "kill", "*"]);
    assert!(said.code == 0 && said.err.contains("killed 3 processes"), "{}", said.err);
    assert_eq!(sandbox.json(&["tsm", "list", "all"]), json!([]));
}

#[test]
fn who_does_not_listen_is_forced_after_two_seconds_and_at_once_with_force() {
    let sandbox = Sandbox::new();
    let deaf = "trap '' TERM; echo up; while :; do sleep 0.01; done";
    for (id, name) in [(0, "one"), (1, "two")] {
        let mut meta = sandbox.record(id, name, deaf);
        meta.run.kill_timeout_ms = 3_600_000;
        sandbox.start_record(&meta);
        eventually("it is up", || !sandbox.text(name, "current.out").is_empty());
    }
    assert_eq!(sandbox.json_with_schema(&["tsm", "kill", "one"], "tsm-kill")[0]["forced"], json!(true));
    assert_eq!(sandbox.json(&["tsm", "kill", "--force", "two"])[0]["forced"], json!(true));
    assert_eq!(sandbox.json(&["tsm", "list", "all"]), json!([]));
}

/// A process that cannot be looked at is not one that is gone.
#[test]
fn without_a_descriptor_for_it_no_process_counts_as_killed() {
    if !can_break() {
        return;
    }
    let sandbox = Sandbox::new();
    let child = ChildGuard(Command::new("sleep").arg("600").spawn().expect("sleep runs"));
    let (trace, inject) = ("trace=pidfd_open", "inject=pidfd_open:error=EMFILE");
    let strace = ["strace", "-qq", "-f", "-o", "/dev/null", "-e", trace, "-e", inject];
    let pid = child.0.id().to_string();
    let said: CommandOutput =
        sandbox.command_under(&strace, &["tsm", "kill", &pid, "--yes"]).output().expect("it runs").into();
    assert!(said.code == 1 && said.err.contains("Too many open files"), "{}{}", said.out, said.err);
    assert!(is_running(child.0.id()));
}

#[test]
fn an_unmanaged_listener_is_killed_by_its_port_and_a_stranger_by_its_pid() {
    let sandbox = Sandbox::new();
    let (mut child, port) = listener();
    let out = sandbox.ok(&["tsm", "kill", "--port", &port.to_string()]);
    assert!(out.contains(&format!("killed pid {}", child.0.id())), "{out}");
    assert!(child.0.wait().is_ok_and(|status| !status.success()));
    let said = sandbox.run(&["tsm", "kill", "--port", &port.to_string()]);
    assert!(said.code == 5 && said.err.contains("no process listens"), "{}", said.err);
    let (mut child, _) = listener();
    sandbox.ok(&["tsm", "kill", "--pid", &child.0.id().to_string()]);
    assert!(child.0.wait().is_ok_and(|status| !status.success()));
}

#[test]
fn a_bare_number_is_an_id_then_a_pid_then_a_port() {
    let sandbox = Sandbox::new();
    // A process that happens to have the port's number as its pid would be meant first.
    let is_pid = |port: u16| std::path::Path::new(&format!("/proc/{port}")).exists();
    let (mut by_port, port) = std::iter::repeat_with(listener).find(|(_, port)| !is_pid(*port)).expect("endless");
    let (mut by_pid, _) = listener();
    sandbox.launch(900, "by-id", "exec sleep 600");
    sandbox.ok(&["tsm", "kill", "900"]);
    assert!(!sandbox.dir("by-id").exists());
    sandbox.ok(&["tsm", "kill", &by_pid.0.id().to_string()]);
    assert!(by_pid.0.wait().is_ok_and(|status| !status.success()));
    sandbox.ok(&["tsm", "kill", &port.to_string()]);
    assert!(by_port.0.wait().is_ok_and(|status| !status.success()));
}

#[test]
fn a_port_that_a_managed_process_listens_on_means_that_process() {
    let sandbox = Sandbox::new();
    let script = "import socket,time;s=socket.socket();s.bind(('127.0.0.1',0));s.listen();print(s.getsockname()[1],flush=True);time.sleep(600)";
    let mut meta = sandbox.record(0, "api", "");
    // The listener is a child of the managed process.
    meta.run.argv = vec!["sh".into(), "-c".into(), format!("python3 -c \"{script}\"; true")];
    sandbox.start_record(&meta);
    eventually("it listens", || !sandbox.text("api", "current.out").is_empty());
    let port = sandbox.text("api", "current.out").trim().to_owned();
    let info = sandbox.json_with_schema(&["tsm", "info", "api"], "tsm-info");
    assert_eq!(info["listening"], json!([port.parse::<u16>().expect("a port")]));
    assert_eq!(sandbox.ok(&["tsm", "kill", "--port", &port]), "killed api (0)\n");
    assert!(!sandbox.dir("api").exists());
}

#[test]
fn supervisors_ancestors_and_the_first_process_are_spared() {
    let sandbox = Sandbox::new();
    let pid = sandbox.launch(0, "api", "exec sleep 600");
    let life = sandbox.read("api").run_state;
    for spared in [1, std::process::id(), life.guard_pid, life.worker_pid] {
        let said = sandbox.run(&["tsm", "kill", "--pid", &spared.to_string()]);
        assert_eq!(said.code, 4, "{spared}: {}", said.err);
        assert!(is_running(spared));
    }
    assert!(is_running(pid));
}
