//! `$TETRA_DIR/tkm`: keys, pins, hosts and the record of what was done with them.
//!
//! ```text
//! tkm/                       0700
//!   state.json               the keys: whose, since when, where they are installed
//!   hosts.toml               the hosts
//!   known_hosts              their keys, by name
//!   ssh_config               for other programs, made from the hosts
//!   revoked_keys             the list of revoked keys (KRL), once there is one
//!   .shared/                 0700: sockets of connections that are kept for the next command
//!   audit.jsonl              a line for each change, each with the hash of the one before
//!   keys/ORG/ENV/id_ed25519  0600; `_` is the directory of what belongs to no organization
//! ```

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::error::TkmError;
use super::host::{FromPatterns, Host, HostName, HostRules, RemotePath};
use super::state::{FORMAT, StoreState};
use crate::config::read;
use crate::sys::file::{self, Access, FileError};
use crate::sys::paths::Paths;

/// Whether a store was made or was there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Creation {
    /// It was made.
    Made,
    /// It was there.
    Existed,
}

/// The store of one operator on one machine.
#[derive(Debug, Clone)]
pub struct Store {
    dir: PathBuf,
}

#[derive(Serialize, Deserialize)]
struct HostsFile {
    version: u64,
    #[serde(default)]
    hosts: BTreeMap<HostName, HostEntry>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct HostEntry {
    address: String,
    env: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    from: Option<FromPatterns>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_days: Option<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    agent: Option<RemotePath>,
}

impl Store {
    /// The store, if it was initialised.
    ///
    /// # Errors
    ///
    /// Fails if it is open to other users.
    pub fn find(paths: &Paths) -> Result<Option<Self>, TkmError> {
        let store = Self { dir: paths.keys() };
        if !store.state_path().exists() {
            return Ok(None);
        }
        let found = fs::metadata(&store.dir).map_err(FileError::io("read the attributes of", &store.dir))?;
        let mode = found.mode() & 0o7777;
        if mode & 0o077 != 0 {
            return Err(FileError::Unsafe { path: store.dir, mode }.into());
        }
        Ok(Some(store))
    }

    /// Makes what is missing of the store.
    ///
    /// # Errors
    ///
    /// Fails if a file cannot be written, or is open to other users.
    pub fn init(paths: &Paths) -> Result<(Self, Creation), TkmError> {
        if let Some(store) = Self::find(paths)? {
            return Ok((store, Creation::Existed));
        }
        let store = Self { dir: paths.keys() };
        file::create_private_dir(&store.dir)?;
        file::create_private_dir(&store.keys_dir())?;
        let _lock = store.lock()?;
        file::remove_stale_temporaries(&store.dir);
        if !store.known_hosts().exists() {
            file::write(&store.known_hosts(), b"", Access::Private)?;
        }
        if !store.hosts_path().exists() {
            store.write_hosts(&[])?;
        }
        // Last: it is what says that the store is initialised.
        store.write_state(&StoreState::default())?;
        Ok((store, Creation::Made))
    }

    /// Its directory.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The directory of the keys.
    #[must_use]
    pub fn keys_dir(&self) -> PathBuf {
        self.dir.join("keys")
    }

    /// The pins.
    #[must_use]
    pub fn known_hosts(&self) -> PathBuf {
        self.dir.join("known_hosts")
    }

    /// The hosts.
    #[must_use]
    pub fn hosts_path(&self) -> PathBuf {
        self.dir.join("hosts.toml")
    }

    /// The configuration for other programs.
    #[must_use]
    pub fn ssh_config(&self) -> PathBuf {
        self.dir.join("ssh_config")
    }

    /// The record of what was done.
    #[must_use]
    pub fn audit(&self) -> PathBuf {
        self.dir.join("audit.jsonl")
    }

    /// The list of revoked keys, as `RevokedKeys` of sshd reads it.
    #[must_use]
    pub fn revoked_keys(&self) -> PathBuf {
        self.dir.join("revoked_keys")
    }

    fn state_path(&self) -> PathBuf {
        self.dir.join("state.json")
    }

