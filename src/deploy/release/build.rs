//! A release as a directory: built of contents, and compared with its manifest.

use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::copy::{copy, measure};
use super::error::ReleaseError;
use super::manifest::{Entry, EntryKind, Manifest};
use super::names::{ContentHash, MANIFEST, ReleaseId};
use super::store::{ReleaseStore, remove_file, remove_tree, sync};
use crate::base::sort::SortExt;
use crate::disk;
use crate::sys::file::{self, FileError};

/// More differences of a release are not listed.
const MAX_DRIFT: usize = 1000;

/// How a release differs from what was built.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drift {
    /// Where, from the top of the release.
    pub path: String,
    /// How.
    pub kind: DriftKind,
}

/// How a file of a release differs from its manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DriftKind {
    /// It is not there.
    Missing,
    /// It is not in the manifest.
    Added,
    /// It holds something else, leads elsewhere, or is of another kind.
    Changed,
    /// Its permissions are others.
    Mode,
}

impl ReleaseStore {
    /// Builds a release from contents that are here, beside its place, and gives it its name when all of it is on the disk. The
    /// files are copies: what is done to one release happens to no other. False if it was there already, as it should be.
    ///
    /// # Errors
    ///
    /// Fails if contents are missing, if one was damaged since it arrived (it is removed, and missing then), if there is another
    /// release of this name, or if the disk is full.
    pub fn build(&self, manifest: &Manifest) -> Result<bool, ReleaseError> {
        let rid = manifest.rid();
        if self.contains(rid) {
            let is_same = self.manifest(rid).is_ok_and(|there| there == *manifest) && self.verify(rid)?.is_empty();
            return if is_same { Ok(false) } else { Err(ReleaseError::Occupied(rid.clone())) };
        }
        let count = manifest.contents().iter().filter(|(hash, size)| !self.has_blob(hash, *size)).count();
        if count > 0 {
            return Err(ReleaseError::Incomplete { rid: rid.clone(), count });
        }
        file::create_dir(&self.releases())?;
        let unfinished = self.unfinished(rid);
        remove_tree(&unfinished)?;
        if let Err(error) = self.build_at(&unfinished, manifest) {
            // The room is needed; where it cannot be removed, the next run does it.
            let _ = remove_tree(&unfinished);
            return Err(error);
        }
        file::sync_file_system(&unfinished)?;
        fs::rename(&unfinished, self.release(rid)).map_err(FileError::io("write", &self.release(rid)))?;
        sync(&self.releases())?;
        Ok(true)
    }

    fn build_at(&self, root: &Path, manifest: &Manifest) -> Result<(), ReleaseError> {
        make_dir(root)?;
        let mut modes = vec![(root.to_owned(), 0o555)];
        for Entry { path, kind } in manifest.entries() {
            let at = root.join(path.as_str());
            match kind {
                EntryKind::Directory { mode } => {
                    make_dir(&at)?;
                    modes.push((at, *mode));
                }
                EntryKind::Link { target } => symlink(target, &at).map_err(FileError::io("write", &at))?,
                EntryKind::File { mode, size, sha256 } => {
                    self.place(sha256, *size, &at)?;
                    modes.push((at, *mode));
                }
            }
        }
        let at = root.join(MANIFEST);
        let mut file = create(&at)?;
        file.write_all(&manifest.to_json()).map_err(FileError::io("write", &at))?;
        modes.push((at, 0o444));
        // What is in a directory comes before it: nothing is made in it afterwards.
        for (at, mode) in modes.iter().rev() {
            fs::set_permissions(at, fs::Permissions::from_mode(*mode)).map_err(FileError::io("write", at))?;
        }
        Ok(())
    }

    /// Copies a content to its place, and looks at every byte of it.
    fn place(&self, hash: &ContentHash, size: u64, to: &Path) -> Result<(), ReleaseError> {
        let blob = self.blob(hash);
        let from = disk::own_file().open(&blob).map_err(FileError::io("read", &blob))?;
        let copied = copy(&from, &mut create(to)?, size).map_err(FileError::io("write", to))?;
        if copied.size == size && copied.hash == *hash {
            return Ok(());
        }
        remove_file(&blob)?;
        Err(ReleaseError::Damaged { hash: hash.clone() })
    }

