//! Signals to this program: Ctrl-C ends a command, not the session; SIGTERM and SIGHUP end everything in order.
//!
//! The handlers set a flag and wake the thread that waits in [`sleep`]; a second Ctrl-C during the same command, or a second
//! SIGTERM, has its usual effect, so that a command that does not listen can still be ended.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, IntoRawFd, OwnedFd, RawFd};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use nix::unistd::pipe2;

/// How often Ctrl-C was pressed since the current command began.
static INTERRUPTS: AtomicUsize = AtomicUsize::new(0);
/// The signal that asked this program to end; 0 if none did.
static TERMINATION_SIGNAL: AtomicI32 = AtomicI32::new(0);
/// What the signal asked for was carried out in order.
static GRACEFUL: AtomicBool = AtomicBool::new(false);
/// How many programs of the operator's have the terminal and hear Ctrl-C themselves.
static SIGINT_GUARDS: AtomicUsize = AtomicUsize::new(0);
/// A session goes on at this terminal: no number of Ctrl-C ends it.
static SURVIVES_SIGNALS: AtomicBool = AtomicBool::new(false);
/// The ends that the handlers write to; -1 before [`install_handlers`].
static INTERRUPT_PIPE: AtomicI32 = AtomicI32::new(-1);
static TERMINATION_PIPE: AtomicI32 = AtomicI32::new(-1);
static RELOAD_PIPE: AtomicI32 = AtomicI32::new(-1);
static PIPES: OnceLock<SignalPipes> = OnceLock::new();

/// The ends that are waited at.
struct SignalPipes {
    /// Emptied when a command begins.
    interrupt: OwnedFd,
    /// Readable for ever once this program was asked to end.
    termination: OwnedFd,
}

/// Installs the handlers. SIGHUP stays ignored if it was (`nohup`). Only the first call does anything.
///
/// # Errors
///
/// Fails if no pipe can be made.
pub fn install_handlers() -> io::Result<()> {
    if PIPES.get().is_some() {
        return Ok(());
    }
    let flags = OFlag::O_CLOEXEC | OFlag::O_NONBLOCK;
    let (interrupt, interrupt_writer) = pipe2(flags)?;
    let (end, end_writer) = pipe2(flags)?;
    INTERRUPT_PIPE.store(interrupt_writer.into_raw_fd(), Ordering::Release);
    TERMINATION_PIPE.store(end_writer.into_raw_fd(), Ordering::Release);
    let _ = PIPES.set(SignalPipes { interrupt, termination: end });
    for (signal, handler) in [
        (Signal::SIGINT, on_interrupt as extern "C" fn(i32)),
        (Signal::SIGTERM, on_termination),
        (Signal::SIGHUP, on_termination),
    ] {
        let action = SigAction::new(SigHandler::Handler(handler), SaFlags::empty(), SigSet::empty());
        // SAFETY: the handlers only use atomics, write(2), signal(2) and raise(3), which are async-signal-safe.
        let before = unsafe { sigaction(signal, &action) }?;
        if signal == Signal::SIGHUP && matches!(before.handler(), SigHandler::SigIgn) {
            // SAFETY: restores what was there before.
            unsafe { sigaction(signal, &before) }?;
        }
    }
    Ok(())
}

/// A file that reaches its limit (`ulimit -f`) is an error of the write from now on, and does not end this program. The signal is
/// caught, not ignored, so that programs that it starts have the default again.
pub fn ignore_sigxfsz() {
    extern "C" fn nothing(_: i32) {}
    let action = SigAction::new(SigHandler::Handler(nothing), SaFlags::SA_RESTART, SigSet::empty());
    // SAFETY: the handler does nothing.
    let _ = unsafe { sigaction(Signal::SIGXFSZ, &action) };
}

/// A command begins: an earlier Ctrl-C is over.
pub fn reset() {
    INTERRUPTS.store(0, Ordering::Release);
    forget_interrupts();
}

/// [`interrupt_fd`] is not readable any more, until Ctrl-C is pressed again.
pub fn forget_interrupts() {
    if let Some(pipes) = PIPES.get() {
        let mut sink = [0_u8; 64];
        while nix::unistd::read(&pipes.interrupt, &mut sink).is_ok_and(|count| count > 0) {}
    }
}

/// Ctrl-C was pressed since the last [`reset`], or this program was asked to end.
#[must_use]
pub fn interrupted() -> bool {
    INTERRUPTS.load(Ordering::Acquire) > 0 || termination_signal().is_some()
}

/// The signal that asked this program to end, if one did.
#[must_use]
pub fn termination_signal() -> Option<i32> {
    Some(TERMINATION_SIGNAL.load(Ordering::Acquire)).filter(|signal| *signal != 0)
}

