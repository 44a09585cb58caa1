//! Whether a thread waits for something, and is not only slow: on a busy machine no time tells that.

use std::fs;

use nix::unistd::{Pid, gettid};

/// Watches one thread of this program.
#[derive(Debug)]
pub(super) struct RestWatch {
    thread: Pid,
    /// How often it had gone to sleep when it was given something to do.
    before: Option<u64>,
    /// The same when it was last found asleep.
    asleep: Option<u64>,
}

impl RestWatch {
    /// Watches the calling thread.
    pub(super) fn of_this_thread() -> Self {
        Self { thread: gettid(), before: None, asleep: None }
    }

    /// The thread is given something to do.
    pub(super) fn give(&mut self) {
        (self.before, self.asleep) = (self.state().map(|(_, sleeps)| sleeps), None);
    }

    /// True if it has woken up since [`Self::give`], and has slept from the last call to this one. True as well where that cannot be known.
    pub(super) fn has_slept(&mut self) -> bool {
        let Some((is_asleep, sleeps)) = self.state() else { return true };
        let asleep = (is_asleep && self.before != Some(sleeps)).then_some(sleeps);
        let has_slept = asleep.is_some() && self.asleep == asleep;
        self.asleep = asleep;
        has_slept
    }

    /// Whether it sleeps, and how often it has gone to sleep.
    fn state(&self) -> Option<(bool, u64)> {
        let status = fs::read_to_string(format!("/proc/self/task/{}/status", self.thread)).ok()?;
        let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        Some((field("State:")?.starts_with('S'), field("voluntary_ctxt_switches:")?.parse().ok()?))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, channel};
    use std::thread;

    use super::*;

    /// Looks until a thread sleeps.
    fn until_asleep(watch: &mut RestWatch) {
        while !watch.has_slept() {
            thread::yield_now();
        }
    }

    #[test]
    fn a_thread_that_was_given_something_has_to_wake_up_first() {
        let (own, watches) = channel();
        let (work, works): (_, Receiver<bool>) = channel();
        let thread = thread::spawn(move || {
            own.send(RestWatch::of_this_thread()).expect("it is waited for");
            while works.recv().expect("it is given work") {}
        });
        let mut watch = watches.recv().expect("it begins");
        until_asleep(&mut watch);
        assert!(watch.has_slept(), "it still does");
        watch.give();
        assert!(!watch.has_slept() && !watch.has_slept(), "it has not begun");
        work.send(true).expect("it waits");
        until_asleep(&mut watch);
        work.send(false).expect("it waits");
        thread.join().expect("its end");
        assert!(watch.has_slept(), "it is not known");
    }

    #[test]
    fn a_thread_that_works_does_not_sleep() {
        let mut watch = RestWatch::of_this_thread();
        watch.give();
        assert!(!watch.has_slept() && !watch.has_slept());
    }
}
