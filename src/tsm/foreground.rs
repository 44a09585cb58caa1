//! Staying until a process has ended, for a manager to which the command is the process: systemd ends what a unit started as soon
//! as the main process of the unit is gone.

use std::time::{Duration, Instant};

use super::control::{Control, ControlError};
use super::store::Process;
use crate::supervise::client;
use crate::supervise::meta::{LastExit, ProcessState};

/// How the stay ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ForegroundEnd {
    /// It was stopped, or ended with success.
    Stopped,
    /// It failed and is not started again.
    Failed(Option<LastExit>),
}

/// How soon a signal to this command is answered.
const POLL_INTERVAL: Duration = Duration::from_millis(500);

impl Control<'_> {
    /// Waits until a process has ended for good. An interruption stops it.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be stopped.
    pub fn wait_foreground(&self, process: &Process) -> Result<ForegroundEnd, ControlError> {
        loop {
            if (self.interrupted)() {
                // This command is to end, and with it the unit: the process has the time that its unit gives it.
                let patient = Control { interrupted: &|| false, ..*self };
                return patient.stop(&[process]).remove(0).map(|_| ForegroundEnd::Stopped);
            }
            let over = |state| matches!(state, ProcessState::Stopped | ProcessState::Crashed | ProcessState::Errored);
            let meta =
                client::wait(&process.dir, Instant::now() + POLL_INTERVAL, |meta| meta.is_none_or(|it| over(it.state)));
            match meta {
                Ok(None) => return Ok(ForegroundEnd::Stopped),
                Ok(Some(_)) if client::is_supervised(&process.dir) => {
                    // Either the supervisor is about to leave, or it was given another order meanwhile.
                    let _ = client::wait_unsupervised(&process.dir, Instant::now() + POLL_INTERVAL);
                }
                // A manager that stops a unit signals all that is in it.
                Ok(Some(meta)) if meta.state == ProcessState::Stopped || (self.interrupted)() => {
                    return Ok(ForegroundEnd::Stopped);
                }
                Ok(Some(meta)) => return Ok(ForegroundEnd::Failed(meta.last_exit)),
                Err(_) if process.dir.is_dir() => {}
                Err(_) => return Ok(ForegroundEnd::Stopped),
            }
        }
    }
}
