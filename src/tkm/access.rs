//! Logins with the keys of the store: tried, and installed on a host so that no one is locked out.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::agent::protocol::Request;
use super::authorized_keys::{KeysLeft, ManagedBlock, has_key};
use super::error::TkmError;
use super::key::{PublicKey, needs_passphrase};
use super::keygen::{self, Call, public_path};
use super::login::Login;
use super::remote::{self, KeysFile};
use super::ssh::Connection;
use super::state::{Key, Purpose};
use super::store::Store;
use crate::base::fault::FaultKind;
use crate::base::fault::UserFacingError;
use crate::disk;
use crate::sys::child::ChildExit;
use crate::sys::file;
use crate::sys::process;

/// What became of a key on a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Installation {
    /// It was added.
    Added,
    /// It was there, and is let in.
    Present,
}

/// The login with a key of the store: by the file, or by the agent if the file has a passphrase. That of a key which signs
/// certificates is the login with the last of them.
///
/// # Errors
///
/// Fails if the private key is missing, or open to others; also if there is no certificate.
pub fn login_of(store: &Store, key: &Key) -> Result<Login, TkmError> {
    if key.purpose != Purpose::Ca {
        return private_login(store, key);
    }
    let no_certificate = || TkmError::NoCertificate { env: key.env.clone() };
    let state = store.state()?;
    let (certified, certificate) = state.certificate_of(key).ok_or_else(no_certificate)?;
    let file = certificate.file.as_ref().ok_or_else(no_certificate)?;
    let by = private_login(store, certified)?;
    Ok(Login::Certificate { by: Box::new(by), file: store.dir().join(file) })
}

