//! Ports: refused before the start, found, waited for, kept in the registry.

use std::net::TcpListener;
use std::process::Stdio;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{StartSandbox, lives, read, said};
use crate::ports::free_port;
use crate::waiting::eventually;

/// A port that this test listens on.
fn taken() -> (TcpListener, String) {
    // Not one of the kernel's choice: beside those, connections take ports at any moment.
    let port = free_port();
    (TcpListener::bind(("127.0.0.1", port)).expect("a socket"), port.to_string())
}

fn block(port: &str) -> String {
    let pid = std::process::id();
    let command = tetra::sys::process::command_line(pid).expect("a command");
    let command = if command.chars().count() > 80 {
        format!("{}…", command.chars().take(80).collect::<String>())
    } else {
        command
    };
    format!(
        "🔴 Port {port} is already in use!\n   Blocking process: PID {pid}\n   Command: {command}\n\nSolutions:\n   \
         • Stop the process: kill {pid}\n   • Or use a different port in your config\n   • Or use: tsm doctor\n"
    )
}

#[test]
fn a_claimed_port_that_is_taken_is_refused_before_the_start_from_wherever_it_comes() {
    let (_socket, port) = taken();
    let sandbox = StartSandbox::new();
    let mark = sandbox.world.work().join("ran");
    let run = format!("touch {}; exec sleep 1000", mark.display());
    sandbox.service("svc", &format!("TSM_COMMAND='{run}'\nTSM_PORT={port}\n"));
    for words in [&["--port", &port, "--name", "x", &run][..], &["svc"]] {
        let said = sandbox.tsm(&[&["start"], words].concat());
        assert_eq!(said.code, 1, "{words:?}: {}", said.err);
        assert!(said.err.starts_with(&block(&port)), "{words:?}: {}", said.err);
    }
    assert!(!mark.exists(), "nothing ran");
    assert!(sandbox.processes().is_empty() && sandbox.ports().is_empty(), "nothing was made");
}

#[test]
fn the_port_of_an_env_file_belongs_to_the_one_that_listens() {
    let sandbox = StartSandbox::new();
    let port = free_port();
    sandbox.world.file("env/dev.env", &format!("PORT={port}\n"));
    sandbox.script("worker.sh", "#!/bin/bash\nexec sleep 1000\n");
    sandbox.server("server.py");
    let worker = sandbox.ready(&["--name", "worker", "./worker.sh"]);
    assert_eq!(
        (&worker["port"], worker["listening"].is_null()),
        (&port.into(), true),
        "it is not waited for: {worker}"
    );
    assert_eq!(sandbox.ports(), "", "and nothing is reserved");
    // A port that is only guessed is not waited for: on a busy machine Python may be late.
    eventually("it listens while it is watched", || {
        let web = sandbox.ready(&["--name", "web", "python3", "server.py"]);
        assert_eq!(web["port"], port, "{web}");
        web["listening"] == true || sandbox.tsm(&["kill", "web"]).code != 0
    });
    assert_eq!(sandbox.ports(), format!("web:{port}\n"), "it is reserved for the one that listens");
    let clock = sandbox.tsm(&["start", "--name", "clock", "./worker.sh"]);
    assert_eq!(clock.code, 0, "{}", clock.err);
    assert!(clock.err.contains("the port was only guessed"), "{}", clock.err);
    let refused = sandbox.tsm(&["start", "--name", "other", "--port", &port.to_string(), "./worker.sh"]);
    assert!(refused.code == 1 && refused.err.contains(&format!("tsm stop web-{port}")), "{}", refused.err);
}

#[test]
fn a_port_that_the_command_names_is_kept_by_every_restart_whatever_the_env_file_says() {
    let sandbox = StartSandbox::new();
    let (own, other) = (free_port().to_string(), free_port().to_string());
    sandbox.world.file("env/dev.env", &format!("PORT={other}\n"));
    sandbox.script("server.sh", "#!/bin/bash\nexec sleep 1000\n");
    let started = sandbox.start(&["--name", "web", "./server.sh", "-p", &own]);
    assert_eq!(started["name"], format!("web-{own}"), "{started}");
    for words in [&["restart", "web"][..], &["stop", "web"], &["start", "web"]] {
        let said = sandbox.tsm(words);
        assert_eq!(said.code, 0, "{words:?}: {}", said.err);
    }
    let record = sandbox.meta(&format!("web-{own}"));
    assert_eq!(record.port.map(|port| port.to_string()), Some(own));
}

