//! What a supervisor sends to readers of events.

use std::fs;

use tetra::supervise::client::ControlCommand;
use tetra::supervise::events::{Event, EventKind, EventReader};
use tetra::supervise::meta::{ExitStatus, ProcessState, RestartPolicy, StopCause};

use super::fixture::{SupervisorFixture, kill_supervisor};
use crate::sandbox::kill_hard;
use crate::waiting::eventually;

/// Everything until an event of this kind.
fn until(reader: &mut EventReader, is_last: impl Fn(&EventKind) -> bool) -> Vec<Event> {
    let mut all: Vec<Event> = Vec::new();
    eventually("the last event", || {
        let batch = reader.read().expect("read");
        assert!(!batch.lost);
        all.extend(batch.events);
        all.iter().any(|event| is_last(&event.kind))
    });
    all
}

fn kinds(events: &[Event]) -> Vec<&EventKind> {
    events.iter().map(|event| &event.kind).collect()
}

#[test]
fn a_start_and_a_stop_are_sent_to_every_reader() {
    let nest = SupervisorFixture::shell("exec sleep 1000");
    let mut readers = [nest.event_reader(), nest.event_reader()];
    let pid = nest.start_child();
    nest.stop();
    for reader in &mut readers {
        let events = until(reader, |kind| *kind == EventKind::Stopped);
        let [started, stopping, exited, stopped] = kinds(&events)[..] else { panic!("{events:?}") };
        assert_eq!((started, stopping), (&EventKind::Started { restarts: 0 }, &EventKind::Stopping));
        let EventKind::Exited { status, cause, .. } = exited else { panic!("{exited:?}") };
        assert_eq!((*status, *cause), (ExitStatus::Signal(15), Some(StopCause::Operator)));
        assert_eq!(*stopped, EventKind::Stopped);
        let [first, .., last] = &events[..] else { panic!("{events:?}") };
        assert_eq!((first.id, first.name.as_str(), first.pid, last.pid), (0, "p", pid, 0));
        assert!(first.at_ms > 0 && first.at_ms <= last.at_ms);
    }
}

#[test]
fn a_crash_loop_is_sent_until_it_is_given_up() {
    let nest =
        SupervisorFixture::shell("exit 7").restarting(RestartPolicy::OnFailure).with(|meta| meta.run.max_restarts = 3);
    let mut reader = nest.event_reader();
    nest.start_child();
    let events = until(&mut reader, |kind| *kind == EventKind::GaveUp);
    let starts = events.iter().filter(|event| matches!(event.kind, EventKind::Started { .. })).count();
    let exits = events
        .iter()
        .filter(|event| matches!(event.kind, EventKind::Exited { status: ExitStatus::Code(7), cause: None, .. }));
    let waits = events.iter().filter(|event| matches!(event.kind, EventKind::Restarting { delay_ms } if delay_ms > 0));
    assert_eq!((starts, exits.count(), waits.count()), (3, 3, 1), "{events:?}");
    assert_eq!(nest.until_unsupervised().state, ProcessState::Errored);
}

#[test]
fn the_record_is_written_before_an_event_is_sent() {
    let nest = SupervisorFixture::shell("exit 7").restarting(RestartPolicy::Never);
    let mut reader = nest.event_reader();
    nest.start_child();
    until(&mut reader, |kind| *kind == EventKind::Crashed);
    assert_eq!(nest.read().state, ProcessState::Crashed);
}

#[test]
fn a_rotated_log_is_sent() {
    let nest = SupervisorFixture::shell("echo hi; exec sleep 1000");
    nest.start_child();
    eventually("a line", || nest.out() == "hi\n");
    let mut reader = nest.event_reader();
    nest.send(ControlCommand::Rotate);
    let events = until(&mut reader, |kind| matches!(kind, EventKind::Rotated { .. }));
    assert_eq!(kinds(&events), [&EventKind::Rotated { log: "current.out".to_owned() }]);
    nest.stop();
}

#[test]
fn supervisors_that_are_killed_and_readers_that_come_and_go_change_nothing() {
    let nest = SupervisorFixture::shell("exec sleep 1000");
    drop(nest.event_reader());
    let pid = nest.start_child();
    kill_supervisor(&nest.read());
    let mut reader = nest.event_reader();
    nest.launch();
    kill_hard(pid);
    let events = until(&mut reader, |kind| *kind == EventKind::Crashed);
    assert!(matches!(kinds(&events)[..], [EventKind::Exited { .. }, EventKind::Crashed]), "{events:?}");
}

#[test]
fn what_is_in_the_place_of_a_reader_does_no_harm() {
    let nest = SupervisorFixture::shell("exec sleep 1000");
    let mut reader = nest.event_reader();
    let dir = nest.work("events");
    fs::write(dir.join("1.file"), "kept").expect("a file");
    std::os::unix::fs::symlink("/dev/full", dir.join("1.link")).expect("a link");
    nest.start_child();
    nest.stop();
    until(&mut reader, |kind| *kind == EventKind::Stopped);
    assert_eq!(fs::read_to_string(dir.join("1.file")).expect("a file"), "kept");
}
