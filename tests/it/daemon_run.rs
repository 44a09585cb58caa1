//! The daemon outside of systemd: what it tells the service manager, and what becomes of processes when it comes, goes and dies.

use std::cell::RefCell;
use std::fs::{self, File};
use std::os::unix::net::UnixDatagram;
use std::process::{Child, Stdio};
use std::time::Duration;

use nix::sys::signal::Signal;
use tetra::supervise::meta::{ProcessState, StopCause};

use crate::program;
use crate::sandbox::{Sandbox, is_running, kill_hard, signal};
use crate::waiting::eventually;

/// A daemon with a service manager that listens; it is killed with the test.
struct Daemon {
    child: RefCell<Child>,
    manager: UnixDatagram,
    received: RefCell<Vec<String>>,
}

impl Daemon {
    fn start(sandbox: &Sandbox) -> Self {
        Self::start_with(sandbox, &[], &[])
    }

    /// Behind the words of another program, and with further variables.
    fn start_with(sandbox: &Sandbox, before: &[&str], variables: &[(&str, &str)]) -> Self {
        let socket = sandbox.path("manager");
        let _ = fs::remove_file(&socket);
        let manager = UnixDatagram::bind(&socket).expect("a socket");
        manager.set_nonblocking(true).expect("set");
        let output = File::options().create(true).append(true).open(sandbox.path("output")).expect("a file");
        let mut command = sandbox.command_under(before, &["daemon", "run", "@dev"]);
        command.env("NOTIFY_SOCKET", &socket).envs(variables.iter().copied());
        command.stdout(output.try_clone().expect("a file")).stderr(output);
        let child = RefCell::new(command.spawn().expect("tetra runs"));
        Self { child, manager, received: RefCell::default() }
    }

    fn pid(&self) -> u32 {
        self.child.borrow().id()
    }

    /// The lines that the manager received so far.
    fn received(&self) -> Vec<String> {
        let mut bytes = [0; 4096];
        while let Ok(length) = self.manager.recv(&mut bytes) {
            let text = String::from_utf8_lossy(&bytes[..length]).into_owned();
            self.received.borrow_mut().extend(text.lines().map(str::to_owned));
        }
        self.received.borrow().clone()
    }

    /// Waits until the manager received this.
    #[track_caller]
    fn until_received(&self, line: &str) {
        eventually(line, || self.received().iter().any(|received| received.starts_with(line)));
    }

    fn forget(&self) {
        self.received();
        self.received.borrow_mut().clear();
    }

    /// Waits for the end; the exit code.
    fn end(&self) -> Option<i32> {
        let mut child = self.child.borrow_mut();
        eventually("the end of the daemon", || child.try_wait().expect("it is ours").is_some());
        child.wait().expect("it is ours").code()
    }

    fn stop(&self) {
        signal(self.pid(), Signal::SIGTERM);
        assert_eq!(self.end(), Some(0));
    }

    fn kill(&self) {
        kill_hard(self.pid());
        self.end();
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let child = self.child.get_mut();
        let _ = child.kill();
        let _ = child.wait();
    }
}

/// Writes a service and enables it.
fn enable(sandbox: &Sandbox, name: &str, text: &str) {
    define(sandbox, name, text);
    sandbox.ok(&["tsm", "enable", name]);
}

fn define(sandbox: &Sandbox, name: &str, text: &str) {
    let dir = sandbox.home().join("tsm/services-available");
    fs::create_dir_all(&dir).expect("a directory");
    fs::write(dir.join(format!("{name}.tsm")), format!("TSM_NAME={name}\n{text}\n")).expect("written");
}

fn output(sandbox: &Sandbox) -> String {
    fs::read_to_string(sandbox.path("output")).unwrap_or_default()
}

fn is_online(sandbox: &Sandbox, name: &str) -> bool {
    let meta = sandbox.dir(name).exists().then(|| sandbox.read(name));
    meta.is_some_and(|meta| meta.state == ProcessState::Online && is_running(meta.pid))
}

