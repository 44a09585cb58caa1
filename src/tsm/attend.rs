//! Looking after a process: whether it is well, how much memory it takes, whether its files changed, whether its hour has come.
//!
//! The supervisor stays small and asleep; who needs more has an attendant, a process of its own, which is this same program. It
//! gives the supervisor orders, writes what it knows into a file of the process folder, and ends when nobody supervises the
//! process any more. Whoever adopts the process starts another one. Two never look after the same process: a newer one ends an
//! older one.

pub mod cron;
pub mod health;
mod http;
pub mod pattern;
pub mod probe;
mod socket;
mod watch;
pub mod zone;

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use crate::disk;
use crate::supervise::client::{self, Order};
use crate::supervise::meta::{self, Cause, Meta, State};
use crate::sys::ear::Ear;
use crate::sys::host::Host;
use crate::sys::pidfd::{Handle, Push};
use crate::sys::process::{self, Census};
use crate::sys::real::RealHost;
use crate::sys::{child, detach, signal};

use health::{Health, Wellness};
use probe::{HealthCheck, Patient};
pub(super) use socket::socket_of;
use watch::{Clock, Files};

/// The word after the program's name that makes it an attendant.
const FLAG: &str = "--attend";

/// The lock of the attendant inside a process folder, with its pid in it.
const LOCK: &str = "attendant";

/// The socket on which a process says that it is ready.
pub const SOCKET: &str = "notify";

/// The process folder, when this process was started to attend it.
#[must_use]
pub fn asked() -> Option<PathBuf> {
    let mut words = std::env::args_os().skip(1);
    let flagged = words.next().is_some_and(|word| word == FLAG);
    flagged.then(|| words.next().map(PathBuf::from)).flatten()
}

/// Starts the attendant of the process in `dir`; one that is there is ended first. It listens when this returns.
///
/// # Errors
///
/// Fails if the program cannot be executed, or the folder does not allow it.
pub fn start(program: &Path, dir: &Path) -> io::Result<()> {
    detach::start(program, &[OsStr::new(FLAG), dir.as_os_str()])
}

/// True if the process in `dir` has an attendant.
#[must_use]
pub fn is_there(dir: &Path) -> bool {
    detach::is_held(&dir.join(LOCK))
}

