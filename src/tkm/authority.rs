//! Keys that sign certificates, let in on hosts by a line with `cert-authority`: no setting of sshd is changed.

use std::time::Duration;

use super::access::{self, Installation, KeyInstall};
use super::agent::words;
use super::audit::{self, Actor, AuditEvent};
use super::certificate::{self, Signing};
use super::error::TkmError;
use super::host::{Host, HostName};
use super::key::PublicKey;
use super::line::{block_of, env_of, is_bound, options};
use super::login::Login;
use super::ssh::Connection;
use super::state::{Key, KeyId, StoreState};
use super::store::Store;
use crate::base::time::Timestamp;
use crate::sys::file::{self, Access, FileError};

/// How long the certificate is valid that a line is verified with.
const TRIAL: Duration = Duration::from_secs(600);

/// A key that signs, and the key that tries whether a host lets in what it signed.
#[derive(Debug, Clone, Copy)]
pub struct Authority<'a> {
    /// Whose.
    pub id: &'a KeyId,
    /// What signs.
    pub key: &'a Key,
    /// The key of the environment that is used now.
    pub trial: &'a Key,
}

impl<'a> Authority<'a> {
    /// That of an environment; none if it has none.
    ///
    /// # Errors
    ///
    /// Fails if the environment has no key.
    pub fn find(state: &'a StoreState, id: &'a KeyId) -> Result<Option<Self>, TkmError> {
        let Some(key) = state.active(&id.authority()) else { return Ok(None) };
        let trial = state.active(id).ok_or_else(|| TkmError::NoKey { env: id.env.to_string() })?;
        Ok(Some(Self { id, key, trial }))
    }

    /// What a certificate for this environment may do: what its keys may do on these hosts.
    #[must_use]
    pub fn signing(&self, public: &'a PublicKey, serial: u64, hosts: &[&Host]) -> Signing<'a> {
        Signing {
            serial,
            authority: self.key,
            principal: self.id.principal(),
            public,
            identity: public.comment.clone(),
            period: TRIAL,
            command: command_of(self.id, hosts),
            networks: None,
            has_terminal: !is_bound(&self.id.env),
        }
    }

    /// Has a host let in what the key signs, by a way in that there is. A certificate of ten minutes
    /// is tried on a fresh connection; if it is refused, the file of keys is put back. The caller holds the lock.
    ///
    /// # Errors
    ///
    /// Fails as [`access::install`] does, and if nothing can be signed.
    pub fn trust(&self, connection: &Connection, now: Timestamp, by: &Login) -> Result<Installation, TkmError> {
        let (store, host) = (connection.store, connection.host);
        let no_key = || TkmError::NoKey { env: self.id.env.to_string() };
        let (public, trial) = (self.key.public_key().ok_or_else(no_key)?, self.trial.public_key().ok_or_else(no_key)?);
        let serial = certificate::free_serial(&store.state()?, now);
        let signed = certificate::sign(store, connection.variables, &self.signing(&trial, serial, &[host]))?;
        let scratch = tempfile::Builder::new().prefix(file::TEMPORARY_PREFIX).tempfile_in(store.dir());
        let scratch = scratch.map_err(FileError::io("write in", store.dir()))?;
        file::write(scratch.path(), &signed, Access::Private)?;
        let with_key = Box::new(access::login_of(store, self.trial)?);
        let new = Login::Certificate { by: with_key, file: scratch.path().to_owned() };
        let id = self.id.authority();
        let line = options(host, &id, self.key).line(&public);
        access::install(connection, &KeyInstall { by, new: &new, block: &block_of(&id), key: &public, line })
    }
}

/// What a certificate for hosts is bound to; none if they have different programs, or none: the lines of its key on the hosts say
/// it then.
fn command_of(id: &KeyId, hosts: &[&Host]) -> Option<String> {
    let program = hosts.first()?.rules.agent.as_ref().filter(|_| is_bound(&id.env))?;
    let is_same = hosts.iter().all(|host| host.rules.agent.as_ref() == Some(program));
    is_same.then(|| format!("{program} {}", words(&env_of(id))))
}

/// Notes that a host lets in what a key signs. The caller holds the lock.
///
/// # Errors
///
/// Fails if the state cannot be written.
pub fn written(store: &Store, actor: Actor, host: &HostName, fingerprint: &str) -> Result<(), TkmError> {
    let mut state = store.state()?;
    if let Some(key) = state.by_fingerprint(fingerprint)
        && !key.hosts.contains(host)
    {
        key.hosts.push(host.clone());
        store.write_state(&state)?;
        audit::record(
            store,
            actor,
            AuditEvent { event: "ca-trust", host: Some(host.as_str()), key: Some(fingerprint) },
        )?;
    }
    Ok(())
}
