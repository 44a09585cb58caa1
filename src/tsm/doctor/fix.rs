//! Carrying out what an examination proposes. Each cure looks again before it acts: the world may have changed.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::Fix;
use crate::base::fault::{FaultKind, UserFacingError};
use crate::supervise::client;
use crate::sys::file::{self, FileError};
use crate::tsm::control::Control;
use crate::tsm::ports::edit::{PortsError, sync};
use crate::tsm::store::ProcessStore;

/// Why a cure failed.
#[derive(Debug, thiserror::Error)]
pub enum FixError {
    /// A file or directory could not be changed.
    #[error("failed to {action} `{}`", path.display())]
    File {
        /// What was being done.
        action: &'static str,
        /// The file or directory.
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
    #[error("failed to start a new supervisor for `{name}`")]
    Unsupervised {
        /// The process.
        name: String,
    },
}

impl UserFacingError for FixError {
    fn kind(&self) -> FaultKind {
        match self {
            Self::Lock(error) => error.kind(),
            Self::Ports(error) => error.kind(),
            Self::File { .. } | Self::Unsupervised { .. } => FaultKind::Failed,
        }
    }

    fn advice(&self) -> Option<String> {
        match self {
            Self::Lock(error) => error.advice(),
            Self::Ports(error) => error.advice(),
            Self::File { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                Some("run the command as the owner or as root".to_owned())
            }
            Self::File { .. } => None,
            Self::Unsupervised { name } => Some(format!("run `tsm why {name}` for details")),
        }
    }
}

/// Carries a cure out; what was done, in words.
///
/// # Errors
///
/// Fails if the repair fails. Something that is already repaired is not an error.
pub fn apply_fix(mend: &Fix, control: &Control) -> Result<String, FixError> {
    match mend {
        Fix::CreateDirectory(directory) => {
            file::create_dir(directory)?;
            Ok(format!("created `{}`", directory.display()))
        }
        Fix::SetMode(path, mode) => {
            let failed = |source| FixError::File { action: "change the mode of", path: path.clone(), source };
            fs::set_permissions(path, fs::Permissions::from_mode(*mode)).map_err(failed)?;
            Ok(format!("set the mode of `{}` to {mode:04o}", path.display()))
        }
        Fix::Supervise(name) => {
            let mut found: Vec<_> = ProcessStore::open(control.paths).get(name).into_iter().collect();
            control.reconcile(&mut found);
            match found.first() {
                Some(process) if process.live.needs_supervisor() => {
                    Err(FixError::Unsupervised { name: name.to_string() })
                }
                _ => Ok(format!("started a new supervisor for `{name}`")),
            }
        }
        Fix::Remove(path) => remove(path, control).map(|()| format!("removed `{}`", path.display())),
        Fix::AddPort(claim) => {
            sync(control.paths, std::slice::from_ref(claim), &[])?;
            Ok(format!("added `{}:{}`", claim.name, claim.port))
        }
        Fix::RemovePort(claim) => {
            sync(control.paths, &[], std::slice::from_ref(claim))?;
            Ok(format!("removed `{}:{}`", claim.name, claim.port))
        }
    }
}

/// Removes what has no owner, under the lock that a start holds while it makes its directory.
fn remove(path: &Path, control: &Control) -> Result<(), FixError> {
    let _lock = match file::lock(&control.paths.id_lock()) {
        Err(error) if !error.is_not_found() => return Err(error.into()),
        held => held.ok(),
    };
    let removed = match fs::symlink_metadata(path) {
        Ok(found) if !found.is_dir() => {
            // The pid file of a process that was started meanwhile is its own.
            if path.parent().is_some_and(client::is_supervised) { Ok(()) } else { fs::remove_file(path) }
        }
        Ok(_) if path.extension().is_some_and(|ending| ending == "deleted") => fs::remove_dir_all(path),
        // Only an empty directory can be removed so.
        Ok(_) => fs::remove_dir(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(FixError::File { action: "remove", path: path.to_owned(), source })
        }
        _ => Ok(()),
    }
}