/// The same; none for a key that signs, and has signed nothing that is here.
///
/// # Errors
///
/// Fails if the private key is missing, or open to others.
pub fn way_of(store: &Store, key: &Key) -> Result<Option<Login>, TkmError> {
    match login_of(store, key) {
        Ok(login) => Ok(Some(login)),
        Err(TkmError::NoCertificate { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// True for an error of one key, beside which another may be let in.
pub(super) fn is_about_key(error: &TkmError) -> bool {
    error.kind() == FaultKind::Auth || matches!(error, TkmError::PrivateKeyFile { .. } | TkmError::NoPrivateKey { .. })
}

/// The login with the private half of a key of the store, whatever it is for.
pub(super) fn private_login(store: &Store, key: &Key) -> Result<Login, TkmError> {
    let path = store.dir().join(&key.file);
    let bytes = private_bytes(&path)?;
    Ok(if needs_passphrase(&bytes) == Some(true) { Login::AgentKey(public_path(&path)) } else { Login::Key(path) })
}

/// The login with a key that the operator names.
///
/// # Errors
///
/// Fails if it is missing, open to others, of another user, corrupted, or too weak. One whose private half is in no file, only in an
/// agent, is named by the file of its public half.
pub fn login_with(path: &Path, variables: &BTreeMap<String, String>) -> Result<Login, TkmError> {
    if let Some(public) = only_public(path) {
        let found = keygen::read_public(&public)?;
        found.check_strength().map_err(|why| TkmError::KeyFile { path: public.clone(), why })?;
        return Ok(Login::AgentKey(public));
    }
    // A public key is open to all, and holds no secret.
    let bytes = private_bytes(path).map_err(|error| public_given(path).unwrap_or(error))?;
    if disk::owner_of(path).is_some_and(|(uid, _)| uid != process::own_uid()) {
        return Err(TkmError::ForeignKey { path: path.to_owned() });
    }
    let arguments = ["-y", "-P", "", "-f"].map(str::to_owned).into_iter().chain([path.display().to_string()]);
    let arguments: Vec<String> = arguments.collect();
    let found = keygen::call(&Call { arguments: &arguments, variables, input: b"" })?;
    let public: PathBuf = public_path(path);
    if found.exit == ChildExit::Code(0) {
        let public = PublicKey::parse(&String::from_utf8_lossy(&found.stdout))?;
        public.check_strength().map_err(|why| TkmError::KeyFile { path: path.to_owned(), why })?;
        return Ok(Login::Key(path.to_owned()));
    }
    if needs_passphrase(&bytes) == Some(true) && public.exists() {
        let found = keygen::read_public(&public)?;
        found.check_strength().map_err(|why| TkmError::KeyFile { path: public.clone(), why })?;
        return Ok(Login::AgentKey(public));
    }
    Err(unreadable(path, &bytes).unwrap_or_else(|| keygen::failure("ssh-keygen -y", &found.stderr)))
}

/// The file of the public half, where there is none of the private one.
fn only_public(path: &Path) -> Option<PathBuf> {
    let is_named = path.extension().is_some_and(|it| it == "pub");
    let (private, public) =
        if is_named { (path.with_extension(""), path.to_owned()) } else { (path.to_owned(), public_path(path)) };
    (!private.exists() && keygen::read_public(&public).is_ok()).then_some(public)
}

/// That a file is the public half of a key; none if it is not.
fn public_given(path: &Path) -> Option<TkmError> {
    keygen::read_public(path).ok()?;
    let advice = format!("name the private one: `--identity {}`", path.with_extension("").display());
    Some(TkmError::PrivateKeyFile { path: path.to_owned(), why: "is a public key", advice })
}

/// Why ssh reads no private key in a file; none if that is not seen from the outside.
fn unreadable(path: &Path, bytes: &[u8]) -> Option<TkmError> {
    let fail = |why, advice: String| Some(TkmError::PrivateKeyFile { path: path.to_owned(), why, advice });
    let shown = path.display();
    let Ok(text) = std::str::from_utf8(bytes) else {
        return fail(
            "is not a private key: it is not text",
            "name the file without `.pub` that `ssh-keygen` made".to_owned(),
        );
    };
    if let Some(error) = public_given(path) {
        return Some(error);
    }
    if !text.trim_start().starts_with("-----BEGIN ") {
        return fail(
            "is not a private key: it does not begin with `-----BEGIN`",
            "name the file without `.pub` that `ssh-keygen` made".to_owned(),
        );
    }
    if text.contains('\r') {
        return fail(
            "has lines that end with CR LF, which ssh does not read as a private key",
            format!("write them anew: `sed -i 's/\\r$//' {shown}`"),
        );
    }
    if !text.contains("-----END ") {
        return fail("is cut off: it has no line with `-----END`", "copy the file again, as a whole".to_owned());
    }
    (needs_passphrase(bytes) == Some(true)).then(|| TkmError::PrivateKeyFile {
        path: path.to_owned(),
        why: "has a passphrase, and its public half is not beside it",
        advice: format!(
            "run `ssh-keygen -y -f {shown} > {shown}.pub`, and add the key to your agent with `ssh-add {shown}`"
        ),
    })
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
    greet(connection.on_fresh_connection(login), login)
}

/// Logs in with nothing but a key, and has something run.
///
/// # Errors
///
/// Fails as the login does.
pub fn greet(connection: &Connection, login: &Login) -> Result<(), TkmError> {
    let answer = connection.perform(login, &Request::Hello)?;
    if answer.status == 0 {
        return Ok(());
    }
    let why = format!("`exit 0` ended with {}", answer.status);
    Err(TkmError::NoCommand { name: connection.host.name.clone(), why })
}

/// A key to be let in on a host.
#[derive(Debug, Clone)]
pub struct KeyInstall<'a> {
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
pub fn install(connection: &Connection, install: &KeyInstall) -> Result<Installation, TkmError> {
    let old = remote::read_keys(connection, install.by)?;
    let mut lines = install.block.lines(&old.bytes);
    lines.retain(|line| !has_key(line, install.key));
    lines.push(install.line.clone().into_bytes());
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
        Err(error) => Err(restore(connection, install.by, Undo { written, before: &old.bytes }, error)),
    }
}

/// What was written, and what was there before.
pub(super) struct Undo<'a> {
    pub(super) written: KeysFile,
    pub(super) before: &'a [u8],
}

/// Puts the file back, and says whether that worked.
pub(super) fn restore(connection: &Connection, by: &Login, undo: Undo, cause: TkmError) -> TkmError {
    let name = connection.host.name.clone();
    let is_restored = remote::write_keys(connection, by, &undo.written, undo.before).is_ok();
    if matches!(cause, TkmError::AgentDidNotSign { .. }) {
        let left = if is_restored { KeysLeft::Before } else { KeysLeft::Both };
        return TkmError::Untried { name, cause: Box::new(cause), left };
    }
    let why = match cause.kind() {
        FaultKind::Auth if !is_restored => format!("{cause}; the old file could not be put back"),
        _ => cause.to_string(),
    };
    TkmError::Verification { name, why, is_restored }
}

/// What it means that a login failed after the file was changed, while the host is ready to put it back.
pub(super) fn armed(connection: &Connection, cause: TkmError) -> TkmError {
    let name = connection.host.name.clone();
    match cause {
        TkmError::Interrupted { .. } => cause,
        TkmError::AgentDidNotSign { .. } => {
            let left = KeysLeft::Armed { seconds: remote::RESTORE_AFTER };
            TkmError::Untried { name, cause: Box::new(cause), left }
        }
        _ => TkmError::Armed { name, seconds: remote::RESTORE_AFTER, why: cause.to_string() },
    }
}
