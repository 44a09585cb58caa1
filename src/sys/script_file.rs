//! Scripts, which may be named pipes: opening one waits for a writer, and Ctrl-C ends that.

use std::fs::OpenOptions;
use std::io::{self, ErrorKind, Read};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::signal;

/// The most that is read at once.
const CHUNK: usize = 64 << 10;

/// Everything in a file, to its end.
///
/// # Errors
///
/// Fails if it cannot be read, and with [`ErrorKind::Interrupted`] if a signal comes first.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
    let (mut whole, mut chunk) = (Vec::new(), vec![0; CHUNK]);
    while signal::wait_readable(file.as_fd()) {
        match file.read(&mut chunk) {
            Ok(0) => return Ok(whole),
            Ok(count) => whole.extend_from_slice(&chunk[..count]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Err(error) => return Err(error),
        }
    }
    Err(ErrorKind::Interrupted.into())
}
