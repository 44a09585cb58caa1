//! Waiting for what becomes of a process: by its record, or by the end of its supervisor.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::lock::is_supervised;
use super::meta::{self, Meta, MetaReadError};
use super::proc;
use super::resume::resume_if_stopped;

/// Why a wait ended without what was waited for.
#[derive(Debug)]
pub enum WaitError {
    /// The deadline passed.
    TimedOut {
        /// The process directory.
        dir: PathBuf,
    },
    /// `meta.json` could not be used.
    Read(MetaReadError),
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
            Self::TimedOut { dir } => write!(f, "timed out waiting for a change of `{}`", dir.display()),
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

/// Waits until `until` is true of `meta.json` in `dir` and returns that record; `None` means that there is no file.
///
/// Looks at once, then whenever the file was replaced. A supervisor that was stopped (SIGSTOP) meanwhile would never replace
/// it, and is continued.
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
            Some(watch) if is_readable_until(watch, deadline.min(Instant::now() + SUPERVISOR_CHECK_INTERVAL)) => {
                // What happened does not matter, only that something did.
                let _ = watch.read_events();
            }
            Some(_) => resume_if_stopped(dir),
            None => sleep(FALLBACK_POLL_INTERVAL),
        }
    }
}

/// The same for what is expected within a moment: looks again and again for as long, and gives up without a word.
///
/// To make a watch is cheap, but to close it takes the kernel some 20 ms.
#[must_use]
pub fn poll_until(dir: &Path, limit: Duration, mut until: impl FnMut(Option<&Meta>) -> bool) -> Option<Option<Meta>> {
    let deadline = Instant::now() + limit;
    while Instant::now() < deadline {
        if let Ok(meta) = meta::read(dir)
            && until(meta.as_ref())
        {
            return Some(meta);
        }
        sleep(FAST_POLL_INTERVAL);
    }
    None
}

/// The pause between two such looks.
const FAST_POLL_INTERVAL: Duration = Duration::from_millis(1);

/// Waits until `until` is true of the last record of the supervisor of `dir`; `None` means that there is no file.
///
/// Looks at once, when the supervisor has ended, and at the deadline. For a record that a supervisor writes before it ends this
/// is much cheaper than [`wait`], and no slower.
///
/// # Errors
///
/// Fails at the deadline, or when `meta.json` holds no record.
pub fn wait_until_exit(
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
        match meta.as_ref().and_then(live_supervisor) {
            Some(pidfd) => wait_for_supervisor(dir, pidfd, deadline),
            None => sleep(UNKNOWN_SUPERVISOR_POLL_INTERVAL),
        }
    }
}

/// How often to look at a directory that cannot be watched: it is not there, or the user watches too much already.
const FALLBACK_POLL_INTERVAL: Duration = Duration::from_millis(5);

/// Waits until `dir` has no supervisor: both guard and worker have ended, and the directory may be written or removed.
///
/// # Errors
///
/// Fails at the deadline.
pub fn wait_unsupervised(dir: &Path, deadline: Instant) -> Result<(), WaitError> {
    while is_supervised(dir) {
        if Instant::now() >= deadline {
            return Err(WaitError::TimedOut { dir: dir.to_owned() });
        }
        match meta::read(dir).ok().flatten().as_ref().and_then(live_supervisor) {
            Some(pidfd) => wait_for_supervisor(dir, pidfd, deadline),
            // The record names no living process: a supervisor that has not written yet, or the last instant of one.
            None => sleep(UNKNOWN_SUPERVISOR_POLL_INTERVAL),
        }
    }
    Ok(())
}

/// Waits for the end of a holder, for a while. One that was stopped (SIGSTOP) would never end, and is continued.
fn wait_for_supervisor(dir: &Path, pidfd: OwnedFd, deadline: Instant) {
    if !is_readable_until(pidfd, deadline.min(Instant::now() + SUPERVISOR_CHECK_INTERVAL)) {
        resume_if_stopped(dir);
    }
}

/// How long to wait for one holder before asking the lock again (a new worker may have come).
const SUPERVISOR_CHECK_INTERVAL: Duration = Duration::from_millis(250);

/// How long to wait when the record names no living holder.
const UNKNOWN_SUPERVISOR_POLL_INTERVAL: Duration = Duration::from_millis(1);

fn sleep(span: Duration) {
    let span = Timespec::try_from(span).expect("a few milliseconds fit");
    // Cut short by a signal, it only looks again earlier.
    let _ = poll(&mut [], Some(&span));
}

/// A handle on the guard, or else the worker, that a record names, if it lives.
fn live_supervisor(meta: &Meta) -> Option<OwnedFd> {
    let lives = |pid: u32| {
        let pidfd = proc::open_pidfd(pid).ok()?;
        (!proc::has_ended(&pidfd)).then_some(pidfd)
    };
    lives(meta.run_state.guard_pid).or_else(|| lives(meta.run_state.worker_pid))
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
pub(super) fn is_readable_until(fd: impl AsFd, deadline: Instant) -> bool {
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
