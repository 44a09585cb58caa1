//! Reading and replacing `meta.json`.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{CWD, RenameFlags, renameat_with};
use serde::de::DeserializeOwned;

use crate::disk;
use crate::supervise::clock::{MonotonicTime, sleep};

use super::{Meta, MetaSummary, path};

/// Why `meta.json` could not be used.
#[derive(Debug)]
pub enum MetaReadError {
    /// It is there and could not be read.
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is empty or holds something else; it may be rebuilt.
    Invalid {
        /// The file.
        path: PathBuf,
        /// What the parser met.
        source: serde_json::Error,
    },
}

impl fmt::Display for MetaReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { path, .. } => write!(f, "failed to read `{}`", path.display()),
            Self::Invalid { path, .. } => write!(f, "`{}` is not a process record", path.display()),
        }
    }
}

impl std::error::Error for MetaReadError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unreadable { source, .. } => Some(source),
            Self::Invalid { source, .. } => Some(source),
        }
    }
}

/// Reads `meta.json` of the process in `dir`; `None` when there is no such file.
///
/// # Errors
///
/// Fails when the file cannot be read, or holds no record (the caller may then rebuild it).
pub fn read(dir: &Path) -> Result<Option<Meta>, MetaReadError> {
    parse(CWD, dir)
}

/// The same for a `dir` relative to an open directory: of many processes in one directory the way to it is gone once.
///
/// # Errors
///
/// As [`read`].
pub fn read_in(dirfd: BorrowedFd, dir: &Path) -> Result<Option<Meta>, MetaReadError> {
    parse(dirfd, dir)
}

/// Reads no more of `meta.json` than its [`MetaSummary`], which is much less work; `None` when there is no such file. `dir` may be
/// relative to the directory.
///
/// # Errors
///
/// As [`read`]. A record that is damaged only beyond its outline is not noticed.
pub fn read_summary(dirfd: BorrowedFd, dir: &Path) -> Result<Option<MetaSummary>, MetaReadError> {
    parse(dirfd, dir)
}

fn parse<T: DeserializeOwned>(dirfd: BorrowedFd, dir: &Path) -> Result<Option<T>, MetaReadError> {
    let path = path(dir);
    let bytes = match bytes_of(dirfd, &path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(MetaReadError::Unreadable { path, source }),
    };
    match serde_json::from_slice(&bytes) {
        Ok(read) => Ok(Some(read)),
        Err(source) => Err(MetaReadError::Invalid { path, source }),
    }
}

/// Records are hardly ever longer.
const INITIAL_BUFFER: usize = 4096;

