//! Who died, and what that means: the guard, the child, or somebody who came to us as a subreaper.

use std::time::Duration;

use super::clock::{self, Moment};
use super::exit::how;
use super::guard::OTHERS_TERM;
use super::machine::Phase;
use super::memory::Kills;
use super::meta::{Cause, Exit, How, Origin};
use super::sweep::Ground;
use super::worker::Worker;

/// A program that ends within this time of an operator's signal ended because of it.
const SIGNAL_REACTION: Duration = Duration::from_secs(5);

impl Worker {
    /// The guard was killed. Soon this process takes its place, unless it is told to end as well.
    pub(super) fn lose_guard(&mut self) {
        self.guard = None;
        self.top = std::process::id();
        // What was the guard's child is now somebody else's.
        if self.child.as_ref().is_some_and(|child| child.witness.is_some()) {
            self.ground = Ground::Everywhere;
        }
        self.promote_at = Some(Moment::now().after(OTHERS_TERM));
        self.meta.life.guard_pid = 0;
        self.save();
    }

    /// The guard reaped somebody.
    pub(super) fn hear_obituaries(&mut self) {
        let Some(child) = self.child.as_ref().filter(|child| child.witness.is_some()) else {
            self.obituaries.status_of(0);
            return;
        };
        if let Some(status) = self.obituaries.status_of(child.identity.pid) {
            self.child_ended(how(status));
        }
    }

    /// The child, which is not our own, ended.
    pub(super) fn ask_how_it_ended(&mut self) {
        let Some(child) = &self.child else { return };
        let Some(witness) = &child.witness else { return };
        let how = witness.ask(child.identity.pid, &child.pidfd, &mut self.obituaries);
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
            if self.child.as_ref().is_some_and(|child| child.identity.pid == pid) {
                self.child_ended(how(status));
            } else if self.hook.as_ref().is_some_and(|hook| hook.pid == pid) {
                self.hook_ended(how(status));
            }
        }
    }

    /// Writes down how a life ended.
    pub(super) fn record_exit(&mut self, how: How, lived: Duration) {
        let lived_ms = u64::try_from(lived.as_millis()).unwrap_or(u64::MAX);
        let ours = matches!(self.machine.phase, Phase::Killing(_) | Phase::Lingering(_));
        // A shell in between makes an exit code of the signal.
        let by_force = matches!(how, How::Signal(9) | How::Code(137));
        let killed = self.kills_before.take().filter(|_| by_force && !ours);
        let memory = killed.and_then(|before| Kills::so_far(self.memory_group.as_ref()).since(before));
        let origin = self.meta.life.ended_by.or_else(|| self.origin_by_signal(how));
        let nonce = self.meta.life.nonce.clone();
        self.meta.last_exit = Some(Exit { at_ms: clock::unix_ms(), lived_ms, how, memory, origin, nonce });
    }

    /// An operator's signal ended it: by itself, or soon after, when the program has tidied up.
    fn origin_by_signal(&self, how: How) -> Option<Origin> {
        let (number, sent) = self.signalled?;
        let by_it = match how {
            How::Signal(end) | How::Core(end) => i32::from(end) == number,
            How::Code(code) => i32::from(code) == 128 + number || Moment::now().since(sent) < SIGNAL_REACTION,
            How::Unknown | How::NotRun(_) | How::Hook(_) => false,
        };
        by_it.then_some(Origin { cause: Cause::Signal, pid: 0 })
    }
}
