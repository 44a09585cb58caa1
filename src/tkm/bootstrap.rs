//! The first key of a host: installed by a way in that there is already.

use super::access::{self, Install, Installation, LineOptions};
use super::audit::{self, Actor, AuditEvent};
use super::authorized_keys::ManagedBlock;
use super::error::TkmError;
use super::ssh::{Connection, Login};
use super::state::{Key, KeyId};
use crate::base::environment::{EnvRef, Tier};

/// What a bootstrap is asked to do.
#[derive(Debug, Clone)]
pub struct Bootstrap<'a> {
    /// The way in that there is.
    pub by: &'a Login,
    /// The key that shall be let in.
    pub id: &'a KeyId,
    /// Addresses that may use it.
    pub from: Option<String>,
}

/// What a bootstrap did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bootstrapped {
    /// The fingerprint of the key that is let in now.
    pub fingerprint: String,
    /// Whether it was so already.
    pub installation: Installation,
}

/// Lets the key of an environment in on a host, and writes down how that was done. The caller holds the lock.
///
/// # Errors
///
/// Fails if there is no key, no way in, or the host does not let the key in; the host is then as it was, or the error says so.
pub fn run(connection: &Connection, actor: Actor, wanted: &Bootstrap) -> Result<Bootstrapped, TkmError> {
    let store = connection.store;
    let mut state = store.state()?;
    let no_key = || TkmError::NoKey { env: wanted.id.env.to_string() };
    let key: Key = state.active(wanted.id).cloned().ok_or_else(no_key)?;
    let public = key.public_key().ok_or_else(no_key)?;
    let new = access::login_of(store, &key)?;
    let line = LineOptions { from: wanted.from.clone(), ..options(wanted.id, &key) }.line(&public);
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
    state.break_glass.insert(connection.host.name.clone(), way);
    store.write_state(&state)?;
    let event =
        AuditEvent { event: "key-install", host: Some(connection.host.name.as_str()), key: Some(&key.fingerprint) };
    audit::record(store, actor, event)?;
    Ok(Bootstrapped { fingerprint: key.fingerprint, installation })
}

/// What the line of a key allows.
pub(super) fn options(id: &KeyId, key: &Key) -> LineOptions {
    LineOptions {
        from: None,
        expiry: key.expires.map(expiry_time),
        // A person works in dev; in the others a terminal is for the operator's own key.
        has_terminal: id.env.tier().is_none_or(|tier| tier <= Tier::Dev),
    }
}

/// Where the lines of a key are.
pub(super) fn block_of(id: &KeyId) -> ManagedBlock {
    ManagedBlock::of(&EnvRef { org: id.org.clone(), env: id.env.clone() })
}

/// `YYYYMMDDHHMMZ`, as `expiry-time` takes it.
fn expiry_time(at: u64) -> String {
    let point = i64::try_from(at)
        .ok()
        .and_then(|at| jiff::Timestamp::from_millisecond(at).ok())
        .unwrap_or(jiff::Timestamp::MAX);
    point.to_zoned(jiff::tz::TimeZone::UTC).strftime("%Y%m%d%H%MZ").to_string()
}
