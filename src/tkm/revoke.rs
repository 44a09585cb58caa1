//! Keys that are no longer let in on hosts.
//!
//! What is written down first is that a key is revoked, and the hosts that accept it still; a host leaves that list once its
//! file of keys was seen without the key, and a login by another way worked after that. So a run that was interrupted is
//! taken up from the state alone. A host that would be left without another way in is not touched.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use super::access;
use super::agent::protocol::Request;
use super::audit::{self, Actor, AuditEvent};
use super::authorized_keys::without_keys;
use super::error::TkmError;
use super::host::HostName;
use super::key::PublicKey;
use super::krl::{self, KrlEntries, KrlHosts};
use super::login::Login;
use super::own_keys;
use super::remote;
use super::ssh::Connection;
use super::state::{Key, KeyStatus, StoreState};
use super::store::Store;
use crate::base::fault::{FaultKind, UserFacingError};

/// How far a key is taken away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// Everywhere, and for good: it goes on the list of revoked keys.
    Everywhere,
    /// From hosts; elsewhere it is used on.
    Hosts,
}

impl Extent {
    /// The word for a host that does not let the keys in any more.
    #[must_use]
    pub fn gone(self) -> &'static str {
        match self {
            Self::Everywhere => "revoked",
            Self::Hosts => "removed",
        }
    }
}

/// Keys to be taken away, from several hosts at the same time.
pub struct Revocation<'a> {
    /// The store; the caller holds its lock.
    pub store: &'a Store,
    /// The keys.
    pub keys: Vec<Key>,
    /// How far.
    pub extent: Extent,
    /// Who does it.
    pub actor: Actor<'a>,
    /// One host at a time writes down what it did.
    pub turn: Mutex<()>,
}

impl Revocation<'_> {
    /// A way into a host without the keys that go, tried on a fresh connection: another key of the store, or `given`.
    ///
    /// # Errors
    ///
    /// Fails with [`TkmError::LastWayIn`] if the host answers and there is none, else as the connection does.
    pub fn other_way(&self, connection: &Connection, given: &Login) -> Result<Login, TkmError> {
        let name = &connection.host.name;
        let state = self.store.state()?;
        let is_kept = |key: &&Key| self.keys.iter().all(|gone| gone.fingerprint != key.fingerprint);
        for key in state.let_in(name).filter(is_kept) {
            match access::way_of(self.store, key) {
                Ok(Some(login)) if self.opens(connection, &login)? => return Ok(login),
                Err(error) if !access::is_about_key(&error) => return Err(error),
                Ok(_) | Err(_) => {}
            }
        }
        match own_keys::settle(connection, given) {
            Ok(given) if self.opens(connection, &given)? => return Ok(given),
            Err(error) if error.kind() != FaultKind::Auth || matches!(error, TkmError::SeveralKeys { .. }) => {
                return Err(error);
            }
            Ok(_) | Err(_) => {}
        }
        Err(TkmError::LastWayIn(format!("no other way to log in on `{name}` works than the key that is revoked")))
    }

    /// True if a login works, and not because of a key that goes.
    fn opens(&self, connection: &Connection, login: &Login) -> Result<bool, TkmError> {
        match self.greet(connection, login) {
            Err(error) if access::is_about_key(&error) => Ok(false),
            found => found,
        }
    }

    /// True if what a login runs works; false if the key that was let in is one that goes.
    fn greet(&self, connection: &Connection, login: &Login) -> Result<bool, TkmError> {
        let answer = connection.perform(login, &Request::Hello)?;
        let by = answer.accepted.as_ref().map(super::key::Fingerprint::as_str);
        Ok(answer.status == 0 && self.keys.iter().all(|gone| by != Some(gone.fingerprint.as_str())))
    }

    /// Writes down that the keys are revoked, before any host is changed.
    ///
    /// # Errors
    ///
    /// Fails if the state or the list of revoked keys cannot be written.
    pub fn begin(&self, variables: &BTreeMap<String, String>) -> Result<(), TkmError> {
        if self.extent == Extent::Hosts {
            return Ok(());
        }
        let mut state = self.store.state()?;
        for gone in &self.keys {
            if let Some(key) = state.by_fingerprint(&gone.fingerprint)
                && key.status != KeyStatus::Revoked
            {
                key.status = KeyStatus::Revoked;
                let event = AuditEvent { event: "key-revoke", host: None, key: Some(&gone.fingerprint) };
                audit::record(self.store, self.actor, event)?;
            }
        }
        self.store.write_state(&state)?;
        krl::add(self.store, &KrlEntries::Keys(self.public_keys()), variables)
    }

    /// Takes the keys away from a host, by a login that was seen to work.
    ///
    /// # Errors
    ///
    /// Fails as a step does. The host keeps its place among those that accept the keys, and puts its file back if no login was
    /// possible after the change.
    pub fn run(&self, connection: &Connection, by: &Login) -> Result<KrlHosts, TkmError> {
        let keys = self.public_keys();
        let before = remote::read_keys(connection, by)?;
        let after = without_keys(&before.bytes, &keys);
        if after != before.bytes {
            remote::arm(connection, by, &after)?;
            remote::write_keys(connection, by, &before, &after)?;
        }
        let list = match self.extent {
            Extent::Everywhere => krl::push(connection, by, &KrlEntries::Keys(keys))?,
            Extent::Hosts => KrlHosts::Unused,
        };
        if after != before.bytes || list == KrlHosts::Updated {
            let fresh = connection.on_fresh_connection(by);
            if !self.greet(fresh, by).map_err(|error| access::armed(connection, error))? {
                let name = connection.host.name.clone();
                let why = "the key that was let in is the one that goes".to_owned();
                return Err(TkmError::Armed { name, seconds: remote::RESTORE_AFTER, why });
            }
        }
        // Also where nothing changed: an earlier run may have ended before it said so.
        remote::disarm(connection, by)?;
        self.written(&connection.host.name)?;
        Ok(list)
    }

    fn public_keys(&self) -> Vec<PublicKey> {
        self.keys.iter().filter_map(Key::public_key).collect()
    }

    fn written(&self, host: &HostName) -> Result<(), TkmError> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let mut state = self.store.state()?;
        for gone in &self.keys {
            if let Some(key) = state.by_fingerprint(&gone.fingerprint)
                && key.hosts.contains(host)
            {
                key.hosts.retain(|name| name != host);
                let event = AuditEvent { event: "key-remove", host: Some(host.as_str()), key: Some(&gone.fingerprint) };
                audit::record(self.store, self.actor, event)?;
            }
        }
        self.store.write_state(&state)
    }
}

/// The keys that are revoked and still let in somewhere.
pub fn pending(state: &StoreState) -> impl Iterator<Item = &Key> {
    state.keys.iter().filter(|key| key.status == KeyStatus::Revoked && !key.hosts.is_empty())
}
