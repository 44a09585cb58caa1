//! How a life ended, as `meta.json` says it.

use serde::{Deserialize, Serialize};

/// How a life ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastExit {
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
    /// How long it had lived, in milliseconds.
    #[serde(rename = "lived_ms")]
    pub uptime_ms: u64,
    /// In what way.
    #[serde(rename = "how")]
    pub status: ExitStatus,
    /// Set when it was killed for lack of memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(rename = "memory")]
    pub oom: Option<OomVerdict>,
    /// Who had us end it; none if it ended by itself, or by an unknown process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<StopOrigin>,
    /// The life that ended: its `life.nonce`. Empty in records of earlier versions, which know no cause.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub nonce: String,
}

impl LastExit {
    /// True if the machine went down with it.
    #[must_use]
    pub fn is_with_machine(&self) -> bool {
        self.origin.is_some_and(|origin| origin.cause == StopCause::Machine)
    }
}

/// Where an order to end a process came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct StopOrigin {
    /// Why.
    pub cause: StopCause,
    /// The process that sent the order; 0 if it did not say.
    #[serde(default)]
    pub pid: u32,
}

/// Why a process was ended, as said by the sender of the order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StopCause {
    /// An operator's command.
    Operator,
    /// A signal that an operator had us send.
    Signal,
    /// A file that is watched changed.
    Watch,
    /// Its scheduled time came.
    Schedule,
    /// It used more memory than it may.
    Memory,
    /// It was not well.
    Health,
    /// Its attendant ordered it, and did not say why.
    #[serde(rename = "attendant")]
    Sidecar,
    /// Systemd stopped the unit that it ran in.
    ServiceManager,
    /// The daemon that looks after it was stopped; the next one starts it again.
    Daemon,
    /// The machine went down. Nothing saw the end: its time is that of the boot after it, and the way is unknown.
    Machine,
}

/// How sure it is that a killed process had run out of memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OomVerdict {
    /// Its memory control group counted an out-of-memory kill meanwhile.
    Certain,
    /// The machine counted one meanwhile.
    Likely,
}

/// In what way a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ExitStatus {
    /// It called exit with this code.
    Code(u8),
    /// This signal ended it.
    Signal(u8),
    /// This signal ended it and a core was written.
    Core(u8),
    /// Its end was not observed. Counts as a failure.
    Unknown,
    /// It never ran: `errno` of the failed exec or of a step before it.
    NotRun(i32),
    /// The pre-start command failed with this code (signals as 128 + n).
    Hook(u8),
}

impl ExitStatus {
    /// True for a clean exit.
    #[must_use]
    pub fn is_success(self) -> bool {
        matches!(self, Self::Code(0))
    }
}