/// This program was asked to end, and did in order what that means for what it looked after: its end is a success. A service
/// manager takes any other exit code for a failure.
pub fn set_graceful_exit() {
    GRACEFUL.store(true, Ordering::Release);
}

/// True after [`set_graceful_exit`].
#[must_use]
pub fn exits_gracefully() -> bool {
    GRACEFUL.load(Ordering::Acquire)
}

/// Keeps signals away from the calling thread, for good.
pub fn block_in_this_thread() {
    let _ = nix::sys::signal::SigSet::all().thread_block();
}

/// Waits until time is up or a signal comes; true if time is up.
#[must_use]
pub fn sleep(how_long: Duration) -> bool {
    let until = Instant::now() + how_long;
    loop {
        if interrupted() {
            return false;
        }
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return true;
        }
        // Rounded up, so that it does not spin in the last millisecond.
        let millis = i32::try_from(left.as_millis() + 1).unwrap_or(i32::MAX);
        // Before anybody listens there is only the time to wait for.
        let mut fds: Vec<PollFd> = PIPES.get().map_or_else(Vec::new, |pipes| {
            [&pipes.interrupt, &pipes.termination].map(|pipe| PollFd::new(pipe.as_fd(), PollFlags::POLLIN)).into()
        });
        let _ = poll(&mut fds, PollTimeout::try_from(millis).unwrap_or(PollTimeout::MAX));
    }
}

/// Waits until something can be read; false if a signal came first, also one that came before.
#[must_use]
pub fn wait_readable(fd: BorrowedFd) -> bool {
    loop {
        match wait_readable_within(fd, PollTimeout::NONE) {
            Waited::Readable => return true,
            Waited::Signalled => return false,
            Waited::TimeUp => {}
        }
    }
}

/// What ended a wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waited {
    /// Something can be read.
    Readable,
    /// A signal came, maybe before.
    Signalled,
    /// Time is up.
    TimeUp,
}

/// The same for a while.
#[must_use]
pub fn wait_readable_within(fd: BorrowedFd, limit: PollTimeout) -> Waited {
    let Some(pipes) = PIPES.get() else { return Waited::Readable };
    let mut fds = [
        PollFd::new(fd, PollFlags::POLLIN),
        PollFd::new(pipes.interrupt.as_fd(), PollFlags::POLLIN),
        PollFd::new(pipes.termination.as_fd(), PollFlags::POLLIN),
    ];
    if interrupted() {
        return Waited::Signalled;
    }
    let polled = poll(&mut fds, limit);
    match polled {
        Ok(1..) if fds[0].any().unwrap_or(true) => Waited::Readable,
        _ if interrupted() => Waited::Signalled,
        _ => Waited::TimeUp,
    }
}

/// Waits until something can be read, whatever is pressed meanwhile; false if this program was asked to end first.
#[must_use]
pub fn wait_unless_terminated(fd: impl AsFd) -> bool {
    let Some(pipes) = PIPES.get() else { return true };
    let mut fds =
        [PollFd::new(fd.as_fd(), PollFlags::POLLIN), PollFd::new(pipes.termination.as_fd(), PollFlags::POLLIN)];
    while termination_signal().is_none() {
        if poll(&mut fds, PollTimeout::NONE).is_ok() && fds[0].any().unwrap_or(true) {
            return true;
        }
    }
    false
}

/// Readable for ever once this program was asked to end; for the thread that waits in a thread of its own.
#[must_use]
pub fn termination_fd() -> Option<BorrowedFd<'static>> {
    PIPES.get().map(|pipes| pipes.termination.as_fd())
}

/// Readable once this program was asked to end, or Ctrl-C was pressed since the current command began; for a thread that waits
/// with means of its own. Nothing is read from them.
#[must_use]
pub fn stop_fds() -> Vec<BorrowedFd<'static>> {
    PIPES.get().map_or_else(Vec::new, |pipes| vec![pipes.interrupt.as_fd(), pipes.termination.as_fd()])
}

/// Readable once Ctrl-C was pressed, until the next [`reset`] or [`forget_interrupts`].
#[must_use]
pub fn interrupt_fd() -> Option<BorrowedFd<'static>> {
    PIPES.get().map(|pipes| pipes.interrupt.as_fd())
}

/// How often Ctrl-C was pressed since the last [`reset`].
#[must_use]
pub fn interrupts() -> usize {
    INTERRUPTS.load(Ordering::Acquire)
}

