//! Watching a process that was just started: does it live, does its port answer.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::supervise::meta::{self, How};
use crate::sys::host::Host;
use crate::sys::{net, process};

use super::attend::health::{self, Wellness};

/// A process and what is expected of it.
#[derive(Debug, Clone)]
pub(super) struct Watch {
    /// The child.
    pub(super) pid: u32,
    /// Its port.
    pub(super) port: Option<u16>,
    /// It was asked for, so waiting for it is worth more than the settle window.
    pub(super) explicit: bool,
    /// Its folder, if somebody looks after its health.
    pub(super) health: Option<PathBuf>,
    /// It is a task, and its end is waited for.
    pub(super) until_end: bool,
}

/// What was seen of a start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// It is healthy, or said that it is ready.
    Healthy,
    /// It lives and has not become healthy in time.
    NotHealthy,
    /// It listens on its port.
    Listening,
    /// It has lived through the settle window.
    Settled,
    /// It lives and has not opened its port in time.
    NotListening,
    /// The operator stopped watching.
    Interrupted,
    /// Nobody watched.
    Unwatched,
    /// It is a task, and has ended in this way.
    Ended(How),
    /// It ended.
    Dead,
}

/// Who lives for so long has settled.
pub const SETTLE: Duration = Duration::from_millis(500);

/// The longest wait for an explicit port.
pub const READINESS: Duration = Duration::from_secs(10);

/// After so long the operator is told what is waited for.
const TOLD_AFTER: Duration = Duration::from_secs(1);

/// The pause between two looks; longer where a look takes long.
const STEP: Duration = Duration::from_millis(1);

/// The same once the operator knows that it takes time.
const LONG_STEP: Duration = Duration::from_millis(5);

/// The pause between two searches for a stranger, which are dear.
const SEARCH: Duration = Duration::from_millis(100);

impl Seen {
    /// False for what runs and is not as it should be.
    #[must_use]
    pub fn is_ready(self) -> bool {
        match self {
            Self::Healthy | Self::Listening | Self::Settled | Self::Unwatched => true,
            Self::Ended(how) => how.is_success(),
            Self::NotHealthy | Self::NotListening | Self::Interrupted | Self::Dead => false,
        }
    }
}

impl Watch {
    /// Watches until the process listens, dies or has settled; ten seconds at most for an explicit port.
    pub(super) fn until_ready(&self, host: &dyn Host, say: &mut dyn FnMut(&str)) -> Seen {
        self.until_ready_since(Instant::now(), host, say)
    }

    /// The same for a process that was started before: its time counts from then.
    pub(super) fn until_ready_since(&self, begun: Instant, host: &dyn Host, say: &mut dyn FnMut(&str)) -> Seen {
        let Some(watching) = self.begin() else { return Seen::Dead };
        let mut watching = Watching { begun, ..watching };
        let mut told = false;
        loop {
            let look = Instant::now();
            if let Some(seen) = watching.look() {
                return seen;
            }
            if let Some(what) = self.awaited().filter(|_| !told && watching.begun.elapsed() >= TOLD_AFTER) {
                told = true;
                say(&format!("waiting for it to {what} (Ctrl-C stops the waiting only)"));
            }
            let step = if told { LONG_STEP } else { STEP };
            if !host.pause(step.max(look.elapsed() * 2)) {
                return Seen::Interrupted;
            }
        }
    }

    /// What is waited for, if it may take long.
    fn awaited(&self) -> Option<String> {
        match (&self.health, self.port.filter(|_| self.explicit)) {
            _ if self.until_end => Some("end".to_owned()),
            (Some(_), _) => Some("become healthy".to_owned()),
            (None, port) => port.map(|port| format!("listen on port {port}")),
        }
    }

    /// Begins to watch; none if the process is dead already.
    pub(super) fn begin(&self) -> Option<Watching> {
        let child = process::stat(self.pid)?;
        Some(Watching { watch: self.clone(), child, begun: Instant::now(), searched: None })
    }
}

/// A process that is being watched.
#[derive(Debug)]
pub(super) struct Watching {
    watch: Watch,
    child: process::Stat,
    begun: Instant,
    /// When all processes were searched for the listener.
    searched: Option<Instant>,
}

impl Watching {
    /// Looks once; what was seen, if there is no more to wait for.
    pub(super) fn look(&mut self) -> Option<Seen> {
        if !process::is_same(self.child.pid, self.child.start_ticks) {
            return Some(Seen::Dead);
        }
        if self.watch.until_end {
            return None;
        }
        let Some(dir) = &self.watch.health else { return self.look_at_port() };
        let meta = meta::read(dir).ok().flatten()?;
        let health = health::of_life(dir, &meta)?;
        let patience = READINESS.max(Duration::from_millis(meta.run.care.health_grace_ms));
        match health.status {
            Wellness::Healthy => Some(Seen::Healthy),
            Wellness::Unhealthy => Some(Seen::NotHealthy),
            Wellness::Starting if self.begun.elapsed() >= patience => Some(Seen::NotHealthy),
            Wellness::Starting => None,
        }
    }

    fn look_at_port(&mut self) -> Option<Seen> {
        let Self { watch, child, begun, searched } = self;
        // What it started belongs to it, also when its own parent has become another.
        if watch.port.is_some_and(|port| listens(port, child, searched)) {
            return Some(Seen::Listening);
        }
        let waited = begun.elapsed();
        match watch.port.filter(|_| watch.explicit) {
            None if waited >= SETTLE => Some(Seen::Settled),
            Some(_) if waited >= READINESS => Some(Seen::NotListening),
            _ => None,
        }
    }
}

/// True if the process or what it started waits for datagrams on `port`: then nobody will ever listen. Looked at as seldom as for a
/// stranger: most wait for connections, and soon do.
fn is_bound(port: u16, child: &process::Stat, searched: &mut Option<Instant>) -> bool {
    if searched.is_some_and(|last| last.elapsed() < SEARCH) {
        return false;
    }
    *searched = Some(Instant::now());
    let inodes: Vec<u64> = net::bound_on(port).iter().map(|socket| socket.inode).collect();
    !inodes.is_empty() && net::holder_below(child.pid, &inodes).is_some()
}

/// True if the process or what it started listens on `port`. A listener whose process we may not see counts as ours: the port was
/// free before. `searched` remembers the last search through all processes.
fn listens(port: u16, child: &process::Stat, searched: &mut Option<Instant>) -> bool {
    let inodes: Vec<u64> = net::listening_on(port).iter().map(|listener| listener.inode).collect();
    if inodes.is_empty() {
        return is_bound(port, child, searched);
    }
    if net::holder_below(child.pid, &inodes).is_some() {
        return true;
    }
    if searched.is_some_and(|last| last.elapsed() < SEARCH) {
        return false;
    }
    *searched = Some(Instant::now());
    match net::owner(inodes[0]) {
        // Its parent may have ended: then it is in the tree of our child's supervisor, or at least in our child's session.
        Some(owner) => process::stat(owner.pid).is_some_and(|stat| stat.session == child.session),
        None => true,
    }
}