#[test]
fn it_is_ready_when_the_enabled_services_are_each_after_what_it_needs() {
    let sandbox = Sandbox::new();
    enable(&sandbox, "web", "TSM_COMMAND='sleep 1000'\nTSM_DEPS=api");
    enable(&sandbox, "api", "TSM_COMMAND='sleep 1000'\nTSM_DEPS=db");
    define(&sandbox, "db", "TSM_COMMAND='sleep 1000'");
    enable(&sandbox, "off", "TSM_COMMAND='sleep 1000'\nTSM_AUTOSTART=false");
    let daemon = Daemon::start(&sandbox);
    daemon.until_received("READY=1");
    assert!(daemon.received().contains(&"STATUS=3 of 3 processes run".to_owned()), "{:?}", daemon.received());
    let begun = ["db", "api", "web"].map(|name| sandbox.read(name).run_state.started_ms);
    assert!(begun.is_sorted(), "{begun:?}");
    assert!(!sandbox.dir("off").exists());
    // The variables of a service manager are not for services.
    let environ = fs::read_to_string(format!("/proc/{}/environ", sandbox.read("web").pid)).expect("it runs");
    assert!(!environ.contains("NOTIFY_SOCKET"), "{environ}");
    daemon.stop();
    let received = daemon.received();
    assert!(received.iter().any(|line| line == "STOPPING=1"), "{received:?}");
    let ended = ["web", "api", "db"].map(|name| sandbox.read(name).last_exit.expect("it ended"));
    assert!(ended.iter().map(|exit| exit.at_ms).is_sorted(), "{ended:?}");
    assert!(ended.iter().all(|exit| exit.origin.expect("an order").cause == StopCause::Daemon), "{ended:?}");
    let log = fs::read_to_string(sandbox.home().join("logs/tetra.log")).expect("a log");
    assert!(log.contains("ready: 3 of 3 processes run"), "{log}");
    assert!(output(&sandbox).lines().all(|line| line.starts_with("<6>")), "{}", output(&sandbox));
}

#[test]
fn a_service_that_fails_does_not_keep_it_from_being_ready() {
    let sandbox = Sandbox::new();
    enable(&sandbox, "well", "TSM_COMMAND='sleep 1000'");
    enable(&sandbox, "broken", "TSM_COMMAND='sh -c \"exit 7\"'\nTSM_RESTART=never");
    enable(&sandbox, "needy", "TSM_COMMAND='sleep 1000'\nTSM_DEPS=broken");
    let daemon = Daemon::start(&sandbox);
    daemon.until_received("READY=1");
    daemon.until_received("STATUS=1 of 3 processes run; down: broken (crashed), needy (not started)");
    let said = output(&sandbox);
    assert!(said.contains("<3>failed to start: broken: ") && said.contains("`broken` is not ready"), "{said}");
}

#[test]
fn what_ran_when_it_was_stopped_runs_again_when_it_is_started() {
    let sandbox = Sandbox::new();
    enable(&sandbox, "web", "TSM_COMMAND='sleep 1000'");
    let daemon = Daemon::start(&sandbox);
    daemon.until_received("READY=1");
    sandbox.ok(&["tsm", "start", "--name", "by-hand", "--", "sleep", "1000"]);
    sandbox.ok(&["tsm", "start", "--name", "given-up", "--", "sleep", "1000"]);
    sandbox.ok(&["tsm", "stop", "given-up"]);
    sandbox.ok(&["tsm", "stop", "web"]);
    daemon.stop();
    assert!(!is_online(&sandbox, "by-hand"));
    sandbox.ok(&["tsm", "start", "--name", "later", "--", "sleep", "1000"]);
    sandbox.ok(&["tsm", "stop", "later"]);
    let daemon = Daemon::start(&sandbox);
    daemon.until_received("READY=1");
    assert!(is_online(&sandbox, "web"), "it is enabled");
    assert!(is_online(&sandbox, "by-hand"), "it ran under the daemon");
    for name in ["given-up", "later"] {
        assert!(!is_online(&sandbox, name), "{name} was stopped by an operator");
    }
}

#[test]
fn killed_it_takes_nothing_along_and_the_next_one_starts_nothing_twice() {
    let sandbox = Sandbox::new();
    for name in ["kept", "stopped", "orphan"] {
        enable(&sandbox, name, "TSM_COMMAND='sleep 1000'");
    }
    let daemon = Daemon::start(&sandbox);
    daemon.until_received("READY=1");
    let pid = |name: &str| sandbox.read(name).pid;
    let before = [pid("kept"), pid("orphan")];
    sandbox.ok(&["tsm", "stop", "stopped"]);
    daemon.kill();
    sandbox.kill_supervisors("orphan");
    assert!(before.iter().all(|pid| is_running(*pid)));
    let daemon = Daemon::start(&sandbox);
    daemon.until_received("READY=1");
    assert_eq!([pid("kept"), pid("orphan")], before);
    assert!(!sandbox.supervisors("orphan").is_empty(), "it has a supervisor again");
    assert!(!is_online(&sandbox, "stopped"), "an operator stopped it in this boot");
    assert!(output(&sandbox).contains("started after a daemon that was killed"));
}

