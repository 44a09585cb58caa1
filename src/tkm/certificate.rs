//! User certificates: a key of an environment signs others for a while, and its hosts let in what it signed.
//!
//! `ssh-keygen` signs. What a certificate allows is said twice, in it and in the line of its key on a host; sshd allows what both
//! allow, and refuses one that is bound to another command than the line.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use super::access;
use super::error::TkmError;
use super::key::PublicKey;
use super::keygen::{self, Call, public_path};
use super::log;
use super::login::Login;
use super::state::{Certificate, Key, StoreState};
use super::store::Store;
use crate::base::time::Timestamp;
use crate::disk;
use crate::sys::child::ChildExit;
use crate::sys::file::{self, Access, FileError};

/// How long before it is made a certificate is valid: clocks differ.
const SKEW: &str = "-5m";

/// How long one that ended is kept in the list.
const KEPT: Duration = Duration::from_secs(30 * 24 * 3600);

/// Networks of `source-address`: addresses, or addresses with the length of a prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Networks(String);

impl FromStr for Networks {
    type Err = String;

    fn from_str(given: &str) -> Result<Self, String> {
        let is_network = |text: &str| {
            let (address, prefix) =
                text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
            let most = match address.parse() {
                Ok(IpAddr::V4(_)) => 32,
                Ok(IpAddr::V6(_)) => 128,
                Err(_) => return false,
            };
            prefix.is_none_or(|prefix| prefix.parse::<u8>().is_ok_and(|length| length <= most))
        };
        if given.len() <= 1024 && given.split(',').all(is_network) {
            Ok(Self(given.to_owned()))
        } else {
            Err("expected addresses or networks with commas between them, such as `10.0.0.0/8,192.0.2.7`".to_owned())
        }
    }
}

impl fmt::Display for Networks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// What is signed, and what it allows.
#[derive(Debug, Clone)]
pub struct Signing<'a> {
    /// Its number, as [`free_serial`] finds it.
    pub serial: u64,
    /// What signs.
    pub authority: &'a Key,
    /// What it is made out to.
    pub principal: String,
    /// The key.
    pub public: &'a PublicKey,
    /// What sshd writes in its log.
    pub identity: String,
    /// How long it is valid.
    pub period: Duration,
    /// `force-command`: what runs instead of anything else.
    pub command: Option<String>,
    /// `source-address`: networks that may use it.
    pub networks: Option<Networks>,
    /// A terminal may be asked for.
    pub has_terminal: bool,
}

impl Signing<'_> {
    /// What is noted of it, with where it is below the store.
    #[must_use]
    pub fn made(&self, file: Option<String>, now: Timestamp) -> Certificate {
        Certificate {
            serial: self.serial,
            authority: self.authority.fingerprint.clone(),
            key: self.public.fingerprint.to_string(),
            identity: self.identity.clone(),
            principal: self.principal.clone(),
            created: now.0,
            expires: now.after(self.period).0,
            file,
            is_revoked: false,
        }
    }
}

/// Signs. The certificate as the line of a file comes back.
///
/// # Errors
///
/// Fails if `ssh-keygen` does: without the private key that signs, or an agent that holds it; also if an address is not one.
pub fn sign(store: &Store, variables: &BTreeMap<String, String>, wanted: &Signing) -> Result<Vec<u8>, TkmError> {
    let scratch = tempfile::Builder::new().prefix(file::TEMPORARY_PREFIX).tempdir_in(store.dir());
    let scratch = scratch.map_err(FileError::io("write in", store.dir()))?;
    let public = scratch.path().join("key.pub");
    file::write(&public, format!("{}\n", wanted.public.line()).as_bytes(), Access::Private)?;
    let (by, in_agent) = match access::private_login(store, wanted.authority)? {
        Login::AgentKey(path) => (path, true),
        _ => (store.dir().join(&wanted.authority.file), false),
    };
    let mut arguments: Vec<String> = Vec::new();
    arguments.extend(in_agent.then(|| "-U".to_owned()));
    arguments.extend(["-q", "-s"].map(str::to_owned));
    arguments.extend([by.display().to_string(), "-I".to_owned(), wanted.identity.clone()]);
    arguments.extend(["-n".to_owned(), wanted.principal.clone(), "-z".to_owned(), wanted.serial.to_string()]);
    // Counted by the clock of this machine and not by a date, whose time zone ssh-keygen reads in different ways.
    arguments.extend(["-V".to_owned(), format!("{SKEW}:+{}s", wanted.period.as_secs())]);
    let mut option = |text: String| arguments.extend(["-O".to_owned(), text]);
    option("clear".to_owned());
    if wanted.has_terminal {
        option("permit-pty".to_owned());
    }
    wanted.command.iter().for_each(|command| option(format!("force-command={command}")));
    wanted.networks.iter().for_each(|networks| option(format!("source-address={networks}")));
    arguments.push(public.display().to_string());
    let done = keygen::call(&Call { arguments: &arguments, variables, input: b"" })?;
    if done.exit != ChildExit::Code(0) {
        let why = log::signing_failure(&String::from_utf8_lossy(&done.stderr)).filter(|_| in_agent);
        return Err(why.map_or_else(
            || keygen::failure("ssh-keygen -s", &done.stderr),
            |why| TkmError::AgentDidNotSign {
                subject: "a certificate".to_owned(),
                key: by.with_extension("").display().to_string(),
                why,
            },
        ));
    }
    let made = scratch.path().join("key-cert.pub");
    Ok(disk::read_own(&made).map_err(FileError::io("read", &made))?)
}

/// A number that no certificate has.
#[must_use]
pub fn free_serial(state: &StoreState, now: Timestamp) -> u64 {
    state.certificates.iter().map(|known| known.serial + 1).fold(now.0, u64::max)
}

/// Where the certificate of a key of the store is, below the store. Under the name that ssh looks for by itself it would be offered
/// where the key alone is meant.
#[must_use]
pub fn below(key: &Key) -> String {
    format!("{}.cert", key.file)
}

/// The same as a path.
#[must_use]
pub fn path_of(store: &Store, key: &Key) -> PathBuf {
    store.dir().join(below(key))
}

/// The file of the certificate of a public key that is not of the store, as ssh looks for it.
#[must_use]
pub fn beside(public: &Path) -> PathBuf {
    let stem = public.with_extension("");
    public_path(Path::new(&format!("{}-cert", stem.display())))
}

/// Puts a certificate on the list. The one of the same key before has no file any more; those that ended long ago leave the list.
pub fn enter(state: &mut StoreState, new: Certificate) {
    let now = new.created;
    let is_kept = |known: &Certificate| Timestamp(known.expires).after(KEPT).0 > now;
    state.certificates.retain(is_kept);
    for known in state.certificates.iter_mut().filter(|known| new.file.is_some() && known.file == new.file) {
        known.file = None;
    }
    state.certificates.push(new);
}
