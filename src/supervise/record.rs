//! Reading and replacing `meta.json`.

use std::fmt;
use std::fs;
use std::io::{self, Read, Write};
use std::os::fd::BorrowedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, RenameFlags, openat, renameat_with};
use serde::de::DeserializeOwned;

use super::meta::{Meta, Outline, path};

/// Why `meta.json` could not be used.
#[derive(Debug)]
pub enum ReadError {
    /// It is there and could not be read.
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is empty or holds something else; it may be rebuilt.
    Garbage {
        /// The file.
        path: PathBuf,
        /// What the parser met.
        source: serde_json::Error,
    },
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { path, .. } => write!(f, "failed to read `{}`", path.display()),
            Self::Garbage { path, .. } => write!(f, "`{}` does not hold a process record", path.display()),
        }
    }
}

impl std::error::Error for ReadError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unreadable { source, .. } => Some(source),
            Self::Garbage { source, .. } => Some(source),
        }
    }
}

/// Reads `meta.json` of the process in `dir`; `None` when there is no such file.
///
/// # Errors
///
/// Fails when the file cannot be read, or holds no record (the caller may then rebuild it).
pub fn read(dir: &Path) -> Result<Option<Meta>, ReadError> {
    read_as(CWD, dir)
}

/// The same for a `dir` relative to an open folder: of many processes in one folder the way to it is gone once.
///
/// # Errors
///
/// As [`read`].
pub fn read_in(folder: BorrowedFd, dir: &Path) -> Result<Option<Meta>, ReadError> {
    read_as(folder, dir)
}

/// Reads no more of `meta.json` than its [`Outline`], which is much less work; `None` when there is no such file. `dir` may be
/// relative to the folder.
///
/// # Errors
///
/// As [`read`]. A record that is damaged only beyond its outline is not noticed.
pub fn outline(folder: BorrowedFd, dir: &Path) -> Result<Option<Outline>, ReadError> {
    read_as(folder, dir)
}

fn read_as<T: DeserializeOwned>(folder: BorrowedFd, dir: &Path) -> Result<Option<T>, ReadError> {
    let path = path(dir);
    let mut looks = 0;
    loop {
        let bytes = match bytes_of(folder, &path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(ReadError::Unreadable { path, source }),
        };
        looks += 1;
        match serde_json::from_slice(&bytes) {
            Ok(read) => return Ok(Some(read)),
            // Of a record that was replaced twice while it was read, half may be another one.
            Err(_) if looks < LOOKS => {}
            Err(source) => return Err(ReadError::Garbage { path, source }),
        }
    }
}

/// A record makes no sense if it does not after so many looks.
const LOOKS: u32 = 3;

/// Records are hardly ever longer.
const USUAL: usize = 4096;

