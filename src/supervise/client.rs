//! What a command does with a supervisor: start one, ask whether there is one, give orders, wait for what becomes of them.

use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::fs::CWD;

use crate::disk::{self, FileAccessError};

use super::cgroup::Cgroup;
use super::lock::{self, LockRole};
use super::memory_cgroup::MemoryCgroup;
use super::meta::{StopCause, StopOrigin};
use super::protocol::{CONTROL_FIFO, RECORD_SIZE, StartupMessage};
use super::resume::resume_if_stopped;
use super::wait::is_readable_until;

pub use super::lock::is_supervised;
pub use super::memory_cgroup::needs_scope as memory_needs_scope;
pub use super::memory_cgroup::{hand_back_unit, limit_again};
pub use super::protocol::HOOK_TIMEOUT;
pub use super::protocol::{ControlCommand, LaunchResult, SpawnStep};
pub use super::systemd_unit::{SCOPE_PREFIX, SCOPE_SUFFIX};
pub use super::unit_group::{UnitGroup, enter_leaf};
pub use super::wait::{WaitError, poll_until, wait, wait_unsupervised, wait_until_exit};

/// The longest time a new supervisor may take to its first word.
pub const STARTUP_TIMEOUT: Duration = Duration::from_secs(10);

/// How soon a supervisor that was stopped (SIGSTOP) before its first word is continued.
const POLL_INTERVAL: Duration = Duration::from_millis(250);

/// Why no supervisor answered.
#[derive(Debug)]
pub enum LaunchError {
    /// The supervisor's program could not be executed.
    Execute {
        /// The program.
        exe: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Who is to look after the process could not begin, and so it was not run.
    SidecarFailed {
        /// Why.
        source: io::Error,
    },
    /// It ended without a word.
    SupervisorDied {
        /// The process directory.
        dir: PathBuf,
    },
    /// It did not say a word in time; it may still do its work.
    Timeout {
        /// The process directory.
        dir: PathBuf,
        /// How long was waited.
        waited: Duration,
    },
    /// Its first word was of a version this program does not know.
    ProtocolMismatch {
        /// The process directory.
        dir: PathBuf,
    },
}

impl fmt::Display for LaunchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Execute { exe, .. } => write!(f, "failed to execute the supervisor `{}`", exe.display()),
            Self::SidecarFailed { .. } => f.write_str("its health, files, memory or schedule cannot be monitored"),
            Self::SupervisorDied { dir } => write!(f, "the supervisor of `{}` ended before it answered", dir.display()),
            Self::Timeout { dir, waited } => {
                write!(f, "the supervisor of `{}` did not answer within {} s", dir.display(), waited.as_secs())
            }
            Self::ProtocolMismatch { dir } => {
                write!(f, "the supervisor of `{}` uses an unknown version of the protocol", dir.display())
            }
        }
    }
}

impl std::error::Error for LaunchError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Execute { source, .. } | Self::SidecarFailed { source } => Some(source),
            Self::SupervisorDied { .. } | Self::Timeout { .. } | Self::ProtocolMismatch { .. } => None,
        }
    }
}

/// Why an order was not delivered.
#[derive(Debug)]
pub enum SendError {
    /// This directory has no supervisor.
    NotSupervised {
        /// The process directory.
        dir: PathBuf,
    },
    /// The FIFO could not be written, for example because it is full.
    Write {
        /// The FIFO.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotSupervised { dir } => write!(f, "`{}` has no supervisor", dir.display()),
            Self::Write { path, .. } => write!(f, "failed to send a command to `{}`", path.display()),
        }
    }
}

impl std::error::Error for SendError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::NotSupervised { .. } => None,
            Self::Write { source, .. } => Some(source),
        }
    }
}

/// Starts a supervisor for `dir` (absolute) and waits for its first word.
///
/// It gets no environment, a session of its own and none of our descriptors, and is not a child of any caller: a caller that lives long
/// reaps nothing. The child's environment comes from the files in and named by the process directory.
/// Waits at most [`STARTUP_TIMEOUT`], and [`HOOK_TIMEOUT`] more once it said that a pre-start command runs.
///
/// `meta.json` must be there, its state `starting` for a start. A supervisor that still lets go of the directory answers
/// [`LaunchResult::AlreadySupervised`]: wait for it with [`wait_unsupervised`] before writing `meta.json`.
///
/// # Errors
///
/// Fails when the program cannot be executed, ends without a word, or stays silent for too long.
pub fn launch(exe: &Path, dir: &Path) -> Result<LaunchResult, LaunchError> {
    let mut command = Command::new(exe);
    command.env_clear();
    execute(&mut command, exe, dir)
}

