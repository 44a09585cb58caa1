//! FIFOs in the process directory, and how much each may hold.
//!
//! Our ends are opened for reading and writing and never block: no end of file, no hang-up ever. The end of a run is seen by
//! the process handle, the end of data by `EAGAIN`.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use nix::sys::stat::Mode;
use nix::unistd::{geteuid, mkfifo};
use rustix::io::Errno;
use rustix::pipe::{SpliceFlags, fcntl_getpipe_size, fcntl_setpipe_size, tee};

use crate::disk;

use super::lock;

/// Our ends of the FIFOs.
#[derive(Debug)]
pub(super) struct Fifos {
    pub(super) out: OwnedFd,
    pub(super) err: OwnedFd,
    pub(super) control: OwnedFd,
}

/// How much is looked through for a line end at a time; what the pipe of the copy holds.
pub(super) const PEEK_SIZE: usize = 64 * 1024;

/// What a pipe holds while little comes.
pub(super) const DEFAULT_SIZE: usize = 64 * 1024;

/// What a pipe holds while little comes, of a user who has many processes.
const SMALL_PIPE: usize = 16 * 1024;

/// As many processes of an ordinary user have pipes of the usual size. Together with those of [`SMALL_PIPE`] size and the large ones
/// that leaves room for nine hundred processes before the kernel cuts every further pipe of that user.
const MANY_PROCESSES: u32 = 128;

/// What a pipe holds that carries small records: one page.
const MIN_SIZE: usize = 4096;

/// What a pipe holds in a flood.
pub(super) const LARGE_SIZE: usize = 1024 * 1024;

/// Opens the FIFO `path`, making it if need be. Something else in its place is removed.
pub(super) fn open(path: &Path) -> io::Result<OwnedFd> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.file_type().is_fifo() => {}
        Ok(_) => {
            fs::remove_file(path)?;
            mkfifo(path, Mode::S_IRUSR | Mode::S_IWUSR)?;
        }
        Err(_) => mkfifo(path, Mode::S_IRUSR | Mode::S_IWUSR)?,
    }
    Ok(disk::own_file().fifo().write().read_write().open(path)?.into())
}

/// Leaves a pipe that carries small records no more than those need: each of a user's pipes counts.
pub(super) fn shrink_to_min(pipe: impl AsFd) {
    // One that stays as wide as it was is as good.
    let _ = fcntl_setpipe_size(pipe, MIN_SIZE);
}

/// How much a pipe holds now, and the right to that much.
#[derive(Debug)]
pub(super) struct PipeBuffer {
    /// In bytes, as the kernel says.
    pub(super) size: usize,
    /// What is enough while little comes.
    idle_size: usize,
    /// Held while an ordinary user's pipe is large.
    slot: Option<File>,
}

impl PipeBuffer {
    pub(super) fn of(fifo: impl AsFd) -> Self {
        Self { size: fcntl_getpipe_size(fifo).unwrap_or(DEFAULT_SIZE), idle_size: DEFAULT_SIZE, slot: None }
    }

    /// Takes less, if it is for the process with an id that shows that an ordinary user has many.
    pub(super) fn limit_size(&mut self, fifo: impl AsFd, id: u32) {
        if id >= MANY_PROCESSES && !geteuid().is_root() {
            self.idle_size = SMALL_PIPE;
            self.shrink(fifo);
        }
    }

    pub(super) fn is_large(&self) -> bool {
        self.size > self.idle_size
    }

    /// Grows the pipe of the process in `dir` to [`LARGE_SIZE`], if that takes nothing from other programs of this user.
    pub(super) fn grow(&mut self, fifo: impl AsFd, dir: &Path) {
        if self.size >= LARGE_SIZE {
            return;
        }
        let mut size = LARGE_SIZE;
        if !geteuid().is_root() {
            self.slot = acquire_large_pipe_slot(dir);
            if self.slot.is_none() {
                size = DEFAULT_SIZE;
            }
        }
        if size > self.size {
            // Refused growth leaves the pipe as it was, which is all that is needed.
            let _ = fcntl_setpipe_size(&fifo, size);
            self.refresh_size(fifo);
        }
    }

    /// Shrinks the pipe to what is enough while little comes; refused while it holds more.
    pub(super) fn shrink(&mut self, fifo: impl AsFd) {
        let _ = fcntl_setpipe_size(&fifo, self.idle_size);
        self.refresh_size(fifo);
    }

    fn refresh_size(&mut self, fifo: impl AsFd) {
        self.size = fcntl_getpipe_size(fifo).unwrap_or(DEFAULT_SIZE);
        if self.size <= DEFAULT_SIZE {
            self.slot = None;
        }
    }
}

/// One of the places for large pipes that all services of this user share: together a quarter of what the kernel lets a
/// user have before it cuts every further pipe, in any program, to two pages.
///
/// A place is a lock on one byte of a file that only this user can open: exclusive, and free again when its holder dies.
fn acquire_large_pipe_slot(dir: &Path) -> Option<File> {
    const DEFAULT_PAGES: usize = 16384;
    const PAGE: usize = 4096;
    let soft = fs::read_to_string("/proc/sys/fs/pipe-user-pages-soft");
    let pages = soft.ok().and_then(|text| text.trim().parse().ok()).unwrap_or(DEFAULT_PAGES);
    let places = dir.join(SLOTS_FILE);
    let above = fs::metadata(places.parent()?).ok()?;
    if above.uid() != geteuid().as_raw() || above.mode() & 0o077 != 0 {
        return None;
    }
    let file = disk::own_file().create(0o600).read_write().open(places).ok()?;
    (0..pages / 4 / (LARGE_SIZE / PAGE))
        .find(|place| lock::try_acquire_byte(&file, *place).unwrap_or(false))
        .map(|_| file)
}

/// The file, seen from the directory of a process: above that of all processes.
const SLOTS_FILE: &str = "../../.large-pipes";

/// How many bytes of what is in the FIFO belong to the line that ends first; all of a look when none ends; 0 when it is empty.
pub(super) fn first_line_len(fifo: &OwnedFd) -> io::Result<usize> {
    let (mut copy, into) = io::pipe()?;
    let seen = match tee(fifo, &into, PEEK_SIZE, SpliceFlags::NONBLOCK) {
        Ok(seen) => seen,
        Err(Errno::AGAIN | Errno::INTR) => return Ok(0),
        Err(errno) => return Err(errno.into()),
    };
    drop(into);
    let mut piece = [0; 4096];
    let mut before = 0;
    loop {
        match copy.read(&mut piece)? {
            0 => return Ok(seen),
            n => match piece[..n].iter().position(|byte| *byte == b'\n') {
                Some(at) => return Ok(before + at + 1),
                None => before += n,
            },
        }
    }
}
