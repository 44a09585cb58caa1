//! The first key of a host: installed by a way in that there is already.

use std::path::Path;

use super::access::{self, Install, Installation, LineOptions};
use super::agent::install::{Installed, Program};
use super::agent::words;
use super::audit::{self, Actor, AuditEvent};
use super::authorized_keys::ManagedBlock;
use super::error::TkmError;
use super::host::Host;
use super::ssh::{Connection, Login};
use super::state::{Key, KeyId};
use crate::base::environment::{EnvName, EnvRef, Tier};

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
        Login::Key(path) | Login::AgentKey(path) => format!("{} with {}", connection.route.user, path.display()),
        Login::Nothing | Login::Operator => format!("{} with the operator's own keys", connection.route.user),
    };
    state.break_glass.insert(host.name.clone(), way);
    let known = store.hosts()?.into_iter().map(|known| if known.name == host.name { host.clone() } else { known });
    store.write_hosts(&known.collect::<Vec<_>>())?;
    store.write_state(&state)?;
    let event =
        AuditEvent { event: "key-install", host: Some(connection.host.name.as_str()), key: Some(&key.fingerprint) };
    audit::record(store, actor, event)?;
    Ok(Bootstrapped { fingerprint: key.fingerprint, installation, agent })
}

/// What the line of a key allows.
pub(super) fn options(host: &Host, id: &KeyId, key: &Key) -> LineOptions {
    let of_host = host.rules.expires_days.map(|days| key.created.saturating_add(u64::from(days) * 86_400_000));
    let program = host.rules.agent.as_ref().filter(|_| is_bound(&id.env));
    LineOptions {
        from: host.rules.from.as_ref().map(ToString::to_string),
        expiry: key.expires.into_iter().chain(of_host).min().map(expiry_time),
        has_terminal: !is_bound(&id.env),
        command: program.map(|program| format!("{program} {}", words(&env_of(id)))),
    }
}

/// A person works in dev. In staging and prod a key does what the agent does; anything else is for the operator's own key.
#[must_use]
pub fn is_bound(env: &EnvName) -> bool {
    env.tier().is_some_and(|tier| tier > Tier::Dev)
}

fn env_of(id: &KeyId) -> EnvRef {
    EnvRef { org: id.org.clone(), env: id.env.clone() }
}

/// Where the lines of a key are.
pub(super) fn block_of(id: &KeyId) -> ManagedBlock {
    ManagedBlock::of(&env_of(id))
}

/// `YYYYMMDDHHMMZ`, as `expiry-time` takes it.
fn expiry_time(at: u64) -> String {
    let point = i64::try_from(at)
        .ok()
        .and_then(|at| jiff::Timestamp::from_millisecond(at).ok())
        .unwrap_or(jiff::Timestamp::MAX);
    point.to_zoned(jiff::tz::TimeZone::UTC).strftime("%Y%m%d%H%MZ").to_string()
}