#[test]
fn a_start_goes_on_with_the_run_after_a_watched_file_changed() {
    let sandbox = StartSandbox::new();
    let port = free_port().to_string();
    sandbox.world.file("src/file", "1");
    sandbox.server("server.py");
    // Its first run changes what is watched until it is ended for it; the second listens.
    let first = "if mkdir ran 2>/dev/null; then while sleep 0.05; do date +%N > src/file; done; fi";
    sandbox.script("twice.sh", &format!("#!/bin/bash\n{first}\nexec python3 server.py\n"));
    let words = ["--name", "twice", "--port", &port, "--watch", "src", "./twice.sh"];
    let started = sandbox.ready(&words);
    let record = sandbox.meta(started["name"].as_str().expect("a name"));
    assert_eq!((&started["listening"], &started["pid"]), (&true.into(), &record.pid.into()), "{started}");
    assert_eq!(record.restarts, 1);
}

#[test]
fn with_port_none_there_is_no_port_and_no_variable() {
    let sandbox = StartSandbox::with(&[("PORT", "4711")]);
    sandbox.world.file("env/dev.env", "PORT=4712\n");
    let says = "env | grep -q ^PORT= && echo a port; echo said; exec sleep 1000";
    let started = sandbox.ready(&["--name", "worker", "--port", "none", says]);
    assert_eq!((&started["name"], started["port"].is_null()), (&"worker".into(), true), "{started}");
    let log = sandbox.dir("worker").join("current.out");
    eventually("it speaks", || read(&log).contains("said"));
    assert_eq!(read(&log), "said\n");
    assert_eq!(sandbox.tsm(&["restart", "worker"]).code, 0);
    eventually("it speaks again", || read(&log).matches("said").count() == 2);
    assert_eq!(sandbox.tsm(&["stop", "worker"]).code, 0);
    assert_eq!(sandbox.tsm(&["start", "worker"]).code, 0);
    eventually("and again", || read(&log).matches("said").count() == 3);
    assert!(!read(&log).contains("a port"), "{}", read(&log));
}

#[test]
fn a_port_that_the_command_names_is_explained_when_it_is_the_cause() {
    let (_socket, port) = taken();
    let sandbox = StartSandbox::new();
    sandbox.script("server.sh", "#!/bin/sh\necho 'bind: Address already in use' >&2\nexit 1\n");
    let said = sandbox.tsm(&["start", "--port", &format!("{port}+"), "./server.sh", &port]);
    assert_eq!(said.code, 1, "{}", said.err);
    assert!(said.err.contains(&format!("uses port {port} although")), "{}", said.err);
    assert!(said.err.contains(&format!("--port {port}+ './server.sh $PORT'")), "{}", said.err);
}

#[test]
fn a_guessed_port_names_the_process_and_only_warns() {
    let (_socket, port) = taken();
    let sandbox = StartSandbox::new();
    sandbox.script("patient.sh", "#!/bin/bash\nexec sleep 1000\n");
    let said = sandbox.tsm(&["start", "./patient.sh", &port]);
    assert_eq!(said.code, 0, "{}", said.err);
    assert!(said.out.contains(&format!("work-patient-{port} ")), "{}", said.out);
    assert!(said.err.contains(&format!("port {port} is in use by PID {}", std::process::id())), "{}", said.err);
    let meta = sandbox.meta(&format!("work-patient-{port}"));
    assert!(meta.run.port_guessed && meta.run.set.is_empty(), "a guess is not exported");
}

#[test]
fn a_guessed_port_that_is_taken_is_explained_with_its_holder() {
    let (_socket, port) = taken();
    let sandbox = StartSandbox::new();
    // No interpreter takes so long to come up that the window closes before it dies, on a machine however busy.
    sandbox.script("server.sh", "#!/bin/sh\necho 'bind: Address already in use' >&2\nexit 1\n");
    let said = sandbox.tsm(&["start", "./server.sh", &port]);
    assert_eq!(said.code, 1, "{}", said.err);
    assert!(said.err.contains(&block(&port)), "{}", said.err);
    assert!(said.err.contains("process died immediately (exit 1)"), "{}", said.err);
    assert!(said.err.contains("Address already in use"), "{}", said.err);
}

#[test]
fn an_explicit_port_is_exported_claimed_and_waited_for() {
    let sandbox = StartSandbox::new();
    sandbox.server("server.py");
    let port = free_port();
    let started = sandbox.ready(&["--port", &port.to_string(), "python3", "server.py"]);
    assert_eq!((&started["port"], &started["listening"]), (&port.into(), &true.into()));
    assert_eq!(started["name"], format!("work-server-{port}"));
    assert_eq!(sandbox.ports(), format!("work-server:{port}\n"), "without the port in the name");
    let stopped = sandbox.tsm(&["stop", "work-server"]);
    assert_eq!((stopped.code, sandbox.ports().is_empty()), (0, false), "a stopped process keeps its port");
    assert_eq!(sandbox.tsm(&["delete", "work-server"]).code, 0);
    assert_eq!(sandbox.ports(), "", "a deleted one does not");
}

