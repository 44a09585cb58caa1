//! A control group of its own for a process, where the kernel (v2, also beside v1) lets us make one, and where no other program
//! manages the groups: in a unit of systemd only if it is delegated.
//!
//! A process can leave its session, its group, its descriptors and its environment, but not this. It is one more way to find what
//! a life left behind, and the only one that finds a stray without any other mark after both guard and worker were killed.

use std::ffi::OsStr;
use std::fs::{self, OpenOptions};
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::systemd_unit::delegated_ancestor;

/// Where version 2 is mounted: alone, or beside version 1.
pub(super) const V2_MOUNTS: [&str; 2] = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"];

/// What the names of our groups begin with.
const PREFIX: &str = "tetra-";

/// The name of the group of a process directory: its file system and inode in hexadecimal digits.
pub(super) fn name(dir: &fs::Metadata) -> String {
    format!("{PREFIX}{:x}-{:x}", dir.dev(), dir.ino())
}

/// True for a name that [`name`] makes. The units of an operator may begin in the same way: `tetra-dev.service`.
pub(super) fn is_ours(name: &OsStr) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let numbers = name.to_str().and_then(|name| name.strip_prefix(PREFIX)).and_then(|rest| rest.split_once('-'));
    numbers.is_some_and(|(device, inode)| is_number(device) && is_number(inode))
}

/// The group of one process directory.
#[derive(Debug)]
pub(super) struct Cgroup(PathBuf);

impl Cgroup {
    /// The group of the process directory `dir`, below the supervisor's own; `None` where there is no such tree, or it is systemd's.
    pub(super) fn of_directory(dir: &Path) -> Option<Self> {
        let found = fs::metadata(dir).ok()?;
        let own = outside_ours(&group_of("self")?);
        Some(Self(delegated_ancestor(&own)?.join(name(&found))))
    }

    /// The group that a living child is in, if it is one of ours.
    pub(super) fn of_child(pid: u32) -> Option<Self> {
        let path = group_of(&pid.to_string())?;
        is_ours(path.file_name()?).then_some(Self(path))
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
pub(super) fn leave_other_groups() {
    if let Some(own) = group_of("self").filter(|own| outside_ours(own) != *own) {
        // Refused, it stays there, and is still known as another supervisor by all who look.
        let _ = fs::write(outside_ours(&own).join("cgroup.procs"), "0");
    }
}

/// The group itself, or the one that contains the outermost of ours.
pub(super) fn outside_ours(group: &Path) -> PathBuf {
    group.components().take_while(|part| !is_ours(part.as_os_str())).collect()
}

/// The directory of the group that a process is in.
fn group_of(process: &str) -> Option<PathBuf> {
    let mount = V2_MOUNTS.iter().find(|mount| Path::new(mount).join("cgroup.controllers").exists())?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_ours_by_its_whole_name() {
        let directory = fs::metadata("/").expect("it is there");
        assert!(is_ours(name(&directory).as_ref()));
        for other in ["tetra-dev.service", "tetra-test", "tetra-", "tetra-1-", "tetra-1-x", "tetra-1-2.scope", "fe00-1"]
        {
            assert!(!is_ours(other.as_ref()), "{other}");
        }
    }

    #[test]
    fn the_unit_of_an_operator_is_not_stepped_out_of() {
        let unit = Path::new("/sys/fs/cgroup/system.slice/tetra-dev.service");
        assert_eq!(outside_ours(unit), unit);
        assert_eq!(outside_ours(&unit.join("tetra-fe00-99ec61/deeper")), unit);
    }
}
