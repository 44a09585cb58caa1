//! The worker: one thread, one poll, everything that is done for a process. Nothing wakes it but an event.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::prctl::{set_child_subreaper, set_name, set_timerslack};
use nix::sys::signal::{SigSet, SigmaskHow, Signal, sigprocmask};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use super::cgroup::Cgroup;
use super::clock::Moment;
use super::exit::{Obituaries, Witness};
use super::guard::{Ends, OTHERS_TERM, rest};
use super::leftovers::Leftovers;
use super::lock::{self, Seat};
use super::machine::{Event, Machine, Phase};
use super::memory::Kills;
use super::memory_group::MemoryGroup;
use super::meta::{self, Meta, VERSION};
use super::output::{Stream, Turn};
use super::proc::{self, Identity};
use super::sweep::Ground;
use super::wire::{Launched, Word};

/// The longest wait for the lock of a worker that is just dying.
const SEAT_LIMIT: Duration = Duration::from_secs(1);

/// A record that could not be written, or need not be at once, is written after this time.
const SAVE_RETRY: Duration = Duration::from_secs(1);

/// What a guard gives its worker.
#[derive(Debug)]
pub(super) struct Inheritance {
    /// The process directory, absolute; also the working directory.
    pub(super) dir: PathBuf,
    pub(super) guard: u32,
    pub(super) ends: Ends,
    pub(super) obituaries: Obituaries,
    /// Where the first word goes.
    pub(super) word: Option<File>,
    /// Nothing ever ran here.
    pub(super) fresh: bool,
    /// The control group of the process.
    pub(super) cgroup: Option<Cgroup>,
}

/// How a worker ends.
#[derive(Debug)]
pub(super) enum Outcome {
    /// Nothing is left to do.
    Finished,
    /// A newer program shall go on.
    Upgrade,
    /// The guard was killed: this process takes its place.
    Promoted {
        ends: Ends,
        /// The worker's lock, to be kept until the guard's is held.
        seat: File,
    },
}

/// Why the loop ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Finished,
    Upgrade,
    Promotion,
}

/// The child that runs.
#[derive(Debug)]
pub(super) struct Child {
    pub(super) identity: Identity,
    pub(super) pidfd: OwnedFd,
    pub(super) born: Moment,
    /// Set when it is not our own child, whose end we would be told.
    pub(super) witness: Option<Witness>,
}

/// The pre-start command that runs.
#[derive(Debug)]
pub(super) struct Hook {
    pub(super) pid: u32,
    pub(super) pidfd: OwnedFd,
    pub(super) born: Moment,
}

/// Everything a worker has.
#[derive(Debug)]
pub(super) struct Worker {
    pub(super) dir: PathBuf,
    pub(super) meta: Meta,
    pub(super) machine: Machine,
    /// Standard output, standard error.
    pub(super) streams: [Stream; 2],
    pub(super) obituaries: Obituaries,
    pub(super) child: Option<Child>,
    pub(super) hook: Option<Hook>,
    /// Out-of-memory kills before the child that runs.
    pub(super) kills_before: Option<Kills>,
    /// What limits the memory of the child, if a group does.
    pub(super) memory_group: Option<MemoryGroup>,
    /// What a child that was asked to end left behind.
    pub(super) leftovers: Leftovers,
    /// Where what the child starts is to be found.
    pub(super) ground: Ground,
    /// The process below which everything of ours is: the guard, or else this one.
    pub(super) top: u32,
    /// The guard of the worker before this one.
    pub(super) guard_before: u32,
    /// The identity of this boot.
    pub(super) boot_id: String,
    /// The control group of this process, which may or may not be there.
    pub(super) cgroup: Option<Cgroup>,
    /// Nothing ever ran here.
    pub(super) fresh: bool,
    /// When the machine's deadline comes.
    pub(super) due: Option<Moment>,
    /// The answer for the command that waits for our first word.
    pub(super) answer: Option<Launched>,
    pub(super) end: Option<End>,
    word: Option<File>,
    pub(super) seat: File,
    pub(super) orders: OwnedFd,
    /// Deaths of our own children, and bytes in an empty FIFO.
    pub(super) signals: SignalFd,
    /// The guard, while it lives.
    pub(super) guard: Option<OwnedFd>,
    /// When to take the place of a guard that was killed.
    pub(super) promote_at: Option<Moment>,
    /// When to write the record, if it is not as it should be.
    pub(super) save_at: Option<Moment>,
    pub(super) upgrade_wanted: bool,
    /// The last signal that an operator had us send, and when.
    pub(super) signalled: Option<(i32, Moment)>,
    /// Bytes that earlier supervisors had thrown away.
    discarded_before: u64,
}

