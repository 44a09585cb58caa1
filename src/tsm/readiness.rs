//! Watching a process that was just started: does it live, does its port answer.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::supervise::meta::{self, ExitStatus, StopCause};
use crate::supervise::monitor_spec::MonitorSpec;
use crate::sys::host::Host;
use crate::sys::{net, process};

use super::progress::{OnProgress, Progress};
use super::sidecar::health::{self, HealthStatus};

/// A process and what is expected of it.
#[derive(Debug, Clone)]
pub(super) struct ReadinessWatcher {
    /// The child.
    pub(super) pid: u32,
    /// Its port.
    pub(super) port: Option<u16>,
    /// It was asked for, so waiting for it is worth more than the settle window.
    pub(super) explicit: bool,
    /// Its directory.
    pub(super) dir: PathBuf,
    /// What a sidecar says of its health.
    pub(super) health: HealthSource,
    /// It is a task, and its end is waited for.
    pub(super) until_end: bool,
}

/// How a sidecar knows that a process is ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HealthSource {
    /// There is none.
    None,
    /// It checks the health.
    Check,
    /// The process sends it a message.
    Message,
}

impl HealthSource {
    pub(super) fn of(monitor: &MonitorSpec) -> Self {
        match (monitor.health.is_empty(), monitor.notify) {
            (false, _) => Self::Check,
            (true, true) => Self::Message,
            (true, false) => Self::None,
        }
    }

    /// What is seen of a process of which this says nothing in time.
    fn missed(self) -> Readiness {
        if self == Self::Message { Readiness::NotReported } else { Readiness::NotHealthy }
    }
}

/// What was seen of a start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readiness {
    /// It is healthy, or said that it is ready.
    Healthy,
    /// It lives and has not become healthy in time.
    NotHealthy,
    /// It lives and has not said in time that it is ready.
    NotReported,
    /// It listens on its port.
    Listening,
    /// It has lived through the settle window.
    Stable,
    /// It lives and has not opened its port in time.
    NotListening,
    /// The operator stopped watching.
    Interrupted,
    /// It was not watched.
    NotChecked,
    /// It is a task, and has ended in this way.
    Ended(ExitStatus),
    /// It ended.
    Dead,
}

/// What a process has not done that is [`Readiness::NotReported`].
pub const NOT_REPORTED: &str = "has not reported that it is ready yet (`READY=1` to $NOTIFY_SOCKET)";

/// Who lives for so long has settled.
pub const STABLE_AFTER: Duration = Duration::from_millis(500);

/// The longest wait for an explicit port.
pub const READINESS_TIMEOUT: Duration = Duration::from_secs(10);

/// How long the supervisor may take to write down how a process ended.
pub(super) const EXIT_RECORD_TIMEOUT: Duration = Duration::from_secs(3);

/// After so long the operator sees what is waited for.
const PROGRESS_DELAY: Duration = Duration::from_secs(1);

/// The pause between two looks; longer where a look takes long.
const POLL_INTERVAL: Duration = Duration::from_millis(1);

/// The same once the operator knows that it takes time.
const SLOW_POLL_INTERVAL: Duration = Duration::from_millis(5);

/// The pause between two searches for a stranger, which are dear.
const OWNER_SEARCH_INTERVAL: Duration = Duration::from_millis(100);

impl Readiness {
    /// False for what runs and is not as it should be.
    #[must_use]
    pub fn is_ready(self) -> bool {
        match self {
            Self::Healthy | Self::Listening | Self::Stable | Self::NotChecked => true,
            Self::Ended(how) => how.is_success(),
            Self::NotHealthy | Self::NotReported | Self::NotListening | Self::Interrupted | Self::Dead => false,
        }
    }
}

impl ReadinessWatcher {
    /// Watches until the process listens, dies or has settled; ten seconds at most for an explicit port.
    pub(super) fn until_ready(&self, host: &dyn Host, on_progress: &mut OnProgress) -> Readiness {
        self.until_ready_since(Instant::now(), host, on_progress)
    }

    /// The same for a process that was started before: its time counts from then.
    pub(super) fn until_ready_since(&self, begun: Instant, host: &dyn Host, on_progress: &mut OnProgress) -> Readiness {
        let Some(poll) = self.begin() else { return Readiness::Dead };
        let mut watching = ReadinessPoll { begun, run_begun: begun, ..poll };
        let mut announced = false;
        loop {
            let look = Instant::now();
            if let Some(seen) = watching.poll() {
                return seen;
            }
            if let Some(expected) = self.awaited().filter(|_| !announced && watching.begun.elapsed() >= PROGRESS_DELAY)
            {
                announced = true;
                on_progress(Progress::Waiting { expected });
            }
            let step = if announced { SLOW_POLL_INTERVAL } else { POLL_INTERVAL };
            if !host.sleep(step.max(look.elapsed() * 2)) {
                return Readiness::Interrupted;
            }
        }
    }

    /// What is waited for, if it may take long.
    fn awaited(&self) -> Option<String> {
        match (self.health, self.port.filter(|_| self.explicit)) {
            _ if self.until_end => Some("end".to_owned()),
            (HealthSource::Check, _) => Some("become healthy".to_owned()),
            (HealthSource::Message, _) => Some("report that it is ready".to_owned()),
            (HealthSource::None, port) => port.map(|port| format!("listen on port {port}")),
        }
    }

    /// Begins to watch; none if the process is dead already.
    pub(super) fn begin(&self) -> Option<ReadinessPoll> {
        let child = process::stat(self.pid)?;
        let now = Instant::now();
        Some(ReadinessPoll { watch: self.clone(), child, begun: now, run_begun: now, gone: None, searched: None })
    }
}