#[test]
fn on_sighup_only_what_is_defined_differently_is_restarted() {
    let sandbox = Sandbox::new();
    enable(&sandbox, "same", "TSM_COMMAND='sleep 1000'");
    enable(&sandbox, "other", "TSM_COMMAND='sleep 1000'");
    let daemon = Daemon::start(&sandbox);
    daemon.until_received("READY=1");
    let pid = |name: &str| sandbox.read(name).pid;
    let before = [pid("same"), pid("other")];
    define(&sandbox, "other", "TSM_COMMAND='sleep 2000'");
    enable(&sandbox, "new", "TSM_COMMAND='sleep 1000'");
    daemon.forget();
    signal(daemon.pid(), Signal::SIGHUP);
    daemon.until_received("RELOADING=1");
    daemon.until_received("MONOTONIC_USEC=");
    daemon.until_received("READY=1");
    assert_eq!(pid("same"), before[0]);
    assert!(pid("other") != before[1] && is_online(&sandbox, "other"));
    assert_eq!(sandbox.read("other").command, "sleep 2000");
    assert!(is_online(&sandbox, "new"));
}

#[test]
fn on_sighup_changed_variables_are_taken_however_soon_and_also_behind_a_link() {
    let sandbox = Sandbox::new();
    for release in ["1", "2"] {
        fs::create_dir(sandbox.path(release)).expect("a directory");
        fs::write(sandbox.path(release).join("app.env"), format!("VALUE={release}\n")).expect("written");
    }
    let lead_to = |release: &str| {
        std::os::unix::fs::symlink(release, sandbox.path("next")).expect("a link");
        fs::rename(sandbox.path("next"), sandbox.path("current")).expect("renamed");
    };
    lead_to("1");
    let file = sandbox.path("current/app.env");
    enable(&sandbox, "web", &format!("TSM_COMMAND='sleep 1000'\nTSM_ENV_FILE={}", file.display()));
    let daemon = Daemon::start(&sandbox);
    daemon.until_received("READY=1");
    let has = |value: &str| {
        let environ = fs::read_to_string(format!("/proc/{}/environ", sandbox.read("web").pid)).unwrap_or_default();
        environ.contains(&format!("VALUE={value}\0"))
    };
    assert!(has("1"));
    // The file there is older than the process.
    lead_to("2");
    signal(daemon.pid(), Signal::SIGHUP);
    eventually("the other release is read", || has("2"));
    fs::write(&file, "VALUE=3\n").expect("written");
    signal(daemon.pid(), Signal::SIGHUP);
    eventually("what was written in the second of the start is read", || has("3"));
}

#[test]
fn a_sighup_during_a_reload_is_not_lost() {
    let sandbox = Sandbox::new();
    // What is restarted takes a while to end.
    let slow = |seconds: u32| {
        format!("TSM_COMMAND=\"bash -c 'trap \\\"sleep 0.5; exit\\\" TERM; while :; do sleep 0.05; done' {seconds}\"")
    };
    enable(&sandbox, "web", &slow(1));
    let daemon = Daemon::start(&sandbox);
    daemon.until_received("READY=1");
    daemon.forget();
    define(&sandbox, "web", &slow(2));
    signal(daemon.pid(), Signal::SIGHUP);
    daemon.until_received("RELOADING=1");
    define(&sandbox, "web", &slow(3));
    signal(daemon.pid(), Signal::SIGHUP);
    eventually("the last definition runs", || {
        sandbox.read("web").command.ends_with(" 3") && is_online(&sandbox, "web")
    });
}

#[test]
fn what_a_command_starts_gets_its_variables_and_its_directory_and_the_limits_of_the_daemon() {
    let sandbox = Sandbox::new();
    let daemon = Daemon::start_with(&sandbox, &["prlimit", "--nofile=512"], &[("ONLY_DAEMON", "1")]);
    daemon.until_received("READY=1");
    fs::create_dir(sandbox.path("place")).expect("a directory");
    let mut start = sandbox
        .command_under(&["prlimit", "--nofile=256"], &["tsm", "start", "--name", "guest", "--", "sleep", "1000"]);
    let started = start.env("ONLY_CALLER", "1").current_dir(sandbox.path("place")).output().expect("tetra runs");
    assert!(started.status.success(), "{started:?}");
    let pid = sandbox.read("guest").pid;
    let file = |name: &str| fs::read_to_string(format!("/proc/{pid}/{name}")).expect("it runs");
    assert!(file("limits").lines().any(|line| line.starts_with("Max open files") && line.contains(" 512 ")));
    assert!(file("environ").contains("ONLY_CALLER=1") && !file("environ").contains("ONLY_DAEMON"));
    assert_eq!(fs::read_link(format!("/proc/{pid}/cwd")).expect("it runs"), sandbox.path("place"));
    // A failure is reported as it is without a daemon.
    let failed = sandbox.run(&["tsm", "start", "--name", "broken", "--", "sh", "-c", "echo why >&2; exit 3"]);
    assert!(failed.code != 0 && failed.err.contains("why"), "{failed:?}");
    // Health is looked after as well.
    sandbox.ok(&["tsm", "start", "--name", "well", "--health", "exec:true", "--", "sleep", "1000"]);
    daemon.stop();
    assert!(!is_running(pid));
}