/// Attends the process in `dir` until nobody supervises it.
#[must_use]
pub fn main(dir: &Path) -> ExitCode {
    signal::outlive_file_limit();
    match begin(dir) {
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
fn begin(dir: &Path) -> Result<Attendant, String> {
    let meta = meta::read(dir).map_err(|error| error.to_string())?.ok_or("its record is gone")?;
    let lock = take_over(dir).map_err(|error| format!("failed to take `{}`: {error}", dir.join(LOCK).display()))?;
    let mut attendant = Attendant::new(dir, &meta)?;
    detach::go_on_alone().map_err(|error| format!("failed to make a process: {error}"))?;
    child::adopt_orphans().map_err(|error| format!("failed to adopt orphans: {error}"))?;
    let lock = attendant.lock.insert(lock);
    let _ = lock.set_len(0).and_then(|()| lock.rewind()).and_then(|()| write!(lock, "{}", process::own_pid()));
    Ok(attendant)
}

/// The error number of a machine that watches as many files as it may.
const ENOSPC: i32 = 28;

/// How long an older attendant may take to end.
const HAND_OVER: Duration = Duration::from_secs(3);

/// Takes the place of whoever attends now.
fn take_over(dir: &Path) -> io::Result<File> {
    let path = dir.join(LOCK);
    let deadline = Instant::now() + HAND_OVER;
    loop {
        if let Some(lock) = detach::only_one(&path)? {
            return Ok(lock);
        }
        let mut text = String::new();
        disk::own().open(&path)?.read_to_string(&mut text)?;
        match text.trim().parse().ok().and_then(|pid| Handle::open(pid).ok()) {
            // Whoever holds the lock wrote its pid there.
            Some(older) if detach::is_held(&path) => {
                older.push(Push::Polite)?;
                let _ = older.wait(Duration::from_millis(100));
            }
            _ => crate::sys::watch::pause(Duration::from_millis(2)),
        }
        if Instant::now() >= deadline {
            return Err(io::ErrorKind::TimedOut.into());
        }
    }
}

/// How long a supervisor may take to come.
const PATIENCE: Duration = Duration::from_secs(15);

/// The longest time without a look whether the process is still supervised.
const LONGEST: Duration = Duration::from_secs(5);

/// Between two looks while a process comes up.
const EAGER: Duration = Duration::from_millis(200);

/// How long what a check left behind may take to end.
const SWEEP: Duration = Duration::from_secs(2);

/// Between two looks at the memory.
const MEMORY_STEP: Duration = Duration::from_secs(2);

/// How long a restart that was ordered may take to begin before it is ordered again.
const RESTART_LIMIT: Duration = Duration::from_secs(30);

struct Attendant {
    dir: PathBuf,
    /// Held until the end.
    lock: Option<File>,
    check: Option<HealthCheck>,
    health: Health,
    files: Files,
    clock: Option<Clock>,
    socket: Option<Ear>,
    /// Who may say that the process is ready, beside root and ourselves.
    user: Option<u32>,
    host: RealHost,
    next_look: Instant,
    next_memory: Instant,
    /// A restart was ordered and has not begun.
    ordered: Option<Instant>,
}

impl Attendant {
    fn new(dir: &Path, meta: &Meta) -> Result<Self, String> {
        let care = &meta.run.care;
        let files = Files::new(dir, meta).map_err(|error| {
            let hint = if error.raw_os_error() == Some(ENOSPC) {
                "; sysctl fs.inotify.max_user_watches is reached"
            } else {
                ""
            };
            format!("failed to watch files: {error}{hint}")
        })?;
        let hear = |error| format!("failed to make the socket on which it says that it is ready: {error}");
        let host = RealHost::new();
        Ok(Self {
            check: care.health.parse().ok(),
            health: health::read(dir).unwrap_or_default(),
            files,
            lock: None,
            clock: Clock::new(&care.cron, &care.cron_tz, &host),
            socket: if care.notify { Some(socket::listen(dir, meta).map_err(hear)?) } else { None },
            user: meta.run.user.as_ref().map(|user| user.uid),
            dir: dir.to_owned(),
            next_look: Instant::now(),
            next_memory: Instant::now() + MEMORY_STEP,
            ordered: None,
            host,
        })
    }

    fn serve(&mut self) {
        let begun = Instant::now();
        let mut met = false;
        // A new start has a new attendant, so what is to be looked after stays the same.
        while let Ok(Some(meta)) = meta::read(&self.dir) {
            let supervised = client::supervised(&self.dir);
            met |= supervised;
            if !supervised && (met || begun.elapsed() > PATIENCE) {
                return;
            }
            self.follow(&meta);
            match meta.state {
                State::Online if self.ordered.is_none() => self.attend(&meta),
                State::Scheduled if self.ordered.is_none() => self.keep_time(&meta),
                _ => {}
            }
            self.wait(&meta);
        }
    }

    /// A new life begins with nothing known.
    fn follow(&mut self, meta: &Meta) {
        if self.health.nonce != meta.life.nonce {
            let Health { restarts, last_restart, restarted, .. } = std::mem::take(&mut self.health);
            let nonce = meta.life.nonce.clone();
            self.health = Health { nonce, restarts, last_restart, restarted, ..Health::default() };
            self.ordered = None;
            self.next_look = Instant::now();
            self.health.since_ms = self.host.now().0;
            self.save();
        }
        self.ordered = self.ordered.filter(|since| since.elapsed() < RESTART_LIMIT);
    }

    fn attend(&mut self, meta: &Meta) {
        let now = Instant::now();
        if now >= self.next_look && (self.check.is_some() || meta.run.care.notify) {
            self.look(meta);
        }
        if meta.run.care.max_memory > 0 && now >= self.next_memory {
            self.next_memory = now + MEMORY_STEP;
            let used = memory(meta.pid, meta.run.care.max_memory);
            if used > meta.run.care.max_memory {
                let mebibytes = used >> 20;
                self.restart(meta, Cause::Memory, &format!("it used {mebibytes} MiB of memory"));
            }
        }
        self.keep_time(meta);
        if let Some(path) = self.files.changed() {
            self.restart(meta, Cause::Watch, &format!("`{}` changed", path.display()));
        }
    }

    /// Starts it when its hour comes. A task that is still at it is left alone; anything else is restarted.
    fn keep_time(&mut self, meta: &Meta) {
        let Some(clock) = self.clock.as_mut().filter(|clock| clock.is_due(&self.host)) else { return };
        clock.go_on(&self.host);
        if meta.state == State::Scheduled || !meta.run.oneshot {
            self.restart(meta, Cause::Schedule, "its hour had come");
        }
    }

    /// Looks whether it is well.
    fn look(&mut self, meta: &Meta) {
        let care = &meta.run.care;
        let user = meta.run.user.as_ref().map(|user| (user.uid, user.gid));
        let patient = Patient { pid: meta.pid, port: meta.port, cwd: &meta.cwd, user };
        let limit = Duration::from_millis(care.health_timeout_ms);
        let found = match &self.check {
            Some(check) => check.look(&patient, limit),
            None => Ok(()),
        };
        if matches!(self.check, Some(HealthCheck::Exec(_))) {
            child::end_all(SWEEP);
        }
        self.hear();
        let found = found.and_then(|()| {
            if care.notify && !self.health.notified {
                Err("it has not said that it is ready".to_owned())
            } else {
                Ok(())
            }
        });
        let now = self.host.now().0;
        let before = self.health.status;
        self.health.checked_ms = now;
        let young = now.saturating_sub(meta.life.started_ms) < care.health_grace_ms;
        // Grace is for a process that was never well.
        let in_grace = young && before == Wellness::Starting;
        self.health.judge(found, if in_grace { u32::MAX } else { care.health_threshold });
        if self.health.status != before {
            self.health.since_ms = now;
        }
        let step = Duration::from_millis(care.health_interval_ms);
        let eager = self.health.status == Wellness::Starting;
        self.next_look = Instant::now() + if eager { step.min(EAGER) } else { step };
        self.save();
        if care.health_restart && self.health.status == Wellness::Unhealthy {
            self.restart(meta, Cause::Health, &format!("it was unhealthy: {}", self.health.why));
        }
    }

    /// Takes what the process says about itself.
    fn hear(&mut self) {
        let Some(socket) = &self.socket else { return };
        let mut message = [0; 4096];
        while let Some((length, from)) = socket.hear(&mut message) {
            if from != 0 && from != process::own_uid() && Some(from) != self.user {
                continue;
            }
            let text = String::from_utf8_lossy(&message[..length]).into_owned();
            for line in text.lines() {
                match line.split_once('=') {
                    Some(("READY", "1")) => self.health.notified = true,
                    Some(("STATUS", says)) => says.clone_into(&mut self.health.says),
                    // The rest of the protocol is for a manager that has a use for it.
                    _ => {}
                }
            }
        }
    }

    fn restart(&mut self, meta: &Meta, cause: Cause, why: &str) {
        if self.ordered.is_some() {
            return;
        }
        let before = self.health.clone();
        self.health.restarts += 1;
        why.clone_into(&mut self.health.last_restart);
        self.health.restarted.clone_from(&meta.life.nonce);
        // Whoever sees the restart finds why.
        self.save();
        if client::send_for(&self.dir, Order::Renew, cause).is_ok() {
            self.ordered = Some(Instant::now());
        } else {
            self.health = before;
            self.save();
        }
    }

    fn save(&self) {
        // The folder may be gone; then so is the reason to write.
        let _ = health::write(&self.dir, &self.health);
    }

    /// Waits for what comes first.
    fn wait(&mut self, meta: &Meta) {
        let now = Instant::now();
        let online = meta.state == State::Online;
        let mut limit = LONGEST;
        if online && (self.check.is_some() || meta.run.care.notify) {
            limit = limit.min(self.next_look.saturating_duration_since(now));
        }
        if online && meta.run.care.max_memory > 0 {
            limit = limit.min(self.next_memory.saturating_duration_since(now));
        }
        if let Some(clock) = &self.clock {
            limit = limit.min(clock.left(&self.host));
        }
        // An ordered restart has to be seen beginning; the record says so and wakes.
        let limit = if self.ordered.is_some() { LONGEST } else { limit };
        let guard = Handle::open(meta.life.guard_pid).ok();
        let others: Vec<_> = self.socket.iter().map(AsFd::as_fd).chain(guard.iter().map(AsFd::as_fd)).collect();
        self.files.wait(limit, &others);
        let before = self.health.clone();
        self.hear();
        if self.health != before {
            self.next_look = Instant::now();
        }
    }
}

/// Bytes of memory of a process and all below it. What several share is counted once, if the plain sum is above `limit`.
fn memory(pid: u32, limit: u64) -> u64 {
    let census = Census::take();
    let resident = census.resident(pid);
    if resident <= limit {
        return resident;
    }
    let shares = census.tree(pid).into_iter().map(|stat| process::share(stat.pid).unwrap_or(stat.resident));
    shares.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_failures_in_a_row_make_it_unhealthy_and_one_success_heals() {
        let mut health = Health::default();
        let no = || Err("no".to_owned());
        health.judge(no(), u32::MAX);
        assert_eq!((health.status, health.failures), (Wellness::Starting, 1), "grace");
        health.judge(Ok(()), 2);
        assert_eq!((health.status, health.failures), (Wellness::Healthy, 0));
        health.judge(no(), 2);
        assert_eq!((health.status, health.why.as_str()), (Wellness::Healthy, "no"), "one is not yet two");
        health.judge(no(), 2);
        assert_eq!(health.status, Wellness::Unhealthy);
        health.judge(Ok(()), 2);
        assert_eq!((health.status, health.why.as_str()), (Wellness::Healthy, ""));
    }
}
