//! Whether this program is the job in the foreground of a terminal. In the background the terminal is another's, which must neither
//! lose what is typed for it nor get other modes.
//!
//! A program that only waits for the terminal is not stopped for that (`SIGTTIN`, `SIGTTOU`): the shell could give it the terminal
//! at the same moment, and would not let it go on then.

use std::io::{self, ErrorKind};
use std::os::fd::BorrowedFd;
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, SigmaskHow, Signal, killpg};
use nix::unistd::{Pid, getpgrp, tcgetpgrp, tcsetpgrp};

use super::{sigcont, signal};

/// How soon a program in the background notices that it has the terminal again: nothing tells it.
pub(super) const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Runs something that would stop this program in the background; reading fails with `EIO` there instead.
pub(super) fn unstopped<T>(run: impl FnOnce() -> T) -> T {
    let stops = SigSet::from_iter([Signal::SIGTTIN, Signal::SIGTTOU]);
    let before = stops.thread_swap_mask(SigmaskHow::SIG_BLOCK);
    let result = run();
    if let Ok(before) = before {
        let _ = before.thread_set_mask();
    }
    result
}

/// Another job has this terminal; false for one that is not the terminal of this session.
pub(super) fn is_in_background(terminal: BorrowedFd) -> bool {
    tcgetpgrp(terminal).is_ok_and(|foreground| foreground != getpgrp())
}

/// Waits until a terminal is this job's; false if `pause`, which waits for [`LOOK_AGAIN`], says that it is over.
#[must_use]
pub(super) fn wait_for_foreground(terminal: BorrowedFd, pause: impl Fn() -> bool) -> bool {
    while is_in_background(terminal) {
        if !pause() {
            return false;
        }
    }
    sigcont::restore_in_foreground();
    true
}

/// Waits until a terminal is this job's or a signal comes: it must not be changed in the background.
pub(super) fn wait_for_terminal(terminal: BorrowedFd) {
    let _ = wait_for_foreground(terminal, || signal::sleep(LOOK_AGAIN));
}

/// Takes the terminal on the standard input from a job that ended without giving it back: a shell that was killed.
pub(super) fn reclaim() {
    let terminal = io::stdin();
    let is_left = |job: &Pid| *job != getpgrp() && killpg(*job, None) == Err(Errno::ESRCH);
    if tcgetpgrp(&terminal).as_ref().is_ok_and(is_left) {
        let _ = unstopped(|| tcsetpgrp(&terminal, getpgrp()));
    }
}

/// Reads what is typed for this program, once there is something.
///
/// # Errors
///
/// Fails with [`ErrorKind::Interrupted`] if a signal came first, also one that came before; with [`ErrorKind::WouldBlock`] if
/// nothing was typed within `limit`, or within a moment in the background; and if the terminal is gone.
pub(super) fn read(terminal: BorrowedFd, into: &mut [u8], limit: PollTimeout) -> io::Result<usize> {
    loop {
        let is_time_up = if is_in_background(terminal) {
            signal::sleep(LOOK_AGAIN)
        } else {
            sigcont::restore_in_foreground();
            let others = signal::stop_fds().into_iter().chain(sigcont::background_fd());
            let fds = std::iter::once(terminal).chain(others);
            let mut fds: Vec<_> = fds.map(|fd| PollFd::new(fd, PollFlags::POLLIN)).collect();
            let polled = if signal::interrupted() { Ok(0) } else { poll(&mut fds, limit) };
            if polled.is_ok() && fds[0].any().unwrap_or(true) && !is_in_background(terminal) {
                match unstopped(|| nix::unistd::read(terminal, into)) {
                    Err(Errno::EINTR) => {}
                    // It went to the background meanwhile.
                    Err(Errno::EIO) if is_in_background(terminal) => {}
                    result => return Ok(result?),
                }
            }
            polled == Ok(0)
        };
        if signal::interrupted() {
            return Err(ErrorKind::Interrupted.into());
        }
        if is_time_up && limit != PollTimeout::NONE {
            return Err(ErrorKind::WouldBlock.into());
        }
    }
}