/// Supervises until there is nothing left to do, or somebody else must go on.
pub(super) fn run(inheritance: Inheritance) -> io::Result<Outcome> {
    let mut worker = match Worker::new(inheritance) {
        Ok(worker) => worker,
        // Without any record there is nothing to go by; whoever rebuilds it starts a supervisor that finds the child.
        Err(error) if matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::NotFound) => {
            return Ok(Outcome::Finished);
        }
        Err(error) => return Err(error),
    };
    worker.wake_up();
    worker.serve();
    Ok(match worker.end {
        Some(End::Upgrade) => Outcome::Upgrade,
        Some(End::Promotion) => {
            let [out, err] = worker.streams.map(|stream| stream.fifo);
            Outcome::Promoted { ends: Ends { out, err, orders: worker.orders }, seat: worker.seat }
        }
        Some(End::Finished) | None => Outcome::Finished,
    })
}

impl Worker {
    fn new(inheritance: Inheritance) -> io::Result<Self> {
        let Inheritance { dir, guard, ends, obituaries, word, fresh, cgroup } = inheritance;
        let _ = set_name(c"tetra-worker");
        let seat = take_seat()?;
        set_child_subreaper(true)?;
        set_timerslack(1000)?;
        let signals = take_signals()?;
        let here = Path::new(".");
        let record = meta::read(here).ok().flatten().or_else(|| meta::restore(here));
        let mut meta = record.ok_or(io::ErrorKind::InvalidData)?;
        let guard_handle = proc::handle(guard).ok().filter(|_| nix::unistd::getppid().as_raw().unsigned_abs() == guard);
        meta.version = VERSION;
        meta.life.worker_pid = std::process::id();
        meta.life.starter_pid = 0;
        meta.life.log_error.clear();
        let guard_before = meta.life.guard_pid;
        meta.life.guard_pid = if guard_handle.is_some() { guard } else { 0 };
        Ok(Self {
            streams: [
                Stream::new(ends.out, Path::new("current.out"), &meta.run),
                Stream::new(ends.err, Path::new("current.err"), &meta.run),
            ]
            .map(|stream| stream.be_one_of_many(meta.tsm_id)),
            machine: Machine::new(&meta.run, !meta.prehook.is_empty(), meta.restarts, meta.unstable_restarts),
            discarded_before: meta.life.discarded_bytes,
            orders: ends.orders,
            promote_at: guard_handle.is_none().then(|| Moment::now().after(OTHERS_TERM)),
            top: if guard_handle.is_some() { guard } else { std::process::id() },
            guard: guard_handle,
            ground: Ground::Everywhere,
            cgroup,
            boot_id: proc::boot_id(),
            guard_before,
            child: None,
            hook: None,
            kills_before: None,
            memory_group: None,
            leftovers: Leftovers::default(),
            due: None,
            answer: None,
            end: None,
            save_at: None,
            upgrade_wanted: false,
            signalled: None,
            dir,
            meta,
            obituaries,
            fresh,
            word,
            seat,
            signals,
        })
    }

    /// The loop.
    fn serve(&mut self) {
        while self.end.is_none() {
            let ready = self.wait();
            for which in [0, 1] {
                if ready.streams[which] {
                    self.copy(which);
                }
            }
            if ready.orders {
                self.take_orders();
            }
            if ready.guard {
                self.lose_guard();
            }
            if ready.obituaries {
                // Those of strangers; one of the child's is asked for when the child has ended.
                self.hear_obituaries();
            }
            if ready.deaths {
                self.reap();
            }
            if ready.child {
                self.ask_how_it_ended();
            }
            if ready.leftovers {
                self.look_for_leftovers();
            }
            self.keep_time();
            self.consider_upgrade();
        }
    }