    /// Held while anything in the store changes.
    ///
    /// # Errors
    ///
    /// Fails if another process holds it for five seconds.
    pub fn lock(&self) -> Result<File, TkmError> {
        Ok(file::lock(&self.dir)?)
    }

    /// The pins as text; empty if there are none.
    ///
    /// # Errors
    ///
    /// Fails if they cannot be read.
    pub fn pins(&self) -> Result<String, TkmError> {
        Ok(read::text_if_exists(&self.known_hosts())?.unwrap_or_default())
    }

    /// Writes the pins. The caller holds the lock.
    ///
    /// # Errors
    ///
    /// Fails if they cannot be written.
    pub fn write_pins(&self, text: &str) -> Result<(), TkmError> {
        Ok(file::write(&self.known_hosts(), text.as_bytes(), Access::Private)?)
    }

    /// The hosts, by name.
    ///
    /// # Errors
    ///
    /// Fails if the file is not valid.
    pub fn hosts(&self) -> Result<Vec<Host>, TkmError> {
        let path = self.hosts_path();
        let text = read::text_if_exists(&path)?.unwrap_or_else(|| format!("version = {FORMAT}\n"));
        let broken = |why: String| TkmError::BrokenStore { path: path.clone(), why };
        let file: HostsFile = toml::from_str(&text).map_err(|error| broken(error.to_string().trim().to_owned()))?;
        check_format(&path, file.version)?;
        let host = |(name, entry): (HostName, HostEntry)| {
            let address = entry.address.parse().map_err(|error| broken(format!("host `{name}`: {error}")))?;
            let env = entry.env.parse().map_err(|error| broken(format!("host `{name}`: {error}")))?;
            let HostEntry { from, expires_days, agent, .. } = entry;
            let rules = HostRules { from, expires_days, agent };
            Ok(Host { name, address, env, rules })
        };
        file.hosts.into_iter().map(host).collect()
    }

    /// One host.
    ///
    /// # Errors
    ///
    /// Fails if there is none of that name.
    pub fn host(&self, name: &HostName) -> Result<Host, TkmError> {
        self.hosts()?.into_iter().find(|host| host.name == *name).ok_or_else(|| TkmError::NoHost(name.clone()))
    }

    /// Writes the hosts, and the configuration that is made from them. The caller holds the lock.
    ///
    /// # Errors
    ///
    /// Fails if a file cannot be written.
    pub fn write_hosts(&self, hosts: &[Host]) -> Result<(), TkmError> {
        let entry = |host: &Host| {
            let (address, env) = (host.address.to_string(), host.env.to_string());
            let HostRules { from, expires_days, agent } = host.rules.clone();
            (host.name.clone(), HostEntry { address, env, from, expires_days, agent })
        };
        let file = HostsFile { version: FORMAT, hosts: hosts.iter().map(entry).collect() };
        let body = toml::to_string(&file).expect("names and texts can be written");
        let text = format!("# The hosts of `tkm`. Written by `tkm host`, which keeps no comments.\n{body}");
        file::write(&self.hosts_path(), text.as_bytes(), Access::Private)?;
        Ok(())
    }

    /// What is known of the keys.
    ///
    /// # Errors
    ///
    /// Fails if the file is not valid.
    pub fn state(&self) -> Result<StoreState, TkmError> {
        let path = self.state_path();
        let bytes = file::read_private(&path)?.bytes;
        let state: StoreState = serde_json::from_slice(&bytes)
            .map_err(|error| TkmError::BrokenStore { path: path.clone(), why: error.to_string() })?;
        check_format(&path, state.version)?;
        Ok(state)
    }

    /// Writes what is known of the keys. The caller holds the lock.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be written.
    pub fn write_state(&self, state: &StoreState) -> Result<(), TkmError> {
        let mut bytes = serde_json::to_vec_pretty(state).expect("names and texts can be written");
        bytes.push(b'\n');
        Ok(file::write(&self.state_path(), &bytes, Access::Private)?)
    }
}

fn check_format(path: &Path, found: u64) -> Result<(), TkmError> {
    if found > FORMAT {
        return Err(TkmError::NewerFormat { path: path.to_owned(), found, known: FORMAT });
    }
    Ok(())
}
