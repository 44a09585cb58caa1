//! The modes of the terminal, and the end of a session whose terminal or permission to live goes away.
//!
//! A line editor puts the terminal into a mode in which a shell is unusable, so whatever ends this program has to undo that:
//! the orderly end does it by itself; a thread sees to it that there is an orderly end, and does without one if there is none.

use std::io::{self, Write};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::termios::{SetArg, Termios, tcgetattr, tcsetattr};

use super::signal;

/// How long an orderly end may take.
const PATIENCE: Duration = Duration::from_secs(1);

/// Bracketed paste off, cursor shown, no colour.
const SOBER: &[u8] = b"\x1b[?2004l\x1b[?25h\x1b[0m";

/// The modes of the terminal on the standard input.
#[derive(Debug, Clone)]
pub struct Modes(Termios);

impl Modes {
    /// The modes as they are now.
    ///
    /// # Errors
    ///
    /// Fails if the standard input is no terminal.
    pub fn now() -> io::Result<Self> {
        Ok(Self(tcgetattr(io::stdin())?))
    }

    /// Brings these modes back, from whatever thread. A terminal that is gone needs none.
    pub fn restore(&self) {
        let mut stop = SigSet::empty();
        stop.add(Signal::SIGTTOU);
        // From the background this would stop the program instead.
        let _ = stop.thread_block();
        let _ = tcsetattr(io::stdin(), SetArg::TCSANOW, &self.0);
        let mut output = io::stdout();
        let _ = output.write_all(SOBER).and_then(|()| output.flush());
    }
}

/// Watches over a session until it is dropped.
#[derive(Debug)]
pub struct Watch {
    over: Arc<(Mutex<bool>, Condvar)>,
}

/// Starts to watch: once this program was asked to end, or the terminal went away, `give_up` is set. If the session is not
/// over a second later, the modes are restored and the program ends with 128 + the number of the signal.
///
/// # Errors
///
/// Fails if the signals are not listened to ([`signal::listen`]) or no thread can be made.
pub fn watch(modes: Modes, give_up: Arc<AtomicBool>) -> io::Result<Watch> {
    let bell = signal::end_bell().ok_or_else(|| io::Error::other("the signals are not listened to"))?;
    let over = Arc::new((Mutex::new(false), Condvar::new()));
    let told = Arc::clone(&over);
    std::thread::Builder::new().name("watch".to_owned()).spawn(move || {
        let input = io::stdin();
        while signal::ended().is_none() {
            let mut doors =
                [PollFd::new(bell, PollFlags::POLLIN), PollFd::new(input.as_fd(), PollFlags::empty())];
            let _ = poll(&mut doors, PollTimeout::NONE);
            // The end of a terminal is told even though nothing is asked of it.
            if doors[1].any().unwrap_or(false) {
                signal::hang_up();
            }
        }
        give_up.store(true, Ordering::Release);
        if !is_over_within(&told, PATIENCE) {
            modes.restore();
            // SAFETY: ends the process without running anything of it.
            unsafe { libc::_exit(128 + signal::ended().unwrap_or(libc::SIGHUP)) }
        }
    })?;
    Ok(Watch { over })
}

fn is_over_within(over: &(Mutex<bool>, Condvar), patience: Duration) -> bool {
    let (flag, changed) = over;
    let guard = flag.lock().unwrap_or_else(PoisonError::into_inner);
    let waited = changed.wait_timeout_while(guard, patience, |over| !*over);
    *waited.unwrap_or_else(PoisonError::into_inner).0
}

impl Drop for Watch {
    fn drop(&mut self) {
        *self.over.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.over.1.notify_all();
    }
}
