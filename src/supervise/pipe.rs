//! FIFOs in the process directory, and how much each may hold.
//!
//! Our ends are opened for reading and writing and never block: no end of file, no hang-up ever. The end of a life is told by
//! the process handle, the end of data by `EAGAIN`.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::Path;

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::stat::Mode;
use nix::unistd::{geteuid, mkfifo};
use rustix::pipe::{fcntl_getpipe_size, fcntl_setpipe_size};

/// What a pipe holds while little comes.
pub(super) const SMALL: usize = 64 * 1024;

/// What a pipe holds in a flood.
pub(super) const LARGE: usize = 1024 * 1024;

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
    let flags = libc::O_NONBLOCK | libc::O_NOFOLLOW | libc::O_NOCTTY;
    Ok(OpenOptions::new().read(true).write(true).custom_flags(flags).open(path)?.into())
}

/// Tells that something came into an empty FIFO: by SIGIO.
///
/// Never by `poll`: the kernel remembers for ever that a pipe was polled, and then goes through the waiting also at writes that
/// make nothing readable that was not before. A child that floods its output line by line is a seventh slower for it.
#[derive(Debug, Default)]
pub(super) struct Bell {
    /// Our process is the one to be told.
    owned: bool,
    /// What is said of the descriptor, which outlives every worker, is true.
    state: Option<Ring>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ring {
    Loud,
    Mute,
}

impl Bell {
    pub(super) fn is_set(&self) -> bool {
        self.state == Some(Ring::Loud)
    }

    /// Every write from now on rings, whose signal is not waiting already. Nobody knows whether the FIFO was empty before.
    pub(super) fn set(&mut self, fifo: impl AsFd) -> io::Result<()> {
        if !self.owned {
            let own = libc::pid_t::try_from(std::process::id()).unwrap_or(libc::pid_t::MAX);
            // SAFETY: takes a number; touches no memory.
            nix::Error::result(unsafe { libc::fcntl(fifo.as_fd().as_raw_fd(), libc::F_SETOWN, own) })?;
            self.owned = true;
        }
        self.turn(fifo, Ring::Loud)
    }

    /// No write rings, and none costs more than it must.
    pub(super) fn mute(&mut self, fifo: impl AsFd) {
        // One that cannot be muted only rings in vain.
        let _ = self.turn(fifo, Ring::Mute);
    }

    fn turn(&mut self, fifo: impl AsFd, to: Ring) -> io::Result<()> {
        if self.state != Some(to) {
            let loud = match to {
                Ring::Loud => libc::O_ASYNC,
                Ring::Mute => 0,
            };
            fcntl(fifo, FcntlArg::F_SETFL(OFlag::from_bits_retain(libc::O_NONBLOCK | loud)))?;
            self.state = Some(to);
        }
        Ok(())
    }
}

/// How much a pipe holds now, and the right to that much.
#[derive(Debug)]
pub(super) struct Room {
    /// In bytes, as the kernel says.
    pub(super) size: usize,
    /// Held while an ordinary user's pipe is large.
    permit: Option<UnixListener>,
}

impl Room {
    pub(super) fn of(fifo: impl AsFd) -> Self {
        Self { size: fcntl_getpipe_size(fifo).unwrap_or(SMALL), permit: None }
    }

    pub(super) fn is_large(&self) -> bool {
        self.size > SMALL
    }

    /// Grows the pipe to [`LARGE`], if that takes nothing from other programs of this user.
    pub(super) fn grow(&mut self, fifo: impl AsFd) {
        if self.size >= LARGE {
            return;
        }
        if !geteuid().is_root() {
            self.permit = permit();
            if self.permit.is_none() {
                return;
            }
        }
        // Refused growth leaves the pipe as it was, which is all that is needed.
        let _ = fcntl_setpipe_size(&fifo, LARGE);
        self.look(fifo);
    }

    /// Shrinks the pipe to [`SMALL`]; refused while it holds more.
    pub(super) fn shrink(&mut self, fifo: impl AsFd) {
        let _ = fcntl_setpipe_size(&fifo, SMALL);
        self.look(fifo);
    }

    fn look(&mut self, fifo: impl AsFd) {
        self.size = fcntl_getpipe_size(fifo).unwrap_or(SMALL);
        if !self.is_large() {
            self.permit = None;
        }
    }
}

/// One of the places for large pipes that all services of this user share: together a quarter of what the kernel lets a
/// user have before it cuts every further pipe, in any program, to two pages.
///
/// A place is an abstract socket name: exclusive, without a file, and free again when its holder dies.
fn permit() -> Option<UnixListener> {
    const DEFAULT_PAGES: usize = 16384;
    const PAGE: usize = 4096;
    let soft = fs::read_to_string("/proc/sys/fs/pipe-user-pages-soft");
    let pages = soft.ok().and_then(|text| text.trim().parse().ok()).unwrap_or(DEFAULT_PAGES);
    let user = geteuid();
    (0..pages / 4 / (LARGE / PAGE)).find_map(|place| {
        let name = format!("tetra-large-pipe-{user}-{place}");
        UnixListener::bind_addr(&SocketAddr::from_abstract_name(name).ok()?).ok()
    })
}
