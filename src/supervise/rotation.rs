//! A log, its time index, and the older ones of both: `current.out`, `current.out.1`, … each with `.idx`.
//!
//! Rotation moves names only. It may be cut off between any two renames: a hole in the numbers, or an index without its log,
//! shows the next supervisor where to continue.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::disk::{self, FileAccessError};

use super::index;

/// The highest number of an older log that is looked at.
pub const MAX_PARTS: u32 = 1000;

/// Opens a log for copying: not for appending, which `splice` refuses.
pub(super) fn open_log(log: &Path) -> io::Result<File> {
    open(log, disk::own_file().create(0o600).read_write())
}

/// Opens the index of a log for appending; a new one begins with the position of its log.
pub(super) fn open_index(log: &Path, position: u64) -> io::Result<File> {
    let mut file = open(&index::path(log), disk::own_file().append(0o600).read_write())?;
    if let (0, Some(first)) = (file.metadata()?.len(), index::position_entry(position)) {
        file.write_all(&first.encode())?;
    }
    Ok(file)
}

/// What is in the place of a log and is not a regular file, is removed: the output has to go somewhere.
fn open(path: &Path, options: disk::Options) -> io::Result<File> {
    match options.open(path) {
        Err(error)
            if matches!(disk::access_error(&error), Some(FileAccessError::Symlink | FileAccessError::NotRegular)) =>
        {
            fs::remove_file(path)?;
            options.open(path)
        }
        opened => opened,
    }
}

/// The name of the `n`th older log; the 0th is the log itself.
fn part_path(log: &Path, n: u32) -> PathBuf {
    match n {
        0 => log.to_owned(),
        n => {
            let mut path = log.as_os_str().to_owned();
            path.push(format!(".{n}"));
            path.into()
        }
    }
}

/// How many bytes the stream of a log had before its `n`th older one, as far back as its logs tell.
///
/// # Errors
///
/// Fails if a log is there and cannot be read.
pub fn position(log: &Path, n: u32) -> io::Result<u64> {
    let mut between = 0;
    for n in n..=MAX_PARTS {
        match disk::own_file().open(index::path(&part_path(log, n))).and_then(|index| index::position(&index)) {
            Ok(Some(before)) => return Ok(before + between),
            Ok(None) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        match fs::metadata(part_path(log, n + 1)) {
            Ok(found) => between += found.len(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => break,
            Err(error) => return Err(error),
        }
    }
    Ok(between)
}

/// Makes `log` the first of its older ones, of which `keep` stay. Afterwards there is no `log`. For the supervisor, and for
/// others only where there is no supervisor.
///
/// # Errors
///
/// Fails if a name cannot be moved; what was moved until then is found again by the next rotation.
pub fn rotate(log: &Path, keep: u32) -> io::Result<()> {
    if keep == 0 {
        remove(&index::path(log))?;
        return remove(log);
    }
    // Everything up to the first hole moves up by one; without a hole the last one is overwritten.
    let hole = (1..keep).find(|n| !part_path(log, *n).exists()).unwrap_or(keep);
    for n in (0..hole).rev() {
        shift_part(log, n)?;
    }
    Ok(())
}

/// Moves the names that a cut-off rotation left apart together again.
pub(super) fn finish_interrupted_rotation(log: &Path, keep: u32) -> io::Result<()> {
    for n in 0..keep {
        let (low, high) = (part_path(log, n), part_path(log, n + 1));
        let (low_index, high_index) = (index::path(&low), index::path(&high));
        if !low.exists() && low_index.exists() && high.exists() && !high_index.exists() {
            fs::rename(low_index, high_index)?;
        }
    }
    Ok(())
}

fn shift_part(log: &Path, n: u32) -> io::Result<()> {
    let (from, to) = (part_path(log, n), part_path(log, n + 1));
    // An index that stayed would describe another log. The log goes first too: a rename over a file makes ext4 write out the one
    // that takes its place, at once; without it a part that is removed again soon never reaches the disk.
    remove(&index::path(&to))?;
    remove(&to)?;
    fs::rename(&from, &to)?;
    match fs::rename(index::path(&from), index::path(&to)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(log: &Path, n: u32, text: &str) {
        fs::write(part_path(log, n), text).expect("a log");
        fs::write(index::path(&part_path(log, n)), format!("{text} index")).expect("an index");
    }

    fn texts(log: &Path) -> Vec<String> {
        (1..5).filter_map(|n| fs::read_to_string(part_path(log, n)).ok()).collect()
    }

    #[test]
    fn keeps_as_many_as_asked_with_their_indices() {
        let dir = tempfile::tempdir().expect("a directory");
        let log = dir.path().join("current.out");
        for round in 0..5 {
            put(&log, 0, &format!("{round}"));
            rotate(&log, 3).expect("rotated");
        }
        assert_eq!(texts(&log), ["4", "3", "2"]);
        assert_eq!(fs::read_to_string(index::path(&part_path(&log, 2))).expect("an index"), "3 index");
        put(&log, 0, "last");
        rotate(&log, 0).expect("rotated");
        assert!(!log.exists() && !index::path(&log).exists());
    }

    #[test]
    fn a_rotation_that_was_cut_off_loses_nothing_more() {
        let dir = tempfile::tempdir().expect("a directory");
        let log = dir.path().join("current.out");
        for (n, text) in [(0, "c"), (1, "b"), (2, "a")] {
            put(&log, n, text);
        }
        // Cut off after the first rename: number 2 has moved, its index has not.
        fs::rename(part_path(&log, 2), part_path(&log, 3)).expect("renamed");
        finish_interrupted_rotation(&log, 3).expect("mended");
        rotate(&log, 3).expect("rotated");
        assert_eq!(texts(&log), ["c", "b", "a"]);
        for (n, text) in [(1, "c index"), (2, "b index"), (3, "a index")] {
            assert_eq!(fs::read_to_string(index::path(&part_path(&log, n))).expect("an index"), text);
        }
    }
}
