//! The operator's side of a session: frames and bytes over one connection, which ends when the operator's machine goes silent.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::install::{AgentPlace, Installed, Program};
use super::protocol::{self, FrameError, Reply, Request};
use crate::base::environment::EnvRef;
use crate::sys::child::ChildExit;
use crate::sys::dialogue::{Cutter, Dialogue, Feed};
use crate::tkm::control::Control;
use crate::tkm::error::TkmError;
use crate::tkm::host::HostName;
use crate::tkm::login::Login;
use crate::tkm::route::last_line;
use crate::tkm::ssh::{self, Connection};

/// How often the operator's machine says that it is there.
const BEAT: Duration = Duration::from_secs(5);

/// How long a host waits for a sign of life before it ends a session.
pub const SILENCE: Duration = Duration::from_secs(15);

/// How long a host may take to answer. It says what it does meanwhile, so this is the longest that it says nothing.
const PATIENCE: Duration = Duration::from_secs(60);

/// A session with the agent of a host.
pub struct AgentSession {
    host: HostName,
    nonce: String,
    dialogue: Dialogue,
    log: tempfile::NamedTempFile,
    beat: Option<Beat>,
}

/// Says from time to time that the operator's machine is there, until it is dropped.
struct Beat {
    stop: mpsc::Sender<()>,
    thread: Option<JoinHandle<()>>,
}

/// What a session is begun with.
pub struct Opening<'a> {
    /// The program, for a host whose keys are not bound to it.
    pub unbound: Unbound<'a>,
    /// Ends the session at once.
    pub cutter: &'a Cutter,
}

/// The program of a host that its keys are not bound to.
pub struct Unbound<'a> {
    /// This program.
    pub program: &'a Program,
    /// The environment.
    pub env: &'a EnvRef,
}

impl Connection<'_> {
    /// Begins a session with the agent of a host, over a connection of its own. Where the key is not bound to the agent, it is this
    /// very program, which is put there if it is missing.
    ///
    /// # Errors
    ///
    /// Fails if the host is not reached, refuses the login, or cannot run the program.
    pub fn session(&self, login: &Login, opening: &Opening) -> Result<AgentSession, TkmError> {
        let Opening { unbound, cutter } = opening;
        if let Some((program, env)) = self.agent(login) {
            return self.begin(login, &format!("{program} {}", super::words(&env)), "", cutter);
        }
        let script = unbound.program.exec_script(&super::words(unbound.env));
        let command = login.shell(&ssh::eval_line(&script));
        match self.begin(login, &command, &script, cutter) {
            Err(TkmError::NoCommand { .. }) => {}
            begun => return begun,
        }
        match unbound.program.install(self, login, AgentPlace::OfUser)? {
            Installed::Ready(_) => self.begin(login, &command, &script, cutter),
            Installed::Impossible(why) => Err(TkmError::Agent { name: self.host.name.clone(), why }),
        }
    }

    fn begin(&self, login: &Login, command: &str, before: &str, cutter: &Cutter) -> Result<AgentSession, TkmError> {
        let log = self.log_file()?;
        let mut words = self.words(login, &self.store.known_hosts(), log.path(), Control::Own);
        words.extend(["--".to_owned(), self.target(login), command.to_owned()]);
        let fail = |error: std::io::Error| TkmError::Program { program: "ssh", why: error.to_string() };
        let dialogue = Dialogue::start("ssh", &words, self.variables, cutter).map_err(fail)?;
        let (host, nonce) = (self.host.name.clone(), ssh::mark());
        let mut session = AgentSession { host, nonce, dialogue, log, beat: None };
        let first = protocol::frame(&session.nonce, &Request::Session);
        // ssh may have ended already; its log says why.
        let _ = session.dialogue.feed().write(&[before.as_bytes(), first.as_bytes()]);
        match session.read_json() {
            Ok(json) => session.check_hello(&json)?,
            Err(error) => return Err(self.no_session(login, &session, error)),
        }
        session.beat = Some(Beat::start(session.dialogue.feed(), session.nonce.clone()));
        Ok(session)
    }

    fn no_session(&self, login: &Login, session: &AgentSession, error: FrameError) -> TkmError {
        let log = match self.read_log(session.log.path()) {
            Ok(log) => log,
            Err(error) => return error,
        };
        if let Err(error) = self.check(login, &log, ChildExit::Code(255)) {
            return error;
        }
        let name = self.host.name.clone();
        match error {
            FrameError::Ended(said) => match protocol::refusal(&said) {
                Some(why) => TkmError::Agent { name, why },
                None => TkmError::NoCommand { name, why: last_line(&said) },
            },
            other => TkmError::Lost { name, why: other.to_string() },
        }
    }
}

impl AgentSession {
    /// Asks, and waits for the answer. What the host says meanwhile is given to `on_text`, which returns true for what is
    /// not the answer yet.
    ///
    /// # Errors
    ///
    /// Fails if the connection was lost, or the agent is of a version that answers something else.
    pub fn ask<A: DeserializeOwned>(
        &mut self,
        ask: &impl Serialize,
        bytes: &[u8],
        mut on_text: impl FnMut(&A) -> bool,
    ) -> Result<A, TkmError> {
        let frame = protocol::frame(&self.nonce, ask);
        self.dialogue.feed().write(&[frame.as_bytes(), bytes]).map_err(|error| self.lost(error.to_string()))?;
        loop {
            let json = self.read_json().map_err(|error| self.lost(error.to_string()))?;
            let answer = serde_json::from_slice(&json).map_err(|error| self.unknown(&error))?;
            if !on_text(&answer) {
                return Ok(answer);
            }
        }
    }

    fn read_json(&mut self) -> Result<Vec<u8>, FrameError> {
        protocol::next_frame(&mut self.dialogue.until(Instant::now() + PATIENCE), &self.nonce)
    }

    fn check_hello(&self, json: &[u8]) -> Result<(), TkmError> {
        let why = match serde_json::from_slice(json) {
            Ok(Reply::Hello { .. }) => return Ok(()),
            Ok(Reply::Error { message, .. }) => message,
            _ => "it answered something else than was asked".to_owned(),
        };
        Err(TkmError::Agent { name: self.host.clone(), why })
    }

    fn unknown(&self, error: &serde_json::Error) -> TkmError {
        let why = format!("its answer is not one that this version knows: {error}");
        TkmError::Agent { name: self.host.clone(), why }
    }

    fn lost(&self, why: String) -> TkmError {
        TkmError::Lost { name: self.host.clone(), why }
    }
}

impl Beat {
    fn start(feed: Feed, nonce: String) -> Self {
        let (stop, stopped) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            let frame = protocol::frame(&nonce, &"beat");
            while stopped.recv_timeout(BEAT) == Err(RecvTimeoutError::Timeout) {
                if feed.write(&[frame.as_bytes()]).is_err() {
                    break;
                }
            }
        });
        Self { stop, thread: Some(thread) }
    }
}

impl Drop for Beat {
    fn drop(&mut self) {
        let _ = self.stop.send(());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
