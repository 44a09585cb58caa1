//! What a life left behind: every process that the child started, wherever it went.
//!
//! Both guard and worker are subreapers, so as long as the guard that saw the start of a life lives, everything the life started
//! stays below the guard: its tree is the whole truth. After a guard was killed, descendants may be anybody's children; then
//! they are known by the session of the child, by the FIFOs they hold, by the mark in their environment, or by their control group.
//!
//! Another supervisor and what it supervises are never ours, even when they were started from within.

use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::cgroup::Cgroup;
use super::environment::{HOME, MARK};
use super::proc::{self, Identity, Reach, Stat, environment_of};

/// Where to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ground {
    /// The guard saw the whole life: below it is everything.
    Tree,
    /// It did not: every process is looked at.
    Everywhere,
}

/// What is looked for.
#[derive(Debug)]
pub(super) struct Quarry<'a> {
    pub(super) ground: Ground,
    /// The process directory, absolute.
    pub(super) dir: &'a Path,
    /// The guard, or the worker when there is none.
    pub(super) top: u32,
    /// `<id>.<nonce>` of the life.
    pub(super) mark: String,
    /// The child of that life, by which its session is known.
    pub(super) root: Option<Identity>,
    /// Device and inode of its FIFOs.
    pub(super) fifos: [(u64, u64); 2],
    /// Its control group, if it may have one.
    pub(super) cgroup: Option<&'a Cgroup>,
}

/// A process that was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) pid: u32,
    pub(super) start_ticks: u64,
    /// The group it belongs to.
    pub(super) group: u32,
    /// True when it leads its session.
    pub(super) leads: bool,
}

impl Found {
    fn new(pid: u32, stat: &Stat) -> Self {
        Self { pid, start_ticks: stat.start_ticks, group: stat.group, leads: stat.session == pid }
    }

    /// A handle on exactly this process, if it still lives and a descriptor is to be had.
    pub(super) fn handle(&self) -> Option<OwnedFd> {
        let pidfd = proc::handle(self.pid).ok()?;
        self.lives().then_some(pidfd)
    }

    fn lives(&self) -> bool {
        proc::is_alive(&Identity { pid: self.pid, start_ticks: self.start_ticks })
    }

    /// Sends a signal to exactly this process. It may have ended meanwhile, which is as good.
    pub(super) fn signal(&self, signal: i32) {
        match proc::handle(self.pid) {
            Ok(pidfd) if self.lives() => {
                let _ = proc::signal(&pidfd, signal, Reach::Process);
            }
            Err(error) if matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE)) && self.lives() => {
                // Without a descriptor to spare, the number must do; it was right an instant ago.
                let pid = i32::try_from(self.pid).unwrap_or(i32::MAX);
                // SAFETY: sends a signal; touches no memory.
                unsafe { libc::kill(pid, signal) };
            }
            Ok(_) | Err(_) => {}
        }
    }
}

/// Adds a process that lives and is not there yet.
fn add(pid: u32, found: &mut Vec<Found>) {
    if let Some(stat) = Stat::of(pid).filter(|stat| !stat.is_dead())
        && found.iter().all(|known| known.pid != pid)
    {
        found.push(Found::new(pid, &stat));
    }
}

/// Handles on some of them, to wait for: no more than leave descriptors for other work.
pub(super) fn handles(found: &[Found]) -> Vec<OwnedFd> {
    const SOME: usize = 24;
    found.iter().filter_map(Found::handle).take(SOME).collect()
}

impl Quarry<'_> {
    /// Everything alive that belongs to the life, its child included; parents come before what they started.
    pub(super) fn find(&self) -> Vec<Found> {
        let mut found = Vec::new();
        let told = self.climb(self.top, &mut found);
        if self.ground == Ground::Everywhere || !told {
            self.look_everywhere(&mut found);
            for pid in self.cgroup.map(Cgroup::members).unwrap_or_default() {
                if self.may_be_ours(pid) {
                    add(pid, &mut found);
                }
            }
        }
        found
    }

    /// Adds what lives below `parent`; false when the kernel does not tell children.
    fn climb(&self, parent: u32, found: &mut Vec<Found>) -> bool {
        if parent <= 1 {
            // Below the first process is everything there is; no guard is that process.
            return false;
        }
        let Ok(tasks) = fs::read_dir(format!("/proc/{parent}/task")) else { return true };
        for task in tasks.flatten() {
            let Ok(children) = fs::read_to_string(task.path().join("children")) else {
                // A thread that ended meanwhile is no loss; a kernel that does not know the file is.
                if task.path().exists() {
                    return false;
                }
                continue;
            };
            for pid in children.split_ascii_whitespace().filter_map(|pid| pid.parse().ok()) {
                if pid == std::process::id() {
                    self.climb(pid, found);
                } else if self.may_be_ours(pid) {
                    add(pid, found);
                    self.climb(pid, found);
                }
            }
        }
        true
    }

    fn look_everywhere(&self, found: &mut Vec<Found>) {
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        for pid in entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok()) {
            let stat = Stat::of(pid).filter(|stat| !stat.is_dead());
            if stat.is_some_and(|stat| self.is_ours(pid, &stat)) && self.may_be_ours(pid) {
                add(pid, found);
            }
        }
    }

    /// False for guard and worker, for other supervisors, and for what those started.
    fn may_be_ours(&self, pid: u32) -> bool {
        pid != std::process::id() && pid != self.top && !self.is_foreign(pid)
    }

    fn is_ours(&self, pid: u32, stat: &Stat) -> bool {
        if let Some(root) = self.root {
            if stat.start_ticks < root.start_ticks {
                return false;
            }
            if stat.session == root.pid {
                return true;
            }
        }
        self.is_marked(pid) || self.holds_a_fifo(pid)
    }

    /// Any life of this directory counts: whenever something is looked for, none goes on.
    fn is_marked(&self, pid: u32) -> bool {
        environment_of(pid, HOME).is_some_and(|home| self.is_home(&home)) || self.has_mark(pid)
    }

    fn has_mark(&self, pid: u32) -> bool {
        environment_of(pid, MARK).is_some_and(|mark| mark == self.mark.as_bytes())
    }

    fn holds_a_fifo(&self, pid: u32) -> bool {
        [1, 2].iter().any(|fd| {
            fs::metadata(format!("/proc/{pid}/fd/{fd}"))
                .is_ok_and(|file| self.fifos.contains(&(file.dev(), file.ino())))
        })
    }

    /// True for another supervisor, and for what another one started. (What has our mark under another name was started
    /// before the directory was moved.)
    fn is_foreign(&self, pid: u32) -> bool {
        let command = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let supervisor = command.split(|byte| *byte == 0).nth(1).is_some_and(|word| word == super::FLAG.as_bytes());
        supervisor || environment_of(pid, HOME).is_some_and(|home| !self.is_home(&home)) && !self.has_mark(pid)
    }

    fn is_home(&self, home: &[u8]) -> bool {
        home == self.dir.as_os_str().as_encoded_bytes()
    }
}
