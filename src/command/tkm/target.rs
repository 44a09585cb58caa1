//! What keys are meant: of an environment, of hosts, or all.

use std::str::FromStr;

use super::context::key_id;
use super::generate::PurposeWord;
use crate::base::environment::EnvName;
use crate::base::fault::{Fault, FaultKind};
use crate::base::name::InvalidName;
use crate::base::sort::SortExt;
use crate::command::Cx;
use crate::tkm::error::TkmError;
use crate::tkm::host::{Host, HostName};
use crate::tkm::key::Fingerprint;
use crate::tkm::revoke::Extent;
use crate::tkm::state::{Key, KeyStatus, StoreState};
use crate::tkm::store::Store;

/// `all`, `@ENV`, or the name of a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum KeyTarget {
    All,
    Env(EnvName),
    Host(HostName),
}

impl FromStr for KeyTarget {
    type Err = InvalidName;

    fn from_str(given: &str) -> Result<Self, InvalidName> {
        match given {
            "all" => Ok(Self::All),
            _ if given.starts_with('@') => given.parse().map(Self::Env),
            _ => given.parse().map(Self::Host),
        }
    }
}

/// The keys that are meant where nothing is said of their kind.
pub(super) const DEFAULT_PURPOSE: PurposeWord = PurposeWord::Deploy;

/// Which of the keys: by its purpose or its fingerprint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum KeySelector {
    Purpose(PurposeWord),
    Fingerprint(Fingerprint),
}

impl FromStr for KeySelector {
    type Err = String;

    fn from_str(given: &str) -> Result<Self, String> {
        if given.starts_with("SHA256:") {
            return given.parse().map(Self::Fingerprint);
        }
        clap::ValueEnum::from_str(given, false)
            .map(Self::Purpose)
            .map_err(|_| "expected `deploy`, `admin`, `test`, or a fingerprint as `tkm list` shows it".to_owned())
    }
}

/// Keys, and the hosts from which they are to be taken.
#[derive(Debug)]
pub(super) struct Choice {
    pub(super) keys: Vec<Key>,
    pub(super) hosts: Vec<Host>,
    pub(super) extent: Extent,
}

/// What was asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub(super) targets: &'a [KeyTarget],
    pub(super) key: Option<&'a KeySelector>,
}

/// The keys that are meant, with the hosts that accept them or may do so.
pub(super) fn choose(cx: &Cx, store: &Store, wanted: Wanted) -> Result<Choice, Fault> {
    let (state, all) = (store.state()?, store.hosts()?);
    let mut choice = Choice { keys: Vec::new(), hosts: Vec::new(), extent: Extent::Everywhere };
    if wanted.targets.is_empty() {
        let Some(KeySelector::Fingerprint(fingerprint)) = wanted.key else {
            let fault = Fault::usage("neither a key nor an environment or host is given");
            return Err(fault.with_advice("add `@ENV`, hosts, `all`, or `--key SHA256:…`"));
        };
        choice.keys.push(by_fingerprint(&state, fingerprint)?);
    }
    for target in wanted.targets {
        match target {
            KeyTarget::All => choice.keys.extend(state.keys.iter().filter(|key| fits(cx, key, wanted.key)).cloned()),
            KeyTarget::Env(env) => choice.keys.extend(of_env(cx, &state, env, wanted.key)?),
            KeyTarget::Host(name) => {
                choice.extent = Extent::Hosts;
                let host = store.host(name)?;
                let keys = of_env(cx, &state, &host.env, wanted.key)?;
                let keys: Vec<Key> = keys.into_iter().filter(|key| key.hosts.contains(name)).collect();
                if keys.is_empty() {
                    let message = format!("`{name}` accepts no such key of `@{}`", host.env);
                    return Err(Fault::new(FaultKind::NotFound, message).with_advice(format!("`tkm host show {name}`")));
                }
                choice.keys.extend(keys);
                choice.hosts.push(host);
            }
        }
    }
    if choice.extent == Extent::Hosts && choice.hosts.len() != wanted.targets.len() {
        let fault = Fault::usage("hosts and environments cannot be given together");
        return Err(fault.with_advice("give hosts alone: elsewhere the key is used on"));
    }
    if choice.extent == Extent::Everywhere {
        choice.hosts = accepting(&state, all, &choice.keys);
    }
    choice.keys.order_by(|one, other| one.fingerprint.cmp(&other.fingerprint));
    choice.keys.dedup_by(|one, other| one.fingerprint == other.fingerprint);
    Ok(choice)
}

/// The hosts that accept keys as was seen, and those of the same environments that may: a run may have ended before it said so.
pub(super) fn accepting(state: &StoreState, all: Vec<Host>, keys: &[Key]) -> Vec<Host> {
    let is_entered = |host: &Host| state.keys.iter().any(|key| key.hosts.contains(&host.name));
    let may_accept =
        |host: &Host, key: &Key| key.hosts.contains(&host.name) || (key.env == host.env.as_str() && is_entered(host));
    all.into_iter().filter(|host| keys.iter().any(|key| may_accept(host, key))).collect()
}

fn by_fingerprint(state: &StoreState, fingerprint: &Fingerprint) -> Result<Key, Fault> {
    let found = state.keys.iter().find(|key| key.fingerprint == fingerprint.as_str());
    found.cloned().ok_or_else(|| {
        let message = format!("no key of the store has the fingerprint `{fingerprint}`");
        Fault::new(FaultKind::NotFound, message).with_advice("`tkm list` lists the keys")
    })
}

fn of_env(cx: &Cx, state: &StoreState, env: &EnvName, selector: Option<&KeySelector>) -> Result<Vec<Key>, Fault> {
    if let Some(KeySelector::Fingerprint(fingerprint)) = selector {
        let key = by_fingerprint(state, fingerprint)?;
        if key.env != env.as_str() {
            let message = format!("the key {fingerprint} is of `@{}`, not of `@{env}`", key.env);
            return Err(Fault::new(FaultKind::NotFound, message).with_advice("`tkm list` lists the keys"));
        }
        return Ok(vec![key]);
    }
    let keys = state.keys.iter().filter(|key| key.env == env.as_str() && fits(cx, key, selector));
    let keys: Vec<Key> = keys.cloned().collect();
    if keys.is_empty() {
        return Err(TkmError::NoKey { env: env.to_string() }.into());
    }
    Ok(keys)
}

/// True for a key of this organization that is used, and is for the purpose that is meant.
fn fits(cx: &Cx, key: &Key, selector: Option<&KeySelector>) -> bool {
    let purpose = match selector {
        Some(KeySelector::Fingerprint(fingerprint)) => return key.fingerprint == fingerprint.as_str(),
        Some(KeySelector::Purpose(word)) => (*word).into(),
        None => DEFAULT_PURPOSE.into(),
    };
    let is_used = matches!(key.status, KeyStatus::Active | KeyStatus::Grace);
    is_used && key.env.parse().is_ok_and(|env| key.is_of(&key_id(cx, &env, purpose)))
}
