//! The worker: one thread, one poll, everything that is done for a process. Nothing wakes it but an event.

mod actions;
mod adopt;
mod announce;
mod control;
mod leftovers;
mod memory;
mod poll;
mod reap;
mod state;
mod unit_stop;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::prctl::{set_child_subreaper, set_name, set_timerslack};
use nix::sys::signal::{SigSet, SigmaskHow, Signal, sigprocmask};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use super::cgroup::Cgroup;
use super::clock::{MonotonicTime, sleep};
use super::exit_status::ExitReports;
use super::lock::{self, LockRole};
use super::log_writer::{CopyStatus, LogStream};
use super::machine::{AfterStop, LifecycleEvent, Phase, StateMachine};
use super::meta::{self, VERSION};
use super::pipe::Fifos;
use super::proc;
use state::{Child, CurrentRun, Guarding, Hook, Pipes, RunRecord};

/// The time in which the other's SIGTERM may arrive.
pub(super) const PROMOTION_DELAY: Duration = Duration::from_millis(100);

/// The longest wait for the lock of a worker that is just dying.
const LOCK_TIMEOUT: Duration = Duration::from_secs(1);

/// A record that could not be written, or need not be at once, is written after this time.
const SAVE_RETRY: Duration = Duration::from_secs(1);

/// What a guard gives its worker.
#[derive(Debug)]
pub(super) struct WorkerInit {
    /// The process directory, absolute; also the working directory.
    pub(super) dir: PathBuf,
    pub(super) guard: u32,
    pub(super) fifos: Fifos,
    pub(super) exit_reports: ExitReports,
    /// Where the first word goes.
    pub(super) startup_pipe: Option<File>,
    /// Nothing ever ran here.
    pub(super) is_first_start: bool,
    /// The control group of the process.
    pub(super) cgroup: Option<Cgroup>,
}

/// How a worker ends.
#[derive(Debug)]
pub(super) enum WorkerExit {
    /// Nothing is left to do.
    Finished,
    /// A newer program shall go on.
    Upgrade,
    /// The guard was killed: this process takes its place.
    Promoted {
        fifos: Fifos,
        /// The worker's lock, to be kept until the guard's is held.
        role_lock: File,
    },
}

/// Why the loop ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StopReason {
    Finished,
    Upgrade,
    Promotion,
}

/// Everything a worker has.
#[derive(Debug)]
pub(super) struct Worker {
    record: RunRecord,
    pipes: Pipes,
    guarding: Guarding,
    current: CurrentRun,
    machine: StateMachine,
    stop_reason: Option<StopReason>,
    upgrade_requested: bool,
}

/// Supervises until there is nothing left to do, or another process must go on.
pub(super) fn run(inheritance: WorkerInit) -> io::Result<WorkerExit> {
    let mut worker = match Worker::new(inheritance) {
        Ok(worker) => worker,
        // Without any record there is nothing to go by; the command that rebuilds it starts a supervisor that finds the child.
        Err(error) if matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::NotFound) => {
            return Ok(WorkerExit::Finished);
        }
        Err(error) => return Err(error),
    };
    worker.recover_or_start();
    worker.event_loop();
    Ok(match worker.stop_reason {
        Some(StopReason::Upgrade) => WorkerExit::Upgrade,
        Some(StopReason::Promotion) => {
            unit_stop::accept_sigterm();
            let [out, err] = worker.pipes.streams.map(|stream| stream.fifo);
            let fifos = Fifos { out, err, control: worker.pipes.control };
            WorkerExit::Promoted { fifos, role_lock: worker.guarding.role_lock }
        }
        Some(StopReason::Finished) | None => WorkerExit::Finished,
    })
}

impl Worker {
    fn new(inheritance: WorkerInit) -> io::Result<Self> {
        let WorkerInit {
            dir,
            guard,
            fifos: ends,
            exit_reports: obituaries,
            startup_pipe: word,
            is_first_start: fresh,
            cgroup,
        } = inheritance;
        let _ = set_name(c"tetra-worker");
        let seat = acquire_role_lock()?;
        set_child_subreaper(true)?;
        set_timerslack(1000)?;
        let signals = open_signalfd()?;
        let here = Path::new(".");
        let record = meta::read(here).ok().flatten().or_else(|| meta::restore_backup(here));
        let mut meta = record.ok_or(io::ErrorKind::InvalidData)?;
        let guard_handle = proc::find_pidfd(guard)?.filter(|_| nix::unistd::getppid().as_raw().unsigned_abs() == guard);
        meta.version = VERSION;
        meta.run_state.worker_pid = std::process::id();
        meta.run_state.starter_pid = 0;
        meta.run_state.log_error.clear();
        let guard_before = meta.run_state.guard_pid;
        meta.run_state.guard_pid = if guard_handle.is_some() { guard } else { 0 };
        Ok(Self {
            machine: StateMachine::new(&meta.run, &meta.prehook, meta.restarts, meta.unstable_restarts),
            pipes: Pipes {
                streams: [
                    LogStream::new(ends.out, Path::new("current.out"), &meta.run),
                    LogStream::new(ends.err, Path::new("current.err"), &meta.run),
                ]
                .map(|stream| stream.limit_pipe_size(meta.tsm_id)),
                control: ends.control,
                signals,
                exit_reports: obituaries,
                startup_pipe: word,
            },
            guarding: Guarding {
                promote_at: guard_handle.is_none().then(|| MonotonicTime::now().plus(PROMOTION_DELAY)),
                tree_root: if guard_handle.is_some() { guard } else { std::process::id() },
                guard: guard_handle,
                previous_guard: guard_before,
                role_lock: seat,
                unit_stopping: false,
            },
            record: RunRecord {
                discarded_before: meta.run_state.discarded_bytes,
                boot_id: proc::boot_id(),
                save_at: None,
                events: Vec::new(),
                dir,
                meta,
            },
            current: CurrentRun { is_first_start: fresh, ..CurrentRun::new(cgroup) },
            stop_reason: None,
            upgrade_requested: false,
        })
    }

