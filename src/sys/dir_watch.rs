//! Waiting until something changes in a directory.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};

/// Watches directories. Where the kernel gives no watch (they are limited per user), waiting is looking again after a moment.
#[derive(Debug)]
pub struct DirWatcher {
    inotify: Option<Inotify>,
}

/// The pause between two looks without a watch.
const POLL_INTERVAL: Duration = Duration::from_millis(4);

impl DirWatcher {
    /// Watches the entries of `directories`; a directory that cannot be watched makes the whole watch a matter of looking again.
    #[must_use]
    pub fn on<'a>(dirs: impl IntoIterator<Item = &'a Path>) -> Self {
        Self { inotify: add(dirs).ok() }
    }

    /// Watches one more directory, unless it is gone.
    pub fn add(&mut self, dir: &Path) {
        if let Some(inotify) = &self.inotify
            && inotify.add_watch(dir, changes()).is_err_and(|error| error != Errno::ENOENT)
        {
            self.inotify = None;
        }
    }

    /// Waits until something changed since the last call, a signal came, or `limit` is over.
    pub fn wait(&self, limit: Duration) {
        let Some(inotify) = &self.inotify else {
            return sleep_interruptible(limit.min(POLL_INTERVAL));
        };
        let mut fds = [PollFd::new(inotify.as_fd(), PollFlags::POLLIN)];
        if poll(&mut fds, timeout(limit)).is_ok_and(|ready| ready > 0) {
            // Which file it was is seen by looking; an unreadable queue wakes the next wait again.
            let _ = inotify.read_events();
        }
    }
}

impl DirWatcher {
    /// Readable when something changed; none without a watch.
    #[must_use]
    pub fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.inotify.as_ref().map(AsFd::as_fd)
    }

    /// Forgets what changed so far. Does not wait.
    pub fn forget(&self) {
        // An unreadable queue is still readable afterwards, and read again.
        let _ = self.inotify.as_ref().map(Inotify::read_events);
    }
}

/// Waits for so long, or until a signal comes.
pub fn sleep_interruptible(limit: Duration) {
    let _ = poll(&mut [], timeout(limit));
}

fn add<'a>(dirs: impl IntoIterator<Item = &'a Path>) -> io::Result<Inotify> {
    let inotify = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK)?;
    for directory in dirs {
        inotify.add_watch(directory, changes())?;
    }
    Ok(inotify)
}

fn changes() -> AddWatchFlags {
    AddWatchFlags::IN_MODIFY
        | AddWatchFlags::IN_CREATE
        | AddWatchFlags::IN_MOVED_TO
        | AddWatchFlags::IN_DELETE
        | AddWatchFlags::IN_DELETE_SELF
        | AddWatchFlags::IN_MOVE_SELF
}

fn timeout(limit: Duration) -> PollTimeout {
    PollTimeout::try_from(limit).unwrap_or(PollTimeout::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    #[test]
    fn a_change_wakes() {
        let directory = tempfile::tempdir().expect("a directory");
        let watch = DirWatcher::on([directory.path()]);
        std::fs::write(directory.path().join("x"), "1").expect("a file");
        let begun = Instant::now();
        watch.wait(Duration::from_secs(20));
        assert!(begun.elapsed() < Duration::from_secs(10), "woken, not timed out");
    }

    #[test]
    fn a_missing_directory_means_looking_again_soon() {
        let watch = DirWatcher::on([Path::new("/nonexistent/directory")]);
        let begun = Instant::now();
        watch.wait(Duration::from_secs(20));
        assert!(begun.elapsed() < Duration::from_secs(10));
    }
}
