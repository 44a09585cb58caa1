//! The modes of the terminal, and the end of a session whose terminal or permission to live goes away.
//!
//! A line editor puts the terminal into a mode in which a shell is unusable, so whatever ends this program has to undo that:
//! the orderly end does it by itself; a thread sees to it that there is an orderly end, and does without one if there is none.

use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::SigSet;
use nix::sys::termios::{SetArg, Termios, tcgetattr, tcsetattr};

use super::{foreground, signal};

/// How long an orderly end may take.
const EXIT_TIMEOUT: Duration = Duration::from_secs(1);

/// Bracketed paste off, cursor shown, no colour.
const RESET_SEQUENCE: &[u8] = b"\x1b[?2004l\x1b[?25h\x1b[0m";

/// The modes of the terminal on the standard input.
#[derive(Debug, Clone, Copy)]
pub struct TerminalModes(libc::termios);

impl TerminalModes {
    /// The modes as they are as soon as this program has the terminal.
    ///
    /// # Errors
    ///
    /// Fails if the standard input is not a terminal.
    pub fn current() -> io::Result<Self> {
        foreground::wait_for_terminal(io::stdin().as_fd());
        Ok(Self(tcgetattr(io::stdin())?.into()))
    }

    /// Brings these modes back to the terminal on the standard input. A terminal that is gone or another job's needs none.
    pub fn set(&self) {
        self.set_on(io::stdin().as_fd());
    }

    fn set_on(&self, terminal: BorrowedFd) {
        if !foreground::is_in_background(terminal) {
            let _ = foreground::unstopped(|| tcsetattr(terminal, SetArg::TCSADRAIN, &Termios::from(self.0)));
        }
    }

    /// The modes of an editor, which gets every key as it is pressed. Enter is a line feed as in other modes: what is not read yet may
    /// be for a program that is run next.
    #[must_use]
    pub fn to_raw(&self) -> Self {
        let mut modes = self.0;
        // SAFETY: it changes the modes that it is given, and nothing else.
        unsafe { libc::cfmakeraw(&raw mut modes) };
        modes.c_iflag |= libc::ICRNL;
        Self(modes)
    }

    /// Brings these modes back, and what an editor changes with escape codes.
    pub fn restore(&self) {
        self.restore_on(io::stdin().as_fd());
    }

    fn restore_on(&self, terminal: BorrowedFd) {
        if foreground::is_in_background(terminal) {
            return;
        }
        self.set_on(terminal);
        let mut output = io::stdout();
        let _ = output.write_all(RESET_SEQUENCE).and_then(|()| output.flush());
    }
}

impl From<TerminalModes> for libc::termios {
    fn from(modes: TerminalModes) -> Self {
        modes.0
    }
}

/// Wakes a reader that waits for something new to be typed though there is something already: it has read a part of what came
/// at once (a long paste) and gets no event for the rest.
pub fn wake_reader() {
    wake_reader_of(io::stdin().as_fd());
}

/// The same for any terminal; false if there is nothing to read.
pub fn wake_reader_of(terminal: BorrowedFd) -> bool {
    if unread(terminal) == 0 {
        return false;
    }
    // Any change of its modes, also to the same ones, makes a terminal tell again what it has.
    let _ = tcgetattr(terminal).and_then(|modes| tcsetattr(terminal, SetArg::TCSANOW, &modes));
    true
}

/// How many bytes can be read from a terminal without waiting.
pub(super) fn unread(terminal: BorrowedFd) -> usize {
    let mut waiting: libc::c_int = 0;
    // SAFETY: the request writes a number to the pointer it is given, which points to one.
    let answer = unsafe { libc::ioctl(terminal.as_raw_fd(), libc::FIONREAD, &raw mut waiting) };
    if answer == 0 { usize::try_from(waiting).unwrap_or(0) } else { 0 }
}

/// Runs something whose output must not be shown.
///
/// # Errors
///
/// Fails if the output cannot be put aside.
pub fn with_stdout_discarded<T>(run: impl FnOnce() -> T) -> io::Result<T> {
    let nowhere = std::fs::OpenOptions::new().write(true).open("/dev/null")?;
    let mut output = io::stdout();
    output.flush()?;
    let kept = output.as_fd().try_clone_to_owned()?;
    nix::unistd::dup2_stdout(&nowhere)?;
    let result = run();
    nix::unistd::dup2_stdout(&kept)?;
    Ok(result)
}

