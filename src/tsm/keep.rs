//! How a process is to be kept: what a flag or a definition says, and nothing where they are silent.

use std::time::Duration;

use crate::supervise::meta::Restart;

/// How to keep a process; what is none is left to the service or the defaults.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Keep {
    /// `--restart`, `TSM_RESTART`.
    pub restart: Option<Restart>,
    /// `--max-restarts`, `TSM_MAX_RESTARTS`.
    pub max_restarts: Option<u32>,
    /// `--kill-timeout`, `TSM_KILL_TIMEOUT`; whole milliseconds.
    pub kill_timeout: Option<Duration>,
    /// `--log-size`, `TSM_LOG_SIZE`; in bytes.
    pub log_size: Option<u64>,
    /// `--log-keep`, `TSM_LOG_KEEP`.
    pub log_keep: Option<u32>,
}

impl Keep {
    /// What this says, and where it is silent, what `other` says.
    #[must_use]
    pub fn or(&self, other: &Self) -> Self {
        Self {
            restart: self.restart.or(other.restart),
            max_restarts: self.max_restarts.or(other.max_restarts),
            kill_timeout: self.kill_timeout.or(other.kill_timeout),
            log_size: self.log_size.or(other.log_size),
            log_keep: self.log_keep.or(other.log_keep),
        }
    }
}
