//! A lock on a file, waited for no longer than said.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::base::fault::{Advise, Kind};

/// A held lock; dropping it gives it back, and so does any end of this program.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// Why a lock is not held.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Somebody else had it all the time.
    #[error("`{}` is locked by somebody else since {} s", path.display(), waited.as_secs())]
    Held {
        /// The file.
        path: PathBuf,
        /// How long was waited.
        waited: Duration,
    },
    /// The file cannot be opened or locked.
    #[error("failed to lock `{}`", path.display())]
    Broken {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl Advise for LockError {
    fn kind(&self) -> Kind {
        match self {
            Self::Held { .. } => Kind::Locked,
            Self::Broken { .. } => Kind::Failed,
        }
    }

    fn advice(&self) -> Option<String> {
        match self {
            Self::Held { .. } => Some("another tetra is at work; try again when it is done".to_owned()),
            Self::Broken { .. } => None,
        }
    }
}

/// The pause between two tries.
const STEP: Duration = Duration::from_millis(2);

impl Lock {
    /// Takes the lock of the file at `path`, making the file (0600) but not its folder. Waits at most `limit`.
    ///
    /// # Errors
    ///
    /// Fails if somebody else holds it until then, or the file cannot be opened.
    pub fn take(path: &Path, limit: Duration) -> Result<Self, LockError> {
        let broken = |source| LockError::Broken { path: path.to_owned(), source };
        let mut options = OpenOptions::new();
        let file =
            options.read(true).write(true).create(true).truncate(false).mode(0o600).open(path).map_err(broken)?;
        let begun = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Self { _file: file }),
                Err(TryLockError::WouldBlock) if begun.elapsed() < limit => std::thread::sleep(STEP),
                Err(TryLockError::WouldBlock) => {
                    return Err(LockError::Held { path: path.to_owned(), waited: begun.elapsed() });
                }
                Err(TryLockError::Error(source)) => return Err(broken(source)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_held_lock_is_waited_for_and_then_reported() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("lock");
        let held = Lock::take(&path, Duration::ZERO).expect("free");
        let error = Lock::take(&path, Duration::from_millis(5)).expect_err("held");
        assert_eq!(error.kind(), Kind::Locked);
        drop(held);
        assert!(Lock::take(&path, Duration::ZERO).is_ok());
    }

    #[test]
    fn a_lock_in_a_missing_folder_says_which_file() {
        let error = Lock::take(Path::new("/nowhere/lock"), Duration::ZERO).expect_err("no folder");
        assert!(error.to_string().contains("/nowhere/lock"));
    }
}
