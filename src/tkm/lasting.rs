//! Connections that later commands use too: ssh keeps one open for a while after the last command that used it.
//!
//! A socket is named by all that a login is made of: every option, the host, the pins of the store and the key. What changes one of
//! them makes another name, so that no call gets a connection that it would not have made itself. What tests a key, or takes one
//! away, ends them all ([`LastingConnections`]).

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::control::{Control, PREFIX, Shared, free_socket, quoted};
use super::error::TkmError;
use super::keygen::public_path;
use super::login::Login;
use super::ssh::{Connection, LIMIT};
use super::store::Store;
use crate::disk;
use crate::sys::attached::{Attached, Readiness};
use crate::sys::capture::Capture;
use crate::sys::child::ChildExit;
use crate::sys::control_socket;
use crate::sys::digest::sha256;
use crate::sys::file::{self, Access};

/// The age at which a connection is not used any more: what a host lets in is asked anew from time to time.
const MAX_AGE: Duration = Duration::from_secs(600);

/// How long an ssh may take to greet. One that works does at once.
const PATIENCE: Duration = Duration::from_secs(2);

/// The bytes of a socket's name, in hexadecimal digits.
const NAME_LENGTH: usize = 32;

/// The connections of a store that later commands would use. They end when this is made, and once more with it: a command that ran
/// meanwhile may have made one with the key that is gone now.
#[derive(Debug)]
pub struct LastingConnections<'a> {
    store: &'a Store,
    variables: &'a BTreeMap<String, String>,
    /// Held until they were ended once more.
    _lock: Option<File>,
}

impl<'a> LastingConnections<'a> {
    /// Ends them. Sessions that use one go on to their end.
    #[must_use]
    pub fn end(store: &'a Store, variables: &'a BTreeMap<String, String>) -> Self {
        Self::end_under(None, store, variables)
    }

    /// Locks the store and ends them: for what changes keys, pins, or what hosts let in.
    ///
    /// # Errors
    ///
    /// Fails as [`Store::lock`].
    pub fn lock(store: &'a Store, variables: &'a BTreeMap<String, String>) -> Result<Self, TkmError> {
        Ok(Self::end_under(Some(store.lock()?), store, variables))
    }

    fn end_under(lock: Option<File>, store: &'a Store, variables: &'a BTreeMap<String, String>) -> Self {
        let ended = Self { store, variables, _lock: lock };
        ended.end_all();
        ended
    }

    fn end_all(&self) {
        for path in entries(&dir_of(self.store)).filter(|path| is_name(path)) {
            end(&path, self.variables);
        }
    }
}

impl Drop for LastingConnections<'_> {
    fn drop(&mut self) {
        self.end_all();
    }
}

impl Connection<'_> {
    /// The connection of an earlier command with the same login; else one that is made now and stays for later ones. None where
    /// each command has its own: where the operator's own configuration has a control socket, and for all but a key of the store
    /// that is used without an agent. An agent can be locked, and may ask before each use; a certificate ends soon.
    pub(super) fn lasting_connection(&self, login: &Login) -> Result<Option<Shared>, TkmError> {
        let Some(socket) = self.lasting_socket(login)? else { return Ok(None) };
        let shared = |said, is_reused| {
            Some(Shared { who: self.who(login), socket: socket.clone(), said, master: None, is_reused })
        };
        if let Some(said) = usable(&socket) {
            return Ok(shared(said, true));
        }
        end(&socket, self.variables);
        Ok(self.make_lasting(login, &socket)?.and_then(|said| shared(said, false)))
    }

    /// Ends the one of this login.
    pub(super) fn end_lasting(&self, login: &Login) {
        if let Ok(Some(socket)) = self.lasting_socket(login) {
            end(&socket, self.variables);
        }
    }

    fn lasting_socket(&self, login: &Login) -> Result<Option<PathBuf>, TkmError> {
        let Login::Key(path) = login else { return Ok(None) };
        let public = public_path(path);
        if self.route.has_control || !public.starts_with(self.store.keys_dir()) {
            return Ok(None);
        }
        let Ok(key) = disk::read(&public) else { return Ok(None) };
        let mut words = self.words(login, &self.store.known_hosts(), Path::new(""), Control::Own);
        words.push(self.target(login));
        let made_of = [words.join("\0").as_bytes(), self.store.pins()?.as_bytes(), &key].join(&b"\0\0"[..]);
        Ok(sha256(&made_of).get(..NAME_LENGTH).map(|name| dir_of(self.store).join(name)))
    }

    /// Logs in, and leaves ssh in the background with the socket; what it said of the login.
    fn make_lasting(&self, login: &Login, socket: &Path) -> Result<Option<String>, TkmError> {
        let dir = dir_of(self.store);
        file::create_private_dir(&dir)?;
        for path in entries(&dir).filter(|path| is_name(path) && control_socket::is_left_over(path, PATIENCE)) {
            remove(&path);
        }
        // Two commands may do this at the same time, and ssh would stay for ever with a socket that is taken: each makes one of its
        // own, and the later one gets the name.
        let Some(own) = free_socket(&dir) else { return Ok(None) };
        let log = self.log_file()?;
        let mut words = self.words(login, &self.store.known_hosts(), log.path(), Control::Keep(&own));
        words.extend(["-f", "-N", "--"].map(str::to_owned));
        words.push(self.target(login));
        let fail = |error: std::io::Error| TkmError::Program { program: "ssh", why: error.to_string() };
        let ssh = Attached::start("ssh", &words, self.variables).map_err(fail)?;
        // It goes to the background after the login.
        let readiness = ssh.wait_until(LIMIT, || false);
        let said = self.read_log(log.path())?;
        let exit = if readiness == Readiness::GivenUp { ChildExit::Killed } else { ChildExit::Code(0) };
        self.check(login, &said, exit)?;
        let is_kept = file::write(&said_of(socket), said.as_bytes(), Access::Private).is_ok();
        Ok((is_kept && fs::rename(&own, socket).is_ok()).then_some(said))
    }
}

/// What ssh said of the login, if the connection can be used.
fn usable(socket: &Path) -> Option<String> {
    let is_young = control_socket::age(socket)? < MAX_AGE;
    if !is_young || !control_socket::greets(socket, PATIENCE) {
        return None;
    }
    disk::read_own(said_of(socket)).ok().map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

/// Has ssh end the connection when the last session over it is over, and takes no further ones. One that hangs cannot be found
/// any more.
fn end(socket: &Path, variables: &BTreeMap<String, String>) {
    if control_socket::greets(socket, PATIENCE) {
        let words = ["-F", "none", "-O", "stop", "-o", &format!("ControlPath={}", quoted(socket)), "tetra"];
        let arguments = words.map(str::to_owned);
        let capture =
            Capture { program: "ssh", arguments: &arguments, variables, input: b"", limit: PATIENCE, max_output: 0 };
        // What is not told ends by itself, and is not found any more.
        let _ = capture.run();
    }
    remove(socket);
}

fn remove(socket: &Path) {
    let _ = fs::remove_file(socket);
    let _ = fs::remove_file(said_of(socket));
}

fn dir_of(store: &Store) -> PathBuf {
    store.dir().join(".shared")
}

fn said_of(socket: &Path) -> PathBuf {
    socket.with_extension("log")
}

fn entries(dir: &Path) -> impl Iterator<Item = PathBuf> {
    fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path())
}

/// True for a socket that has its name.
fn is_name(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    path.extension().is_none() && !name.starts_with(PREFIX)
}
