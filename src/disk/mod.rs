//! Opens the files of operators: the only place that does.
//!
//! Another user may own the directory in which a file is looked for: a service's user, another user whose directory is named,
//! an ordinary user for whom root acts. So every file is opened in the same way, and what was opened is looked at, not its name:
//!
//! * A file that the program makes itself is never reached through a symbolic link in its own place.
//! * A link of another user, or in a directory of another user, leads to that user's own files only.
//! * Only regular files are read. A named pipe is an error at once and no wait without end; what is read whole has a largest size.
//! * What is open for writing belongs to us or to root.
//!
//! The check is one system call where there is no link on the way, which is nearly always.

mod proc_stat;
mod trust;
mod walk;

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{CWD, FileType, Mode, OFlags, fcntl_getfl, fcntl_setfl, fstat};

pub use proc_stat::proc_stat;
pub use trust::{UntrustedFileError, chown_to_dir_owner, nearest_owner, owner_of};

/// Files of operators that are longer are no text that a person wrote.
pub const MAX_FILE_SIZE: u64 = 16 << 20;

/// Why a file was not opened although the system would have done it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FileAccessError {
    /// It is a link, and belongs to the program's own files.
    #[error("it is a symbolic link, which is not followed here")]
    Symlink,
    /// A link of another user leads to what is not that user's.
    #[error("it is reached through a symbolic link of another user (uid {0})")]
    ForeignSymlink(u32),
    /// A named pipe, a device, a directory.
    #[error("it is not a regular file")]
    NotRegular,
    /// It would be written and is another user's.
    #[error("it belongs to another user (uid {0})")]
    ForeignOwner(u32),
    /// More than [`MAX_FILE_SIZE`].
    #[error("it is larger than {} MiB", MAX_FILE_SIZE >> 20)]
    TooLarge,
}

impl From<FileAccessError> for io::Error {
    fn from(refusal: FileAccessError) -> Self {
        let kind = match refusal {
            FileAccessError::Symlink | FileAccessError::ForeignSymlink(_) | FileAccessError::ForeignOwner(_) => {
                io::ErrorKind::PermissionDenied
            }
            FileAccessError::NotRegular => io::ErrorKind::InvalidInput,
            FileAccessError::TooLarge => io::ErrorKind::FileTooLarge,
        };
        Self::new(kind, refusal)
    }
}

/// What an error of this room was, if it was a refusal.
#[must_use]
pub fn access_error(error: &io::Error) -> Option<FileAccessError> {
    error.get_ref()?.downcast_ref().copied()
}

/// What an error of this room was, if a file was not trusted.
#[must_use]
pub fn untrusted_error(error: &io::Error) -> Option<&UntrustedFileError> {
    error.get_ref()?.downcast_ref()
}

/// How a file is opened. As `std::fs::OpenOptions`, with the rules of this room.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    flags: OFlags,
    mode: u32,
    truncate: bool,
    final_symlink: FinalSymlink,
    kind: Option<FileType>,
}

/// What is done about a link in the place of the file itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FinalSymlink {
    /// An error: the program made the file, and makes no links.
    Reject,
    /// It is followed: an operator may have put it there.
    Follow,
}

/// A file that the program makes itself, for reading.
#[must_use]
pub fn own_file() -> Options {
    Options {
        flags: OFlags::CLOEXEC | OFlags::NOCTTY | OFlags::NONBLOCK,
        mode: 0o600,
        truncate: false,
        final_symlink: FinalSymlink::Reject,
        kind: Some(FileType::RegularFile),
    }
}

/// A file that an operator wrote, for reading; it may be a link.
#[must_use]
pub fn user_file() -> Options {
    Options { final_symlink: FinalSymlink::Follow, ..own_file() }
}

impl Options {
    /// Also for reading, after one of those below.
    #[must_use]
    pub fn read_write(self) -> Self {
        Self { flags: (self.flags - OFlags::WRONLY) | OFlags::RDWR, ..self }
    }

    /// For writing, if it is there.
    #[must_use]
    pub fn write(self) -> Self {
        Self { flags: self.flags | OFlags::WRONLY, ..self }
    }

    /// For writing from its beginning; made if it is not there.
    #[must_use]
    pub fn create(self, mode: u32) -> Self {
        Self { flags: self.flags | OFlags::WRONLY | OFlags::CREATE, mode, ..self }
    }

    /// Made, and an error if it is there.
    #[must_use]
    pub fn create_new(self, mode: u32) -> Self {
        let made = self.create(mode);
        Self { flags: made.flags | OFlags::EXCL, ..made }
    }

