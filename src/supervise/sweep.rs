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
use super::proc::{self, Identity, Reach, Stat};
use super::whose::{self, Mark};

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
    /// The marks of the life and of the one before it, as far as they are known.
    pub(super) marks: Vec<Mark>,
    /// The children of those lives, by which their sessions are known.
    pub(super) roots: Vec<Identity>,
    /// The users that they may run as.
    pub(super) users: [u32; 2],
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

    pub(super) fn identity(&self) -> Identity {
        Identity { pid: self.pid, start_ticks: self.start_ticks }
    }

    /// A handle on exactly this process, if it still lives and a descriptor is to be had.
    pub(super) fn handle(&self) -> Option<OwnedFd> {
        let pidfd = proc::handle(self.pid).ok()?;
        self.lives().then_some(pidfd)
    }

    fn lives(&self) -> bool {
        proc::is_alive(&self.identity())
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

/// What is left of a life, and handles on some of it, to wait for: no more than leave descriptors for other work.
#[derive(Debug, Default)]
pub(super) struct Left {
    pub(super) found: Vec<Found>,
    pub(super) handles: Vec<OwnedFd>,
}

impl Left {
    fn hold(found: Vec<Found>) -> Self {
        const SOME: usize = 24;
        let handles = found.iter().filter_map(Found::handle).take(SOME).collect();
        Self { found, handles }
    }

    /// Something is left, and nothing of it can be waited for.
    pub(super) fn is_unheld(&self) -> bool {
        self.handles.is_empty() && !self.found.is_empty()
    }
}

/// One look at the processes there are.
#[derive(Debug, Default)]
struct Look {
    found: Vec<Found>,
    /// Those that ended while they were looked at: what they had started may be somewhere else now, unseen.
    gone: Vec<u32>,
}

impl Look {
    /// Adds a process; false if it does not live.
    fn add(&mut self, pid: u32) -> bool {
        let Some(stat) = Stat::of(pid).filter(|stat| !stat.is_dead()) else {
            self.gone.push(pid);
            return false;
        };
        if self.found.iter().all(|known| known.pid != pid) {
            self.found.push(Found::new(pid, &stat));
        }
        true
    }
}

/// More looks than this are not taken for the sake of those that end meanwhile; elsewhere on the machine there may be many.
const LOOKS: usize = 8;

impl Quarry<'_> {
    /// Everything alive that belongs to the life, its child included; parents come before what they started.
    pub(super) fn find(&self) -> Vec<Found> {
        let mut known = Vec::new();
        for _ in 1..LOOKS {
            let look = self.look();
            if !look.found.is_empty() || look.gone.iter().all(|pid| known.contains(pid)) {
                return look.found;
            }
            known.extend(look.gone);
        }
        self.look().found
    }

    /// The same with handles. What ends between the look and its handle would wake nobody: then it is looked again.
    pub(super) fn hold(&self) -> Left {
        let mut left = Left::hold(self.find());
        for _ in 1..LOOKS {
            if !left.is_unheld() {
                break;
            }
            left = Left::hold(self.find());
        }
        left
    }

    fn look(&self) -> Look {
        let mut look = Look::default();
        let told = self.climb(self.top, &mut look);
        if self.ground == Ground::Everywhere || !told {
            self.look_everywhere(&mut look);
            for pid in self.cgroup.map(Cgroup::members).unwrap_or_default() {
                if self.may_be_ours(pid) {
                    look.add(pid);
                }
            }
        }
        look
    }

    /// Adds what lives below `parent`; false when the kernel does not tell children.
    fn climb(&self, parent: u32, look: &mut Look) -> bool {
        if parent <= 1 {
            // Below the first process is everything there is; no guard is that process.
            return false;
        }
        let Ok(tasks) = fs::read_dir(format!("/proc/{parent}/task")) else {
            look.gone.push(parent);
            return true;
        };
        for task in tasks.flatten() {
            let Ok(children) = fs::read_to_string(task.path().join("children")) else {
                // A thread that ended meanwhile is no loss; a kernel that does not know the file is.
                if task.path().exists() {
                    return false;
                }
                look.gone.extend(task.file_name().to_str().and_then(|thread| thread.parse::<u32>().ok()));
                continue;
            };
            for pid in children.split_ascii_whitespace().filter_map(|pid| pid.parse().ok()) {
                if pid == std::process::id() || self.may_be_ours(pid) && look.add(pid) {
                    self.climb(pid, look);
                }
            }
        }
        true
    }

    fn look_everywhere(&self, look: &mut Look) {
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        for pid in entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok()) {
            match Stat::of(pid).filter(|stat| !stat.is_dead()) {
                None => look.gone.push(pid),
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
            && pid != self.top
            && whose::supervisor_of(pid).is_none()
            && (self.marks.iter().any(|mark| mark.is_on(pid)) || !whose::is_of_another(pid, self.dir))
    }

    fn is_ours(&self, pid: u32, stat: &Stat) -> bool {
        // A number that somebody else has by now was free before: then nothing was left of that session.
        let is_still = |root: &Identity| Identity::of(root.pid).is_none_or(|now| now == *root);
        let in_session =
            |root: &Identity| stat.session == root.pid && stat.start_ticks >= root.start_ticks && is_still(root);
        self.roots.iter().any(in_session) || self.is_marked(pid) || self.holds_a_fifo(pid)
    }

    /// Any life of this directory counts: whenever something is looked for, none goes on.
    fn is_marked(&self, pid: u32) -> bool {
        let own = || whose::user_of(pid).is_some_and(|user| self.users.contains(&user));
        self.marks.iter().any(|mark| mark.is_on(pid)) || whose::names_home(pid, self.dir) && own()
    }

    fn holds_a_fifo(&self, pid: u32) -> bool {
        [1, 2].iter().any(|fd| {
            fs::metadata(format!("/proc/{pid}/fd/{fd}"))
                .is_ok_and(|file| self.fifos.contains(&(file.dev(), file.ino())))
        })
    }
}
