//! Stopping, restarting and deleting: orders to supervisors, and waiting for what becomes of them.
//!
//! The escalation from the polite signal to the end is the supervisor's work; here it is only waited for, by its record, without
//! polling. A command stays in effect once it is sent: a caller that stops waiting does not revoke it.

mod error;
mod patience;
mod wait;

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};

use super::launch::{self, by_daemon, owner};
use super::sidecar;
use super::store::Process;
use crate::base::signal::Signal;
use crate::supervise::client::{self, ControlCommand, SendError};
use crate::supervise::meta::{self, ProcessState, StopCause};
use crate::supervise::process_scan::ProcessScan;
use crate::supervise::recovery;
use crate::sys::file;
use crate::sys::paths::Paths;
use crate::sys::{net, process};

pub use error::ControlError;

/// What is needed to act on processes.
pub struct Control<'a> {
    /// Where everything is.
    pub paths: &'a Paths,
    /// This program, to start supervisors with.
    pub program: &'a Path,
    /// Whether the operator has had enough of waiting.
    pub interrupted: &'a dyn Fn() -> bool,
    /// Why processes are ended.
    pub cause: StopCause,
}

/// What came of an order to end a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StopResult {
    /// It runs no more.
    Stopped {
        /// The pid that it had; 0 if it had none.
        pid: u32,
        /// It had to be killed.
        forced: bool,
        /// Processes of it that could not be ended.
        survivors: Vec<u32>,
    },
    /// It did not run.
    WasNotRunning {
        /// What it was instead.
        state: ProcessState,
    },
}

/// How long a supervisor may take beyond the time that it gives its child.
const STOP_MARGIN: Duration = Duration::from_secs(15);

/// How long an order may lie unread.
const ORDER_READ_TIMEOUT: Duration = Duration::from_secs(1);

/// How often a command is sent before giving up: supervisors may come and go meanwhile.
const MAX_ATTEMPTS: u32 = 4;

/// How long is waited before the operator's wish is asked for again.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