/// A process that is being watched.
#[derive(Debug)]
pub(super) struct ReadinessPoll {
    watch: ReadinessWatcher,
    child: process::ProcessStat,
    begun: Instant,
    /// When this run of it began, where it was restarted meanwhile.
    run_begun: Instant,
    /// Since when this run is seen to have ended.
    gone: Option<Instant>,
    /// When all processes were searched for the listener.
    searched: Option<Instant>,
}

impl ReadinessPoll {
    /// Looks once; what was seen, if there is no more to wait for.
    pub(super) fn poll(&mut self) -> Option<Readiness> {
        if !process::is_same(self.child.pid, self.child.start_ticks) {
            return self.follow();
        }
        if self.watch.until_end {
            return None;
        }
        if self.watch.health == HealthSource::None {
            return self.poll_port();
        }
        let dir = &self.watch.dir;
        let meta = meta::read(dir).ok().flatten()?;
        let health = health::for_run(dir, &meta)?;
        let patience = READINESS_TIMEOUT.max(Duration::from_millis(meta.run.monitor.health_grace_ms));
        match health.status {
            HealthStatus::Healthy => Some(Readiness::Healthy),
            HealthStatus::Unhealthy => Some(Readiness::NotHealthy),
            HealthStatus::Starting if self.begun.elapsed() >= patience => Some(self.watch.health.missed()),
            HealthStatus::Starting => None,
        }
    }

    /// What has become of a run that ended. One that its clock or a changed file ended has not failed: the next is watched.
    fn follow(&mut self) -> Option<Readiness> {
        let gone = self.gone.get_or_insert_with(Instant::now).elapsed();
        let Ok(Some(meta)) = meta::read(&self.watch.dir) else { return Some(Readiness::Dead) };
        if meta.pid == self.watch.pid && !meta.state.is_final() {
            // It is not written down yet how it ended.
            return (gone >= EXIT_RECORD_TIMEOUT).then_some(Readiness::Dead);
        }
        let cause = meta.last_exit.as_ref().and_then(|exit| exit.origin.as_ref()).map(|origin| origin.cause);
        let goes_on = matches!(cause, Some(StopCause::Schedule | StopCause::Watch)) && !meta.state.is_final();
        if !goes_on || gone >= READINESS_TIMEOUT {
            return Some(Readiness::Dead);
        }
        if let Some(child) = process::stat(meta.pid).filter(|_| meta.pid != 0) {
            self.watch.pid = meta.pid;
            (self.child, self.run_begun, self.gone, self.searched) = (child, Instant::now(), None, None);
        }
        None
    }

    fn poll_port(&mut self) -> Option<Readiness> {
        let Self { watch, child, begun, run_begun, searched, .. } = self;
        // What it started belongs to it, also when its own parent has become another.
        if watch.port.is_some_and(|port| listens(port, child, searched)) {
            return Some(Readiness::Listening);
        }
        let waited = begun.elapsed();
        match watch.port.filter(|_| watch.explicit) {
            None if run_begun.elapsed() >= STABLE_AFTER || waited >= READINESS_TIMEOUT => Some(Readiness::Stable),
            Some(_) if waited >= READINESS_TIMEOUT => Some(Readiness::NotListening),
            _ => None,
        }
    }
}

/// True if the process or what it started waits for datagrams on `port`: then it will never listen. Looked at as seldom as for a
/// stranger: most wait for connections, and soon do.
fn is_bound(port: u16, child: &process::ProcessStat, searched: &mut Option<Instant>) -> bool {
    if searched.is_some_and(|last| last.elapsed() < OWNER_SEARCH_INTERVAL) {
        return false;
    }
    *searched = Some(Instant::now());
    let inodes: Vec<u64> = net::bound_on(port).iter().map(|socket| socket.inode).collect();
    !inodes.is_empty() && net::listener_in_tree(child.pid, &inodes).is_some()
}

/// True if the process or what it started listens on `port`. A listener whose process we may not see counts as ours: the port was
/// free before. `searched` remembers the last search through all processes.
fn listens(port: u16, child: &process::ProcessStat, searched: &mut Option<Instant>) -> bool {
    let inodes: Vec<u64> = net::listening_on(port).iter().map(|listener| listener.inode).collect();
    if inodes.is_empty() {
        return is_bound(port, child, searched);
    }
    if net::listener_in_tree(child.pid, &inodes).is_some() {
        return true;
    }
    if searched.is_some_and(|last| last.elapsed() < OWNER_SEARCH_INTERVAL) {
        return false;
    }
    *searched = Some(Instant::now());
    match net::owner(inodes[0]) {
        // Its parent may have ended: then it is in the tree of our child's supervisor, or at least in our child's session.
        Some(owner) => process::stat(owner.pid).is_some_and(|stat| stat.session == child.session),
        None => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_seen_in_time_is_what_was_waited_for() {
        let spec = |health: &str, notify| MonitorSpec { health: health.to_owned(), notify, ..MonitorSpec::default() };
        for (spec, missed) in [
            (spec("tcp://localhost:1", false), Readiness::NotHealthy),
            (spec("tcp://localhost:1", true), Readiness::NotHealthy),
            (spec("", true), Readiness::NotReported),
        ] {
            assert_eq!(HealthSource::of(&spec).missed(), missed, "{spec:?}");
            assert!(!missed.is_ready());
        }
    }
}
