//! Restarting: a process that runs is told to, one that does not is started again; each is watched until what became of it is
//! known.

use std::path::Path;
use std::time::Duration;

use super::control::{Control, ControlError, refuse_foreign, refuse_unknown};
use super::plan::PlanError;
use super::request::{Around, StartRequest};
use super::start::{self, Patience, StartError, Starter};
use super::store::Process;
use super::watch::{SETTLE, Seen, Watch};
use super::{again, ends};
use crate::base::fault::{Advise, Kind};
use crate::base::name::ProcessName;
use crate::supervise::client::Order;
use crate::supervise::meta::{How, Meta, State};
use crate::sys::process;

/// A process that came up again.
#[derive(Debug)]
pub struct Risen {
    /// Its id.
    pub id: u32,
    /// Its name.
    pub name: ProcessName,
    /// Its new pid.
    pub pid: u32,
    /// Its port.
    pub port: Option<u16>,
    /// How often it was started again so far.
    pub restarts: u32,
    /// It ran before.
    pub was_running: bool,
    /// What was seen of it.
    pub seen: Seen,
}

/// Why a process does not run.
#[derive(Debug, thiserror::Error)]
pub enum RestartError {
    /// The order had no success.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// What it was started with is gone.
    #[error("failed to start `{name}` again")]
    Plan {
        /// The process.
        name: ProcessName,
        /// Why.
        source: Box<PlanError>,
    },
    /// It did not run, and could not be started.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The program could not be run.
    #[error("failed to restart `{name}`: {why}")]
    NotRun {
        /// The process.
        name: ProcessName,
        /// The supervisor's words.
        why: String,
    },
    /// Another order won over ours.
    #[error("`{name}` was stopped by somebody else meanwhile")]
    Stopped {
        /// The process.
        name: ProcessName,
    },
    /// It came up and ended before it had settled.
    #[error("failed to restart `{name}`: process died immediately ({}){}", ends::in_words(*how), start::said(tail))]
    Died {
        /// The process.
        name: ProcessName,
        /// How it ended.
        how: How,
        /// Its last lines on stderr.
        tail: Vec<String>,
    },
}

impl Advise for RestartError {
    fn kind(&self) -> Kind {
        match self {
            Self::Control(error) => error.kind(),
            Self::Plan { source, .. } => source.kind(),
            Self::Start(error) => error.kind(),
            Self::NotRun { .. } | Self::Stopped { .. } | Self::Died { .. } => Kind::Failed,
        }
    }

    fn advice(&self) -> Option<String> {
        match self {
            Self::Control(error) => error.advice(),
            Self::Plan { source, .. } => source.advice(),
            Self::Start(error) => error.advice(),
            Self::Stopped { name } => Some(format!("`tsm start {name}` starts it again")),
            Self::NotRun { name, .. } | Self::Died { name, .. } => {
                Some(format!("`tsm logs {name}` shows what it said; `tsm start {name}` tries again"))
            }
        }
    }
}

/// How long a restarted process may take to come up, beyond the time it is given to end.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long the supervisor may take to write down how its child ended.
const RECORDING: Duration = Duration::from_secs(3);

/// An order that was given, and what was before it.
struct Given {
    /// There was somebody to give it to.
    taken: bool,
    /// The bytes on stderr before it.
    written: u64,
}

