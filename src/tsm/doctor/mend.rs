//! Carrying out what an examination proposes. Each cure looks again before it acts: the world may have changed.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::Mend;
use crate::base::fault::{Advise, Kind};
use crate::supervise::client;
use crate::sys::file::{self, FileError};
use crate::tsm::control::Control;
use crate::tsm::ports::change::{PortsError, put_in_step};
use crate::tsm::store::Store;

/// Why a cure failed.
#[derive(Debug, thiserror::Error)]
pub enum MendError {
    /// A file or folder could not be changed.
    #[error("failed to {action} `{}`", path.display())]
    File {
        /// What was being done.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A lock could not be had.
    #[error(transparent)]
    Lock(#[from] FileError),
    /// The port registry could not be changed.
    #[error(transparent)]
    Ports(#[from] PortsError),
    /// No supervisor took the process over.
    #[error("no supervisor took `{name}` over")]
    Unsupervised {
        /// The process.
        name: String,
    },
}

impl Advise for MendError {
    fn kind(&self) -> Kind {
        match self {
            Self::Lock(error) => error.kind(),
            Self::Ports(error) => error.kind(),
            Self::File { .. } | Self::Unsupervised { .. } => Kind::Failed,
        }
    }

    fn advice(&self) -> Option<String> {
        match self {
            Self::Lock(error) => error.advice(),
            Self::Ports(error) => error.advice(),
            Self::File { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                Some("act as the owner, or as root".to_owned())
            }
            Self::File { .. } => None,
            Self::Unsupervised { name } => Some(format!("`tsm why {name}` tells more")),
        }
    }
}

/// Carries a cure out; what was done, in words.
///
/// # Errors
///
/// Fails if the cure cannot be carried out. A thing that is well by now is no error.
pub fn mend(mend: &Mend, control: &Control) -> Result<String, MendError> {
    match mend {
        Mend::Make(folder) => {
            file::folder(folder)?;
            Ok(format!("made `{}`", folder.display()))
        }
        Mend::Close(path, mode) => {
            let failed = |source| MendError::File { action: "change the mode of", path: path.clone(), source };
            fs::set_permissions(path, fs::Permissions::from_mode(*mode)).map_err(failed)?;
            Ok(format!("`{}` has mode {mode:04o} now", path.display()))
        }
        Mend::Supervise(name) => {
            let mut found: Vec<_> = Store::open(control.paths).get(name).into_iter().collect();
            control.tend(&mut found);
            match found.first() {
                Some(process) if process.view.wants_supervisor() => {
                    Err(MendError::Unsupervised { name: name.to_string() })
                }
                _ => Ok(format!("`{name}` is supervised again")),
            }
        }
        Mend::Remove(path) => remove(path, control).map(|()| format!("removed `{}`", path.display())),
        Mend::Enter(claim) => {
            put_in_step(control.paths, std::slice::from_ref(claim), &[])?;
            Ok(format!("entered `{}:{}`", claim.name, claim.port))
        }
        Mend::Strike(claim) => {
            put_in_step(control.paths, &[], std::slice::from_ref(claim))?;
            Ok(format!("struck out `{}:{}`", claim.name, claim.port))
        }
    }
}

/// Removes what belongs to nobody, under the lock that a start holds while it makes its folder.
fn remove(path: &Path, control: &Control) -> Result<(), MendError> {
    let _lock = match file::lock(&control.paths.id_lock()) {
        Err(error) if !error.is_not_found() => return Err(error.into()),
        held => held.ok(),
    };
    let removed = match fs::symlink_metadata(path) {
        Ok(found) if !found.is_dir() => {
            // The pid file of a process that was started meanwhile is its own.
            if path.parent().is_some_and(client::supervised) { Ok(()) } else { fs::remove_file(path) }
        }
        Ok(_) if path.extension().is_some_and(|ending| ending == "deleted") => fs::remove_dir_all(path),
        // Only an empty folder can be removed so.
        Ok(_) => fs::remove_dir(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(MendError::File { action: "remove", path: path.to_owned(), source })
        }
        _ => Ok(()),
    }
}
