//! Everything that an environment is made of, read once.

use std::path::Path;
use std::rc::Rc;

use super::document::Document;
use super::draft::ProfileChain;
use super::error::OrgError;
use super::manifest::Manifest;
use super::path::KeyPath;
use super::promote::EnvPromotion;
use super::set_option::SetOption;
use super::store::OrgStore;
use super::variables::Names;
use crate::base::environment::{EnvName, Tier};
use crate::base::name::OrgName;
use crate::disk;

/// The ingredients of one environment.
#[derive(Debug)]
pub struct PromotionInputs {
    /// The organization.
    pub org: OrgName,
    /// The environment.
    pub env: EnvName,
    /// local.toml.
    pub local: Rc<Document>,
    /// The profile with those that it extends.
    pub chain: ProfileChain,
    /// `--set`
    pub options: Vec<SetOption>,
    names: Names,
    home: Option<String>,
}

/// What holds for every environment that is made in one go.
#[derive(Debug, Clone)]
pub struct SharedInputs {
    /// local.toml.
    pub local: Rc<Document>,
    /// The manifest.
    pub manifest: Manifest,
    /// The operator's home directory.
    pub home: Option<String>,
}

impl SharedInputs {
    /// Reads local.toml and the manifest.
    ///
    /// # Errors
    ///
    /// Fails if one of them is missing or wrong.
    pub fn read(store: &OrgStore, home: Option<&str>) -> Result<Self, OrgError> {
        let manifest = store.manifest()?;
        Ok(Self { local: Rc::new(store.local()?), manifest, home: home.map(str::to_owned) })
    }
}

impl PromotionInputs {
    /// Reads the profiles of an environment.
    ///
    /// # Errors
    ///
    /// Fails if there is none or it is invalid.
    pub fn open(
        store: &OrgStore,
        common: &SharedInputs,
        (env, options): (&EnvName, &[SetOption]),
    ) -> Result<Self, OrgError> {
        if env.as_str() == "local" {
            return Err(OrgError::PromotedLocal);
        }
        let mut names = common.manifest.variables.clone();
        names.insert("TETRA_ORG".to_owned(), store.org().to_string());
        names.insert("TETRA_ENV".to_owned(), env.to_string());
        Ok(Self {
            org: store.org().clone(),
            env: env.clone(),
            local: Rc::clone(&common.local),
            chain: store.chain(env)?,
            options: options.to_vec(),
            names,
            home: common.home.clone(),
        })
    }

    /// What the environment is made of.
    #[must_use]
    pub fn promotion(&self) -> EnvPromotion<'_> {
        EnvPromotion {
            org: &self.org,
            env: &self.env,
            local: &self.local,
            chain: &self.chain,
            options: &self.options,
            names: &self.names,
            home: self.home.as_deref(),
        }
    }
}

/// How careful to be in an environment that has no file yet, as its profile says; none if it says nothing.
#[must_use]
pub fn tier(chain: &ProfileChain) -> Option<Tier> {
    let wanted = KeyPath::of(&["environment", "type"]);
    let rules = chain.profiles.iter().rev().flat_map(|profile| &profile.rules);
    rules.filter(|rule| rule.path == wanted).find_map(|rule| Tier::of(rule.value.as_str()?))
}

/// The commit that is checked out around a directory, in its short form; looked for up to the directory around `home`. Read from the files of git: starting it would take longer
/// than everything else.
#[must_use]
pub fn head_commit(dir: &Path, home: &Path) -> Option<String> {
    // A repository around everything has other things to say.
    let around = home.parent().unwrap_or(home);
    let git =
        dir.ancestors().take_while(|at| at.starts_with(around)).map(|at| at.join(".git")).find(|git| git.exists())?;
    let git = match disk::read_to_string(&git) {
        Ok(link) => git.parent()?.join(link.strip_prefix("gitdir:")?.trim()),
        Err(_) => git,
    };
    let head = disk::read_to_string(git.join("HEAD")).ok()?;
    let head = head.trim();
    let Some(name) = head.strip_prefix("ref: ") else { return short_hash(head) };
    let shared = disk::read_to_string(git.join("commondir")).ok().map(|it| git.join(it.trim()));
    let git_dirs: Vec<_> = [Some(git), shared].into_iter().flatten().collect();
    let loose = git_dirs.iter().find_map(|git| short_hash(disk::read_to_string(git.join(name)).ok()?.trim()));
    loose.or_else(|| {
        let packed = git_dirs.iter().find_map(|git| disk::read_to_string(git.join("packed-refs")).ok())?;
        short_hash(packed.lines().find_map(|line| line.strip_suffix(name)?.strip_suffix(' '))?)
    })
}

fn short_hash(hash: &str) -> Option<String> {
    (hash.len() >= 40 && hash.bytes().all(|byte| byte.is_ascii_hexdigit())).then(|| hash[..7].to_owned())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_commit_is_read_without_git() {
        let home = tempfile::tempdir().expect("a directory");
        let git = home.path().join(".git");
        let inner = home.path().join("org/acme");
        fs::create_dir_all(git.join("refs/heads")).expect("made");
        fs::create_dir_all(&inner).expect("made");
        assert_eq!(head_commit(&inner, &home.path().join("org")), None);
        fs::write(git.join("HEAD"), "ref: refs/heads/main\n").expect("written");
        fs::write(git.join("packed-refs"), format!("# x\n{} refs/heads/main\n", "b".repeat(40))).expect("written");
        assert_eq!(head_commit(&inner, &home.path().join("org")).as_deref(), Some("bbbbbbb"));
        fs::write(git.join("refs/heads/main"), format!("{}\n", "a1".repeat(20))).expect("written");
        assert_eq!(head_commit(&inner, &home.path().join("org")).as_deref(), Some("a1a1a1a"));
    }
}
