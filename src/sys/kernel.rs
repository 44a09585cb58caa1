//! What the kernel says about itself: limits, the clock, its log. Looks only.

use std::fs::{self, OpenOptions};
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;

use rustix::process::{Resource, getrlimit};

/// The open files that one of our processes may have: now, and at most. None stands for no limit.
#[must_use]
pub fn open_files() -> (Option<u64>, Option<u64>) {
    let limit = getrlimit(Resource::Nofile);
    (limit.current, limit.maximum)
}

/// The processes that our user may have. None stands for no limit.
#[must_use]
pub fn processes() -> Option<u64> {
    getrlimit(Resource::Nproc).current
}

/// A number below `/proc/sys`; none where it is not told.
#[must_use]
pub fn setting(name: &str) -> Option<u64> {
    fs::read_to_string(format!("/proc/sys/{name}")).ok()?.trim().parse().ok()
}

/// Whether somebody keeps the clock right; none where the kernel does not say.
#[must_use]
pub fn clock_is_kept() -> Option<bool> {
    // SAFETY: all zeros is a valid request, and with no mode set it only asks.
    let mut answer: libc::timex = unsafe { std::mem::zeroed() };
    // SAFETY: the kernel fills the structure, which lives for the call.
    let state = unsafe { libc::adjtimex(&raw mut answer) };
    (state >= 0).then(|| answer.status & libc::STA_UNSYNC == 0)
}

/// True if systemd is the first process.
#[must_use]
pub fn runs_systemd() -> bool {
    fs::metadata("/run/systemd/system").is_ok_and(|it| it.is_dir())
}

/// Records of the kernel's log that are read, at most.
const MOST_RECORDS: usize = 20_000;

/// Whether the kernel's log tells that `pid` was killed for lack of memory; none where the log may not be read. The log forgets,
/// and a pid may have been another's before: `since_ms` after boot older records are left out.
#[must_use]
pub fn killed_for_memory(pid: u32, since_ms: u64) -> Option<bool> {
    let flags = libc::O_NONBLOCK | libc::O_CLOEXEC;
    let mut log = OpenOptions::new().read(true).custom_flags(flags).open("/dev/kmsg").ok()?;
    let mut buffer = vec![0; 8192];
    for _ in 0..MOST_RECORDS {
        match log.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) if tells_kill(&String::from_utf8_lossy(&buffer[..length]), pid, since_ms) => return Some(true),
            // A record that was overwritten meanwhile.
            Err(error) if error.raw_os_error() == Some(libc::EPIPE) => {}
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => break,
            Err(_) => return None,
            Ok(_) => {}
        }
    }
    Some(false)
}

/// `6,1234,5678901,-;Out of memory: Killed process 77 (node) …`: the third field is microseconds since boot.
fn tells_kill(record: &str, pid: u32, since_ms: u64) -> bool {
    let Some((head, text)) = record.split_once(';') else { return false };
    let micros: u64 = head.split(',').nth(2).and_then(|field| field.parse().ok()).unwrap_or(0);
    let Some((_, rest)) = text.split_once("Killed process ") else { return false };
    let killed = rest.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default();
    text.to_ascii_lowercase().contains("out of memory") && killed == pid.to_string() && micros / 1000 >= since_ms
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kill_for_memory_is_told_from_others() {
        let whole = "6,1,5000000,-;Out of memory: Killed process 77 (node) total-vm:1kB\n";
        let group = "6,1,5000000,-;Memory cgroup out of memory: Killed process 77 (node)\n";
        assert!(tells_kill(whole, 77, 4000) && tells_kill(group, 77, 0));
        assert!(!tells_kill(whole, 7, 0), "another pid");
        assert!(!tells_kill(whole, 77, 6000), "before the process was started");
        assert!(!tells_kill("6,1,5,-;Killed process 77 by somebody", 77, 0) && !tells_kill("", 77, 0));
    }

    #[test]
    fn limits_are_told() {
        assert!(open_files().0.is_none_or(|files| files > 0));
        assert!(setting("kernel/pid_max").is_some_and(|most| most > 1));
        assert_eq!(setting("kernel/no such thing"), None);
    }
}