impl Control<'_> {
    /// Restarts processes, all at the same time, and waits until each is up. What did not run is started.
    /// The answers are in the order of the processes.
    pub fn restart(
        &self,
        processes: &[&Process],
        around: &Around,
        starter: &mut Starter,
    ) -> Vec<Result<Risen, RestartError>> {
        let order = |process: &&Process| {
            let written = std::fs::metadata(process.err_log()).map_or(0, |file| file.len());
            if process.view.state.is_final() && !process.view.stalled {
                // Its supervisor, if there still is one, is about to end and takes no more orders.
                return self.wait_unsupervised(process, PATIENCE).map(|()| Given { taken: false, written });
            }
            self.give(process, Order::Restart).map(|taken| Given { taken, written })
        };
        let given: Vec<_> = processes.iter().map(order).collect();
        let mut answers = Vec::new();
        for (process, given) in processes.iter().zip(given) {
            answers.push(match given {
                Ok(given) if given.taken => self.follow(process, given.written, starter),
                Ok(_) => start_again(process, around, starter),
                Err(error) => Err(error.into()),
            });
        }
        answers
    }

    /// Waits for the new life of a process and watches its beginning.
    fn follow(&self, process: &Process, written: u64, starter: &mut Starter) -> Result<Risen, RestartError> {
        let patience = Duration::from_millis(process.meta.run.kill_timeout_ms) + PATIENCE;
        let old = &process.meta.life;
        self.see_it_taken(process, Order::Restart)?;
        let meta = self.wait_until(process, patience, |meta| is_next_life(meta, old.started_ms, &old.nonce))?;
        let name = || process.name.clone();
        let lost = || ControlError::NoRecord { name: name(), why: "it was removed".to_owned() };
        let meta = meta.ok_or_else(lost)?;
        if !meta.life.start_error.is_empty() {
            return Err(RestartError::NotRun { name: name(), why: meta.life.start_error });
        }
        if meta.state == State::Stopped && meta.life.nonce == old.nonce {
            return Err(RestartError::Stopped { name: name() });
        }
        let seen = match meta.state {
            State::Online => watch(&process.dir, &meta, starter),
            _ => Seen::Dead,
        };
        if seen == Seen::Dead {
            let tail = start::tail(&process.err_log(), written);
            return Err(RestartError::Died { name: name(), how: self.end_of(process, &meta), tail });
        }
        let (id, port, restarts) = (meta.tsm_id, meta.port, meta.restarts);
        Ok(Risen { id, name: name(), pid: meta.pid, port, restarts, was_running: true, seen })
    }

    /// How the life of `meta` ended, once that is written down.
    fn end_of(&self, process: &Process, meta: &Meta) -> How {
        if let Some(exit) = meta.last_exit.as_ref().filter(|_| meta.state != State::Online) {
            return exit.how;
        }
        let ended = |now: &Meta| now.pid != meta.pid || now.life.nonce != meta.life.nonce;
        let now = self.wait_until(process, RECORDING, ended).ok().flatten();
        now.and_then(|now| now.last_exit).map_or(How::Unknown, |exit| exit.how)
    }
}

/// True once the restart is over: another child runs or ran, or there will be none.
fn is_next_life(meta: &Meta, started_ms: u64, nonce: &str) -> bool {
    let another = meta.life.nonce != nonce || meta.life.started_ms != started_ms;
    match meta.state {
        State::Starting | State::Stopping | State::Unknown => false,
        State::Online | State::Waiting | State::Scheduled => another,
        State::Stopped | State::Crashed | State::Errored => true,
    }
}

/// Watches a new life until it has settled. Of several processes those that are watched later have had their time already.
fn watch(dir: &Path, meta: &Meta, starter: &mut Starter) -> Seen {
    let care = &meta.run.care;
    let health = (!care.health.is_empty() || care.notify).then(|| dir.to_owned());
    let explicit = meta.port.is_some() && !meta.run.port_guessed;
    let age = starter.host.now().since(crate::base::time::Timestamp(meta.life.started_ms));
    let lives = process::is_same(meta.pid, meta.life.start_ticks);
    match starter.patience {
        _ if !lives => Seen::Dead,
        Patience::UntilItRuns | Patience::UntilItEnds => Seen::Unwatched,
        Patience::UntilItIsReady if !explicit && health.is_none() && age >= SETTLE => Seen::Settled,
        Patience::UntilItIsReady => Watch { pid: meta.pid, port: meta.port, explicit, health, until_end: false }
            .until_ready(starter.host, starter.say),
    }
}

/// Starts a process that does not run: the same id, logs and command, its env file read again.
fn start_again(process: &Process, around: &Around, starter: &mut Starter) -> Result<Risen, RestartError> {
    refuse_foreign(process)?;
    refuse_unknown(process)?;
    if let Some(why) = &process.damage {
        return Err(ControlError::NoRecord { name: process.name.clone(), why: why.clone() }.into());
    }
    let plan = again::plan(process, &StartRequest::default(), around)
        .map_err(|source| RestartError::Plan { name: process.name.clone(), source: Box::new(source) })?;
    let started = start::start(&plan, starter)?;
    let restarts = process.meta.restarts + 1;
    let (id, name, pid) = (started.id, started.name, started.pid);
    Ok(Risen { id, name, pid, port: started.port, restarts, was_running: false, seen: started.seen })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meta(state: State, nonce: &str) -> Meta {
        let record = r#"{"tsm_id":3,"name":"api","pid":9,"command":"x","cwd":"/"}"#;
        let mut meta: Meta = serde_json::from_str(record).expect("a record");
        (meta.state, meta.life.nonce) = (state, nonce.to_owned());
        meta
    }

    #[test]
    fn a_restart_is_over_with_the_next_life_or_without_one() {
        for (state, nonce, over) in [
            (State::Online, "old", false),
            (State::Stopping, "old", false),
            (State::Starting, "new", false),
            (State::Online, "new", true),
            (State::Waiting, "new", true),
            (State::Crashed, "old", true),
            (State::Stopped, "old", true),
        ] {
            assert_eq!(is_next_life(&meta(state, nonce), 0, "old"), over, "{state:?} {nonce}");
        }
    }
}
