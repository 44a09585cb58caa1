//! Looking after a process: its health, its memory, its files, its schedule.
//!
//! The supervisor stays small and asleep; a process that needs more has a sidecar, a process of its own, which is this same
//! program. It sends commands to the supervisor, writes what it knows into a file of the process directory, and ends when the
//! supervisor has ended. A supervisor that adopts the process starts another one. Two never watch the same process: a newer one
//! ends an older one.
//!
//! `watch_loop` asks a list of watchers: the health check, the memory limit, the schedule, the files, the notify socket.

pub mod close_look;
pub mod cron;
mod cron_timer;
mod file_watch;
pub mod health;
mod health_probe;
mod http;
mod memory_limit;
mod notify_socket;
pub mod probe;
#[cfg(test)]
mod tests;
mod watch_loop;
mod watcher;
pub mod zone;

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use crate::disk;
use crate::supervise::meta;
use crate::sys::host::Host;
use crate::sys::pidfd::{KillSignal, PidFd};
use crate::sys::process;
use crate::sys::{child, daemonize, signal};

pub(super) use notify_socket::socket_of;
use watch_loop::Sidecar;

/// The word after the program's name that makes it a sidecar.
const FLAG: &str = "--attend";

/// The lock of the sidecar inside a process directory, with its pid in it.
const LOCK: &str = "attendant";

/// The socket on which a process reports that it is ready.
pub const SOCKET: &str = "notify";

/// The variable that names the socket.
pub(in crate::tsm) const NOTIFY: &str = "NOTIFY_SOCKET";

/// The process directory, when this process was started as its sidecar.
#[must_use]
pub fn requested_dir() -> Option<PathBuf> {
    let mut words = std::env::args_os().skip(1);
    let flagged = words.next().is_some_and(|word| word == FLAG);
    flagged.then(|| words.next().map(PathBuf::from)).flatten()
}

/// Starts the sidecar of the process in `dir`, by a program and its words `through` if there are any; one that is there is ended
/// first. It listens when this returns.
///
/// # Errors
///
/// Fails if the program cannot be executed, or the directory does not allow it.
pub fn start(program: &Path, dir: &Path, through: &[OsString]) -> io::Result<()> {
    let own = [program.as_os_str(), OsStr::new(FLAG), dir.as_os_str()];
    let call: Vec<&OsStr> = through.iter().map(OsString::as_os_str).chain(own).collect();
    daemonize::start(&call)
}

/// What another process executes to start the sidecar of the process in `dir`; it ends with success when that has detached itself.
#[must_use]
pub fn starter(program: &Path, dir: &Path, errors: OwnedFd) -> Command {
    daemonize::starter(program, &[OsStr::new(FLAG), dir.as_os_str()], errors.into())
}

/// True if the process in `dir` has a sidecar.
#[must_use]
pub fn is_running(dir: &Path) -> bool {
    daemonize::is_locked(&dir.join(LOCK))
}

/// Watches the process in `dir` until it has no supervisor.
#[must_use]
pub fn main(dir: &Path, host: &dyn Host) -> ExitCode {
    signal::ignore_sigxfsz();
    match initialize(dir, host) {
        Ok(mut sidecar) => {
            sidecar.serve();
            ExitCode::SUCCESS
        }
        Err(why) => {
            // The starter reads it.
            let _ = writeln!(io::stderr(), "{why}");
            ExitCode::FAILURE
        }
    }
}

/// Everything that can go wrong, then the step out of the starter's session.
fn initialize<'a>(dir: &Path, host: &'a dyn Host) -> Result<Sidecar<'a>, String> {
    let meta = meta::read(dir).map_err(|error| error.to_string())?.ok_or("the record does not exist")?;
    let lock =
        replace_previous(dir).map_err(|error| format!("failed to lock `{}`: {error}", dir.join(LOCK).display()))?;
    let mut sidecar = Sidecar::new(dir, &meta, host)?;
    daemonize::daemonize().map_err(|error| format!("failed to create a process: {error}"))?;
    child::adopt_orphans().map_err(|error| format!("failed to adopt orphans: {error}"))?;
    let lock = sidecar.lock.insert(lock);
    let _ = lock.set_len(0).and_then(|()| lock.rewind()).and_then(|()| write!(lock, "{}", process::own_pid()));
    Ok(sidecar)
}

/// How long an older sidecar may take to end.
const REPLACE_TIMEOUT: Duration = Duration::from_secs(3);

/// Takes the place of the present sidecar.
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
            // The holder of the lock wrote its pid there.
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
