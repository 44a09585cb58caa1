//! What a command does with a supervisor: start one, ask whether there is one, give orders, wait for what becomes of them.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::CWD;

use super::cgroup::Cgroup;
use super::memory_group::MemoryGroup;
use super::meta::{self, Meta, ReadError};
use super::wire::{RECORD, Word};
use super::{lock, proc, repair};

pub use super::wire::{Launched, Order, Step};

/// The longest time a new supervisor may take to its first word.
pub const FIRST_WORD_LIMIT: Duration = Duration::from_secs(10);

/// The longest time a pre-start command may run.
pub const HOOK_LIMIT: Duration = Duration::from_secs(300);

/// The orders FIFO inside a process directory.
pub(super) const ORDERS: &str = "orders";

/// Why no supervisor answered.
#[derive(Debug)]
pub enum LaunchError {
    /// The supervisor's program could not be executed.
    Execute {
        /// The program.
        exe: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Who is to look after the process could not begin, and so it was not run.
    Unattended {
        /// Why.
        source: io::Error,
    },
    /// It ended without a word.
    Died {
        /// The process directory.
        dir: PathBuf,
    },
    /// It did not say a word in time; it may still do its work.
    Late {
        /// The process directory.
        dir: PathBuf,
        /// How long was waited.
        waited: Duration,
    },
    /// Its first word was of a version this program does not know.
    Unknown {
        /// The process directory.
        dir: PathBuf,
    },
}

impl fmt::Display for LaunchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Execute { exe, .. } => write!(f, "failed to execute the supervisor `{}`", exe.display()),
            Self::Unattended { .. } => f.write_str("its health, files, memory or clock cannot be watched"),
            Self::Died { dir } => write!(f, "the supervisor of `{}` ended without a word", dir.display()),
            Self::Late { dir, waited } => {
                write!(f, "the supervisor of `{}` did not answer within {} s", dir.display(), waited.as_secs())
            }
            Self::Unknown { dir } => write!(f, "the supervisor of `{}` speaks another version", dir.display()),
        }
    }
}

impl std::error::Error for LaunchError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Execute { source, .. } | Self::Unattended { source } => Some(source),
            Self::Died { .. } | Self::Late { .. } | Self::Unknown { .. } => None,
        }
    }
}

/// Why an order was not delivered.
#[derive(Debug)]
pub enum SendError {
    /// Nobody supervises this directory.
    NobodyThere {
        /// The process directory.
        dir: PathBuf,
    },
    /// The FIFO could not be written, for example because it is full.
    Write {
        /// The FIFO.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NobodyThere { dir } => write!(f, "nobody supervises `{}`", dir.display()),
            Self::Write { path, .. } => write!(f, "failed to write an order to `{}`", path.display()),
        }
    }
}

impl std::error::Error for SendError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::NobodyThere { .. } => None,
            Self::Write { source, .. } => Some(source),
        }
    }
}

/// Why a wait ended without what was waited for.
#[derive(Debug)]
pub enum WaitError {
    /// The deadline passed.
    TimedOut {
        /// The process directory.
        dir: PathBuf,
    },
    /// `meta.json` could not be used.
    Read(ReadError),
    /// The kernel refused to watch.
    Watch {
        /// The process directory.
        dir: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl fmt::Display for WaitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TimedOut { dir } => write!(f, "nothing more happened in `{}` in time", dir.display()),
            Self::Read(error) => error.fmt(f),
            Self::Watch { dir, .. } => write!(f, "failed to watch `{}`", dir.display()),
        }
    }
}

impl std::error::Error for WaitError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::TimedOut { .. } => None,
            Self::Read(error) => std::error::Error::source(error),
            Self::Watch { source, .. } => Some(source),
        }
    }
}

/// Starts a supervisor for `dir` (absolute) and waits for its first word.
///
/// It gets no environment, a session of its own and none of our descriptors, and is nobody's child: a caller that lives long
/// reaps nothing. The child's environment comes from the files in and named by the process directory.
/// Waits at most [`FIRST_WORD_LIMIT`], and [`HOOK_LIMIT`] more once it said that a pre-start command runs.
///
/// `meta.json` must be there, its state `starting` for a start. A supervisor that still lets go of the directory answers
/// [`Launched::AlreadySupervised`]: wait for it with [`wait_unsupervised`] before writing `meta.json`.
///
/// # Errors
///
/// Fails when the program cannot be executed, ends without a word, or stays silent for too long.
pub fn launch(exe: &Path, dir: &Path) -> Result<Launched, LaunchError> {
    let execute = |source| LaunchError::Execute { exe: exe.to_owned(), source };
    let mut starter = Command::new(exe)
        .arg(super::FLAG)
        .arg(dir)
        .env_clear()
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(execute)?;
    let mut words = File::from(std::os::fd::OwnedFd::from(starter.stdout.take().expect("stdout was piped")));
    let answer = first_word(&mut words, dir);
    // The process we started ended at once, when its own child went on.
    starter.wait().map_err(execute)?;
    match answer {
        // Its worker was killed before it could speak, and the next one has nobody to speak to.
        Err(LaunchError::Died { .. }) if supervised(dir) => Ok(Launched::AlreadySupervised),
        answer => answer,
    }
}

