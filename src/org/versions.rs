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
use super::header::{self, Header, State};
use super::history::{self, Action, Entry, Record};
use super::path::KeyPath;
use super::read;
use super::store::{Store, content_of};
use crate::base::environment::EnvName;
use crate::base::time::Timestamp;
use crate::disk;
use crate::sys::file::{self, Access, FileError};

/// A version to be written.
#[derive(Debug, Clone)]
pub struct Version {
    /// Its bytes.
    pub text: String,
    /// The hash of what it says.
    pub content: String,
    /// How it comes to be.
    pub action: Action,
    /// For a rollback: source and content that are turned away from.
    pub left: Option<(String, String)>,
}

/// Who changes something, when.
#[derive(Debug, Clone, Copy)]
pub struct Author<'a> {
    /// The operator.
    pub by: &'a str,
    /// Now.
    pub now: Timestamp,
}

impl Store<'_> {
    /// The record of an environment.
    ///
    /// # Errors
    ///
    /// Fails if somebody changed it.
    pub fn record(&self, env: &EnvName) -> Result<Record, OrgError> {
        Record::read(&self.record_path(env), &self.folder())
    }

    fn record_path(&self, env: &EnvName) -> PathBuf {
        self.versions().join(format!("{env}.jsonl"))
    }

    /// The copy of a version.
    #[must_use]
    pub fn copy(&self, entry: &Entry) -> PathBuf {
        self.versions().join(&entry.file)
    }

    /// The bytes of a version.
    ///
    /// # Errors
    ///
    /// Fails if its copy is gone, or is not as it was written.
    pub fn version(&self, env: &EnvName, entry: &Entry) -> Result<String, OrgError> {
        let path = self.copy(entry);
        let gone =
            |why: &str| OrgError::NoVersion { what: format!("the version {} {why}", entry.id), env: env.clone() };
        let text = read::text(&path, &self.folder())?.ok_or_else(|| gone("is no longer kept"))?;
        if is_as_written(entry, &text) { Ok(text) } else { Err(gone("was changed by somebody")) }
    }

    /// Writes a version. The lock must be held. Gives its line in the record.
    ///
    /// # Errors
    ///
    /// Fails if something cannot be written; the environment is then as it was.
    pub fn publish(&self, env: &EnvName, version: Version, author: Author) -> Result<Entry, OrgError> {
        let retention = self.manifest()?.retention;
        let mut record = self.record(env)?;
        self.make_folders()?;
        self.settle(env, &mut record, author)?;
        let entry = self.keep(env, (&mut record, author), version.clone())?;
        file::write(&self.environment(env), version.text.as_bytes(), Access::Shared)?;
        self.write_record(env, &record)?;
        for path in self.expired(env, (&record, retention), author.now)? {
            remove(&path)?;
        }
        Ok(entry)
    }

    fn make_folders(&self) -> Result<(), OrgError> {
        for folder in [self.folder().join("environments"), self.versions()] {
            file::folder(&folder)?;
            read::stays_inside(&folder, &self.folder())?;
            file::sweep(&folder);
        }
        Ok(())
    }

    /// Gives a line to what is there without one.
    fn settle(&self, env: &EnvName, record: &mut Record, author: Author) -> Result<(), OrgError> {
        let Some(current) = self.current(env)? else { return Ok(()) };
        let intact = matches!(current.state, State::Intact(_));
        let copied = |last: &Entry| disk::read(self.copy(last)).is_ok_and(|copy| copy == current.text.as_bytes());
        if intact && record.entries.last().is_some_and(copied) {
            return Ok(());
        }
        let action = if matches!(current.state, State::Edited(_)) { Action::Edit } else { Action::Found };
        let content = content_of(&current.text).unwrap_or_else(|| header::hash(current.text.as_bytes()));
        if record.entries.last().is_some_and(|last| last.content == content && action != Action::Edit) {
            return Ok(());
        }
        let version = Version { text: current.text, content, action, left: None };
        self.keep(env, (record, author), version)?;
        self.write_record(env, record)
    }

    /// Writes the copy of a version, and its line into the record, which is not written yet.
    fn keep(
        &self,
        env: &EnvName,
        (record, author): (&mut Record, Author),
        version: Version,
    ) -> Result<Entry, OrgError> {
        let id = record.fresh_id(author.now);
        let file = format!("{env}_{id}.toml");
        let entry = Entry { id, file, ..described(&version, author) };
        file::write(&self.copy(&entry), version.text.as_bytes(), Access::Shared)?;
        record.push(entry.clone());
        Ok(record.entries.last().cloned().unwrap_or(entry))
    }

    fn write_record(&self, env: &EnvName, record: &Record) -> Result<(), OrgError> {
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
        if self.record(env).is_ok_and(|record| !record.is_torn) {
            return Ok(None);
        }
        let path = self.record_path(env);
        let bytes = read::bytes(&path, &self.folder())?.unwrap_or_default();
        let mut record = Record::salvaged(&bytes);
        let mut strays = self.strays(env, &record);
        strays.sort();
        for copy in strays {
            let Some(text) = read::text(&copy, &self.folder())? else { continue };
            let content = content_of(&text).unwrap_or_else(|| header::hash(text.as_bytes()));
            let version = Version { text, content, action: Action::Found, left: None };
            let name = copy.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let id = name.trim_start_matches(&format!("{env}_")).trim_end_matches(".toml").to_owned();
            record.push(Entry { id, file: name, ..described(&version, author) });
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
        (record, retention): (&Record, usize),
        now: Timestamp,
    ) -> Result<Vec<PathBuf>, OrgError> {
        let old = record.entries.len().saturating_sub(retention);
        if old == 0 {
            return Ok(Vec::new());
        }
        let days = read::document(&self.environment(env), &self.folder())
            .ok()
            .flatten()
            .and_then(|it| it.leaf(&KeyPath::of(&["compliance", "retention_days"]))?.value.as_integer());
        let age = Duration::from_secs(60 * 60 * 24 * u64::try_from(days.unwrap_or(0)).unwrap_or(0));
        let is_old = |entry: &&Entry| history::time(&entry.at).is_none_or(|at| now.since(at) >= age);
        // Most of them went long ago; only the newest of the old can still be there.
        let old = record.entries[..old].iter().rev().filter(is_old).map(|entry| self.copy(entry));
        Ok(old.take_while(|path| path.exists()).collect())
    }

    /// Removes the copies of an environment that need not be kept, and those that no line of its record speaks of. The lines stay, so
    /// the chain does. Gives what was removed, or with [`Deed::Plan`] what would be.
    ///
    /// # Errors
    ///
    /// Fails if the record is broken, or a copy cannot be removed.
    pub fn prune(&self, env: &EnvName, deed: Deed, now: Timestamp) -> Result<Vec<PathBuf>, OrgError> {
        let _lock = self.lock()?;
        let record = self.record(env)?;
        let mut found = self.expired(env, (&record, self.manifest()?.retention), now)?;
        found.extend(self.strays(env, &record));
        found.sort();
        if deed == Deed::Really {
            found.iter().try_for_each(|path| remove(path))?;
        }
        Ok(found)
    }

    /// Copies that were written when the machine or the program stopped before their line was.
    fn strays(&self, env: &EnvName, record: &Record) -> Vec<PathBuf> {
        let folder = self.versions();
        let prefix = format!("{env}_");
        let is_copy = |name: &str| {
            let id = name.strip_prefix(&prefix).and_then(|rest| rest.strip_suffix(".toml"));
            id.is_some_and(history::is_id) && !record.entries.iter().any(|entry| entry.file == name)
        };
        let entries = fs::read_dir(&folder).into_iter().flatten().flatten();
        entries.filter(|entry| entry.file_name().to_str().is_some_and(is_copy)).map(|entry| entry.path()).collect()
    }
}

/// The line of a version that has no name yet.
fn described(version: &Version, author: Author) -> Entry {
    let header = match header::state(&version.text) {
        State::Intact(header) | State::Edited(header) => Some(header),
        State::Foreign => None,
    };
    let field = |take: fn(&Header) -> String| header.as_deref().map(take).unwrap_or_default();
    let (from, left) = version.left.clone().map_or((None, None), |(source, content)| (Some(source), Some(content)));
    Entry {
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
fn is_as_written(entry: &Entry, text: &str) -> bool {
    match &entry.bytes {
        Some(bytes) => *bytes == header::hash(text.as_bytes()),
        None => {
            let edited = entry.action != Action::Edit && matches!(header::state(text), State::Edited(_));
            !edited && content_of(text).is_some_and(|content| content == entry.content)
        }
    }
}

/// Whether something is done or only planned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// It is done.
    Really,
    /// It is told.
    Plan,
}

fn remove(path: &Path) -> Result<(), FileError> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != ErrorKind::NotFound => {
            Err(FileError::Io { action: "remove", path: path.to_owned(), source })
        }
        _ => Ok(()),
    }
}
