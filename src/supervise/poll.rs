//! What a worker waits for: bytes, orders, deaths, and the next moment at which something is due. Without any, it never wakes.

use std::os::fd::AsFd;
use std::time::Duration;

use nix::sys::signal::Signal;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::clock::MonotonicTime;
use super::guard::PROMOTION_DELAY;
use super::log_writer::LogStream;
use super::machine::LifecycleEvent;
use super::worker::{StopReason, Worker};

/// As many as are usually waited for.
const INITIAL_FDS: usize = 8;

/// The length of what a signalfd says of one signal.
const SIGNAL_RECORD: usize = size_of::<libc::signalfd_siginfo>();

/// Where the pid of the sender is in it.
const SENDER: usize = std::mem::offset_of!(libc::signalfd_siginfo, ssi_pid);

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
    sigchld: bool,
    sigio: bool,
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
        let bytes = self.streams.each_mut().map(|stream| !stream.arm_notification()).contains(&true);
        let mut fds = Vec::with_capacity(INITIAL_FDS);
        let [orders, signals] = [push(&mut fds, &self.control), push(&mut fds, &self.signals)];
        let obituaries = push(&mut fds, &self.exit_reports.0);
        let guard = self.guard.as_ref().map(|guard| push(&mut fds, guard));
        let stranger = self.child.as_ref().filter(|child| child.foreign_exit.is_some());
        let child = stranger.map(|child| push(&mut fds, &child.pidfd));
        let leftovers = fds.len();
        fds.extend(self.leftovers.pidfds.iter().map(|pidfd| PollFd::new(pidfd, input)));
        let timeout = if bytes {
            Some(Duration::ZERO)
        } else {
            self.deadline().map(|at| at.duration_since(MonotonicTime::now()))
        };
        let timeout = timeout.and_then(|span| Timespec::try_from(span).ok());
        // Interrupted or refused: nothing is ready, and the next turn asks again.
        let found = poll(&mut fds, timeout.as_ref()).unwrap_or(0);
        let is = |at: usize| found > 0 && fds[at].revents().contains(input);
        let told = if is(signals) { self.read_signals() } else { PendingSignals::default() };
        ReadyFds {
            streams: self.streams.each_ref().map(|stream| (bytes || told.sigio) && stream.has_bytes()),
            control: is(orders),
            sigchld: told.sigchld,
            term_from: told.term_from,
            exit_reports: is(obituaries),
            guard: guard.is_some_and(is),
            child: child.is_some_and(is),
            leftovers: (leftovers..fds.len()).any(is),
        }
    }

    /// Takes what signals say. Whatever they told of is looked at only afterwards, or what comes meanwhile would not be heard.
    pub(super) fn read_signals(&self) -> PendingSignals {
        // Each of the three waits at most once.
        let mut records = [[0; SIGNAL_RECORD]; 3];
        let length = rustix::io::read(&self.signals, records.as_flattened_mut()).unwrap_or(0);
        let (records, _) = records.as_flattened()[..length].as_chunks::<SIGNAL_RECORD>();
        let find = |signal: Signal| records.iter().find(|record| record.starts_with(&(signal as u32).to_ne_bytes()));
        PendingSignals {
            sigchld: find(Signal::SIGCHLD).is_some(),
            sigio: find(Signal::SIGIO).is_some(),
            term_from: find(Signal::SIGTERM).map(|record| {
                let mut pid = [0; size_of::<u32>()];
                pid.copy_from_slice(&record[SENDER..SENDER + size_of::<u32>()]);
                u32::from_ne_bytes(pid)
            }),
        }
    }

    /// The next moment at which something must be done.
    fn deadline(&self) -> Option<MonotonicTime> {
        let ours = [self.deadline_at, self.promote_at, self.save_at, self.leftovers.check_at];
        let streams = self.streams.iter().map(LogStream::deadline);
        ours.into_iter().chain(streams).flatten().min()
    }

    /// Does what is due.
    pub(super) fn run_timers(&mut self) {
        let now = MonotonicTime::now();
        let is_due = |at: Option<MonotonicTime>| at.is_some_and(|at| at <= now);
        for stream in &mut self.streams {
            stream.on_deadline(now);
        }
        if is_due(self.deadline_at) {
            self.deadline_at = None;
            self.step(LifecycleEvent::Deadline);
        }
        if is_due(self.leftovers.check_at) {
            self.check_for_leftovers();
        }
        if is_due(self.save_at) {
            self.save();
        }
        if is_due(self.promote_at) {
            // The pre-start command is our own child, and must stay that until it has ended.
            self.promote_at = self.hook.is_some().then(|| now.plus(PROMOTION_DELAY));
            if self.hook.is_none() && self.stop_reason.is_none() {
                self.stop_reason = Some(StopReason::Promotion);
            }
        }
    }
}
