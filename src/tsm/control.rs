//! Stopping, restarting and deleting: orders to supervisors, and waiting for what becomes of them.
//!
//! The escalation from the polite signal to the end is the supervisor's work; here it is only waited for, by its record, without
//! polling. An order stands once it is given: who stops waiting takes nothing back.

mod error;
mod waiting;

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};

use super::store::Process;
use super::{attend, launch};
use crate::base::signal::Signal;
use crate::supervise::client::{self, Order, SendError};
use crate::supervise::meta::{self, State};
use crate::supervise::repair;
use crate::supervise::traces::Traces;
use crate::sys::file;
use crate::sys::paths::Paths;
use crate::sys::{net, privileges, process};

pub use error::ControlError;

/// What is needed to act on processes.
pub struct Control<'a> {
    /// Where everything is.
    pub paths: &'a Paths,
    /// This program, to start supervisors with.
    pub program: &'a Path,
    /// Whether the operator has had enough of waiting.
    pub interrupted: &'a dyn Fn() -> bool,
}

/// What came of an order to end a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
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
        state: State,
    },
}

/// How long a supervisor may take beyond the time that it gives its child.
const MARGIN: Duration = Duration::from_secs(15);

/// How long an order may lie unread.
const SECOND: Duration = Duration::from_secs(1);

/// How often an order is given before nobody is found to take it: supervisors may come and go meanwhile.
const TRIES: u32 = 4;

/// How long is waited before the operator's wish is asked for again.
const SLICE: Duration = Duration::from_millis(100);

