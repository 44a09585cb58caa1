//! What a child that ended left behind: asked to end, waited for, and killed in the end.

use std::fs;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use super::clock::Moment;
use super::guard::rest;
use super::machine::Event;
use super::proc::{self, Identity};
use super::sweep::{Found, Ground, Quarry};
use super::whose::Mark;
use super::worker::Worker;

/// How long leftovers are killed and looked for again before they are reported instead.
const SWEEP: Duration = Duration::from_secs(10);

/// How long each pass waits for the killed to end.
const PASS: Duration = Duration::from_millis(200);

/// When to look again at what is there and cannot be waited for.
const UNHELD: Duration = Duration::from_millis(50);

/// What is known of leftovers between two looks.
#[derive(Debug, Default)]
pub(super) struct Leftovers {
    /// Some of those that live.
    pub(super) handles: Vec<OwnedFd>,
    /// When to look again though none of these ended.
    pub(super) look_at: Option<Moment>,
    /// When the group of the child was asked to end, in clock ticks since boot; who is younger was not.
    pub(super) asked_at: Option<u64>,
    /// Those that were asked one by one.
    asked: Vec<Identity>,
}

impl Worker {
    /// Those in the child's group have been asked already; the others are now.
    pub(super) fn terminate_rest(&mut self) -> Option<Event> {
        let gone = self.ask_and_hold();
        // How the child ended is known now, and should be after a death of ours too.
        self.save();
        gone
    }

    /// One of the leftovers ended, or it is time to look. Those that came meanwhile are asked, too.
    pub(super) fn look_for_leftovers(&mut self) {
        if let Some(event) = self.ask_and_hold() {
            self.step(event);
        }
    }

    pub(super) fn kill_rest(&mut self) -> Option<Event> {
        self.sweep();
        self.leftovers = Leftovers::default();
        Some(Event::RestGone)
    }

    fn ask_and_hold(&mut self) -> Option<Event> {
        let left = self.quarry().hold();
        let group = self.meta.pid;
        for found in &left.found {
            let known = self.leftovers.asked.contains(&found.identity());
            let with_group = found.group == group && self.leftovers.asked_at.is_some_and(|at| found.start_ticks < at);
            if !known && !with_group {
                found.signal(self.meta.run.stop_signal);
                // A stopped process would never see it.
                found.signal(libc::SIGCONT);
                self.leftovers.asked.push(found.identity());
            }
        }
        self.leftovers.look_at = left.is_unheld().then(|| Moment::now().after(UNHELD));
        let gone = left.found.is_empty();
        self.leftovers.handles = left.handles;
        gone.then_some(Event::RestGone)
    }

    /// Kills whatever the life left behind, until nothing is found; the rest is recorded.
    pub(super) fn sweep(&mut self) {
        let limit = Moment::now().after(SWEEP);
        let mut left = self.quarry().hold();
        while !left.found.is_empty() && Moment::now() < limit {
            // Those that fork are stopped first, or there would always be one more.
            for signal in [libc::SIGSTOP, libc::SIGKILL] {
                left.found.iter().for_each(|stray| stray.signal(signal));
            }
            if left.is_unheld() {
                rest(Duration::from_millis(1));
            }
            let pass = Moment::now().after(PASS);
            for pidfd in &left.handles {
                proc::wait_for_end(pidfd, pass.since(Moment::now()));
            }
            left = self.quarry().hold();
        }
        self.meta.life.survivors = left.found.iter().map(|found: &Found| found.pid).collect();
    }

    pub(super) fn quarry(&self) -> Quarry<'_> {
        let fifo = |which: usize| {
            let file = self.streams[which].fifo.as_fd().try_clone_to_owned().map(fs::File::from);
            file.and_then(|file| file.metadata()).map_or((0, 0), |found| (found.dev(), found.ino()))
        };
        let (life, former) = (&self.meta.life, self.meta.life.former.as_ref());
        let root = (self.meta.pid != 0 && life.boot_id == self.boot_id)
            .then_some(Identity { pid: self.meta.pid, start_ticks: life.start_ticks });
        let former_root = former.filter(|former| former.boot_id == self.boot_id && former.pid != 0);
        let former_root = former_root.map(|it| Identity { pid: it.pid, start_ticks: it.start_ticks });
        let former_mark = former.and_then(|former| Mark::with(self.meta.tsm_id, &former.nonce));
        // A guard that was just killed leads nowhere, and its number may be anybody's.
        let alone = self.guard.as_ref().is_some_and(proc::has_ended);
        Quarry {
            ground: if alone { Ground::Everywhere } else { self.ground },
            dir: &self.dir,
            top: if alone { std::process::id() } else { self.top },
            marks: [Mark::of(&self.meta), former_mark].into_iter().flatten().collect(),
            roots: [root, former_root].into_iter().flatten().collect(),
            users: [self.user(), nix::unistd::geteuid().as_raw()],
            fifos: [fifo(0), fifo(1)],
            cgroup: self.cgroup.as_ref(),
        }
    }

    /// The user that the child runs as.
    pub(super) fn user(&self) -> u32 {
        self.meta.run.user.as_ref().map_or_else(|| nix::unistd::geteuid().as_raw(), |user| user.uid)
    }
}