/// The whole file. A list of a thousand processes asks the kernel for nothing that it can do
/// without: neither for the length, nor again after a part that was shorter than asked for, which is the last one.
fn bytes_of(dirfd: BorrowedFd, path: &Path) -> io::Result<Vec<u8>> {
    let mut file = disk::own_file().any_kind().open_at(dirfd, path)?;
    let mut bytes = vec![0; INITIAL_BUFFER];
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

/// Replaces `meta.json` of the process in `dir` in one step (mode 0600, no sync).
///
/// The record before it is kept beside it, and the next one is written over that: so there is room for a record also on a full
/// disk, and no file is made or removed each time. Only `tsm start` before there is a supervisor, and then the supervisor, may
/// call this.
///
/// # Errors
///
/// Fails when the file beside it cannot be written or renamed; `meta.json` then stays as it was.
pub fn write(dir: &Path, meta: &Meta) -> io::Result<()> {
    let mut bytes = serde_json::to_vec_pretty(meta)?;
    bytes.push(b'\n');
    let (spare, record) = (backup_path(dir), path(dir));
    if !overwrite(&spare, &bytes)? && !make_anew(dir, &spare, &bytes)? {
        overwrite_when_closed(&spare, &bytes)?;
    }
    // There may be no record to change places with, and not every file system can.
    renameat_with(CWD, &spare, CWD, &record, RenameFlags::EXCHANGE).or_else(|_| fs::rename(&spare, &record))
}

/// Makes the file beside the record anew; false if the disk is full. The room of the one that is there is not given up before.
fn make_anew(dir: &Path, spare: &Path, bytes: &[u8]) -> io::Result<bool> {
    let next = dir.join(".meta.json.next");
    remove_if_exists(&next)?;
    let made = disk::own_file().create_new(0o600).open(&next).and_then(|mut file| file.write_all(bytes));
    match made.and_then(|()| fs::rename(&next, spare)) {
        Ok(()) => Ok(true),
        Err(error) => {
            remove_if_exists(&next)?;
            if error.kind() == io::ErrorKind::StorageFull { Ok(false) } else { Err(error) }
        }
    }
}

/// How long is waited on a full disk for those who read the file beside the record.
const READER_LIMIT: Duration = Duration::from_millis(200);

/// Writes over the file once no process has it open any more: a reader has for an instant, and so has a process that a reader starts.
fn overwrite_when_closed(spare: &Path, bytes: &[u8]) -> io::Result<()> {
    let until = MonotonicTime::now().plus(READER_LIMIT);
    while MonotonicTime::now() < until {
        if overwrite(spare, bytes)? {
            return Ok(());
        }
        sleep(Duration::from_millis(1));
    }
    Err(io::ErrorKind::StorageFull.into())
}

/// Writes over a file that is there, if no other process uses it: false when it is not there, has another name too, or is still being
/// read by a process that opened it when it was `meta.json`.
fn overwrite(spare: &Path, bytes: &[u8]) -> io::Result<bool> {
    let Ok(mut file) = disk::own_file().write().open(spare) else { return Ok(false) };
    let found = file.metadata()?;
    if found.nlink() != 1 || !take_write_lease(&file) {
        return Ok(false);
    }
    file.write_all(bytes)?;
    if found.len() > bytes.len() as u64 {
        file.set_len(bytes.len() as u64)?;
    }
    Ok(true)
}

/// What `fcntl(2)` calls so on the architectures of this program; `libc` does not name it.
const F_SETSIG: libc::c_int = 10;

/// Takes a lease on a file, which the kernel gives only when no other process has it open. It ends when the file is closed.
fn take_write_lease(file: &File) -> bool {
    // Who opens it meanwhile waits, and we would be sent SIGIO, which ends those who do not expect it.
    // SAFETY: takes numbers; touches no memory.
    let fcntl = |action, value: libc::c_int| unsafe { libc::fcntl(file.as_raw_fd(), action, value) } == 0;
    fcntl(F_SETSIG, libc::SIGURG) && fcntl(libc::F_SETLEASE, libc::F_WRLCK)
}

/// The file's name beside `meta.json` that holds the record before it, and is where the next one is written.
const BACKUP_FILE: &str = ".meta.json.new";

fn backup_path(dir: &Path) -> PathBuf {
    dir.join(BACKUP_FILE)
}

/// The record before the present one, for when that is lost; `None` when it is lost too. What it says about the life that
/// goes on is a step old; what to run is not.
#[must_use]
pub fn read_backup(dir: &Path) -> Option<Meta> {
    serde_json::from_slice(&disk::read_own(backup_path(dir)).ok()?).ok()
}

/// Puts the record before the present one, which is lost, in its place. Only for whom [`write()`] is for.
///
/// It is copied: there are two again, so that another loss before the next write loses nothing. A full disk has no room for
/// that, and then it is moved.
pub(in crate::supervise) fn restore_backup(dir: &Path) -> Option<Meta> {
    let meta = read_backup(dir)?;
    let copy = dir.join(".meta.json.copy");
    let write = |bytes: Vec<u8>| disk::own_file().create(0o600).truncate().open(&copy)?.write_all(&bytes);
    let copied = disk::read_own(backup_path(dir)).and_then(write).and_then(|()| fs::rename(&copy, path(dir)));
    copied.or_else(|_| fs::rename(backup_path(dir), path(dir)).and_then(|()| remove_if_exists(&copy))).ok()?;
    Some(meta)
}

/// Removes the record of the process in `dir`, as if none had ever been written.
///
/// # Errors
///
/// Fails when a file is there and cannot be removed.
pub fn remove(dir: &Path) -> io::Result<()> {
    remove_if_exists(&backup_path(dir))?;
    remove_if_exists(&path(dir))
}

fn remove_if_exists(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;
    use crate::supervise::meta::FILE;

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
        assert!(matches!(read_summary(CWD, dir.path()), Ok(None)));
        for length in [10, INITIAL_BUFFER - 350, INITIAL_BUFFER, 5 * INITIAL_BUFFER] {
            let long = PUBLISHED.replace("node api.js", &"x".repeat(length));
            fs::write(path(dir.path()), &long).expect("a record");
            let meta = read(dir.path()).expect("readable").expect("there");
            assert_eq!(meta.command.len(), length);
            assert_eq!(
                read_summary(CWD, dir.path()).expect("readable"),
                Some(MetaSummary { tsm_id: meta.tsm_id, port: meta.port })
            );
        }
    }

    #[test]
    fn the_record_before_makes_room_for_the_next_unless_it_is_still_read() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut meta: Meta = serde_json::from_str(PUBLISHED).expect("a record");
        let inode = |name: &str| fs::metadata(dir.path().join(name)).map(|found| found.ino()).ok();
        let mut write_next = || {
            meta.restarts += 1;
            meta.command = "x".repeat(400 / usize::try_from(meta.restarts).expect("small"));
            write(dir.path(), &meta).expect("written");
            assert_eq!(read(dir.path()).expect("readable").as_ref(), Some(&meta));
            (inode(FILE), inode(BACKUP_FILE))
        };
        let (first, none) = write_next();
        let (second, spare) = write_next();
        assert_eq!((none, spare), (None, first));
        assert_eq!(write_next(), (first, second), "the two take turns");

        let reader = File::open(path(dir.path())).expect("a record");
        let before = fs::read(path(dir.path())).expect("bytes");
        write_next();
        let (third, _) = write_next();
        assert_ne!(third, first, "a reader has that one open");
        let mut seen = Vec::new();
        (&reader).read_to_end(&mut seen).expect("bytes");
        assert_eq!(seen, before);
    }

    #[test]
    fn a_lost_record_is_replaced_by_the_one_before_it() {
        let dir = tempfile::tempdir().expect("a directory");
        let dir = dir.path();
        fs::write(path(dir), PUBLISHED).expect("a record");
        let first = read(dir).expect("readable").expect("there");
        let second = Meta { restarts: 7, ..first.clone() };
        write(dir, &second).expect("written");
        assert_eq!((read(dir).expect("readable"), read_backup(dir)), (Some(second), Some(first.clone())));

        // Once more before anything is written.
        for _ in 0..2 {
            fs::write(path(dir), "garbage").expect("damaged");
            assert_eq!(restore_backup(dir), Some(first.clone()));
            assert_eq!((read(dir).expect("readable"), read_backup(dir)), (Some(first.clone()), Some(first.clone())));
        }
        fs::write(backup_path(dir), "garbage").expect("damaged");
        assert_eq!(restore_backup(dir), None);
        remove(dir).expect("removed");
        remove(dir).expect("nothing to remove");
        assert!(fs::read_dir(dir).expect("listed").next().is_none());
    }

    #[test]
    fn nothing_and_garbage_are_distinguished() {
        let dir = tempfile::tempdir().expect("a directory");
        assert!(matches!(read(dir.path()), Ok(None)));
        for garbage in ["", "{", "[]", "\0\0"] {
            fs::write(path(dir.path()), garbage).expect("garbage");
            assert!(matches!(read(dir.path()), Err(MetaReadError::Invalid { .. })), "{garbage:?}");
        }
    }
}
