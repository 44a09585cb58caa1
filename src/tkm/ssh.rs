//! Calls of the operator's own `ssh`, with every option that matters said, and what came of them.
//!
//! ssh ends with 255 for five different reasons. It is never looked at: ssh's own log goes to a file apart from what the host
//! says (`-E`), and what a host answers is between two marks that hold a random word.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::agent::protocol;
use super::control::{Control, Sharing, quoted};
use super::error::TkmError;
use super::host::Host;
use super::key::{Fingerprint, PublicKey};
use super::log::{self, is_authenticated, is_by_certificate, is_host_key_failure, offered};
use super::login::Login;
use super::pins;
use super::route::{Route, last_line};
use super::store::Store;
use crate::disk;
use crate::sys::capture::{Capture, Captured};
use crate::sys::child::ChildExit;
use crate::sys::file::{self, Access, FileError};
use crate::sys::{kernel, signal};

/// How long a call may take.
pub(super) const LIMIT: Duration = Duration::from_secs(60);

/// The most that is read of what a host says. A file of keys may have [`MAX_KEYS_FILE`](super::authorized_keys::MAX_KEYS_FILE) bytes.
const MAX_OUTPUT: u64 = 4 << 20;

/// A host with the way to it and the means to call it.
#[derive(Debug, Clone)]
pub struct Connection<'a> {
    /// The store whose pins hold.
    pub store: &'a Store,
    /// The host.
    pub host: &'a Host,
    /// The way to it.
    pub route: Route,
    /// The variables of the operator.
    pub variables: &'a BTreeMap<String, String>,
    /// The connections that calls share; none if each has its own.
    pub sharing: Option<Sharing>,
}

/// What the host said to a command, after a login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshAnswer {
    /// What ran on the host ended with this.
    pub status: i32,
    /// What it printed.
    pub output: Vec<u8>,
    /// The key that was let in; none if ssh did not say.
    pub accepted: Option<Fingerprint>,
}

/// What came of a login and a command.
#[derive(Debug)]
pub(super) struct Exchange {
    /// ssh's own log.
    said: String,
    /// What the host said.
    pub found: Captured,
}

impl Exchange {
    /// The fingerprint of the key that was let in.
    pub(super) fn accepted(&self) -> Option<Fingerprint> {
        log::accepted(&self.said)
    }
}

impl<'a> Connection<'a> {
    /// Finds the way to a host.
    ///
    /// # Errors
    ///
    /// Fails with exit code 12 if no key of it is pinned, and if `ssh` is not there.
    pub fn open(store: &'a Store, host: &'a Host, variables: &'a BTreeMap<String, String>) -> Result<Self, TkmError> {
        let connection = Self::unpinned(store, host, variables)?;
        if pins::pinned(&store.pins()?, &host.name).is_empty() {
            return Err(TkmError::NotPinned { name: host.name.clone(), add: pins::add_line(host, None) });
        }
        Ok(connection)
    }

    /// The same for a host without a pin, of which only the key is looked at.
    ///
    /// # Errors
    ///
    /// Fails if `ssh` is not there.
    pub fn unpinned(
        store: &'a Store,
        host: &'a Host,
        variables: &'a BTreeMap<String, String>,
    ) -> Result<Self, TkmError> {
        if signal::interrupted() {
            return Err(TkmError::Interrupted { name: host.name.clone() });
        }
        Ok(Self { store, host, route: Route::find(host, variables)?, variables, sharing: None })
    }

    /// Runs a script on the host, which may read `input`.
    ///
    /// # Errors
    ///
    /// Fails if the host is not reached, shows another key, refuses the login, or runs nothing.
    pub fn run(&self, login: &Login, script: &str, input: &[u8]) -> Result<SshAnswer, TkmError> {
        let mark = mark();
        let script =
            format!("printf '%s\\n' 'begin-{mark}'\n(\n{script}\n)\nprintf '\\n%s %s\\n' 'end-{mark}' \"$?\"\n");
        let command = login.shell(&eval_line(&script));
        let exchanged = self.exchange(login, command, &[script.as_bytes(), input].concat())?;
        let answer = frame(&exchanged.found.stdout, &mark).ok_or_else(|| self.no_answer(&exchanged))?;
        Ok(SshAnswer { accepted: exchanged.accepted(), ..answer })
    }

