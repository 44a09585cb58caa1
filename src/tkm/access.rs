//! Logins with the keys of the store: tried, and installed on a host so that no one is locked out.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::agent::protocol::Request;
use super::authorized_keys::{ManagedBlock, has_key};
use super::error::TkmError;
use super::key::{PublicKey, needs_passphrase};
use super::keygen::{self, Call, public_path};
use super::remote::{self, KeysFile};
use super::ssh::{Connection, Login};
use super::state::Key;
use super::store::Store;
use crate::base::fault::FaultKind;
use crate::base::fault::UserFacingError;
use crate::disk;
use crate::sys::child::ChildExit;
use crate::sys::file;
use crate::sys::process;

/// What a line of ours allows, beside the login.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LineOptions {
    /// `from="…"`: addresses that may use the key.
    pub from: Option<String>,
    /// `expiry-time="…"`: `YYYYMMDDHHMMZ`.
    pub expiry: Option<String>,
    /// A terminal may be asked for.
    pub has_terminal: bool,
    /// `command="…"`: what runs instead of anything else.
    pub command: Option<String>,
}

impl LineOptions {
    /// The line of `authorized_keys`.
    #[must_use]
    pub fn line(&self, key: &PublicKey) -> String {
        let mut words = vec!["restrict".to_owned()];
        words.extend(self.has_terminal.then(|| "pty".to_owned()));
        words.extend(self.command.iter().map(|command| format!("command=\"{command}\"")));
        words.extend(self.from.iter().map(|from| format!("from=\"{from}\"")));
        words.extend(self.expiry.iter().map(|expiry| format!("expiry-time=\"{expiry}\"")));
        format!("{} {}", words.join(","), key.line())
    }
}

/// What became of a key on a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Installation {
    /// It was added.
    Added,
    /// It was there, and is let in.
    Present,
}

/// The login with a key of the store: by the file, or by the agent if the file has a passphrase.
///
/// # Errors
///
/// Fails if the private key is missing, or open to others.
pub fn login_of(store: &Store, key: &Key) -> Result<Login, TkmError> {
    let path = store.dir().join(&key.file);
    let bytes = private_bytes(&path)?;
    Ok(if needs_passphrase(&bytes) == Some(true) { Login::AgentKey(public_path(&path)) } else { Login::Key(path) })
}

/// The login with a key that the operator names.
///
/// # Errors
///
/// Fails if it is missing, open to others, of another user, corrupted, or too weak.
pub fn login_with(path: &Path, variables: &BTreeMap<String, String>) -> Result<Login, TkmError> {
    let bytes = private_bytes(path)?;
    if disk::owner_of(path).is_some_and(|(uid, _)| uid != process::own_uid()) {
        return Err(TkmError::ForeignKey { path: path.to_owned() });
    }
    let arguments = ["-y", "-P", "", "-f"].map(str::to_owned).into_iter().chain([path.display().to_string()]);
    let arguments: Vec<String> = arguments.collect();
    let found = keygen::call(&Call { arguments: &arguments, variables, input: b"" })?;
    let public: PathBuf = public_path(path);
    if found.exit == ChildExit::Code(0) {
        PublicKey::parse(&String::from_utf8_lossy(&found.stdout))?.check_strength()?;
        return Ok(Login::Key(path.to_owned()));
    }
    if needs_passphrase(&bytes) == Some(true) && public.exists() {
        keygen::read_public(&public)?.check_strength()?;
        return Ok(Login::AgentKey(public));
    }
    Err(keygen::failure("ssh-keygen -y", &found.stderr))
}

fn private_bytes(path: &Path) -> Result<zeroize::Zeroizing<Vec<u8>>, TkmError> {
    match file::read_private(path) {
        Ok(found) => Ok(zeroize::Zeroizing::new(found.bytes)),
        Err(error) if error.is_not_found() => Err(TkmError::NoPrivateKey { path: path.to_owned() }),
        Err(error) => Err(error.into()),
    }
}

/// Logs in with nothing but a key, on a connection of its own, and has something run.
///
/// # Errors
///
/// Fails as the login does.
pub fn verify(connection: &Connection, login: &Login) -> Result<(), TkmError> {
    let answer = connection.on_fresh_connection(login).perform(login, &Request::Hello)?;
    if answer.status == 0 {
        return Ok(());
    }
    let why = format!("`exit 0` ended with {}", answer.status);
    Err(TkmError::NoCommand { name: connection.host.name.clone(), why })
}

/// A key to be let in on a host.
#[derive(Debug, Clone)]
pub struct Install<'a> {
    /// The way in that there is.
    pub by: &'a Login,
    /// The login that shall be possible.
    pub new: &'a Login,
    /// Where in the file the line goes.
    pub block: &'a ManagedBlock,
    /// The key.
    pub key: &'a PublicKey,
    /// Its line.
    pub line: String,
}

/// Lets a key in: adds its line, logs in with it on a fresh connection, and puts the file back if that fails. Lines of other
/// keys stay.
///
/// # Errors
///
/// Fails if the file was not changed, or was put back; the error says which.
pub fn install(connection: &Connection, install: &Install) -> Result<Installation, TkmError> {
    let old = remote::read_keys(connection, install.by)?;
    let mut lines = install.block.lines(&old.bytes);
    lines.retain(|line| !has_key(line, install.key));
    lines.push(install.line.clone());
    let wanted = install.block.replace(&old.bytes, &lines);
    if wanted == old.bytes {
        verify(connection, install.new)?;
        return Ok(Installation::Present);
    }
    let written = remote::write_keys(connection, install.by, &old, &wanted)?;
    match verify(connection, install.new) {
        Ok(()) => Ok(Installation::Added),
        // Both are let in; what goes on from here verifies it again.
        Err(error @ TkmError::Interrupted { .. }) => Err(error),
        Err(error) => Err(restore(connection, install.by, Undo { written, before: &old.bytes }, &error)),
    }
}

/// What was written, and what was there before.
pub(super) struct Undo<'a> {
    pub(super) written: KeysFile,
    pub(super) before: &'a [u8],
}

/// Puts the file back, and says whether that worked.
pub(super) fn restore(connection: &Connection, by: &Login, undo: Undo, cause: &TkmError) -> TkmError {
    let name = connection.host.name.clone();
    let is_restored = remote::write_keys(connection, by, &undo.written, undo.before).is_ok();
    let why = match cause.kind() {
        // What the agent does not hold was never offered.
        FaultKind::Auth if !is_restored => format!("{cause}; the old file could not be put back"),
        _ => cause.to_string(),
    };
    TkmError::Verification { name, why, is_restored }
}
