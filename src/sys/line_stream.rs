//! Lines of a program that goes on and on, until it ends or the operator has seen enough: Ctrl-C, or no reader of the output any more.

use std::io::{self, BufRead, BufReader, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use super::{poll, signal};

/// The longest line that is taken as one.
const MAX_LINE: u64 = 1 << 20;

/// A wait without an event is begun anew after so long.
const MAX_WAIT: Duration = Duration::from_secs(3600);

/// A running program and its lines. It is ended when this is dropped.
pub struct LineStream {
    child: Child,
    lines: BufReader<InterruptibleRead>,
}

struct InterruptibleRead(ChildStdout);

impl Read for InterruptibleRead {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if is_next(self.0.as_fd()) { self.0.read(into) } else { Ok(0) }
    }
}

/// Waits until something can be read; false once the operator has seen enough.
fn is_next(lines: BorrowedFd) -> bool {
    let mut waited = vec![lines];
    waited.extend(signal::stop_fds());
    waited.extend(poll::stdout_with_reader());
    loop {
        let is_ready = poll::wait_any(&waited, MAX_WAIT);
        if is_enough() {
            return false;
        }
        if is_ready[0] {
            return true;
        }
    }
}

/// The operator has seen enough.
#[must_use]
pub fn is_enough() -> bool {
    signal::interrupted() || poll::stdout_reader_is_gone()
}

impl LineStream {
    /// Starts a program.
    ///
    /// # Errors
    ///
    /// Fails if there is none.
    pub fn start(program: &str, arguments: &[String]) -> io::Result<Self> {
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let lines = child.stdout.take().ok_or_else(|| io::Error::other("the program has no output"))?;
        Ok(Self { child, lines: BufReader::new(InterruptibleRead(lines)) })
    }
}

impl Iterator for LineStream {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        let mut line = Vec::new();
        let count = (&mut self.lines).take(MAX_LINE).read_until(b'\n', &mut line).ok()?;
        (count != 0).then(|| String::from_utf8_lossy(&line).trim_end_matches('\n').to_owned())
    }
}

impl Drop for LineStream {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
