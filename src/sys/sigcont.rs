//! What a terminal needs again when this program goes on after a stop (Ctrl-Z, `kill -STOP`): the shell that had the terminal
//! meanwhile leaves its own modes, in which a secret would be shown and an editor could not work.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};

use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};

use super::tty::TerminalModes;

/// What is needed now; null if nothing is.
static ACTIVE_RESTORE: AtomicPtr<TerminalRestore> = AtomicPtr::new(ptr::null_mut());

/// What is on the terminal has to be drawn anew.
static REDRAW_NEEDED: AtomicBool = AtomicBool::new(false);

/// True once after the program went on and escape codes were written again: what was drawn is gone.
#[must_use]
pub fn take_redraw_request() -> bool {
    REDRAW_NEEDED.swap(false, Ordering::AcqRel)
}

/// Modes and escape codes of a terminal.
#[derive(Debug)]
pub struct TerminalRestore {
    terminal: RawFd,
    modes: libc::termios,
    escape_sequence: &'static [u8],
}

impl TerminalRestore {
    /// These modes; `codes` are written too, and the screen is drawn anew if there are any. A signal
    /// may come while it is used, so it is never freed: make one and use it again.
    #[must_use]
    pub fn new(terminal: BorrowedFd, modes: &TerminalModes, codes: &'static [u8]) -> &'static Self {
        Box::leak(Box::new(Self { terminal: terminal.as_raw_fd(), modes: modes.raw(), escape_sequence: codes }))
    }

    /// From now on the terminal gets this whenever the program goes on, until what is returned is dropped.
    ///
    /// # Errors
    ///
    /// Fails if the signal cannot be listened to.
    pub fn install(&'static self) -> io::Result<TerminalRestoreGuard> {
        let handler = SigHandler::Handler(on_continue);
        let action = SigAction::new(handler, SaFlags::SA_RESTART, SigSet::empty());
        // SAFETY: the handler only uses atomics and calls that are async-signal-safe.
        unsafe { sigaction(Signal::SIGCONT, &action) }?;
        Ok(TerminalRestoreGuard { before: ACTIVE_RESTORE.swap(ptr::from_ref(self).cast_mut(), Ordering::AcqRel) })
    }
}

/// While it lives, the terminal is cared for.
#[derive(Debug)]
pub struct TerminalRestoreGuard {
    before: *mut TerminalRestore,
}

impl Drop for TerminalRestoreGuard {
    fn drop(&mut self) {
        ACTIVE_RESTORE.store(self.before, Ordering::Release);
    }
}

extern "C" fn on_continue(_: i32) {
    // SAFETY: what was stored there is never freed and never changed; every call is async-signal-safe and gets what it takes.
    unsafe {
        let Some(need) = ACTIVE_RESTORE.load(Ordering::Acquire).as_ref() else { return };
        let errno = *libc::__errno_location();
        // In the background the terminal is another's.
        if libc::tcgetpgrp(need.terminal) == libc::getpgrp() {
            libc::tcsetattr(need.terminal, libc::TCSANOW, &raw const need.modes);
            if !need.escape_sequence.is_empty() {
                libc::write(libc::STDOUT_FILENO, need.escape_sequence.as_ptr().cast(), need.escape_sequence.len());
                REDRAW_NEEDED.store(true, Ordering::Release);
                // Wakes who waits for keys.
                libc::raise(libc::SIGWINCH);
            }
        }
        *libc::__errno_location() = errno;
    }
}
