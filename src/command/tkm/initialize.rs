//! Making the store, for `tkm init` and `TKM_AUTO_INIT=true`.

use crate::base::environment::{EnvName, Tier};
use crate::base::fault::Fault;
use crate::command::Cx;
use crate::tkm::audit::{self, Actor, AuditEvent};
use crate::tkm::keygen::{self, NewKey, Passphrase};
use crate::tkm::state::{KeyId, Purpose};
use crate::tkm::store::{Creation, Store};
use crate::tkm::{client_config, import};

/// What an initialisation made.
pub(super) struct Initialized {
    pub(super) store: Store,
    pub(super) creation: Creation,
    pub(super) keys: Vec<String>,
    pub(super) hosts: Vec<String>,
}

/// The key of an environment.
pub(super) fn key_id(cx: &Cx, env: &EnvName, purpose: Purpose) -> KeyId {
    KeyId { org: cx.selection.org.clone(), env: env.clone(), purpose }
}

/// Who acts, now.
pub(super) fn actor<'a>(cx: &Cx<'a>) -> Actor<'a> {
    Actor { user: cx.host.user(), now: cx.host.now() }
}

/// Makes what is missing.
pub(super) fn initialize(cx: &Cx) -> Result<Initialized, Fault> {
    // What cannot be read is found out before anything is made.
    let servers = import::infrastructure(cx.host.cwd())?;
    let (store, creation) = Store::init(cx.paths)?;
    let _lock = store.lock()?;
    let mut hosts = store.hosts()?;
    let new: Vec<_> = servers.into_iter().filter(|new| hosts.iter().all(|known| known.name != new.name)).collect();
    let added: Vec<String> = new.iter().map(|host| host.name.to_string()).collect();
    if !new.is_empty() {
        hosts.extend(new);
        store.write_hosts(&hosts)?;
    }
    let keys = missing_keys(cx, &store)?;
    client_config::write(&store, cx.selection.org.as_ref(), cx.host.variables())?;
    if creation == Creation::Made {
        audit::record(&store, actor(cx), AuditEvent { event: "init", host: None, key: None })?;
    }
    Ok(Initialized { store, creation, keys, hosts: added })
}

/// Makes a key for each built-in environment that has none and needs no passphrase; their names.
fn missing_keys(cx: &Cx, store: &Store) -> Result<Vec<String>, Fault> {
    let mut made = Vec::new();
    for tier in [Tier::Dev, Tier::Staging] {
        let env: EnvName = tier.to_string().parse()?;
        let id = key_id(cx, &env, Purpose::Deploy);
        let mut state = store.state()?;
        if state.keys.iter().any(|key| key.is_of(&id)) {
            continue;
        }
        let new = NewKey { id: &id, passphrase: Passphrase::None, algorithm: "ed25519", expires: None };
        let key = keygen::generate(store, cx.host, actor(cx), &new)?;
        let fingerprint = key.fingerprint.clone();
        state.keys.push(key);
        store.write_state(&state)?;
        audit::record(store, actor(cx), AuditEvent { event: "key-generate", host: None, key: Some(&fingerprint) })?;
        made.push(env.to_string());
    }
    Ok(made)
}
