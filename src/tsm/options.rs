//! The options of a process: how it is restarted, stopped, checked, limited and logged.
//!
//! Each is one row of [`table`]; the command line, `.tsm` files, TOML, `meta.json` and the reports follow from it.

pub mod kind;
pub mod table;
#[cfg(test)]
mod tests;
pub mod value;

use std::time::Duration;

use crate::supervise::meta::RestartPolicy;
use crate::supervise::meta::RunSpec;
use crate::supervise::monitor_spec::MonitorSpec;

use super::limits::UserError;
pub use table::{OPTIONS, ServiceOption, ServiceOptions};

/// Milliseconds between two health checks.
const DEFAULT_INTERVAL_MS: u64 = 10_000;

/// Milliseconds that one health check may take.
const DEFAULT_TIMEOUT_MS: u64 = 2_000;

/// Milliseconds in which a process may become healthy.
const DEFAULT_GRACE_MS: u64 = 10_000;

/// Failures in a row after which a process is unhealthy.
const DEFAULT_THRESHOLD: u32 = 3;

impl ServiceOptions {
    /// The record of a process with these options; where they are silent, as in `base`, and restarted as `policy` says.
    ///
    /// # Errors
    ///
    /// Fails if it cannot run as the user that was asked for.
    pub fn resolve(&self, policy: Option<RestartPolicy>, base: RunSpec) -> Result<RunSpec, UserError> {
        let mut run = base;
        let was_checked = is_checked(&run.monitor);
        for option in OPTIONS {
            option.apply(self, &mut run)?;
        }
        // A task that failed is repeated only where that was asked for.
        if let (None, Some(policy), false) = (self.restart, policy, run.oneshot) {
            run.restart = policy;
        }
        complete(&mut run.monitor);
        // None at all is a grace too.
        if is_checked(&run.monitor) && !was_checked && self.health_grace.is_none() {
            run.monitor.health_grace_ms = DEFAULT_GRACE_MS;
        }
        Ok(run)
    }

    /// What was asked for and has no effect on what becomes of it, each with the option that it needs.
    #[must_use]
    pub fn without_effect(&self, run: &RunSpec) -> Vec<(&'static ServiceOption, &'static ServiceOption)> {
        const NEEDS: [(&str, &str); 8] = [
            ("max_restarts", "restart"),
            ("health_interval", "health"),
            ("health_timeout", "health"),
            ("health_threshold", "health"),
            ("health_grace", "health"),
            ("health_restart", "health"),
            ("ignore", "watch"),
            ("cron_tz", "cron"),
        ];
        let option = |name: &str| OPTIONS.iter().find(|option| option.name == name);
        let pairs = NEEDS.iter().filter_map(|(name, needed)| Some((option(name)?, option(needed)?)));
        let lacks =
            |needed: &ServiceOption| needed.is_default(run) && !(needed.name == "health" && is_checked(&run.monitor));
        pairs.filter(|(given, needed)| given.write(self).is_some() && lacks(needed)).collect()
    }

    /// The options that lead to a record: those that are not the default.
    #[must_use]
    pub fn of_record(run: &RunSpec) -> Self {
        let mut options = Self::default();
        for option in OPTIONS {
            option.recover(run, &mut options);
        }
        if is_checked(&run.monitor) && run.monitor.health_grace_ms == 0 {
            options.health_grace = Some(Duration::ZERO);
        }
        // The default depends on the environment.
        options.restart = Some(run.restart);
        options
    }
}

fn is_checked(monitor: &MonitorSpec) -> bool {
    !monitor.health.is_empty() || monitor.notify
}

/// Drops what has no effect without a schedule or a health check, and fills in the defaults of a check.
fn complete(monitor: &mut MonitorSpec) {
    if monitor.cron.is_empty() {
        monitor.cron_tz.clear();
    }
    if !is_checked(monitor) {
        (monitor.health_interval_ms, monitor.health_timeout_ms, monitor.health_threshold) = (0, 0, 0);
        (monitor.health_grace_ms, monitor.health_restart) = (0, false);
        return;
    }
    for (value, default) in
        [(&mut monitor.health_interval_ms, DEFAULT_INTERVAL_MS), (&mut monitor.health_timeout_ms, DEFAULT_TIMEOUT_MS)]
    {
        if *value == 0 {
            *value = default;
        }
    }
    if monitor.health_threshold == 0 {
        monitor.health_threshold = DEFAULT_THRESHOLD;
    }
}

/// How several instances are restarted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Strategy {
    /// One after the other, the next when the one before is ready.
    #[default]
    Rolling,
    /// All at the same time.
    Recreate,
}

impl Strategy {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Rolling, Self::Recreate];

    /// As it is written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rolling => "rolling",
            Self::Recreate => "recreate",
        }
    }

    /// The strategy of a record.
    #[must_use]
    pub fn of_record(recreate: bool) -> Self {
        if recreate { Self::Recreate } else { Self::Rolling }
    }
}
