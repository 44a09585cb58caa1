//! What a worker waits for: bytes, orders, deaths, and the next moment at which something is due. Without any, it never wakes.

use std::os::fd::AsFd;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::PROMOTION_DELAY;
use super::{StopReason, Worker};
use crate::supervise::clock::MonotonicTime;
use crate::supervise::log_writer::LogStream;
use crate::supervise::machine::LifecycleEvent;

/// As many as are usually waited for.
const INITIAL_FDS: usize = 8;

/// The length of what a signalfd says of one signal.
pub(super) const SIGNAL_RECORD: usize = size_of::<libc::signalfd_siginfo>();

/// Where the pid of the sender is in it.
pub(super) const SENDER: usize = std::mem::offset_of!(libc::signalfd_siginfo, ssi_pid);

/// What a wait found.
#[derive(Debug)]
pub(super) struct ReadyFds {
    pub(super) streams: [bool; 2],
    pub(super) control: bool,
    pub(super) sigchld: bool,
    /// The sender of a SIGTERM.
    pub(super) term_from: Option<u32>,
    pub(super) exit_reports: bool,
    pub(super) guard: bool,
    pub(super) child: bool,
    pub(super) leftovers: bool,
}

/// What signals said.
#[derive(Debug, Default)]
pub(super) struct PendingSignals {
    pub(super) sigchld: bool,
    pub(super) sigio: bool,
    pub(super) term_from: Option<u32>,
}

fn push<'a>(fds: &mut Vec<PollFd<'a>>, fd: &'a impl AsFd) -> usize {
    fds.push(PollFd::new(fd, PollFlags::IN));
    fds.len() - 1
}

impl Worker {
    /// Sleeps until something happens.
    pub(super) fn wait(&mut self) -> ReadyFds {
        let input = PollFlags::IN;
        let bytes = self.pipes.streams.each_mut().map(|stream| !stream.arm_notification()).contains(&true);
        let mut fds = Vec::with_capacity(INITIAL_FDS);
        let [orders, signals] = [push(&mut fds, &self.pipes.control), push(&mut fds, &self.pipes.signals)];
        let obituaries = push(&mut fds, &self.pipes.exit_reports.0);
        let guard = self.guarding.guard.as_ref().map(|guard| push(&mut fds, guard));
        let stranger = self.current.child.as_ref().filter(|child| child.foreign_exit.is_some());
        let child = stranger.map(|child| push(&mut fds, &child.pidfd));
        let leftovers = fds.len();
        fds.extend(self.current.leftovers.pidfds.iter().map(|pidfd| PollFd::new(pidfd, input)));
        let timeout = if bytes {
            Some(Duration::ZERO)
        } else {
            self.deadline().map(|at| at.duration_since(MonotonicTime::now()))
        };
        let timeout = timeout.and_then(|span| Timespec::try_from(span).ok());
        // Interrupted or refused: nothing is ready, and the next turn asks again.
        let found = poll(&mut fds, timeout.as_ref()).unwrap_or(0);
        let is = |at: usize| found > 0 && fds[at].revents().contains(input);
        let pending = if is(signals) { self.pipes.read_signals() } else { PendingSignals::default() };
        ReadyFds {
            streams: self.pipes.streams.each_ref().map(|stream| (bytes || pending.sigio) && stream.has_bytes()),
            control: is(orders),
            sigchld: pending.sigchld,
            term_from: pending.term_from,
            exit_reports: is(obituaries),
            guard: guard.is_some_and(is),
            child: child.is_some_and(is),
            leftovers: (leftovers..fds.len()).any(is),
        }
    }

    /// The next moment at which something must be done.
    fn deadline(&self) -> Option<MonotonicTime> {
        let ours =
            [self.current.deadline_at, self.guarding.promote_at, self.record.save_at, self.current.leftovers.check_at];
        let streams = self.pipes.streams.iter().map(LogStream::deadline);
        ours.into_iter().chain(streams).flatten().min()
    }

    /// Does what is due.
    pub(super) fn run_timers(&mut self) {
        let now = MonotonicTime::now();
        let is_due = |at: Option<MonotonicTime>| at.is_some_and(|at| at <= now);
        for stream in &mut self.pipes.streams {
            stream.on_deadline(now);
        }
        if is_due(self.current.deadline_at) {
            self.current.deadline_at = None;
            self.step(LifecycleEvent::Deadline);
        }
        if is_due(self.current.leftovers.check_at) {
            self.check_for_leftovers();
        }
        if is_due(self.record.save_at) {
            self.save();
        }
        if is_due(self.guarding.promote_at) {
            // The pre-start command is our own child, and must stay that until it has ended.
            self.guarding.promote_at = self.current.hook.is_some().then(|| now.plus(PROMOTION_DELAY));
            if self.current.hook.is_none() && self.stop_reason.is_none() {
                self.stop_reason = Some(StopReason::Promotion);
            }
        }
    }
}
