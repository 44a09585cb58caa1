//! Hearing that something came into an empty FIFO: by SIGIO, never by `poll`.
//!
//! The kernel remembers for ever that a pipe was polled, and from then on looks at every write for a waiter to wake, also when
//! the pipe was not empty before. A child that floods its output line by line is a seventh slower for that.

use std::io;
use std::os::fd::{AsFd, AsRawFd};

use nix::fcntl::{FcntlArg, OFlag, fcntl};

/// Whether a write to a FIFO sends us SIGIO.
#[derive(Debug, Default)]
pub(super) struct SigioNotifier {
    /// Our process gets the signal.
    owned: bool,
    /// What is said of the descriptor, which outlives every worker, is true.
    state: Option<Notification>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Notification {
    Armed,
    Disarmed,
}

impl SigioNotifier {
    pub(super) fn is_armed(&self) -> bool {
        self.state == Some(Notification::Armed)
    }

    /// Every write from now on rings, whose signal is not waiting already. Whether the FIFO was empty before is not known.
    pub(super) fn arm(&mut self, fifo: impl AsFd) -> io::Result<()> {
        if !self.owned {
            let own = libc::pid_t::try_from(std::process::id()).unwrap_or(libc::pid_t::MAX);
            // SAFETY: takes a number; touches no memory.
            nix::Error::result(unsafe { libc::fcntl(fifo.as_fd().as_raw_fd(), libc::F_SETOWN, own) })?;
            self.owned = true;
        }
        self.set_async(fifo, Notification::Armed)
    }

    /// No write rings, and none costs more than it must.
    pub(super) fn disarm(&mut self, fifo: impl AsFd) {
        // One that cannot be muted only rings in vain.
        let _ = self.set_async(fifo, Notification::Disarmed);
    }

    fn set_async(&mut self, fifo: impl AsFd, to: Notification) -> io::Result<()> {
        if self.state != Some(to) {
            let loud = match to {
                Notification::Armed => libc::O_ASYNC,
                Notification::Disarmed => 0,
            };
            fcntl(fifo, FcntlArg::F_SETFL(OFlag::from_bits_retain(libc::O_NONBLOCK | loud)))?;
            self.state = Some(to);
        }
        Ok(())
    }
}
