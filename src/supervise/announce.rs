//! Events of a worker: kept until the record says the same, then sent.

use std::path::Path;

use super::events::{self, Event, EventKind};
use super::meta::ProcessState;
use super::worker::Worker;

impl Worker {
    /// Takes note of what happened now.
    pub(super) fn announce(&mut self, kind: EventKind) {
        self.events.push(Event::now(&self.meta, kind));
    }

    /// The same for a state in which nothing more is done.
    pub(super) fn announce_end(&mut self, state: ProcessState) {
        match state {
            ProcessState::Stopped => self.announce(EventKind::Stopped),
            ProcessState::Crashed => self.announce(EventKind::Crashed),
            ProcessState::Errored => self.announce(EventKind::GaveUp),
            ProcessState::Starting
            | ProcessState::Online
            | ProcessState::Stopping
            | ProcessState::Scheduled
            | ProcessState::Waiting
            | ProcessState::Unknown => {}
        }
    }

    /// Sends what happened to all who read events.
    pub(super) fn send_events(&mut self) {
        for stream in &mut self.streams {
            if std::mem::take(&mut stream.rotated) {
                self.events.push(Event::now(&self.meta, EventKind::Rotated { log: stream.name() }));
            }
        }
        for event in self.events.drain(..) {
            events::send(Path::new("."), &event);
        }
    }
}
