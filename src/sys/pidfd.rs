//! A handle on a process: what is sent through it never reaches a stranger that got the same pid.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::process::Child;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rustix::process::{Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, pidfd_open, pidfd_send_signal, waitid};

/// A process that was alive when the handle was made.
#[derive(Debug)]
pub struct PidFd {
    fd: OwnedFd,
}

/// How a process is asked to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KillSignal {
    /// SIGTERM: it may tidy up, or not listen.
    Term,
    /// SIGKILL.
    Kill,
}

impl AsFd for PidFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl PidFd {
    /// A handle on the process that has `pid` now. It may be dead already, and not yet collected.
    ///
    /// # Errors
    ///
    /// Fails if there is none.
    pub fn open(pid: u32) -> io::Result<Self> {
        let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or(io::ErrorKind::NotFound)?;
        Ok(Self { fd: pidfd_open(pid, PidfdFlags::empty())? })
    }

    /// The same; none if there is no such process.
    ///
    /// # Errors
    ///
    /// Fails if that cannot be found out, for lack of descriptors for example.
    pub fn find(pid: u32) -> io::Result<Option<Self>> {
        match Self::open(pid) {
            Err(error) if error.raw_os_error() == Some(nix::Error::ESRCH as i32) => Ok(None),
            found => found.map(Some),
        }
    }

    /// Asks it to end. What has ended already is asked in vain, without an error.
    ///
    /// # Errors
    ///
    /// Fails if it belongs to another user.
    pub fn send(&self, push: KillSignal) -> io::Result<()> {
        let signal = match push {
            KillSignal::Term => Signal::TERM,
            KillSignal::Kill => Signal::KILL,
        };
        match pidfd_send_signal(&self.fd, signal) {
            Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Waits until it has ended, at most `limit`; true if it has.
    #[must_use]
    pub fn wait(&self, limit: Duration) -> bool {
        let until = Instant::now() + limit;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            // Rounded up, so that it does not spin in the last millisecond.
            let timeout = PollTimeout::try_from(left.as_millis() + 1).unwrap_or(PollTimeout::MAX);
            let mut fds = [PollFd::new(self.fd.as_fd(), PollFlags::POLLIN)];
            match poll(&mut fds, timeout) {
                Ok(ready) if ready > 0 => return true,
                _ if left.is_zero() => return false,
                _ => {}
            }
        }
    }
}

/// A child of this process that nothing else collects, to wait for its end. Also where no handle on it is to be had, for lack of
/// descriptors for example: that it cannot be held does not mean that it has ended.
#[derive(Debug)]
pub struct ChildHandle {
    pid: u32,
    held: Option<PidFd>,
}

/// Between two looks at a child that is not held.
const LOOK_INTERVAL: Duration = Duration::from_millis(10);

impl ChildHandle {
    /// For a child that was not collected yet.
    #[must_use]
    pub fn of(child: &Child) -> Self {
        Self { pid: child.id(), held: PidFd::open(child.id()).ok() }
    }

    /// The handle, if one was to be had.
    #[must_use]
    pub fn held(&self) -> Option<&PidFd> {
        self.held.as_ref()
    }

    /// Waits until it has ended, at most `limit`; true if it has. It is not collected.
    #[must_use]
    pub fn wait(&self, limit: Duration) -> bool {
        if let Some(held) = &self.held {
            return held.wait(limit);
        }
        let until = Instant::now() + limit;
        loop {
            if self.has_ended() {
                return true;
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            super::dir_watch::sleep_interruptible(left.min(LOOK_INTERVAL));
        }
    }

    fn has_ended(&self) -> bool {
        let Some(pid) = i32::try_from(self.pid).ok().and_then(Pid::from_raw) else { return true };
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        // An error says that it was collected already.
        !matches!(waitid(WaitId::Pid(pid), options), Ok(None) | Err(rustix::io::Errno::INTR))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn ends_a_process_and_sees_its_end() {
        let mut child = Command::new("sleep").arg("600").spawn().expect("sleep runs");
        let handle = PidFd::open(child.id()).expect("a handle");
        assert!(!handle.wait(Duration::ZERO));
        handle.send(KillSignal::Term).expect("it is ours");
        assert!(handle.wait(Duration::from_secs(20)));
        child.wait().expect("collected");
        assert!(handle.send(KillSignal::Kill).is_ok(), "a process that has ended is not an error");
    }

    #[test]
    fn there_is_no_handle_of_a_process_that_ended() {
        assert!(PidFd::open(0).is_err());
        assert!(PidFd::open(u32::MAX).is_err());
        assert!(PidFd::open(4_194_304).is_err(), "above the highest pid of Linux");
    }

    #[test]
    fn a_child_that_cannot_be_held_is_waited_for_all_the_same() {
        let mut child = Command::new("sleep").arg("600").spawn().expect("sleep is there");
        let handle = ChildHandle { pid: child.id(), held: None };
        assert!(!handle.wait(Duration::ZERO) && !handle.wait(Duration::from_millis(20)));
        child.kill().expect("ours");
        assert!(handle.wait(Duration::from_secs(60)));
        assert!(!child.wait().expect("it was not collected").success());
        assert!(handle.wait(Duration::ZERO));
    }
}
