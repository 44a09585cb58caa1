//! Looking after a process: its health, its memory, its files, its schedule.
//!
//! The supervisor stays small and asleep; who needs more has a sidecar, a process of its own, which is this same program. It
//! gives the supervisor orders, writes what it knows into a file of the process directory, and ends when nobody supervises the
//! process any more. Whoever adopts the process starts another one. Two never look after the same process: a newer one ends an
//! older one.

pub mod cron;
mod file_watch;
pub mod glob;
pub mod health;
mod http;
pub mod probe;
mod socket;
pub mod zone;

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use crate::disk;
use crate::supervise::client::{self, ControlCommand};
use crate::supervise::events::{self, Event};
use crate::supervise::meta::{self, Meta, ProcessState, StopCause};
use crate::sys::credential_socket::CredentialSocket;
use crate::sys::host::Host;
use crate::sys::os_host::OsHost;
use crate::sys::pidfd::{KillSignal, PidFd};
use crate::sys::process::{self, ProcessTable};
use crate::sys::{child, daemonize, signal};

use file_watch::{CronTimer, FileWatcher};
use health::{Health, HealthStatus};
use probe::{HealthCheck, ProbeTarget};
pub(super) use socket::socket_of;

/// The word after the program's name that makes it a sidecar.
const FLAG: &str = "--attend";

/// The lock of the sidecar inside a process directory, with its pid in it.
const LOCK: &str = "attendant";

/// The socket on which a process says that it is ready.
pub const SOCKET: &str = "notify";

/// The process directory, when this process was started to attend it.
#[must_use]
pub fn requested_dir() -> Option<PathBuf> {
    let mut words = std::env::args_os().skip(1);
    let flagged = words.next().is_some_and(|word| word == FLAG);
    flagged.then(|| words.next().map(PathBuf::from)).flatten()
}

/// Starts the sidecar of the process in `dir`; one that is there is ended first. It listens when this returns.
///
/// # Errors
///
/// Fails if the program cannot be executed, or the directory does not allow it.
pub fn start(program: &Path, dir: &Path) -> io::Result<()> {
    daemonize::start(program, &[OsStr::new(FLAG), dir.as_os_str()])
}

/// True if the process in `dir` has a sidecar.
#[must_use]
pub fn is_running(dir: &Path) -> bool {
    daemonize::is_locked(&dir.join(LOCK))
}

/// Attends the process in `dir` until nobody supervises it.
#[must_use]
pub fn main(dir: &Path) -> ExitCode {
    signal::ignore_sigxfsz();
    match initialize(dir) {
        Ok(mut attendant) => {
            attendant.serve();
            ExitCode::SUCCESS
        }
        Err(why) => {
            // Whoever started us reads it; nobody else could.
            let _ = writeln!(io::stderr(), "{why}");
            ExitCode::FAILURE
        }
    }
}

/// Everything that can go wrong, then the step out of the starter's session.
fn initialize(dir: &Path) -> Result<Sidecar, String> {
    let meta = meta::read(dir).map_err(|error| error.to_string())?.ok_or("the record does not exist")?;
    let lock =
        replace_previous(dir).map_err(|error| format!("failed to lock `{}`: {error}", dir.join(LOCK).display()))?;
    let mut sidecar = Sidecar::new(dir, &meta)?;
    daemonize::daemonize().map_err(|error| format!("failed to create a process: {error}"))?;
    child::adopt_orphans().map_err(|error| format!("failed to adopt orphans: {error}"))?;
    let lock = sidecar.lock.insert(lock);
    let _ = lock.set_len(0).and_then(|()| lock.rewind()).and_then(|()| write!(lock, "{}", process::own_pid()));
    Ok(sidecar)
}

/// The error number of a machine that watches as many files as it may.
const ENOSPC: i32 = 28;

/// How long an older sidecar may take to end.
const REPLACE_TIMEOUT: Duration = Duration::from_secs(3);

