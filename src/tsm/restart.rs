//! Starting again: a process that runs, or one that does not, with its id, its logs and everything it was started with.

use std::path::Path;
use std::time::Duration;

use super::control::{Control, ControlError};
use super::ends;
use super::store::Process;
use crate::base::time::Timestamp;
use crate::supervise::client::{self, Launched, Order};
use crate::supervise::meta::{self, Life, Meta, State};

/// A process that came up again.
#[derive(Debug, Clone, PartialEq)]
pub struct Risen {
    /// Its record with the new life.
    pub meta: Meta,
    /// It ran before.
    pub was_running: bool,
}

/// How long a restarted process may take to come up, beyond the time it is given to end.
const PATIENCE: Duration = Duration::from_secs(30);

impl Control<'_> {
    /// Restarts processes, all at the same time, and waits until each has come up. What did not run is started.
    /// The answers are in the order of the processes.
    pub fn restart(&self, processes: &[&Process], now: Timestamp) -> Vec<Result<Risen, ControlError>> {
        let given: Vec<_> = processes.iter().map(|process| self.give(process, Order::Restart)).collect();
        let answers = processes.iter().zip(given);
        let answer = |(process, given): (&&Process, Result<bool, ControlError>)| {
            if given? { self.wait_for_new_life(process) } else { self.start_again(process, now) }
        };
        answers.map(answer).collect()
    }

    /// Starts a process that does not run: the same id, logs and command, its env file read again, one restart more.
    ///
    /// # Errors
    ///
    /// Fails if its record is lost or cannot be written, no supervisor can be started, or the program cannot be run.
    pub fn start_again(&self, process: &Process, now: Timestamp) -> Result<Risen, ControlError> {
        if let Some(why) = &process.damage {
            return Err(ControlError::NoRecord { name: process.name.clone(), why: why.clone() });
        }
        // Whoever just ended it lets go of the folder first.
        self.wait_unsupervised(process, PATIENCE)?;
        let record = meta::path(&process.dir);
        let written = meta::write(&process.dir, &reborn(&process.meta, now));
        written.map_err(|source| ControlError::File { action: "write", path: record, source })?;
        let launched = client::launch(self.program, &process.dir)
            .map_err(|source| ControlError::Launch { name: process.name.clone(), source })?;
        let not_up = |why: String| ControlError::NotUp { name: process.name.clone(), why };
        match launched {
            Launched::Spawned { .. } | Launched::Adopted { .. } | Launched::AlreadySupervised => {}
            Launched::HookFailed { code } => return Err(not_up(format!("its pre-start command failed with {code}"))),
            Launched::NotRun { errno, step } => {
                let words = start_error(&process.dir);
                let why = words.unwrap_or_else(|| std::io::Error::from_raw_os_error(errno).to_string());
                return Err(not_up(format!("{step} failed: {why}")));
            }
            Launched::Ended => return Err(not_up("it ended at once".to_owned())),
        }
        let meta = self.wait_until(process, PATIENCE, |meta| meta.state != State::Starting)?;
        self.risen(process, meta, false)
    }

    fn wait_for_new_life(&self, process: &Process) -> Result<Risen, ControlError> {
        let patience = Duration::from_millis(process.meta.run.kill_timeout_ms) + PATIENCE;
        let old = process.meta.life.nonce.clone();
        let meta = self.wait_until(process, patience, |meta| {
            let settled = !matches!(meta.state, State::Starting | State::Stopping);
            meta.state.is_final() || (settled && meta.life.nonce != old)
        })?;
        self.risen(process, meta, true)
    }

    fn risen(&self, process: &Process, meta: Option<Meta>, was_running: bool) -> Result<Risen, ControlError> {
        let not_up = |why: String| Err(ControlError::NotUp { name: process.name.clone(), why });
        match meta {
            Some(meta) if meta.state == State::Online => Ok(Risen { meta, was_running }),
            Some(meta) if !meta.life.start_error.is_empty() => not_up(meta.life.start_error),
            Some(meta) => not_up(meta.last_exit.map_or("it does not run".to_owned(), |exit| ends::in_words(exit.how))),
            None => not_up("its record is gone".to_owned()),
        }
    }
}

fn start_error(dir: &Path) -> Option<String> {
    let meta = meta::read(dir).ok()??;
    Some(meta.life.start_error).filter(|words| !words.is_empty())
}

/// The record of a process that is about to be started again.
fn reborn(old: &Meta, now: Timestamp) -> Meta {
    let mut meta = old.clone();
    meta.enter(State::Starting);
    meta.version = meta::VERSION;
    meta.pid = 0;
    meta.restarts += 1;
    meta.unstable_restarts = 0;
    meta.start_time = now.0 / 1000;
    meta.life = Life::default();
    if meta.run.argv.is_empty() {
        // The published format has the command as text only.
        meta.run.argv = vec!["bash".to_owned(), "-c".to_owned(), format!("exec {}", old.command)];
    }
    meta
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::supervise::meta::Status;

    fn meta(rest: &str) -> Meta {
        serde_json::from_str(&format!(
            r#"{{"tsm_id":3,"name":"api","pid":9,"command":"node 'a b.js'","cwd":"/"{rest}}}"#
        ))
        .expect("a record")
    }

    #[test]
    fn a_process_keeps_what_it_was_started_with() {
        let mut old = meta(r#","state":"crashed","status":"crashed","restarts":2,"port":3000,"extra":1"#);
        old.run.argv = vec!["node".into(), "a b.js".into()];
        old.life.nonce = "old".into();
        let new = reborn(&old, Timestamp(5_000));
        assert_eq!((new.tsm_id, new.restarts, new.pid, new.start_time, new.port), (3, 3, 0, 5, Some(3000)));
        assert_eq!((new.state, new.status), (State::Starting, Status::Online));
        assert_eq!((new.run, new.life, new.unknown), (old.run, Life::default(), old.unknown));
    }

    #[test]
    fn a_record_of_the_published_format_can_be_run_too() {
        let new = reborn(&meta(""), Timestamp(0));
        assert_eq!(new.run.argv, ["bash", "-c", "exec node 'a b.js'"]);
        assert_eq!(new.run.kill_timeout_ms, 10_000);
    }
}
