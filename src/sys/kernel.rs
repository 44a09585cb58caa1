//! What the kernel says about itself: limits, the clock, its log. Looks only.

use std::fs::{self, OpenOptions};
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;

use rustix::process::{Resource, getrlimit};

/// The open files that one of our processes may have: now, and at most. None means no limit.
#[must_use]
pub fn open_files() -> (Option<u64>, Option<u64>) {
    let limit = getrlimit(Resource::Nofile);
    (limit.current, limit.maximum)
}

/// The processes that our user may have. None means no limit.
#[must_use]
pub fn processes() -> Option<u64> {
    getrlimit(Resource::Nproc).current
}

/// A number below `/proc/sys`; none where it is not reported.
#[must_use]
pub fn sysctl(name: &str) -> Option<u64> {
    fs::read_to_string(format!("/proc/sys/{name}")).ok()?.trim().parse().ok()
}

/// Whether the clock is synchronized; none where the kernel does not say.
#[must_use]
pub fn clock_is_synchronized() -> Option<bool> {
    // SAFETY: all zeros is a valid request, and with no mode set it only asks.
    let mut answer: libc::timex = unsafe { std::mem::zeroed() };
    // SAFETY: the kernel fills the structure, which lives for the call.
    let state = unsafe { libc::adjtimex(&raw mut answer) };
    (state >= 0).then_some(answer.status & libc::STA_UNSYNC == 0)
}

/// The name of this machine; empty where it has none.
#[must_use]
pub fn hostname() -> String {
    nix::unistd::gethostname().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// Eight hexadecimal digits that no other call gives.
#[must_use]
pub fn random_token() -> String {
    fs::read_to_string("/proc/sys/kernel/random/uuid").unwrap_or_default().chars().take(8).collect()
}

/// True if systemd is the first process.
#[must_use]
pub fn runs_systemd() -> bool {
    fs::metadata("/run/systemd/system").is_ok_and(|it| it.is_dir())
}

/// Records of the kernel's log that are read, at most.
const MAX_RECORDS: usize = 20_000;

/// A process that the kernel killed for lack of memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OomKill {
    /// The pid that it had.
    pub pid: u32,
    /// The name of its program, at most 15 bytes.
    pub program: String,
    /// When, in milliseconds since boot.
    pub at_ms: u64,
}

/// Whom the kernel killed for lack of memory, as far as its log goes back; none where the log may not be read.
#[must_use]
pub fn oom_kills() -> Option<Vec<OomKill>> {
    let flags = libc::O_NONBLOCK | libc::O_CLOEXEC;
    let mut log = OpenOptions::new().read(true).custom_flags(flags).open("/dev/kmsg").ok()?;
    let mut buffer = vec![0; 8192];
    let mut kills = Vec::new();
    for _ in 0..MAX_RECORDS {
        match log.read(&mut buffer) {
            Ok(0) => break,
            // A record that was overwritten meanwhile.
            Err(error) if error.raw_os_error() == Some(libc::EPIPE) => {}
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => break,
            Err(_) => return None,
            Ok(length) => kills.extend(parse_oom_kill(&String::from_utf8_lossy(&buffer[..length]))),
        }
    }
    Some(kills)
}

/// `6,1234,5678901,-;Output of memory: Killed process 77 (node) …`: the third field is microseconds since boot.
fn parse_oom_kill(record: &str) -> Option<OomKill> {
    let (head, text) = record.split_once(';')?;
    let micros: u64 = head.split(',').nth(2)?.parse().ok()?;
    let (why, rest) = text.split_once("Killed process ")?;
    let (pid, rest) = rest.split_once(" (")?;
    let (program, _) = rest.split_once(')')?;
    why.to_ascii_lowercase().contains("out of memory").then_some(())?;
    Some(OomKill { pid: pid.parse().ok()?, program: program.to_owned(), at_ms: micros / 1000 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kill_for_memory_is_distinguished_from_others() {
        let kill = Some(OomKill { pid: 77, program: "node".to_owned(), at_ms: 5000 });
        for text in [
            "6,1,5000000,-;Out of memory: Killed process 77 (node) total-vm:1kB\n",
            "6,1,5000000,-;Memory cgroup out of memory: Killed process 77 (node)\n",
        ] {
            assert_eq!(parse_oom_kill(text), kill);
        }
        for text in ["6,1,5,-;Killed process 77 (node) by another", "6,1,5,-;Out of memory", ""] {
            assert_eq!(parse_oom_kill(text), None);
        }
    }

    #[test]
    fn limits_are_reported() {
        assert!(open_files().0.is_none_or(|files| files > 0));
        assert!(sysctl("kernel/pid_max").is_some_and(|most| most > 1));
        assert_eq!(sysctl("kernel/no such thing"), None);
    }
}