/// The same where another process of ours executes the supervisor: `spawn` has it do that, with this as its standard output.
///
/// # Errors
///
/// As [`launch`]; what `spawn` fails with is a failure to execute the supervisor.
pub fn launch_through(
    exe: &Path,
    dir: &Path,
    spawn: impl FnOnce(OwnedFd) -> io::Result<()>,
) -> Result<LaunchResult, LaunchError> {
    let execute = |source| LaunchError::Execute { exe: exe.to_owned(), source };
    let (words, writer) = io::pipe().map_err(execute)?;
    spawn(writer.into()).map_err(execute)?;
    await_startup_message(&mut File::from(OwnedFd::from(words)), dir)
}

/// What [`launch_through`] has another process execute. It ends as soon as the supervisor has left it.
#[must_use]
pub fn starter(exe: &Path, dir: &Path, words: OwnedFd) -> Command {
    let mut command = Command::new(exe);
    command.env_clear();
    complete(&mut command, dir).stdout(words);
    command
}

/// The words and the surroundings that make a program a supervisor.
fn complete<'a>(command: &'a mut Command, dir: &Path) -> &'a mut Command {
    command.arg(super::FLAG).arg(dir).process_group(0).stdin(Stdio::null()).stderr(Stdio::null())
}

/// The same in a scope of systemd whose control groups are delegated: what a limit of memory needs where [`memory_needs_scope`] says so.
/// Without systemd's help it is launched here, and the limit is a weaker one.
///
/// # Errors
///
/// As [`launch`].
pub fn launch_in_scope(exe: &Path, dir: &Path, scope: &TransientScope) -> Result<LaunchResult, LaunchError> {
    let call = scope.call();
    let mut command = Command::new(&call[0]);
    // What systemd-run adds for its program is not for a supervisor, which has no environment.
    match execute(command.env_clear().args(&call[1..]).args(["/usr/bin/env", "-i"]).arg(exe), exe, dir) {
        Err(LaunchError::Execute { .. } | LaunchError::SupervisorDied { .. }) if !is_supervised(dir) => {
            launch(exe, dir)
        }
        answer => answer,
    }
}

/// A scope to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransientScope {
    /// Its name: `tetra-web-1a2b3c4d.scope`.
    pub unit: String,
    /// What it is for, in words.
    pub description: String,
    /// The runtime directory of an ordinary user, whose own manager makes it.
    pub user_runtime_dir: Option<PathBuf>,
}

impl TransientScope {
    /// The words that execute a program in it; those of the program follow.
    #[must_use]
    pub fn call(&self) -> Vec<OsString> {
        let mut call = vec![OsString::from("/usr/bin/env")];
        if let Some(runtime_dir) = &self.user_runtime_dir {
            let mut variable = OsString::from("XDG_RUNTIME_DIR=");
            variable.push(runtime_dir);
            call.push(variable);
        }
        call.push("systemd-run".into());
        call.extend(self.user_runtime_dir.is_some().then(|| "--user".into()));
        call.extend(["--scope", "--quiet", "--collect", "--property=Delegate=yes"].map(OsString::from));
        let names = [format!("--unit={}", self.unit), format!("--description={}", self.description)];
        call.extend(names.map(OsString::from));
        call.push("--".into());
        call
    }
}

/// Runs what becomes the supervisor, and waits for its first word.
fn execute(command: &mut Command, exe: &Path, dir: &Path) -> Result<LaunchResult, LaunchError> {
    let execute = |source| LaunchError::Execute { exe: exe.to_owned(), source };
    let mut starter = complete(command, dir).stdout(Stdio::piped()).spawn().map_err(execute)?;
    let mut words = File::from(OwnedFd::from(starter.stdout.take().expect("stdout was piped")));
    let answer = await_startup_message(&mut words, dir);
    // The process we started ended at once, when its own child went on.
    starter.wait().map_err(execute)?;
    answer
}

fn await_startup_message(words: &mut File, dir: &Path) -> Result<LaunchResult, LaunchError> {
    match read_startup_message(words, dir) {
        // Its worker was killed before it could answer, and the next one has no client to answer.
        Err(LaunchError::SupervisorDied { .. }) if is_supervised(dir) => Ok(LaunchResult::AlreadySupervised),
        answer => answer,
    }
}