fn first_word(words: &mut File, dir: &Path) -> Result<Launched, LaunchError> {
    let dir = || dir.to_owned();
    let mut limit = FIRST_WORD_LIMIT;
    let mut deadline = Instant::now() + limit;
    loop {
        if !is_readable_until(&*words, deadline) {
            return Err(LaunchError::Late { dir: dir(), waited: limit });
        }
        let mut record = [0; RECORD];
        if words.read_exact(&mut record).is_err() {
            return Err(LaunchError::Died { dir: dir() });
        }
        match Word::decode(&record) {
            Some(Word::Done(launched)) => return Ok(launched),
            Some(Word::Hooking) => {
                limit += HOOK_LIMIT;
                deadline += HOOK_LIMIT;
            }
            None => return Err(LaunchError::Unknown { dir: dir() }),
        }
    }
}

/// True when somebody supervises the process in `dir`. Only asks: no lock is taken, not even for an instant.
#[must_use]
pub fn supervised(dir: &Path) -> bool {
    lock::is_held(CWD, dir)
}

/// The same for a `dir` relative to an open folder.
#[must_use]
pub fn supervised_in(folder: BorrowedFd, dir: &Path) -> bool {
    lock::is_held(folder, dir)
}

/// Gives an order to the supervisor of `dir` and returns at once; what comes of it is seen in `meta.json`. A supervisor that
/// somebody stopped (SIGSTOP) is continued.
///
/// # Errors
///
/// Fails when nobody supervises `dir`, or its FIFO cannot be written.
pub fn send(dir: &Path, order: Order) -> Result<(), SendError> {
    let path = dir.join(ORDERS);
    let opened = OpenOptions::new().write(true).custom_flags(libc::O_NONBLOCK | libc::O_NOFOLLOW).open(&path);
    match opened {
        Ok(file) if !file.metadata().is_ok_and(|found| found.file_type().is_fifo()) => {
            Err(SendError::NobodyThere { dir: dir.to_owned() })
        }
        Ok(mut fifo) => {
            fifo.write_all(&order.encode()).map_err(|source| SendError::Write { path, source })?;
            repair::rouse(dir);
            Ok(())
        }
        Err(error) if matches!(error.raw_os_error(), Some(libc::ENXIO | libc::ENOENT)) => {
            Err(SendError::NobodyThere { dir: dir.to_owned() })
        }
        Err(source) => Err(SendError::Write { path, source }),
    }
}

/// Waits until `until` is true of `meta.json` in `dir` and returns that record; `None` stands for no file.
///
/// Looks at once, then whenever the file was replaced; nothing is polled in between.
///
/// # Errors
///
/// Fails at the deadline, when `meta.json` holds no record, or when the directory may not be watched.
pub fn wait(
    dir: &Path,
    deadline: Instant,
    mut until: impl FnMut(Option<&Meta>) -> bool,
) -> Result<Option<Meta>, WaitError> {
    // The watch comes before the first look, so no change falls between the two.
    let watch = watch(dir).map_err(|errno| WaitError::Watch { dir: dir.to_owned(), source: errno.into() })?;
    loop {
        let meta = meta::read(dir).map_err(WaitError::Read)?;
        if until(meta.as_ref()) {
            return Ok(meta);
        }
        if Instant::now() >= deadline {
            return Err(WaitError::TimedOut { dir: dir.to_owned() });
        }
        match &watch {
            Some(watch) if is_readable_until(watch, deadline) => {
                // What happened does not matter, only that something did.
                let _ = watch.read_events();
            }
            Some(_) => {}
            None => pause(UNWATCHED_STEP),
        }
    }
}