impl Control<'_> {
    /// Gives running processes without a supervisor a new one, and resumes restarts that were lost with it.
    /// Removes directories of interrupted starts and deletes. Costs little when there are none. What fails is left as it is: a later command reports it.
    pub fn reconcile(&self, processes: &mut [Process]) {
        self.clean_staging(processes.len());
        for process in processes.iter_mut().filter(|process| process.live.stalled) {
            if check_owner(process).is_ok() {
                recovery::resume_if_stopped(&process.dir);
                let pid = process.meta.pid;
                let _ = client::poll_until(&process.dir, POLL_INTERVAL, |meta| meta.is_none_or(|meta| meta.pid != pid));
                process.refresh();
            }
        }
        for process in processes.iter_mut().filter(|process| process.live.needs_supervisor()) {
            if self.ensure_supervised(process).is_ok() {
                process.refresh();
            }
        }
        for process in processes.iter().filter(|process| process.live.supervised) {
            let wanted = !process.meta.run.monitor.is_empty() && !sidecar::is_running(&process.dir);
            if wanted && check_owner(process).is_ok() {
                // Its health then shows that no sidecar runs.
                let _ = launch::sidecar(self.program, &process.dir);
            }
        }
    }

    /// Makes sure that the process has a supervisor. A lost record is replaced by what could be found out first: nothing
    /// else writes it while no supervisor runs.
    fn ensure_supervised(&self, process: &Process) -> Result<(), ControlError> {
        check_owner(process)?;
        if process.record_error.is_some() {
            let path = meta::path(&process.dir);
            let written = meta::write(&process.dir, &process.meta);
            written.map_err(|source| ControlError::File { action: "write", path, source })?;
        }
        self.launch(process)
    }

    /// Starts a supervisor; what it found is seen in the record.
    fn launch(&self, process: &Process) -> Result<(), ControlError> {
        let memory_max = process.meta.run.limits.memory_max;
        let launched = launch::supervisor(self.program, &process.dir, &process.name, memory_max);
        launched.map(|_| ()).map_err(|source| ControlError::Launch { name: process.name.clone(), source })
    }

    /// Stops processes, all at the same time, and waits for each. The answers are in the order of the processes.
    pub fn stop(&self, processes: &[&Process]) -> Vec<Result<StopResult, ControlError>> {
        self.stop_with(processes, ControlCommand::Stop)
    }

    /// Kills processes without asking them to end, all at the same time, and waits for each. The answers are in their order.
    pub fn stop_by_force(&self, processes: &[&Process]) -> Vec<Result<StopResult, ControlError>> {
        self.stop_with(processes, ControlCommand::Kill)
    }

    /// Sends a signal to the child of a process; its pid.
    ///
    /// # Errors
    ///
    /// Fails if it does not run, or its supervisor cannot be reached.
    pub fn signal(&self, process: &Process, signal: Signal) -> Result<u32, ControlError> {
        let Some(pid) = process.pid() else { return Err(ControlError::NotRunning { name: process.name.clone() }) };
        self.send_order(process, ControlCommand::Signal(signal.number()))?;
        Ok(pid)
    }

    /// Ends processes by `order` and waits until their supervisors have ended.
    pub(super) fn stop_with(
        &self,
        processes: &[&Process],
        order: ControlCommand,
    ) -> Vec<Result<StopResult, ControlError>> {
        let traces = ProcessScan::default();
        let given: Vec<_> = processes.iter().map(|process| self.send_stop(process, order, &traces)).collect();
        let answers = processes.iter().zip(given);
        answers
            .map(
                |(process, given)| {
                    if given? { self.wait_until_stopped(process, order) } else { Ok(was_not_running(process)) }
                },
            )
            .collect()
    }

    /// Waits for the end. An order that its supervisor took along when it was killed is given again.
    fn wait_until_stopped(&self, process: &Process, order: ControlCommand) -> Result<StopResult, ControlError> {
        self.wait_for_ack(process, order)?;
        for _ in 1..MAX_ATTEMPTS {
            let ended = self.wait_for_end(process)?;
            let mut now = process.clone();
            now.refresh();
            if now.live.supervised || !now.live.alive {
                return Ok(ended);
            }
            self.send_order(&now, order)?;
        }
        self.wait_for_end(process)
    }

    /// Gives an order to end, or ends the leftovers of a process without a supervisor; false if there were none.
    pub(super) fn send_stop(
        &self,
        process: &Process,
        order: ControlCommand,
        traces: &ProcessScan,
    ) -> Result<bool, ControlError> {
        check_known(process)?;
        let now = self.wait_for_supervisor(process)?;
        if now.live.supervised || now.live.alive {
            return self.send_order(&now, order);
        }
        let wanted = now.live.needs_supervisor() || traces.has_survivors_of(&now.dir, &now.meta);
        // If it ran when we looked first, it ended by itself in this moment.
        if !wanted {
            return Ok(process.live.supervised || process.live.needs_supervisor());
        }
        check_owner(&now)?;
        if !self.record_stopping(&now)? {
            return self.send_order(&now, order);
        }
        // It finds what its predecessors left, asks it to end, waits, and kills in the end.
        self.launch(&now)?;
        Ok(true)
    }

    /// Records the stop of a process of which only leftovers may run; false if it has a supervisor by
    /// now. Nothing else writes its record: a start holds the same lock until it did.
    fn record_stopping(&self, process: &Process) -> Result<bool, ControlError> {
        let _lock = self.lock_names()?;
        let mut now = process.clone();
        now.refresh();
        if now.live.supervised || now.live.alive {
            return Ok(false);
        }
        now.meta.set_state(ProcessState::Stopping);
        now.meta.run_state.start_pending = false;
        let path = meta::path(&now.dir);
        let written = meta::write(&now.dir, &now.meta);
        written.map_err(|source| ControlError::File { action: "write", path, source })?;
        Ok(true)
    }

    /// The lock of ids and names; none where no id was ever assigned.
    pub(super) fn lock_names(&self) -> Result<Option<std::fs::File>, ControlError> {
        match file::lock(&self.paths.id_lock()) {
            Err(error) if !error.is_not_found() => Err(error.into()),
            held => Ok(held.ok()),
        }
    }

    /// Sends a command; false if no supervisor runs.
    pub(super) fn send_order(&self, process: &Process, order: ControlCommand) -> Result<bool, ControlError> {
        check_known(process)?;
        let mut now = self.wait_for_supervisor(process)?;
        for _ in 0..MAX_ATTEMPTS {
            if !now.live.supervised {
                if !now.live.needs_supervisor() {
                    // If it ran when we looked first, it ended by itself in this moment.
                    return Ok(process.live.supervised || process.live.needs_supervisor());
                }
                self.ensure_supervised(&now)?;
            }
            match client::send_with_cause(&process.dir, order, self.cause) {
                Ok(()) => return Ok(true),
                // It is ending, or cannot be reached: the FIFO in the directory is not the one it reads.
                Err(SendError::NotSupervised { .. }) => self.evict_unresponsive(process)?,
                Err(source) => return Err(ControlError::Send { name: process.name.clone(), source }),
            }
            now.refresh();
        }
        let source = SendError::NotSupervised { dir: process.dir.clone() };
        Err(ControlError::Send { name: process.name.clone(), source })
    }

    /// Waits until a supervisor that cannot be reached has ended; one that stays is killed.
    fn evict_unresponsive(&self, process: &Process) -> Result<(), ControlError> {
        if client::wait_unsupervised(&process.dir, Instant::now() + POLL_INTERVAL).is_ok() {
            return Ok(());
        }
        let evicted = recovery::kill_supervisor(&process.dir, Instant::now() + STOP_MARGIN);
        evicted.map_err(|source| ControlError::Unresponsive { name: process.name.clone(), source })
    }

    /// The process once its start found a supervisor, or turned out to have been given up half-way.
    fn wait_for_supervisor(&self, process: &Process) -> Result<Process, ControlError> {
        let mut now = process.clone();
        while now.live.state == ProcessState::Starting && !now.live.supervised {
            match self.wait_until(process, POLL_INTERVAL, |meta| meta.state != ProcessState::Starting) {
                Ok(Some(_)) | Err(ControlError::NotEnded { .. }) => now.refresh(),
                Ok(None) => return Ok(now),
                Err(error) => return Err(error),
            }
        }
        Ok(now)
    }
}

/// Refuses the process of another user: a supervisor runs what the directory says, and its owner controls that. Root that acts
/// as that user starts nothing either: it would be surprised whose rights the process has.
pub(super) fn check_owner(process: &Process) -> Result<(), ControlError> {
    let dir = |source| ControlError::File { action: "look at", path: process.dir.clone(), source };
    let owner = std::fs::metadata(&process.dir).map_err(dir)?.uid();
    let socket = process.dir.ancestors().nth(2).map(|runtime| runtime.join(by_daemon::SOCKET));
    if owner == process::own_uid() && socket.is_none_or(|socket| owner::refuses(&socket).is_none()) {
        return Ok(());
    }
    Err(ControlError::OtherUser { name: process.name.clone(), owner: net::user_name(owner) })
}

/// Refuses a process of which cannot be said what it is: what is done to one that has ended must not be done to one that runs.
pub(super) fn check_known(process: &Process) -> Result<(), ControlError> {
    match &process.unknown {
        Some(why) => Err(ControlError::Unknown { name: process.name.clone(), why: why.clone() }),
        None => Ok(()),
    }
}

fn was_not_running(process: &Process) -> StopResult {
    StopResult::WasNotRunning { state: process.live.state }
}
