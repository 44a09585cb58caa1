//! What a sidecar knows about its process, in a file of the process directory.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::disk;
use crate::supervise::events::{self, EventKind};
use crate::supervise::meta::Meta;

/// The file's name inside a process directory.
const FILE: &str = "health.json";

/// Whether a process is well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HealthStatus {
    /// It was not well yet in this life, and still may become so.
    #[default]
    Starting,
    /// The last look found nothing wrong.
    Healthy,
    /// Too many looks in a row found it unwell.
    Unhealthy,
}

impl HealthStatus {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Healthy => "healthy",
            Self::Unhealthy => "unhealthy",
        }
    }
}

/// What a sidecar knows. Written by the sidecar alone.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct HealthState {
    /// The life that all this is about: `life.nonce` of the record.
    pub nonce: String,
    /// How it is.
    pub status: HealthStatus,
    /// Since when, in milliseconds since 1970.
    pub since_ms: u64,
    /// The last look, in milliseconds since 1970; 0 if there was none.
    pub checked_ms: u64,
    /// How long the last look took, in microseconds; 0 if there was none, or in files of earlier versions.
    pub took_us: u64,
    /// Looks in a row that found it unwell.
    pub failures: u32,
    /// What the last of them found.
    #[serde(rename = "why")]
    pub reason: String,
    /// What the first look of this life found that did not find it well after one that did; empty if there was none.
    pub lapse: String,
    /// It is looked at every second at present: [`close_look`](super::close_look).
    pub closely: bool,
    /// It said that it is ready.
    pub notified: bool,
    /// What it says about itself.
    #[serde(rename = "says")]
    pub status_text: String,
    /// How often the sidecar had it restarted.
    pub restarts: u32,
    /// Why it did so last.
    pub last_restart: String,
    /// The life that it ended so: `life.nonce` of the record.
    pub restarted: String,
}

impl HealthState {
    /// What the change from the status `before` means for readers of events.
    pub(super) fn event_after(&self, before: HealthStatus) -> Option<EventKind> {
        match (before, self.status) {
            (HealthStatus::Starting, HealthStatus::Healthy) => Some(EventKind::Ready),
            (HealthStatus::Unhealthy, HealthStatus::Healthy) => Some(EventKind::Healthy),
            (HealthStatus::Starting | HealthStatus::Healthy, HealthStatus::Unhealthy) => {
                Some(EventKind::Unhealthy { reason: events::shorten(&self.reason) })
            }
            _ => None,
        }
    }

    /// Takes the result of a look.
    pub(super) fn record_probe(&mut self, found: Result<(), String>, threshold: u32) {
        match found {
            Ok(()) => {
                self.status = HealthStatus::Healthy;
                self.failures = 0;
                self.reason.clear();
            }
            Err(why) => {
                if self.lapse.is_empty() && self.status == HealthStatus::Healthy {
                    self.lapse.clone_from(&why);
                }
                self.failures = self.failures.saturating_add(1);
                self.reason = why;
                if self.failures >= threshold {
                    self.status = HealthStatus::Unhealthy;
                }
            }
        }
    }
}

/// Reads what the sidecar of the process in `dir` knows; none if it knows nothing.
#[must_use]
pub fn read(dir: &Path) -> Option<HealthState> {
    serde_json::from_slice(&disk::read_own(dir.join(FILE)).ok()?).ok()
}

/// The same, as far as it is about the life that `meta` records. A process that is looked after and of which nothing is known yet
/// is starting.
#[must_use]
pub fn for_run(dir: &Path, meta: &Meta) -> Option<HealthState> {
    let care = &meta.run.monitor;
    if care.health.is_empty() && !care.notify {
        return None;
    }
    let known = read(dir).filter(|health| health.nonce == meta.run_state.nonce);
    Some(known.unwrap_or_else(|| HealthState { nonce: meta.run_state.nonce.clone(), ..HealthState::default() }))
}

/// Replaces the file in one step, without sync: it means nothing after a power cut.
pub(super) fn write(dir: &Path, health: &HealthState) -> io::Result<()> {
    let mut bytes = serde_json::to_vec_pretty(health)?;
    bytes.push(b'\n');
    let fresh = dir.join(".health.json.new");
    disk::own_file().create(0o600).truncate().open(&fresh)?.write_all(&bytes)?;
    fs::rename(&fresh, dir.join(FILE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_failures_in_a_row_make_it_unhealthy_and_one_success_heals() {
        let mut health = HealthState::default();
        let no = || Err("no".to_owned());
        health.record_probe(no(), u32::MAX);
        assert_eq!((health.status, health.failures), (HealthStatus::Starting, 1), "grace");
        health.record_probe(Ok(()), 2);
        assert_eq!((health.status, health.failures), (HealthStatus::Healthy, 0));
        assert_eq!(health.lapse, "", "one before it was well is none");
        health.record_probe(no(), 2);
        assert_eq!((health.status, health.reason.as_str()), (HealthStatus::Healthy, "no"), "one is not yet two");
        health.record_probe(no(), 2);
        assert_eq!(health.status, HealthStatus::Unhealthy);
        health.record_probe(Ok(()), 2);
        assert_eq!((health.status, health.reason.as_str()), (HealthStatus::Healthy, ""));
        assert_eq!(health.lapse, "no", "that there was one stays known");
    }
}
