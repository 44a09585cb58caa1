//! SIGTERM to a worker: the end of this worker alone, or of the unit of systemd that it and its child are in.
//!
//! A unit that is stopped sends SIGTERM to all its processes. Then the child ends because it should: it is recorded as stopped and
//! is not started again. From any other sender, SIGTERM does not stop the child, which lives on.

use std::time::Instant;

use nix::sys::signal::{SigSet, SigmaskHow, Signal, raise, sigprocmask};

use super::PROMOTION_DELAY;
use super::Worker;
use crate::supervise::machine::{LifecycleEvent, Phase};
use crate::supervise::meta::{ExitStatus, StopCause, StopOrigin};
use crate::supervise::systemd_unit;

impl Worker {
    /// SIGTERM came from the process `sender`.
    pub(super) fn on_sigterm(&mut self, sender: u32) {
        let is_in_unit = match &self.current.child {
            Some(child) => child.shares_unit,
            None => systemd_unit::is_in_unit(),
        };
        if !is_in_unit || !systemd_unit::is_service_manager(sender) {
            die_of_sigterm();
        }
        self.guarding.unit_stopping = true;
        // Systemd kills the guard as well, and what takes its place would only be killed once more.
        self.guarding.promote_at = None;
        self.stop_for(StopOrigin { cause: StopCause::ServiceManager, pid: sender }, LifecycleEvent::Stop);
    }

    /// The child ended, perhaps by the SIGTERM of a unit that is being stopped: then ours comes within a moment.
    pub(super) fn expect_unit_stop(&mut self, status: ExitStatus) {
        const TERM: u8 = libc::SIGTERM as u8;
        let by_term = matches!(status, ExitStatus::Signal(TERM)) || status == ExitStatus::Code(128 + TERM);
        let may_be = by_term
            && self.current.last_signal.is_none()
            && self.current.child.as_ref().is_some_and(|child| child.shares_unit);
        if self.machine.phase != Phase::Running || !may_be || !systemd_unit::is_in_unit() {
            return;
        }
        let deadline = Instant::now() + PROMOTION_DELAY;
        while !self.guarding.unit_stopping
            && self.pipes.wait_for_signal(deadline.saturating_duration_since(Instant::now()))
        {
            // What else came is looked at when the child's end is recorded.
            if let Some(sender) = self.pipes.read_signals().term_from {
                self.on_sigterm(sender);
            }
        }
    }
}

/// SIGTERM is blocked in a worker, which reads it from a descriptor. What the worker becomes takes it again.
pub(super) fn accept_sigterm() {
    let mut mask = SigSet::empty();
    mask.add(Signal::SIGTERM);
    let _ = sigprocmask(SigmaskHow::SIG_UNBLOCK, Some(&mask), None);
}

/// Ends as SIGTERM ends a process that does not catch it, so that the guard sees how.
fn die_of_sigterm() -> ! {
    accept_sigterm();
    let _ = raise(Signal::SIGTERM);
    // SAFETY: ends the process at once; nothing of the parent's runs.
    unsafe { libc::_exit(1) }
}