#[test]
fn a_daemon_that_hangs_keeps_no_command_from_starting_something() {
    let sandbox = Sandbox::new();
    let daemon = Daemon::start_with(&sandbox, &[], &[("WATCHDOG_USEC", "200000")]);
    daemon.until_received("READY=1");
    daemon.until_received("WATCHDOG=1");
    signal(daemon.pid(), Signal::SIGSTOP);
    // What was sent before it was stopped.
    eventually("it is stopped", || {
        fs::read_to_string(format!("/proc/{}/stat", daemon.pid())).is_ok_and(|stat| stat.contains(") T "))
    });
    daemon.forget();
    sandbox.ok(&["tsm", "start", "--name", "web", "--", "sleep", "1000"]);
    assert!(!daemon.received().iter().any(|line| line == "WATCHDOG=1"), "a hanging daemon gives no sign of life");
    signal(daemon.pid(), Signal::SIGCONT);
    daemon.until_received("WATCHDOG=1");
    assert!(is_online(&sandbox, "web"));
    assert_eq!(sandbox.children("web").len(), 1, "it runs once");
}

#[test]
fn a_second_ctrl_c_leaves_at_once_and_says_what_still_runs() {
    let sandbox = Sandbox::new();
    enable(&sandbox, "deaf", "TSM_COMMAND='sh -c \"trap true TERM; while :; do sleep 1000; done\"'");
    let daemon = Daemon::start(&sandbox);
    daemon.until_received("READY=1");
    signal(daemon.pid(), Signal::SIGINT);
    daemon.until_received("STOPPING=1");
    signal(daemon.pid(), Signal::SIGINT);
    assert_eq!(daemon.end(), Some(130));
    assert!(output(&sandbox).contains("still running: deaf"), "{}", output(&sandbox));
}

#[test]
fn there_is_one_daemon_for_a_directory() {
    let sandbox = Sandbox::new();
    let daemon = Daemon::start(&sandbox);
    daemon.until_received("READY=1");
    let refused = sandbox.run(&["daemon", "run", "@dev"]);
    assert!(refused.code == 4 && refused.err.contains(&format!("PID {}", daemon.pid())), "{refused:?}");
}

#[test]
fn an_enabled_service_that_crashes_is_started_again() {
    let sandbox = Sandbox::new();
    enable(&sandbox, "web", "TSM_COMMAND='sleep 1000'\nTSM_RESTART=never");
    let daemon = Daemon::start(&sandbox);
    daemon.until_received("READY=1");
    let pid = sandbox.read("web").pid;
    kill_hard(pid);
    eventually("it runs again", || is_online(&sandbox, "web") && sandbox.read("web").pid != pid);
    eventually("it is said", || output(&sandbox).contains("<3>web: crashed"));
}

#[test]
fn a_crash_brings_the_next_round_of_patrol_forward() {
    let sandbox = Sandbox::new();
    enable(&sandbox, "web", "TSM_COMMAND='sleep 1000'\nTSM_RESTART=never");
    sandbox.run(&["tsm", "startup"]);
    let output = File::create(sandbox.path("output")).expect("a file");
    let mut patrol = sandbox.command(&["tsm", "patrol", "-n", "1h"]).stdout(output).spawn().expect("tetra runs");
    eventually("the first round", || fs::read_to_string(sandbox.path("output")).is_ok_and(|text| !text.is_empty()));
    let pid = sandbox.read("web").pid;
    kill_hard(pid);
    eventually("it runs again", || is_online(&sandbox, "web") && sandbox.read("web").pid != pid);
    signal(patrol.id(), Signal::SIGTERM);
    assert_eq!(patrol.wait().expect("it is ours").code(), Some(143));
}

