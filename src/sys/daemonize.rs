//! Programs that go on independently of their starter.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::unistd::{ForkResult, fork, setsid};

use crate::disk;

/// Starts a program that is not a child of any caller and has no terminal, and waits until it has detached itself: it does what has to be
/// done first, then calls [`daemonize`]. It gets no variables and none of our descriptors.
///
/// # Errors
///
/// Fails if it cannot be executed, or ended with a failure before it detached itself; then with what it said.
pub fn start(call: &[&std::ffi::OsStr]) -> io::Result<()> {
    let Some((program, words)) = call.split_first() else { return Err(io::ErrorKind::InvalidInput.into()) };
    // A file has no end that a process which goes on alone could hold open.
    let mut said = tempfile::tempfile()?;
    if starter(Path::new(program), words, said.try_clone()?.into()).status()?.success() {
        return Ok(());
    }
    let mut why = String::new();
    said.rewind().and_then(|()| said.read_to_string(&mut why))?;
    let why = why.trim();
    Err(io::Error::other(if why.is_empty() { "it ended before it was ready".to_owned() } else { why.to_owned() }))
}

/// What [`start`] executes; why it fails goes to `errors`.
#[must_use]
pub fn starter(program: &Path, words: &[&std::ffi::OsStr], errors: Stdio) -> Command {
    let mut command = Command::new(program);
    command.args(words).env_clear().stdin(Stdio::null()).stdout(Stdio::null()).stderr(errors).current_dir("/");
    command
}

/// Starts a program in a session of its own, with nothing on its streams, which goes on when this one ends. It is not waited for.
///
/// # Errors
///
/// Fails if it cannot be executed.
pub fn leave_behind(call: &[&std::ffi::OsStr], variables: &BTreeMap<String, String>) -> io::Result<()> {
    let Some((program, words)) = call.split_first() else { return Err(io::ErrorKind::InvalidInput.into()) };
    let mut command = starter(Path::new(program), words, Stdio::null());
    command.envs(variables);
    // SAFETY: one system call that touches no memory of ours.
    unsafe {
        command.pre_exec(|| Ok(setsid().map(drop)?));
    }
    command.spawn().map(drop)
}

/// Detaches from the starter of this program: the process goes on in a session of its own, as a child of init. Only before there are
/// threads.
///
/// # Errors
///
/// Fails if no process can be made; then nothing has changed.
pub fn daemonize() -> io::Result<()> {
    // SAFETY: there is one thread, so the child may use everything it finds.
    match unsafe { fork() }? {
        // SAFETY: ends this process at once; the other one goes on with all that is open.
        ForkResult::Parent { .. } => unsafe { libc::_exit(0) },
        ForkResult::Child => {
            setsid()?;
            Ok(())
        }
    }
}

/// How long [`is_locked`] may hold a lock, and how often that is waited for. flock(2) cannot be asked who holds a lock without
/// taking it, and waits for one with no limit or not at all.
const GLANCE: Duration = Duration::from_millis(5);
const GLANCES: u32 = 10;

/// Tries to be the only one: the lock on `file`, until the result is dropped. None if another process has it.
///
/// # Errors
///
/// Fails if the file cannot be made or locked.
pub fn try_lock_exclusive(file: &Path) -> io::Result<Option<File>> {
    let held = disk::own_file().create(0o600).read_write().open(file)?;
    for _ in 0..GLANCES {
        match held.try_lock() {
            Ok(()) => return Ok(Some(held)),
            Err(std::fs::TryLockError::WouldBlock) => std::thread::sleep(GLANCE),
            Err(std::fs::TryLockError::Error(error)) => return Err(error),
        }
    }
    Ok(None)
}

/// One of several that hold the lock on `file`, until the result is dropped. Waits for one that is alone.
///
/// # Errors
///
/// Fails if the file cannot be made or locked.
pub fn lock_shared(file: &Path) -> io::Result<File> {
    let held = disk::own_file().create(0o600).read_write().open(file)?;
    held.lock_shared()?;
    Ok(held)
}

/// True if a process holds the lock on `file`.
#[must_use]
pub fn is_locked(file: &Path) -> bool {
    let Ok(file) = disk::own_file().open(file) else { return false };
    matches!(file.try_lock_shared(), Err(std::fs::TryLockError::WouldBlock))
}
