//! When a process is due next, and how far it has come, to be shown.

use std::time::Duration;

use super::sidecar::cron::Schedule;
use super::sidecar::zone::Zone;
use super::store::Process;
use crate::base::time::Timestamp;
use crate::supervise::meta::{LastExit, ProcessState};
use crate::supervise::monitor_spec::MonitorSpec;

/// The schedule of a process and its time zone; none without a schedule.
#[must_use]
pub fn of(process: &Process) -> Option<(Schedule, Zone)> {
    of_care(&process.meta.run.monitor)
}

fn of_care(care: &MonitorSpec) -> Option<(Schedule, Zone)> {
    let schedule = care.cron.parse().ok()?;
    Some((schedule, Zone::named_or_local(&care.cron_tz)))
}

/// When it is due next; none if no process waits for it.
#[must_use]
pub fn next(process: &Process, now: Timestamp) -> Option<Timestamp> {
    let waits = matches!(process.live.state, ProcessState::Scheduled | ProcessState::Online);
    let (schedule, zone) = of(process).filter(|_| waits)?;
    zone.next(&schedule, now)
}

/// The same as a clock there shows it: `04:00`, with the date if it is not today.
#[must_use]
pub fn describe(process: &Process, now: Timestamp) -> Option<String> {
    next(process, now)?;
    describe_after(&process.meta.run.monitor, now)
}

/// When what ended by itself at a moment is started again: `at 04:00`, `when a watched file changes`; none if it is not.
#[must_use]
pub fn next_run(care: &MonitorSpec, ended_at: Timestamp) -> Option<String> {
    const CHANGE: &str = "when a watched file changes";
    // Without a zone of its own it is the clock of this machine.
    let zone = if care.cron_tz.is_empty() { String::new() } else { format!(" ({})", care.cron_tz) };
    match describe_after(care, ended_at).map(|time| format!("at {time}{zone}")) {
        _ if !care.starts_again() => None,
        Some(time) if care.watch.is_empty() => Some(time),
        Some(time) => Some(format!("{time} and {CHANGE}")),
        None => Some(CHANGE.to_owned()),
    }
}

/// When a schedule is due first after a moment, as a clock there shows it; none without a schedule.
#[must_use]
pub fn describe_after(care: &MonitorSpec, now: Timestamp) -> Option<String> {
    let (schedule, zone) = of_care(care)?;
    let next = zone.next(&schedule, now)?;
    let (today, due) = (zone.wall_clock(now), zone.wall_clock(next));
    let time = if due.second() == 0 { due.strftime("%H:%M") } else { due.strftime("%H:%M:%S") };
    Some(if today.date() == due.date() { time.to_string() } else { format!("{} {time}", due.date()) })
}

/// So many restarts in a row are a crash loop.
const CRASH_LOOP_RESTARTS: u32 = 2;

/// A life of this length ends one; the supervisor forgets its back-off then.
const STABLE_AFTER: Duration = Duration::from_secs(10);

impl Process {
    /// It is restarted again and again without ever settling.
    #[must_use]
    pub fn is_crash_looping(&self, now: Timestamp) -> bool {
        let unsettled = match self.live.state {
            ProcessState::Waiting => true,
            ProcessState::Starting | ProcessState::Online => self.uptime(now).is_none_or(|up| up < STABLE_AFTER),
            ProcessState::Stopping
            | ProcessState::Stopped
            | ProcessState::Scheduled
            | ProcessState::Crashed
            | ProcessState::Errored
            | ProcessState::Unknown => false,
        };
        unsettled && self.meta.run_state.backoff_exponent >= CRASH_LOOP_RESTARTS
    }

    /// A task that ended with success.
    #[must_use]
    pub fn has_succeeded(&self) -> bool {
        let success = |exit: &LastExit| exit.status.is_success();
        self.meta.run.oneshot
            && matches!(self.live.state, ProcessState::Stopped | ProcessState::Scheduled)
            && self.meta.last_exit.as_ref().is_some_and(success)
    }
}