impl Control<'_> {
    /// Gives living processes that nobody watches a supervisor, and takes restarts up again that nobody would make.
    /// Removes folders that were cut off half made or half removed. Costs little when there are none. What fails is left as it is: whoever needs the supervisor will say so.
    pub fn tend(&self, processes: &mut [Process]) {
        self.tidy(processes.len());
        for process in processes.iter_mut().filter(|process| process.view.stalled) {
            if refuse_foreign(process).is_ok() {
                repair::rouse(&process.dir);
                let pid = process.meta.pid;
                let _ = client::soon(&process.dir, SLICE, |meta| meta.is_none_or(|meta| meta.pid != pid));
                process.look_again();
            }
        }
        for process in processes.iter_mut().filter(|process| process.view.wants_supervisor()) {
            if self.supervise(process).is_ok() {
                process.look_again();
            }
        }
        for process in processes.iter().filter(|process| process.view.supervised) {
            let wanted = !process.meta.run.care.is_nothing() && !attend::is_there(&process.dir);
            if wanted && refuse_foreign(process).is_ok() {
                // Whoever asks for its health sees that nobody looks after it.
                let _ = attend::start(self.program, &process.dir);
            }
        }
    }

    /// Makes sure that somebody supervises the process. A record that is lost is replaced by what could be found out first: nobody
    /// else writes it while nobody supervises.
    fn supervise(&self, process: &Process) -> Result<(), ControlError> {
        refuse_foreign(process)?;
        if process.damage.is_some() {
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
    pub fn stop(&self, processes: &[&Process]) -> Vec<Result<Ended, ControlError>> {
        self.end(processes, Order::Stop)
    }

    /// Sends a signal to the child of a process; its pid.
    ///
    /// # Errors
    ///
    /// Fails if it does not run, or its supervisor cannot be told.
    pub fn signal(&self, process: &Process, signal: Signal) -> Result<u32, ControlError> {
        let Some(pid) = process.pid() else { return Err(ControlError::NotRunning { name: process.name.clone() }) };
        self.give(process, Order::Signal(signal.number()))?;
        Ok(pid)
    }

    /// Ends processes by `order` and waits until nobody supervises them.
    pub(super) fn end(&self, processes: &[&Process], order: Order) -> Vec<Result<Ended, ControlError>> {
        let traces = Traces::default();
        let given: Vec<_> = processes.iter().map(|process| self.give_end(process, order, &traces)).collect();
        let answers = processes.iter().zip(given);
        answers
            .map(|(process, given)| if given? { self.see_off(process, order) } else { Ok(was_not_running(process)) })
            .collect()
    }

    /// Waits for the end. An order that its supervisor took along when it was killed is given again.
    fn see_off(&self, process: &Process, order: Order) -> Result<Ended, ControlError> {
        self.see_it_taken(process, order)?;
        for _ in 1..TRIES {
            let ended = self.wait_for_end(process)?;
            let mut now = process.clone();
            now.look_again();
            if now.view.supervised || !now.view.alive {
                return Ok(ended);
            }
            self.give(&now, order)?;
        }
        self.wait_for_end(process)
    }

    /// Gives an order to end, or sees to it otherwise that nothing is left of what nobody supervises; false if nothing was.
    pub(super) fn give_end(&self, process: &Process, order: Order, traces: &Traces) -> Result<bool, ControlError> {
        refuse_unknown(process)?;
        let now = self.wait_for_supervisor(process)?;
        if now.view.supervised || now.view.alive {
            return self.give(&now, order);
        }
        let wanted = now.view.wants_supervisor() || traces.lead_to(&now.dir, &now.meta);
        // If it ran when we looked first, it ended by itself in this moment.
        if !wanted {
            return Ok(process.view.supervised || process.view.wants_supervisor());
        }
        refuse_foreign(&now)?;
        if !self.write_stopping(&now)? {
            return self.give(&now, order);
        }
        // It finds what its predecessors left, asks it to end, waits, and kills in the end.
        self.launch(&now)?;
        Ok(true)
    }

    /// Writes down that a process is to be stopped of which nothing but leftovers may live; false if somebody supervises it by
    /// now. Nobody else writes its record: a start holds the same lock until it did.
    fn write_stopping(&self, process: &Process) -> Result<bool, ControlError> {
        let _lock = self.lock_names()?;
        let mut now = process.clone();
        now.look_again();
        if now.view.supervised || now.view.alive {
            return Ok(false);
        }
        now.meta.enter(State::Stopping);
        now.meta.life.start_follows = false;
        let path = meta::path(&now.dir);
        let written = meta::write(&now.dir, &now.meta);
        written.map_err(|source| ControlError::File { action: "write", path, source })?;
        Ok(true)
    }

    /// The lock of ids and names; none where nobody has ever given out an id.
    pub(super) fn lock_names(&self) -> Result<Option<std::fs::File>, ControlError> {
        match file::lock(&self.paths.id_lock()) {
            Err(error) if !error.is_not_found() => Err(error.into()),
            held => Ok(held.ok()),
        }
    }

    /// Gives an order; false if there is nobody to give it to because nothing runs.
    pub(super) fn give(&self, process: &Process, order: Order) -> Result<bool, ControlError> {
        refuse_unknown(process)?;
        let mut now = self.wait_for_supervisor(process)?;
        for _ in 0..TRIES {
            if !now.view.supervised {
                if !now.view.wants_supervisor() {
                    // If it ran when we looked first, it ended by itself in this moment.
                    return Ok(process.view.supervised || process.view.wants_supervisor());
                }
                self.supervise(&now)?;
            }
            match client::send(&process.dir, order) {
                Ok(()) => return Ok(true),
                // It ends in this moment, or cannot hear: the FIFO in the folder is not the one that it listens at.
                Err(SendError::NobodyThere { .. }) => self.let_go(process)?,
                Err(source) => return Err(ControlError::Send { name: process.name.clone(), source }),
            }
            now.look_again();
        }
        let source = SendError::NobodyThere { dir: process.dir.clone() };
        Err(ControlError::Send { name: process.name.clone(), source })
    }

    /// Waits until a supervisor that does not hear is gone; one that stays is ended.
    fn let_go(&self, process: &Process) -> Result<(), ControlError> {
        if client::wait_unsupervised(&process.dir, Instant::now() + SLICE).is_ok() {
            return Ok(());
        }
        let evicted = repair::evict(&process.dir, Instant::now() + MARGIN);
        evicted.map_err(|source| ControlError::Blind { name: process.name.clone(), source })
    }

    /// The process once its start found a supervisor, or turned out to have been given up half-way.
    fn wait_for_supervisor(&self, process: &Process) -> Result<Process, ControlError> {
        let mut now = process.clone();
        while now.view.state == State::Starting && !now.view.supervised {
            match self.wait_until(process, SLICE, |meta| meta.state != State::Starting) {
                Ok(Some(_)) | Err(ControlError::NotEnded { .. }) => now.look_again(),
                Ok(None) => return Ok(now),
                Err(error) => return Err(error),
            }
        }
        Ok(now)
    }
}

/// Refuses the process of another user: a supervisor runs what the folder says, and whoever owns the folder says it. Root that acts
/// as that user starts nothing either: it would be surprised whose rights the process has.
pub(super) fn refuse_foreign(process: &Process) -> Result<(), ControlError> {
    let folder = |source| ControlError::File { action: "look at", path: process.dir.clone(), source };
    let owner = std::fs::metadata(&process.dir).map_err(folder)?.uid();
    if owner == process::own_uid() && privileges::acts_for().is_none() {
        return Ok(());
    }
    Err(ControlError::Foreign { name: process.name.clone(), owner: net::login(owner) })
}

/// Refuses a process of which cannot be said what it is: what is done to one that has ended must not be done to one that runs.
pub(super) fn refuse_unknown(process: &Process) -> Result<(), ControlError> {
    match &process.unknown {
        Some(why) => Err(ControlError::Unknown { name: process.name.clone(), why: why.clone() }),
        None => Ok(()),
    }
}

fn was_not_running(process: &Process) -> Ended {
    Ended::WasNotRunning { state: process.view.state }
}
