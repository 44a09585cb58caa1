//! The record of what was done with keys and hosts: one line each, only ever added to, each with the hash of the one before.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::error::TkmError;
use super::store::Store;
use crate::base::time::Timestamp;
use crate::config::read;
use crate::sys::file::{self, Access};
use crate::sys::hash_chain;

/// What happened, without anything secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyAuditEntry {
    /// Counted from 1.
    pub seq: u64,
    /// When, in milliseconds since 1970.
    pub at: u64,
    /// By whom.
    pub by: String,
    /// What: `host-add`, `key-install` and others.
    pub event: String,
    /// On which host.
    pub host: Option<String>,
    /// The fingerprint of the key.
    pub key: Option<String>,
    /// The hash of the line before; empty for the first.
    pub prev: String,
}

/// What is to be recorded.
#[derive(Debug, Clone, Copy)]
pub struct AuditEvent<'a> {
    /// What happened.
    pub event: &'a str,
    /// On which host.
    pub host: Option<&'a str>,
    /// The fingerprint of the key.
    pub key: Option<&'a str>,
}

/// Who does something, and when.
#[derive(Debug, Clone, Copy)]
pub struct Actor<'a> {
    /// The operator's login name.
    pub user: &'a str,
    /// The time now.
    pub now: Timestamp,
}

/// The record, oldest first.
///
/// # Errors
///
/// Fails if a line is not valid, or does not follow the one before.
pub fn entries(store: &Store) -> Result<Vec<KeyAuditEntry>, TkmError> {
    let path = store.audit();
    verified(&path, &whole_text(&path)?)
}

/// Adds what happened. The caller holds the lock of the store.
///
/// # Errors
///
/// Fails if it cannot be written.
pub fn record(store: &Store, actor: Actor, event: AuditEvent) -> Result<(), TkmError> {
    let path = store.audit();
    let text = whole_text(&path)?;
    let entry = KeyAuditEntry {
        seq: text.lines().count() as u64 + 1,
        at: actor.now.0,
        by: actor.user.to_owned(),
        event: event.event.to_owned(),
        host: event.host.map(str::to_owned),
        key: event.key.map(str::to_owned),
        prev: hash_chain::last_hash(&text),
    };
    let line = serde_json::to_string(&entry).expect("texts and numbers can be written");
    Ok(file::write(&path, format!("{text}{line}\n").as_bytes(), Access::Private)?)
}

/// The lines that are whole.
fn whole_text(path: &Path) -> Result<String, TkmError> {
    let text = read::text_if_exists(path)?.unwrap_or_default();
    Ok(hash_chain::whole_lines(&text).to_owned())
}

fn verified(path: &Path, text: &str) -> Result<Vec<KeyAuditEntry>, TkmError> {
    let (mut found, mut before) = (Vec::new(), String::new());
    for (number, line) in text.lines().enumerate() {
        let broken =
            |why: &str| TkmError::BrokenStore { path: path.to_owned(), why: format!("line {}: {why}", number + 1) };
        let entry: KeyAuditEntry = serde_json::from_str(line).map_err(|_| broken("not an entry"))?;
        if entry.prev != before || entry.seq != number as u64 + 1 {
            return Err(broken("it does not follow the line before"));
        }
        before = hash_chain::last_hash(line);
        found.push(entry);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::paths::Paths;

    #[test]
    fn a_line_that_was_changed_or_removed_is_found() {
        let home = tempfile::tempdir().expect("a directory");
        std::fs::create_dir(home.path().join("tetra")).expect("a directory");
        let (store, _) = Store::init(&Paths::under(home.path())).expect("made");
        let actor = Actor { user: "me", now: Timestamp(5) };
        for event in ["one", "two", "three"] {
            record(&store, actor, AuditEvent { event, host: None, key: None }).expect("written");
        }
        assert_eq!(entries(&store).expect("whole").len(), 3);
        let text = std::fs::read_to_string(store.audit()).expect("read");
        for broken in [text.replace("two", "tow"), text.lines().skip(1).map(|line| format!("{line}\n")).collect()] {
            std::fs::write(store.audit(), broken).expect("written");
            assert!(entries(&store).is_err());
        }
    }
}
