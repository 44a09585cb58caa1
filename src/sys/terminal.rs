//! The terminal: its size, and what is typed there.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::termios::{
    FlushArg, LocalFlags, SetArg, SpecialCharacterIndices, Termios, tcflush, tcgetattr, tcsetattr,
};

use super::foreground;
use super::key_input::KeyInput;

/// How long a read waits at most, in milliseconds.
const PULSE: u8 = 100;

/// How long nothing must have been typed before a question is asked, in milliseconds. The parts of a paste are closer together, also on a
/// slow line; who answers waits for the question, also if it is a program.
const QUIET: u8 = 100;

/// What comes without such a pause is dropped for so long.
const MAX_DROPPING: Duration = Duration::from_secs(10);

/// A line that is followed by another one within this time is a part of a paste, in milliseconds.
const FOLLOWS: u8 = 30;

/// What is typed from now on at the terminal of this program, wherever its input comes from: what was pasted behind a command
/// must not answer what that command asks, so what still comes is dropped. Reading it ends with [`io::ErrorKind::Interrupted`] when the
/// operator presses Ctrl-C or the program is asked to end, also if that was before; with [`io::ErrorKind::WouldBlock`] from time to time
/// while nothing is typed; and with [`io::ErrorKind::InvalidData`] at the end of a line that more lines follow at once.
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
    drop_until_quiet(terminal.as_fd())?;
    Ok(Box::new(TtyReader(terminal)))
}

/// Drops what was typed, and what is typed until there is a pause. Nothing of it is shown.
fn drop_until_quiet(terminal: BorrowedFd) -> io::Result<()> {
    let before = tcgetattr(terminal)?;
    let mut by_byte = before.clone();
    // Also what ends no line yet has to be seen.
    by_byte.local_flags.remove(LocalFlags::ECHO | LocalFlags::ICANON);
    by_byte.control_chars[SpecialCharacterIndices::VMIN as usize] = 1;
    by_byte.control_chars[SpecialCharacterIndices::VTIME as usize] = 0;
    set_and_drop(terminal, &by_byte)?;
    let until = Instant::now() + MAX_DROPPING;
    let mut dropped = [0; 1024];
    while Instant::now() < until && foreground::read(terminal, &mut dropped, QUIET.into()).is_ok_and(|count| count > 0)
    {
    }
    foreground::wait_for_terminal(terminal);
    set_and_drop(terminal, &before)
}

fn set_and_drop(terminal: BorrowedFd, modes: &Termios) -> io::Result<()> {
    foreground::unstopped(|| {
        tcsetattr(terminal, SetArg::TCSANOW, modes)?;
        Ok(tcflush(terminal, FlushArg::TCIFLUSH)?)
    })
}

/// True if something can be typed at a terminal of this program.
#[must_use]
pub fn has_input() -> bool {
    File::open("/dev/tty").is_ok()
}

struct TtyReader(File);

impl Read for TtyReader {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let count = foreground::read(self.0.as_fd(), bytes, PULSE.into())?;
        if bytes[..count].ends_with(b"\n") && self.is_followed() {
            return Err(io::ErrorKind::InvalidData.into());
        }
        Ok(count)
    }
}

impl TtyReader {
    /// More was typed than was read, or is within a moment.
    fn is_followed(&self) -> bool {
        let mut fds = [PollFd::new(self.0.as_fd(), PollFlags::POLLIN)];
        let _ = poll(&mut fds, FOLLOWS);
        fds[0].revents().is_some_and(|is| is.contains(PollFlags::POLLIN) && !is.contains(PollFlags::POLLHUP))
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