    /// Logs in, and has a command run that reads `input`.
    pub(super) fn exchange(&self, login: &Login, command: String, input: &[u8]) -> Result<Exchange, TkmError> {
        self.with_control(login, |control, login_said| {
            let log = self.log_file()?;
            let mut words = self.words(login, &self.store.known_hosts(), log.path(), control);
            words.extend(["--".to_owned(), self.target(login), command]);
            let found = self.call(&words, input)?;
            let said = log::with_login(login_said, self.read_log(log.path())?);
            self.check(login, &said, found.exit)?;
            Ok(Exchange { said, found })
        })
    }

    /// The key that the host shows now. Nothing is sent to it.
    ///
    /// # Errors
    ///
    /// Fails if the host is not reached.
    pub fn offered_key(&self) -> Result<PublicKey, TkmError> {
        let (log, seen) = (self.log_file()?, self.log_file()?);
        let mut words = self.words(&Login::Nothing, seen.path(), log.path(), Control::Own);
        words.extend(["--".to_owned(), self.target(&Login::Nothing), "true".to_owned()]);
        self.call(&words, b"")?;
        let said = self.read_log(log.path())?;
        let text = String::from_utf8_lossy(&self.read(seen.path())?).into_owned();
        pins::pinned(&text, &self.host.name).into_iter().next().ok_or_else(|| self.failure(&said))
    }

    /// The words of a session for a person, or of a command whose output is theirs. It shares the connection of the login, if there
    /// is one: that lasts as long as this.
    #[must_use]
    pub fn session_words(&self, login: &Login, command: &[String]) -> Vec<String> {
        let socket = self.socket_of(login);
        let control = socket.as_deref().map_or(Control::Own, Control::Share);
        let mut words = self.words(login, &self.store.known_hosts(), Path::new(""), control);
        words.extend(["--".to_owned(), self.target(login)]);
        words.extend(command.iter().cloned());
        words
    }

    /// What ssh is called with. For the operator's own login it is what was given, for which there may be lines in `~/.ssh/config`.
    pub(super) fn target(&self, login: &Login) -> String {
        if *login.inner() == Login::Operator { self.host.address.host.clone() } else { self.route.hostname.clone() }
    }

    pub(super) fn words(&self, login: &Login, known_hosts: &Path, log: &Path, control: Control) -> Vec<String> {
        let mut words: Vec<String> = Vec::new();
        let mut set = |option: String| words.extend(["-o".to_owned(), option]);
        let is_probe = *login == Login::Nothing;
        set(format!("StrictHostKeyChecking={}", if is_probe { "accept-new" } else { "yes" }));
        set(format!("UserKnownHostsFile={}", quoted(known_hosts)));
        set(format!("HostKeyAlias={}", self.host.name));
        for option in [
            "GlobalKnownHostsFile=/dev/null",
            "KnownHostsCommand=none",
            "HashKnownHosts=no",
            "UpdateHostKeys=no",
            "VerifyHostKeyDNS=no",
            "CheckHostIP=no",
            "BatchMode=yes",
            "PasswordAuthentication=no",
            "KbdInteractiveAuthentication=no",
            "GSSAPIAuthentication=no",
            "HostbasedAuthentication=no",
            "ForwardAgent=no",
            "ForwardX11=no",
            "ClearAllForwardings=yes",
            "PermitLocalCommand=no",
            "RemoteCommand=none",
            "ConnectTimeout=10",
            "ConnectionAttempts=1",
            "ServerAliveInterval=5",
            "ServerAliveCountMax=3",
            "EscapeChar=none",
        ] {
            set(option.to_owned());
        }
        control.options().into_iter().for_each(&mut set);
        match login.inner() {
            Login::Nothing => set("PubkeyAuthentication=no".to_owned()),
            Login::Key(_) => {
                ["IdentitiesOnly=yes", "IdentityAgent=none"].map(str::to_owned).into_iter().for_each(&mut set)
            }
            Login::AgentKey(_) | Login::Held(_) => self.route.agent_options().for_each(&mut set),
            Login::Certificate { by, file } => {
                let agent = matches!(**by, Login::Key(_)).then(|| "IdentityAgent=none".to_owned());
                agent.into_iter().for_each(&mut set);
                set("IdentitiesOnly=yes".to_owned());
                // ssh offers it before the key itself.
                set(format!("CertificateFile={}", quoted(file)));
            }
            Login::Operator | Login::Become { .. } => {}
        }
        if let Some(path) = login.key_file() {
            words.extend(["-i".to_owned(), path.display().to_string()]);
        }
        // The operator's file is read by `Route`; here it could add keys.
        if *login.inner() != Login::Operator {
            words.extend(["-F".to_owned(), "none".to_owned()]);
            words.extend(self.route.words());
        }
        if !log.as_os_str().is_empty() {
            words.extend(["-v".to_owned(), "-T".to_owned(), "-E".to_owned(), log.display().to_string()]);
        }
        words.extend(["-l".to_owned(), self.user_of(login).to_owned(), "-p".to_owned(), self.route.port.to_string()]);
        words
    }

