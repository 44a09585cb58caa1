//! Stopping leaves nothing.

use std::time::Instant;

use tetra::supervise::client::ControlCommand;
use tetra::supervise::meta::{ExitStatus, ProcessState};

use super::fixture::{SupervisorFixture, kill_supervisor};
use crate::sandbox::{is_running, kill_hard};
use crate::waiting::eventually;

#[test]
fn a_child_that_ignores_the_request_is_killed_after_its_grace() {
    let nest = SupervisorFixture::shell("trap '' TERM; echo hi; while :; do sleep 0.02; done")
        .with(|meta| meta.run.kill_timeout_ms = 200);
    let pid = nest.start_child();
    eventually("a trap", || nest.out() == "hi\n");
    let asked = Instant::now();
    let meta = nest.stop();
    assert!(asked.elapsed().as_millis() >= 200);
    assert_eq!((meta.state, meta.last_exit.expect("an exit").status), (ProcessState::Stopped, ExitStatus::Signal(9)));
    assert!(!is_running(pid));
}

#[test]
fn kill_does_not_wait() {
    let nest = SupervisorFixture::shell("trap '' TERM; echo hi; while :; do sleep 0.02; done")
        .with(|meta| meta.run.kill_timeout_ms = 60_000);
    nest.start_child();
    eventually("a trap", || nest.out() == "hi\n");
    nest.send(ControlCommand::Kill);
    assert_eq!(nest.until_unsupervised().state, ProcessState::Stopped);
}

/// Children that leave the group, the session, the descriptors, the environment, or all of them.
const STRAYS: &str = "
    sleep 1001 & echo $! > group
    setsid sleep 1002 & echo $! > session
    python3 -c 'import os,time
