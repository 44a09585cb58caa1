//! Host keys: what a host shows, and what speaks for it.

use std::collections::BTreeMap;
use std::path::Path;

use super::error::TkmError;
use super::key::{Fingerprint, PublicKey};
use super::keygen::{self, Call};
use super::pins::add_line;
use super::ssh::Connection;

/// Why a host key is trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Evidence {
    /// The operator gave its fingerprint.
    Fingerprint,
    /// It is in `~/.ssh/known_hosts` for this address.
    KnownHosts,
    /// The operator typed the end of its fingerprint.
    Typed,
}

impl Evidence {
    /// The words for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Fingerprint => "the given fingerprint",
            Self::KnownHosts => "~/.ssh/known_hosts",
            Self::Typed => "the typed fingerprint",
        }
    }
}

/// What speaks for a key without a question. None if it has to be asked about.
///
/// # Errors
///
/// Fails if the given fingerprint is another one.
pub fn evidence(
    connection: &Connection,
    key: &PublicKey,
    given: Option<&Fingerprint>,
) -> Result<Option<Evidence>, TkmError> {
    if let Some(expected) = given {
        if *expected == key.fingerprint {
            return Ok(Some(Evidence::Fingerprint));
        }
        return Err(TkmError::FingerprintMismatch {
            name: connection.host.name.clone(),
            offered: key.fingerprint.clone(),
            expected: expected.clone(),
        });
    }
    let route = &connection.route;
    let address = match route.port {
        22 => route.hostname.clone(),
        port => format!("[{}]:{port}", route.hostname),
    };
    let is_known = known(connection.variables, &address).iter().any(|known| known.body() == key.body());
    Ok(is_known.then_some(Evidence::KnownHosts))
}

/// The refusal to pin a key for which nothing speaks.
#[must_use]
pub fn unconfirmed(connection: &Connection, key: &PublicKey) -> TkmError {
    TkmError::Unconfirmed {
        name: connection.host.name.clone(),
        offered: key.fingerprint.clone(),
        command: add_line(connection.host, Some(&key.fingerprint)),
    }
}

/// The keys of an address in `~/.ssh/known_hosts`, also where names are hashed.
fn known(variables: &BTreeMap<String, String>, address: &str) -> Vec<PublicKey> {
    let Some(home) = variables.get("HOME") else { return Vec::new() };
    let file = Path::new(home).join(".ssh/known_hosts");
    let arguments = ["-F", address, "-f"].map(str::to_owned).into_iter().chain([file.display().to_string()]);
    let arguments: Vec<String> = arguments.collect();
    // Without the file, or the program, nothing speaks for the key.
    let said = keygen::call(&Call { arguments: &arguments, variables, input: b"" })
        .map(|found| found.stdout)
        .unwrap_or_default();
    let text = String::from_utf8_lossy(&said);
    let lines = text.lines().filter(|line| !line.starts_with(['#', '@']));
    lines.filter_map(|line| PublicKey::parse(line.split_once(' ')?.1).ok()).collect()
}

/// The picture of a key that `ssh-keygen -lv` draws; empty without it.
#[must_use]
pub fn randomart(key: &PublicKey, variables: &BTreeMap<String, String>) -> String {
    let arguments = ["-lv", "-f", "-"].map(str::to_owned);
    let line = format!("{}\n", key.line());
    let call = Call { arguments: &arguments, variables, input: line.as_bytes() };
    keygen::call(&call).map(|found| String::from_utf8_lossy(&found.stdout).into_owned()).unwrap_or_default()
}