/// The whole file. A list of a thousand processes asks the kernel for nothing that it can do
/// without: neither for the length, nor again after a part that was shorter than asked for, which is the last one.
fn bytes_of(folder: BorrowedFd, path: &Path) -> io::Result<Vec<u8>> {
    let mut file = fs::File::from(openat(folder, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?);
    let mut bytes = vec![0; USUAL];
    let mut length = 0;
    loop {
        match file.read(&mut bytes[length..]) {
            Ok(count) => length += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        }
        if length < bytes.len() {
            bytes.truncate(length);
            return Ok(bytes);
        }
        bytes.resize(bytes.len() * 2, 0);
    }
}

/// Replaces `meta.json` of the process in `dir` in one step (mode 0600, no sync). The record before it is kept beside it.
///
/// Only `tsm start` before there is a supervisor, and then the supervisor, may call this.
///
/// # Errors
///
/// Fails when the temporary file beside it cannot be written or renamed; the old file then stays.
pub fn write(dir: &Path, meta: &Meta) -> io::Result<()> {
    let mut bytes = serde_json::to_vec_pretty(meta)?;
    bytes.push(b'\n');
    let fresh = beside(dir);
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
    file.write_all(&bytes)?;
    // There may be no record to change places with, and not every file system can.
    renameat_with(CWD, &fresh, CWD, path(dir), RenameFlags::EXCHANGE).or_else(|_| fs::rename(&fresh, path(dir)))
}

/// Where the next record is written, and where the last one is until then.
fn beside(dir: &Path) -> PathBuf {
    dir.join(".meta.json.new")
}

/// The record before the present one, for when that is lost; `None` when it is lost too. What it says about the life that
/// goes on is a step old; what to run is not.
#[must_use]
pub fn earlier(dir: &Path) -> Option<Meta> {
    serde_json::from_slice(&fs::read(beside(dir)).ok()?).ok()
}

/// Puts the record before the present one, which is lost, in its place. Only for whom [`write()`] is for.
pub(super) fn restore(dir: &Path) -> Option<Meta> {
    let meta = earlier(dir)?;
    fs::rename(beside(dir), path(dir)).ok()?;
    Some(meta)
}

/// Removes the record of the process in `dir`, as if none had ever been written.
///
/// # Errors
///
/// Fails when a file is there and cannot be removed.
pub fn remove(dir: &Path) -> io::Result<()> {
    for file in [beside(dir), path(dir)] {
        match fs::remove_file(file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PUBLISHED: &str = r#"{"tsm_id": "3", "name": "api-3000", "pid": 4242.0, "command": "node api.js", "port": "3000",
        "cwd": "/srv/api", "interpreter": "/usr/bin/node", "process_type": "node", "env_file": "", "prehook": "",
        "start_time": 1700000000, "status": "online", "restarts": 1, "unstable_restarts": 0, "extra": {"kept": true}}"#;

    #[test]
    fn reads_the_published_fields_leniently_and_writes_them_strictly() {
        let dir = tempfile::tempdir().expect("a directory");
        fs::write(path(dir.path()), PUBLISHED).expect("a record");
        let meta = read(dir.path()).expect("readable").expect("there");
        assert_eq!((meta.tsm_id, meta.pid, meta.port, meta.run.max_restarts), (3, 4242, Some(3000), 15));

        write(dir.path(), &meta).expect("written");
        let text = fs::read_to_string(path(dir.path())).expect("text");
        let fields: serde_json::Value = serde_json::from_str(&text).expect("json");
        assert_eq!((&fields["port"], &fields["tsm_id"]), (&3000.into(), &3.into()));
        assert_eq!(fields["extra"]["kept"], true);
        assert_eq!(read(dir.path()).expect("readable"), Some(meta));
    }

    #[test]
    fn an_outline_is_a_part_of_the_record_however_long_that_is() {
        let dir = tempfile::tempdir().expect("a directory");
        assert!(matches!(outline(CWD, dir.path()), Ok(None)));
        for length in [10, USUAL - 350, USUAL, 5 * USUAL] {
            let long = PUBLISHED.replace("node api.js", &"x".repeat(length));
            fs::write(path(dir.path()), &long).expect("a record");
            let meta = read(dir.path()).expect("readable").expect("there");
            assert_eq!(meta.command.len(), length);
            assert_eq!(
                outline(CWD, dir.path()).expect("readable"),
                Some(Outline { tsm_id: meta.tsm_id, port: meta.port })
            );
        }
    }

    #[test]
    fn a_lost_record_is_replaced_by_the_one_before_it() {
        let dir = tempfile::tempdir().expect("a directory");
        let dir = dir.path();
        fs::write(path(dir), PUBLISHED).expect("a record");
        let first = read(dir).expect("readable").expect("there");
        let second = Meta { restarts: 7, ..first.clone() };
        write(dir, &second).expect("written");
        assert_eq!((read(dir).expect("readable"), earlier(dir)), (Some(second), Some(first.clone())));

        fs::write(path(dir), "garbage").expect("damaged");
        assert_eq!(restore(dir), Some(first.clone()));
        assert_eq!((read(dir).expect("readable"), earlier(dir)), (Some(first), None));
        fs::write(path(dir), "garbage").expect("damaged");
        assert_eq!(restore(dir), None);
        remove(dir).expect("removed");
        remove(dir).expect("nothing to remove");
        assert!(fs::read_dir(dir).expect("listed").next().is_none());
    }

    #[test]
    fn nothing_and_garbage_are_told_apart() {
        let dir = tempfile::tempdir().expect("a directory");
        assert!(matches!(read(dir.path()), Ok(None)));
        for garbage in ["", "{", "[]", "\0\0"] {
            fs::write(path(dir.path()), garbage).expect("garbage");
            assert!(matches!(read(dir.path()), Err(ReadError::Garbage { .. })), "{garbage:?}");
        }
    }
}
