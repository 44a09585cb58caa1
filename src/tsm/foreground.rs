//! Staying until a process has ended, for a manager to which the command is the process: systemd ends what a unit started as soon
//! as the main process of the unit is gone.

use std::time::{Duration, Instant};

use super::control::{Control, ControlError};
use super::store::Process;
use crate::supervise::client;
use crate::supervise::meta::{Exit, State};

/// How the stay ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Left {
    /// It was stopped, or ended with success.
    Stopped,
    /// It failed and is not started again.
    Failed(Option<Exit>),
}

/// How soon a signal to this command is answered.
const SLICE: Duration = Duration::from_millis(500);

impl Control<'_> {
    /// Waits until a process has ended for good. An interruption stops it.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be stopped.
    pub fn stay(&self, process: &Process) -> Result<Left, ControlError> {
        loop {
            if (self.interrupted)() {
                // This command is to end, and with it the unit: the process has the time that its unit gives it.
                let patient = Control { interrupted: &|| false, ..*self };
                return patient.stop(&[process]).remove(0).map(|_| Left::Stopped);
            }
            let over = |state| matches!(state, State::Stopped | State::Crashed | State::Errored);
            let meta = client::wait(&process.dir, Instant::now() + SLICE, |meta| meta.is_none_or(|it| over(it.state)));
            match meta {
                Ok(None) => return Ok(Left::Stopped),
                Ok(Some(_)) if client::supervised(&process.dir) => {
                    // Either the supervisor is about to leave, or it was given another order meanwhile.
                    let _ = client::wait_unsupervised(&process.dir, Instant::now() + SLICE);
                }
                // A manager that stops a unit signals all that is in it.
                Ok(Some(meta)) if meta.state == State::Stopped || (self.interrupted)() => return Ok(Left::Stopped),
                Ok(Some(meta)) => return Ok(Left::Failed(meta.last_exit)),
                Err(_) if process.dir.is_dir() => {}
                Err(_) => return Ok(Left::Stopped),
            }
        }
    }
}
