//! What the setup of one `$TETRA_DIR` put in place outside of it: all that it may remove again.
//!
//! `$TETRA_DIR/.setup.json` is `{"version":1,"made":["/usr/local/bin/tsm", …]}`.

use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::disk;
use crate::sys::file::{self, Access, FileError};

/// The version that is written.
const VERSION: u32 = 1;

/// What was put in place outside of `$TETRA_DIR`.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstallRecord {
    version: u32,
    made: BTreeSet<PathBuf>,
}

impl InstallRecord {
    /// The record in a file; none if it does not exist.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be read or is not a record.
    pub fn read(path: &Path) -> Result<Option<Self>, FileError> {
        let failed = |source| FileError::Io { action: "read", path: path.to_owned(), source };
        match disk::read(path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|error| failed(error.into())),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed(error)),
        }
    }

    /// Writes it.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be written.
    pub fn write(&mut self, path: &Path) -> Result<(), FileError> {
        self.version = VERSION;
        let text = serde_json::to_vec(self).expect("paths that were written as text are text");
        file::write(path, &text, Access::Shared)
    }

    /// Removes the file of a record, if there is one.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be removed.
    pub fn remove(path: &Path) -> Result<(), FileError> {
        match fs::remove_file(path) {
            Err(source) if source.kind() != ErrorKind::NotFound => {
                Err(FileError::Io { action: "remove", path: path.to_owned(), source })
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Adds a path. One that is not UTF-8 is left out, and stays when the rest is removed.
    pub fn add(&mut self, path: &Path) {
        if path.to_str().is_some() {
            self.made.insert(path.to_owned());
        }
    }

    /// True if the path was put in place by this setup.
    #[must_use]
    pub fn contains(&self, path: &Path) -> bool {
        self.made.contains(path)
    }
}
