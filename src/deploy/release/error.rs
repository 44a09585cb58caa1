//! What goes wrong with releases.

use std::path::PathBuf;

use super::names::{ContentHash, InvalidId, ReleaseId};
use super::refusal::Refusal;
use super::{MAX_ENTRIES, MAX_SIZE};
use crate::base::fault::{FaultKind, UserFacingError};
use crate::sys::file::FileError;

/// Why something with a release was not done. Which release is current is then as before.
#[derive(Debug, thiserror::Error)]
pub enum ReleaseError {
    /// The system said no.
    #[error(transparent)]
    File(#[from] FileError),
    /// A name that cannot be one.
    #[error(transparent)]
    Id(#[from] InvalidId),
    /// What is found among the files cannot be part of a release.
    #[error("`{}` cannot be part of a release: {why}", path.display())]
    Refused {
        /// The file.
        path: PathBuf,
        /// Why.
        why: Refusal,
    },
    /// A file was written to while it was read.
    #[error("`{}` changed while it was read", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// There is more than a release may have.
    #[error("`{}` has more than {MAX_ENTRIES} files and directories, which is the most of a release", path.display())]
    TooMany {
        /// Where the files are.
        path: PathBuf,
    },
    /// The files are too large together.
    #[error("`{}` has more than {} MiB, which is the most of a release", path.display(), MAX_SIZE >> 20)]
    TooLarge {
        /// Where the files are.
        path: PathBuf,
    },
    /// A manifest says what cannot be.
    #[error("invalid manifest: {0}")]
    InvalidManifest(String),
    /// A manifest is of a later version of this program.
    #[error("the manifest has the format {found}, and this program knows {known}")]
    NewerFormat {
        /// Its version.
        found: u64,
        /// The latest that is known.
        known: u64,
    },
    /// The part of a content that is here has another length.
    #[error("the content {hash} continues at byte {expected}, and was given from byte {given}")]
    WrongOffset {
        /// Which content.
        hash: ContentHash,
        /// Where it was given from.
        given: u64,
        /// How many bytes are here.
        expected: u64,
    },
    /// A content is longer than its manifest says, or its digest is another. It was removed.
    #[error("the content {hash} arrived damaged, and was removed")]
    Damaged {
        /// Which content.
        hash: ContentHash,
    },
    /// Contents have not arrived.
    #[error("{count} contents of the release {rid} are missing")]
    Incomplete {
        /// Which release.
        rid: ReleaseId,
        /// How many.
        count: usize,
    },
    /// There is a directory of this name that holds something else.
    #[error("the release {0} already exists and holds something else")]
    Occupied(ReleaseId),
    /// There is no such release here.
    #[error("the release {0} does not exist")]
    NotFound(ReleaseId),
    /// It is in use.
    #[error("the release {0} is current or previous")]
    InUse(ReleaseId),
    /// What should lead to a release does not.
    #[error("`{}` does not lead to a release", path.display())]
    NotARelease {
        /// The link.
        path: PathBuf,
    },
}

impl UserFacingError for ReleaseError {
    fn kind(&self) -> FaultKind {
        match self {
            Self::File(error) => error.kind(),
            Self::NotFound(_) => FaultKind::NotFound,
            Self::Refused { .. }
            | Self::Changed { .. }
            | Self::TooMany { .. }
            | Self::TooLarge { .. }
            | Self::Damaged { .. }
            | Self::Incomplete { .. } => FaultKind::Preflight,
            _ => FaultKind::Failed,
        }
    }

    fn advice(&self) -> Option<String> {
        Some(match self {
            Self::File(error) => return error.advice(),
            Self::Refused { why, .. } => match why {
                Refusal::SpecialFile | Refusal::Name | Refusal::TooDeep | Refusal::Taken => {
                    "rename or remove it, or add it to `exclude` of `[release]`".to_owned()
                }
                Refusal::LinkLeaves => "copy the file instead of linking it, or add the link to `exclude`".to_owned(),
                Refusal::SetId => "remove the bit with `chmod ug-s`, or add it to `exclude`".to_owned(),
                Refusal::Secret => {
                    "add it to `exclude`; secrets of an environment are set with `env secret set`".to_owned()
                }
                Refusal::NotADirectory => "check `from` of `[release]`".to_owned(),
            },
            Self::Changed { .. } => "try again when nothing writes to it".to_owned(),
            Self::TooMany { .. } | Self::TooLarge { .. } => "leave out files with `exclude` of `[release]`".to_owned(),
            Self::NewerFormat { .. } => "update tetra on this host".to_owned(),
            Self::Damaged { .. } | Self::Incomplete { .. } => "deploy again; only what is missing is sent".to_owned(),
            Self::NotARelease { path } => format!("look at it with `ls -l '{}'`, and remove it", path.display()),
            _ => return None,
        })
    }
}
