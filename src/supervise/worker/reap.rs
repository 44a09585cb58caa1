//! Who died, and what that means: the guard, the child, or a process that we got as its subreaper.

use std::time::Duration;

use super::PROMOTION_DELAY;
use super::Worker;
use crate::base::time::millis;
use crate::supervise::clock::{self, MonotonicTime};
use crate::supervise::events::EventKind;
use crate::supervise::exit_status::from_wait_status;
use crate::supervise::machine::Phase;
use crate::supervise::meta::{ExitStatus, LastExit, StopCause, StopOrigin};
use crate::supervise::oom::OomCounter;
use crate::supervise::sweep::Search;

/// A program that ends within this time of an operator's signal ended because of it.
const SIGNAL_ATTRIBUTION_WINDOW: Duration = Duration::from_secs(5);

impl Worker {
    /// The guard was killed. Soon this process takes its place, unless it gets SIGTERM as well.
    pub(super) fn on_guard_exit(&mut self) {
        self.guarding.guard = None;
        self.guarding.tree_root = std::process::id();
        // What was the guard's child has another parent now.
        if self.current.child.as_ref().is_some_and(|child| child.foreign_exit.is_some()) {
            self.current.search = Search::AllProcesses;
        }
        self.guarding.promote_at = Some(MonotonicTime::now().plus(PROMOTION_DELAY));
        self.record.meta.run_state.guard_pid = 0;
        self.save();
    }

    /// The guard reaped a process.
    pub(super) fn read_exit_reports(&mut self) {
        let Some(child) = self.current.child.as_ref().filter(|child| child.foreign_exit.is_some()) else {
            self.pipes.exit_reports.status_of(0);
            return;
        };
        if let Some(status) = self.pipes.exit_reports.status_of(child.identity.pid) {
            self.child_ended(from_wait_status(status));
        }
    }

    /// The child, which is not our own, ended.
    pub(super) fn on_adopted_child_exit(&mut self) {
        let Some(child) = &self.current.child else { return };
        let Some(witness) = &child.foreign_exit else { return };
        let how = witness.exit_status(child.identity.pid, &child.pidfd, &mut self.pipes.exit_reports);
        self.child_ended(how);
    }

    /// Takes every dead child off the kernel's hands; most are strangers that came to us as a subreaper.
    pub(super) fn reap(&mut self) {
        loop {
            let mut status = 0;
            // SAFETY: `status` is ours.
            let pid = unsafe { libc::waitpid(-1, &raw mut status, libc::WNOHANG) };
            if pid <= 0 {
                return;
            }
            let pid = pid.unsigned_abs();
            if self.current.child.as_ref().is_some_and(|child| child.identity.pid == pid) {
                self.child_ended(from_wait_status(status));
            } else if self.current.hook.as_ref().is_some_and(|hook| hook.pid == pid) {
                self.hook_ended(from_wait_status(status));
            }
        }
    }

    /// Writes down how a life ended.
    pub(super) fn record_exit(&mut self, how: ExitStatus, lived: Duration) {
        let lived_ms = millis(lived);
        let ours = matches!(self.machine.phase, Phase::Killing(_) | Phase::CleaningUp(_));
        // A shell in between makes an exit code of the signal.
        let by_force = matches!(how, ExitStatus::Signal(9) | ExitStatus::Code(137));
        let killed = self.current.oom_before.take().filter(|_| by_force && !ours);
        let memory =
            killed.and_then(|before| OomCounter::current(self.current.memory_cgroup.as_ref()).verdict_since(before));
        let origin = self.record.meta.run_state.ended_by.or_else(|| self.origin_by_signal(how));
        let nonce = self.record.meta.run_state.nonce.clone();
        let cause = origin.map(|origin| origin.cause);
        self.record.announce(EventKind::Exited { status: how, uptime_ms: lived_ms, cause });
        self.record.meta.last_exit =
            Some(LastExit { at_ms: clock::unix_ms(), uptime_ms: lived_ms, status: how, oom: memory, origin, nonce });
    }

    /// An operator's signal ended it: by itself, or soon after, when the program has tidied up.
    fn origin_by_signal(&self, how: ExitStatus) -> Option<StopOrigin> {
        let (number, sent) = self.current.last_signal?;
        let by_it = match how {
            ExitStatus::Signal(end) | ExitStatus::Core(end) => i32::from(end) == number,
            ExitStatus::Code(code) => {
                i32::from(code) == 128 + number || MonotonicTime::now().duration_since(sent) < SIGNAL_ATTRIBUTION_WINDOW
            }
            ExitStatus::Unknown | ExitStatus::NotRun(_) | ExitStatus::Hook(_) => false,
        };
        by_it.then_some(StopOrigin { cause: StopCause::Signal, pid: 0 })
    }
}
