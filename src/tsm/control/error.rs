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
    /// Nobody could be found to carry it out.
    #[error("failed to start a supervisor for `{name}`")]
    Launch {
        /// The process.
        name: ProcessName,
        /// Why.
        source: LaunchError,
    },
    /// The supervisor could not be told.
    #[error("failed to give the order to the supervisor of `{name}`")]
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
    #[error("`{name}` has not ended within {} s", waited.as_secs())]
    NotEnded {
        /// The process.
        name: ProcessName,
        /// How long was waited.
        waited: Duration,
    },
    /// The operator stopped waiting.
    #[error("stopped waiting for `{name}`; the order stands")]
    Interrupted {
        /// The process.
        name: ProcessName,
    },
    /// The operator stopped waiting for the end that has to come before the removal.
    #[error("stopped waiting for `{name}`: it is being stopped, and was not removed")]
    NotRemoved {
        /// The process.
        name: ProcessName,
    },
    /// What became of it cannot be seen.
    #[error("cannot see what becomes of `{name}`")]
    Unresponsive {
        /// The process.
        name: ProcessName,
        /// Why.
        source: WaitError,
    },
    /// It belongs to another user, whose programs are not for this one to run.
    #[error("`{name}` belongs to user {owner}, and its supervisor has to be started by that user")]
    OtherUser {
        /// The process.
        name: ProcessName,
        /// The login name of its owner.
        owner: String,
    },
    /// Its supervisor could not become this program.
    #[error("the supervisor of `{name}` is still the old one")]
    NotReplaced {
        /// The process.
        name: ProcessName,
    },
    /// Somebody else started it again.
    #[error("`{name}` was started again by somebody else meanwhile")]
    StartedMeanwhile {
        /// The process.
        name: ProcessName,
    },
    /// What would tell of it cannot be read.
    #[error("`{name}` is left as it is: {why}")]
    Unknown {
        /// The process.
        name: ProcessName,
        /// What cannot be read.
        why: String,
    },
    /// Its record is lost, and with it what to run.
    #[error("the record of `{name}` is lost: {why}")]
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
            Self::Interrupted { .. } | Self::NotRemoved { .. } => FaultKind::Interrupted,
            Self::Registry(error) => error.kind(),
            Self::OtherUser { .. } => FaultKind::Refused,
            _ => FaultKind::Failed,
        }
    }

    fn advice(&self) -> Option<String> {
        match self {
            Self::NotEnded { name, .. } => Some(format!("`tsm kill --force {name}` ends it at once")),
            Self::Interrupted { name } => Some(format!("`tsm info {name}` shows how it goes on")),
            Self::NotRemoved { name } => Some(format!("`tsm delete {name}` removes it")),
            Self::Registry(error) => error.advice(),
            Self::OtherUser { owner, .. } => Some(format!("`sudo -u {owner} tsm …` acts as that user")),
            Self::NoRecord { name, .. } => {
                Some(format!("`tsm delete {name}` removes it; then start it with its command line"))
            }
            Self::Unknown { .. } => Some("`tsm doctor` says who can read it".to_owned()),
            Self::NotRunning { name } => Some(format!("`tsm start {name}` starts it")),
            Self::NotReplaced { .. } => Some("it goes on as before; `tsm upgrade` tries again".to_owned()),
            Self::StartedMeanwhile { name } => Some(format!("`tsm list` shows it; `tsm stop {name}` tries again")),
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