/// From now on SIGHUP does not end this program, but can be read here, a byte for each.
///
/// # Errors
///
/// Fails if no pipe can be made.
pub fn catch_hangups() -> io::Result<File> {
    let (reload, writer) = pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)?;
    RELOAD_PIPE.store(writer.into_raw_fd(), Ordering::Release);
    let action = SigAction::new(SigHandler::Handler(on_reload), SaFlags::empty(), SigSet::empty());
    // SAFETY: the handler only uses an atomic and write(2), which are async-signal-safe.
    unsafe { sigaction(Signal::SIGHUP, &action) }?;
    Ok(reload.into())
}

/// The terminal went away: the same as a SIGHUP, which does not come to everyone.
pub fn mark_hangup() {
    if TERMINATION_SIGNAL.compare_exchange(0, libc::SIGHUP, Ordering::AcqRel, Ordering::Acquire).is_ok() {
        notify(&TERMINATION_PIPE);
    }
}

/// While it lives, SIGHUP does nothing to this program and to those that it starts.
pub struct SighupGuard(Option<SigAction>);

/// Does something to its end that must not be left half done when the terminal is closed.
#[must_use]
pub fn ignore_sighup() -> SighupGuard {
    let action = SigAction::new(SigHandler::SigIgn, SaFlags::empty(), SigSet::empty());
    // SAFETY: no handler is installed.
    SighupGuard(unsafe { sigaction(Signal::SIGHUP, &action) }.ok())
}

impl Drop for SighupGuard {
    fn drop(&mut self) {
        if let Some(before) = self.0 {
            // SAFETY: restores what was there before.
            let _ = unsafe { sigaction(Signal::SIGHUP, &before) };
        }
    }
}

/// From now on Ctrl-C never ends this program, however often it is pressed: a session outlives its commands.
pub fn survive_sigint() {
    SURVIVES_SIGNALS.store(true, Ordering::Release);
}

/// From now on Ctrl-\ is a Ctrl-C. It is caught, so that it ends programs that this one starts, as their default says.
pub fn take_sigquit_as_sigint() {
    let action = SigAction::new(SigHandler::Handler(on_interrupt), SaFlags::empty(), SigSet::empty());
    // SAFETY: the handler only uses atomics, write(2), signal(2) and raise(3), which are async-signal-safe.
    let _ = unsafe { sigaction(Signal::SIGQUIT, &action) };
}

/// While it lives, Ctrl-C belongs to a program that has the terminal and never ends this one.
pub struct SigintGuard(());

/// Lends the terminal to a program.
#[must_use]
pub fn ignore_sigint() -> SigintGuard {
    SIGINT_GUARDS.fetch_add(1, Ordering::AcqRel);
    SigintGuard(())
}

impl Drop for SigintGuard {
    fn drop(&mut self) {
        SIGINT_GUARDS.fetch_sub(1, Ordering::AcqRel);
    }
}

extern "C" fn on_interrupt(signal: i32) {
    let earlier = INTERRUPTS.fetch_add(1, Ordering::AcqRel);
    if earlier >= 1 && SIGINT_GUARDS.load(Ordering::Acquire) == 0 && !SURVIVES_SIGNALS.load(Ordering::Acquire) {
        default_action(signal);
    }
    notify(&INTERRUPT_PIPE);
}

extern "C" fn on_reload(_: i32) {
    notify(&RELOAD_PIPE);
}

extern "C" fn on_termination(signal: i32) {
    let before = TERMINATION_SIGNAL.compare_exchange(0, signal, Ordering::AcqRel, Ordering::Acquire).err();
    // A terminal that is closed once is a SIGHUP of the kernel, one of the shell, and one of the kernel for the end of the shell. A
    // SIGTERM beside it is of systemd, which ends a login.
    let asks_again = before.is_some_and(|before| (before, signal) != (libc::SIGHUP, libc::SIGHUP));
    // A session ends in order, and within a second (see `tty::watch_hangup`), however many signals come.
    if asks_again && !SURVIVES_SIGNALS.load(Ordering::Acquire) {
        default_action(signal);
    }
    notify(&TERMINATION_PIPE);
}

/// The usual effect of the signal, as soon as the handler returns.
fn default_action(signal: i32) {
    // SAFETY: both are async-signal-safe and take plain numbers.
    unsafe {
        libc::signal(signal, libc::SIG_DFL);
        libc::raise(signal);
    }
}

fn notify(pipe: &AtomicI32) {
    let end: RawFd = pipe.load(Ordering::Acquire);
    // SAFETY: write(2) is async-signal-safe; the pointer is to one byte that lives long enough. A full pipe rings already.
    unsafe {
        let error = *libc::__errno_location();
        libc::write(end, b"!".as_ptr().cast(), 1);
        *libc::__errno_location() = error;
    }
}
