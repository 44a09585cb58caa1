//! The files of one organization: read, and changed so that nothing is ever half written or lost.
//!
//! A new version is written in three steps, each of them whole or not there: its copy in the history, the environment itself,
//! the line in the record. Stopped after the first, nothing happened. Stopped after the second, the next change finds a file
//! without a line and writes it from the file's own header.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::document::Document;
use super::draft::Chain;
use super::error::OrgError;
use super::header::{self, Header, State};
use super::history::{self, Action, Entry, Record};
use super::manifest::Manifest;
use super::profile::{BUILT_IN, Origin, Profile};
use super::{read, workbench};
use crate::base::environment::EnvName;
use crate::base::name::OrgName;
use crate::base::near::nearest;
use crate::base::time::Timestamp;
use crate::sys::file::{self, Access, FileError};
use crate::sys::paths::Paths;

/// How many profiles may extend each other.
const LONGEST_CHAIN: usize = 8;

/// One organization on this machine.
#[derive(Debug, Clone, Copy)]
pub struct Store<'a> {
    paths: &'a Paths,
    org: &'a OrgName,
}

/// An environment as it is on the disk.
#[derive(Debug, Clone)]
pub struct Current {
    /// Where.
    pub path: PathBuf,
    /// Its bytes.
    pub text: String,
    /// Whether it is as it was generated.
    pub state: State,
}

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

impl<'a> Store<'a> {
    /// An organization that is there.
    ///
    /// # Errors
    ///
    /// Fails if it is not.
    pub fn open(paths: &'a Paths, org: &'a OrgName) -> Result<Self, OrgError> {
        if paths.org(org).is_dir() {
            return Ok(Self { paths, org });
        }
        let known = organizations(paths);
        let near = nearest(org.as_str(), known.iter().map(OrgName::as_str)).map(str::to_owned);
        Err(OrgError::NoOrg { org: org.clone(), near })
    }