if os.fork(): os._exit(0)
os.setsid()
if os.fork(): os._exit(0)
open(\"daemon\", \"w\").write(str(os.getpid()))
os.closerange(0, 3)
os.execve(\"/bin/sleep\", [\"sleep\", \"1003\"], {})'
    echo ready; wait";

const NAMES: [&str; 3] = ["group", "session", "daemon"];

#[test]
fn whatever_the_child_started_ends_with_it() {
    let nest = SupervisorFixture::shell(STRAYS);
    nest.start_child();
    let strays = NAMES.map(|name| nest.number(name));
    eventually("all run", || nest.out() == "ready\n" && strays.iter().all(|pid| is_running(*pid)));
    let meta = nest.stop();
    assert_eq!(strays.map(is_running), [false; 3]);
    assert!(meta.run_state.survivors.is_empty());
}

#[test]
fn leftovers_that_ignore_the_request_have_the_rest_of_the_grace() {
    let nest = SupervisorFixture::shell(
        "setsid sh -c 'trap \"\" TERM; echo $$ > stray; while :; do sleep 0.02; done' & \
         trap 'exit 0' TERM; echo hi; while :; do sleep 0.02; done",
    )
    .with(|meta| meta.run.kill_timeout_ms = 300);
    nest.start_child();
    let stray = nest.number("stray");
    eventually("a trap", || nest.out() == "hi\n");
    let asked = Instant::now();
    let meta = nest.stop();
    assert!(asked.elapsed().as_millis() >= 300 && !is_running(stray));
    assert_eq!((meta.state, meta.last_exit.expect("an exit").status), (ProcessState::Stopped, ExitStatus::Code(0)));
}

#[test]
fn a_stop_does_not_wait_for_what_is_gone() {
    // Every process ends at once, one in the very moment in which it is looked for. The grace is longer than the test.
    let line =
        "env -i setsid bash -c '(exec env -i setsid sleep 7777 </dev/null >/dev/null 2>&1 &)' & wait; exec sleep 8888";
    for _ in 0..12 {
        let nest = SupervisorFixture::shell(line).with(|meta| meta.run.kill_timeout_ms = 600_000);
        let pid = nest.start_child();
        eventually("it sleeps", || words(pid).contains("8888"));
        assert_eq!(nest.stop().state, ProcessState::Stopped);
    }
}

#[test]
fn what_the_request_brings_forth_is_asked_as_well() {
    // Made by the child after it was asked, in its group and out of it.
    let line = "runs() { until [ \"$(cat /proc/$1/comm)\" = sleep ]; do sleep 0.02; done; }
         trap 'sleep 1004 & echo $! > late; runs $!; setsid sleep 1005 & echo $! > later; runs $!; exit 0' TERM
         echo hi; while :; do sleep 0.02; done";
    let nest = SupervisorFixture::shell(line).with(|meta| meta.run.kill_timeout_ms = 600_000);
    nest.start_child();
    eventually("a trap", || nest.out() == "hi\n");
    assert_eq!(nest.stop().state, ProcessState::Stopped);
    assert!(["late", "later"].iter().all(|name| !is_running(nest.number(name))));
}

fn words(pid: u32) -> String {
    let words = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&words).into_owned()
}

#[test]
fn a_stray_is_found_after_guard_and_worker_were_killed() {
    let nest = SupervisorFixture::shell(
        "sleep 1001 & echo $! > group; setsid sleep 1002 & echo $! > session
         setsid sh -c 'exec sleep 1003 >/dev/null 2>&1' & echo $! > closed
         setsid env -i sleep 1004 & echo $! > clean
         echo ready; wait",
    );
    nest.start_child();
    let strays = ["group", "session", "closed", "clean"].map(|name| nest.number(name));
    eventually("all run", || nest.out() == "ready\n");
    kill_supervisor(&nest.read());
    nest.launch();
    nest.stop();
    assert_eq!(strays.map(is_running), [false; 4]);
}

/// Without a session, descriptors or an environment that would tell; only a control group still does.
#[test]
fn a_stray_without_any_mark_is_found_after_guard_and_worker_were_killed() {
    let nest = SupervisorFixture::shell(STRAYS);
    let root = nest.start_child();
    let strays = NAMES.map(|name| nest.number(name));
    eventually("all run", || nest.out() == "ready\n" && strays.iter().all(|pid| is_running(*pid)));
    let groups = std::fs::read_to_string(format!("/proc/{root}/cgroup")).expect("the child's groups");
    kill_supervisor(&nest.read());
    nest.launch();
    nest.stop();
    let left = strays.map(is_running);
    if groups.lines().any(|line| line.starts_with("0::") && line.contains("tetra-")) {
        assert_eq!(left, [false; 3]);
    } else {
        // No control group could be made here: the daemon is beyond reach, and it is ended by us.
        assert_eq!(left[..2], [false; 2]);
        kill_hard(strays[2]);
    }
}

#[test]
fn a_daemon_that_stays_behind_a_crash_is_swept_before_the_next_start() {
    let nest = SupervisorFixture::shell("setsid sleep 1001 & echo $! > stray; sleep 0.05; exit 1");
    nest.start_child();
    let stray = nest.number("stray");
    let meta = nest.until_unsupervised();
    assert_eq!(meta.state, ProcessState::Crashed);
    assert!(!is_running(stray));
}

#[test]
fn two_hundred_at_once_leave_nothing() {
    let nest =
        SupervisorFixture::shell("for i in $(seq 100); do sleep 1001 & setsid sleep 1002 & done; echo ready; wait");
    let root = nest.start_child();
    eventually("ready", || nest.out() == "ready\n");
    nest.send(ControlCommand::Kill);
    let meta = nest.until_unsupervised();
    assert!(meta.run_state.survivors.is_empty() && !is_running(root));
}

#[test]
fn a_supervisor_started_from_within_is_left_alone() {
    let inner = SupervisorFixture::shell("echo $TSM_PROCESS_DIR; exec sleep 1000");
    tetra::supervise::meta::write(&inner.dir, &inner.meta).expect("a record");
    let exe = env!("CARGO_BIN_EXE_tetra");
    let outer = SupervisorFixture::shell(&format!(
        "{exe} --supervise {} >/dev/null; echo ready; exec sleep 1000",
        inner.dir.display()
    ));
    outer.start_child();
    let child = inner.until_state(ProcessState::Online).pid;
    eventually("the outer goes on", || outer.out() == "ready\n");
    assert_eq!(outer.stop().state, ProcessState::Stopped);
    assert!(is_running(child));
    eventually("the inner has spoken", || inner.out() == format!("{}\n", inner.dir.display()));
    inner.stop();
    assert!(!is_running(child));
}