    /// Opens the logs, anew if they were open.
    pub(super) fn open_logs(&mut self) {
        for stream in &mut self.streams {
            // A log that cannot be opened stays the one it is; copying tells, and tries again.
            let _ = stream.reopen();
        }
    }

    /// Copies one stream for a turn.
    pub(super) fn copy(&mut self, which: usize) {
        let before = self.streams[which].copied;
        let turn = self.streams[which].copy();
        self.note_copy(which, before, turn);
    }

    /// Copies what is in the FIFOs, so that the record of an end comes after the last word.
    pub(super) fn drain(&mut self) {
        for which in [0, 1] {
            let before = self.streams[which].copied;
            let turn = self.streams[which].drain();
            self.note_copy(which, before, turn);
        }
    }

    fn note_copy(&mut self, which: usize, before: u64, turn: Turn) {
        if self.streams[which].copied != before {
            self.streams[1 - which].other_came = true;
        }
        if matches!(turn, Turn::Stuck(_)) {
            self.note_discarded();
        }
        let refusal = self.streams.iter().map(Stream::refusal).find(|why| !why.is_empty()).unwrap_or_default();
        if refusal != self.meta.life.log_error {
            self.meta.life.log_error = refusal.to_owned();
            self.save();
        }
    }

    /// Counts what was thrown away. It is recorded soon, not at once: there may be more every few milliseconds.
    pub(super) fn note_discarded(&mut self) {
        let now = self.discarded_before + self.streams.iter().map(|stream| stream.discarded).sum::<u64>();
        if now != self.meta.life.discarded_bytes {
            self.meta.life.discarded_bytes = now;
            self.save_at = self.save_at.or_else(|| Some(Moment::now().after(SAVE_RETRY)));
        }
    }

    /// Goes on as a newer program, once no pre-start command runs and a guard is there to do it.
    fn consider_upgrade(&mut self) {
        if self.upgrade_wanted && self.hook.is_none() && self.guard.is_some() && self.end.is_none() {
            self.end = Some(End::Upgrade);
        }
    }

    /// Tells the machine and does what it says.
    pub(super) fn step(&mut self, event: Event) {
        let action = self.machine.step(event);
        self.act(action);
        let follows = matches!(self.machine.phase, Phase::Stopping(then) | Phase::Killing(then) | Phase::Lingering(then)
            if then == super::machine::Then::Start);
        if follows != self.meta.life.start_follows {
            self.meta.life.start_follows = follows;
            self.save();
        }
    }

    /// Replaces `meta.json`. If that fails, it is tried again later: the process matters more than its record.
    pub(super) fn save(&mut self) {
        self.meta.restarts = self.machine.restarts;
        self.meta.unstable_restarts = self.machine.unstable;
        self.meta.life.streak = self.machine.streak;
        let saved = meta::write(Path::new("."), &self.meta);
        self.save_at = saved.is_err().then(|| Moment::now().after(SAVE_RETRY));
    }

    /// Says the first word, if somebody still waits for it.
    pub(super) fn say(&mut self, word: Word) {
        if let Some(mut to) = self.word.take() {
            // A command that went away meanwhile misses nothing that the record does not hold.
            let _ = to.write_all(&word.encode());
            if word == Word::Hooking {
                self.word = Some(to);
            }
        }
    }
}

/// Deaths of our own children and bells of FIFOs, as something to poll.
fn take_signals() -> io::Result<SignalFd> {
    let mut mask = SigSet::empty();
    mask.add(Signal::SIGCHLD);
    mask.add(Signal::SIGIO);
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&mask), None)?;
    Ok(SignalFd::with_flags(&mask, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?)
}

/// Takes the worker's lock. A child that was just forked may hold that of a killed worker until it executes its program.
fn take_seat() -> io::Result<File> {
    let seat = lock::open(Path::new("."))?;
    let limit = Moment::now().after(SEAT_LIMIT);
    while !lock::take(&seat, Seat::Worker)? {
        if Moment::now() >= limit {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        rest(Duration::from_millis(1));
    }
    Ok(seat)
}