#[test]
fn what_could_not_be_started_is_started_once_it_can_be() {
    let sandbox = Sandbox::new();
    let holder = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let port = holder.local_addr().expect("an address").port();
    enable(&sandbox, "db", "TSM_COMMAND='sleep 1000'");
    enable(&sandbox, "web", &format!("TSM_COMMAND='sleep 1001'\nTSM_PORT={port}\nTSM_DEPS=db"));
    let daemon = Daemon::start(&sandbox);
    daemon.until_received("READY=1");
    daemon.until_received("STATUS=1 of 2 processes run; down: web (not started)");
    drop(holder);
    eventually("it runs", || is_online(&sandbox, &format!("web-{port}")));
    assert_eq!(output(&sandbox).matches("failed to start: web: ").count(), 1, "{}", output(&sandbox));
    assert_eq!(output(&sandbox).matches("runs already").count(), 0, "{}", output(&sandbox));
}

#[test]
fn an_environment_that_cannot_be_read_is_named_with_its_line_and_read_again() {
    let sandbox = Sandbox::new();
    sandbox.run(&["org", "init", "acme"]);
    let file = sandbox.home().join("org/acme/environments/dev.toml");
    fs::write(&file, "x = 1\ny = [\n").expect("written");
    enable(&sandbox, "web", "TSM_COMMAND='sleep 1000'");
    let daemon = Daemon::start(&sandbox);
    daemon.until_received("READY=1");
    daemon.until_received("STATUS=0 of 1 processes run; down: web (not started); failed to start: ");
    assert!(output(&sandbox).contains("dev.toml:2:"), "{}", output(&sandbox));
    fs::remove_file(&file).expect("removed");
    signal(daemon.pid(), Signal::SIGHUP);
    eventually("it runs", || is_online(&sandbox, "web"));
    daemon.until_received("STATUS=1 of 1 processes run");
}

/// Writes numbered lines, a hundred at a time, so that a byte that is lost or written twice is seen.
const COUNTING: &str = "#!/bin/sh
i=0
while :; do
    n=0
    while [ $n -lt 100 ]; do n=$((n + 1)); i=$((i + 1)); echo line $i; done
    sleep 0.01
done
";

/// `TETRA_DAEMON_KILLS=100 cargo test --test it killed_at_any_moment` measures what is promised.
#[test]
fn killed_at_any_moment_it_loses_no_service_and_no_byte() {
    let rounds: u64 = std::env::var("TETRA_DAEMON_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(5);
    let sandbox = Sandbox::new();
    let names = ["a", "b", "c", "d"];
    let counting = sandbox.path("count");
    program::script(&counting, COUNTING);
    for name in names {
        enable(&sandbox, name, &format!("TSM_COMMAND='{}'", counting.display()));
    }
    let daemon = Daemon::start(&sandbox);
    daemon.until_received("READY=1");
    drop(daemon);
    let pids = || names.map(|name| sandbox.read(name).pid);
    let before = pids();
    for round in 0..rounds {
        let daemon = Daemon::start(&sandbox);
        // At another moment of its start in each round, then while it runs, while it reads definitions, while it is asked for more.
        match round % 5 {
            0 => pause_for(Duration::from_millis(round % 50)),
            1 => daemon.until_received("READY=1"),
            2 => {
                daemon.until_received("READY=1");
                signal(daemon.pid(), Signal::SIGHUP);
                daemon.until_received("RELOADING=1");
            }
            3 => {
                daemon.until_received("READY=1");
                let guest = format!("guest-{round}");
                let mut start = sandbox.command(&["tsm", "start", "--name", &guest, "--", "sleep", "1000"]);
                let mut start = start.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("tetra runs");
                pause_for(Duration::from_millis(round % 30));
                daemon.kill();
                assert!(start.wait().expect("it is ours").success(), "round {round}: {guest} was not started");
                assert_eq!(sandbox.children(&guest).len(), 1, "round {round}: {guest} runs once");
                sandbox.ok(&["tsm", "delete", &guest, "--yes"]);
            }
            _ => pause_for(Duration::from_millis(300 + round % 100)),
        }
        daemon.kill();
        assert_eq!(pids(), before, "round {round}");
        assert!(before.iter().all(|pid| is_running(*pid)), "round {round}");
    }
    let daemon = Daemon::start(&sandbox);
    daemon.until_received("READY=1");
    daemon.stop();
    for name in names {
        let written = sandbox.written(name);
        let mut number = 0;
        for line in written.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n")) {
            number += 1;
            assert_eq!(line, format!("line {number}\n").as_bytes(), "{name}");
        }
        assert_eq!(sandbox.read(name).run_state.discarded_bytes, 0);
        assert!(number > 0, "{name} wrote");
    }
}

/// A moment that is not that of a condition: where a kill hits is the point.
fn pause_for(time: Duration) {
    let (reader, _writer) = std::io::pipe().expect("a pipe");
    let _ = tetra::sys::poll::wait_any(&[std::os::fd::AsFd::as_fd(&reader)], time);
}
