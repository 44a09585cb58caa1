//! How the child ended, when it is not our own child.
//!
//! Four witnesses, in this order: the kernel keeps the status of a reaped process for those who hold a handle (since 6.15); our
//! guard reports what it reaped; a zombie shows its status in `/proc`; and if init reaps late, we wait for the first a little.
//! Without a witness the end is unknown, which counts as a failure.

use std::fs::{self, File};
use std::io::Read;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::clock::MonotonicTime;
use super::meta::ExitStatus;
use super::proc::ProcStat;

/// How long a zombie may wait for its parent before its end counts as unknown.
const REAP_TIMEOUT: Duration = Duration::from_secs(3);

/// Reads a wait status.
pub(super) fn from_wait_status(status: i32) -> ExitStatus {
    let byte = |number: i32| u8::try_from(number).unwrap_or(u8::MAX);
    if libc::WIFEXITED(status) {
        ExitStatus::Code(byte(libc::WEXITSTATUS(status)))
    } else if libc::WCOREDUMP(status) {
        ExitStatus::Core(byte(libc::WTERMSIG(status)))
    } else {
        ExitStatus::Signal(byte(libc::WTERMSIG(status)))
    }
}

/// The exit code a shell would give for this end.
pub(super) fn shell_exit_code(how: ExitStatus) -> u8 {
    match how {
        ExitStatus::Code(code) | ExitStatus::Hook(code) => code,
        ExitStatus::Signal(signal) | ExitStatus::Core(signal) => 128u8.saturating_add(signal),
        ExitStatus::NotRun(_) => 127,
        ExitStatus::Unknown => 255,
    }
}

/// What the guard reaped: pid and wait status, 8 bytes each.
#[derive(Debug)]
pub(super) struct ExitReports(pub(super) File);

impl ExitReports {
    pub(super) const RECORD_SIZE: usize = 8;

    pub(super) fn encode(pid: i32, status: i32) -> [u8; Self::RECORD_SIZE] {
        let mut record = [0; Self::RECORD_SIZE];
        record[..4].copy_from_slice(&pid.to_le_bytes());
        record[4..].copy_from_slice(&status.to_le_bytes());
        record
    }

    /// Takes everything that came; the status of `pid` if it is among it.
    pub(super) fn status_of(&mut self, pid: u32) -> Option<i32> {
        let mut found = None;
        let mut record = [0; Self::RECORD_SIZE];
        while matches!(self.0.read(&mut record), Ok(Self::RECORD_SIZE)) {
            let number = |at: usize| i32::from_le_bytes([record[at], record[at + 1], record[at + 2], record[at + 3]]);
            if number(0).unsigned_abs() == pid {
                found = Some(number(4));
            }
        }
        found
    }
}

/// What must be held while a process that is not ours lives, to learn how it ends.
#[derive(Debug)]
pub(super) struct ForeignExit {
    stat: Option<File>,
    /// We may trace it, so a zero in its `stat` is a true zero.
    is_readable: bool,
}

impl ForeignExit {
    /// Begins to watch `pid`.
    pub(super) fn of(pid: u32) -> Self {
        Self {
            stat: File::open(format!("/proc/{pid}/stat")).ok(),
            is_readable: fs::read_dir(format!("/proc/{pid}/fd")).is_ok(),
        }
    }

    /// How the process behind `pidfd`, which has ended, did so.
    pub(super) fn exit_status(&self, pid: u32, pidfd: &OwnedFd, obituaries: &mut ExitReports) -> ExitStatus {
        let limit = MonotonicTime::now().plus(REAP_TIMEOUT);
        if let Some(status) =
            pidfd_exit_status(pidfd).or_else(|| obituaries.status_of(pid)).or_else(|| self.zombie_status())
        {
            return from_wait_status(status);
        }
        while wait_for_reaping(pidfd, obituaries, limit) {
            if let Some(status) = pidfd_exit_status(pidfd).or_else(|| obituaries.status_of(pid)) {
                return from_wait_status(status);
            }
        }
        ExitStatus::Unknown
    }

    fn zombie_status(&self) -> Option<i32> {
        let mut text = [0; 1024];
        let length = self.stat.as_ref()?.read_at(&mut text, 0).ok()?;
        let stat = ProcStat::parse(&text[..length]).filter(ProcStat::is_dead)?;
        (stat.wait_status != 0 || self.is_readable).then_some(stat.wait_status)
    }
}

/// Waits until the process was reaped or the guard wrote; false at the limit, or when there is nothing more to come.
fn wait_for_reaping(pidfd: &OwnedFd, obituaries: &ExitReports, limit: MonotonicTime) -> bool {
    let left = limit.duration_since(MonotonicTime::now());
    let Ok(timeout) = Timespec::try_from(left) else { return false };
    let mut fds = [PollFd::new(pidfd, PollFlags::empty()), PollFd::new(&obituaries.0, PollFlags::IN)];
    if !matches!(poll(&mut fds, Some(&timeout)), Ok(1..)) {
        return false;
    }
    // Once reaped without a kept status (an older kernel), only the guard's word, which comes at once, can help.
    let reaped = fds[0].revents().contains(PollFlags::HUP);
    !reaped || pidfd_exit_status(pidfd).is_some() || fds[1].revents().contains(PollFlags::IN)
}

/// `struct pidfd_info` as of 6.15.
#[repr(C)]
#[derive(Default)]
struct PidfdInfo {
    mask: u64,
    cgroupid: u64,
    numbers: [u32; 11],
    exit_code: i32,
}

const PIDFD_INFO_EXIT: u64 = 1 << 3;

/// `_IOWR(0xFF, 11, struct pidfd_info)`.
const PIDFD_GET_INFO: u32 = 0xC040_FF0B;

/// The wait status that the kernel keeps once the process was reaped.
fn pidfd_exit_status(pidfd: &OwnedFd) -> Option<i32> {
    let mut info = PidfdInfo { mask: PIDFD_INFO_EXIT, ..PidfdInfo::default() };
    // SAFETY: the request names the size of the structure, which is ours and lives longer than the call.
    let asked = unsafe { libc::ioctl(pidfd.as_raw_fd(), PIDFD_GET_INFO as libc::Ioctl, &raw mut info) };
    (asked == 0 && info.mask & PIDFD_INFO_EXIT != 0).then_some(info.exit_code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_code_signal_and_core_apart() {
        assert_eq!(from_wait_status(0), ExitStatus::Code(0));
        assert_eq!(from_wait_status(3 << 8), ExitStatus::Code(3));
        assert_eq!(from_wait_status(9), ExitStatus::Signal(9));
        assert_eq!(from_wait_status(11 | 0x80), ExitStatus::Core(11));
        assert_eq!([ExitStatus::Code(2), ExitStatus::Signal(15)].map(shell_exit_code), [2, 143]);
    }

    #[test]
    fn the_structure_has_the_size_in_the_request() {
        assert_eq!(size_of::<PidfdInfo>(), 64);
    }
}
