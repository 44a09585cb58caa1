//! Room on disks, and whether we may write there. Looks only.

use std::io;
use std::path::Path;

use nix::unistd::{AccessFlags, access};

/// How much room a file system has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DiskSpace {
    /// Bytes of the whole file system.
    pub total: u64,
    /// Bytes that we may still use.
    pub free: u64,
    /// Files that there can be; 0 where the file system does not count them.
    pub inodes: u64,
    /// Files that we may still make.
    pub inodes_free: u64,
}

/// The room around a path that exists.
///
/// # Errors
///
/// Fails if there is no such path.
pub fn of_path(path: &Path) -> io::Result<DiskSpace> {
    let found = rustix::fs::statvfs(path)?;
    Ok(DiskSpace {
        total: found.f_blocks * found.f_frsize,
        free: found.f_bavail * found.f_frsize,
        inodes: found.f_files,
        inodes_free: found.f_favail,
    })
}

impl DiskSpace {
    /// The free part of the bytes, in percent.
    #[must_use]
    pub fn percent_free(&self) -> f64 {
        percent(self.free, self.total)
    }

    /// The free part of the files, in percent; 100 where they are not counted.
    #[must_use]
    pub fn percent_inodes_free(&self) -> f64 {
        if self.inodes == 0 { 100.0 } else { percent(self.inodes_free, self.inodes) }
    }
}

fn percent(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { 100.0 * part as f64 / whole as f64 }
}

/// True if we may make and remove entries in a directory.
#[must_use]
pub fn is_writable(dir: &Path) -> bool {
    access(dir, AccessFlags::W_OK | AccessFlags::X_OK).is_ok()
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
    fn a_directory_of_ours_has_room_and_can_be_written() {
        let directory = tempfile::tempdir().expect("a directory");
        let room = of_path(directory.path()).expect("room");
        assert!(room.total > 0 && room.free <= room.total && room.percent_free() <= 100.0);
        assert!(is_writable(directory.path()) && is_readable(directory.path()));
        let none = directory.path().join("none");
        assert!(!is_writable(&none) && of_path(&none).is_err());
    }

    #[test]
    fn files_that_are_not_counted_do_not_run_out() {
        let room = DiskSpace { total: 200, free: 50, inodes: 0, inodes_free: 0 };
        assert!((room.percent_free() - 25.0).abs() < 0.001 && (room.percent_inodes_free() - 100.0).abs() < 0.001);
    }
}
