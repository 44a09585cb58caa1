//! The way to a file, link by link.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::{Component, Path};

use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags, fstat, openat, openat2, readlinkat};
use rustix::io::Errno;

use super::{FileAccessError, FinalSymlink, Options, trust};

/// As the kernel has it.
const MAX_SYMLINKS: usize = 40;

/// Opens in one step what is reached without any link, and walks otherwise.
pub(super) fn open(options: Options, dirfd: BorrowedFd, path: &Path) -> io::Result<OwnedFd> {
    // The kernel refuses a mode where nothing is made.
    let mode = if options.flags.contains(OFlags::CREATE) { options.mode() } else { Mode::empty() };
    match openat2(dirfd, path, options.flags, mode, ResolveFlags::NO_SYMLINKS) {
        // A link; or a kernel older than the call, or a container that does not let it through.
        Err(Errno::LOOP | Errno::NOSYS | Errno::PERM) => DirectoryWalk::from(dirfd, path)?.open(options),
        opened => Ok(opened?),
    }
}

struct DirectoryWalk {
    /// Where it is.
    at: OwnedFd,
    /// The names that are left, the next one last.
    left: Vec<OsString>,
    links: usize,
    /// The other user who decided where it leads.
    led: Option<u32>,
}

impl DirectoryWalk {
    fn from(dirfd: BorrowedFd, path: &Path) -> io::Result<Self> {
        let mut walk = Self { at: step(dirfd, OsStr::new("."))?, left: Vec::new(), links: 0, led: None };
        walk.go_by(path)?;
        Ok(walk)
    }

    /// Goes on by `path` before what is left.
    fn go_by(&mut self, path: &Path) -> io::Result<()> {
        if path.is_absolute() {
            self.at = step(CWD, OsStr::new("/"))?;
        }
        let names = path.components().filter_map(|part| match part {
            Component::Normal(_) | Component::ParentDir => Some(part.as_os_str().to_owned()),
            Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
        });
        let names: Vec<OsString> = names.collect();
        self.left.extend(names.into_iter().rev());
        Ok(())
    }

    fn open(mut self, options: Options) -> io::Result<OwnedFd> {
        while let Some(name) = self.left.pop() {
            let is_last = self.left.is_empty();
            let found = match step(self.at.as_fd(), &name) {
                Err(error) if is_last && error.kind() == io::ErrorKind::NotFound => return self.reach(options, &name),
                found => found?,
            };
            let here = fstat(&found)?;
            if FileType::from_raw_mode(here.st_mode) == FileType::Symlink {
                if is_last && options.final_symlink == FinalSymlink::Reject {
                    return Err(FileAccessError::Symlink.into());
                }
                self.follow(&found, here.st_uid)?;
            } else if is_last {
                return self.reach(options, &name);
            } else {
                self.at = found;
            }
        }
        self.reach(options, OsStr::new("."))
    }

    /// Goes where a link leads, and keeps in mind who says so: its owner, or who may replace it.
    fn follow(&mut self, link: &OwnedFd, owner: u32) -> io::Result<()> {
        self.links += 1;
        if self.links > MAX_SYMLINKS {
            return Err(Errno::LOOP.into());
        }
        for uid in [owner, fstat(&self.at)?.st_uid] {
            if trust::is_foreign(uid) {
                self.led = self.led.or(Some(uid));
            }
        }
        let target = readlinkat(link, "", Vec::new())?;
        self.go_by(Path::new(&OsString::from_vec(target.into_bytes())))
    }

    /// Opens the file itself. Who led here may lead to files of that user alone.
    fn reach(self, options: Options, name: &OsStr) -> io::Result<OwnedFd> {
        let makes = options.flags.contains(OFlags::CREATE);
        if let Some(led) = self.led.filter(|led| makes && fstat(&self.at).map_or(true, |it| it.st_uid != *led)) {
            return Err(FileAccessError::ForeignSymlink(led).into());
        }
        let file = openat(&self.at, name, options.flags | OFlags::NOFOLLOW, options.mode())?;
        if let Some(led) = self.led.filter(|led| fstat(&file).map_or(true, |it| it.st_uid != *led)) {
            return Err(FileAccessError::ForeignSymlink(led).into());
        }
        Ok(file)
    }
}

/// One name further, without following and without opening.
fn step(at: BorrowedFd, name: &OsStr) -> io::Result<OwnedFd> {
    Ok(openat(at, name, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?)
}
