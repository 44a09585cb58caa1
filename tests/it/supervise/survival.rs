//! The child and its words outlive every death of their supervisor.

use nix::sys::signal::Signal;
use tetra::supervise::client::{self, ControlCommand, LaunchResult};
use tetra::supervise::meta::{self, ExitStatus, Meta, ProcessState, RestartPolicy, RunState, StopCause};

use super::fixture::{SupervisorFixture, assert_counts_up, kill_supervisor};
use crate::sandbox::{is_running, kill_hard, signal};
use crate::waiting::eventually;

/// Counts up, a line every few hundred microseconds.
const COUNTER: &str = "
import time, sys
n = 0
while True:
    print('line', n, flush=True)
    n += 1
    time.sleep(0.0003)";

#[test]
fn a_killed_worker_is_replaced_and_nothing_is_lost() {
    let nest = SupervisorFixture::new(&["python3", "-c", COUNTER]);
    let pid = nest.start_child();
    for _ in 0..10 {
        let before = nest.lines("out").len();
        eventually("more lines", || nest.lines("out").len() > before + 20);
        let worker = nest.read().run_state.worker_pid;
        kill_hard(worker);
        nest.until(|meta| meta.run_state.worker_pid != worker);
    }
    let meta = nest.read();
    assert_eq!((meta.pid, meta.state, meta.restarts), (pid, ProcessState::Online, 0));
    let stopped = nest.stop();
    // The guard was the parent all the time, so even this end is known.
    assert_eq!(stopped.last_exit.expect("an exit").status, ExitStatus::Signal(15));
    let lines = nest.lines("out");
    assert!(lines.len() > 200);
    assert_counts_up(&lines);
}

#[test]
fn a_flood_survives_its_workers() {
    let nest = SupervisorFixture::shell("i=0; exec seq 0 400000");
    nest.start_child();
    for _ in 0..5 {
        let worker = nest.read().run_state.worker_pid;
        kill_hard(worker);
        nest.until(|meta| meta.run_state.worker_pid != worker || meta.state.is_final());
    }
    let meta = nest.until_unsupervised();
    assert_eq!(meta.last_exit.expect("an exit").status, ExitStatus::Code(0));
    let lines = nest.lines("out");
    assert_eq!(lines.len(), 400_001);
    assert_counts_up(&lines);
}

#[test]
fn the_child_outlives_guard_and_worker_and_is_adopted() {
    let nest = SupervisorFixture::new(&["python3", "-c", COUNTER]);
    let pid = nest.start_child();
    for _ in 0..3 {
        let before = nest.lines("out").len();
        eventually("more lines", || nest.lines("out").len() > before + 20);
        kill_supervisor(&nest.read());
        assert!(is_running(pid) && !client::is_supervised(&nest.dir));
        assert_eq!(nest.launch(), LaunchResult::Adopted { pid });
        assert!(client::is_supervised(&nest.dir));
    }
    let before = nest.lines("out").len();
    eventually("more lines", || nest.lines("out").len() > before + 20);
    let meta = nest.stop();
    assert_eq!(
        (meta.state, meta.restarts, meta.last_exit.expect("an exit").status),
        (ProcessState::Stopped, 0, ExitStatus::Signal(15))
    );
    assert!(!is_running(pid));
    assert_counts_up(&nest.lines("out"));
}

#[test]
fn an_adopted_child_is_restarted_when_it_ends() {
    let nest = SupervisorFixture::shell("exec sleep 1000").restarting(RestartPolicy::OnFailure);
    let pid = nest.start_child();
    kill_supervisor(&nest.read());
    assert_eq!(nest.launch(), LaunchResult::Adopted { pid });
    kill_hard(pid);
    let meta = nest.until(|meta| meta.state == ProcessState::Online && meta.pid != pid);
    assert_eq!(meta.restarts, 1);
    assert!(matches!(meta.last_exit.expect("an exit").status, ExitStatus::Signal(9) | ExitStatus::Unknown));
    nest.stop();
}