    /// The loop.
    fn event_loop(&mut self) {
        while self.stop_reason.is_none() {
            let ready = self.wait();
            if let Some(sender) = ready.term_from {
                self.on_sigterm(sender);
            }
            for which in [0, 1] {
                if ready.streams[which] {
                    self.copy(which);
                }
            }
            if ready.control {
                self.read_control();
            }
            if ready.guard {
                self.on_guard_exit();
            }
            if ready.exit_reports {
                // Those of strangers; one of the child's is asked for when the child has ended.
                self.read_exit_reports();
            }
            if ready.sigchld {
                self.reap();
            }
            if ready.child {
                self.on_adopted_child_exit();
            }
            if ready.leftovers {
                self.check_for_leftovers();
            }
            self.run_timers();
            self.maybe_upgrade();
            self.send_events();
        }
    }

    /// Copies one stream for a turn.
    pub(super) fn copy(&mut self, which: usize) {
        let before = self.pipes.streams[which].copied;
        let turn = self.pipes.streams[which].copy();
        self.after_copy(which, before, turn);
    }

    /// Copies what is in the FIFOs, so that the record of an end comes after the last word.
    pub(super) fn drain(&mut self) {
        for which in [0, 1] {
            let before = self.pipes.streams[which].copied;
            let turn = self.pipes.streams[which].drain();
            self.after_copy(which, before, turn);
        }
    }

    fn after_copy(&mut self, which: usize, before: u64, turn: CopyStatus) {
        if self.pipes.streams[which].copied != before {
            self.pipes.streams[1 - which].other_stream_wrote = true;
        }
        if matches!(turn, CopyStatus::WriteFailed(_)) {
            self.record_discarded();
        }
        let refusal =
            self.pipes.streams.iter().map(LogStream::write_error).find(|why| !why.is_empty()).unwrap_or_default();
        if refusal != self.record.meta.run_state.log_error {
            self.record.meta.run_state.log_error = refusal.to_owned();
            self.save();
        }
    }

    /// Counts what was thrown away. It is recorded soon, not at once: there may be more every few milliseconds.
    pub(super) fn record_discarded(&mut self) {
        let now = self.record.discarded_before + self.pipes.streams.iter().map(|stream| stream.discarded).sum::<u64>();
        if now != self.record.meta.run_state.discarded_bytes {
            self.record.meta.run_state.discarded_bytes = now;
            self.record.save_at = self.record.save_at.or_else(|| Some(MonotonicTime::now().plus(SAVE_RETRY)));
        }
    }

    /// Goes on as a newer program, once no pre-start command runs and a guard is there to do it.
    fn maybe_upgrade(&mut self) {
        if self.upgrade_requested
            && self.current.hook.is_none()
            && self.guarding.guard.is_some()
            && self.stop_reason.is_none()
        {
            self.stop_reason = Some(StopReason::Upgrade);
        }
    }

    /// Passes an event to the state machine and carries out the action.
    pub(super) fn step(&mut self, event: LifecycleEvent) {
        let action = self.machine.step(event);
        self.execute(action);
        let follows = matches!(self.machine.phase, Phase::Stopping(then) | Phase::Killing(then) | Phase::CleaningUp(then)
            if then == AfterStop::Start);
        if follows != self.record.meta.run_state.start_pending {
            self.record.meta.run_state.start_pending = follows;
            self.save();
        }
    }

    /// Replaces `meta.json`. If that fails, it is tried again later: the process matters more than its record.
    pub(super) fn save(&mut self) {
        self.record.meta.restarts = self.machine.restarts;
        self.record.meta.unstable_restarts = self.machine.rapid_exits;
        self.record.meta.run_state.backoff_exponent = self.machine.backoff_exponent;
        let saved = meta::write(Path::new("."), &self.record.meta);
        self.record.save_at = saved.is_err().then(|| MonotonicTime::now().plus(SAVE_RETRY));
        self.send_events();
    }
}

/// Deaths of our own children and bells of FIFOs, as something to poll.
fn open_signalfd() -> io::Result<SignalFd> {
    let mut mask = SigSet::empty();
    mask.add(Signal::SIGCHLD);
    mask.add(Signal::SIGIO);
    mask.add(Signal::SIGTERM);
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&mask), None)?;
    Ok(SignalFd::with_flags(&mask, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?)
}

/// Takes the worker's lock. A child that was just forked may hold that of a killed worker until it executes its program.
fn acquire_role_lock() -> io::Result<File> {
    let seat = lock::open(Path::new("."))?;
    let limit = MonotonicTime::now().plus(LOCK_TIMEOUT);
    while !lock::try_acquire(&seat, LockRole::Worker)? {
        if MonotonicTime::now() >= limit {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        sleep(Duration::from_millis(1));
    }
    Ok(seat)
}
