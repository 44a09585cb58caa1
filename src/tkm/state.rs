//! The keys of an operator on one machine, and what has become of each.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::host::HostName;
use super::key::PublicKey;
use crate::base::environment::EnvName;
use crate::base::name::OrgName;
use crate::base::time::Timestamp;

/// The format of `hosts.toml` and `state.json`.
pub const FORMAT: u64 = 1;

/// What a key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// What tetra does on the hosts.
    #[default]
    Deploy,
    /// A person at work.
    Admin,
    /// Trying out.
    Test,
}

impl Purpose {
    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Deploy => "deploy",
            Self::Admin => "admin",
            Self::Test => "test",
        }
    }
}

/// Whose key one is: of an environment, for a purpose.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyId {
    /// The organization, if one is chosen.
    pub org: Option<OrgName>,
    /// The environment.
    pub env: EnvName,
    /// What it is for.
    pub purpose: Purpose,
}

impl KeyId {
    /// Its directory below `keys/`.
    #[must_use]
    pub fn directory(&self) -> String {
        format!("{}/{}", self.org.as_ref().map_or("_", OrgName::as_str), self.env)
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(org) = &self.org {
            write!(f, "{org}/")?;
        }
        write!(f, "{} {}", self.env, self.purpose.word())
    }
}

/// What has become of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyStatus {
    /// It is used.
    Active,
    /// Being replaced: both are let in.
    Grace,
    /// Replaced everywhere.
    Retired,
    /// No longer to be let in anywhere.
    Revoked,
}

impl KeyStatus {
    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Grace => "grace",
            Self::Retired => "retired",
            Self::Revoked => "revoked",
        }
    }
}

/// A key and where it is let in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    /// The organization; none for what belongs to none.
    pub org: Option<String>,
    /// The environment.
    pub env: String,
    /// What it is for.
    pub purpose: Purpose,
    /// The private key, below the store.
    pub file: String,
    /// The line of its `.pub` file.
    pub public: String,
    /// Of the public key.
    pub fingerprint: String,
    /// When it was made, in milliseconds since 1970.
    pub created: u64,
    /// When hosts stop to accept it, in milliseconds since 1970.
    pub expires: Option<u64>,
    /// What has become of it.
    pub status: KeyStatus,
    /// The hosts that accept it, as far as was seen.
    pub hosts: Vec<HostName>,
    /// When another key took its place, in milliseconds since 1970.
    #[serde(default)]
    pub replaced: Option<u64>,
}

impl Key {
    /// True if it is the key of `id`.
    #[must_use]
    pub fn is_of(&self, id: &KeyId) -> bool {
        self.org.as_deref() == id.org.as_ref().map(OrgName::as_str)
            && self.env == id.env.as_str()
            && self.purpose == id.purpose
    }

    /// Whose it is; none if the file of the store was changed by hand.
    #[must_use]
    pub fn id(&self) -> Option<KeyId> {
        let org = self.org.as_deref().map(str::parse).transpose().ok()?;
        Some(KeyId { org, env: self.env.parse().ok()?, purpose: self.purpose })
    }

    /// Its public half; none if the file of the store was changed by hand.
    #[must_use]
    pub fn public_key(&self) -> Option<PublicKey> {
        PublicKey::parse(&self.public).ok()
    }

    /// True once hosts do not accept it any more.
    #[must_use]
    pub fn has_expired(&self, now: Timestamp) -> bool {
        self.expires.is_some_and(|at| at <= now.0)
    }
}

/// All keys, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// The format.
    pub version: u64,
    /// Oldest first.
    pub keys: Vec<Key>,
    /// How a host is entered without a key of the store: as `bootstrap` did.
    #[serde(default)]
    pub break_glass: BTreeMap<HostName, String>,
}

impl Default for State {
    fn default() -> Self {
        Self { version: FORMAT, keys: Vec::new(), break_glass: BTreeMap::new() }
    }
}

impl State {
    /// The key that is used.
    #[must_use]
    pub fn active(&self, id: &KeyId) -> Option<&Key> {
        self.keys.iter().rev().find(|key| key.is_of(id) && key.status == KeyStatus::Active)
    }

    /// The key that a host accepts: while a key is being replaced, that of a host which was not reached is the old one.
    #[must_use]
    pub fn accepted(&self, id: &KeyId, host: &HostName) -> Option<&Key> {
        let accepts = |status| {
            self.keys.iter().rev().find(|key| key.is_of(id) && key.status == status && key.hosts.contains(host))
        };
        accepts(KeyStatus::Active).or_else(|| accepts(KeyStatus::Grace)).or_else(|| self.active(id))
    }

    /// The keys that a host accepts, as far as was seen, the newest first.
    pub fn let_in<'a>(&'a self, host: &'a HostName) -> impl Iterator<Item = &'a Key> {
        let is_used = |key: &&Key| matches!(key.status, KeyStatus::Active | KeyStatus::Grace);
        self.keys.iter().rev().filter(is_used).filter(|key| key.hosts.contains(host))
    }

    /// The key that is being replaced.
    #[must_use]
    pub fn outgoing(&self, id: &KeyId) -> Option<&Key> {
        self.keys.iter().find(|key| key.is_of(id) && key.status == KeyStatus::Grace)
    }

    /// A key by its fingerprint, to be changed.
    pub fn by_fingerprint(&mut self, fingerprint: &str) -> Option<&mut Key> {
        self.keys.iter_mut().find(|key| key.fingerprint == fingerprint)
    }
}