    /// Its name.
    #[must_use]
    pub fn org(&self) -> &'a OrgName {
        self.org
    }

    /// Its folder.
    #[must_use]
    pub fn folder(&self) -> PathBuf {
        self.paths.org(self.org)
    }

    /// The commit that is checked out around it.
    #[must_use]
    pub fn commit(&self) -> Option<String> {
        workbench::commit(&self.folder(), self.paths.home())
    }

    /// The file of an environment.
    #[must_use]
    pub fn environment(&self, env: &EnvName) -> PathBuf {
        self.paths.environment(self.org, env)
    }

    /// The only file that is edited by hand.
    ///
    /// # Errors
    ///
    /// Fails if it is missing or wrong.
    pub fn local(&self) -> Result<Document, OrgError> {
        let path = self.paths.environment(self.org, &local());
        read::document(&path, &self.folder())?.ok_or(OrgError::NoLocal { path })
    }

    /// The manifest.
    ///
    /// # Errors
    ///
    /// Fails if it is wrong.
    pub fn manifest(&self) -> Result<Manifest, OrgError> {
        Manifest::read(&self.paths.manifest(self.org), &self.folder())
    }

    /// An environment as it is; none if it was not generated yet.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be read.
    pub fn current(&self, env: &EnvName) -> Result<Option<Current>, OrgError> {
        let path = self.environment(env);
        let text = read::text(&path, &self.folder())?;
        Ok(text.map(|text| Current { state: header::state(&text), text, path }))
    }

    /// The environments that have a file, `local` first.
    #[must_use]
    pub fn environments(&self) -> Vec<EnvName> {
        let mut names = names(&self.folder().join("environments"), ".toml");
        names.sort_by_key(|name: &EnvName| (name.rung().is_none(), name.rung(), name.clone()));
        names
    }

    /// The profile of an environment with those that it extends, from the root on.
    ///
    /// # Errors
    ///
    /// Fails if there is none, if one makes no sense, or if they go round in a circle.
    pub fn chain(&self, env: &EnvName) -> Result<Chain, OrgError> {
        let mut profiles = vec![self.profile(env.as_str())?];
        while let Some((next, _)) = profiles.last().and_then(|profile| profile.extends.clone()) {
            let name = |it: &Profile| {
                if it.origin == Origin::BuiltIn { format!("builtin:{}", it.name) } else { it.name.clone() }
            };
            let mut chain: Vec<String> = profiles.iter().map(name).collect();
            let found = self.profile(&next)?;
            let circle = profiles.iter().any(|it| it.source.name == found.source.name);
            chain.push(name(&found));
            if circle || chain.len() > LONGEST_CHAIN {
                return Err(OrgError::Circle { chain });
            }
            profiles.push(found);
        }
        profiles.reverse();
        let chain = Chain { profiles };
        if chain.own().is_abstract {
            return Err(OrgError::Abstract { name: chain.own().name.clone() });
        }
        Ok(chain)
    }

    /// A profile: the organization's own, one for all organizations, or a built-in one. `builtin:` means only the last.
    ///
    /// # Errors
    ///
    /// Fails if there is none or it makes no sense.
    pub fn profile(&self, name: &str) -> Result<Profile, OrgError> {
        let unknown = || {
            let known = self.profile_names();
            let near = nearest(name, known.iter().map(String::as_str)).filter(|near| *near != name).map(str::to_owned);
            OrgError::NoProfile { name: name.to_owned(), near }
        };
        if let Some(name) = name.strip_prefix("builtin:") {
            return Profile::built_in(name).ok_or_else(unknown);
        }
        let env: EnvName = name.parse().map_err(|_| unknown())?;
        for (folder, tree) in self.profile_folders() {
            let path = folder.join(format!("{env}.toml"));
            if let Some(document) = read::document(&path, &tree)? {
                return Profile::read(env.as_str(), Origin::File, &document)
                    .map_err(|found| OrgError::wrong(&path, found));
            }
        }
        Profile::built_in(env.as_str()).ok_or_else(unknown)
    }

    /// The file of a profile, if it has one.
    #[must_use]
    pub fn profile_file(&self, env: &EnvName) -> PathBuf {
        self.paths.profiles(self.org).join(format!("{env}.toml"))
    }

    /// Every profile that can be named.
    #[must_use]
    pub fn profile_names(&self) -> Vec<String> {
        let mut all: Vec<String> = BUILT_IN.iter().map(|(name, _)| (*name).to_owned()).collect();
        for (folder, _) in self.profile_folders() {
            all.extend(names::<EnvName>(&folder, ".toml").into_iter().map(|name| name.to_string()));
        }
        all.sort();
        all.dedup();
        all
    }

    fn profile_folders(&self) -> [(PathBuf, PathBuf); 2] {
        let shared = self.paths.shared_profiles();
        [(self.paths.profiles(self.org), self.folder()), (shared.clone(), shared)]
    }

    /// Keeps everybody else from changing this organization until the result is dropped.
    ///
    /// # Errors
    ///
    /// Fails if somebody else is at it for five seconds.
    pub fn lock(&self) -> Result<File, OrgError> {
        Ok(file::lock(&self.folder())?)
    }

    /// The record of an environment.
    ///
    /// # Errors
    ///
    /// Fails if somebody changed it.
    pub fn record(&self, env: &EnvName) -> Result<Record, OrgError> {
        Record::read(&self.record_path(env), &self.folder())
    }

    fn record_path(&self, env: &EnvName) -> PathBuf {
        self.paths.versions(self.org).join(format!("{env}.jsonl"))
    }

    /// The copy of a version.
    #[must_use]
    pub fn copy(&self, entry: &Entry) -> PathBuf {
        self.paths.versions(self.org).join(&entry.file)
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
        let same = content_of(&text).is_some_and(|content| content == entry.content);
        if same { Ok(text) } else { Err(gone("was changed by somebody")) }
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
        self.prune(&record, retention)?;
        Ok(entry)
    }

    fn make_folders(&self) -> Result<(), OrgError> {
        for folder in [self.folder().join("environments"), self.paths.versions(self.org)] {
            file::folder(&folder)?;
            read::stays_inside(&folder, &self.folder())?;
            file::sweep(&folder);
        }
        Ok(())
    }

    /// Gives a line to what is there without one.
    fn settle(&self, env: &EnvName, record: &mut Record, author: Author) -> Result<(), OrgError> {
        let Some(current) = self.current(env)? else { return Ok(()) };
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
        let header = match header::state(&version.text) {
            State::Intact(header) | State::Edited(header) => Some(header),
            State::Foreign => None,
        };
        let field = |take: fn(&Header) -> String| header.as_deref().map(take).unwrap_or_default();
        let (left_source, left) = version.left.map_or((None, None), |(source, content)| (Some(source), Some(content)));
        let id = record.fresh_id(author.now);
        let entry = Entry {
            seq: 0,
            at: history::at(author.now),
            by: author.by.to_owned(),
            action: version.action,
            content: version.content,
            source: field(|it| it.source.clone()),
            profile: field(|it| it.profile.clone()),
            commit: header.as_deref().and_then(|it| it.commit.clone()),
            file: format!("{env}_{id}.toml"),
            from: left_source,
            left,
            prev: String::new(),
            id,
        };
        file::write(&self.copy(&entry), version.text.as_bytes(), Access::Shared)?;
        record.push(entry.clone());
        Ok(record.entries.last().cloned().unwrap_or(entry))
    }

    fn write_record(&self, env: &EnvName, record: &Record) -> Result<(), OrgError> {
        Ok(file::write(&self.record_path(env), record.bytes(), Access::Shared)?)
    }

    /// Removes the copies of all but the newest versions. Their lines stay.
    fn prune(&self, record: &Record, retention: usize) -> Result<(), OrgError> {
        let old = record.entries.len().saturating_sub(retention);
        // Most of them went long ago; only the newest of the old can still be there.
        for entry in record.entries[..old].iter().rev() {
            let path = self.copy(entry);
            match fs::remove_file(&path) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
                Err(source) => return Err(FileError::Io { action: "remove", path, source }.into()),
            }
        }
        Ok(())
    }
}

/// The hash of what a text says; none if it is no TOML.
#[must_use]
pub fn content_of(text: &str) -> Option<String> {
    Document::parse("", text).ok().map(|document| header::content(&document))
}

/// The environment that is edited by hand.
#[must_use]
pub fn local() -> EnvName {
    "local".parse().expect("it is a name")
}

/// Every organization, sorted.
#[must_use]
pub fn organizations(paths: &Paths) -> Vec<OrgName> {
    let folder = paths.orgs();
    let mut all: Vec<OrgName> = names(&folder, "");
    all.retain(|name| paths.org(name).is_dir());
    all.sort();
    all
}

/// The names in a folder that end in `suffix`, without it.
fn names<N: std::str::FromStr>(folder: &Path, suffix: &str) -> Vec<N> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.strip_suffix(suffix)?.parse().ok()).collect()
}
