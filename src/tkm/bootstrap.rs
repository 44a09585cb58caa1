//! The first key of a host: installed by a way in that there is already.

use std::path::Path;

use super::access::{self, Installation, KeyInstall};
use super::agent::install::{self, AgentPlace, Installed, Program};
use super::agent::words;
use super::audit::{self, Actor, AuditEvent};
use super::authority::{self, Authority};
use super::error::TkmError;
use super::host_user::{self, NewUser, Sudo};
use super::line::{block_of, env_of, is_bound, options};
use super::login::Login;
use super::ssh::Connection;
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
    /// A user who is made for the key, and what that user may do; none where the key is of a user who is there.
    pub user: Option<&'a NewUser>,
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
/// Fails if there is no key, no way in, or the host does not let the key in; its file of keys is then as it was, or the error says
/// so. A user who was made stays.
pub fn run(connection: &Connection, actor: Actor, wanted: &Bootstrap) -> Result<Bootstrapped, TkmError> {
    let store = connection.store;
    let mut host = connection.host.clone();
    let mut state = store.state()?;
    let no_key = || TkmError::NoKey { env: wanted.id.env.to_string() };
    let key: Key = state.active(wanted.id).cloned().ok_or_else(no_key)?;
    let public = key.public_key().ok_or_else(no_key)?;
    let new = access::login_of(store, &key)?;
    let root = wanted.user.map(|_| as_user(wanted.by, "root"));
    if let (Some(user), Some(root)) = (wanted.user, &root) {
        host_user::create(connection, root, &user.name)?;
    }
    let agent = wanted.install_agent(connection, root.as_ref())?;
    if let Some(Installed::Ready(path)) = &agent {
        host.rules.agent = Some(path.clone());
    }
    let connection = &Connection { host: &host, ..connection.clone() };
    let line = options(&host, wanted.id, &key).line(&public);
    let install = KeyInstall { by: wanted.by, new: &new, block: &block_of(wanted.id), key: &public, line };
    let installation = access::install(connection, &install)?;
    if let (Some(user), Some(root), Some(Installed::Ready(program))) = (wanted.user, &root, &agent)
        && user.sudo == Sudo::Agent
    {
        host_user::allow(connection, root, &user.name, &format!("{program} {}", words(&env_of(wanted.id))))?;
    }
    if let Some(Installed::Ready(program)) = &agent {
        install::prune(connection, root.as_ref().unwrap_or(wanted.by), program)?;
    }
    if let Some(key) = state.by_fingerprint(&key.fingerprint)
        && !key.hosts.contains(&host.name)
    {
        key.hosts.push(host.name.clone());
    }
    state.break_glass.insert(host.name.clone(), way_in(connection, wanted.by));
    let known = store.hosts()?.into_iter().map(|known| if known.name == host.name { host.clone() } else { known });
    store.write_hosts(&known.collect::<Vec<_>>())?;
    store.write_state(&state)?;
    let event = AuditEvent { event: "key-install", host: Some(host.name.as_str()), key: Some(&key.fingerprint) };
    audit::record(store, actor, event)?;
    if let Some(authority) = Authority::find(&state, wanted.id)? {
        authority.trust(connection, actor.now, wanted.by)?;
        authority::written(store, actor, &host.name, &authority.key.fingerprint)?;
    }
    Ok(Bootstrapped { fingerprint: key.fingerprint, installation, agent })
}

impl Bootstrap<'_> {
    /// Puts the program on the host that a key of staging or prod is bound to: where root alone writes, if root does it.
    fn install_agent(&self, connection: &Connection, root: Option<&Login>) -> Result<Option<Installed>, TkmError> {
        if !is_bound(&self.id.env) {
            return Ok(None);
        }
        let program = Program::read(self.program, self.version)?;
        Ok(Some(match root {
            Some(root) => program.install(connection, root, AgentPlace::OfRoot)?,
            None => program.install(connection, self.by, AgentPlace::OfUser)?,
        }))
    }
}

/// The same login, with everything done as another user.
fn as_user(by: &Login, user: &str) -> Login {
    match by {
        Login::Become { by, login, .. } => {
            Login::Become { by: by.clone(), login: login.clone(), user: user.to_owned() }
        }
        other => other.clone(),
    }
}

/// How a host is entered without a key of the store.
fn way_in(connection: &Connection, by: &Login) -> String {
    let user = connection.user_of(by);
    format!("{user} with {}", by.shown().as_deref().unwrap_or("what ssh offers by itself"))
}
