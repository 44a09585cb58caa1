//! The first key of a host: installed by a way in that there is already.

use std::path::Path;

use super::access::{self, Install, Installation};
use super::agent::install::{Installed, Program};
use super::audit::{self, Actor, AuditEvent};
use super::authority::{self, Authority};
use super::error::TkmError;
use super::line::{block_of, is_bound, options};
use super::ssh::{Connection, Login};
use super::state::{Key, KeyId};

/// What a bootstrap is asked to do.
#[derive(Debug, Clone)]
pub struct Bootstrap<'a> {
    /// The way in that there is.
    pub by: &'a Login,
    /// The key that shall be let in.
    pub id: &'a KeyId,
    /// This program, which a key of staging or prod is bound to.
    pub program: &'a Path,
    /// Its version.
    pub version: &'static str,
}

/// What a bootstrap did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bootstrapped {
    /// The fingerprint of the key that is let in now.
    pub fingerprint: String,
    /// Whether it was so already.
    pub installation: Installation,
    /// What the key is bound to; none for a key that is not bound.
    pub agent: Option<Installed>,
}

/// Lets the key of an environment in on a host, and writes down how that was done, also the host itself. The caller holds the
/// lock.
///
/// # Errors
///
/// Fails if there is no key, no way in, or the host does not let the key in; the host is then as it was, or the error says so.
pub fn run(connection: &Connection, actor: Actor, wanted: &Bootstrap) -> Result<Bootstrapped, TkmError> {
    let store = connection.store;
    let mut host = connection.host.clone();
    let mut state = store.state()?;
    let no_key = || TkmError::NoKey { env: wanted.id.env.to_string() };
    let key: Key = state.active(wanted.id).cloned().ok_or_else(no_key)?;
    let public = key.public_key().ok_or_else(no_key)?;
    let new = access::login_of(store, &key)?;
    let agent = if is_bound(&wanted.id.env) {
        Some(Program::read(wanted.program, wanted.version)?.install(connection, wanted.by)?)
    } else {
        None
    };
    if let Some(Installed::Ready(path)) = &agent {
        host.rules.agent = Some(path.clone());
    }
    let connection = &Connection { host: &host, ..connection.clone() };
    let line = options(&host, wanted.id, &key).line(&public);
    let install = Install { by: wanted.by, new: &new, block: &block_of(wanted.id), key: &public, line };
    let installation = access::install(connection, &install)?;
    if let Some(key) = state.by_fingerprint(&key.fingerprint)
        && !key.hosts.contains(&connection.host.name)
    {
        key.hosts.push(connection.host.name.clone());
    }
    let way = match wanted.by {
        Login::Key(path) | Login::AgentKey(path) | Login::Certificate { file: path, .. } => {
            format!("{} with {}", connection.route.user, path.display())
        }
        Login::Nothing | Login::Operator => format!("{} with the operator's own keys", connection.route.user),
    };
    state.break_glass.insert(host.name.clone(), way);
    let known = store.hosts()?.into_iter().map(|known| if known.name == host.name { host.clone() } else { known });
    store.write_hosts(&known.collect::<Vec<_>>())?;
    store.write_state(&state)?;
    let event =
        AuditEvent { event: "key-install", host: Some(connection.host.name.as_str()), key: Some(&key.fingerprint) };
    audit::record(store, actor, event)?;
    if let Some(authority) = Authority::find(&state, wanted.id)? {
        authority.trust(connection, actor.now, wanted.by)?;
        authority::written(store, actor, &host.name, &authority.key.fingerprint)?;
    }
    Ok(Bootstrapped { fingerprint: key.fingerprint, installation, agent })
}