    fn call(&self, arguments: &[String], input: &[u8]) -> Result<Captured, TkmError> {
        let capture = Capture {
            program: "ssh",
            arguments,
            variables: self.variables,
            input,
            limit: LIMIT,
            max_output: MAX_OUTPUT,
        };
        capture.run().map_err(|error| TkmError::Program { program: "ssh", why: error.to_string() })
    }

    pub(super) fn log_file(&self) -> Result<tempfile::NamedTempFile, TkmError> {
        let make = tempfile::Builder::new().prefix(file::TEMPORARY_PREFIX).tempfile_in(self.store.dir());
        Ok(make.map_err(FileError::io("write in", self.store.dir()))?)
    }

    fn read(&self, path: &Path) -> Result<Vec<u8>, TkmError> {
        Ok(disk::read_own(path).map_err(FileError::io("read", path))?)
    }

    pub(super) fn read_log(&self, path: &Path) -> Result<String, TkmError> {
        let log = String::from_utf8_lossy(&self.read(path)?).into_owned();
        if log.is_empty() {
            // ssh always writes what it does: it could not. What keeps it from writing keeps us from it too.
            file::append(path, b"\n", Access::Private)?;
        }
        Ok(log)
    }

    /// Fails unless there was a login, with the key that was meant.
    pub(super) fn check(&self, login: &Login, log: &str, exit: ChildExit) -> Result<(), TkmError> {
        if is_authenticated(log) {
            return match login {
                Login::Certificate { .. } if !is_by_certificate(log) => Err(self.certificate_refused(login)),
                _ => Ok(()),
            };
        }
        if signal::interrupted() {
            return Err(TkmError::Interrupted { name: self.host.name.clone() });
        }
        if exit == ChildExit::Killed && !log.lines().any(is_host_key_failure) {
            let why = format!("no answer within {} s", LIMIT.as_secs());
            return Err(TkmError::Unreachable { name: self.host.name.clone(), why });
        }
        if let (Some(file), Some(why)) = (login.agent_key(), log::agent_failure(log)) {
            return Err(TkmError::AgentDidNotSign {
                subject: format!("`{}`", self.host.name),
                key: login.held_name().unwrap_or_else(|| private_of(file).display().to_string()),
                why,
            });
        }
        let unreadable = login.key_file().filter(|_| login.agent_key().is_none() && log::is_unreadable_key(log));
        Err(match (self.failure(log), unreadable) {
            (TkmError::Refused { .. }, Some(path)) => self.unreadable(path),
            (error, _) => self.refusal(login, error),
        })
    }

    /// The same error with who was refused.
    fn refusal(&self, login: &Login, error: TkmError) -> TkmError {
        match error {
            TkmError::Refused { .. } if matches!(login, Login::Certificate { .. }) => self.certificate_refused(login),
            TkmError::Refused { name, why, .. } => TkmError::Refused { name, login: self.describe(login), why },
            other => other,
        }
    }

    /// That ssh reads no key in the file of one.
    fn unreadable(&self, path: &Path) -> TkmError {
        let Host { name, env, .. } = self.host;
        let replaced = format!(
            "`tkm revoke @{env} --identity FILE`, `tkm generate {env}` and `tkm bootstrap {name}` replace the key"
        );
        let without = if path.starts_with(self.store.keys_dir()) { replaced } else { "name another key".to_owned() };
        TkmError::PrivateKeyFile {
            path: path.to_owned(),
            why: "is corrupted: ssh reads no private key in it",
            advice: format!("restore it from a backup; without one, {without}"),
        }
    }

    /// Who logs in.
    pub(super) fn user_of<'b>(&'b self, login: &'b Login) -> &'b str {
        if let Login::Become { login, .. } = login { login } else { &self.route.user }
    }