#[test]
fn a_killed_guard_is_replaced_by_its_worker() {
    let nest = SupervisorFixture::new(&["python3", "-c", COUNTER]).restarting(RestartPolicy::Always);
    let pid = nest.start_child();
    for _ in 0..3 {
        let life = nest.read().run_state;
        kill_hard(life.guard_pid);
        let meta = nest.until(|meta| meta.run_state.guard_pid == life.worker_pid);
        assert_eq!((meta.pid, meta.state), (pid, ProcessState::Online));
        assert_eq!(nest.launch(), LaunchResult::AlreadySupervised);
    }
    assert_eq!(nest.stop().state, ProcessState::Stopped);
    assert_counts_up(&nest.lines("out"));
}

#[test]
fn a_polite_end_of_the_supervisor_does_not_touch_the_child() {
    let nest = SupervisorFixture::shell("exec sleep 1000");
    let pid = nest.start_child();
    let life = nest.read().run_state;
    signal(life.worker_pid, Signal::SIGTERM);
    signal(life.guard_pid, Signal::SIGTERM);
    eventually("the supervisor ends", || !client::is_supervised(&nest.dir));
    assert!(is_running(pid));
    assert_eq!(nest.launch(), LaunchResult::Adopted { pid });

    let worker = nest.read().run_state.worker_pid;
    signal(worker, Signal::SIGTERM);
    nest.until(|meta| meta.run_state.worker_pid != worker);
    assert_eq!((nest.read().pid, is_running(pid)), (pid, true));
    nest.stop();
}

#[test]
fn an_unseen_end_is_a_failure() {
    let nest = SupervisorFixture::shell("exec sleep 1000");
    let pid = nest.start_child();
    kill_supervisor(&nest.read());
    kill_hard(pid);
    eventually("the end", || !is_running(pid));
    assert_eq!(nest.launch(), LaunchResult::Ended);
    let meta = nest.until_unsupervised();
    assert_eq!(meta.state, ProcessState::Crashed);
    assert!(matches!(meta.last_exit.expect("an exit").status, ExitStatus::Unknown | ExitStatus::Signal(9)));
}

#[test]
fn an_unseen_end_is_followed_by_the_policy() {
    let nest = SupervisorFixture::shell("exec sleep 1000").restarting(RestartPolicy::OnFailure);
    let pid = nest.start_child();
    kill_supervisor(&nest.read());
    kill_hard(pid);
    eventually("the end", || !is_running(pid));
    let LaunchResult::Spawned { pid: second } = nest.launch() else { panic!("not started again") };
    assert!(second != pid && nest.read().restarts == 1);
    nest.stop();
}

#[test]
fn another_process_of_the_same_pid_is_not_adopted() {
    let stranger = SupervisorFixture::shell("exec sleep 1000");
    let pid = stranger.start_child();
    let nest = SupervisorFixture::shell("exec sleep 1000").with(|meta| {
        meta.pid = pid;
        meta.state = ProcessState::Online;
        meta.run_state = stranger.read().run_state;
        meta.run_state.start_ticks += 1;
        meta.run_state.nonce = "0".into();
    });
    assert_eq!(nest.start(), LaunchResult::Ended);
    assert_eq!(nest.until_unsupervised().state, ProcessState::Crashed);
    assert!(is_running(pid), "the stranger was not touched");

    let nest = nest.with(|meta| {
        meta.run_state = stranger.read().run_state;
        meta.run_state.boot_id = "another boot".into();
        meta.state = ProcessState::Online;
    });
    assert_eq!(nest.start(), LaunchResult::Ended);
    let exit = nest.until_unsupervised().last_exit.expect("the end of that run");
    assert_eq!(exit.origin.map(|origin| origin.cause), Some(StopCause::Machine), "{exit:?}");
    assert!(is_running(pid), "nor that of another boot");
    stranger.stop();
}

