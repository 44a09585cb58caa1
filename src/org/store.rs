//! The files of one organization, read as far as they can be trusted.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use super::draft::ProfileChain;
use super::error::OrgError;
use super::header::{self, GeneratedFileState};
use super::manifest::Manifest;
use super::profile::{BUILT_IN, Profile, ProfileOrigin};
use super::{git, read};
use crate::base::environment::EnvName;
use crate::base::name::OrgName;
use crate::base::sort::SortExt;
use crate::base::suggest::closest_match;
use crate::config::document::Document;
use crate::sys::file;
use crate::sys::paths::Paths;

/// How many profiles may extend each other.
const MAX_CHAIN_LENGTH: usize = 8;

/// One organization on this machine.
#[derive(Debug, Clone, Copy)]
pub struct OrgStore<'a> {
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
    pub state: GeneratedFileState,
}

impl<'a> OrgStore<'a> {
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
        let near = closest_match(org.as_str(), known.iter().map(OrgName::as_str)).map(str::to_owned);
        Err(OrgError::NoOrg { org: org.clone(), near })
    }

    /// Its name.
    #[must_use]
    pub fn org(&self) -> &'a OrgName {
        self.org
    }

    /// The directory of former versions and their records.
    #[must_use]
    pub fn versions_dir(&self) -> PathBuf {
        self.paths.versions(self.org)
    }

    /// Its directory.
    #[must_use]
    pub fn dir(&self) -> PathBuf {
        self.paths.org(self.org)
    }

    /// The commit that is checked out around it.
    #[must_use]
    pub fn head_commit(&self) -> Option<String> {
        git::head_commit(&self.dir(), self.paths.home())
    }

    /// The file of an environment.
    #[must_use]
    pub fn environment_path(&self, env: &EnvName) -> PathBuf {
        self.paths.environment(self.org, env)
    }

    /// The only file that is edited by hand.
    ///
    /// # Errors
    ///
    /// Fails if it is missing or wrong.
    pub fn local(&self) -> Result<Document, OrgError> {
        let path = self.paths.environment(self.org, &local_env());
        read::document(&path, &self.dir())?.ok_or(OrgError::NoLocal { path })
    }

    /// The bytes of the only file that is edited by hand, and where it is.
    ///
    /// # Errors
    ///
    /// Fails if it is missing or not text.
    pub fn local_text(&self) -> Result<(PathBuf, String), OrgError> {
        let path = self.paths.environment(self.org, &local_env());
        let text = read::text(&path, &self.dir())?.ok_or_else(|| OrgError::NoLocal { path: path.clone() })?;
        Ok((path, text))
    }

    /// The manifest.
    ///
    /// # Errors
    ///
    /// Fails if it is wrong.
    pub fn manifest(&self) -> Result<Manifest, OrgError> {
        Manifest::read(&self.paths.manifest(self.org), &self.dir())
    }

    /// An environment as it is; none if it was not generated yet.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be read.
    pub fn current(&self, env: &EnvName) -> Result<Option<Current>, OrgError> {
        self.read(&self.environment_path(env))
    }

    /// A generated file below the directory of the organization; none if it is not there.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be read.
    pub fn read(&self, path: &Path) -> Result<Option<Current>, OrgError> {
        let text = read::text(path, &self.dir())?;
        Ok(text.map(|text| Current { state: header::state(&text), text, path: path.to_owned() }))
    }

    /// The environments that have a file, `local_env` first.
    #[must_use]
    pub fn environments(&self) -> Vec<EnvName> {
        let mut names = names(&self.dir().join("environments"), ".toml");
        names.order_by_key(|name: &EnvName| (name.tier().is_none(), name.tier(), name.clone()));
        names
    }

    /// The profile of an environment with those that it extends, from the root on: the file of its own name, else the one that
    /// the manifest chooses, else the built-in one.
    ///
    /// # Errors
    ///
    /// As [`OrgStore::extended`], and if the manifest is invalid.
    pub fn chain(&self, env: &EnvName) -> Result<ProfileChain, OrgError> {
        let file = format!("{env}.toml");
        if self.profile_dirs().iter().any(|(directory, _)| directory.join(&file).exists()) {
            return self.extended(env.as_str());
        }
        self.extended(self.manifest()?.profile(env).unwrap_or(env.as_str()))
    }

    /// A profile with those that it extends, from the root on.
    ///
    /// # Errors
    ///
    /// Fails if there is none, if one is invalid, or if they go round in a circle.
    pub fn extended(&self, name: &str) -> Result<ProfileChain, OrgError> {
        let mut profiles = vec![self.profile(name)?];
        while let Some((next, _)) = profiles.last().and_then(|profile| profile.extends.clone()) {
            let name = |it: &Profile| {
                if it.origin == ProfileOrigin::BuiltIn { format!("builtin:{}", it.name) } else { it.name.clone() }
            };
            let mut chain: Vec<String> = profiles.iter().map(name).collect();
            let found = self.profile(&next)?;
            let circle = profiles.iter().any(|it| it.source.name == found.source.name);
            chain.push(name(&found));
            if circle || chain.len() > MAX_CHAIN_LENGTH {
                return Err(OrgError::ProfileCycle { chain });
            }
            profiles.push(found);
        }
        profiles.reverse();
        let chain = ProfileChain { profiles };
        if chain.own().is_abstract {
            return Err(OrgError::AbstractProfile { name: chain.own().name.clone() });
        }
        Ok(chain)
    }

    /// A profile: the organization's own, one for all organizations, or a built-in one. `builtin:` means only the last.
    ///
    /// # Errors
    ///
    /// Fails if there is none or it is invalid.
    pub fn profile(&self, name: &str) -> Result<Profile, OrgError> {
        let unknown = || {
            let known = self.profile_names();
            let plain = name.strip_prefix("builtin:").unwrap_or(name);
            let near =
                closest_match(plain, known.iter().map(String::as_str)).filter(|near| *near != name).map(str::to_owned);
            OrgError::NoProfile { name: name.to_owned(), near }
        };
        if let Some(name) = name.strip_prefix("builtin:") {
            return Profile::built_in(name).ok_or_else(unknown);
        }
        let env: EnvName = name.parse().map_err(|_| unknown())?;
        for (dir, tree) in self.profile_dirs() {
            let path = dir.join(format!("{env}.toml"));
            if let Some(document) = read::document(&path, &tree)? {
                return Profile::read(env.as_str(), ProfileOrigin::File, &document)
                    .map_err(|found| OrgError::invalid(&path, found));
            }
        }
        Profile::built_in(env.as_str()).ok_or_else(unknown)
    }

    /// The environment that a word means: the aliases of profiles count, after all names.
    #[must_use]
    pub fn resolve_alias(&self, word: &EnvName) -> EnvName {
        let known = word.tier().is_some()
            || self.environment_path(word).exists()
            || self.profile_names().iter().any(|name| name == word.as_str());
        if known {
            return word.clone();
        }
        let is_alias = |profile: &Profile| profile.aliases.iter().any(|alias| alias.parse().as_ref() == Ok(word));
        // An invalid profile has no aliases; using it reports the errors.
        let profiles = self.profile_names().into_iter().filter_map(|name| self.profile(&name).ok());
        let mut meant = profiles.filter(is_alias).filter_map(|profile| profile.name.parse().ok());
        meant.next().unwrap_or_else(|| word.clone())
    }

    /// The file of a profile, if it has one.
    #[must_use]
    pub fn profile_path(&self, env: &EnvName) -> PathBuf {
        self.paths.profiles(self.org).join(format!("{env}.toml"))
    }

    /// Every profile that can be named.
    #[must_use]
    pub fn profile_names(&self) -> Vec<String> {
        let mut all: Vec<String> = BUILT_IN.iter().map(|(name, _)| (*name).to_owned()).collect();
        for (dir, _) in self.profile_dirs() {
            all.extend(names::<EnvName>(&dir, ".toml").into_iter().map(|name| name.to_string()));
        }
        all.order();
        all.dedup();
        all
    }

    fn profile_dirs(&self) -> [(PathBuf, PathBuf); 2] {
        let shared = self.paths.shared_profiles();
        [(self.paths.profiles(self.org), self.dir()), (shared.clone(), shared)]
    }

    /// Keeps everybody else from changing this organization until the result is dropped.
    ///
    /// # Errors
    ///
    /// Fails if it is locked by another process for five seconds.
    pub fn lock(&self) -> Result<File, OrgError> {
        Ok(file::lock(&self.dir())?)
    }
}

/// The hash of what a text says; none if it is not valid TOML.
#[must_use]
pub fn content_of(text: &str) -> Option<String> {
    Document::parse("", text).ok().map(|document| header::content(&document))
}

/// The environment that is edited by hand.
#[must_use]
pub fn local_env() -> EnvName {
    "local".parse().expect("it is a name")
}

/// Every organization, sorted.
#[must_use]
pub fn organizations(paths: &Paths) -> Vec<OrgName> {
    let dir = paths.orgs();
    let mut all: Vec<OrgName> = names(&dir, "");
    all.retain(|name| paths.org(name).is_dir());
    all.order();
    all
}

/// The names in a directory that end in `suffix`, without it.
fn names<N: std::str::FromStr>(dir: &Path, suffix: &str) -> Vec<N> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.strip_suffix(suffix)?.parse().ok()).collect()
}
