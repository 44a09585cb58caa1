//! Who died, and what that means: the guard, the child, or somebody who came to us as a subreaper.

use super::clock::Moment;
use super::exit::how;
use super::guard::OTHERS_TERM;
use super::sweep::Ground;
use super::worker::Worker;

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
}
