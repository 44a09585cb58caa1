//! The schedule of a process.

use std::time::Duration;

use jiff::civil::DateTime;

use crate::supervise::meta::{Meta, ProcessState};
use crate::supervise::monitor_spec::MonitorSpec;

use super::cron::Schedule;
use super::health::Health;
use super::watcher::{Now, RestartReason, Watcher};
use super::zone::Zone;

/// A little late rather than a little early.
const SLACK: Duration = Duration::from_millis(5);

/// Starts a process whenever it is due.
pub(super) struct CronTimer {
    schedule: Schedule,
    zone: Zone,
    /// By the clock on the wall of the zone.
    next_due: DateTime,
}

impl CronTimer {
    /// None without a schedule.
    pub(super) fn new(spec: &MonitorSpec, now: Now) -> Option<Self> {
        let schedule: Schedule = spec.cron.parse().ok()?;
        let zone = Zone::named_or_local(&spec.cron_tz);
        let next_due = schedule.next(zone.wall_clock(now.wall))?;
        Some(Self { schedule, zone, next_due })
    }

    fn is_due(&self, now: Now) -> bool {
        self.zone.wall_clock(now.wall) >= self.next_due
    }
}

impl Watcher for CronTimer {
    fn due(&self, now: Now) -> Option<Duration> {
        let left = self.zone.wall_clock(now.wall).duration_until(self.next_due);
        Some(Duration::try_from(left).unwrap_or_default() + SLACK)
    }

    /// A task that still runs is left alone; anything else is restarted.
    fn check(&mut self, meta: &Meta, _: &mut Health, now: Now) -> Option<RestartReason> {
        if !self.is_due(now) {
            return None;
        }
        // A schedule that came once comes again.
        if let Some(next) = self.schedule.next(self.zone.wall_clock(now.wall)) {
            self.next_due = next;
        }
        (meta.state == ProcessState::Scheduled || !meta.run.oneshot).then_some(RestartReason::Schedule)
    }

    fn is_active(&self, state: ProcessState) -> bool {
        matches!(state, ProcessState::Online | ProcessState::Scheduled)
    }
}
