//! What follows an exit.

use nix::sys::signal::Signal;
use tetra::supervise::client::{ControlCommand, LaunchResult, SpawnStep};
use tetra::supervise::meta::{ExitStatus, ProcessState, RestartPolicy};

use super::fixture::SupervisorFixture;
use crate::sandbox::{kill_hard, signal};
use crate::waiting::eventually;

#[test]
fn without_a_restart_the_exit_decides_the_state() {
    for (line, state, how) in [
        ("exit 0", ProcessState::Stopped, ExitStatus::Code(0)),
        ("exit 7", ProcessState::Crashed, ExitStatus::Code(7)),
        ("kill -USR1 $$", ProcessState::Crashed, ExitStatus::Signal(10)),
    ] {
        let nest = SupervisorFixture::shell(line);
        nest.start_child();
        let meta = nest.until_unsupervised();
        let exit = meta.last_exit.expect("an exit");
        assert_eq!((meta.state, exit.status, meta.pid), (state, how, 0), "{line}");
        assert_eq!(meta.status, state.status());
    }
}

#[test]
fn a_clean_exit_is_not_a_failure() {
    let nest = SupervisorFixture::shell("exit 0").restarting(RestartPolicy::OnFailure);
    nest.start_child();
    let meta = nest.until_unsupervised();
    assert_eq!((meta.state, meta.restarts), (ProcessState::Stopped, 0));
}

#[test]
fn a_killed_child_is_started_again_at_once() {
    let nest = SupervisorFixture::shell("exec sleep 1000").restarting(RestartPolicy::OnFailure);
    let first = nest.start_child();
    kill_hard(first);
    let meta = nest.until(|meta| meta.state == ProcessState::Online && meta.pid != first);
    assert_eq!(meta.restarts, 1);
    assert_eq!(meta.last_exit.expect("an exit").status, ExitStatus::Signal(9));
    nest.stop();
}

#[test]
fn a_crash_loop_backs_off_and_is_given_up() {
    let nest = SupervisorFixture::shell("date +%s%N; exit 1")
        .restarting(RestartPolicy::Always)
        .with(|meta| meta.run.max_restarts = 5);
    nest.start_child();
    nest.until(|meta| meta.state == ProcessState::Waiting && meta.run_state.next_start_ms > 0 && meta.pid == 0);
    let meta = nest.until_unsupervised();
    assert_eq!((meta.state, meta.unstable_restarts, meta.restarts), (ProcessState::Errored, 5, 4));
    let times: Vec<u64> = nest.lines("out").iter().map(|line| line.parse().expect("nanoseconds")).collect();
    let gaps: Vec<u64> = times.windows(2).map(|pair| (pair[1] - pair[0]) / 1_000_000).collect();
    // The first restart comes at once; then 100, 200, 400 ms, less a tenth at most.
    assert_eq!(gaps.len(), 4);
    for (gap, least) in gaps.iter().zip([0, 90, 180, 360]) {
        assert!(*gap >= least, "{gaps:?}");
    }
}

#[test]
fn a_stop_works_at_once_during_a_back_off() {
    let nest =
        SupervisorFixture::shell("exit 1").restarting(RestartPolicy::Always).with(|meta| meta.run.max_restarts = 0);
    nest.start_child();
    nest.until(|meta| meta.state == ProcessState::Waiting && meta.unstable_restarts >= 4);
    assert_eq!(nest.stop().state, ProcessState::Stopped);
}

#[test]
fn a_failed_later_start_waits_like_a_crash() {
    let nest = SupervisorFixture::new(&["./program"]).restarting(RestartPolicy::Always);
    let program = nest.work("program");
    crate::program::script(&program, "#!/bin/sh\nexec sleep 1000\n");
    let first = nest.start_child();
    std::fs::rename(&program, nest.work("away")).expect("moved");
    kill_hard(first);
    let waiting = nest.until(|meta| meta.state == ProcessState::Waiting && !meta.run_state.start_error.is_empty());
    assert!(matches!(waiting.last_exit.expect("an exit").status, ExitStatus::NotRun(_)));
    std::fs::rename(nest.work("away"), &program).expect("moved back");
    let meta = nest.until_state(ProcessState::Online);
    assert_eq!(meta.run_state.start_error, "");
    nest.stop();
}

#[test]
fn a_first_start_is_repeated_when_its_reason_may_pass() {
    let nest = SupervisorFixture::new(&["./sleep", "1000"]).restarting(RestartPolicy::Always);
    let program = nest.work("sleep");
    std::fs::copy("/bin/sleep", &program).expect("a program");
    let busy = std::fs::OpenOptions::new().append(true).open(&program).expect("a writer");
    let errno = nix::Error::ETXTBSY as i32;
    assert_eq!(nest.start(), LaunchResult::NotRun { errno, step: SpawnStep::Execute });
    drop(busy);
    let meta = nest.until_state(ProcessState::Online);
    assert!(meta.restarts >= 1 && meta.run_state.start_error.is_empty());
    nest.stop();
}

#[test]
fn restart_is_a_stop_and_a_start_under_the_same_supervisor() {
    let nest = SupervisorFixture::shell("trap 'echo bye; exit 0' TERM; echo hi; while :; do sleep 0.02; done");
    let first = nest.start_child();
    eventually("a trap", || nest.out() == "hi\n");
    let worker = nest.read().run_state.worker_pid;
    nest.send(ControlCommand::Restart);
    let meta = nest.until(|meta| meta.state == ProcessState::Online && meta.pid != first);
    assert_eq!((meta.restarts, meta.run_state.worker_pid), (1, worker));
    eventually("three lines", || nest.out() == "hi\nbye\nhi\n");
    nest.stop();
}

#[test]
fn a_signal_reaches_the_child_alone() {
    let nest = SupervisorFixture::shell("trap 'echo got' HUP; echo hi; while :; do sleep 0.02; done");
    nest.start_child();
    eventually("a trap", || nest.out() == "hi\n");
    nest.send(ControlCommand::Signal(Signal::SIGHUP as i32));
    eventually("the signal", || nest.out() == "hi\ngot\n");
    nest.stop();
}

#[test]
fn a_stopped_child_can_be_stopped() {
    let nest = SupervisorFixture::shell("exec sleep 1000");
    let pid = nest.start_child();
    signal(pid, Signal::SIGSTOP);
    assert_eq!(nest.stop().last_exit.expect("an exit").status, ExitStatus::Signal(15));
}