/// What came of reading a line without an editor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LineInput {
    /// A line without its end.
    Line(String),
    /// A signal came while it was typed; what was typed is dropped.
    Interrupted,
    /// There will be no more.
    End,
}

/// Reads a line from the standard input as the terminal gives it, unless there was a signal since [`signal::reset`]. Bytes
/// that are no text are replaced.
///
/// # Errors
///
/// Fails if the standard input cannot be read.
pub fn read_line() -> io::Result<LineInput> {
    let mut line = Vec::new();
    let mut buffer = [0_u8; 1];
    loop {
        // Byte by byte: what follows the line may be meant for a program that this line starts.
        match foreground::read(io::stdin().as_fd(), &mut buffer, PollTimeout::NONE) {
            Ok(0) | Err(_) if is_hung_up() => {
                signal::mark_hangup();
                return Ok(LineInput::Interrupted);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(LineInput::Interrupted),
            Ok(0) if line.is_empty() => return Ok(LineInput::End),
            Ok(0) => break,
            Ok(_) if buffer[0] == b'\n' => break,
            Ok(_) => line.push(buffer[0]),
            Err(error) => return Err(error),
        }
    }
    Ok(LineInput::Line(String::from_utf8_lossy(&line).into_owned()))
}

/// The terminal on the standard input is gone: there will be nothing to read any more.
#[must_use]
pub fn is_hung_up() -> bool {
    is_gone(io::stdin().as_fd())
}

/// This terminal is gone.
#[must_use]
pub fn is_gone(terminal: BorrowedFd) -> bool {
    let mut fds = [PollFd::new(terminal, PollFlags::empty())];
    let _ = poll(&mut fds, PollTimeout::ZERO);
    fds[0].any().unwrap_or(false)
}

/// Watches over a session until it is dropped.
#[derive(Debug)]
pub struct HangupWatcher {
    finished: Arc<(Mutex<bool>, Condvar)>,
}

/// Starts to watch: once this program was asked to end, or the terminal went away, `give_up` is set. If the session is not
/// over a second later, the modes are restored and the program ends with 128 + the number of the signal.
///
/// # Errors
///
/// Fails if the signal handlers are not installed ([`signal::install_handlers`]) or no thread can be made.
pub fn watch_hangup(modes: TerminalModes, give_up: Arc<AtomicBool>) -> io::Result<HangupWatcher> {
    let termination =
        signal::termination_fd().ok_or_else(|| io::Error::other("the signal handlers are not installed"))?;
    // While keys are read the standard input is another terminal.
    let terminal = io::stdin().as_fd().try_clone_to_owned()?;
    let over = Arc::new((Mutex::new(false), Condvar::new()));
    let ended = Arc::clone(&over);
    std::thread::Builder::new().name("watch".to_owned()).spawn(move || {
        // Signals are for the thread that works: they end its waiting.
        let _ = SigSet::all().thread_block();
        while signal::termination_signal().is_none() {
            let mut fds =
                [PollFd::new(termination, PollFlags::POLLIN), PollFd::new(terminal.as_fd(), PollFlags::empty())];
            let _ = poll(&mut fds, PollTimeout::NONE);
            // The hang-up of a terminal is reported even though no event is asked for.
            if fds[1].any().unwrap_or(false) {
                signal::mark_hangup();
            }
        }
        give_up.store(true, Ordering::Release);
        if !finishes_within(&ended.0, &ended.1, EXIT_TIMEOUT) {
            modes.restore_on(terminal.as_fd());
            // SAFETY: ends the process without running anything of it.
            unsafe { libc::_exit(128 + signal::termination_signal().unwrap_or(libc::SIGHUP)) }
        }
    })?;
    Ok(HangupWatcher { finished: over })
}

fn finishes_within(flag: &Mutex<bool>, changed: &Condvar, timeout: Duration) -> bool {
    let guard = flag.lock().unwrap_or_else(PoisonError::into_inner);
    let waited = changed.wait_timeout_while(guard, timeout, |over| !*over);
    *waited.unwrap_or_else(PoisonError::into_inner).0
}

impl Drop for HangupWatcher {
    fn drop(&mut self) {
        *self.finished.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.finished.1.notify_all();
    }
}
