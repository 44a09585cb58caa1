//! A key replaced on its hosts so that no one is locked out, whenever it is interrupted.
//!
//! What is written down is which host accepts which key. From that alone [`next`] says what is to be done; each step is written
//! down after it was seen to work, and may be taken again. A host has the old key, then both, then the new one: the new line is
//! verified on a fresh connection before the old key is let go, the old line is removed by a login with the new key, with the
//! host ready to put the file back by itself, and that is verified on a fresh connection again.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::access::{self, KeyInstall};
use super::audit::{self, Actor, AuditEvent};
use super::authorized_keys::has_key;
use super::error::TkmError;
use super::host::HostName;
use super::key::PublicKey;
use super::line::{block_of, options};
use super::remote;
use super::ssh::Connection;
use super::state::{Key, KeyId, KeyStatus, StoreState};
use super::store::Store;
use crate::base::time::Timestamp;

/// What is to be done on a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RotationAction {
    /// The new key is let in beside the old one.
    Add,
    /// The old key is kept until its time is over.
    Wait,
    /// The old key is no longer let in.
    Remove,
    /// It is done.
    Nothing,
}

/// Which key a host accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accepted {
    /// The old one.
    Old,
    /// Both.
    Both,
    /// The new one.
    New,
}

/// When the old key goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grace {
    /// How long both are let in.
    pub period: Duration,
    /// The time now.
    pub now: Timestamp,
}

/// What is to be done on a host next.
#[must_use]
pub fn next(old: &Key, new: &Key, host: &HostName, grace: Grace) -> RotationAction {
    let since = old.replaced.map_or(Duration::ZERO, |at| grace.now.since(Timestamp(at)));
    match (old.hosts.contains(host), new.hosts.contains(host)) {
        (false, _) => RotationAction::Nothing,
        (true, false) => RotationAction::Add,
        (true, true) if since >= grace.period => RotationAction::Remove,
        (true, true) => RotationAction::Wait,
    }
}

/// Puts a new key in the place of the active one, on this machine. The caller holds the lock.
///
/// # Errors
///
/// Fails if the state cannot be written.
pub fn begin(store: &Store, actor: Actor, old: &str, new: Key) -> Result<(), TkmError> {
    let mut state = store.state()?;
    if let Some(old) = state.by_fingerprint(old) {
        old.status = KeyStatus::Grace;
        old.replaced = Some(actor.now.0);
    }
    let fingerprint = new.fingerprint.clone();
    state.keys.push(new);
    store.write_state(&state)?;
    audit::record(store, actor, AuditEvent { event: "rotate", host: None, key: Some(&fingerprint) })
}

/// The rotation of a key, on several hosts at the same time.
pub struct Rotation<'a> {
    /// The store; the caller holds its lock.
    pub store: &'a Store,
    /// Whose key.
    pub id: &'a KeyId,
    /// Who rotates.
    pub actor: Actor<'a>,
    /// When the old key goes.
    pub grace: Grace,
    /// One host at a time writes down what it did.
    pub turn: Mutex<()>,
}

