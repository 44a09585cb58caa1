//! The files of a new organization.

use std::fs;
use std::path::Path;

use super::error::OrgError;
use super::store::{OrgStore, local_env};
use crate::base::name::OrgName;
use crate::sys::file::{self, Access, FileError};
use crate::sys::paths::Paths;

const MANIFEST: &str = include_str!("templates/manifest.toml");
const LOCAL: &str = include_str!("templates/local.toml");
const GITIGNORE: &str = include_str!("templates/gitignore");
const IGNORED_SECRETS: &str = "*\n!.gitignore\n!*.env.age\n!*.recipients\n";
/// As it was written before sealed files were let through; and the line of the other one.
const IGNORED_ALL_SECRETS: &str = "*\n!.gitignore\n";
const ALL_SECRETS: &str = "secrets/";
const BUT_SEALED: &str = "secrets/*\n!secrets/.gitignore\n!secrets/*.env.age\n!secrets/*.recipients";

/// What a new organization is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TemplateKind {
    /// Environments are made here.
    Workstation,
    /// They are copied here: there is no local.toml.
    Server,
}

/// What a new organization begins with.
#[derive(Debug, Clone, Copy)]
pub struct InitOptions<'a> {
    /// What it is for.
    pub kind: TemplateKind,
    /// Who owns the services of local.toml.
    pub user: &'a str,
    /// The profile that makes @dev.
    pub dev: &'a str,
}

/// Makes an organization; one that is there stays as it is. True if it was made.
///
/// # Errors
///
/// Fails if a file cannot be written. Then there is no such organization, unless there was its directory before.
pub fn init(paths: &Paths, org: &OrgName, beginning: InitOptions) -> Result<bool, OrgError> {
    let dir = paths.org(org);
    let known = dir.is_dir();
    if known && (beginning.kind == TemplateKind::Server || paths.environment(org, &local_env()).exists()) {
        return Ok(false);
    }
    let made = create(paths, org, beginning);
    if made.is_err() && !known {
        // Half an organization would count as one. The error reported is the one before this.
        let _ = fs::remove_dir_all(&dir);
    }
    made.map(|()| true)
}

/// Lets sealed secrets into git where an earlier version kept them out; whether something had to be changed.
///
/// # Errors
///
/// Fails if a .gitignore cannot be read or written.
pub fn track_sealed_secrets(dir: &Path) -> Result<bool, FileError> {
    let mut changed = false;
    let mut change = |path: &Path, new: &dyn Fn(&str) -> String| {
        if !path.is_file() {
            return Ok(());
        }
        file::update::<FileError>(path, Access::Shared, |old| {
            let Ok(text) = std::str::from_utf8(old) else { return Ok(old.to_vec()) };
            let new = new(text);
            changed |= new != text;
            Ok(new.into_bytes())
        })
    };
    change(&dir.join(".gitignore"), &|text| {
        let lines = text.split_inclusive('\n').map(|line| match line.trim_end() {
            ALL_SECRETS => line.replacen(ALL_SECRETS, BUT_SEALED, 1),
            _ => line.to_owned(),
        });
        lines.collect()
    })?;
    change(&dir.join("secrets/.gitignore"), &|text| {
        (if text == IGNORED_ALL_SECRETS { IGNORED_SECRETS } else { text }).to_owned()
    })?;
    Ok(changed)
}

fn create(paths: &Paths, org: &OrgName, beginning: InitOptions) -> Result<(), OrgError> {
    let dir = paths.org(org);
    let environments = dir.join("environments");
    for made in [&dir, &environments, &paths.profiles(org), &paths.versions(org)] {
        file::create_dir(made)?;
    }
    let store = OrgStore::open(paths, org)?;
    let _lock = store.lock()?;
    let secrets = dir.join("secrets");
    file::create_private_dir(&secrets)?;
    [&dir, &environments, &secrets].into_iter().for_each(|made| file::remove_stale_temporaries(made));
    let values =
        [("@ORG@", org.as_str()), ("@USER@", beginning.user), ("@DEV@", beginning.dev), ("@OS@", std::env::consts::OS)];
    let filled = |text: &str| values.iter().fold(text.to_owned(), |text, (key, value)| text.replace(key, value));
    let mut files = vec![
        (dir.join(".gitignore"), GITIGNORE.to_owned()),
        (secrets.join(".gitignore"), IGNORED_SECRETS.to_owned()),
        (paths.manifest(org), filled(MANIFEST)),
    ];
    if beginning.kind == TemplateKind::Workstation {
        // The last one: once it is there, everything is.
        files.push((paths.environment(org, &local_env()), filled(LOCAL)));
    }
    for (path, text) in files {
        if !path.exists() {
            file::write(&path, text.as_bytes(), Access::Shared)?;
        }
    }
    Ok(())
}
