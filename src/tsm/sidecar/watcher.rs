//! What a sidecar watches: each thing by itself, and why it restarts the process.

use std::fmt;
use std::os::fd::BorrowedFd;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::base::time::Timestamp;
use crate::supervise::meta::{Meta, ProcessState, StopCause};

use super::health::HealthState;

/// The time of a check, by the clock that only goes forward and by the one on the wall.
#[derive(Debug, Clone, Copy)]
pub(super) struct Now {
    /// For intervals.
    pub(super) at: Instant,
    /// For schedules and records.
    pub(super) wall: Timestamp,
}

impl Now {
    /// The same after a while, by both clocks.
    pub(super) fn after(self, span: Duration) -> Self {
        Self { at: self.at + span, wall: self.wall.after(span) }
    }
}

/// One thing that is watched.
pub(super) trait Watcher {
    /// How long until it has to be checked; none if only an event matters.
    fn due(&self, now: Now) -> Option<Duration>;

    /// Checks what is due, and says why the process has to be restarted, if it has to. Called after every wake-up.
    fn check(&mut self, meta: &Meta, health: &mut HealthState, now: Now) -> Option<RestartReason>;

    /// True if it is watched while the process is in this state.
    fn is_active(&self, state: ProcessState) -> bool {
        state == ProcessState::Online
    }

    /// A new run of the process has begun.
    fn new_run(&mut self, _now: Now) {}

    /// What can be read once there is something to check.
    fn event(&self) -> Option<BorrowedFd<'_>> {
        None
    }
}

/// Why a process is restarted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum RestartReason {
    /// Too many health checks in a row failed; what the last one found.
    Unhealthy(String),
    /// It and its children use so many bytes of memory, more than they may.
    MemoryLimit(u64),
    /// It is due by its schedule.
    Schedule,
    /// A watched file changed.
    FileChanged(PathBuf),
}

impl RestartReason {
    /// As the supervisor records it.
    pub(super) fn cause(&self) -> StopCause {
        match self {
            Self::Unhealthy(_) => StopCause::Health,
            Self::MemoryLimit(_) => StopCause::Memory,
            Self::Schedule => StopCause::Schedule,
            Self::FileChanged(_) => StopCause::Watch,
        }
    }
}

impl fmt::Display for RestartReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unhealthy(found) => write!(f, "unhealthy: {found}"),
            Self::MemoryLimit(used) => write!(f, "memory limit exceeded ({} MiB)", used >> 20),
            Self::Schedule => f.write_str("scheduled restart (cron)"),
            Self::FileChanged(path) => write!(f, "`{}` changed", path.display()),
        }
    }
}
