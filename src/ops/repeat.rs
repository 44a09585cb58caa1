//! The wait between two runs of something that is done again and again.

use std::os::fd::AsFd;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::supervise::events::{EventKind, EventReader};
use crate::sys::host::Host;
use crate::sys::{poll, signal};

/// No run is sooner after the one before because of a crash.
const SHORTEST_PAUSE: Duration = Duration::from_secs(10);

/// Crashes within this time lead to one run.
const CRASH_DELAY: Duration = Duration::from_millis(250);

/// How long to wait between two runs.
#[derive(Debug)]
pub struct Pace {
    /// The pause.
    pub every: Duration,
    /// A crash shortens the pause.
    events: Option<EventReader>,
}

impl Pace {
    /// One run after each pause; sooner after a crash if `crashes` is the directory of the events of processes. Where these cannot be
    /// read, time alone counts.
    #[must_use]
    pub fn new(every: Duration, crashes: Option<&Path>) -> Self {
        Self { every, events: crashes.and_then(|dir| EventReader::open(dir).ok()) }
    }

    /// Waits; false if a signal came first.
    pub fn wait(&mut self, host: &dyn Host) -> bool {
        let Some(events) = &mut self.events else { return host.sleep(self.every) };
        let begun = Instant::now();
        let earliest = begun + self.every.min(SHORTEST_PAUSE);
        let mut until = begun + self.every;
        while !host.interrupted() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return true;
            }
            let mut fds = signal::stop_fds();
            fds.push(events.as_fd());
            let _ = poll::wait_any(&fds, left);
            let Ok(batch) = events.read() else { return host.sleep(left) };
            if batch.lost || batch.events.iter().any(|event| event.kind == EventKind::Crashed) {
                until = until.min(earliest.max(Instant::now() + CRASH_DELAY));
            }
        }
        false
    }
}
