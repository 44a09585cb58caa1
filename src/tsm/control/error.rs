//! Why an order had no success.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::base::fault::{FaultKind, UserFacingError};
use crate::base::name::ProcessName;
use crate::supervise::client::{LaunchError, SendError, WaitError};
use crate::sys::file::FileError;

/// Why an order had no success.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// No supervisor could be found to carry it out.
    #[error("failed to start a supervisor for `{name}`")]
    Launch {
        /// The process.
        name: ProcessName,
        /// Why.
        source: LaunchError,
    },
    /// The supervisor could not be reached.
    #[error("failed to send the command to the supervisor of `{name}`")]
    Send {
        /// The process.
        name: ProcessName,
        /// Why.
        source: SendError,
    },
    /// There is nothing to send a signal to.
    #[error("`{name}` is not running")]
    NotRunning {
        /// The process.
        name: ProcessName,
    },
    /// It has not ended in time.
    #[error("`{name}` did not stop within {} s", waited.as_secs())]
    NotEnded {
        /// The process.
        name: ProcessName,
        /// How long was waited.
        waited: Duration,
    },
    /// The operator stopped waiting.
    #[error("stopped waiting for `{name}`; the command is still in effect")]
    Interrupted {
        /// The process.
        name: ProcessName,
    },
    /// The operator stopped waiting for those that need it, before it was asked to end.
    #[error("`{name}` was not stopped: what needs it had not ended when the command was interrupted")]
    NotAsked {
        /// The process.
        name: ProcessName,
    },
    /// The operator stopped waiting for the end that has to come before the removal.
    #[error("stopped waiting for `{name}`: it is still stopping and was not deleted")]
    NotRemoved {
        /// The process.
        name: ProcessName,
    },
    /// What became of it cannot be seen.
    #[error("failed to watch `{name}`")]
    Unresponsive {
        /// The process.
        name: ProcessName,
        /// Why.
        source: WaitError,
    },
    /// It belongs to another user, whose programs are not for this one to run.
    #[error("`{name}` belongs to user {owner}; only that user can start its supervisor")]
    OtherUser {
        /// The process.
        name: ProcessName,
        /// The login name of its owner.
        owner: String,
    },
    /// Its supervisor could not become this program.
    #[error("the supervisor of `{name}` was not replaced")]
    NotReplaced {
        /// The process.
        name: ProcessName,
    },
    /// Another command started it again.
    #[error("`{name}` was started by another command")]
    StartedMeanwhile {
        /// The process.
        name: ProcessName,
    },
    /// What would tell of it cannot be read.
    #[error("the state of `{name}` is unknown: {why}")]
    Unknown {
        /// The process.
        name: ProcessName,
        /// What cannot be read.
        why: String,
    },
    /// Its record is lost, and with it what to run.
    #[error("the record of `{name}` cannot be used: {why}")]
    NoRecord {
        /// The process.
        name: ProcessName,
        /// What is wrong with it.
        why: String,
    },
    /// The port registry or the lock of names cannot be changed or taken.
    #[error(transparent)]
    Registry(#[from] FileError),
    /// A file of the process cannot be changed.
    #[error("failed to {action} `{}`", path.display())]
    File {
        /// What was being done.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl UserFacingError for ControlError {
    fn kind(&self) -> FaultKind {
        match self {
            Self::Interrupted { .. } | Self::NotAsked { .. } | Self::NotRemoved { .. } => FaultKind::Interrupted,
            Self::Registry(error) => error.kind(),
            Self::OtherUser { .. } => FaultKind::Refused,
            _ => FaultKind::Failed,
        }
    }

    fn advice(&self) -> Option<String> {
        match self {
            Self::NotEnded { name, .. } => Some(format!("run `tsm kill --force {name}` to kill it")),
            Self::Interrupted { name } => Some(format!("run `tsm info {name}` to see its state")),
            Self::NotAsked { name } => Some(format!("run `tsm stop {name}` to stop it")),
            Self::NotRemoved { name } => Some(format!("run `tsm delete {name}` to remove it")),
            Self::Registry(error) => error.advice(),
            Self::OtherUser { owner, .. } => Some(format!("run the command as that user: `sudo -u {owner} tsm …`")),
            Self::NoRecord { name, .. } => {
                Some(format!("run `tsm delete {name}`, then start it again with its command line"))
            }
            Self::Unknown { .. } => Some("run `tsm doctor` to see which user can read it".to_owned()),
            Self::NotRunning { name } => Some(format!("run `tsm start {name}` to start it")),
            Self::NotReplaced { .. } => Some("it keeps running unchanged; run `tsm upgrade` to try again".to_owned()),
            Self::StartedMeanwhile { name } => {
                Some(format!("run `tsm list` to see it, `tsm stop {name}` to try again"))
            }
            Self::Launch { .. } | Self::Send { .. } | Self::Unresponsive { .. } | Self::File { .. } => None,
        }
    }
}

impl ControlError {
    /// The same for an order that was also to remove the process.
    pub(in crate::tsm) fn before_removal(self) -> Self {
        match self {
            Self::Interrupted { name } => Self::NotRemoved { name },
            other => other,
        }
    }
}
