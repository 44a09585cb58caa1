//! What a deployment brings: gathered, measured, and not changed since.

use std::collections::BTreeMap;
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::copy::{Measured, measure};
use super::error::ReleaseError;
use super::manifest::{Entry, EntryKind, Manifest};
use super::names::{ContentHash, EntryPath};
use super::refusal::Refusal;
use super::tree::{Application, Kind};
use crate::base::environment::EnvName;
use crate::base::name::OrgName;
use crate::base::time::Timestamp;
use crate::disk;
use crate::sys::file::FileError;

/// Where the contents of a release come from.
#[derive(Debug)]
pub struct Sources {
    /// Whose release it is.
    pub org: OrgName,
    /// The environment that it is made for.
    pub env: EnvName,
    /// When it is made.
    pub at: Timestamp,
    /// The environment, the services and what else was made in memory.
    pub documents: Vec<Document>,
    /// The files of an application.
    pub application: Option<Application>,
}

/// A file that was made in memory. Everybody on the host may read it.
#[derive(Debug)]
pub struct Document {
    /// Where it is in the release.
    pub path: EntryPath,
    /// What it holds.
    pub bytes: Vec<u8>,
}

/// A release and where the contents of its files are.
#[derive(Debug)]
pub struct Payload {
    /// What it holds.
    pub manifest: Manifest,
    /// Each content once.
    pub blobs: BTreeMap<ContentHash, Blob>,
}

/// Where a content is.
#[derive(Debug)]
pub enum Blob {
    /// In memory.
    Memory(Vec<u8>),
    /// In a file, which must not change.
    File(SourceFile),
}

/// A file and what was seen of it when it was read.
#[derive(Debug)]
pub struct SourceFile {
    path: PathBuf,
    seen: FileStamp,
}

/// What changes when a file is written to or replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct FileStamp {
    device: u64,
    inode: u64,
    size: u64,
    changed: (i64, i64),
}

impl FileStamp {
    fn of(found: &Metadata) -> Self {
        Self {
            device: found.dev(),
            inode: found.ino(),
            size: found.size(),
            changed: (found.ctime(), found.ctime_nsec()),
        }
    }
}

impl Payload {
    /// Gathers what a release is to hold. Every file is read once in full.
    ///
    /// # Errors
    ///
    /// Fails if a file cannot be read or be part of a release, if one changes while it is read, or if there is too much; the
    /// error names the file.
    pub fn collect(sources: Sources) -> Result<Self, ReleaseError> {
        let mut collection = Collection::default();
        for Document { path, bytes } in sources.documents {
            let kind = EntryKind::document(&bytes);
            let EntryKind::File { sha256, .. } = &kind else { continue };
            collection.blobs.insert(sha256.clone(), Blob::Memory(bytes));
            collection.add(path, kind)?;
        }
        if let Some(application) = sources.application {
            collection.add_application(&application)?;
        }
        let entries = collection.entries.into_iter().map(|(path, kind)| Entry { path, kind }).collect();
        let manifest = Manifest::new(sources.at, &sources.org, &sources.env, entries)?;
        Ok(Self { manifest, blobs: collection.blobs })
    }
}

#[derive(Default)]
struct Collection {
    entries: BTreeMap<EntryPath, EntryKind>,
    blobs: BTreeMap<ContentHash, Blob>,
}

impl Collection {
    /// With the directories on the way, as far as they are not there.
    fn add(&mut self, path: EntryPath, kind: EntryKind) -> Result<(), ReleaseError> {
        let taken = |path: &EntryPath| ReleaseError::Refused { path: path.as_str().into(), why: Refusal::Taken };
        for parent in path.parents() {
            let there = self.entries.entry(parent.clone()).or_insert(EntryKind::Directory { mode: 0o555 });
            if !matches!(there, EntryKind::Directory { .. }) {
                return Err(taken(&parent));
            }
        }
        if self.entries.contains_key(&path) {
            return Err(taken(&path));
        }
        self.entries.insert(path, kind);
        Ok(())
    }

    fn add_application(&mut self, application: &Application) -> Result<(), ReleaseError> {
        let mut found = Vec::new();
        application.walk(&mut found)?;
        let mut size = 0;
        for it in found {
            let kind = match it.kind {
                Kind::Directory => EntryKind::Directory { mode: 0o555 },
                Kind::Link { target } => EntryKind::Link { target },
                Kind::File { mode } => {
                    let (source, measured) = SourceFile::read(it.from)?;
                    size += measured.size;
                    if size > super::MAX_SIZE {
                        return Err(ReleaseError::TooLarge { path: application.from.clone() });
                    }
                    self.blobs.entry(measured.hash.clone()).or_insert(Blob::File(source));
                    EntryKind::File { mode, size: measured.size, sha256: measured.hash }
                }
            };
            self.add(it.path, kind)?;
        }
        Ok(())
    }
}

impl SourceFile {
    /// Reads it in full.
    fn read(path: PathBuf) -> Result<(Self, Measured), ReleaseError> {
        let file = open(&path)?;
        let stamp = |file: &File| file.metadata().map(|it| FileStamp::of(&it)).map_err(FileError::io("read", &path));
        let seen = stamp(&file)?;
        if seen.size > super::MAX_SIZE {
            return Err(ReleaseError::TooLarge { path });
        }
        let measured = measure(&file, seen.size).map_err(FileError::io("read", &path))?;
        if measured.size != seen.size || stamp(&file)? != seen {
            return Err(ReleaseError::Changed { path });
        }
        Ok((Self { path, seen }, measured))
    }
}

/// As a link it would have been gathered as one; so a link that is there now came in between.
fn open(path: &Path) -> Result<File, FileError> {
    disk::own_file().open(path).map_err(FileError::io("read", path))
}

impl Blob {
    /// How many bytes it has.
    #[must_use]
    pub fn size(&self) -> u64 {
        match self {
            Self::Memory(bytes) => bytes.len() as u64,
            Self::File(file) => file.seen.size,
        }
    }

    /// At most `most` bytes from an offset; fewer only at its end.
    ///
    /// # Errors
    ///
    /// Fails if a file cannot be read, or has changed since it was gathered.
    pub fn read(&self, offset: u64, most: usize) -> Result<Vec<u8>, ReleaseError> {
        let left = usize::try_from(self.size().saturating_sub(offset)).unwrap_or(usize::MAX).min(most);
        match self {
            Self::Memory(bytes) => {
                let from = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
                Ok(bytes[from..from + left].to_vec())
            }
            Self::File(SourceFile { path, seen }) => {
                let fail = || FileError::io("read", path);
                let file = open(path)?;
                let mut bytes = vec![0; left];
                let changed = || ReleaseError::Changed { path: path.clone() };
                match file.read_exact_at(&mut bytes, offset) {
                    Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Err(changed()),
                    read => read.map_err(fail())?,
                }
                let now = FileStamp::of(&file.metadata().map_err(fail())?);
                if now == *seen { Ok(bytes) } else { Err(changed()) }
            }
        }
    }

    /// The digest of its first bytes: whether a host has the beginning of the same content.
    ///
    /// # Errors
    ///
    /// Fails if a file cannot be read.
    pub fn prefix_hash(&self, length: u64) -> Result<ContentHash, ReleaseError> {
        match self {
            Self::Memory(bytes) => {
                let end = usize::try_from(length).unwrap_or(usize::MAX).min(bytes.len());
                Ok(ContentHash::of(&bytes[..end]))
            }
            Self::File(SourceFile { path, .. }) => {
                let measured = measure(&open(path)?, length).map_err(FileError::io("read", path))?;
                Ok(measured.hash)
            }
        }
    }
}
