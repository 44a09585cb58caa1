//! The rotated parts of the logs of a process: making one by hand, and removing them.
//!
//! Where a supervisor runs, it rotates on command: it alone knows where the next byte goes, and never meets a
//! rotation of its own. Without one the files are renamed here.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::StreamKind;
use super::rotated_log::part_path;
use crate::base::fault::UserFacingError;
use crate::base::name::ProcessName;
use crate::disk;
use crate::supervise::client::{self, ControlCommand, SendError};
use crate::supervise::index;
use crate::supervise::rotation;
use crate::sys::dir_watch::DirWatcher;
use crate::tsm::store::Process;

/// A stream whose log was rotated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotated {
    /// Which of the two.
    pub stream: StreamKind,
    /// What was moved, in bytes.
    pub bytes: u64,
    /// Where it is now.
    pub part: PathBuf,
    /// The oldest part was removed to make room.
    pub dropped: bool,
}

/// What was removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cleaned {
    /// How many parts.
    pub parts: u64,
    /// Their bytes, without those of the indexes.
    pub bytes: u64,
}

/// The parts of a log could not be changed.
#[derive(Debug, thiserror::Error)]
pub enum RotateError {
    /// A part could not be moved.
    #[error("failed to move the log `{}`", path.display())]
    Move {
        /// The part.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A part could not be removed.
    #[error("failed to remove the log `{}`", path.display())]
    Remove {
        /// The part.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The supervisor could not be reached.
    #[error("failed to ask the supervisor of `{name}` to rotate its logs")]
    NotSent {
        /// Whose.
        name: ProcessName,
        /// Why.
        source: SendError,
    },
    /// The supervisor did not do it.
    #[error("the supervisor of `{name}` did not rotate its logs within {} s", waited.as_secs())]
    NotAcknowledged {
        /// Whose.
        name: ProcessName,
        /// How long it had time.
        waited: Duration,
    },
}

impl UserFacingError for RotateError {
    fn advice(&self) -> Option<String> {
        match self {
            Self::NotSent { .. } | Self::NotAcknowledged { .. } => Some(
                "no log lines are lost; if the supervisor is older than this version, `tsm upgrade` replaces it"
                    .to_owned(),
            ),
            Self::Move { source, .. } | Self::Remove { source, .. } => (source.kind()
                == io::ErrorKind::PermissionDenied)
                .then(|| "run as the user that owns the log".to_owned()),
        }
    }
}

/// How long a supervisor may take to begin new logs.
const ROTATE_TIMEOUT: Duration = Duration::from_secs(5);

/// Makes what the logs of a process hold now a part of its own; empty logs stay. Waits until its supervisor has done it.
///
/// # Errors
///
/// Fails if a log cannot be moved, or if the supervisor does not respond.
pub fn rotate(process: &Process) -> Result<Vec<Rotated>, RotateError> {
    let keep = process.meta.run.log_keep.max(1);
    let mut due = Vec::new();
    for (stream, path) in [(StreamKind::Out, process.out_log()), (StreamKind::Err, process.err_log())] {
        match disk::own_file().open(&path) {
            Ok(log) if size(&log) > 0 => due.push(PendingRotation { stream, dropped: is_full(&path, keep), log, path }),
            Err(source) if source.kind() != io::ErrorKind::NotFound => return Err(RotateError::Move { path, source }),
            Ok(_) | Err(_) => {}
        }
    }
    if due.is_empty() {
        return Ok(Vec::new());
    }
    if client::is_supervised(&process.dir) {
        order(process, &due)?;
    } else {
        for it in &due {
            rotation::rotate(&it.path, keep).map_err(|source| RotateError::Move { path: it.path.clone(), source })?;
        }
    }
    let rotated = |it: PendingRotation| Rotated {
        stream: it.stream,
        bytes: size(&it.log),
        part: part_path(&it.path, 1),
        dropped: it.dropped,
    };
    Ok(due.into_iter().map(rotated).collect())
}

/// A log that is to be rotated, held open: it is known again when it has another name.
struct PendingRotation {
    stream: StreamKind,
    path: PathBuf,
    log: fs::File,
    dropped: bool,
}

impl PendingRotation {
    /// True once another log has taken the place of this one.
    fn is_moved(&self) -> bool {
        let ino = |found: io::Result<fs::Metadata>| found.map(|found| found.ino()).ok();
        let now = ino(fs::metadata(&self.path));
        now.is_some() && now != ino(self.log.metadata())
    }
}

fn size(log: &fs::File) -> u64 {
    log.metadata().map_or(0, |found| found.len())
}

/// True when the oldest part has to go for the next one.
fn is_full(log: &Path, keep: u32) -> bool {
    (1..=keep).all(|number| part_path(log, number).exists())
}

/// Has the supervisor do it: only it can without meeting a rotation of its own.
fn order(process: &Process, due: &[PendingRotation]) -> Result<(), RotateError> {
    let watch = DirWatcher::on([process.dir.as_path()]);
    let untold = |source| RotateError::NotSent { name: process.name.clone(), source };
    client::send(&process.dir, ControlCommand::Rotate).map_err(untold)?;
    let deadline = Instant::now() + ROTATE_TIMEOUT;
    while !due.iter().all(PendingRotation::is_moved) {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(RotateError::NotAcknowledged { name: process.name.clone(), waited: ROTATE_TIMEOUT });
        }
        watch.wait(left.min(Duration::from_millis(100)));
    }
    Ok(())
}

/// Removes the rotated parts of both logs of a process. The logs themselves stay.
///
/// # Errors
///
/// Fails if a part cannot be removed.
pub fn clean(process: &Process) -> Result<Cleaned, RotateError> {
    let mut cleaned = Cleaned::default();
    let entries =
        fs::read_dir(&process.dir).map_err(|source| RotateError::Remove { path: process.dir.clone(), source })?;
    for path in entries.flatten().map(|entry| entry.path()) {
        if is_part(&path) {
            let bytes = fs::metadata(&path).map_or(0, |found| found.len());
            if remove(&path)? {
                cleaned.parts += 1;
                cleaned.bytes += bytes;
            }
        }
    }
    Ok(cleaned)
}

/// True for `current.out.3`, not for its index and not for `current.out`.
fn is_part(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let number = name.strip_prefix("current.out.").or_else(|| name.strip_prefix("current.err."));
    number.is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Removes a part and its index; false if it was gone already.
fn remove(part: &Path) -> Result<bool, RotateError> {
    let gone = |path: &Path| match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(source) => Err(RotateError::Remove { path: path.to_owned(), source }),
    };
    let removed = gone(part)?;
    gone(&index::path(part))?;
    Ok(removed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_parts_are_parts() {
        for (name, is) in [
            ("current.out.1", true),
            ("current.err.12", true),
            ("current.out", false),
            ("current.out.1.idx", false),
            ("current.out.idx", false),
            ("current.out.", false),
            ("api.pid", false),
        ] {
            assert_eq!(is_part(&Path::new("/x").join(name)), is, "{name}");
        }
    }
}
