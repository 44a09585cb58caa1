//! The releases of an organization on a host: which one is current, and how that changes in one step.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use super::error::ReleaseError;
use super::names::ReleaseId;
use crate::base::sort::SortExt;
use crate::disk;
use crate::sys::file::{self, FileError, TEMPORARY_PREFIX};

/// The directory of an organization on a host.
#[derive(Debug, Clone)]
pub struct ReleaseStore {
    root: PathBuf,
}

impl ReleaseStore {
    /// Of `$TETRA_DIR/org/<org>`. Directories are made when something is put into them.
    #[must_use]
    pub fn at(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// The directory of a release, whether it is there or not.
    #[must_use]
    pub fn release(&self, rid: &ReleaseId) -> PathBuf {
        self.releases().join(rid.as_str())
    }

    /// The link to the release that is in use.
    #[must_use]
    pub fn current_link(&self) -> PathBuf {
        self.root.join("current")
    }

    pub(super) fn previous_link(&self) -> PathBuf {
        self.root.join("previous")
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Where releases are.
    #[must_use]
    pub fn releases(&self) -> PathBuf {
        self.root.join("releases")
    }

    pub(super) fn failed(&self) -> PathBuf {
        self.root.join("failed")
    }

    pub(super) fn blobs(&self) -> PathBuf {
        self.root.join("deploy/blobs")
    }

    /// A name beside the releases for one that is being built or removed.
    pub(super) fn unfinished(&self, rid: &ReleaseId) -> PathBuf {
        self.releases().join(format!("{TEMPORARY_PREFIX}{rid}"))
    }

    /// Whether there is a release of this name. One that is there was built in full.
    #[must_use]
    pub fn contains(&self, rid: &ReleaseId) -> bool {
        fs::symlink_metadata(self.release(rid)).is_ok_and(|found| found.is_dir())
    }

    /// The releases that are there, oldest first.
    ///
    /// # Errors
    ///
    /// Fails if the directory cannot be read.
    pub fn list(&self) -> Result<Vec<ReleaseId>, ReleaseError> {
        let mut found: Vec<ReleaseId> = names(&self.releases())?.iter().filter_map(|name| name.parse().ok()).collect();
        found.order();
        Ok(found)
    }

    /// The release that is in use; none before the first one.
    ///
    /// # Errors
    ///
    /// Fails if the link leads elsewhere or cannot be read.
    pub fn current(&self) -> Result<Option<ReleaseId>, ReleaseError> {
        Self::target(&self.current_link())
    }

    /// The release that was in use before.
    ///
    /// # Errors
    ///
    /// As [`current`](Self::current).
    pub fn previous(&self) -> Result<Option<ReleaseId>, ReleaseError> {
        Self::target(&self.previous_link())
    }

    fn target(link: &Path) -> Result<Option<ReleaseId>, ReleaseError> {
        let other = || ReleaseError::NotARelease { path: link.to_owned() };
        let target = match fs::read_link(link) {
            Ok(target) => target,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => return Err(other()),
            Err(error) => return Err(FileError::io("read", link)(error).into()),
        };
        let name = target.to_str().and_then(|text| text.strip_prefix("releases/"));
        name.and_then(|name| name.parse().ok()).map(Some).ok_or_else(other)
    }

    /// Makes a release the current one, in one step: who opens `current` has the old one or the new one. `by` tells apart what
    /// several transactions might leave beside it when they are killed.
    ///
    /// # Errors
    ///
    /// Fails if there is no such release, or if the link cannot be made; the current one is then as it was.
    pub fn switch(&self, rid: &ReleaseId, by: &str) -> Result<(), ReleaseError> {
        self.lead(&self.current_link(), rid, by)
    }

    /// Says which release was in use before.
    ///
    /// # Errors
    ///
    /// As [`switch`](Self::switch).
    pub fn set_previous(&self, rid: &ReleaseId, by: &str) -> Result<(), ReleaseError> {
        self.lead(&self.previous_link(), rid, by)
    }

    fn lead(&self, link: &Path, rid: &ReleaseId, by: &str) -> Result<(), ReleaseError> {
        if !self.contains(rid) {
            return Err(ReleaseError::NotFound(rid.clone()));
        }
        if fs::symlink_metadata(link).is_ok_and(|found| !found.is_symlink()) {
            return Err(ReleaseError::NotARelease { path: link.to_owned() });
        }
        let fail = || FileError::io("write", link);
        let beside = link.with_extension(file_name(by));
        remove_file(&beside)?;
        symlink(Path::new("releases").join(rid.as_str()), &beside).map_err(fail())?;
        fs::rename(&beside, link).map_err(fail())?;
        sync(&self.root)?;
        Ok(())
    }

    /// Leaves no release current: what was before the first one.
    ///
    /// # Errors
    ///
    /// Fails if the link cannot be removed.
    pub fn clear_current(&self) -> Result<(), ReleaseError> {
        self.current()?;
        remove_file(&self.current_link())?;
        Ok(sync(&self.root)?)
    }

    pub(super) fn refuse_in_use(&self, rid: &ReleaseId) -> Result<(), ReleaseError> {
        let is_used = [self.current()?, self.previous()?].contains(&Some(rid.clone()));
        if is_used { Err(ReleaseError::InUse(rid.clone())) } else { Ok(()) }
    }

    /// Puts a release aside that was taken back. One of the same name that is there goes.
    ///
    /// # Errors
    ///
    /// Fails if it does not exist, is current or previous, or cannot be moved.
    pub fn move_to_failed(&self, rid: &ReleaseId) -> Result<(), ReleaseError> {
        let path = self.release(rid);
        if !self.contains(rid) {
            return Err(ReleaseError::NotFound(rid.clone()));
        }
        self.refuse_in_use(rid)?;
        file::create_dir(&self.failed())?;
        let to = self.failed().join(rid.as_str());
        remove_tree(&to)?;
        let fail = || FileError::io("move", &path);
        // A directory that is moved is written to: its `..` changes.
        let mode = fs::symlink_metadata(&path).map_err(fail())?.mode() & 0o7777;
        let set = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(fail());
        set(&path, mode | 0o200)?;
        fs::rename(&path, &to).map_err(fail())?;
        set(&to, mode)?;
        sync(&self.failed())?;
        Ok(sync(&self.releases())?)
    }
}

/// Something that cannot leave the directory, for the name of a file.
fn file_name(by: &str) -> String {
    by.chars().map(|it| if it.is_ascii_alphanumeric() || it == '-' { it } else { '_' }).take(64).collect()
}

/// The names in a directory; none if it is not there.
pub(super) fn names(dir: &Path) -> Result<Vec<String>, FileError> {
    let fail = || FileError::io("read", dir);
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(fail())?,
    };
    entries.map(|entry| Ok(entry.map_err(fail())?.file_name().to_string_lossy().into_owned())).collect()
}

/// Removes a file or a link, if it is there.
pub(super) fn remove_file(path: &Path) -> Result<(), FileError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed.map_err(FileError::io("remove", path)),
    }
}

/// Removes a directory with all in it, also where its directories are not to be written to; nothing if it is not there.
pub(super) fn remove_tree(root: &Path) -> Result<(), FileError> {
    let fail = || FileError::io("remove", root);
    let mut open = vec![root.to_owned()];
    while let Some(dir) = open.pop() {
        // Anything but a directory is removed as it is, or is not there.
        if !fs::symlink_metadata(&dir).is_ok_and(|found| found.is_dir()) {
            continue;
        }
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o700)).map_err(fail())?;
        for entry in fs::read_dir(&dir).map_err(fail())? {
            let entry = entry.map_err(fail())?;
            if entry.file_type().map_err(fail())?.is_dir() {
                open.push(entry.path());
            }
        }
    }
    match fs::remove_dir_all(root) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed.map_err(fail()),
    }
}

/// Makes what was named in a directory last.
pub(super) fn sync(dir: &Path) -> Result<(), FileError> {
    let opened = disk::user_file().directory().open(dir);
    opened.and_then(|directory| directory.sync_all()).map_err(FileError::io("write", dir))
}
