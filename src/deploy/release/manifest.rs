//! What a release holds, as both sides know it.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::error::ReleaseError;
use super::names::{ContentHash, EntryPath, ReleaseId, link_stays};
use super::{APPLICATION, MAX_ENTRIES, MAX_SIZE};
use crate::base::environment::EnvName;
use crate::base::name::OrgName;
use crate::base::sort::SortExt;
use crate::base::time::Timestamp;

/// The version of the format.
const FORMAT: u64 = 1;

/// The most bytes of all paths together, so that a manifest is not too large to be read.
const MAX_TEXT: usize = 4 << 20;

/// What a release holds. One that was read or made is sound: see [`Manifest::new`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct Manifest {
    version: u64,
    rid: ReleaseId,
    org: String,
    env: String,
    entries: Vec<Entry>,
}

/// A manifest as it is written, not yet looked at.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Unchecked {
    version: u64,
    rid: ReleaseId,
    org: String,
    env: String,
    entries: Vec<Entry>,
}

/// A file, a directory or a link of a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Where it is, from the top of the release.
    pub path: EntryPath,
    /// What it is.
    #[serde(flatten)]
    pub kind: EntryKind,
}

/// What an entry of a release is. A mode has no bit for writing and none of set-ID: a release is not written to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum EntryKind {
    /// A regular file.
    File {
        /// Its permissions.
        mode: u32,
        /// Its bytes.
        size: u64,
        /// What it holds.
        sha256: ContentHash,
    },
    /// A symbolic link.
    Link {
        /// Where it leads, from the directory in which it is: any number of `../`, then names.
        target: String,
    },
    /// A directory.
    Directory {
        /// Its permissions.
        mode: u32,
    },
}

impl EntryKind {
    /// A file that anybody may read.
    #[must_use]
    pub fn document(bytes: &[u8]) -> Self {
        Self::File { mode: 0o444, size: bytes.len() as u64, sha256: ContentHash::of(bytes) }
    }
}

impl Manifest {
    /// A manifest of entries in any order; its name is made of `at` and of what it holds.
    ///
    /// # Errors
    ///
    /// Fails if two entries have one path, one is in no directory of the manifest, a link leaves it, a mode has bits that it
    /// cannot have, or there is too much.
    pub fn new(at: Timestamp, org: &OrgName, env: &EnvName, mut entries: Vec<Entry>) -> Result<Self, ReleaseError> {
        entries.order_by(|one, other| one.path.cmp(&other.path));
        let rid = ReleaseId::new(at, &content(&entries));
        let made = Self { version: FORMAT, rid, org: org.to_string(), env: env.as_str().to_owned(), entries };
        made.check().map_err(ReleaseError::InvalidManifest)?;
        Ok(made)
    }

    /// Reads one.
    ///
    /// # Errors
    ///
    /// Fails if it is of a later version, or as [`new`](Self::new).
    pub fn read(json: &[u8]) -> Result<Self, ReleaseError> {
        #[derive(Deserialize)]
        struct Version {
            version: u64,
        }
        let invalid = |error: serde_json::Error| ReleaseError::InvalidManifest(error.to_string());
        match serde_json::from_slice::<Version>(json).map_err(invalid)?.version {
            FORMAT => serde_json::from_slice(json).map_err(invalid),
            found if found > FORMAT => Err(ReleaseError::NewerFormat { found, known: FORMAT }),
            found => Err(ReleaseError::InvalidManifest(format!("the format {found} is unknown"))),
        }
    }

