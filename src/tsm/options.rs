//! How a process is to be kept: what a flag or a definition says, and nothing where they are silent.

use std::time::Duration;

use crate::base::signal::Signal;
use crate::supervise::limits::Limits;
use crate::supervise::meta::RestartPolicy;
use crate::supervise::monitor_spec::MonitorSpec;

use super::sidecar::cron::Schedule;
use super::sidecar::probe::HealthCheck;
use super::sidecar::zone::Zone;

/// How to keep a process; what is none is left to the service or the defaults.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ServiceOptions {
    /// `--restart`, `TSM_RESTART`.
    pub restart: Option<RestartPolicy>,
    /// `--max-restarts`, `TSM_MAX_RESTARTS`.
    pub max_restarts: Option<u32>,
    /// `--kill-timeout`, `TSM_KILL_TIMEOUT`; whole milliseconds.
    pub kill_timeout: Option<Duration>,
    /// `--log-size`, `TSM_LOG_SIZE`; in bytes.
    pub log_size: Option<u64>,
    /// `--log-keep`, `TSM_LOG_KEEP`.
    pub log_keep: Option<u32>,
    /// `--health`, `TSM_HEALTH_CHECK`.
    pub health: Option<HealthCheck>,
    /// `--health-interval`, `TSM_HEALTH_INTERVAL`; whole milliseconds.
    pub health_interval: Option<Duration>,
    /// `--health-timeout`, `TSM_HEALTH_TIMEOUT`; whole milliseconds.
    pub health_timeout: Option<Duration>,
    /// `--health-threshold`, `TSM_HEALTH_THRESHOLD`.
    pub health_threshold: Option<u32>,
    /// `--health-grace`, `TSM_HEALTH_GRACE`; whole milliseconds.
    pub health_grace: Option<Duration>,
    /// `--health-restart`, `TSM_HEALTH_RESTART`.
    pub health_restart: Option<bool>,
    /// `--notify`, `TSM_NOTIFY`.
    pub notify: Option<bool>,
    /// `--watch`, `TSM_WATCH`; from where the process runs.
    pub watch: Option<Vec<String>>,
    /// `--ignore`, `TSM_WATCH_IGNORE`.
    pub ignore: Option<Vec<String>>,
    /// `--cron`, `TSM_CRON`.
    pub cron: Option<Schedule>,
    /// `--cron-tz`, `TSM_CRON_TZ`.
    pub cron_tz: Option<Zone>,
    /// `--max-memory`, `TSM_MAX_MEMORY`; in bytes.
    pub max_memory: Option<u64>,
    /// `--memory-max`, `TSM_MEMORY_MAX`; in bytes, 0 for no limit.
    pub memory_max: Option<u64>,
    /// `--limit-nofile`, `TSM_LIMIT_NOFILE`; 0 for no limit.
    pub limit_nofile: Option<u64>,
    /// `--limit-nproc`, `TSM_LIMIT_NPROC`; 0 for no limit.
    pub limit_nproc: Option<u64>,
    /// `--user`, `TSM_USER`.
    pub user: Option<String>,
    /// `--stop-signal`, `TSM_STOP_SIGNAL`.
    pub stop_signal: Option<Signal>,
    /// `--oneshot`, `TSM_TYPE=oneshot`.
    pub oneshot: Option<bool>,
    /// `--strategy`, `TSM_STRATEGY`.
    pub strategy: Option<Strategy>,
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
    /// Its name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rolling => "rolling",
            Self::Recreate => "recreate",
        }
    }
}

/// A text that names no strategy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid strategy `{0}`: expected rolling or recreate")]
pub struct InvalidStrategy(pub String);

impl std::str::FromStr for Strategy {
    type Err = InvalidStrategy;

    fn from_str(given: &str) -> Result<Self, InvalidStrategy> {
        let known = [Self::Rolling, Self::Recreate].into_iter().find(|strategy| strategy.as_str() == given);
        known.ok_or_else(|| InvalidStrategy(given.to_owned()))
    }
}

impl ServiceOptions {
    /// What this says, and where it is silent, what `other` says.
    #[must_use]
    pub fn or(&self, other: &Self) -> Self {
        Self {
            restart: self.restart.or(other.restart),
            max_restarts: self.max_restarts.or(other.max_restarts),
            kill_timeout: self.kill_timeout.or(other.kill_timeout),
            log_size: self.log_size.or(other.log_size),
            log_keep: self.log_keep.or(other.log_keep),
            health_interval: self.health_interval.or(other.health_interval),
            health_timeout: self.health_timeout.or(other.health_timeout),
            health_threshold: self.health_threshold.or(other.health_threshold),
            health_grace: self.health_grace.or(other.health_grace),
            health_restart: self.health_restart.or(other.health_restart),
            notify: self.notify.or(other.notify),
            max_memory: self.max_memory.or(other.max_memory),
            memory_max: self.memory_max.or(other.memory_max),
            limit_nofile: self.limit_nofile.or(other.limit_nofile),
            limit_nproc: self.limit_nproc.or(other.limit_nproc),
            user: self.user.clone().or_else(|| other.user.clone()),
            stop_signal: self.stop_signal.or(other.stop_signal),
            oneshot: self.oneshot.or(other.oneshot),
            strategy: self.strategy.or(other.strategy),
            health: self.health.clone().or_else(|| other.health.clone()),
            watch: self.watch.clone().or_else(|| other.watch.clone()),
            ignore: self.ignore.clone().or_else(|| other.ignore.clone()),
            cron: self.cron.clone().or_else(|| other.cron.clone()),
            cron_tz: self.cron_tz.clone().or_else(|| other.cron_tz.clone()),
        }
    }

