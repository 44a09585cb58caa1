//! What a life left behind: every process that the child started, wherever it went.
//!
//! Both guard and worker are subreapers, so as long as the guard that saw the start of a life lives, everything the life started
//! stays below the guard: its tree is the whole truth. After a guard was killed, descendants may be anybody's children; then
//! they are known by the session of the child, by the FIFOs they hold, by their control group, by the mark of the life in their
//! environment, and by the name of the directory there if they also run as the user of the life.
//!
//! Another supervisor and what it supervises are never ours, even when they were started from within.

use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::cgroup::Cgroup;
use super::ownership::{self, RunMarker};
use super::proc::{self, ProcStat, ProcessIdentity, SignalTarget};

/// Where to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Search {
    /// The guard saw the whole life: below it is everything.
    Tree,
    /// It did not: every process is looked at.
    AllProcesses,
}

/// What is looked for.
#[derive(Debug)]
pub(super) struct SweepScope<'a> {
    pub(super) search: Search,
    /// The process directory, absolute.
    pub(super) dir: &'a Path,
    /// The guard, or the worker when there is none.
    pub(super) tree_root: u32,
    /// The marks of the life and of the one before it, as far as they are known.
    pub(super) markers: Vec<RunMarker>,
    /// The children of those lives, by which their sessions are known.
    pub(super) roots: Vec<ProcessIdentity>,
    /// The users that they may run as.
    pub(super) users: [u32; 2],
    /// Device and inode of its FIFOs.
    pub(super) fifos: [(u64, u64); 2],
    /// Its control group, if it may have one.
    pub(super) cgroup: Option<&'a Cgroup>,
}

/// A process that was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stray {
    pub(super) pid: u32,
    pub(super) start_ticks: u64,
    /// The group it belongs to.
    pub(super) group: u32,
    /// True when it leads its session.
    pub(super) is_session_leader: bool,
}

impl Stray {
    fn new(pid: u32, stat: &ProcStat) -> Self {
        Self { pid, start_ticks: stat.start_ticks, group: stat.group, is_session_leader: stat.session == pid }
    }

    pub(super) fn identity(&self) -> ProcessIdentity {
        ProcessIdentity { pid: self.pid, start_ticks: self.start_ticks }
    }

    /// A handle on exactly this process, if it still lives and a descriptor is to be had.
    pub(super) fn open_pidfd(&self) -> Option<OwnedFd> {
        let pidfd = proc::open_pidfd(self.pid).ok()?;
        self.is_alive().then_some(pidfd)
    }

    fn is_alive(&self) -> bool {
        proc::is_alive(&self.identity())
    }

    /// Sends a signal to exactly this process. It may have ended meanwhile, which is as good.
    pub(super) fn signal(&self, signal: i32) {
        match proc::open_pidfd(self.pid) {
            Ok(pidfd) if self.is_alive() => {
                let _ = proc::signal(&pidfd, signal, SignalTarget::Process);
            }
            Err(error) if matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE)) && self.is_alive() => {
                // Without a descriptor to spare, the number must do; it was right an instant ago.
                let pid = i32::try_from(self.pid).unwrap_or(i32::MAX);
                // SAFETY: sends a signal; touches no memory.
                unsafe { libc::kill(pid, signal) };
            }
            Ok(_) | Err(_) => {}
        }
    }
}

/// What is left of a life, and handles on some of it, to wait for: no more than leave descriptors for other work.
#[derive(Debug, Default)]
pub(super) struct PinnedStrays {
    pub(super) strays: Vec<Stray>,
    pub(super) pidfds: Vec<OwnedFd>,
}

impl PinnedStrays {
    fn pin(found: Vec<Stray>) -> Self {
        const SOME: usize = 24;
        let handles = found.iter().filter_map(Stray::open_pidfd).take(SOME).collect();
        Self { strays: found, pidfds: handles }
    }

    /// Something is left, and nothing of it can be waited for.
    pub(super) fn is_unpinned(&self) -> bool {
        self.pidfds.is_empty() && !self.strays.is_empty()
    }
}

/// One look at the processes there are.
#[derive(Debug, Default)]
struct SweepScan {
    strays: Vec<Stray>,
    /// Those that ended while they were looked at: what they had started may be somewhere else now, unseen.
    vanished: Vec<u32>,
}

impl SweepScan {
    /// Adds a process; false if it does not live.
    fn add(&mut self, pid: u32) -> bool {
        let Some(stat) = ProcStat::of(pid).filter(|stat| !stat.is_dead()) else {
            self.vanished.push(pid);
            return false;
        };
        if self.strays.iter().all(|known| known.pid != pid) {
            self.strays.push(Stray::new(pid, &stat));
        }
        true
    }
}