    /// As it is written: JSON, the same bytes for the same manifest.
    ///
    /// # Panics
    ///
    /// Never: strings and numbers become JSON.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        let mut json = serde_json::to_vec(self).expect("strings and numbers become JSON");
        json.push(b'\n');
        json
    }

    /// What the release is called.
    #[must_use]
    pub fn rid(&self) -> &ReleaseId {
        &self.rid
    }

    /// Whose it is.
    #[must_use]
    pub fn org(&self) -> &str {
        &self.org
    }

    /// The environment that it is made for.
    #[must_use]
    pub fn env(&self) -> &str {
        &self.env
    }

    /// What it holds, in the order of the paths; a directory is before what is in it.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// A digest of the entries alone: two releases with the same one hold the same, whenever they were made.
    #[must_use]
    pub fn content(&self) -> ContentHash {
        content(&self.entries)
    }

    /// A digest of the files of the application; none if it has no such files.
    #[must_use]
    pub fn application(&self) -> Option<ContentHash> {
        let is_below = |entry: &&Entry| entry.path.as_str().split('/').next() == Some(APPLICATION);
        let entries: Vec<Entry> = self.entries.iter().filter(is_below).cloned().collect();
        (!entries.is_empty()).then(|| content(&entries))
    }

    /// The bytes of all files together.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.entries.iter().map(Entry::size).sum()
    }

    /// The contents of the files, each once, with their sizes.
    #[must_use]
    pub fn contents(&self) -> BTreeSet<(&ContentHash, u64)> {
        let file = |entry| match entry {
            &Entry { kind: EntryKind::File { ref sha256, size, .. }, .. } => Some((sha256, size)),
            _ => None,
        };
        self.entries.iter().filter_map(file).collect()
    }

    fn check(&self) -> Result<(), String> {
        self.org.parse::<OrgName>().map_err(|error| error.to_string())?;
        self.env.parse::<EnvName>().map_err(|error| error.to_string())?;
        if self.entries.len() > MAX_ENTRIES {
            return Err(format!("it has more than {MAX_ENTRIES} entries"));
        }
        let mut size: u64 = 0;
        let mut directories: BTreeSet<&str> = BTreeSet::new();
        let mut before: Option<&EntryPath> = None;
        for entry in &self.entries {
            let path = &entry.path;
            if before.is_some_and(|before| before >= path) {
                return Err(format!("`{path}` is there twice or out of order"));
            }
            before = Some(path);
            if path.parent().is_some_and(|dir| !directories.contains(dir)) {
                return Err(format!("`{path}` is in no directory of the manifest"));
            }
            match &entry.kind {
                EntryKind::File { mode, .. } => check_mode(path, *mode, 0o400)?,
                EntryKind::Directory { mode } => {
                    check_mode(path, *mode, 0o500)?;
                    directories.insert(path.as_str());
                }
                EntryKind::Link { target } if !link_stays(path.depth(), target) => {
                    return Err(format!("the link `{path}` leaves the release"));
                }
                EntryKind::Link { .. } => {}
            }
            size = size.saturating_add(entry.size());
        }
        if self.entries.iter().map(Entry::text).sum::<usize>() > MAX_TEXT {
            return Err(format!("its paths have more than {} MiB", MAX_TEXT >> 20));
        }
        if size > MAX_SIZE {
            return Err(format!("its files have more than {} MiB", MAX_SIZE >> 20));
        }
        if self.rid.content8() != &self.content().as_str()[..8] {
            return Err(format!("what it holds is not what its name `{}` says", self.rid));
        }
        Ok(())
    }
}

/// Nothing may be written, and the owner may read.
fn check_mode(path: &EntryPath, mode: u32, needed: u32) -> Result<(), String> {
    if mode & !0o555 == 0 && mode & needed == needed {
        return Ok(());
    }
    Err(format!("`{path}` cannot have the mode {mode:04o}"))
}

impl Entry {
    fn size(&self) -> u64 {
        if let EntryKind::File { size, .. } = self.kind { size } else { 0 }
    }

    /// The bytes of its path, and of its target if it is a link.
    fn text(&self) -> usize {
        self.path.as_str().len() + if let EntryKind::Link { target } = &self.kind { target.len() } else { 0 }
    }
}

impl TryFrom<Unchecked> for Manifest {
    type Error = String;

    fn try_from(it: Unchecked) -> Result<Self, String> {
        if it.version != FORMAT {
            return Err(format!("it has the format {}, and this program knows {FORMAT}", it.version));
        }
        let read = Self { version: it.version, rid: it.rid, org: it.org, env: it.env, entries: it.entries };
        read.check()?;
        Ok(read)
    }
}

/// Each entry becomes JSON in one way only.
fn content(entries: &[Entry]) -> ContentHash {
    ContentHash::of(&serde_json::to_vec(entries).expect("strings and numbers become JSON"))
}
