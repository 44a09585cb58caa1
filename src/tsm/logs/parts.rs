//! The rotated parts of the logs of a process: making one by hand, and removing them.
//!
//! A supervisor may rotate at the same moment, and knows nothing of us. So the log is taken out of its way first, which keeps
//! it from making further parts, and every part has a second name while parts are moved: one that lost its first is given
//! another. At worst parts of a flooded log get out of order, but none is lost. The supervisor makes a log that was moved away
//! anew when it is told to; until then it goes on in the moved one.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::Stream;
use super::chain::part_path;
use crate::base::fault::Advise;
use crate::base::name::ProcessName;
use crate::supervise::client::{self, Order, SendError};
use crate::supervise::index;
use crate::sys::file;
use crate::sys::watch::Watch;
use crate::tsm::store::Process;

/// A stream whose log was rotated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotated {
    /// Which of the two.
    pub stream: Stream,
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
pub enum PartsError {
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
    /// The supervisor could not be told.
    #[error("the logs of `{name}` were moved, but its supervisor was not told")]
    Untold {
        /// Whose.
        name: ProcessName,
        /// Why.
        source: SendError,
    },
    /// The supervisor did not make new logs.
    #[error("the logs of `{name}` were moved, but its supervisor did not begin new ones within {} s", waited.as_secs())]
    Unheard {
        /// Whose.
        name: ProcessName,
        /// How long it had time.
        waited: Duration,
    },
    /// Others rotate all the time.
    #[error("the log `{}` is rotated too often to be rotated by hand", path.display())]
    Busy {
        /// The log.
        path: PathBuf,
    },
}

impl Advise for PartsError {
    fn advice(&self) -> Option<String> {
        match self {
            Self::Untold { name, .. } | Self::Unheard { name, .. } => Some(format!(
                "nothing is lost: `tsm logs {name}` shows all of it; `tsm restart {name}` begins new logs"
            )),
            Self::Move { source, .. } | Self::Remove { source, .. } => (source.kind()
                == io::ErrorKind::PermissionDenied)
                .then(|| "run as the user that owns the log".to_owned()),
            Self::Busy { .. } => None,
        }
    }
}

/// How long a supervisor may take to begin new logs.
const PATIENCE: Duration = Duration::from_secs(5);

/// How often it is tried again when somebody else rotates.
const TRIES: u32 = 20;

/// Makes what the logs of a process hold now a part of its own; empty logs stay. Waits until its supervisor has begun new ones.
///
/// # Errors
///
/// Fails if a part cannot be moved, or if the supervisor does not hear.
pub fn rotate(process: &Process) -> Result<Vec<Rotated>, PartsError> {
    let keep = process.meta.run.log_keep.max(1);
    let mut rotated = Vec::new();
    for (stream, log) in [(Stream::Out, process.out_log()), (Stream::Err, process.err_log())] {
        let bytes = fs::metadata(&log).map_or(0, |found| found.len());
        if bytes > 0
            && let Some(dropped) = shift_all(&log, keep)?
        {
            rotated.push(Rotated { stream, bytes, part: part_path(&log, 1), dropped });
        }
    }
    if !rotated.is_empty() && client::supervised(&process.dir) {
        begin_anew(process, &rotated)?;
    }
    Ok(rotated)
}

/// Makes a log the first of its parts; none if there was no log any more, else whether the oldest part was dropped.
fn shift_all(log: &Path, keep: u32) -> Result<Option<bool>, PartsError> {
    let failed = |source| PartsError::Move { path: log.to_owned(), source };
    let Some(mut aside) = Aside::take(log).map_err(failed)? else { return Ok(None) };
    let hole = |log| (1..=keep).find(|number| !part_path(log, *number).exists());
    let dropped = hole(log).is_none();
    if dropped {
        remove(&part_path(log, keep))?;
    }
    aside.name_all(log).map_err(failed)?;
    let mut moved = Ok(());
    for _ in 0..TRIES {
        moved = (1..hole(log).unwrap_or(keep)).rev().try_for_each(|number| shift(log, number));
        if moved.is_ok() {
            break;
        }
    }
    // Whatever happened, it gets a number, and the first one if that is free.
    aside.restore(log).map_err(failed)?;
    match moved {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::AlreadyExists) => {
            Err(PartsError::Busy { path: log.to_owned() })
        }
        moved => moved.map(|()| Some(dropped)).map_err(failed),
    }
}

/// A log, and other names of all its parts, in a folder of their own that goes away with them.
struct Aside {
    folder: tempfile::TempDir,
    /// The log first.
    names: Vec<PathBuf>,
}

impl Aside {
    /// Takes the log away; none if there is none.
    fn take(log: &Path) -> io::Result<Option<Self>> {
        let folder = tempfile::Builder::new().prefix(".parts-").tempdir_in(log.parent().unwrap_or(Path::new("/")))?;
        let name = folder.path().join("0");
        match fs::rename(log, &name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            taken => taken?,
        }
        // Without its index a log has no times, which is no reason to fail.
        let _ = fs::rename(index::path(log), index::path(&name));
        Ok(Some(Self { folder, names: vec![name] }))
    }

