//! The only clock of this room: wall time for records, uptime for deadlines.

use std::time::Duration;

use nix::time::{ClockId, clock_getres, clock_gettime};

use crate::base::time::millis;

/// Milliseconds since 1970.
pub(super) fn unix_ms() -> u64 {
    u64::try_from(unix_ns() / 1_000_000).unwrap_or(0)
}

/// When the machine was booted, in milliseconds since 1970.
pub(super) fn boot_unix_ms() -> u64 {
    unix_ms().saturating_sub(millis(MonotonicTime::now().0))
}

/// Nanoseconds since 1970.
pub(super) fn unix_ns() -> i64 {
    let now = clock_gettime(ClockId::CLOCK_REALTIME).expect("the kernel has a realtime clock");
    now.tv_sec() * 1_000_000_000 + now.tv_nsec()
}

/// How far the times of files may be behind: a file system takes the time of the last tick of the kernel.
#[must_use]
pub fn file_clock_tick() -> Duration {
    clock_getres(ClockId::CLOCK_REALTIME_COARSE).map_or(Duration::from_millis(10), Duration::from)
}

/// This moment as `/proc/PID/stat` counts: clock ticks since the boot.
pub(super) fn ticks() -> u64 {
    millis(MonotonicTime::now().0) / (1000 / TICKS_PER_SECOND)
}

/// A moment that no change of the wall clock moves; time asleep counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct MonotonicTime(Duration);

impl MonotonicTime {
    /// This moment.
    pub(super) fn now() -> Self {
        Self(Duration::from(clock_gettime(ClockId::CLOCK_BOOTTIME).expect("the kernel has a boot clock")))
    }

    /// The moment `ticks` clock ticks after the boot, as `/proc/PID/stat` counts.
    pub(super) fn from_ticks(ticks: u64) -> Self {
        Self(Duration::from_millis(ticks * 1000 / TICKS_PER_SECOND))
    }

    /// The moment `wait` after this one.
    pub(super) fn plus(self, wait: Duration) -> Self {
        Self(self.0 + wait)
    }

    /// How long after `earlier` this is; zero if it is before.
    pub(super) fn duration_since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

/// `USER_HZ`: 100 on every architecture the kernel still builds for.
const TICKS_PER_SECOND: u64 = 100;

/// Does nothing for a while.
pub(super) fn sleep(span: Duration) {
    if let Ok(span) = rustix::event::Timespec::try_from(span) {
        let _ = rustix::event::poll(&mut [], Some(&span));
    }
}