/// Takes the place of whoever attends now.
fn replace_previous(dir: &Path) -> io::Result<File> {
    let path = dir.join(LOCK);
    let deadline = Instant::now() + REPLACE_TIMEOUT;
    loop {
        if let Some(lock) = daemonize::try_lock_exclusive(&path)? {
            return Ok(lock);
        }
        let mut text = String::new();
        disk::own_file().open(&path)?.read_to_string(&mut text)?;
        match text.trim().parse().ok().and_then(|pid| PidFd::open(pid).ok()) {
            // Whoever holds the lock wrote its pid there.
            Some(older) if daemonize::is_locked(&path) => {
                older.send(KillSignal::Term)?;
                let _ = older.wait(Duration::from_millis(100));
            }
            _ => crate::sys::dir_watch::sleep_interruptible(Duration::from_millis(2)),
        }
        if Instant::now() >= deadline {
            return Err(io::ErrorKind::TimedOut.into());
        }
    }
}

/// How long a supervisor may take to come.
const SUPERVISOR_TIMEOUT: Duration = Duration::from_secs(15);

/// The longest time without a look whether the process is still supervised.
const MAX_WAIT: Duration = Duration::from_secs(5);

/// Between two looks while a process comes up.
const STARTUP_CHECK_INTERVAL: Duration = Duration::from_millis(200);

/// How long what a check left behind may take to end.
const CLEANUP_TIMEOUT: Duration = Duration::from_secs(2);

/// Between two looks at the memory.
const MEMORY_INTERVAL: Duration = Duration::from_secs(2);

/// How long a restart that was ordered may take to begin before it is ordered again.
const RESTART_TIMEOUT: Duration = Duration::from_secs(30);

struct Sidecar {
    dir: PathBuf,
    /// Held until the end.
    lock: Option<File>,
    check: Option<HealthCheck>,
    health: Health,
    file_watcher: FileWatcher,
    cron_timer: Option<CronTimer>,
    socket: Option<CredentialSocket>,
    /// Who may say that the process is ready, beside root and ourselves.
    user: Option<u32>,
    host: OsHost,
    next_check: Instant,
    next_memory_check: Instant,
    /// A restart was ordered and has not begun.
    restart_requested: Option<Instant>,
}

impl Sidecar {
    fn new(dir: &Path, meta: &Meta) -> Result<Self, String> {
        let care = &meta.run.monitor;
        let files = FileWatcher::new(dir, meta).map_err(|error| {
            let hint = if error.raw_os_error() == Some(ENOSPC) {
                "; the limit fs.inotify.max_user_watches (sysctl) is reached"
            } else {
                ""
            };
            format!("failed to watch files: {error}{hint}")
        })?;
        let hear = |error| format!("failed to create the notify socket: {error}");
        let host = OsHost::new();
        Ok(Self {
            check: care.health.parse().ok(),
            health: health::read(dir).unwrap_or_default(),
            file_watcher: files,
            lock: None,
            cron_timer: CronTimer::new(&care.cron, &care.cron_tz, &host),
            socket: if care.notify { Some(socket::listen(dir, meta).map_err(hear)?) } else { None },
            user: meta.run.user.as_ref().map(|user| user.uid),
            dir: dir.to_owned(),
            next_check: Instant::now(),
            next_memory_check: Instant::now() + MEMORY_INTERVAL,
            restart_requested: None,
            host,
        })
    }

    fn serve(&mut self) {
        let begun = Instant::now();
        let mut met = false;
        // A new start has a new sidecar, so what is to be looked after stays the same.
        while let Ok(Some(meta)) = meta::read(&self.dir) {
            let supervised = client::is_supervised(&self.dir);
            met |= supervised;
            if !supervised && (met || begun.elapsed() > SUPERVISOR_TIMEOUT) {
                return;
            }
            self.sync_run(&meta);
            match meta.state {
                ProcessState::Online if self.restart_requested.is_none() => self.tick(&meta),
                ProcessState::Scheduled if self.restart_requested.is_none() => self.run_schedule(&meta),
                _ => {}
            }
            self.wait(&meta);
        }
    }