fn read_startup_message(words: &mut File, dir: &Path) -> Result<LaunchResult, LaunchError> {
    let dir = || dir.to_owned();
    let mut limit = STARTUP_TIMEOUT;
    let mut deadline = Instant::now() + limit;
    loop {
        if !is_readable_until(&*words, deadline.min(Instant::now() + POLL_INTERVAL)) {
            if Instant::now() >= deadline {
                return Err(LaunchError::Timeout { dir: dir(), waited: limit });
            }
            resume_if_stopped(&dir());
            continue;
        }
        let mut record = [0; RECORD_SIZE];
        if words.read_exact(&mut record).is_err() {
            return Err(LaunchError::SupervisorDied { dir: dir() });
        }
        match StartupMessage::decode(&record) {
            Some(StartupMessage::Done(launched)) => return Ok(launched),
            Some(StartupMessage::HookRunning) => {
                limit += HOOK_TIMEOUT;
                deadline += HOOK_TIMEOUT;
            }
            None => return Err(LaunchError::ProtocolMismatch { dir: dir() }),
        }
    }
}

/// The same, without an answer where it cannot be seen.
///
/// # Errors
///
/// Fails when the lock is there and cannot be asked for.
pub fn try_is_supervised(dir: &Path) -> io::Result<bool> {
    lock::is_any_role_held(CWD, dir)
}

/// The same for a `dir` relative to an open directory.
///
/// # Errors
///
/// Fails when the lock is there and cannot be asked for.
pub fn is_supervised_at(dirfd: BorrowedFd, dir: &Path) -> io::Result<bool> {
    lock::is_any_role_held(dirfd, dir)
}

/// Gives an order to the supervisor of `dir` and returns at once; what comes of it is seen in `meta.json`. A supervisor that
/// was stopped (SIGSTOP) is continued. The order is an operator's.
///
/// # Errors
///
/// Fails when `dir` has no supervisor, or its FIFO cannot be written.
pub fn send(dir: &Path, order: ControlCommand) -> Result<(), SendError> {
    send_with_cause(dir, order, StopCause::Operator)
}

/// The same with another cause than an operator.
///
/// # Errors
///
/// As [`send`].
pub fn send_with_cause(dir: &Path, order: ControlCommand, cause: StopCause) -> Result<(), SendError> {
    let path = dir.join(CONTROL_FIFO);
    match disk::own_file().fifo().write().open(&path) {
        Ok(mut fifo) => {
            fifo.write_all(&order.encode(StopOrigin { cause, pid: std::process::id() }))
                .map_err(|source| SendError::Write { path, source })?;
            resume_if_stopped(dir);
            Ok(())
        }
        Err(error)
            if matches!(error.raw_os_error(), Some(libc::ENXIO | libc::ENOENT))
                || disk::access_error(&error) == Some(FileAccessError::NotRegular) =>
        {
            Err(SendError::NotSupervised { dir: dir.to_owned() })
        }
        Err(source) => Err(SendError::Write { path, source }),
    }
}

/// Keeps every supervisor away from a process directory for as long as it lives.
#[derive(Debug)]
pub struct SupervisionLock {
    _locks: [File; 2],
}

/// Takes the places of guard and worker, so that no supervisor of `dir` can start; `None` if one runs.
///
/// # Errors
///
/// Fails when the locks cannot be taken: then it is not known whether a supervisor runs.
pub fn lock_supervision(dir: &Path) -> io::Result<Option<SupervisionLock>> {
    let take = |seat| {
        let file = lock::open(dir)?;
        Ok::<_, io::Error>(lock::try_acquire(&file, seat)?.then_some(file))
    };
    let (guard, worker) = (take(LockRole::Guard)?, take(LockRole::Worker)?);
    Ok(guard.zip(worker).map(|(guard, worker)| SupervisionLock { _locks: [guard, worker] }))
}

/// Lets the kernel forget the process in `dir`, which has no supervisor and which is about to be removed: takes away the
/// empty control groups that a killed supervisor left. Does nothing where there is none.
pub fn remove_cgroups(dir: &Path) {
    if let Some(cgroup) = Cgroup::of_directory(dir) {
        cgroup.remove();
    }
    if let Some(group) = MemoryCgroup::of_directory(dir) {
        group.remove();
    }
}