    /// What it held is dropped, once it is certain what it is.
    #[must_use]
    pub fn truncate(self) -> Self {
        Self { truncate: true, ..self }
    }

    /// For writing at its end; made if it is not there.
    #[must_use]
    pub fn append(self, mode: u32) -> Self {
        let made = self.create(mode);
        Self { flags: made.flags | OFlags::APPEND, ..made }
    }

    /// A named pipe, which stays without waiting.
    #[must_use]
    pub fn fifo(self) -> Self {
        Self { kind: Some(FileType::Fifo), ..self }
    }

    /// A directory.
    #[must_use]
    pub fn directory(self) -> Self {
        Self { kind: None, flags: self.flags | OFlags::DIRECTORY, ..self }
    }

    /// Whatever it is: for many small files, where a named pipe reads as empty and that is found out anyway.
    #[must_use]
    pub fn any_kind(self) -> Self {
        Self { kind: None, ..self }
    }

    /// Opens a file.
    ///
    /// # Errors
    ///
    /// Fails as the system does, or with a [`FileAccessError`].
    pub fn open(self, path: impl AsRef<Path>) -> io::Result<File> {
        self.open_at(CWD, path)
    }

    /// Opens a file by a path relative to an open directory.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub fn open_at(self, dirfd: BorrowedFd, path: impl AsRef<Path>) -> io::Result<File> {
        let file = File::from(walk::open(self, dirfd, path.as_ref())?);
        self.check(&file)?;
        if self.truncate {
            file.set_len(0)?;
        }
        if self.writes() && self.kind == Some(FileType::RegularFile) {
            fcntl_setfl(&file, fcntl_getfl(&file)? - OFlags::NONBLOCK)?;
        }
        Ok(file)
    }

    fn check(self, file: &File) -> io::Result<()> {
        let Some(kind) = self.kind else { return Ok(()) };
        let found = fstat(file)?;
        if FileType::from_raw_mode(found.st_mode) != kind {
            return Err(FileAccessError::NotRegular.into());
        }
        if self.writes() && trust::is_foreign(found.st_uid) {
            return Err(FileAccessError::ForeignOwner(found.st_uid).into());
        }
        Ok(())
    }

    fn writes(self) -> bool {
        self.flags.intersects(OFlags::WRONLY | OFlags::RDWR)
    }

    fn mode(self) -> Mode {
        Mode::from_raw_mode(self.mode)
    }
}

/// The whole of a file that an operator wrote.
///
/// # Errors
///
/// Fails if it cannot be read, is not a regular file, or is too large.
pub fn read(path: impl AsRef<Path>) -> io::Result<Vec<u8>> {
    read_all(&user_file().open(path)?)
}

/// The same as text.
///
/// # Errors
///
/// As [`read`], and if it is not UTF-8.
pub fn read_to_string(path: impl AsRef<Path>) -> io::Result<String> {
    text(read(path)?)
}

fn text(bytes: Vec<u8>) -> io::Result<String> {
    String::from_utf8(bytes).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8 text"))
}

/// The same of a file that says what is run; not read if another user wrote it or could change it.
///
/// # Errors
///
/// As [`read_to_string`], and with a [`UntrustedFileError`].
pub fn read_trusted(path: impl AsRef<Path>) -> io::Result<String> {
    text(read_trusted_bytes(path)?)
}

/// The same, whether it is text or not.
///
/// # Errors
///
/// As [`read_trusted`], but for text.
pub fn read_trusted_bytes(path: impl AsRef<Path>) -> io::Result<Vec<u8>> {
    let file = user_file().open(&path)?;
    trust::check_trusted(path.as_ref(), &file)
        .map_err(|distrust| io::Error::new(io::ErrorKind::PermissionDenied, distrust))?;
    read_all(&file)
}

/// The whole of a file that the program made itself.
///
/// # Errors
///
/// Fails if it cannot be read, is a link or not a regular file, or is too large.
pub fn read_own(path: impl AsRef<Path>) -> io::Result<Vec<u8>> {
    read_all(&own_file().open(path)?)
}

/// All of an open file, unless it is too large.
///
/// # Errors
///
/// Fails if it cannot be read or is longer than [`MAX_FILE_SIZE`].
pub fn read_all(file: &File) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(MAX_FILE_SIZE + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE_SIZE { Err(FileAccessError::TooLarge.into()) } else { Ok(bytes) }
}

/// Opens a directory, to name files below it.
///
/// # Errors
///
/// Fails if it is not there or not a directory.
pub fn directory(path: &Path) -> io::Result<OwnedFd> {
    user_file().directory().open(path).map(OwnedFd::from)
}

#[cfg(test)]
mod tests;