    /// What has to be looked after; where this is silent, as `usual` says.
    #[must_use]
    pub fn care(&self, usual: MonitorSpec) -> MonitorSpec {
        let millis = |span: Option<Duration>| span.map(|span| u64::try_from(span.as_millis()).unwrap_or(u64::MAX));
        let health = self.health.as_ref().map_or(usual.health, ToString::to_string);
        let notify = self.notify.unwrap_or(usual.notify);
        let mut care = MonitorSpec {
            health,
            notify,
            health_interval_ms: millis(self.health_interval).unwrap_or(usual.health_interval_ms),
            health_timeout_ms: millis(self.health_timeout).unwrap_or(usual.health_timeout_ms),
            health_threshold: self.health_threshold.unwrap_or(usual.health_threshold),
            health_grace_ms: millis(self.health_grace).unwrap_or(usual.health_grace_ms),
            health_restart: self.health_restart.unwrap_or(usual.health_restart),
            watch: self.watch.clone().unwrap_or(usual.watch),
            ignore: self.ignore.clone().unwrap_or(usual.ignore),
            cron: self.cron.as_ref().map_or(usual.cron, ToString::to_string),
            cron_tz: self.cron_tz.as_ref().map_or(usual.cron_tz, ToString::to_string),
            max_memory: self.max_memory.unwrap_or(usual.max_memory),
        };
        if care.cron.is_empty() {
            care.cron_tz.clear();
        }
        if care.health.is_empty() && !care.notify {
            // Without a check there is nothing to say about one.
            (care.health_interval_ms, care.health_timeout_ms, care.health_threshold) = (0, 0, 0);
            (care.health_grace_ms, care.health_restart) = (0, false);
            return care;
        }
        for (value, otherwise) in [
            (&mut care.health_interval_ms, DEFAULT_INTERVAL_MS),
            (&mut care.health_timeout_ms, DEFAULT_TIMEOUT_MS),
            (&mut care.health_grace_ms, DEFAULT_GRACE_MS),
        ] {
            if *value == 0 {
                *value = otherwise;
            }
        }
        care.health_threshold = if care.health_threshold == 0 { DEFAULT_THRESHOLD } else { care.health_threshold };
        care
    }

    /// What it may have; where this is silent, as `usual` says.
    #[must_use]
    pub fn limits(&self, usual: Limits) -> Limits {
        Limits {
            memory_max: self.memory_max.unwrap_or(usual.memory_max),
            nofile: self.limit_nofile.unwrap_or(usual.nofile),
            nproc: self.limit_nproc.unwrap_or(usual.nproc),
        }
    }

    /// The wishes that lead to this care.
    #[must_use]
    pub fn of_care(care: &MonitorSpec) -> Self {
        let span = |ms: u64, usual: u64| Some(ms).filter(|ms| *ms > 0 && *ms != usual).map(Duration::from_millis);
        let some = |list: &[String]| Some(list.to_vec()).filter(|list| !list.is_empty());
        Self {
            health: care.health.parse().ok(),
            health_interval: span(care.health_interval_ms, DEFAULT_INTERVAL_MS),
            health_timeout: span(care.health_timeout_ms, DEFAULT_TIMEOUT_MS),
            health_threshold: Some(care.health_threshold).filter(|it| *it > 0 && *it != DEFAULT_THRESHOLD),
            health_grace: span(care.health_grace_ms, DEFAULT_GRACE_MS),
            health_restart: care.health_restart.then_some(true),
            notify: care.notify.then_some(true),
            watch: some(&care.watch),
            ignore: some(&care.ignore),
            cron: care.cron.parse().ok(),
            cron_tz: Some(&care.cron_tz).filter(|zone| !zone.is_empty()).and_then(|zone| zone.parse().ok()),
            max_memory: Some(care.max_memory).filter(|it| *it > 0),
            ..Self::default()
        }
    }
}

/// Milliseconds between two looks at the health.
const DEFAULT_INTERVAL_MS: u64 = 10_000;

/// Milliseconds that one look may take.
const DEFAULT_TIMEOUT_MS: u64 = 2_000;

/// Milliseconds in which a process may become well.
const DEFAULT_GRACE_MS: u64 = 10_000;

/// Failures in a row after which a process is unwell.
const DEFAULT_THRESHOLD: u32 = 3;