    fn describe(&self, login: &Login) -> String {
        let with = login.shown().unwrap_or_else(|| "your own keys".to_owned());
        format!("user {} with {with}", self.user_of(login))
    }

    fn certificate_refused(&self, login: &Login) -> TkmError {
        let Host { name, env, .. } = self.host;
        TkmError::CertificateRefused { name: name.clone(), login: self.describe(login), env: env.to_string() }
    }

    /// What a log without a login means.
    fn failure(&self, log: &str) -> TkmError {
        let name = self.host.name.clone();
        let said: Vec<&str> = log.lines().filter(|line| !line.starts_with("debug")).collect();
        let why = last_line(said.join("\n").as_bytes());
        if said.iter().any(|line| is_host_key_failure(line)) {
            let pinned = self.store.pins().map(|text| pins::pinned(&text, &name)).unwrap_or_default();
            let pinned: Vec<Fingerprint> = pinned.into_iter().map(|key| key.fingerprint).collect();
            return TkmError::HostKeyChanged { name, pinned, offered: offered(log) };
        }
        let refused = |line: &&str| {
            ["Permission denied", "Too many authentication failures", "no mutual signature", "Not allowed at this time"]
                .iter()
                .any(|text| line.contains(text))
        };
        if said.iter().any(refused) {
            return TkmError::Refused { name, login: format!("user {}", self.route.user), why };
        }
        TkmError::Unreachable { name, why }
    }

    /// What it means that there was a login and no answer.
    pub(super) fn no_answer(&self, Exchange { said: log, found }: &Exchange) -> TkmError {
        let name = self.host.name.clone();
        if signal::interrupted() {
            return TkmError::Interrupted { name };
        }
        let is_lost = log.lines().filter(|line| !line.starts_with("debug")).any(|line| {
            ["closed by remote host", "not responding", "Connection reset", "Broken pipe", "disconnect"]
                .iter()
                .any(|text| line.contains(text))
        });
        if is_lost {
            return TkmError::Lost { name, why: last_line(log.as_bytes()) };
        }
        if found.exit == ChildExit::Killed {
            return TkmError::Lost { name, why: format!("no answer within {} s", LIMIT.as_secs()) };
        }
        if let Some(why) = protocol::refusal(&found.stdout) {
            return TkmError::Agent { name, why };
        }
        let said = if found.stdout.is_empty() { &found.stderr } else { &found.stdout };
        TkmError::NoCommand { name, why: last_line(said) }
    }
}

/// The file of the private half of a key in an agent; that of the public one where there is no such file.
fn private_of(public: &Path) -> PathBuf {
    let private = public.with_extension("");
    if private.exists() { private } else { public.to_owned() }
}

/// The line of `sh` that reads a script of this length from its input, and runs it. Small and the same for every call, and nothing
/// of it is private.
pub(super) fn eval_line(script: &str) -> String {
    format!("eval \"$(dd bs=1 count={} 2>/dev/null)\"", script.len())
}

/// A word that a host cannot know before.
pub(super) fn mark() -> String {
    format!("{}{}", kernel::random_token(), kernel::random_token())
}

/// What is between the marks, and the status behind the second one. None if one of them is missing.
fn frame(said: &[u8], mark: &str) -> Option<SshAnswer> {
    let (begin, end) = (format!("begin-{mark}\n"), format!("\nend-{mark} "));
    let find = |text: &[u8], wanted: &str| memchr::memmem::find(text, wanted.as_bytes());
    let inside = &said[find(said, &begin)? + begin.len()..];
    let at = find(inside, &end)?;
    let status = std::str::from_utf8(&inside[at + end.len()..]).ok()?.lines().next()?.trim().parse().ok()?;
    Some(SshAnswer { status, output: inside[..at].to_vec(), accepted: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_what_is_between_the_marks() {
        let said = b"welcome to bashrc\nbegin-x\nline\nbegin-y\n\nend-x 7\nbye\n";
        assert_eq!(
            frame(said, "x"),
            Some(SshAnswer { status: 7, output: b"line\nbegin-y\n".to_vec(), accepted: None })
        );
        for cut in [&said[..said.len() - 20], b"end-x 0", b"begin-x\n\nend-x ", b""] {
            assert_eq!(frame(cut, "x"), None);
        }
    }
}
