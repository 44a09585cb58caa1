//! Room on disks, and whether we may write there. Looks only.

use std::io;
use std::path::Path;

use nix::unistd::{AccessFlags, access};

/// How much room a file system has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Bytes of the whole file system.
    pub total: u64,
    /// Bytes that we may still use.
    pub free: u64,
    /// Files that there can be; 0 where the file system does not count them.
    pub files: u64,
    /// Files that we may still make.
    pub files_free: u64,
}

/// The room around a path that exists.
///
/// # Errors
///
/// Fails if there is no such path.
pub fn around(path: &Path) -> io::Result<Room> {
    let found = rustix::fs::statvfs(path)?;
    Ok(Room {
        total: found.f_blocks * found.f_frsize,
        free: found.f_bavail * found.f_frsize,
        files: found.f_files,
        files_free: found.f_favail,
    })
}

impl Room {
    /// The free part of the bytes, in percent.
    #[must_use]
    pub fn percent_free(&self) -> f64 {
        percent(self.free, self.total)
    }

    /// The free part of the files, in percent; 100 where they are not counted.
    #[must_use]
    pub fn percent_files_free(&self) -> f64 {
        if self.files == 0 { 100.0 } else { percent(self.files_free, self.files) }
    }
}

fn percent(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { 100.0 * part as f64 / whole as f64 }
}

/// True if we may make and remove entries in a folder.
#[must_use]
pub fn is_writable(folder: &Path) -> bool {
    access(folder, AccessFlags::W_OK | AccessFlags::X_OK).is_ok()
}

/// True if we may read a file.
#[must_use]
pub fn is_readable(file: &Path) -> bool {
    access(file, AccessFlags::R_OK).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_of_ours_has_room_and_can_be_written() {
        let folder = tempfile::tempdir().expect("a folder");
        let room = around(folder.path()).expect("room");
        assert!(room.total > 0 && room.free <= room.total && room.percent_free() <= 100.0);
        assert!(is_writable(folder.path()) && is_readable(folder.path()));
        let none = folder.path().join("none");
        assert!(!is_writable(&none) && around(&none).is_err());
    }

    #[test]
    fn files_that_are_not_counted_do_not_run_out() {
        let room = Room { total: 200, free: 50, files: 0, files_free: 0 };
        assert!((room.percent_free() - 25.0).abs() < 0.001 && (room.percent_files_free() - 100.0).abs() < 0.001);
    }
}
