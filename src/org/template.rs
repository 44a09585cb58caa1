//! The files of a new organization.

use std::fs;

use super::error::OrgError;
use super::store::{Store, local};
use crate::base::name::OrgName;
use crate::sys::file::{self, Access};
use crate::sys::paths::Paths;

const MANIFEST: &str = include_str!("templates/manifest.toml");
const LOCAL: &str = include_str!("templates/local.toml");
const IGNORED: &str = include_str!("templates/gitignore");
const IGNORED_SECRETS: &str = "*\n!.gitignore\n";

/// What a new organization is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Environments are made here.
    Workshop,
    /// They are copied here: there is no local.toml.
    Server,
}

/// Makes an organization; one that is there stays as it is. True if it was made. `user` owns the services of local.toml.
///
/// # Errors
///
/// Fails if a file cannot be written. Then there is no such organization, unless there was its folder before.
pub fn init(paths: &Paths, org: &OrgName, (purpose, user): (Purpose, &str)) -> Result<bool, OrgError> {
    let folder = paths.org(org);
    let known = folder.is_dir();
    if known && (purpose == Purpose::Server || paths.environment(org, &local()).exists()) {
        return Ok(false);
    }
    let made = make(paths, org, (purpose, user));
    if made.is_err() && !known {
        // Half an organization would count as one. The failure that is told is the one before this.
        let _ = fs::remove_dir_all(&folder);
    }
    made.map(|()| true)
}

fn make(paths: &Paths, org: &OrgName, (purpose, user): (Purpose, &str)) -> Result<(), OrgError> {
    let folder = paths.org(org);
    let environments = folder.join("environments");
    for made in [&folder, &environments, &paths.profiles(org), &paths.versions(org)] {
        file::folder(made)?;
    }
    let store = Store::open(paths, org)?;
    let _lock = store.lock()?;
    let secrets = folder.join("secrets");
    file::private_folder(&secrets)?;
    [&folder, &environments, &secrets].into_iter().for_each(|made| file::sweep(made));
    let filled =
        |text: &str| text.replace("@ORG@", org.as_str()).replace("@USER@", user).replace("@OS@", std::env::consts::OS);
    let mut files = vec![
        (folder.join(".gitignore"), IGNORED.to_owned()),
        (secrets.join(".gitignore"), IGNORED_SECRETS.to_owned()),
        (paths.manifest(org), filled(MANIFEST)),
    ];
    if purpose == Purpose::Workshop {
        // The last one: once it is there, everything is.
        files.push((paths.environment(org, &local()), filled(LOCAL)));
    }
    for (path, text) in files {
        if !path.exists() {
            file::write(&path, text.as_bytes(), Access::Shared)?;
        }
    }
    Ok(())
}
