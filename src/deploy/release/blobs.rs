//! Contents that have arrived, in full or in part.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::MAX_SIZE;
use super::copy::measure;
use super::error::ReleaseError;
use super::manifest::Manifest;
use super::names::ContentHash;
use super::store::{ReleaseStore, names, remove_file, sync};
use crate::disk;
use crate::sys::file::{self, FileError};

/// The ending of what has not arrived in full.
pub(super) const PART: &str = "part";

/// A content that a host has not, or not in full.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MissingBlob {
    /// Which one.
    pub hash: ContentHash,
    /// Its bytes in full.
    pub size: u64,
    /// How many are here. It goes on from there if [`Blob::prefix_hash`](super::Blob::prefix_hash) of as many is `prefix`, and
    /// from 0 otherwise.
    pub received: u64,
    /// The digest of those that are here, as they are on the disk now.
    pub prefix: ContentHash,
}

impl ReleaseStore {
    /// The contents of a release that are not here. Those that are were checked when they arrived, and are again when the
    /// release is built.
    ///
    /// # Errors
    ///
    /// Fails if one cannot be read.
    pub fn missing(&self, manifest: &Manifest) -> Result<Vec<MissingBlob>, ReleaseError> {
        let mut missing = Vec::new();
        for (hash, size) in manifest.contents() {
            if self.has_blob(hash, size) {
                continue;
            }
            let (part, nothing) = (self.part(hash), ContentHash::of(b""));
            let found = match disk::own_file().open(&part) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => None,
                opened => Some(opened.and_then(|file| measure(&file, size)).map_err(FileError::io("read", &part))?),
            };
            let (received, prefix) = match found {
                Some(found) if found.size <= size => (found.size, found.hash),
                _ => (0, nothing),
            };
            missing.push(MissingBlob { hash: hash.clone(), size, received, prefix });
        }
        Ok(missing)
    }

    pub(super) fn blob(&self, hash: &ContentHash) -> PathBuf {
        self.blobs().join(hash.as_str())
    }

    fn part(&self, hash: &ContentHash) -> PathBuf {
        self.blob(hash).with_extension(PART)
    }

    /// Whether a content is here. Only what was checked has such a name; one of another length was damaged since.
    pub(super) fn has_blob(&self, hash: &ContentHash, size: u64) -> bool {
        fs::symlink_metadata(self.blob(hash)).is_ok_and(|found| found.is_file() && found.len() == size)
    }

    /// Removes contents that arrived in part.
    ///
    /// # Errors
    ///
    /// Fails if one cannot be removed.
    pub fn remove_parts(&self) -> Result<(), ReleaseError> {
        for name in names(&self.blobs())? {
            let path = self.blobs().join(name);
            if path.extension().is_some_and(|it| it == PART) {
                remove_file(&path)?;
            }
        }
        Ok(())
    }

    /// Adds bytes of a content at `offset`: 0 begins anew, otherwise it is what has been received. The last bytes finish it: all
    /// of it is read again, checked, and gets its name. True if it is now here in full.
    ///
    /// # Errors
    ///
    /// Fails if the offset is another, if the digest of the whole is not `hash` (all of it is removed then, for there is no
    /// telling which part is wrong), or if the disk is full; what was received before stays then.
    pub fn put(&self, hash: &ContentHash, size: u64, offset: u64, bytes: &[u8]) -> Result<bool, ReleaseError> {
        file::create_private_dir(&self.root().join("deploy"))?;
        file::create_private_dir(&self.blobs())?;
        let part = self.part(hash);
        let damaged = || ReleaseError::Damaged { hash: hash.clone() };
        let end = offset.saturating_add(bytes.len() as u64);
        if end > size || size > MAX_SIZE {
            remove_file(&part)?;
            return Err(damaged());
        }
        append(&part, offset, bytes).map_err(FileError::io("write", &part))?.map_or(Ok(()), |expected| {
            Err(ReleaseError::WrongOffset { hash: hash.clone(), given: offset, expected })
        })?;
        if end < size {
            return Ok(false);
        }
        let fail = || FileError::io("write", &part);
        let file = disk::own_file().open(&part).map_err(fail())?;
        let found = measure(&file, size).map_err(fail())?;
        if found.size != size || found.hash != *hash {
            remove_file(&part)?;
            return Err(damaged());
        }
        file.sync_all().map_err(fail())?;
        fs::rename(&part, self.blob(hash)).map_err(fail())?;
        sync(&self.blobs())?;
        Ok(true)
    }
}

/// Writes at the end of a file, which `offset` must be; otherwise says where that is. A write that fails in the middle leaves the
/// file as it was.
fn append(part: &Path, offset: u64, bytes: &[u8]) -> io::Result<Option<u64>> {
    let options = disk::own_file();
    let (mut file, length) = match options.append(0o600).open(part) {
        Ok(file) => {
            let length = file.metadata()?.len();
            (file, length)
        }
        Err(error) => return Err(error),
    };
    if offset == 0 {
        file.set_len(0)?;
    } else if length != offset {
        return Ok(Some(length));
    }
    if let Err(error) = file.write_all(bytes) {
        let _ = file.set_len(offset);
        return Err(error);
    }
    disk::chown_to_dir_owner(&file, part.parent().unwrap_or(Path::new("/")))?;
    Ok(None)
}
