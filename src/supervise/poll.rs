//! What a worker waits for: bytes, orders, deaths, and the next moment at which something is due. Without any, it never wakes.

use std::os::fd::AsFd;
use std::time::Duration;

use nix::sys::signal::Signal;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::clock::Moment;
use super::guard::OTHERS_TERM;
use super::machine::Event;
use super::output::Stream;
use super::worker::{End, Worker};

/// As many as are usually waited for.
const MOST: usize = 8;

/// What a wait found.
#[derive(Debug)]
pub(super) struct Ready {
    pub(super) streams: [bool; 2],
    pub(super) orders: bool,
    pub(super) deaths: bool,
    pub(super) obituaries: bool,
    pub(super) guard: bool,
    pub(super) child: bool,
    pub(super) leftovers: bool,
}

/// What signals said.
#[derive(Debug, Default)]
struct Told {
    death: bool,
    bell: bool,
}

fn push<'a>(fds: &mut Vec<PollFd<'a>>, fd: &'a impl AsFd) -> usize {
    fds.push(PollFd::new(fd, PollFlags::IN));
    fds.len() - 1
}

impl Worker {
    /// Sleeps until something happens.
    pub(super) fn wait(&mut self) -> Ready {
        let input = PollFlags::IN;
        let bytes = self.streams.each_mut().map(|stream| !stream.listen()).contains(&true);
        let mut fds = Vec::with_capacity(MOST);
        let [orders, signals] = [push(&mut fds, &self.orders), push(&mut fds, &self.signals)];
        let obituaries = push(&mut fds, &self.obituaries.0);
        let guard = self.guard.as_ref().map(|guard| push(&mut fds, guard));
        let stranger = self.child.as_ref().filter(|child| child.witness.is_some());
        let child = stranger.map(|child| push(&mut fds, &child.pidfd));
        let leftovers = fds.len();
        fds.extend(self.leftovers.handles.iter().map(|pidfd| PollFd::new(pidfd, input)));
        let timeout = if bytes { Some(Duration::ZERO) } else { self.deadline().map(|at| at.since(Moment::now())) };
        let timeout = timeout.and_then(|span| Timespec::try_from(span).ok());
        // Interrupted or refused: nothing is ready, and the next turn asks again.
        let found = poll(&mut fds, timeout.as_ref()).unwrap_or(0);
        let is = |at: usize| found > 0 && fds[at].revents().contains(input);
        let told = if is(signals) { self.read_signals() } else { Told::default() };
        Ready {
            streams: self.streams.each_ref().map(|stream| (bytes || told.bell) && stream.has_bytes()),
            orders: is(orders),
            deaths: told.death,
            obituaries: is(obituaries),
            guard: guard.is_some_and(is),
            child: child.is_some_and(is),
            leftovers: (leftovers..fds.len()).any(is),
        }
    }

    /// Takes what signals say. Whatever they told of is looked at only afterwards, or what comes meanwhile would not be heard.
    fn read_signals(&self) -> Told {
        // Each of the two waits at most once.
        let mut records = [[0; size_of::<libc::signalfd_siginfo>()]; 2];
        let length = rustix::io::read(&self.signals, records.as_flattened_mut()).unwrap_or(0);
        let numbers = records.as_flattened()[..length].chunks_exact(size_of::<libc::signalfd_siginfo>());
        let has = |signal: Signal| numbers.clone().any(|record| record.starts_with(&(signal as u32).to_ne_bytes()));
        Told { death: has(Signal::SIGCHLD), bell: has(Signal::SIGIO) }
    }

    /// The next moment at which something must be done.
    fn deadline(&self) -> Option<Moment> {
        let ours = [self.due, self.promote_at, self.save_at, self.leftovers.look_at];
        let streams = self.streams.iter().map(Stream::deadline);
        ours.into_iter().chain(streams).flatten().min()
    }

    /// Does what is due.
    pub(super) fn keep_time(&mut self) {
        let now = Moment::now();
        let is_due = |at: Option<Moment>| at.is_some_and(|at| at <= now);
        for stream in &mut self.streams {
            stream.wake(now);
        }
        if is_due(self.due) {
            self.due = None;
            self.step(Event::Deadline);
        }
        if is_due(self.leftovers.look_at) {
            self.look_for_leftovers();
        }
        if is_due(self.save_at) {
            self.save();
        }
        if is_due(self.promote_at) {
            // The pre-start command is our own child, and must stay that until it has ended.
            self.promote_at = self.hook.is_some().then(|| now.after(OTHERS_TERM));
            if self.hook.is_none() && self.end.is_none() {
                self.end = Some(End::Promotion);
            }
        }
    }
}