    /// A new life begins with nothing known.
    fn sync_run(&mut self, meta: &Meta) {
        if self.health.nonce != meta.run_state.nonce {
            let Health { restarts, last_restart, restarted, .. } = std::mem::take(&mut self.health);
            let nonce = meta.run_state.nonce.clone();
            self.health = Health { nonce, restarts, last_restart, restarted, ..Health::default() };
            self.restart_requested = None;
            self.next_check = Instant::now();
            self.health.since_ms = self.host.now().0;
            self.save();
        }
        self.restart_requested = self.restart_requested.filter(|since| since.elapsed() < RESTART_TIMEOUT);
    }

    fn tick(&mut self, meta: &Meta) {
        let now = Instant::now();
        if now >= self.next_check && (self.check.is_some() || meta.run.monitor.notify) {
            self.check_health(meta);
        }
        if meta.run.monitor.max_memory > 0 && now >= self.next_memory_check {
            self.next_memory_check = now + MEMORY_INTERVAL;
            let used = memory(meta.pid, meta.run.monitor.max_memory);
            if used > meta.run.monitor.max_memory {
                let mebibytes = used >> 20;
                self.restart(meta, StopCause::Memory, &format!("memory limit exceeded ({mebibytes} MiB)"));
            }
        }
        self.run_schedule(meta);
        if let Some(path) = self.file_watcher.changed() {
            self.restart(meta, StopCause::Watch, &format!("`{}` changed", path.display()));
        }
    }

    /// Starts it when its hour comes. A task that is still at it is left alone; anything else is restarted.
    fn run_schedule(&mut self, meta: &Meta) {
        let Some(clock) = self.cron_timer.as_mut().filter(|clock| clock.is_due(&self.host)) else { return };
        clock.advance(&self.host);
        if meta.state == ProcessState::Scheduled || !meta.run.oneshot {
            self.restart(meta, StopCause::Schedule, "scheduled restart (cron)");
        }
    }

    /// Looks whether it is well.
    fn check_health(&mut self, meta: &Meta) {
        let care = &meta.run.monitor;
        let user = meta.run.user.as_ref().map(|user| (user.uid, user.gid));
        let patient = ProbeTarget { pid: meta.pid, port: meta.port, cwd: &meta.cwd, user };
        let limit = Duration::from_millis(care.health_timeout_ms);
        let found = match &self.check {
            Some(check) => check.probe(&patient, limit),
            None => Ok(()),
        };
        if matches!(self.check, Some(HealthCheck::Exec(_))) {
            child::kill_descendants(CLEANUP_TIMEOUT);
        }
        self.read_notify_socket();
        let found = found.and_then(|()| {
            if care.notify && !self.health.notified { Err("no READY=1 received".to_owned()) } else { Ok(()) }
        });
        let now = self.host.now().0;
        let before = self.health.status;
        self.health.checked_ms = now;
        let young = now.saturating_sub(meta.run_state.started_ms) < care.health_grace_ms;
        // Grace is for a process that was never well.
        let in_grace = young && before == HealthStatus::Starting;
        self.health.record_probe(found, if in_grace { u32::MAX } else { care.health_threshold });
        if self.health.status != before {
            self.health.since_ms = now;
        }
        if let Some(kind) = self.health.event_after(before) {
            events::send(&self.dir, &Event::now(meta, kind));
        }
        let step = Duration::from_millis(care.health_interval_ms);
        let eager = self.health.status == HealthStatus::Starting;
        self.next_check = Instant::now() + if eager { step.min(STARTUP_CHECK_INTERVAL) } else { step };
        self.save();
        if care.health_restart && self.health.status == HealthStatus::Unhealthy {
            self.restart(meta, StopCause::Health, &format!("unhealthy: {}", self.health.reason));
        }
    }

