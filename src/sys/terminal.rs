//! The terminal: its size, and what is typed there.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;

use nix::sys::termios::{FlushArg, tcflush};

use super::foreground;
use super::key_input::KeyInput;

/// How long a read waits at most, in milliseconds.
const PULSE: u8 = 100;

/// What is typed from now on at the terminal of this program, wherever its input comes from: what was pasted behind a command
/// must not answer what that command asks. Reading it ends with [`io::ErrorKind::Interrupted`] when the operator presses Ctrl-C or
/// the program is asked to end, also if that was before, and with [`io::ErrorKind::WouldBlock`] from time to time while nothing is
/// typed.
///
/// # Errors
///
/// Fails if there is no terminal.
pub fn open_input() -> io::Result<Box<dyn Read>> {
    let terminal = File::open("/dev/tty")?;
    foreground::wait_for_terminal(terminal.as_fd());
    if let Some(keys) = KeyInput::of_session() {
        keys.drop_behind();
    }
    tcflush(&terminal, FlushArg::TCIFLUSH)?;
    Ok(Box::new(TtyReader(terminal)))
}

/// True if something can be typed at a terminal of this program.
#[must_use]
pub fn has_input() -> bool {
    File::open("/dev/tty").is_ok()
}

struct TtyReader(File);

impl Read for TtyReader {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        foreground::read(self.0.as_fd(), bytes, PULSE.into())
    }
}

/// The width of the terminal that is the standard output or, failing that, the standard error; none without one.
#[must_use]
pub fn width() -> Option<usize> {
    size().map(|(columns, _)| columns)
}

/// Its height, in rows.
#[must_use]
pub fn height() -> Option<usize> {
    size().map(|(_, rows)| rows).filter(|rows| *rows > 0)
}

fn size() -> Option<(usize, usize)> {
    [libc::STDOUT_FILENO, libc::STDERR_FILENO].into_iter().find_map(size_of)
}

/// Columns and rows.
fn size_of(descriptor: libc::c_int) -> Option<(usize, usize)> {
    let mut size = libc::winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: the request writes a `winsize` to the pointer it is given, which points to one.
    let answer = unsafe { libc::ioctl(descriptor, libc::TIOCGWINSZ, &raw mut size) };
    (answer == 0 && size.ws_col > 0).then_some((usize::from(size.ws_col), usize::from(size.ws_row)))
}