    /// The manifest of a release that is here.
    ///
    /// # Errors
    ///
    /// Fails if there is none, or if it is not the one of this release.
    pub fn manifest(&self, rid: &ReleaseId) -> Result<Manifest, ReleaseError> {
        read_manifest(&self.release(rid), rid)
    }

    /// How a release differs from what was built, every byte of it read; nothing if it does not. No more than 1000 differences
    /// are listed.
    ///
    /// # Errors
    ///
    /// Fails if it does not exist or cannot be read, or if its manifest is damaged.
    pub fn verify(&self, rid: &ReleaseId) -> Result<Vec<Drift>, ReleaseError> {
        let root = self.release(rid);
        if !self.contains(rid) {
            return Err(ReleaseError::NotFound(rid.clone()));
        }
        let manifest = self.manifest(rid)?;
        let mut expected: BTreeMap<&str, &EntryKind> =
            manifest.entries().iter().map(|entry| (entry.path.as_str(), &entry.kind)).collect();
        let (mut drift, mut open) = (Vec::new(), vec![PathBuf::new()]);
        while let Some(below) = open.pop().filter(|_| drift.len() < MAX_DRIFT) {
            let dir = root.join(&below);
            for name in super::store::names(&dir)? {
                let below = below.join(&name);
                let path = below.to_string_lossy().into_owned();
                let at = root.join(&below);
                let found = fs::symlink_metadata(&at).map_err(FileError::io("read", &at))?;
                let kind = match expected.remove(path.as_str()) {
                    Some(kind) => difference(&at, &found, kind)?,
                    None if path == MANIFEST => None,
                    None => Some(DriftKind::Added),
                };
                if found.is_dir() && kind != Some(DriftKind::Added) {
                    open.push(below);
                }
                drift.extend(kind.map(|kind| Drift { path, kind }));
            }
        }
        drift.extend(expected.keys().map(|path| Drift { path: (*path).to_owned(), kind: DriftKind::Missing }));
        drift.order_by(|one, other| one.path.cmp(&other.path));
        drift.truncate(MAX_DRIFT);
        Ok(drift)
    }
}

/// The manifest in a directory, which must be the one of the release.
pub(super) fn read_manifest(dir: &Path, rid: &ReleaseId) -> Result<Manifest, ReleaseError> {
    let path = dir.join(MANIFEST);
    let manifest = Manifest::read(&disk::read_own(&path).map_err(FileError::io("read", &path))?)?;
    if manifest.rid() == rid { Ok(manifest) } else { Err(ReleaseError::Occupied(rid.clone())) }
}

fn difference(at: &Path, found: &Metadata, expected: &EntryKind) -> Result<Option<DriftKind>, ReleaseError> {
    let fail = || FileError::io("read", at);
    let (is_same, mode) = match expected {
        EntryKind::Directory { mode } => (found.is_dir(), Some(*mode)),
        EntryKind::Link { target } => {
            (found.is_symlink() && fs::read_link(at).map_err(fail())? == Path::new(target), None)
        }
        EntryKind::File { mode, size, sha256 } => {
            let is_same = found.is_file() && found.len() == *size && {
                let file = disk::own_file().open(at).map_err(fail())?;
                measure(&file, *size).map_err(fail())?.hash == *sha256
            };
            (is_same, Some(*mode))
        }
    };
    Ok(match mode {
        _ if !is_same => Some(DriftKind::Changed),
        Some(mode) if found.mode() & 0o7777 != mode => Some(DriftKind::Mode),
        _ => None,
    })
}

/// Made for its owner alone, until all is there.
fn make_dir(path: &Path) -> Result<(), FileError> {
    let made = fs::DirBuilder::new().mode(0o700).create(path).and_then(|()| {
        let opened = disk::own_file().directory().open(path)?;
        disk::chown_to_dir_owner(&opened, path.parent().unwrap_or(Path::new("/")))
    });
    made.map_err(FileError::io("create the directory", path))
}

fn create(path: &Path) -> Result<fs::File, FileError> {
    let made = || -> io::Result<fs::File> {
        let file = disk::own_file().create_new(0o600).open(path)?;
        disk::chown_to_dir_owner(&file, path.parent().unwrap_or(Path::new("/")))?;
        Ok(file)
    };
    made().map_err(FileError::io("write", path))
}
