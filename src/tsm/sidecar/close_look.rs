//! A wish to have a process checked more often for a while, as a deploy has: a file of the process directory that says until when.
//! It ends by itself, so that nothing is left of a deployer that is gone.

use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use crate::base::time::Timestamp;
use crate::disk;

/// The file's name inside a process directory.
const FILE: &str = "close-look";

/// How long a wish holds.
const LEASE: Duration = Duration::from_secs(6);

/// When a wish is to be renewed.
pub const RENEWAL: Duration = Duration::from_secs(2);

/// Between two checks while it holds.
pub const INTERVAL: Duration = Duration::from_secs(1);

/// Has the sidecar of the process in `dir` check it every second for some seconds from `now`; asked again, for longer.
///
/// # Errors
///
/// Fails if the file cannot be written.
pub fn ask(dir: &Path, now: Timestamp) -> io::Result<()> {
    let until = now.after(LEASE).0;
    let fresh = dir.join(".close-look.new");
    disk::own_file().create(0o600).truncate().open(&fresh)?.write_all(until.to_string().as_bytes())?;
    // What is renamed into the directory wakes the sidecar.
    fs::rename(&fresh, dir.join(FILE))
}

/// Whether it is wished now. A moment further away than a wish may hold is from a clock that was set back.
pub(super) fn is_asked(dir: &Path, now: Timestamp) -> bool {
    let text = disk::read_own(dir.join(FILE)).unwrap_or_default();
    let until: Option<u64> = std::str::from_utf8(&text).ok().and_then(|text| text.parse().ok());
    until.is_some_and(|until| (now.0..=now.after(LEASE).0).contains(&until))
}