#[test]
fn a_plus_means_the_next_free_port() {
    let (_socket, port) = taken();
    let sandbox = StartSandbox::new();
    sandbox.server("server.py");
    let started = sandbox.ready(&["--port", &format!("{port}+"), "python3", "server.py"]);
    let (got, asked) = (started["port"].as_u64().expect("a port"), port.parse::<u64>().expect("a port"));
    assert!(got > asked && started["listening"] == true, "{started}");
}

#[test]
fn a_claimed_port_is_taken_before_it_is_listened_on() {
    let sandbox = StartSandbox::new();
    let port = free_port().to_string();
    sandbox.start(&["--name", "a", "--port", &port, "sleep", "1000"]);
    let said = sandbox.tsm(&["start", "--no-wait", "--name", "b", "--port", &port, "sleep", "1000"]);
    assert_eq!(said.code, 1);
    assert!(
        said.err.contains(&format!("🔴 Port {port} belongs to a-{port}!")) && said.err.contains("tsm stop a-"),
        "{}",
        said.err
    );
}

#[test]
fn a_listener_deep_below_the_process_counts() {
    let sandbox = StartSandbox::new();
    let server = sandbox.server("server.py");
    let port = free_port().to_string();
    sandbox.script("nested.sh", &format!("#!/bin/bash\n(python3 {} & wait) & wait\n", server.display()));
    let started = sandbox.ready(&["--port", &port, "./nested.sh"]);
    assert_eq!(started["listening"], true);
}

#[test]
fn without_waiting_the_start_returns_when_the_program_runs() {
    let sandbox = StartSandbox::new();
    let port = free_port().to_string();
    let started = sandbox.start(&["--port", &port, "sleep", "1000"]);
    assert!(started["listening"].is_null());
    assert!(lives(u32::try_from(started["pid"].as_u64().expect("a pid")).expect("a pid")));
}

#[test]
fn another_port_than_expected_is_reported() {
    let sandbox = StartSandbox::new();
    sandbox.server("server.py");
    let (wanted, real) = (free_port().to_string(), free_port().to_string());
    let said =
        sandbox.tsm(&["start", "--port", &wanted, "--name", "e", &format!("exec env PORT={real} python3 server.py")]);
    assert_eq!(said.code, 0, "{}", said.err);
    let warning = format!("started but not listening on {wanted}: it listens on {real}");
    assert!(said.err.contains(&warning) || said.out.contains(&warning), "{said:?}");
}

#[test]
fn ctrl_c_ends_the_waiting_and_not_the_process() {
    let sandbox = StartSandbox::new();
    let port = free_port().to_string();
    let mut command = sandbox.command(&["start", "--port", &port, "--name", "slow", "sleep", "1000"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("tetra runs");
    let name = format!("slow-{port}");
    eventually("it runs", || sandbox.living(&name));
    kill(Pid::from_raw(i32::try_from(child.id()).expect("a pid")), Signal::SIGINT).expect("signalled");
    let said = said(child.wait_with_output().expect("it ended"));
    assert_eq!(said.code, 130, "{}{}", said.out, said.err);
    assert!(said.out.contains("started slow-") && said.err.contains("it keeps running"), "{}{}", said.out, said.err);
    assert!(lives(sandbox.meta(&name).pid));
}

#[test]
fn what_is_not_a_port_is_wrong_usage() {
    let sandbox = StartSandbox::new();
    for port in ["0", "65536", "http", "-1", "80x", ""] {
        let said = sandbox.tsm(&["start", &format!("--port={port}"), "sleep", "1000"]);
        assert_eq!(said.code, 2, "{port:?}: {}", said.err);
    }
    sandbox.world.file("bad.env", "A=1\nPORT=http\n");
    let said = sandbox.tsm(&["start", "--env", "bad", "sleep", "1000"]);
    assert_eq!(said.code, 1, "{}", said.err);
    assert!(said.err.contains("bad.env:2:6") && said.err.contains("PORT=http"), "{}", said.err);
    assert!(sandbox.processes().is_empty());
}

#[test]
fn a_port_inside_a_url_is_not_a_port_of_ours() {
    let (_socket, port) = taken();
    let sandbox = StartSandbox::new();
    sandbox.script("client.sh", "#!/bin/bash\nexec sleep 1000\n");
    let url = format!("http://127.0.0.1:{port}");
    let started = sandbox.start(&["./client.sh", &url]);
    assert!(started["port"].is_null());
    assert_eq!(read(&sandbox.dir("work-client").join("current.err")), "");
}
