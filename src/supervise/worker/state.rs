//! What a worker has, in groups: what a function does not take it does not change.

use std::fs::{self, File};
use std::io::Write;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::Duration;

use nix::sys::signal::Signal;
use nix::sys::signalfd::SignalFd;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::adopt::write_atomically;
use super::leftovers::Leftovers;
use super::poll::{PendingSignals, SENDER, SIGNAL_RECORD};
use crate::supervise::cgroup::Cgroup;
use crate::supervise::clock::MonotonicTime;
use crate::supervise::events::{Event, EventKind};
use crate::supervise::exit_status::{ExitReports, ForeignExit};
use crate::supervise::log_writer::LogStream;
use crate::supervise::memory_cgroup::MemoryCgroup;
use crate::supervise::meta::{Meta, ProcessState};
use crate::supervise::oom::OomCounter;
use crate::supervise::proc::{self, ProcessIdentity, SignalTarget};
use crate::supervise::protocol::{LaunchResult, StartupMessage};
use crate::supervise::sweep::Search;

/// The child that runs.
#[derive(Debug)]
pub(super) struct Child {
    pub(super) identity: ProcessIdentity,
    pub(super) pidfd: OwnedFd,
    pub(super) started_at: MonotonicTime,
    /// Set when it is not our own child, whose exit status we would get.
    pub(super) foreign_exit: Option<ForeignExit>,
    /// It is in the unit of systemd that we are in, if we are in one.
    pub(super) shares_unit: bool,
}

/// The pre-start command that runs.
#[derive(Debug)]
pub(super) struct Hook {
    pub(super) pid: u32,
    pub(super) pidfd: OwnedFd,
    pub(super) started_at: MonotonicTime,
}

/// The life that goes on.
#[derive(Debug)]
pub(super) struct CurrentRun {
    pub(super) child: Option<Child>,
    pub(super) hook: Option<Hook>,
    /// Nothing ever ran here.
    pub(super) is_first_start: bool,
    /// Out-of-memory kills before the child that runs.
    pub(super) oom_before: Option<OomCounter>,
    /// What limits the memory of the child, if a group does.
    pub(super) memory_cgroup: Option<MemoryCgroup>,
    /// The control group of the child, which may or may not be there.
    pub(super) cgroup: Option<Cgroup>,
    /// What a child that was asked to end left behind.
    pub(super) leftovers: Leftovers,
    /// Where what the child starts is to be found.
    pub(super) search: Search,
    /// The last signal that an operator had us send, and when.
    pub(super) last_signal: Option<(i32, MonotonicTime)>,
    /// When the deadline of the state machine comes.
    pub(super) deadline_at: Option<MonotonicTime>,
    /// The answer for the command that waits for our first word.
    pub(super) launch_result: Option<LaunchResult>,
}

impl CurrentRun {
    pub(super) fn new(cgroup: Option<Cgroup>) -> Self {
        Self {
            child: None,
            hook: None,
            is_first_start: false,
            oom_before: None,
            memory_cgroup: None,
            cgroup,
            leftovers: Leftovers::default(),
            search: Search::AllProcesses,
            last_signal: None,
            deadline_at: None,
            launch_result: None,
        }
    }

    /// Sends a signal to the group of the child, or to that of the pre-start command.
    pub(super) fn signal_group(&self, signal: i32) {
        let child = self.child.as_ref().map(|child| (child.identity.pid, &child.pidfd));
        let hook = self.hook.as_ref().map(|hook| (hook.pid, &hook.pidfd));
        let Some((pid, pidfd)) = child.or(hook) else { return };
        if proc::signal(pidfd, signal, SignalTarget::Group).is_err() && !proc::has_ended(pidfd) {
            // A kernel before 6.9 cannot reach a group through a handle. The leader lives, so the number is its.
            let group = i32::try_from(pid).unwrap_or(i32::MAX);
            // SAFETY: sends a signal; touches no memory.
            unsafe { libc::kill(-group, signal) };
        }
    }
}

