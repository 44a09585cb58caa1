//! Waiting for what becomes of an order.

use std::time::{Duration, Instant};

use super::patience::StopPatience;
use super::{Control, ControlError, MAX_ATTEMPTS, ORDER_READ_TIMEOUT, STOP_MARGIN, StopResult};
use crate::supervise::client::{self, ControlCommand, WaitError};
use crate::supervise::meta::{self, ExitStatus, Meta, ProcessState};
use crate::tsm::store::Process;

/// What comes within this time is not waited for with a watch.
const SOON: Duration = Duration::from_millis(15);

/// The number of SIGKILL.
const KILL: u8 = 9;

impl Control<'_> {
    /// Waits until an order is being carried out. A worker that is killed takes along what it has read, and the next one knows
    /// nothing of it: then the order is given again.
    pub(in crate::tsm) fn wait_for_ack(&self, process: &Process, order: ControlCommand) -> Result<(), ControlError> {
        let before = &process.meta.run_state.nonce;
        for _ in 0..MAX_ATTEMPTS {
            match self.wait_until(process, ORDER_READ_TIMEOUT, |meta| {
                meta.state != ProcessState::Online || meta.run_state.nonce != *before
            }) {
                Ok(_) => return Ok(()),
                Err(ControlError::NotEnded { .. }) => self.send_order(process, order)?,
                Err(error) => return Err(error),
            };
        }
        Ok(())
    }

    pub(in crate::tsm) fn wait_for_end(&self, process: &Process) -> Result<StopResult, ControlError> {
        let meta = self.wait_for_final(process)?;
        self.wait_unsupervised(process, STOP_MARGIN)?;
        // Of what had ended before, and whose leftovers were swept, the end was not forced; nor where KILL is what it is asked by.
        let ran = process.live.supervised || process.live.alive;
        let forced = ran
            && process.meta.run.stop_signal != i32::from(KILL)
            && meta
                .as_ref()
                .and_then(|meta| meta.last_exit.as_ref())
                .is_some_and(|exit| exit.status == ExitStatus::Signal(KILL));
        let survivors = meta.map(|meta| meta.run_state.survivors).unwrap_or_default();
        Ok(StopResult::Stopped { pid: process.meta.pid, forced, survivors })
    }

    /// Waits until nothing more is due. Another order may have won over ours: then a new life goes on.
    fn wait_for_final(&self, process: &Process) -> Result<Option<Meta>, ControlError> {
        let timeout = Duration::from_millis(process.meta.run.kill_timeout_ms) + STOP_MARGIN;
        let mut nonce = meta::read(&process.dir).ok().flatten().map_or(String::new(), |meta| meta.run_state.nonce);
        loop {
            let met = |meta: &Meta| {
                meta.state.is_final() || (meta.state == ProcessState::Online && meta.run_state.nonce != nonce)
            };
            let meta = self.wait_for_last(process, timeout, met)?;
            // Else it ended, or its supervisors were killed when they had ended it, and nothing is left that would record it.
            let Some(new) = meta.as_ref().filter(|meta| !meta.state.is_final() && met(meta)) else { return Ok(meta) };
            // It may have begun just before the order was read.
            match self.wait_until(process, ORDER_READ_TIMEOUT, |meta| meta.state != ProcessState::Online) {
                Ok(_) => nonce.clone_from(&new.run_state.nonce),
                Err(ControlError::NotEnded { name, .. }) => return Err(ControlError::StartedMeanwhile { name }),
                Err(error) => return Err(error),
            }
        }
    }

    /// Waits until `until` is true of the record, or the record is gone.
    pub(in crate::tsm) fn wait_until(
        &self,
        process: &Process,
        timeout: Duration,
        until: impl Fn(&Meta) -> bool,
    ) -> Result<Option<Meta>, ControlError> {
        let met = |meta: Option<&Meta>| meta.is_none_or(&until);
        if let Some(meta) = client::poll_until(&process.dir, SOON.min(timeout), met) {
            return Ok(meta);
        }
        self.wait_interruptible(process, timeout, |slice| client::wait(&process.dir, slice, met))
    }

    /// The same for what is in the last record of a supervisor; anything else is noticed late.
    pub(in crate::tsm) fn wait_for_last(
        &self,
        process: &Process,
        timeout: Duration,
        until: impl Fn(&Meta) -> bool,
    ) -> Result<Option<Meta>, ControlError> {
        let wait = |slice| client::wait_until_exit(&process.dir, slice, |meta| meta.is_none_or(&until));
        self.wait_interruptible(process, timeout, wait)
    }

    fn wait_interruptible(
        &self,
        process: &Process,
        limit: Duration,
        wait: impl Fn(Instant) -> Result<Option<Meta>, WaitError>,
    ) -> Result<Option<Meta>, ControlError> {
        let name = || process.name.clone();
        let mut patience = StopPatience::new(process, limit);
        loop {
            match wait(patience.next()) {
                Ok(meta) => return Ok(meta),
                Err(WaitError::TimedOut { .. }) if (self.interrupted)() => {
                    return Err(ControlError::Interrupted { name: name() });
                }
                Err(WaitError::TimedOut { .. }) if !patience.goes_on() => {
                    return Err(ControlError::NotEnded { name: name(), waited: limit });
                }
                Err(WaitError::TimedOut { .. }) => {
                    let mut now = process.clone();
                    now.refresh();
                    if now.live.needs_supervisor() {
                        // Killed in the middle of what we wait for. If no supervisor is found now, one is at the next check.
                        let _ = self.ensure_supervised(&now);
                    } else if !now.live.supervised && !now.live.alive {
                        // It ended in this moment; or nothing is left that could write it: the disk may be full or not writable.
                        return Ok(meta::read(&process.dir).ok().flatten());
                    }
                }
                // A damaged record says nothing; that its supervisor has ended still can be seen.
                Err(WaitError::Read(_)) => return self.wait_unsupervised(process, limit).map(|()| None),
                Err(source) => return Err(ControlError::Unresponsive { name: name(), source }),
            }
        }
    }

    /// Waits until the process has no supervisor.
    pub(in crate::tsm) fn wait_unsupervised(&self, process: &Process, timeout: Duration) -> Result<(), ControlError> {
        let name = || process.name.clone();
        let mut patience = StopPatience::new(process, timeout);
        loop {
            match client::wait_unsupervised(&process.dir, patience.next()) {
                Ok(()) => return Ok(()),
                Err(WaitError::TimedOut { .. }) if (self.interrupted)() => {
                    return Err(ControlError::Interrupted { name: name() });
                }
                Err(WaitError::TimedOut { .. }) if !patience.goes_on() => {
                    return Err(ControlError::NotEnded { name: name(), waited: timeout });
                }
                Err(WaitError::TimedOut { .. }) => {}
                Err(source) => return Err(ControlError::Unresponsive { name: name(), source }),
            }
        }
    }
}
