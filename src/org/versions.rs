//! The versions of the environments of an organization: written, kept, and taken away when they are old.
//!
//! A new version is written in three steps, each of them whole or not there: its copy in the history, the environment itself,
//! the line in the record. Stopped after the first, nothing happened. Stopped after the second, the next change finds a file
//! without a line and writes it from the file's own header.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::error::OrgError;
use super::header::{self, GeneratedFileState, Header};
use super::history::{self, VersionAction, VersionEntry, VersionHistory};
use super::read;
use super::store::{OrgStore, content_of};
use crate::base::environment::EnvName;
use crate::base::sort::SortExt;
use crate::base::time::Timestamp;
use crate::config::path::KeyPath;
use crate::disk;
use crate::sys::file::{self, Access, FileError};

/// A version to be written.
#[derive(Debug, Clone)]
pub struct NewVersion {
    /// Its bytes.
    pub text: String,
    /// The hash of what it says.
    pub content: String,
    /// How it comes to be.
    pub action: VersionAction,
    /// For a rollback: source and content that are rolled back from.
    pub rejected: Option<(String, String)>,
}

/// User and time of a change.
#[derive(Debug, Clone, Copy)]
pub struct Author<'a> {
    /// The operator.
    pub by: &'a str,
    /// Now.
    pub now: Timestamp,
}