/// What is read and written.
#[derive(Debug)]
pub(super) struct Pipes {
    /// Standard output, standard error.
    pub(super) streams: [LogStream; 2],
    pub(super) control: OwnedFd,
    /// Deaths of our own children, bytes in an empty FIFO, and SIGTERM.
    pub(super) signals: SignalFd,
    pub(super) exit_reports: ExitReports,
    /// Where the first word goes.
    pub(super) startup_pipe: Option<File>,
}

impl Pipes {
    /// Opens the logs, anew if they were open.
    pub(super) fn open_logs(&mut self) {
        for stream in &mut self.streams {
            // A log that cannot be opened stays the one it is; copying reports it, and tries again.
            let _ = stream.reopen();
        }
    }

    /// Says the first word, if a command still waits for it.
    pub(super) fn send_startup_message(&mut self, word: StartupMessage) {
        if let Some(mut to) = self.startup_pipe.take() {
            // A command that went away meanwhile misses nothing that the record does not hold.
            let _ = to.write_all(&word.encode());
            if word == StartupMessage::HookRunning {
                self.startup_pipe = Some(to);
            }
        }
    }

    /// Takes the pending signals. Their causes are read only afterwards, or what comes meanwhile would be missed.
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

    pub(super) fn wait_for_signal(&self, limit: Duration) -> bool {
        let limit = Timespec::try_from(limit).ok();
        let mut fds = [PollFd::new(&self.signals, PollFlags::IN)];
        matches!(poll(&mut fds, limit.as_ref()), Ok(1))
    }
}

/// The guard, and what follows from its death.
#[derive(Debug)]
pub(super) struct Guarding {
    /// The guard, while it lives.
    pub(super) guard: Option<OwnedFd>,
    /// The process below which everything of ours is: the guard, or else this one.
    pub(super) tree_root: u32,
    /// The guard of the worker before this one.
    pub(super) previous_guard: u32,
    /// When to take the place of a guard that was killed.
    pub(super) promote_at: Option<MonotonicTime>,
    pub(super) role_lock: File,
    /// Systemd stops the unit that we are in.
    pub(super) unit_stopping: bool,
}

/// What is known about the process, and what of it is still to be written or sent.
#[derive(Debug)]
pub(super) struct RunRecord {
    /// The process directory, absolute.
    pub(super) dir: PathBuf,
    pub(super) meta: Meta,
    /// The identity of this boot.
    pub(super) boot_id: String,
    /// When to write the record, if it is not as it should be.
    pub(super) save_at: Option<MonotonicTime>,
    /// Bytes that earlier supervisors had discarded.
    pub(super) discarded_before: u64,
    /// What happened and was not sent yet.
    pub(super) events: Vec<Event>,
}

impl RunRecord {
    /// Takes note of what happened now.
    pub(super) fn announce(&mut self, kind: EventKind) {
        self.events.push(Event::now(&self.meta, kind));
    }

    /// The same for a state in which nothing more is done.
    pub(super) fn announce_end(&mut self, state: ProcessState) {
        match state {
            ProcessState::Stopped => self.announce(EventKind::Stopped),
            ProcessState::Crashed => self.announce(EventKind::Crashed),
            ProcessState::Errored => self.announce(EventKind::GaveUp),
            ProcessState::Starting
            | ProcessState::Online
            | ProcessState::Stopping
            | ProcessState::Scheduled
            | ProcessState::Waiting
            | ProcessState::Unknown => {}
        }
    }

    /// The user that the child runs as.
    pub(super) fn run_uid(&self) -> u32 {
        self.meta.run.user.as_ref().map_or_else(|| nix::unistd::geteuid().as_raw(), |user| user.uid)
    }

    /// `<name>.pid`, for those who look for such a file.
    pub(super) fn write_pid_file(&self) {
        // The record holds the pid as well, and is what counts. No file is better than one with another pid.
        if write_atomically(&self.pid_file(), &format!("{}\n", self.meta.pid)).is_err() {
            let _ = fs::remove_file(self.pid_file());
        }
    }

    pub(super) fn pid_file(&self) -> String {
        format!("{}.pid", self.meta.name.replace('/', "_"))
    }
}
