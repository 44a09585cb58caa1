//! What a child that ended left behind: asked to end, waited for, and killed in the end.

use std::fs;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use super::Worker;
use crate::supervise::clock::MonotonicTime;
use crate::supervise::clock::sleep;
use crate::supervise::machine::LifecycleEvent;
use crate::supervise::ownership::RunMarker;
use crate::supervise::proc::{self, ProcessIdentity};
use crate::supervise::sweep::{Search, Stray, SweepScope};

/// How long leftovers are killed and looked for again before they are reported instead.
const SWEEP_TIMEOUT: Duration = Duration::from_secs(10);

/// How long each pass waits for the killed to end.
const SWEEP_WAIT: Duration = Duration::from_millis(200);

/// When to look again at what is there and cannot be waited for.
const UNPINNED_POLL_INTERVAL: Duration = Duration::from_millis(50);

/// What is known of leftovers between two looks.
#[derive(Debug, Default)]
pub(super) struct Leftovers {
    /// Some of those that live.
    pub(super) pidfds: Vec<OwnedFd>,
    /// When to look again though none of these ended.
    pub(super) check_at: Option<MonotonicTime>,
    /// When the group of the child was asked to end, in clock ticks since boot; who is younger was not.
    pub(super) terminated_at: Option<u64>,
    /// Those that were asked one by one.
    terminated: Vec<ProcessIdentity>,
}

impl Worker {
    /// Those in the child's group have been asked already; the others are now.
    pub(super) fn terminate_leftovers(&mut self) -> Option<LifecycleEvent> {
        let gone = self.terminate_and_pin();
        // How the child ended is known now, and should be after a death of ours too.
        self.save();
        gone
    }

    /// One of the leftovers ended, or it is time to look. Those that came meanwhile are asked, too.
    pub(super) fn check_for_leftovers(&mut self) {
        if let Some(event) = self.terminate_and_pin() {
            self.step(event);
        }
    }

    pub(super) fn kill_leftovers(&mut self) -> Option<LifecycleEvent> {
        self.sweep();
        self.current.leftovers = Leftovers::default();
        Some(LifecycleEvent::LeftoversGone)
    }

    fn terminate_and_pin(&mut self) -> Option<LifecycleEvent> {
        let left = self.sweep_scope().find_and_pin();
        let group = self.record.meta.pid;
        for found in &left.strays {
            let known = self.current.leftovers.terminated.contains(&found.identity());
            let with_group =
                found.group == group && self.current.leftovers.terminated_at.is_some_and(|at| found.start_ticks < at);
            if !known && !with_group {
                found.signal(self.record.meta.run.stop_signal);
                // A stopped process would never see it.
                found.signal(libc::SIGCONT);
                self.current.leftovers.terminated.push(found.identity());
            }
        }
        self.current.leftovers.check_at = left.is_unpinned().then(|| MonotonicTime::now().plus(UNPINNED_POLL_INTERVAL));
        let gone = left.strays.is_empty();
        self.current.leftovers.pidfds = left.pidfds;
        gone.then_some(LifecycleEvent::LeftoversGone)
    }

    /// Kills whatever the life left behind, until nothing is found; the rest is recorded.
    pub(super) fn sweep(&mut self) {
        let limit = MonotonicTime::now().plus(SWEEP_TIMEOUT);
        let mut left = self.sweep_scope().find_and_pin();
        while !left.strays.is_empty() && MonotonicTime::now() < limit {
            // Those that fork are stopped first, or there would always be one more.
            for signal in [libc::SIGSTOP, libc::SIGKILL] {
                left.strays.iter().for_each(|stray| stray.signal(signal));
            }
            if left.is_unpinned() {
                sleep(Duration::from_millis(1));
            }
            let pass = MonotonicTime::now().plus(SWEEP_WAIT);
            for pidfd in &left.pidfds {
                proc::wait_for_end(pidfd, pass.duration_since(MonotonicTime::now()));
            }
            left = self.sweep_scope().find_and_pin();
        }
        self.record.meta.run_state.survivors = left.strays.iter().map(|found: &Stray| found.pid).collect();
    }

    pub(super) fn sweep_scope(&self) -> SweepScope<'_> {
        let fifo = |which: usize| {
            let file = self.pipes.streams[which].fifo.as_fd().try_clone_to_owned().map(fs::File::from);
            file.and_then(|file| file.metadata()).map_or((0, 0), |found| (found.dev(), found.ino()))
        };
        let (life, former) = (&self.record.meta.run_state, self.record.meta.run_state.previous.as_ref());
        let root = (self.record.meta.pid != 0 && life.boot_id == self.record.boot_id)
            .then_some(ProcessIdentity { pid: self.record.meta.pid, start_ticks: life.start_ticks });
        let former_root = former.filter(|former| former.boot_id == self.record.boot_id && former.pid != 0);
        let former_root = former_root.map(|it| ProcessIdentity { pid: it.pid, start_ticks: it.start_ticks });
        let former_mark = former.and_then(|former| RunMarker::with(self.record.meta.tsm_id, &former.nonce));
        // A guard that was just killed is gone, and its pid may be that of another process.
        let alone = self.guarding.guard.as_ref().is_some_and(proc::has_ended);
        SweepScope {
            search: if alone { Search::AllProcesses } else { self.current.search },
            dir: &self.record.dir,
            tree_root: if alone { std::process::id() } else { self.guarding.tree_root },
            markers: [RunMarker::of(&self.record.meta), former_mark].into_iter().flatten().collect(),
            roots: [root, former_root].into_iter().flatten().collect(),
            users: [self.record.run_uid(), nix::unistd::geteuid().as_raw()],
            fifos: [fifo(0), fifo(1)],
            cgroup: self.current.cgroup.as_ref(),
        }
    }
}