impl OrgStore<'_> {
    /// The record of an environment.
    ///
    /// # Errors
    ///
    /// Fails if it was modified.
    pub fn record(&self, env: &EnvName) -> Result<VersionHistory, OrgError> {
        VersionHistory::read(&self.record_path(env), &self.dir())
    }

    fn record_path(&self, env: &EnvName) -> PathBuf {
        self.versions_dir().join(format!("{env}.jsonl"))
    }

    /// The copy of a version.
    #[must_use]
    pub fn copy_path(&self, entry: &VersionEntry) -> PathBuf {
        self.versions_dir().join(&entry.file)
    }

    /// The bytes of a version.
    ///
    /// # Errors
    ///
    /// Fails if its copy is gone, or is not as it was written.
    pub fn version(&self, env: &EnvName, entry: &VersionEntry) -> Result<String, OrgError> {
        let path = self.copy_path(entry);
        let gone = |why: &str| OrgError::NoVersion { what: format!("version {} {why}", entry.id), env: env.clone() };
        let text = read::text(&path, &self.dir())?.ok_or_else(|| gone("was pruned"))?;
        if is_unmodified(entry, &text) { Ok(text) } else { Err(gone("was modified")) }
    }

    /// Writes a version. The lock must be held. Gives its line in the record.
    ///
    /// # Errors
    ///
    /// Fails if something cannot be written; the environment is then as it was.
    pub fn publish(&self, env: &EnvName, version: NewVersion, author: Author) -> Result<VersionEntry, OrgError> {
        let retention = self.manifest()?.retention;
        let mut record = self.record(env)?;
        self.create_dirs()?;
        self.record_hand_edit(env, &mut record, author)?;
        let entry = self.store_copy(env, &mut record, author, version.clone())?;
        file::write(&self.environment_path(env), version.text.as_bytes(), Access::Shared)?;
        self.write_record(env, &record)?;
        for path in self.expired(env, &record, retention, author.now)? {
            remove(&path)?;
        }
        Ok(entry)
    }

    fn create_dirs(&self) -> Result<(), OrgError> {
        for directory in [self.dir().join("environments"), self.versions_dir()] {
            file::create_dir(&directory)?;
            read::ensure_inside(&directory, &self.dir())?;
            file::remove_stale_temporaries(&directory);
        }
        Ok(())
    }

    /// Adds a line for a file without one.
    fn record_hand_edit(&self, env: &EnvName, record: &mut VersionHistory, author: Author) -> Result<(), OrgError> {
        let Some(current) = self.current(env)? else { return Ok(()) };
        let intact = matches!(current.state, GeneratedFileState::Intact(_));
        let copied =
            |last: &VersionEntry| disk::read(self.copy_path(last)).is_ok_and(|copy| copy == current.text.as_bytes());
        if intact && record.entries.last().is_some_and(copied) {
            return Ok(());
        }
        let action = if matches!(current.state, GeneratedFileState::Edited(_)) {
            VersionAction::Edit
        } else {
            VersionAction::Found
        };
        let content = content_of(&current.text).unwrap_or_else(|| header::hash(current.text.as_bytes()));
        if record.entries.last().is_some_and(|last| last.content == content && action != VersionAction::Edit) {
            return Ok(());
        }
        let version = NewVersion { text: current.text, content, action, rejected: None };
        self.store_copy(env, record, author, version)?;
        self.write_record(env, record)
    }

    /// Writes the copy of a version, and its line into the record, which is not written yet.
    fn store_copy(
        &self,
        env: &EnvName,
        record: &mut VersionHistory,
        author: Author,
        version: NewVersion,
    ) -> Result<VersionEntry, OrgError> {
        let id = record.fresh_id(author.now);
        let file = format!("{env}_{id}.toml");
        let entry = VersionEntry { id, file, ..new_entry(&version, author) };
        file::write(&self.copy_path(&entry), version.text.as_bytes(), Access::Shared)?;
        record.push(entry.clone());
        Ok(record.entries.last().cloned().unwrap_or(entry))
    }

    fn write_record(&self, env: &EnvName, record: &VersionHistory) -> Result<(), OrgError> {
        Ok(file::write(&self.record_path(env), record.bytes(), Access::Shared)?)
    }

    /// Puts a broken record aside and writes what can be read of it again, with a line for every copy that no line speaks of. Gives
    /// where the old one is; none if nothing is wrong.
    ///
    /// # Errors
    ///
    /// Fails if something cannot be read or written.
    pub fn repair(&self, env: &EnvName, author: Author) -> Result<Option<PathBuf>, OrgError> {
        let _lock = self.lock()?;
        if self.record(env).is_ok_and(|record| !record.is_truncated) {
            return Ok(None);
        }
        let path = self.record_path(env);
        let bytes = read::bytes(&path, &self.dir())?.unwrap_or_default();
        let mut record = VersionHistory::recover(&bytes);
        let mut strays = self.orphan_copies(env, &record);
        strays.order();
        for copy in strays {
            let Some(text) = read::text(&copy, &self.dir())? else { continue };
            let content = content_of(&text).unwrap_or_else(|| header::hash(text.as_bytes()));
            let version = NewVersion { text, content, action: VersionAction::Found, rejected: None };
            let name = copy.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let id = name.trim_start_matches(&format!("{env}_")).trim_end_matches(".toml").to_owned();
            record.push(VersionEntry { id, file: name, ..new_entry(&version, author) });
        }
        let aside = path.with_extension(format!("jsonl.broken-{}", history::id(author.now)));
        file::write(&aside, &bytes, Access::Shared)?;
        self.write_record(env, &record)?;
        Ok(Some(aside))
    }

    /// The copies that need not be kept: of all but the newest versions, as far as they are older than what the environment itself
    /// says below `[compliance] retention_days`.
    fn expired(
        &self,
        env: &EnvName,
        record: &VersionHistory,
        retention: usize,
        now: Timestamp,
    ) -> Result<Vec<PathBuf>, OrgError> {
        let old = record.entries.len().saturating_sub(retention);
        if old == 0 {
            return Ok(Vec::new());
        }
        let days = read::document(&self.environment_path(env), &self.dir())
            .ok()
            .flatten()
            .and_then(|it| it.leaf(&KeyPath::of(&["compliance", "retention_days"]))?.value.as_integer());
        let age = Duration::from_secs(60 * 60 * 24 * u64::try_from(days.unwrap_or(0)).unwrap_or(0));
        let is_old = |entry: &&VersionEntry| history::time(&entry.at).is_none_or(|at| now.since(at) >= age);
        // Most of them went long ago; only the newest of the old can still be there.
        let old = record.entries[..old].iter().rev().filter(is_old).map(|entry| self.copy_path(entry));
        Ok(old.take_while(|path| path.exists()).collect())
    }

    /// The copies of an environment that need not be kept, and those that its record does not name.
    ///
    /// # Errors
    ///
    /// Fails if the record is broken.
    pub fn prunable(&self, env: &EnvName, now: Timestamp) -> Result<Vec<PathBuf>, OrgError> {
        let _lock = self.lock()?;
        self.prunable_locked(env, now)
    }

    fn prunable_locked(&self, env: &EnvName, now: Timestamp) -> Result<Vec<PathBuf>, OrgError> {
        let record = self.record(env)?;
        let mut found = self.expired(env, &record, self.manifest()?.retention, now)?;
        found.extend(self.orphan_copies(env, &record));
        found.order();
        Ok(found)
    }

    /// Removes copies that [`Self::prunable`] gave, as far as they still need not be kept. The lines of the record stay, so the
    /// chain does. Gives what was removed.
    ///
    /// # Errors
    ///
    /// Fails if the record is broken, or a copy cannot be removed.
    pub fn prune(&self, env: &EnvName, copies: &[PathBuf], now: Timestamp) -> Result<Vec<PathBuf>, OrgError> {
        let _lock = self.lock()?;
        let mut found = self.prunable_locked(env, now)?;
        found.retain(|path| copies.contains(path));
        found.iter().try_for_each(|path| remove(path))?;
        Ok(found)
    }

    /// Copies that were written when the machine or the program stopped before their line was.
    fn orphan_copies(&self, env: &EnvName, record: &VersionHistory) -> Vec<PathBuf> {
        let directory = self.versions_dir();
        let prefix = format!("{env}_");
        let is_copy = |name: &str| {
            let id = name.strip_prefix(&prefix).and_then(|rest| rest.strip_suffix(".toml"));
            id.is_some_and(history::is_id) && !record.entries.iter().any(|entry| entry.file == name)
        };
        let entries = fs::read_dir(&directory).into_iter().flatten().flatten();
        entries.filter(|entry| entry.file_name().to_str().is_some_and(is_copy)).map(|entry| entry.path()).collect()
    }
}

