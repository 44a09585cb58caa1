//! `/proc/PID/stat`, which is read more often than any other file.

use std::fs::File;
use std::io::{self, Read};

/// The text of `/proc/PID/stat`. The kernel gives all of it to one read of this size: 52 numbers, and a name of at most 64 bytes.
/// (What reads a file whose size is unknown begins with 32 bytes, and makes ten calls of it.)
///
/// # Errors
///
/// Fails if there is no such process, or if it cannot be looked at.
pub fn proc_stat(pid: u32) -> io::Result<Vec<u8>> {
    let mut text = vec![0; 2048];
    let length = File::open(format!("/proc/{pid}/stat"))?.read(&mut text)?;
    text.truncate(length);
    Ok(text)
}
