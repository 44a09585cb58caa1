//! `tkm init`

use super::context::{actor, key_id};
use crate::base::environment::{EnvName, Tier};
use crate::base::fault::Fault;
use crate::command::{Command, Cx, Effect};
use crate::report::{Message, Report};
use crate::tkm::audit::{self, AuditEvent};
use crate::tkm::keygen::{self, NewKey, Passphrase};
use crate::tkm::state::Purpose;
use crate::tkm::store::{Creation, Store};
use crate::tkm::{client_config, import};

/// Set up SSH keys and server connections
///
/// Makes the store with a key for each environment but local, and takes the servers of [infrastructure] in tetra.toml as hosts.
/// The key of prod takes a passphrase: it is made by `tkm generate prod`. What is there already stays.
#[derive(Debug, clap::Args)]
pub struct Init {}

/// What an initialisation made.
pub(super) struct Initialized {
    pub(super) store: Store,
    creation: Creation,
    keys: Vec<String>,
    hosts: Vec<String>,
}

impl Command for Init {
    const NAME: &'static str = "tkm init";
    const EFFECT: Effect = Effect::Write;
    const EXAMPLES: &'static [&'static str] = &["tkm init"];

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let Initialized { store, creation, keys, hosts } = initialize(cx)?;
        let dir = store.dir().display().to_string();
        let text = match creation {
            Creation::Existed if keys.is_empty() && hosts.is_empty() => format!("TKM is already initialized in {dir}"),
            Creation::Existed => format!("completed TKM in {dir}: {}", made(&keys, &hosts)),
            Creation::Made => format!("initialized TKM in {dir}: {}", made(&keys, &hosts)),
        };
        let message = Message::new(text)
            .with("created", creation == Creation::Made)
            .with("path", dir)
            .with("keys", keys)
            .with("hosts", hosts);
        let next = match store.hosts()?.first() {
            Some(host) => format!("next: `{}`", crate::tkm::ssh::first_add_line(host)),
            None => "next: `tkm host add dev ADDRESS`, then `tkm bootstrap dev`".to_owned(),
        };
        Ok(Report::of(message).note(next))
    }
}

fn made(keys: &[String], hosts: &[String]) -> String {
    let list = |words: &[String]| if words.is_empty() { "none".to_owned() } else { words.join(", ") };
    format!("keys {}; hosts {}", list(keys), list(hosts))
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
    client_config::write(&store, cx.selection.org.as_ref())?;
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