impl Rotation<'_> {
    /// Takes the steps that are due on a host; the last of them comes back.
    ///
    /// # Errors
    ///
    /// Fails as a step does. What was done before is written down.
    pub fn run(&self, connection: &Connection, say: &dyn Fn(&str)) -> Result<RotationAction, TkmError> {
        let mut last = RotationAction::Nothing;
        // A host goes through two steps at most.
        for _ in 0..3 {
            let (old, new) = self.keys()?;
            let action = next(&old, &new, &connection.host.name, self.grace);
            match action {
                RotationAction::Add => say("adding the new key, and verifying it"),
                RotationAction::Remove => say("removing the old key, and verifying the new one"),
                RotationAction::Wait | RotationAction::Nothing => {}
            }
            match action {
                RotationAction::Add => self.add(connection, &old, &new)?,
                RotationAction::Remove => self.remove(connection, &old, &new)?,
                RotationAction::Wait => return Ok(RotationAction::Wait),
                RotationAction::Nothing => return Ok(last),
            }
            last = action;
        }
        Ok(last)
    }

    fn keys(&self) -> Result<(Key, Key), TkmError> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let state = self.store.state()?;
        let no_key = || TkmError::NoKey { env: self.id.env.to_string() };
        let new = state.active(self.id).cloned().ok_or_else(no_key)?;
        Ok((state.outgoing(self.id).cloned().unwrap_or_else(|| Key { hosts: Vec::new(), ..new.clone() }), new))
    }

    fn add(&self, connection: &Connection, old: &Key, new: &Key) -> Result<(), TkmError> {
        let (by, login) = (access::login_of(self.store, old)?, access::login_of(self.store, new)?);
        let key = public(new)?;
        let line = options(connection.host, self.id, new).line(&key);
        access::install(connection, &KeyInstall { by: &by, new: &login, block: &block_of(self.id), key: &key, line })?;
        self.written(connection, "key-install", &new.fingerprint, |state| {
            if let Some(key) = state.by_fingerprint(&new.fingerprint) {
                key.hosts.push(connection.host.name.clone());
            }
        })
    }

    fn remove(&self, connection: &Connection, old: &Key, new: &Key) -> Result<(), TkmError> {
        let (login, block, gone) = (access::login_of(self.store, new)?, block_of(self.id), public(old)?);
        let before = remote::read_keys(connection, &login)?;
        let mut lines = block.lines(&before.bytes);
        lines.retain(|line| !has_key(line, &gone));
        let after = block.replace(&before.bytes, &lines);
        if after != before.bytes {
            remote::arm(connection, &login, &after)?;
            remote::write_keys(connection, &login, &before, &after)?;
            access::verify(connection, &login).map_err(|error| access::armed(connection, error))?;
        }
        // Also where it is gone already: an earlier run may have ended before it said so.
        remote::disarm(connection, &login)?;
        self.written(connection, "key-remove", &old.fingerprint, |state| {
            if let Some(key) = state.by_fingerprint(&old.fingerprint) {
                key.hosts.retain(|name| *name != connection.host.name);
            }
        })
    }

    fn written(
        &self,
        connection: &Connection,
        event: &str,
        key: &str,
        change: impl FnOnce(&mut StoreState),
    ) -> Result<(), TkmError> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let mut state = self.store.state()?;
        change(&mut state);
        self.store.write_state(&state)?;
        let host = Some(connection.host.name.as_str());
        audit::record(self.store, self.actor, AuditEvent { event, host, key: Some(key) })
    }

    /// What a host accepts, as far as was written down.
    ///
    /// # Errors
    ///
    /// Fails if the state cannot be read.
    pub fn accepted(&self, host: &HostName) -> Result<Accepted, TkmError> {
        let (old, new) = self.keys()?;
        Ok(match (old.hosts.contains(host), new.hosts.contains(host)) {
            (true, true) => Accepted::Both,
            (true, false) => Accepted::Old,
            (false, _) => Accepted::New,
        })
    }

    /// Once no host accepts the old key any more it is retired; true if it is.
    ///
    /// # Errors
    ///
    /// Fails if the state cannot be written.
    pub fn finish(&self) -> Result<bool, TkmError> {
        let mut state = self.store.state()?;
        let outgoing = state.outgoing(self.id).map(|old| (old.fingerprint.clone(), old.hosts.is_empty()));
        let Some((fingerprint, true)) = outgoing else { return Ok(outgoing.is_none()) };
        if let Some(old) = state.by_fingerprint(&fingerprint) {
            old.status = KeyStatus::Retired;
        }
        self.store.write_state(&state)?;
        audit::record(self.store, self.actor, AuditEvent { event: "key-retire", host: None, key: Some(&fingerprint) })?;
        Ok(true)
    }
}

fn public(key: &Key) -> Result<PublicKey, TkmError> {
    Ok(PublicKey::parse(&key.public)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tkm::state::Purpose;

    fn key(hosts: &[&str]) -> Key {
        Key {
            org: None,
            env: "dev".to_owned(),
            purpose: Purpose::Deploy,
            file: String::new(),
            public: String::new(),
            fingerprint: String::new(),
            created: 0,
            expires: None,
            status: KeyStatus::Active,
            hosts: hosts.iter().map(|name| name.parse().expect("a name")).collect(),
            replaced: Some(1000),
        }
    }

    #[test]
    fn no_old_key_goes_before_the_new_one_is_let_in() {
        let web: HostName = "web".parse().expect("a name");
        let at = |seconds: u64| Grace { period: Duration::from_secs(60), now: Timestamp(1000 + seconds * 1000) };
        for (old, new, seconds, expected) in [
            (&["web"][..], &[][..], 9999, RotationAction::Add),
            (&["web"], &["other"], 9999, RotationAction::Add),
            (&["web"], &["web"], 0, RotationAction::Wait),
            (&["web"], &["web"], 59, RotationAction::Wait),
            (&["web"], &["web"], 60, RotationAction::Remove),
            (&[], &["web"], 9999, RotationAction::Nothing),
            (&[], &[], 0, RotationAction::Nothing),
        ] {
            assert_eq!(next(&key(old), &key(new), &web, at(seconds)), expected, "{old:?} {new:?} {seconds}");
        }
    }
}
