//! Processes as the kernel reports them: identity, life and death. A pid alone means nothing.

use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use crate::disk;

/// A process of this boot. Two processes never share both numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProcessIdentity {
    /// Its number, which may be used again after its death.
    pub pid: u32,
    /// When it was started, in clock ticks since boot (field 22 of `/proc/PID/stat`).
    pub start_ticks: u64,
}

impl ProcessIdentity {
    /// The process that has this pid now; `None` when there is none. It may be a zombie.
    #[must_use]
    pub fn of(pid: u32) -> Option<Self> {
        ProcStat::of(pid).map(|stat| Self { pid, start_ticks: stat.start_ticks })
    }
}

/// The identity of this boot of the machine; empty when the kernel does not say.
#[must_use]
pub fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").map(|id| id.trim().to_owned()).unwrap_or_default()
}

/// True while exactly this process runs. A zombie is dead.
#[must_use]
pub fn is_alive(identity: &ProcessIdentity) -> bool {
    ProcStat::of(identity.pid).is_some_and(|stat| stat.start_ticks == identity.start_ticks && !stat.is_dead())
}

/// What `/proc/PID/stat` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ProcStat {
    /// `R`, `S`, `D`, `Z`, …
    pub(super) state: u8,
    pub(super) parent: u32,
    pub(super) group: u32,
    pub(super) session: u32,
    pub(super) start_ticks: u64,
    /// The wait status of a zombie; 0 also when the reader may not know it.
    pub(super) wait_status: i32,
}

impl ProcStat {
    /// Reads it for `pid`; `None` when there is no such process.
    pub(super) fn of(pid: u32) -> Option<Self> {
        Self::parse(&disk::proc_stat(pid).ok()?)
    }

    /// Field 2, the name, may hold anything: everything is counted from its last `)`.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let end = text.iter().rposition(|byte| *byte == b')')?;
        let rest = std::str::from_utf8(text.get(end + 1..)?).ok()?;
        let field = |number: usize| rest.split_ascii_whitespace().nth(number - 3);
        Some(Self {
            state: *field(3)?.as_bytes().first()?,
            parent: field(4)?.parse().ok()?,
            group: field(5)?.parse().ok()?,
            session: field(6)?.parse().ok()?,
            start_ticks: field(22)?.parse().ok()?,
            wait_status: field(52).and_then(|status| status.parse().ok()).unwrap_or(0),
        })
    }

    /// Stopped by a signal.
    pub(super) fn is_stopped(&self) -> bool {
        self.state == b'T'
    }

    /// Zombie or being taken away.
    pub(super) fn is_dead(&self) -> bool {
        matches!(self.state, b'Z' | b'X' | b'x')
    }
}

/// A handle on the process that has this pid now.
pub(super) fn open_pidfd(pid: u32) -> io::Result<OwnedFd> {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or(io::ErrorKind::InvalidInput)?;
    Ok(pidfd_open(pid, PidfdFlags::empty())?)
}

/// The same; none if the process does not exist. That a handle is not to be had, for lack of descriptors for example, is an error.
pub(super) fn find_pidfd(pid: u32) -> io::Result<Option<OwnedFd>> {
    match open_pidfd(pid) {
        Err(error) if error.raw_os_error() == Some(libc::ESRCH) || error.kind() == io::ErrorKind::InvalidInput => {
            Ok(None)
        }
        found => found.map(Some),
    }
}

/// True when the process behind the handle has ended, reaped or not.
pub(super) fn has_ended(pidfd: impl AsFd) -> bool {
    let mut fds = [PollFd::new(&pidfd, PollFlags::IN)];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    matches!(poll(&mut fds, Some(&now)), Ok(1))
}

/// Waits until the process behind the handle has ended, at most for `limit`.
pub(super) fn wait_for_end(pidfd: impl AsFd, limit: Duration) {
    let mut fds = [PollFd::new(&pidfd, PollFlags::IN)];
    if let Ok(limit) = Timespec::try_from(limit) {
        // Whether it ended is for the caller to see.
        let _ = poll(&mut fds, Some(&limit));
    }
}

/// The value of a variable in the environment that a process was started with.
pub(super) fn variable_of(pid: u32, name: &str) -> Option<Vec<u8>> {
    let environ = fs::read(format!("/proc/{pid}/environ")).ok()?;
    find_variable(&environ, name).map(<[u8]>::to_vec)
}

/// The value of a variable in such an environment.
pub(super) fn find_variable<'a>(environ: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let mut settings = environ.split(|byte| *byte == 0);
    settings.find_map(|setting| setting.strip_prefix(name.as_bytes())?.strip_prefix(b"="))
}

/// Who gets a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SignalTarget {
    /// The process alone.
    Process,
    /// Every member of the group that it leads.
    Group,
}

/// Sends a signal to the process behind the handle, whatever has become of its pid.
pub(super) fn signal(pidfd: impl AsFd, signal: i32, reach: SignalTarget) -> io::Result<()> {
    let flags = match reach {
        SignalTarget::Process => 0,
        SignalTarget::Group => libc::PIDFD_SIGNAL_PROCESS_GROUP,
    };
    let none = std::ptr::null::<libc::siginfo_t>();
    let fd = pidfd.as_fd().as_raw_fd();
    // SAFETY: the descriptor is borrowed for the call, and a null siginfo asks for that of an ordinary kill.
    match unsafe { libc::syscall(libc::SYS_pidfd_send_signal, fd, signal, none, flags) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_does_not_shift_the_fields() {
        let text = b"42 (a) R 9 (b)) S 1 2 3 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 777 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0 0 0 0 0 0 0 0 256\n";
        let stat = ProcStat::parse(text).expect("well formed");
        assert_eq!((stat.state, stat.parent, stat.session, stat.start_ticks, stat.wait_status), (b'S', 1, 3, 777, 256));
        assert_eq!(ProcStat::parse(b"nothing"), None);
    }

    #[test]
    fn this_process_lives_and_another_of_its_pid_does_not() {
        let me = ProcessIdentity::of(std::process::id()).expect("this process");
        assert!(is_alive(&me));
        assert!(!is_alive(&ProcessIdentity { start_ticks: me.start_ticks + 1, ..me }));
        assert!(!boot_id().is_empty());
    }
}