    /// Takes what the process says about itself.
    fn read_notify_socket(&mut self) {
        let Some(socket) = &self.socket else { return };
        let mut message = [0; 4096];
        while let Some((length, from)) = socket.recv(&mut message) {
            if from != 0 && from != process::own_uid() && Some(from) != self.user {
                continue;
            }
            let text = String::from_utf8_lossy(&message[..length]).into_owned();
            for line in text.lines() {
                match line.split_once('=') {
                    Some(("READY", "1")) => self.health.notified = true,
                    Some(("STATUS", says)) => says.clone_into(&mut self.health.status_text),
                    // The rest of the protocol is for a manager that has a use for it.
                    _ => {}
                }
            }
        }
    }

    fn restart(&mut self, meta: &Meta, cause: StopCause, why: &str) {
        if self.restart_requested.is_some() {
            return;
        }
        let before = self.health.clone();
        self.health.restarts += 1;
        why.clone_into(&mut self.health.last_restart);
        self.health.restarted.clone_from(&meta.run_state.nonce);
        // Whoever sees the restart finds why.
        self.save();
        if client::send_with_cause(&self.dir, ControlCommand::AutoRestart, cause).is_ok() {
            self.restart_requested = Some(Instant::now());
        } else {
            self.health = before;
            self.save();
        }
    }

    fn save(&self) {
        // The directory may be gone; then so is the reason to write.
        let _ = health::write(&self.dir, &self.health);
    }

    /// Waits for what comes first.
    fn wait(&mut self, meta: &Meta) {
        let now = Instant::now();
        let online = meta.state == ProcessState::Online;
        let mut limit = MAX_WAIT;
        if online && (self.check.is_some() || meta.run.monitor.notify) {
            limit = limit.min(self.next_check.saturating_duration_since(now));
        }
        if online && meta.run.monitor.max_memory > 0 {
            limit = limit.min(self.next_memory_check.saturating_duration_since(now));
        }
        if let Some(clock) = &self.cron_timer {
            limit = limit.min(clock.until_next(&self.host));
        }
        // An ordered restart has to be seen beginning; the record says so and wakes.
        let limit = if self.restart_requested.is_some() { MAX_WAIT } else { limit };
        let guard = PidFd::open(meta.run_state.guard_pid).ok();
        let others: Vec<_> = self.socket.iter().map(AsFd::as_fd).chain(guard.iter().map(AsFd::as_fd)).collect();
        self.file_watcher.wait(limit, &others);
        let before = self.health.clone();
        self.read_notify_socket();
        if self.health != before {
            self.next_check = Instant::now();
        }
    }
}

/// Bytes of memory of a process and all below it. What several share is counted once, if the plain sum is above `limit`.
fn memory(pid: u32, limit: u64) -> u64 {
    let census = ProcessTable::snapshot();
    let resident = census.resident(pid);
    if resident <= limit {
        return resident;
    }
    let shares = census.tree(pid).into_iter().map(|stat| process::pss(stat.pid).unwrap_or(stat.resident));
    shares.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_failures_in_a_row_make_it_unhealthy_and_one_success_heals() {
        let mut health = Health::default();
        let no = || Err("no".to_owned());
        health.record_probe(no(), u32::MAX);
        assert_eq!((health.status, health.failures), (HealthStatus::Starting, 1), "grace");
        health.record_probe(Ok(()), 2);
        assert_eq!((health.status, health.failures), (HealthStatus::Healthy, 0));
        health.record_probe(no(), 2);
        assert_eq!((health.status, health.reason.as_str()), (HealthStatus::Healthy, "no"), "one is not yet two");
        health.record_probe(no(), 2);
        assert_eq!(health.status, HealthStatus::Unhealthy);
        health.record_probe(Ok(()), 2);
        assert_eq!((health.status, health.reason.as_str()), (HealthStatus::Healthy, ""));
    }
}
