//! The loop of a sidecar: waits for what comes first, asks every watcher, and orders a restart when one says so.

use std::fs::File;
use std::io;
use std::iter::once;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::supervise::client::{self, ControlCommand};
use crate::supervise::events::{self, Event};
use crate::supervise::meta::{self, Meta};
use crate::sys::host::Host;
use crate::sys::pidfd::PidFd;

use super::cron_timer::CronTimer;
use super::file_watch::FileWatcher;
use super::health::{self, HealthState};
use super::health_probe::HealthProbe;
use super::memory_limit::MemoryLimit;
use super::notify_socket::NotifySocket;
use super::watcher::{Now, RestartReason, Watcher};

/// How long a supervisor may take to come.
const SUPERVISOR_TIMEOUT: Duration = Duration::from_secs(15);

/// The longest time without a check whether the process is still supervised.
const MAX_WAIT: Duration = Duration::from_secs(5);

/// How long a restart that was ordered may take to begin before it is ordered again.
const RESTART_TIMEOUT: Duration = Duration::from_secs(30);

/// The error number of a machine that watches as many files as it may.
const ENOSPC: i32 = 28;

/// Watches one process.
pub(super) struct Sidecar<'a> {
    dir: PathBuf,
    host: &'a dyn Host,
    /// Held until the end.
    pub(super) lock: Option<File>,
    health: HealthState,
    /// Also wakes the loop when the record changes.
    files: FileWatcher,
    /// In the order in which they are asked; what the process reports comes before the check that needs it.
    watchers: Vec<Box<dyn Watcher>>,
    /// A restart was ordered and has not begun.
    restart_requested: Option<Instant>,
}

impl<'a> Sidecar<'a> {
    /// Prepares to watch the process in `dir` with what its record says.
    ///
    /// # Errors
    ///
    /// Fails if its files cannot be watched, or if its notify socket cannot be made.
    pub(super) fn new(dir: &Path, meta: &Meta, host: &'a dyn Host) -> Result<Self, String> {
        let now = Now::of(host);
        let spec = &meta.run.monitor;
        let files = FileWatcher::new(dir, meta).map_err(cannot_watch)?;
        let socket =
            NotifySocket::new(dir, meta).map_err(|error| format!("failed to create the notify socket: {error}"))?;
        let mut watchers: Vec<Box<dyn Watcher>> = Vec::new();
        watchers.extend(socket.map(|it| Box::new(it) as Box<dyn Watcher>));
        watchers.extend(HealthProbe::new(spec, dir, now).map(|it| Box::new(it) as Box<dyn Watcher>));
        watchers.extend(MemoryLimit::new(spec.max_memory, now).map(|it| Box::new(it) as Box<dyn Watcher>));
        watchers.extend(CronTimer::new(spec, now).map(|it| Box::new(it) as Box<dyn Watcher>));
        let health = health::read(dir).unwrap_or_default();
        Ok(Self { dir: dir.to_owned(), host, lock: None, health, files, watchers, restart_requested: None })
    }

    /// Watches until the process has no supervisor any more.
    pub(super) fn serve(&mut self) {
        let begun = Instant::now();
        let mut met = false;
        // A new start has a new sidecar, so what is watched stays the same.
        while let Ok(Some(meta)) = meta::read(&self.dir) {
            let supervised = client::is_supervised(&self.dir);
            met |= supervised;
            if !supervised && (met || begun.elapsed() > SUPERVISOR_TIMEOUT) {
                return;
            }
            let now = Now::of(self.host);
            self.sync_run(&meta, now);
            if let Some(reason) = self.check(&meta, now) {
                self.restart(&meta, &reason);
            }
            self.wait(&meta);
        }
    }

    /// A new run begins with nothing known.
    fn sync_run(&mut self, meta: &Meta, now: Now) {
        if self.health.nonce != meta.run_state.nonce {
            let HealthState { restarts, last_restart, restarted, .. } = std::mem::take(&mut self.health);
            let nonce = meta.run_state.nonce.clone();
            self.health = HealthState {
                nonce,
                restarts,
                last_restart,
                restarted,
                since_ms: now.wall.0,
                ..HealthState::default()
            };
            self.restart_requested = None;
            self.watchers.iter_mut().for_each(|watcher| watcher.new_run(now));
            self.save();
        }
        self.restart_requested = self.restart_requested.filter(|since| since.elapsed() < RESTART_TIMEOUT);
    }

    /// What is known about the process.
    #[cfg(test)]
    pub(super) fn health(&self) -> &HealthState {
        &self.health
    }

    /// Asks every watcher; the first reason for a restart, unless one is under way.
    pub(super) fn check(&mut self, meta: &Meta, now: Now) -> Option<RestartReason> {
        let before = self.health.clone();
        let files: &mut dyn Watcher = &mut self.files;
        let all = self.watchers.iter_mut().map(Box::as_mut).chain(once(files));
        let mut reason = None;
        for watcher in all.filter(|watcher| watcher.is_active(meta.state)) {
            // Once one has decided, or a restart is under way, the others only read what came.
            if (reason.is_none() && self.restart_requested.is_none()) || watcher.event().is_some() {
                reason = watcher.check(meta, &mut self.health, now).or(reason);
            }
        }
        if let Some(kind) = self.health.event_after(before.status) {
            events::send(&self.dir, &Event::now(meta, kind));
        }
        if self.health != before {
            self.save();
        }
        reason
    }

    fn restart(&mut self, meta: &Meta, reason: &RestartReason) {
        let before = self.health.clone();
        self.health.restarts += 1;
        self.health.last_restart = reason.to_string();
        self.health.restarted.clone_from(&meta.run_state.nonce);
        // Before the order: a reader that sees the restart finds the reason.
        self.save();
        if client::send_with_cause(&self.dir, ControlCommand::AutoRestart, reason.cause()).is_ok() {
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
        let now = Now::of(self.host);
        let active = self.watchers.iter().filter(|watcher| watcher.is_active(meta.state));
        let limit = match self.restart_requested {
            // It has to be seen beginning; the record says so and wakes.
            Some(_) => MAX_WAIT,
            None => active.filter_map(|watcher| watcher.due(now)).fold(MAX_WAIT, Duration::min),
        };
        let guard = PidFd::open(meta.run_state.guard_pid).ok();
        let events = self.watchers.iter().filter_map(|watcher| watcher.event());
        let events: Vec<_> = events.chain(guard.iter().map(AsFd::as_fd)).collect();
        self.files.wait(limit, &events);
    }
}

impl Now {
    /// The present time.
    fn of(host: &dyn Host) -> Self {
        Self { at: Instant::now(), wall: host.now() }
    }
}

fn cannot_watch(error: io::Error) -> String {
    let limit = error.raw_os_error() == Some(ENOSPC);
    let hint = if limit { "; the limit fs.inotify.max_user_watches (sysctl) is reached" } else { "" };
    format!("failed to watch files: {error}{hint}")
}
