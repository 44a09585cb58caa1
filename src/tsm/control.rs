//! Stopping, restarting and deleting: orders to supervisors, and waiting for what becomes of them.
//!
//! The escalation from the polite signal to the end is the supervisor's work; here it is only waited for, by its record, without
//! polling. An order stands once it is given: who stops waiting takes nothing back.

mod error;

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};

use super::attend;
use super::store::Process;
use crate::supervise::client::{self, Launched, Order, SendError, WaitError};
use crate::supervise::meta::{self, How, Meta, State};
use crate::supervise::repair;
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

/// What comes within this time is not waited for with a watch.
const SOON: Duration = Duration::from_millis(15);

impl Control<'_> {
    /// Gives living processes that nobody watches a supervisor, and takes restarts up again that nobody would make.
    /// Removes folders that were cut off half made or half removed. Costs little when there are none. What fails is left as it is: whoever needs the supervisor will say so.
    pub fn tend(&self, processes: &mut [Process]) {
        self.tidy(processes.len());
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
        let launched = client::launch(self.program, &process.dir)
            .map_err(|source| ControlError::Launch { name: process.name.clone(), source })?;
        match launched {
            Launched::Adopted { .. } | Launched::AlreadySupervised | Launched::Ended | Launched::Spawned { .. } => {
                Ok(())
            }
            Launched::HookFailed { .. } | Launched::NotRun { .. } => Ok(()),
        }
    }

    /// Stops processes, all at the same time, and waits for each. The answers are in the order of the processes.
    pub fn stop(&self, processes: &[&Process]) -> Vec<Result<Ended, ControlError>> {
        self.end(processes, Order::Stop)
    }

    /// Ends processes by `order` and waits until nobody supervises them.
    pub(super) fn end(&self, processes: &[&Process], order: Order) -> Vec<Result<Ended, ControlError>> {
        let given: Vec<_> = processes.iter().map(|process| self.give(process, order)).collect();
        let answers = processes.iter().zip(given);
        answers
            .map(|(process, given)| if given? { self.see_off(process, order) } else { Ok(was_not_running(process)) })
            .collect()
    }

    /// Waits for the end. An order that its supervisor took along when it was killed is given again.
    fn see_off(&self, process: &Process, order: Order) -> Result<Ended, ControlError> {
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

    /// Gives an order; false if there is nobody to give it to because nothing runs.
    pub(super) fn give(&self, process: &Process, order: Order) -> Result<bool, ControlError> {
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

    pub(super) fn wait_for_end(&self, process: &Process) -> Result<Ended, ControlError> {
        let meta = self.wait_for_final(process)?;
        self.wait_unsupervised(process, MARGIN)?;
        let forced =
            meta.as_ref().and_then(|meta| meta.last_exit.as_ref()).is_some_and(|exit| exit.how == How::Signal(9));
        let survivors = meta.map(|meta| meta.life.survivors).unwrap_or_default();
        Ok(Ended::Stopped { pid: process.meta.pid, forced, survivors })
    }

    /// Waits until nothing more is due. Another order may have won over ours: then a new life goes on.
    fn wait_for_final(&self, process: &Process) -> Result<Option<Meta>, ControlError> {
        let patience = Duration::from_millis(process.meta.run.kill_timeout_ms) + MARGIN;
        let mut nonce = meta::read(&process.dir).ok().flatten().map_or(String::new(), |meta| meta.life.nonce);
        loop {
            let met = |meta: &Meta| meta.state.is_final() || (meta.state == State::Online && meta.life.nonce != nonce);
            let meta = self.wait_for_last(process, patience, met)?;
            let Some(new) = meta.as_ref().filter(|meta| !meta.state.is_final()) else { return Ok(meta) };
            // It may have begun just before the order was read.
            match self.wait_until(process, SECOND, |meta| meta.state != State::Online) {
                Ok(_) => nonce.clone_from(&new.life.nonce),
                Err(ControlError::NotEnded { name, .. }) => return Err(ControlError::StartedMeanwhile { name }),
                Err(error) => return Err(error),
            }
        }
    }

    /// Waits until `until` is true of the record, or the record is gone.
    pub(super) fn wait_until(
        &self,
        process: &Process,
        patience: Duration,
        until: impl Fn(&Meta) -> bool,
    ) -> Result<Option<Meta>, ControlError> {
        let met = |meta: Option<&Meta>| meta.is_none_or(&until);
        if let Some(meta) = client::soon(&process.dir, SOON.min(patience), met) {
            return Ok(meta);
        }
        self.wait_in_slices(process, patience, |slice| client::wait(&process.dir, slice, met))
    }

    /// The same for what stands in the last record of a supervisor; anything else is noticed late.
    pub(super) fn wait_for_last(
        &self,
        process: &Process,
        patience: Duration,
        until: impl Fn(&Meta) -> bool,
    ) -> Result<Option<Meta>, ControlError> {
        let wait = |slice| client::wait_for_last(&process.dir, slice, |meta| meta.is_none_or(&until));
        self.wait_in_slices(process, patience, wait)
    }

    fn wait_in_slices(
        &self,
        process: &Process,
        patience: Duration,
        wait: impl Fn(Instant) -> Result<Option<Meta>, WaitError>,
    ) -> Result<Option<Meta>, ControlError> {
        let name = || process.name.clone();
        let deadline = Instant::now() + patience;
        loop {
            match wait(deadline.min(Instant::now() + SLICE)) {
                Ok(meta) => return Ok(meta),
                Err(WaitError::TimedOut { .. }) if (self.interrupted)() => {
                    return Err(ControlError::Interrupted { name: name() });
                }
                Err(WaitError::TimedOut { .. }) if Instant::now() >= deadline => {
                    return Err(ControlError::NotEnded { name: name(), waited: patience });
                }
                // It ended in this moment; or nobody is left who could write it: the disk may be full or not writable.
                Err(WaitError::TimedOut { .. }) if is_over(process) => {
                    return Ok(meta::read(&process.dir).ok().flatten());
                }
                Err(WaitError::TimedOut { .. }) => {}
                // A damaged record says nothing; that its supervisor has ended still can be seen.
                Err(WaitError::Read(_)) => return self.wait_unsupervised(process, patience).map(|()| None),
                Err(source) => return Err(ControlError::Blind { name: name(), source }),
            }
        }
    }

    /// Waits until nobody supervises the process.
    pub(super) fn wait_unsupervised(&self, process: &Process, patience: Duration) -> Result<(), ControlError> {
        let name = || process.name.clone();
        let deadline = Instant::now() + patience;
        loop {
            match client::wait_unsupervised(&process.dir, deadline.min(Instant::now() + SLICE)) {
                Ok(()) => return Ok(()),
                Err(WaitError::TimedOut { .. }) if (self.interrupted)() => {
                    return Err(ControlError::Interrupted { name: name() });
                }
                Err(WaitError::TimedOut { .. }) if Instant::now() >= deadline => {
                    return Err(ControlError::NotEnded { name: name(), waited: patience });
                }
                Err(WaitError::TimedOut { .. }) => {}
                Err(source) => return Err(ControlError::Blind { name: name(), source }),
            }
        }
    }
}

/// Refuses the process of another user: a supervisor runs what the folder says, and whoever owns the folder says it.
pub(super) fn refuse_foreign(process: &Process) -> Result<(), ControlError> {
    let folder = |source| ControlError::File { action: "look at", path: process.dir.clone(), source };
    let owner = std::fs::metadata(&process.dir).map_err(folder)?.uid();
    if owner == process::own_uid() {
        return Ok(());
    }
    Err(ControlError::Foreign { name: process.name.clone(), owner: net::login(owner) })
}

/// Nobody supervises, and nothing is left to supervise.
fn is_over(process: &Process) -> bool {
    let mut now = process.clone();
    now.look_again();
    !now.view.supervised && !now.view.alive
}

fn was_not_running(process: &Process) -> Ended {
    Ended::WasNotRunning { state: process.view.state }
}
