//! The names that processes have, and those that they had when their directories were removed from outside: one empty file each.
//!
//! A process without its directory is found only by looking at every process of the machine, which is too much for each start.
//! So a start looks for one only if its name is known here and has no directory. A name that stays here too long costs such a
//! look, and nothing else.

use std::fs;
use std::path::Path;

use super::store::ProcessStore;
use super::unrecorded;
use crate::base::name::ProcessName;
use crate::disk;
use crate::supervise::ownership::ProcessClaims;
use crate::sys::file::{self, FileError};
use crate::sys::paths::Paths;

/// The known names, for the holder of the lock of ids and names.
#[derive(Debug)]
pub(super) struct KnownNames<'a> {
    paths: &'a Paths,
    claims: ProcessClaims,
}

impl<'a> KnownNames<'a> {
    /// The names known so far. Where there is no list of them, one is made of all directories and of all processes that run.
    ///
    /// # Errors
    ///
    /// Fails if the list cannot be made.
    pub(super) fn open(paths: &'a Paths) -> Result<Self, FileError> {
        let known = Self { paths, claims: ProcessClaims::default() };
        if !paths.process_names().is_dir() {
            known.make_list()?;
        }
        Ok(known)
    }

    fn make_list(&self) -> Result<(), FileError> {
        let list = self.paths.process_names();
        // It is complete when it gets its name.
        let fresh = list.with_extension("new");
        file::create_private_dir(&fresh)?;
        let all = unrecorded::process_dirs(self.paths);
        let of_processes =
            self.claims.dirs().filter(|dir| dir.parent().is_some_and(|parent| all.iter().any(|it| it == parent)));
        let unrecorded = of_processes.filter_map(|dir| dir.file_name()?.to_str()?.parse::<ProcessName>().ok());
        let recorded = ProcessStore::open(self.paths).names().unwrap_or_default();
        for name in recorded.into_iter().chain(unrecorded) {
            add(&fresh, &name)?;
        }
        fs::rename(&fresh, &list).map_err(FileError::io("make", &list))
    }

    /// The living processes of a name without a directory, the oldest first.
    pub(super) fn unrecorded_processes(&self, name: &ProcessName) -> Vec<u32> {
        if self.paths.process_names().join(name.as_str()).exists() {
            unrecorded::of(name, self.paths, &self.claims)
        } else {
            Vec::new()
        }
    }

    /// Adds the name of a process, before it gets its directory.
    ///
    /// # Errors
    ///
    /// Fails if its file cannot be made.
    pub(super) fn add(&self, name: &ProcessName) -> Result<(), FileError> {
        add(&self.paths.process_names(), name)
    }
}

/// Removes the name of a process that has ended and has no directory any more.
pub(super) fn remove(paths: &Paths, name: &ProcessName) {
    let _ = fs::remove_file(paths.process_names().join(name.as_str()));
}

fn add(list: &Path, name: &ProcessName) -> Result<(), FileError> {
    let path = list.join(name.as_str());
    disk::own_file().create(0o600).open(&path).map_err(FileError::io("make", &path))?;
    Ok(())
}
