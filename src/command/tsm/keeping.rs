//! The options that say how a process is kept, for every command that makes one.

use clap::ValueEnum;

use crate::base::size::Size;
use crate::base::time::Span;
use crate::supervise::meta::Restart;
use crate::tsm::keep::Keep;

/// How a process is kept.
#[derive(Debug, clap::Args)]
pub struct Keeping {
    /// When it is started again by itself
    #[arg(long, value_enum, value_name = "POLICY")]
    restart: Option<Policy>,
    /// Give it up after so many exits in a row, each within a second
    #[arg(long, value_name = "COUNT")]
    max_restarts: Option<u32>,
    /// The time between SIGTERM and SIGKILL when it is stopped
    #[arg(long, value_name = "SPAN")]
    kill_timeout: Option<Span>,
    /// Begin a new log after so many bytes
    #[arg(long, value_name = "SIZE")]
    log_size: Option<Size>,
    /// How many old logs are kept
    #[arg(long, value_name = "COUNT")]
    log_keep: Option<u32>,
}

/// When a process is started again by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Policy {
    /// Never
    Never,
    /// After a failure
    OnFailure,
    /// After every exit
    Always,
}

impl Keeping {
    /// What the options say.
    pub(super) fn keep(&self) -> Keep {
        Keep {
            restart: self.restart.map(Restart::from),
            max_restarts: self.max_restarts,
            kill_timeout: self.kill_timeout.map(|span| span.0),
            log_size: self.log_size.map(|size| size.0),
            log_keep: self.log_keep,
        }
    }
}

impl From<Policy> for Restart {
    fn from(policy: Policy) -> Self {
        match policy {
            Policy::Never => Self::Never,
            Policy::OnFailure => Self::OnFailure,
            Policy::Always => Self::Always,
        }
    }
}