#[test]
fn a_stop_goes_on_after_the_death_of_its_supervisor() {
    let nest = SupervisorFixture::shell("trap '' TERM; echo hi; while :; do sleep 0.02; done")
        .with(|meta| meta.run.kill_timeout_ms = 300);
    let pid = nest.start_child();
    eventually("a trap", || nest.out() == "hi\n");
    nest.send(ControlCommand::Stop);
    let meta = nest.until_state(ProcessState::Stopping);
    kill_hard(meta.run_state.worker_pid);
    assert_eq!(nest.until_unsupervised().state, ProcessState::Stopped);
    assert!(!is_running(pid));
}

#[test]
fn a_restart_goes_on_after_the_death_of_its_supervisor() {
    let nest = SupervisorFixture::shell("trap '' TERM; echo hi; while :; do sleep 0.02; done")
        .with(|meta| meta.run.kill_timeout_ms = 300);
    let pid = nest.start_child();
    eventually("a trap", || nest.out() == "hi\n");
    nest.send(ControlCommand::Restart);
    let meta = nest.until(|meta| meta.state == ProcessState::Stopping && meta.run_state.start_pending);
    kill_hard(meta.run_state.worker_pid);
    let meta = nest.until(|meta| meta.state == ProcessState::Online && meta.pid != pid);
    assert_eq!((meta.restarts, meta.run_state.start_pending), (1, false));
    nest.stop();
}

/// The record as it was when the start of the life that goes on began.
fn forgotten(nest: &SupervisorFixture) -> Meta {
    let life = nest.read().run_state;
    let begun =
        RunState { nonce: life.nonce, boot_id: life.boot_id, start_ticks: life.start_ticks, ..RunState::default() };
    Meta { run_state: begun, ..nest.meta.clone() }
}

#[test]
fn a_child_that_the_record_forgot_is_found() {
    for line in ["exec sleep 1000", "exec sleep 1000 >/dev/null 2>&1"] {
        let nest = SupervisorFixture::shell(line);
        let pid = nest.start_child();
        kill_supervisor(&nest.read());
        meta::write(&nest.dir, &forgotten(&nest)).expect("a record that says starting");
        assert_eq!(nest.launch(), LaunchResult::Adopted { pid }, "{line}");
        assert_eq!(nest.stop().state, ProcessState::Stopped);
        assert!(!is_running(pid));
    }
}

#[test]
fn what_an_earlier_life_left_is_ended_and_not_taken_for_the_child() {
    type Change = fn(&mut Meta);
    let changes: [(&str, Change); 3] = [
        ("of a start that has forked nothing yet", |meta| meta.run_state.nonce.clear()),
        ("of another life", |meta| meta.run_state.nonce = "0123456789abcdef".to_owned()),
        ("older than the start", |meta| meta.run_state.start_ticks += 1),
    ];
    for (what, change) in changes {
        let nest = SupervisorFixture::shell("exec sleep 1000");
        let pid = nest.start_child();
        kill_supervisor(&nest.read());
        let mut meta = forgotten(&nest);
        change(&mut meta);
        meta::write(&nest.dir, &meta).expect("a record that says starting");
        let launched = nest.launch();
        assert!(matches!(launched, LaunchResult::Spawned { pid: new } if new != pid), "{what}: {launched:?}");
        assert!(!is_running(pid), "{what}");
        nest.stop();
    }
}

#[test]
fn a_moved_directory_keeps_its_child_and_what_that_started() {
    let nest = SupervisorFixture::shell("setsid sleep 1001 & echo $! > stray; wait");
    let pid = nest.start_child();
    let stray = nest.number("stray");
    kill_supervisor(&nest.read());
    let moved = nest.work("moved");
    std::fs::rename(&nest.dir, &moved).expect("moved");
    std::os::unix::fs::symlink(&moved, &nest.dir).expect("a link in its place");
    assert_eq!(nest.launch(), LaunchResult::Adopted { pid });
    nest.stop();
    assert!(!is_running(pid) && !is_running(stray));
}

