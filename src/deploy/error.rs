//! Why a deploy cannot go on.

use std::path::PathBuf;

use super::machine::NoSuchStep;
use super::record::Holder;
use crate::base::fault::{FaultKind, UserFacingError};
use crate::sys::file::FileError;

/// Why a deploy cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// Another one acts.
    #[error("{} deploys here: {} (PID {})", holder.by, holder.txid, holder.pid)]
    Held {
        /// Who it is.
        holder: Holder,
    },
    /// Its steps do not lead there.
    #[error(transparent)]
    Step(#[from] NoSuchStep),
    /// A file could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// There is none of that name.
    #[error("deploy `{0}` does not exist here")]
    Unknown(String),
    /// It is not one that this version knows.
    #[error("`{}` cannot be read: {why}", path.display())]
    Unreadable {
        /// The record.
        path: PathBuf,
        /// Why.
        why: String,
    },
}

impl UserFacingError for RecordError {
    fn kind(&self) -> FaultKind {
        match self {
            Self::Held { .. } => FaultKind::Locked,
            Self::Step(_) => FaultKind::Stale,
            Self::File(error) => error.kind(),
            Self::Unknown(_) => FaultKind::NotFound,
            Self::Unreadable { .. } => FaultKind::Review,
        }
    }

    fn advice(&self) -> Option<String> {
        match self {
            Self::Held { .. } => Some("wait for it with --wait; the lock ends with its holder".to_owned()),
            Self::File(error) => error.advice(),
            Self::Step(_) | Self::Unknown(_) => Some("`org deploy status` shows where it is".to_owned()),
            Self::Unreadable { .. } => Some("it may be of a later version of tetra".to_owned()),
        }
    }
}
