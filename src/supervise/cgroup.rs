//! A control group of its own for a process, where the kernel (v2, also beside v1) lets us make one.
//!
//! A process can leave its session, its group, its descriptors and its environment, but not this. It is one more way to find what
//! a life left behind, and the only one that finds a stray without any other mark after both guard and worker were killed.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Component, Path, PathBuf};

/// Where version 2 is mounted: alone, or beside version 1.
pub(super) const MOUNTS: [&str; 2] = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"];

/// What the names of our groups begin with.
pub(super) const PREFIX: &str = "tetra-";

/// The group of one process directory.
#[derive(Debug)]
pub(super) struct Cgroup(PathBuf);

impl Cgroup {
    /// The group of the process directory `dir`, below the supervisor's own; `None` where there is no such tree.
    pub(super) fn of_directory(dir: &Path) -> Option<Self> {
        let found = fs::metadata(dir).ok()?;
        Some(Self(above(&group_of("self")?).join(format!("{PREFIX}{:x}-{:x}", found.dev(), found.ino()))))
    }

    /// The group that a living child is in, if it is one of ours.
    pub(super) fn of_child(pid: u32) -> Option<Self> {
        let path = group_of(&pid.to_string())?;
        let ours = path.file_name()?.as_encoded_bytes().starts_with(PREFIX.as_bytes());
        ours.then_some(Self(path))
    }

    /// Makes the group if need be and opens it, to fork into; `None` where that is not allowed.
    pub(super) fn open(&self) -> Option<OwnedFd> {
        match fs::create_dir(&self.0) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return None,
            Ok(()) | Err(_) => {}
        }
        let opened = OpenOptions::new().read(true).custom_flags(libc::O_DIRECTORY).open(&self.0);
        opened.ok().map(OwnedFd::from)
    }

    /// The processes in it.
    pub(super) fn members(&self) -> Vec<u32> {
        let procs = fs::read_to_string(self.0.join("cgroup.procs")).unwrap_or_default();
        procs.lines().filter_map(|pid| pid.parse().ok()).collect()
    }

    /// Removes it, if it is empty.
    pub(super) fn remove(&self) {
        // One that holds a survivor, or was never made, stays as it is.
        let _ = fs::remove_dir(&self.0);
    }
}

/// Steps out of another process's group, when this supervisor was started from within it.
pub(super) fn leave_others() {
    if let Some(own) = group_of("self").filter(|own| above(own) != *own) {
        // Refused, it stays there, and is still known as another supervisor by all who look.
        let _ = fs::write(above(&own).join("cgroup.procs"), "0");
    }
}

/// The group itself, or the one in which the outermost of ours stands.
pub(super) fn above(group: &Path) -> PathBuf {
    let ours = |part: &Component<'_>| part.as_os_str().as_encoded_bytes().starts_with(PREFIX.as_bytes());
    group.components().take_while(|part| !ours(part)).collect()
}

/// The directory of the group that a process is in.
fn group_of(process: &str) -> Option<PathBuf> {
    let mount = MOUNTS.iter().find(|mount| Path::new(mount).join("cgroup.controllers").exists())?;
    let groups = fs::read_to_string(format!("/proc/{process}/cgroup")).ok()?;
    let path = groups.lines().find_map(|line| line.strip_prefix("0::/"))?;
    Some(Path::new(mount).join(path))
}

/// What a fork came to.
#[derive(Debug)]
pub(super) enum Forked {
    Child,
    Parent { pid: u32, pidfd: OwnedFd },
}

/// Forks into a group that [`Cgroup::open`] opened, so that not even the first instruction runs outside.
///
/// # Safety
///
/// As with `fork`: this process must have one thread.
pub(super) unsafe fn fork_into(group: &OwnedFd) -> io::Result<Forked> {
    let mut pidfd: libc::c_int = -1;
    // SAFETY: all zeros is a valid request for nothing special.
    let mut request: libc::clone_args = unsafe { std::mem::zeroed() };
    request.flags = libc::CLONE_PIDFD as u64 | CLONE_INTO_CGROUP;
    request.pidfd = (&raw mut pidfd) as u64;
    request.exit_signal = libc::SIGCHLD as u64;
    request.cgroup = u64::try_from(group.as_raw_fd()).unwrap_or(u64::MAX);
    // SAFETY: without a new stack and without shared memory this is a fork, and the caller has one thread.
    match unsafe { libc::syscall(libc::SYS_clone3, &raw mut request, size_of::<libc::clone_args>()) } {
        -1 => Err(io::Error::last_os_error()),
        0 => Ok(Forked::Child),
        pid => {
            // SAFETY: the kernel just made this descriptor for us.
            let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
            Ok(Forked::Parent { pid: u32::try_from(pid).unwrap_or(0), pidfd })
        }
    }
}

const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;
