//! What is to be looked after beside the life itself: health, memory, files, the clock. The supervisor only keeps it; an
//! attendant, a process of its own, reads it and gives the supervisor orders.

use serde::{Deserialize, Serialize};

/// What to look after. Written by `tsm start`; says nothing for most processes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct MonitorSpec {
    /// How to see whether it is well: `http://…`, `tcp://host:port` or `exec:command`; empty if not.
    pub health: String,
    /// Milliseconds between two looks.
    pub health_interval_ms: u64,
    /// Milliseconds that one look may take.
    pub health_timeout_ms: u64,
    /// Failures in a row after which it is unwell.
    pub health_threshold: u32,
    /// Milliseconds after a start in which failures do not count, unless it was well before.
    pub health_grace_ms: u64,
    /// Restart it when it is unwell.
    pub health_restart: bool,
    /// It says by itself when it is ready, on `$NOTIFY_SOCKET`.
    pub notify: bool,
    /// Files and directories whose change restarts it, also after it ended by itself; absolute.
    pub watch: Vec<String>,
    /// Patterns of what may change all the same.
    pub ignore: Vec<String>,
    /// When it is restarted, as five fields; empty if not.
    pub cron: String,
    /// The time zone of `cron`, by name; that of the machine if empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub cron_tz: String,
    /// Bytes of memory of the whole tree above which it is restarted; 0 for no limit.
    pub max_memory: u64,
}

impl MonitorSpec {
    /// True if there is nothing to look after.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What ended by itself waits for its schedule or for a change of a watched file, and is started again then.
    #[must_use]
    pub fn starts_again(&self) -> bool {
        !self.cron.is_empty() || !self.watch.is_empty()
    }
}
