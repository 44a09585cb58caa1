//! Who supervises: two byte-range locks on the file `lock`, held through open file descriptions.
//!
//! Such a lock ends with the last descriptor of its description, so it cannot outlive its holder, and asking for it (`GETLK`)
//! takes nothing. Byte 0 is the guard's, byte 1 the worker's. A description that a fork shares would keep the lock alive:
//! the worker drops the guard's copy first of all and opens its own.

use std::fs::File;
use std::io;
use std::os::fd::BorrowedFd;
use std::path::Path;

use nix::fcntl::{FcntlArg, fcntl};

use rustix::fs::CWD;

use crate::disk;

/// The file's name inside a process directory.
pub(super) const FILE: &str = "lock";

/// One of the two locks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LockRole {
    /// Byte 0.
    Guard,
    /// Byte 1.
    Worker,
}

impl LockRole {
    /// Both together, to ask for.
    fn all() -> libc::flock {
        libc::flock { l_len: 2, ..Self::Guard.range() }
    }

    fn range(self) -> libc::flock {
        libc::flock {
            l_type: libc::F_WRLCK as libc::c_short,
            l_whence: libc::SEEK_SET as libc::c_short,
            l_start: match self {
                Self::Guard => 0,
                Self::Worker => 1,
            },
            l_len: 1,
            l_pid: 0,
        }
    }
}

/// Opens the lock file of `dir`, making it if need be. Every call gives a description of its own.
pub(super) fn open(dir: &Path) -> io::Result<File> {
    disk::own_file().create(0o600).read_write().open(dir.join(FILE))
}

/// Takes a seat through `file`; false when another process has it.
pub(super) fn try_acquire(file: &File, role: LockRole) -> io::Result<bool> {
    try_acquire_range(file, &role.range())
}

/// Takes one byte of another file; false when another process has it.
pub(super) fn try_acquire_byte(file: &File, at: usize) -> io::Result<bool> {
    let l_start = at.try_into().map_err(|_| io::ErrorKind::InvalidInput)?;
    try_acquire_range(file, &libc::flock { l_start, ..LockRole::Guard.range() })
}

fn try_acquire_range(file: &File, range: &libc::flock) -> io::Result<bool> {
    match fcntl(file, FcntlArg::F_OFD_SETLK(range)) {
        Ok(_) => Ok(true),
        Err(nix::Error::EAGAIN | nix::Error::EACCES) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// True when a description other than `file`'s has the seat.
pub(super) fn is_role_held(file: &File, role: LockRole) -> bool {
    is_range_held(file, role.range())
}

fn is_range_held(file: &File, mut range: libc::flock) -> bool {
    let asked = fcntl(file, FcntlArg::F_OFD_GETLK(&mut range));
    asked.is_ok() && range.l_type != libc::F_UNLCK as libc::c_short
}

/// True when anybody supervises `dir`, which may be relative to the directory. Takes no lock, not even for an instant.
///
/// Where there is no lock file, no supervisor ever was; an error says nothing.
pub(super) fn is_any_role_held(dirfd: BorrowedFd, dir: &Path) -> io::Result<bool> {
    match disk::own_file().any_kind().open_at(dirfd, dir.join(FILE)) {
        Ok(file) => Ok(is_range_held(&file, LockRole::all())),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(false),
        Err(error) => Err(error),
    }
}

/// True when the process in `dir` has a supervisor, and also where that cannot be seen: what is done to a process without a
/// supervisor needs certainty. Only asks: no lock is taken, not even for an instant.
#[must_use]
pub fn is_supervised(dir: &Path) -> bool {
    is_any_role_held(CWD, dir).unwrap_or(true)
}
