//! Events of a worker: kept until the record says the same, then sent.

use std::path::Path;

use super::Worker;
use crate::supervise::events::{self, Event, EventKind};

impl Worker {
    /// Sends what happened to all who read events.
    pub(super) fn send_events(&mut self) {
        for stream in &mut self.pipes.streams {
            if std::mem::take(&mut stream.rotated) {
                self.record.events.push(Event::now(&self.record.meta, EventKind::Rotated { log: stream.name() }));
            }
        }
        for event in self.record.events.drain(..) {
            events::send(Path::new("."), &event);
        }
    }
}