#[test]
fn a_back_off_goes_on_after_the_death_of_its_supervisor() {
    let nest =
        SupervisorFixture::shell("exit 1").restarting(RestartPolicy::Always).with(|meta| meta.run.max_restarts = 6);
    nest.start_child();
    let meta = nest.until(|meta| meta.state == ProcessState::Waiting && meta.unstable_restarts >= 4);
    kill_hard(meta.run_state.worker_pid);
    assert_eq!(nest.until_unsupervised().state, ProcessState::Errored);
}

#[test]
fn a_newer_program_takes_over_in_place() {
    let nest = SupervisorFixture::new(&["python3", "-c", COUNTER]);
    let pid = nest.start_child();
    eventually("lines", || nest.lines("out").len() > 20);
    let life = nest.read().run_state;
    nest.send(ControlCommand::Upgrade);
    let meta = nest.until(|meta| meta.run_state.worker_pid != life.worker_pid);
    assert_eq!((meta.pid, meta.run_state.guard_pid), (pid, life.guard_pid));
    let before = nest.lines("out").len();
    eventually("more lines", || nest.lines("out").len() > before + 20);
    assert_eq!(nest.stop().last_exit.expect("an exit").status, ExitStatus::Signal(15));
    assert_counts_up(&nest.lines("out"));
}

#[test]
fn removed_fifos_lose_nothing() {
    let nest = SupervisorFixture::new(&["python3", "-c", COUNTER]).restarting(RestartPolicy::Always);
    let pid = nest.start_child();
    eventually("lines", || nest.lines("out").len() > 20);
    for name in ["out", "err"] {
        std::fs::remove_file(nest.dir.join(name)).expect("removed");
    }
    std::fs::write(nest.dir.join("err"), "not a FIFO").expect("a file in its place");
    kill_supervisor(&nest.read());
    assert_eq!(nest.launch(), LaunchResult::Adopted { pid });
    let before = nest.lines("out").len();
    eventually("more lines", || nest.lines("out").len() > before + 20);
    assert_eq!(nest.stop().state, ProcessState::Stopped);
    assert_counts_up(&nest.lines("out"));
}

#[test]
fn a_record_that_is_lost_is_written_again() {
    let nest = SupervisorFixture::shell("exec sleep 1000");
    let pid = nest.start_child();
    for garbage in ["", "{"] {
        std::fs::write(meta::path(&nest.dir), garbage).expect("garbage");
        nest.send(ControlCommand::Reopen);
        eventually("a record", || meta::read(&nest.dir).is_ok_and(|meta| meta.is_some_and(|meta| meta.pid == pid)));
    }
    assert_eq!(nest.stop().state, ProcessState::Stopped);
}

#[test]
fn a_removed_directory_ends_with_its_child() {
    let nest = SupervisorFixture::shell("while [ ! -e go ]; do sleep 0.01; done");
    nest.start_child();
    let life = nest.read().run_state;
    std::fs::remove_dir_all(&nest.dir).expect("removed");
    std::fs::write(nest.work("go"), "").expect("a sign");
    eventually("the supervisor ended", || !is_running(life.guard_pid) && !is_running(life.worker_pid));
}

#[test]
fn few_descriptors_are_enough() {
    let nest = SupervisorFixture::shell("for i in $(seq 60); do setsid sleep 1001 & done; echo ready; wait");
    meta::write(&nest.dir, &nest.meta).expect("a record");
    let exe = env!("CARGO_BIN_EXE_tetra");
    let line = format!("ulimit -n 40; exec {exe} --supervise {}", nest.dir.display());
    let outcome = std::process::Command::new("sh").args(["-c", &line]).env_clear().output().expect("a supervisor");
    assert!(outcome.status.success());
    nest.until_state(ProcessState::Online);
    eventually("ready", || nest.out() == "ready\n");
    nest.send(ControlCommand::Kill);
    let meta = nest.until_unsupervised();
    assert!(meta.run_state.survivors.is_empty() && meta.state == ProcessState::Stopped);
}