/// More looks than this are not taken for the sake of those that end meanwhile; elsewhere on the machine there may be many.
const MAX_SCANS: usize = 8;

impl SweepScope<'_> {
    /// Everything alive that belongs to the life, its child included; parents come before what they started.
    pub(super) fn find_strays(&self) -> Vec<Stray> {
        let mut known = Vec::new();
        for _ in 1..MAX_SCANS {
            let look = self.scan();
            if !look.strays.is_empty() || look.vanished.iter().all(|pid| known.contains(pid)) {
                return look.strays;
            }
            known.extend(look.vanished);
        }
        self.scan().strays
    }

    /// The same with handles. A process that ends between the scan and the opening of its handle would wake nothing: then the scan is repeated.
    pub(super) fn find_and_pin(&self) -> PinnedStrays {
        let mut left = PinnedStrays::pin(self.find_strays());
        for _ in 1..MAX_SCANS {
            if !left.is_unpinned() {
                break;
            }
            left = PinnedStrays::pin(self.find_strays());
        }
        left
    }

    fn scan(&self) -> SweepScan {
        let mut look = SweepScan::default();
        let complete = self.walk_tree(self.tree_root, &mut look);
        if self.search == Search::AllProcesses || !complete {
            self.scan_proc(&mut look);
            for pid in self.cgroup.map(Cgroup::members).unwrap_or_default() {
                if self.may_be_ours(pid) {
                    look.add(pid);
                }
            }
        }
        look
    }

    /// Adds what lives below `parent`; false when the kernel does not tell children.
    fn walk_tree(&self, parent: u32, look: &mut SweepScan) -> bool {
        if parent <= 1 {
            // Below the first process is everything there is; no guard is that process.
            return false;
        }
        let Ok(tasks) = fs::read_dir(format!("/proc/{parent}/task")) else {
            look.vanished.push(parent);
            return true;
        };
        for task in tasks.flatten() {
            let Ok(children) = fs::read_to_string(task.path().join("children")) else {
                // A thread that ended meanwhile is not missed; a kernel that does not know the file is.
                if task.path().exists() {
                    return false;
                }
                look.vanished.extend(task.file_name().to_str().and_then(|thread| thread.parse::<u32>().ok()));
                continue;
            };
            for pid in children.split_ascii_whitespace().filter_map(|pid| pid.parse().ok()) {
                if pid == std::process::id() || self.may_be_ours(pid) && look.add(pid) {
                    self.walk_tree(pid, look);
                }
            }
        }
        true
    }

    fn scan_proc(&self, look: &mut SweepScan) {
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        for pid in entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok()) {
            match ProcStat::of(pid).filter(|stat| !stat.is_dead()) {
                None => look.vanished.push(pid),
                Some(stat) if self.is_ours(pid, &stat) && self.may_be_ours(pid) => {
                    look.add(pid);
                }
                Some(_) => {}
            }
        }
    }

    /// False for guard and worker, for other supervisors, and for what those started. (What has our mark under another name was
    /// started before the directory was moved.)
    fn may_be_ours(&self, pid: u32) -> bool {
        pid != std::process::id()
            && pid != self.tree_root
            && ownership::supervisor_of(pid).is_none()
            && (self.markers.iter().any(|mark| mark.is_set_on(pid)) || !ownership::belongs_to_other_run(pid, self.dir))
    }

    fn is_ours(&self, pid: u32, stat: &ProcStat) -> bool {
        // A number that another process has by now was free before: then nothing was left of that session.
        let is_still = |root: &ProcessIdentity| ProcessIdentity::of(root.pid).is_none_or(|now| now == *root);
        let in_session =
            |root: &ProcessIdentity| stat.session == root.pid && stat.start_ticks >= root.start_ticks && is_still(root);
        self.roots.iter().any(in_session) || self.has_marker(pid) || self.has_our_fifo_open(pid)
    }

    /// Any life of this directory counts: whenever something is looked for, none goes on.
    fn has_marker(&self, pid: u32) -> bool {
        let own = || ownership::user_of(pid).is_some_and(|user| self.users.contains(&user));
        self.markers.iter().any(|mark| mark.is_set_on(pid)) || ownership::names_process_dir(pid, self.dir) && own()
    }

    fn has_our_fifo_open(&self, pid: u32) -> bool {
        [1, 2].iter().any(|fd| {
            fs::metadata(format!("/proc/{pid}/fd/{fd}"))
                .is_ok_and(|file| self.fifos.contains(&(file.dev(), file.ino())))
        })
    }
}
