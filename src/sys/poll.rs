//! Waiting for several descriptors at once.

use std::os::fd::BorrowedFd;
use std::time::Duration;

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