/// The line of a version that has no name yet.
fn new_entry(version: &NewVersion, author: Author) -> VersionEntry {
    let header = match header::state(&version.text) {
        GeneratedFileState::Intact(header) | GeneratedFileState::Edited(header) => Some(header),
        GeneratedFileState::NotOurs => None,
    };
    let field = |take: fn(&Header) -> String| header.as_deref().map(take).unwrap_or_default();
    let (from, left) = version.rejected.clone().map_or((None, None), |(source, content)| (Some(source), Some(content)));
    VersionEntry {
        seq: 0,
        id: String::new(),
        at: history::at(author.now),
        by: author.by.to_owned(),
        action: version.action,
        content: version.content.clone(),
        source: field(|it| it.source.clone()),
        profile: field(|it| it.profile.clone()),
        commit: header.as_ref().and_then(|it| it.commit.clone()),
        file: String::new(),
        bytes: Some(header::hash(version.text.as_bytes())),
        from,
        left,
        prev: String::new(),
    }
}

/// True if a copy is as it was when its line was written. An older line knows only what it says, and the header what follows it.
fn is_unmodified(entry: &VersionEntry, text: &str) -> bool {
    match &entry.bytes {
        Some(bytes) => *bytes == header::hash(text.as_bytes()),
        None => {
            let edited =
                entry.action != VersionAction::Edit && matches!(header::state(text), GeneratedFileState::Edited(_));
            !edited && content_of(text).is_some_and(|content| content == entry.content)
        }
    }
}

fn remove(path: &Path) -> Result<(), FileError> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != ErrorKind::NotFound => {
            Err(FileError::Io { action: "remove", path: path.to_owned(), source })
        }
        _ => Ok(()),
    }
}
