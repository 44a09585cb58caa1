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
    /// Signing certificates.
    Ca,
}

impl Purpose {
    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Deploy => "deploy",
            Self::Admin => "admin",
            Self::Test => "test",
            Self::Ca => "ca",
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

    /// What certificates of the environment are made out to.
    #[must_use]
    pub fn principal(&self) -> String {
        format!("tetra:{}", self.directory().trim_start_matches("_/"))
    }

    /// The key that signs certificates for the same environment.
    #[must_use]
    pub fn authority(&self) -> Self {
        Self { purpose: Purpose::Ca, ..self.clone() }
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

/// A certificate that was made on this machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// Its number, which no other of this machine has.
    pub serial: u64,
    /// The fingerprint of the key that signed it.
    pub authority: String,
    /// The fingerprint of the key that it is of.
    pub key: String,
    /// What sshd writes in its log.
    pub identity: String,
    /// What it is made out to.
    pub principal: String,
    /// When it was made, in milliseconds since 1970.
    pub created: u64,
    /// When it ends, in milliseconds since 1970.
    pub expires: u64,
    /// Where it is, below the store; none if it was made for a key of someone else.
    pub file: Option<String>,
    /// It is on the list of revoked keys.
    #[serde(default)]
    pub is_revoked: bool,
}

/// All keys, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreState {
    /// The format.
    pub version: u64,
    /// Oldest first.
    pub keys: Vec<Key>,
    /// How a host is entered without a key of the store: as `bootstrap` did.
    #[serde(default)]
    pub break_glass: BTreeMap<HostName, String>,
    /// What the keys for certificates signed, oldest first. Those that ended long ago are left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub certificates: Vec<Certificate>,
}

impl Default for StoreState {
    fn default() -> Self {
        Self { version: FORMAT, keys: Vec::new(), break_glass: BTreeMap::new(), certificates: Vec::new() }
    }
}

impl StoreState {
    /// The key that is used.
    #[must_use]
    pub fn active(&self, id: &KeyId) -> Option<&Key> {
        self.keys.iter().rev().find(|key| key.is_of(id) && key.status == KeyStatus::Active)
    }

    /// The key that a host accepts: while a key is being replaced, that of a host which was not reached is the old one. It is that
    /// which signs certificates where the host accepts nothing else.
    #[must_use]
    pub fn accepted(&self, id: &KeyId, host: &HostName) -> Option<&Key> {
        let accepts = |status| {
            self.keys.iter().rev().find(|key| key.is_of(id) && key.status == status && key.hosts.contains(host))
        };
        accepts(KeyStatus::Active)
            .or_else(|| accepts(KeyStatus::Grace))
            .or_else(|| self.active(&id.authority()).filter(|ca| ca.hosts.contains(host)))
            .or_else(|| self.active(id))
    }

    /// The keys that a host accepts, as far as was seen, the newest first; those that sign certificates last.
    pub fn let_in<'a>(&'a self, host: &'a HostName) -> impl Iterator<Item = &'a Key> {
        let is_used = |key: &&Key| matches!(key.status, KeyStatus::Active | KeyStatus::Grace);
        let of = move |is_authority: bool| {
            let all = self.keys.iter().rev().filter(is_used).filter(|key| key.hosts.contains(host));
            all.filter(move |key| (key.purpose == Purpose::Ca) == is_authority)
        };
        of(false).chain(of(true))
    }

    /// True if a host accepts a key of `id`, as far as was seen: the one that is used, the one that it replaces, or certificates.
    #[must_use]
    pub fn is_let_in(&self, id: &KeyId, host: &HostName) -> bool {
        self.let_in(host).any(|key| key.is_of(id) || key.is_of(&id.authority()))
    }

    /// The key that is being replaced.
    #[must_use]
    pub fn outgoing(&self, id: &KeyId) -> Option<&Key> {
        self.keys.iter().find(|key| key.is_of(id) && key.status == KeyStatus::Grace)
    }

    /// The last certificate that a key made, with the key of the store that it is of.
    #[must_use]
    pub fn certificate_of(&self, authority: &Key) -> Option<(&Key, &Certificate)> {
        let is_its = |known: &&Certificate| known.authority == authority.fingerprint && !known.is_revoked;
        self.certificates.iter().rev().filter(is_its).find_map(|known| {
            known.file.as_ref()?;
            Some((self.keys.iter().find(|key| key.fingerprint == known.key)?, known))
        })
    }

    /// A key by its fingerprint, to be changed.
    pub fn by_fingerprint(&mut self, fingerprint: &str) -> Option<&mut Key> {
        self.keys.iter_mut().find(|key| key.fingerprint == fingerprint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(purpose: Purpose, status: KeyStatus, host: Option<&str>) -> Key {
        Key {
            org: None,
            env: "dev".to_owned(),
            purpose,
            file: String::new(),
            public: String::new(),
            fingerprint: format!("{purpose:?} {status:?}"),
            created: 0,
            expires: None,
            status,
            hosts: host.map(|name| name.parse().expect("a name")).into_iter().collect(),
            replaced: None,
        }
    }

    #[test]
    fn a_host_is_entered_by_a_key_that_it_accepts_and_else_by_a_certificate() {
        use KeyStatus::{Active, Grace, Revoked};
        let web: HostName = "web".parse().expect("a name");
        let id = KeyId { org: None, env: "dev".parse().expect("a name"), purpose: Purpose::Deploy };
        for (keys, expected) in [
            (vec![(Purpose::Deploy, Active, None)], "Deploy Active"),
            (vec![(Purpose::Ca, Active, Some("web")), (Purpose::Deploy, Active, Some("web"))], "Deploy Active"),
            (vec![(Purpose::Ca, Active, Some("web")), (Purpose::Deploy, Active, None)], "Ca Active"),
            (vec![(Purpose::Ca, Active, Some("other")), (Purpose::Deploy, Active, None)], "Deploy Active"),
            (vec![(Purpose::Ca, Revoked, Some("web")), (Purpose::Deploy, Active, None)], "Deploy Active"),
            (
                vec![
                    (Purpose::Ca, Active, Some("web")),
                    (Purpose::Deploy, Grace, Some("web")),
                    (Purpose::Deploy, Active, None),
                ],
                "Deploy Grace",
            ),
        ] {
            let keys = keys.into_iter().map(|(purpose, status, host)| key(purpose, status, host)).collect();
            let state = StoreState { keys, ..StoreState::default() };
            assert_eq!(state.accepted(&id, &web).expect("a key").fingerprint, expected);
            let last = state.let_in(&web).last();
            assert!(last.is_none_or(|key| key.purpose == Purpose::Ca || state.let_in(&web).count() == 1));
        }
    }
}
