//! What an operator wants of a rollout that is at work: said in one thread, seen by those that work on its hosts.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::base::fault::{Fault, FaultKind};
use crate::sys::dialogue::Cutter;

/// What is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Will {
    /// The release.
    #[default]
    GoOn,
    /// The old release on every host.
    Revert,
    /// An end at once, whatever the hosts have.
    Leave,
}

/// What became of a wish to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    /// The rollout ends: no host is armed.
    BeforeArmed,
    /// Nothing yet: a host may have the new release, and the operator has to say what becomes of it.
    Asked,
}

/// What the operator wants of a rollout.
#[derive(Debug, Default)]
pub struct Halt {
    wish: Mutex<Wish>,
    changed: Condvar,
    cutter: Cutter,
}

#[derive(Debug, Default)]
struct Wish {
    will: Will,
    is_armed: bool,
    is_over: bool,
}

impl Halt {
    /// What is wanted now.
    #[must_use]
    pub fn will(&self) -> Will {
        self.wish().will
    }

    /// Ends the rollout if no host was armed yet.
    pub fn stop(&self) -> Stopped {
        let mut wish = self.wish();
        if wish.is_armed {
            return Stopped::Asked;
        }
        wish.will = wish.will.max_with(Will::Revert);
        self.changed.notify_all();
        Stopped::BeforeArmed
    }

    /// From now on the old release is wanted; false if that comes too late, for all hosts keep the new one.
    pub fn revert(&self) -> bool {
        let mut wish = self.wish();
        if !wish.is_over {
            wish.will = wish.will.max_with(Will::Revert);
            self.changed.notify_all();
        }
        !wish.is_over
    }

    /// Ends every connection, now and later: hosts decide by themselves.
    pub fn leave(&self) {
        self.wish().will = Will::Leave;
        self.changed.notify_all();
        self.cutter.cut();
    }

    /// From now on a host may be armed.
    ///
    /// # Errors
    ///
    /// As [`check`](Self::check).
    pub(super) fn arm(&self) -> Result<(), Fault> {
        let mut wish = self.wish();
        let go_on = wish.will.check();
        wish.is_armed |= go_on.is_ok();
        go_on
    }

    /// From now on no wish for the old release is taken.
    ///
    /// # Errors
    ///
    /// As [`check`](Self::check).
    pub(super) fn finish(&self) -> Result<(), Fault> {
        let mut wish = self.wish();
        let go_on = wish.will.check();
        wish.is_over = go_on.is_ok();
        go_on
    }

    /// Goes on.
    ///
    /// # Errors
    ///
    /// Fails once the release is not wanted any more.
    pub fn check(&self) -> Result<(), Fault> {
        self.will().check()
    }

    /// Waits; less if what is wanted changes, except where that was expected.
    pub(super) fn pause(&self, how_long: Duration, expected: Will) {
        let wish = self.wish();
        let _ = self.changed.wait_timeout_while(wish, how_long, |wish| wish.will == expected);
    }

    /// Ends connections at once.
    #[must_use]
    pub(super) fn cutter(&self) -> &Cutter {
        &self.cutter
    }

    fn wish(&self) -> MutexGuard<'_, Wish> {
        self.wish.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Will {
    fn check(self) -> Result<(), Fault> {
        if self == Self::GoOn { Ok(()) } else { Err(Fault::new(FaultKind::Interrupted, "interrupted")) }
    }

    /// Leaving is for good.
    fn max_with(self, other: Self) -> Self {
        if self == Self::Leave { self } else { other }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_to_stop_counts_until_a_host_is_armed() {
        let halt = Halt::default();
        assert!(halt.check().is_ok());
        assert_eq!(halt.stop(), Stopped::BeforeArmed);
        assert_eq!(halt.check().expect_err("not wanted").kind, FaultKind::Interrupted);
        assert!(halt.arm().is_err());

        let halt = Halt::default();
        halt.arm().expect("wanted");
        assert_eq!((halt.stop(), halt.will()), (Stopped::Asked, Will::GoOn));
        halt.leave();
        halt.revert();
        assert_eq!(halt.will(), Will::Leave);
    }
}
