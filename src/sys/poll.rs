//! Waiting for several descriptors at once.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// Waits until one of `fds` can be read or has ended, at most for `limit`; for each whether it is so. A signal may end the wait
/// early, with nothing to read.
#[must_use]
pub fn wait_any(fds: &[BorrowedFd], limit: Duration) -> Vec<bool> {
    let mut polled: Vec<PollFd> = fds.iter().map(|fd| PollFd::new(*fd, PollFlags::POLLIN)).collect();
    // Rounded up, so that it does not spin in the last millisecond.
    let millis = i32::try_from(limit.as_micros().div_ceil(1000)).unwrap_or(i32::MAX);
    match poll(&mut polled, PollTimeout::try_from(millis).unwrap_or(PollTimeout::MAX)) {
        Ok(_) => polled.iter().map(|fd| fd.any().unwrap_or(false)).collect(),
        Err(_) => vec![false; fds.len()],
    }
}

/// The standard output where its reader can go away: a pipe, or a socket. For [`wait_any`] it is readable once that is so.
#[must_use]
pub fn stdout_with_reader() -> Option<BorrowedFd<'static>> {
    static STDOUT: LazyLock<io::Stdout> = LazyLock::new(io::stdout);
    let kind = nix::sys::stat::fstat(STDOUT.as_fd()).ok()?.st_mode & libc::S_IFMT;
    [libc::S_IFIFO, libc::S_IFSOCK].contains(&kind).then(|| STDOUT.as_fd())
}

/// The reader of the standard output is gone: what is written is not read any more.
#[must_use]
pub fn stdout_reader_is_gone() -> bool {
    let Some(stdout) = stdout_with_reader() else { return false };
    let mut polled = [PollFd::new(stdout, PollFlags::empty())];
    let gone = PollFlags::POLLERR | PollFlags::POLLHUP;
    poll(&mut polled, PollTimeout::ZERO).is_ok() && polled[0].revents().is_some_and(|found| found.intersects(gone))
}

/// The standard input, until a moment.
#[derive(Debug, Clone, Copy)]
pub struct StdinUntil(pub Instant);

impl Read for StdinUntil {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let stdin = io::stdin();
        loop {
            let left = self.0.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            if wait_any(&[stdin.as_fd()], left) == [true] {
                return Ok(nix::unistd::read(&stdin, into)?);
            }
        }
    }
}

/// The standard output, until a moment: a reader that no longer reads does not hold the writer.
#[derive(Debug, Clone, Copy)]
pub struct StdoutUntil(pub Instant);

impl Write for StdoutUntil {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let stdout = io::stdout();
        let left = self.0.saturating_duration_since(Instant::now());
        let millis = i32::try_from(left.as_micros().div_ceil(1000)).unwrap_or(i32::MAX);
        let mut polled = [PollFd::new(stdout.as_fd(), PollFlags::POLLOUT)];
        match poll(&mut polled, PollTimeout::try_from(millis).unwrap_or(PollTimeout::MAX)) {
            Ok(0) => Err(io::ErrorKind::TimedOut.into()),
            // Not more than a pipe takes at once, so that the write itself does not wait.
            Ok(_) => Ok(nix::unistd::write(&stdout, &bytes[..bytes.len().min(PIPE_BUF)])?),
            Err(error) => Err(error.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What a pipe that can be written to takes without a wait, in bytes.
const PIPE_BUF: usize = 4096;
