//! What a terminal needs again when this program goes on after a stop (Ctrl-Z, `kill -STOP`): the shell that had the terminal
//! meanwhile leaves its own modes, in which a secret would be shown and an editor could not work.
//!
//! A program that goes on in the background (`bg`) must leave the terminal alone until the shell gives it the terminal (`fg`),
//! which is not told by a signal: the shell sends none to a job that runs. So a pipe tells a thread that waits for keys to look
//! again until then.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicPtr, AtomicUsize, Ordering};

use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};

/// What is needed now; null if nothing is.
static ACTIVE_RESTORE: AtomicPtr<TerminalRestore> = AtomicPtr::new(ptr::null_mut());

/// What is on the terminal has to be drawn anew.
static REDRAW_NEEDED: AtomicBool = AtomicBool::new(false);

/// How often a question was asked again.
static ASKED_AGAIN: AtomicUsize = AtomicUsize::new(0);

/// Counts how often the program went on in the background.
static BACKGROUND: OnceLock<EventFd> = OnceLock::new();

/// What the handler writes to; -1 before the first [`TerminalRestore::install`].
static BACKGROUND_FD: AtomicI32 = AtomicI32::new(-1);

/// True once after the program went on and escape codes were written again: what was drawn is gone.
#[must_use]
pub fn take_redraw_request() -> bool {
    REDRAW_NEEDED.swap(false, Ordering::AcqRel)
}

/// How often a question was asked again after a stop: what was typed before does not belong to the answer.
#[must_use]
pub(super) fn asked_again() -> usize {
    ASKED_AGAIN.load(Ordering::Acquire)
}

/// Readable after the program went on in the background, until [`restore_in_foreground`]; none before the first
/// [`TerminalRestore::install`].
#[must_use]
pub fn background_fd() -> Option<BorrowedFd<'static>> {
    BACKGROUND.get().map(AsFd::as_fd)
}

/// The terminal was given to this program: if it went on in the background before, the terminal gets what it needs now.
pub fn restore_in_foreground() {
    if BACKGROUND.get().is_some_and(|count| count.read().is_ok()) {
        restore();
    }
}

/// Modes and escape codes of a terminal.
#[derive(Debug)]
pub struct TerminalRestore {
    terminal: RawFd,
    modes: libc::termios,
    escape_sequence: &'static [u8],
    /// What is asked there.
    question: &'static [u8],
}

impl TerminalRestore {
    /// These modes; `codes` are written too, and the screen is drawn anew if there are any. A signal
    /// may come while it is used, so it is never freed: make one and use it again.
    #[must_use]
    pub fn new(terminal: BorrowedFd, modes: impl Into<libc::termios>, codes: &'static [u8]) -> &'static Self {
        let (terminal, modes) = (terminal.as_raw_fd(), modes.into());
        Box::leak(Box::new(Self { terminal, modes, escape_sequence: codes, question: &[] }))
    }

    /// These modes, and the question that is answered in them, which is asked again: what was typed meanwhile is dropped, for it may
    /// have been meant for another program, and have been shown.
    #[must_use]
    pub fn asking(terminal: BorrowedFd, modes: impl Into<libc::termios>, question: String) -> &'static Self {
        let (terminal, modes, question) = (terminal.as_raw_fd(), modes.into(), question.leak().as_bytes());
        Box::leak(Box::new(Self { terminal, modes, escape_sequence: &[], question }))
    }

    /// From now on the terminal gets this whenever the program goes on, until what is returned is dropped.
    ///
    /// # Errors
    ///
    /// Fails if the signal cannot be listened to.
    pub fn install(&'static self) -> io::Result<TerminalRestoreGuard> {
        if BACKGROUND.get().is_none() {
            let count = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?;
            BACKGROUND_FD.store(BACKGROUND.get_or_init(|| count).as_raw_fd(), Ordering::Release);
        }
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
    restore();
}

/// Async-signal-safe.
fn restore() {
    // SAFETY: what was stored there is never freed and never changed; every call is async-signal-safe and gets what it takes.
    unsafe {
        let Some(need) = ACTIVE_RESTORE.load(Ordering::Acquire).as_ref() else { return };
        let errno = *libc::__errno_location();
        if libc::tcgetpgrp(need.terminal) == libc::getpgrp() {
            libc::tcsetattr(need.terminal, libc::TCSANOW, &raw const need.modes);
            if !need.question.is_empty() {
                libc::tcflush(need.terminal, libc::TCIFLUSH);
                ASKED_AGAIN.fetch_add(1, Ordering::AcqRel);
                libc::write(need.terminal, need.question.as_ptr().cast(), need.question.len());
            }
            if !need.escape_sequence.is_empty() {
                libc::write(libc::STDOUT_FILENO, need.escape_sequence.as_ptr().cast(), need.escape_sequence.len());
                REDRAW_NEEDED.store(true, Ordering::Release);
                // Wakes who waits for keys, in whatever thread.
                libc::kill(libc::getpid(), libc::SIGWINCH);
            }
        } else {
            let one = 1_u64.to_ne_bytes();
            libc::write(BACKGROUND_FD.load(Ordering::Acquire), one.as_ptr().cast(), one.len());
        }
        *libc::__errno_location() = errno;
    }
}