    /// Gives every part a second name.
    fn name_all(&mut self, log: &Path) -> io::Result<()> {
        let mut missing = 0;
        for number in 1.. {
            let (part, name) = (part_path(log, number), self.folder.path().join(number.to_string()));
            match fs::hard_link(&part, &name) {
                Ok(()) => {
                    let _ = fs::hard_link(index::path(&part), index::path(&name));
                    self.names.push(name);
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound && missing < 2 => missing += 1,
                Err(error) if error.kind() == io::ErrorKind::NotFound => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Gives the log, and every part that has no other name any more, the first free number.
    fn restore(self, log: &Path) -> io::Result<()> {
        for name in self.names.iter().filter(|name| fs::metadata(name).is_ok_and(|found| found.nlink() == 1)) {
            for number in 1.. {
                let part = part_path(log, number);
                match file::rename_new(name, &part) {
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                    Err(error) => return Err(error),
                    Ok(()) => {
                        let _ = fs::rename(index::path(name), index::path(&part));
                        break;
                    }
                }
            }
        }
        self.folder.close()
    }
}

/// Gives a part, and its index, the number above its own.
fn shift(log: &Path, number: u32) -> io::Result<()> {
    let (from, to) = (part_path(log, number), part_path(log, number + 1));
    file::rename_new(&from, &to)?;
    match fs::rename(index::path(&from), index::path(&to)) {
        // An index that stayed from an older part would describe another one.
        Err(error) if error.kind() == io::ErrorKind::NotFound => match fs::remove_file(index::path(&to)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        },
        moved => moved,
    }
}

fn begin_anew(process: &Process, rotated: &[Rotated]) -> Result<(), PartsError> {
    let watch = Watch::on([process.dir.as_path()]);
    let untold = |source| PartsError::Untold { name: process.name.clone(), source };
    client::send(&process.dir, Order::Reopen).map_err(untold)?;
    let deadline = Instant::now() + PATIENCE;
    let log = |stream| match stream {
        Stream::Out => process.out_log(),
        Stream::Err => process.err_log(),
    };
    while !rotated.iter().all(|it| log(it.stream).exists()) {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(PartsError::Unheard { name: process.name.clone(), waited: PATIENCE });
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
pub fn clean(process: &Process) -> Result<Cleaned, PartsError> {
    let mut cleaned = Cleaned::default();
    let entries =
        fs::read_dir(&process.dir).map_err(|source| PartsError::Remove { path: process.dir.clone(), source })?;
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
fn remove(part: &Path) -> Result<bool, PartsError> {
    let gone = |path: &Path| match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(source) => Err(PartsError::Remove { path: path.to_owned(), source }),
    };
    let removed = gone(part)?;
    gone(&index::path(part))?;
    Ok(removed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(log: &Path, number: u32, text: &str) {
        fs::write(part_path(log, number), text).expect("a part");
        fs::write(index::path(&part_path(log, number)), format!("{text} index")).expect("an index");
    }

    fn texts(log: &Path) -> Vec<String> {
        let text = |number| {
            let part = fs::read_to_string(part_path(log, number)).ok()?;
            assert_eq!(fs::read_to_string(index::path(&part_path(log, number))).ok(), Some(format!("{part} index")));
            Some(part)
        };
        (0..9).map(|number| text(number).unwrap_or_else(|| "-".to_owned())).collect()
    }

    #[test]
    fn parts_move_up_to_the_first_hole_and_the_oldest_goes_when_there_is_none() {
        let folder = tempfile::tempdir().expect("a folder");
        let log = folder.path().join("current.out");
        for (number, text) in [(0, "d"), (1, "c"), (3, "a")] {
            put(&log, number, text);
        }
        assert_eq!(shift_all(&log, 3).expect("moved"), Some(false));
        assert_eq!(texts(&log).concat(), "-dca-----");
        put(&log, 0, "e");
        assert_eq!(shift_all(&log, 3).expect("moved"), Some(true));
        assert_eq!(texts(&log).concat(), "-edc-----");
        assert_eq!(shift_all(&log, 3).expect("nothing to move"), None);
    }

    #[test]
    fn a_part_that_lost_its_name_gets_another() {
        let folder = tempfile::tempdir().expect("a folder");
        let log = folder.path().join("current.out");
        for (number, text) in [(0, "c"), (1, "b"), (2, "a")] {
            put(&log, number, text);
        }
        let mut aside = Aside::take(&log).expect("taken").expect("a log");
        aside.name_all(&log).expect("names");
        // Somebody else moves a part, and takes a name that was in use.
        fs::rename(index::path(&part_path(&log, 1)), index::path(&part_path(&log, 2))).expect("moved");
        fs::rename(part_path(&log, 1), part_path(&log, 2)).expect("moved");
        aside.restore(&log).expect("restored");
        assert_eq!(texts(&log).concat(), "-cba-----");
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 6, "no other name is left");
    }

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
