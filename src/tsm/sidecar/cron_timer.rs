//! The schedule of a process.

use std::time::Duration;

use crate::base::time::Timestamp;
use crate::supervise::meta::{Meta, ProcessState};
use crate::supervise::monitor_spec::MonitorSpec;

use super::cron::Schedule;
use super::health::HealthState;
use super::watcher::{Now, RestartReason, Watcher};
use super::zone::Zone;

/// A little late rather than a little early.
const SLACK: Duration = Duration::from_millis(5);

/// Starts a process whenever it is due.
pub(super) struct CronTimer {
    schedule: Schedule,
    zone: Zone,
    next_due: Timestamp,
}

impl CronTimer {
    /// None without a schedule.
    pub(super) fn new(spec: &MonitorSpec, now: Now) -> Option<Self> {
        let schedule: Schedule = spec.cron.parse().ok()?;
        let zone = Zone::named_or_local(&spec.cron_tz);
        let next_due = zone.next(&schedule, now.wall)?;
        Some(Self { schedule, zone, next_due })
    }
}

impl Watcher for CronTimer {
    fn due(&self, now: Now) -> Option<Duration> {
        let left = self.next_due.0.saturating_sub(now.wall.0);
        Some(Duration::from_millis(left) + SLACK)
    }

    /// A task that still runs is left alone; anything else is restarted.
    fn check(&mut self, meta: &Meta, _: &mut HealthState, now: Now) -> Option<RestartReason> {
        if now.wall < self.next_due {
            return None;
        }
        // A schedule that came once comes again.
        if let Some(next) = self.zone.next(&self.schedule, now.wall) {
            self.next_due = next;
        }
        (meta.state == ProcessState::Scheduled || !meta.run.oneshot).then_some(RestartReason::Schedule)
    }

    fn is_active(&self, state: ProcessState) -> bool {
        matches!(state, ProcessState::Online | ProcessState::Scheduled)
    }
}