/// Waits until `until` is true of the last record of the supervisor of `dir`; `None` stands for no file.
///
/// Looks at once, when the supervisor has ended, and at the deadline. For a record that a supervisor writes before it ends this
/// is much cheaper than [`wait`]: to close a watch takes the kernel some 20 ms.
///
/// # Errors
///
/// Fails at the deadline, or when `meta.json` holds no record.
pub fn wait_for_last(
    dir: &Path,
    deadline: Instant,
    mut until: impl FnMut(Option<&Meta>) -> bool,
) -> Result<Option<Meta>, WaitError> {
    loop {
        let meta = meta::read(dir).map_err(WaitError::Read)?;
        if until(meta.as_ref()) {
            return Ok(meta);
        }
        if Instant::now() >= deadline {
            return Err(WaitError::TimedOut { dir: dir.to_owned() });
        }
        match meta.as_ref().and_then(holder) {
            Some(pidfd) => {
                is_readable_until(pidfd, deadline);
            }
            None => pause(UNKNOWN_HOLDER_STEP),
        }
    }
}

/// How often to look at a directory that cannot be watched: it is not there, or the user watches too much already.
const UNWATCHED_STEP: Duration = Duration::from_millis(5);

/// Waits until nobody supervises `dir`: both guard and worker have ended, and the directory may be written or removed.
///
/// # Errors
///
/// Fails at the deadline.
pub fn wait_unsupervised(dir: &Path, deadline: Instant) -> Result<(), WaitError> {
    while supervised(dir) {
        if Instant::now() >= deadline {
            return Err(WaitError::TimedOut { dir: dir.to_owned() });
        }
        match meta::read(dir).ok().flatten().as_ref().and_then(holder) {
            Some(pidfd) => {
                is_readable_until(pidfd, deadline.min(Instant::now() + HOLDER_STEP));
            }
            // The record names nobody who lives: a supervisor that has not written yet, or the last instant of one.
            None => pause(UNKNOWN_HOLDER_STEP),
        }
    }
    Ok(())
}

/// Lets the kernel forget the process in `dir`, which nobody supervises and which is about to be removed: takes away the
/// empty control groups that a killed supervisor left. Does nothing where there is none.
pub fn forget(dir: &Path) {
    if let Some(cgroup) = Cgroup::of_directory(dir) {
        cgroup.remove();
    }
    if let Some(group) = MemoryGroup::of_directory(dir) {
        group.remove();
    }
}

/// How long to wait for one holder before asking the lock again (a new worker may have come).
const HOLDER_STEP: Duration = Duration::from_millis(250);

/// How long to wait when the record names no living holder.
const UNKNOWN_HOLDER_STEP: Duration = Duration::from_millis(1);

fn pause(span: Duration) {
    let span = Timespec::try_from(span).expect("a few milliseconds fit");
    // Cut short by a signal, it only looks again earlier.
    let _ = poll(&mut [], Some(&span));
}

/// A handle on the guard, or else the worker, that a record names, if it lives.
fn holder(meta: &Meta) -> Option<std::os::fd::OwnedFd> {
    let lives = |pid: u32| {
        let pidfd = proc::handle(pid).ok()?;
        (!proc::has_ended(&pidfd)).then_some(pidfd)
    };
    lives(meta.life.guard_pid).or_else(|| lives(meta.life.worker_pid))
}

/// A watch on `dir`; `None` when it is not there, or when all watches of this user are taken.
fn watch(dir: &Path) -> nix::Result<Option<Inotify>> {
    let changes = AddWatchFlags::IN_MOVED_TO | AddWatchFlags::IN_DELETE | AddWatchFlags::IN_DELETE_SELF;
    let made = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK)
        .and_then(|inotify| inotify.add_watch(dir, changes).map(|_| inotify));
    match made {
        Ok(inotify) => Ok(Some(inotify)),
        Err(nix::Error::ENOENT | nix::Error::EMFILE | nix::Error::ENFILE | nix::Error::ENOSPC) => Ok(None),
        Err(errno) => Err(errno),
    }
}

/// Waits for input on `fd`; false when the deadline came first.
fn is_readable_until(fd: impl AsFd, deadline: Instant) -> bool {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let limit = Timespec::try_from(left).unwrap_or(Timespec { tv_sec: i64::MAX, tv_nsec: 0 });
        let mut fds = [PollFd::new(&fd, PollFlags::IN)];
        match poll(&mut fds, Some(&limit)) {
            Ok(0) if left.is_zero() => return false,
            Ok(0) | Err(rustix::io::Errno::INTR) => {}
            Ok(_) => return true,
            Err(_) => return false,
        }
    }
}
