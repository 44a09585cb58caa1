//! Health: a check at intervals, and what the process reports about itself.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::supervise::meta::Meta;
use crate::supervise::monitor_spec::MonitorSpec;
use crate::sys::child;

use super::close_look;
use super::health::{HealthState, HealthStatus};
use super::probe::{HealthCheck, ProbeTarget};
use super::watcher::{Now, RestartReason, Watcher};

/// Between two checks while a process comes up.
const STARTUP_CHECK_INTERVAL: Duration = Duration::from_millis(200);

/// How long what a check left behind may take to end.
const CLEANUP_TIMEOUT: Duration = Duration::from_secs(2);

/// Checks the health of a process.
pub(super) struct HealthProbe {
    /// None if the process only reports by itself.
    check: Option<HealthCheck>,
    /// The process directory.
    dir: PathBuf,
    next: Instant,
    /// What the process had reported at the last check: another report is looked at at once.
    reported: (bool, String),
}

impl HealthProbe {
    /// None if health is not checked.
    pub(super) fn new(spec: &MonitorSpec, dir: &Path, now: Now) -> Option<Self> {
        let check: Option<HealthCheck> = spec.health.parse().ok();
        let next = now.at;
        (check.is_some() || spec.notify).then(|| Self {
            check,
            dir: dir.to_owned(),
            next,
            reported: Default::default(),
        })
    }

    /// Runs the check; what is wrong, if something is.
    fn probe(&self, meta: &Meta, health: &HealthState) -> Result<(), String> {
        let spec = &meta.run.monitor;
        let user = meta.run.user.as_ref().map(|user| (user.uid, user.gid));
        let target = ProbeTarget { pid: meta.pid, port: meta.port, cwd: &meta.cwd, user };
        let found = match &self.check {
            Some(check) => check.probe(&target, Duration::from_millis(spec.health_timeout_ms)),
            None => Ok(()),
        };
        if matches!(self.check, Some(HealthCheck::Exec(_))) {
            child::kill_descendants(CLEANUP_TIMEOUT);
        }
        found?;
        if spec.notify && !health.notified { Err("no READY=1 received".to_owned()) } else { Ok(()) }
    }
}

impl Watcher for HealthProbe {
    fn due(&self, now: Now) -> Option<Duration> {
        Some(self.next.saturating_duration_since(now.at))
    }

    fn check(&mut self, meta: &Meta, health: &mut HealthState, now: Now) -> Option<RestartReason> {
        let reported = (health.notified, health.status_text.clone());
        health.closely = close_look::is_asked(&self.dir, now.wall);
        if health.closely {
            self.next = self.next.min(now.at + close_look::INTERVAL);
        }
        if now.at < self.next && reported == self.reported {
            return None;
        }
        self.reported = reported;
        let begun = Instant::now();
        let found = self.probe(meta, health);
        let took = begun.elapsed();
        // The interval begins when the check has ended.
        let now = now.after(took);
        let spec = &meta.run.monitor;
        let before = health.status;
        health.checked_ms = now.wall.0;
        health.took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX).max(1);
        let young = now.wall.0.saturating_sub(meta.run_state.started_ms) < spec.health_grace_ms;
        // Grace is for a process that was never healthy.
        let in_grace = young && before == HealthStatus::Starting;
        health.record_probe(found, if in_grace { u32::MAX } else { spec.health_threshold });
        if health.status != before {
            health.since_ms = now.wall.0;
        }
        let interval = Duration::from_millis(spec.health_interval_ms);
        let starting = health.status == HealthStatus::Starting;
        self.next = now.at
            + match health.closely {
                _ if starting => interval.min(STARTUP_CHECK_INTERVAL),
                true => interval.min(close_look::INTERVAL),
                false => interval,
            };
        let restart = spec.health_restart && health.status == HealthStatus::Unhealthy;
        restart.then(|| RestartReason::Unhealthy(health.reason.clone()))
    }

    fn new_run(&mut self, now: Now) {
        self.next = now.at;
        self.reported = Default::default();
    }
}
