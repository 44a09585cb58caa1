//! What is worth a look about keys and hosts: found without a connection.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use super::error::TkmError;
use super::host::HostName;
use super::key::needs_passphrase;
use super::pins;
use super::revoke;
use super::state::{Key, KeyStatus, Purpose, StoreState};
use super::store::Store;
use crate::base::time::Timestamp;
use crate::sys::file;

/// Older keys are to be rotated.
const MAX_AGE: Duration = Duration::from_secs(180 * 24 * 3600);

/// Keys that end sooner are to be rotated.
const EXPIRY_NOTICE: Duration = Duration::from_secs(14 * 24 * 3600);

/// A key that is being replaced for longer is forgotten: by itself nothing takes it away.
const LONG_GRACE: Duration = Duration::from_secs(24 * 3600);

/// Something worth a look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Concern {
    /// A key or a host.
    pub about: String,
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub advice: String,
}

/// Everything worth a look.
///
/// # Errors
///
/// Fails if the store cannot be read.
pub fn concerns(store: &Store, now: Timestamp) -> Result<Vec<Concern>, TkmError> {
    let (state, known_hosts) = (store.state()?, store.pins()?);
    let mut found = Vec::new();
    for key in state.keys.iter().filter(|key| matches!(key.status, KeyStatus::Active | KeyStatus::Grace)) {
        found.extend(about_key(store, key, now));
    }
    let is_forgotten = |key: &&Key| key.replaced.is_some_and(|at| now.since(Timestamp(at)) > LONG_GRACE);
    for key in state.keys.iter().filter(|key| key.status == KeyStatus::Grace).filter(is_forgotten) {
        found.push(Concern {
            about: format!("key of {} ({})", key.env, key.fingerprint),
            what: format!("it was replaced, and is still let in on {}", names(&key.hosts)),
            advice: format!("tkm rotate @{} --resume", key.env),
        });
    }
    for key in revoke::pending(&state) {
        let hosts = names(&key.hosts);
        found.push(Concern {
            about: format!("key of {} ({})", key.env, key.fingerprint),
            what: format!("it is revoked, and may still be let in on {hosts}"),
            advice: "tkm revoke --resume".to_owned(),
        });
    }
    found.extend(about_certificates(&state, now));
    for host in store.hosts()? {
        let mut add = |what: &str, advice: String| {
            found.push(Concern { about: format!("host {}", host.name), what: what.to_owned(), advice });
        };
        if pins::pinned(&known_hosts, &host.name).is_empty() {
            add("its key is not pinned", pins::first_add_line(&host));
        } else if !state.keys.iter().any(|key| key.hosts.contains(&host.name)) {
            add("no key of the store is installed", format!("tkm bootstrap {}", host.name));
        }
        if state.keys.iter().any(|key| key.hosts.contains(&host.name)) && !state.break_glass.contains_key(&host.name) {
            add(
                "the keys of the store are the only known way in",
                "keep a key of your own in authorized_keys".to_owned(),
            );
        }
    }
    Ok(found)
}

fn names(hosts: &[HostName]) -> String {
    hosts.iter().map(HostName::as_str).collect::<Vec<_>>().join(", ")
}

/// Hosts that let in certificates alone are not entered without one.
fn about_certificates(state: &StoreState, now: Timestamp) -> Vec<Concern> {
    let authorities = state.keys.iter().filter(|key| key.purpose == Purpose::Ca && key.status == KeyStatus::Active);
    let concern = |authority: &Key| {
        let is_only_way = |host: &&HostName| state.let_in(host).all(|key| key.purpose == Purpose::Ca);
        let hosts: Vec<&str> = authority.hosts.iter().filter(is_only_way).map(HostName::as_str).collect();
        let valid = state.certificate_of(authority).is_some_and(|(_, certificate)| certificate.expires > now.0);
        (!hosts.is_empty() && !valid).then(|| Concern {
            about: format!("certificates of {}", authority.env),
            what: format!("none is valid, and {} accepts nothing else", hosts.join(", ")),
            advice: format!("tkm ca sign {}", authority.env),
        })
    };
    authorities.filter_map(concern).collect()
}

fn about_key(store: &Store, key: &Key, now: Timestamp) -> Vec<Concern> {
    let mut found = Vec::new();
    let is_authority = key.purpose == Purpose::Ca;
    let rotate = || match is_authority {
        true => format!("tkm revoke --key {}, then tkm ca init {}", key.fingerprint, key.env),
        false => format!("tkm rotate @{}", key.env),
    };
    let mut add = |what: String, advice: String| {
        found.push(Concern { about: format!("key of {} ({})", key.env, key.fingerprint), what, advice });
    };
    let path = store.dir().join(&key.file);
    let renew = if is_authority { rotate() } else { format!("tkm generate {}", key.env) };
    match fs::symlink_metadata(&path) {
        Err(error) => add(format!("its private half cannot be read: {error}"), renew),
        Ok(found) if found.mode() & 0o077 != 0 => {
            add(format!("mode {:04o}: other users can read it", found.mode() & 0o7777), rotate());
        }
        Ok(_) => {
            let bytes = file::read_private(&path).map(|found| zeroize::Zeroizing::new(found.bytes)).unwrap_or_default();
            if needs_passphrase(&bytes).is_none() {
                add(
                    "its private half is corrupted: ssh reads no key in it".to_owned(),
                    "restore it from a backup".to_owned(),
                );
            }
        }
    }
    if let Some(Err(error)) = key.public_key().map(|public| public.check_strength()) {
        add(error.to_string(), rotate());
    }
    let ends = |at: u64| Duration::from_millis(at.saturating_sub(now.0));
    match key.expires.map(ends) {
        Some(Duration::ZERO) => add("it has expired".to_owned(), rotate()),
        Some(left) if left < EXPIRY_NOTICE => add(format!("it expires in {} days", left.as_secs() / 86400), rotate()),
        _ => {}
    }
    if now.since(Timestamp(key.created)) > MAX_AGE {
        add("it is older than 180 days".to_owned(), rotate());
    }
    found
}
