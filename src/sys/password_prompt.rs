//! What is typed without being shown, and what comes on the standard input.

use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal, Read};
use std::os::fd::AsFd;

use nix::poll::PollTimeout;
use nix::sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};

use super::foreground;
use super::sigcont::{TerminalRestore, TerminalRestoreGuard};

/// True if input can be typed.
#[must_use]
pub fn stdin_is_terminal() -> bool {
    io::stdin().is_terminal()
}

/// While it lives the terminal does not show what is typed.
pub struct EchoOff {
    /// First, so that what is needed ends before the terminal is closed.
    _restore_guard: TerminalRestoreGuard,
    terminal: File,
    before: Termios,
}

impl EchoOff {
    /// From now on nothing that is typed is shown; what was typed before is dropped. After a stop `question` is shown again.
    ///
    /// # Errors
    ///
    /// Fails if there is no terminal.
    pub fn disable(question: &str) -> io::Result<Self> {
        let terminal = OpenOptions::new().read(true).write(true).open("/dev/tty")?;
        foreground::wait_for_terminal(terminal.as_fd());
        let before = tcgetattr(&terminal)?;
        let mut silent = before.clone();
        silent.local_flags.remove(LocalFlags::ECHO);
        silent.local_flags.insert(LocalFlags::ECHONL | LocalFlags::ICANON);
        // Only what was set can be had as the system has it.
        tcsetattr(&terminal, SetArg::TCSAFLUSH, &silent)?;
        let needed = TerminalRestore::asking(terminal.as_fd(), silent, format!("{question}\n")).install()?;
        Ok(Self { _restore_guard: needed, terminal, before })
    }

    /// The next line that is typed, without its end. At most one byte more than `limit` is taken.
    ///
    /// # Errors
    ///
    /// Fails if the terminal is gone, and with [`io::ErrorKind::Interrupted`] when the operator presses Ctrl-C.
    pub fn read_line(&self, limit: usize) -> io::Result<Vec<u8>> {
        let mut typed = Vec::new();
        let mut byte = [0];
        while typed.len() <= limit {
            let count = foreground::read(self.terminal.as_fd(), &mut byte, PollTimeout::NONE)?;
            if count == 0 || byte[0] == b'\n' {
                break;
            }
            typed.push(byte[0]);
        }
        Ok(typed)
    }
}

/// Everything on the standard input, to its end; at most one byte more than `limit`.
///
/// # Errors
///
/// Fails if it cannot be read.
pub fn read_stdin(limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    io::stdin().take(limit + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

impl Drop for EchoOff {
    fn drop(&mut self) {
        // A terminal that is gone shows nothing.
        let _ = tcsetattr(&self.terminal, SetArg::TCSAFLUSH, &self.before);
    }
}
