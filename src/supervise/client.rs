//! What a command does with a supervisor: start one, ask whether there is one, give orders, wait for what becomes of them.

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::BorrowedFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::fs::CWD;

use crate::disk::{self, Refusal};

use super::cgroup::Cgroup;
use super::lock::{self, Seat};
use super::memory_group::MemoryGroup;
use super::meta::{Cause, Origin};
use super::repair;
use super::wait::is_readable_until;
use super::wire::{RECORD, Word};

pub use super::memory_group::{SCOPE_PREFIX, SCOPE_SUFFIX, needs_scope as memory_needs_scope};
pub use super::wait::{WaitError, soon, wait, wait_for_last, wait_unsupervised};
pub use super::wire::{Launched, Order, Step};

/// The longest time a new supervisor may take to its first word.
pub const FIRST_WORD_LIMIT: Duration = Duration::from_secs(10);

/// How soon a supervisor that somebody stopped (SIGSTOP) before its first word is continued.
const STEP: Duration = Duration::from_millis(250);

/// The longest time a pre-start command may run.
pub const HOOK_LIMIT: Duration = Duration::from_secs(300);

/// The orders FIFO inside a process directory.
pub(super) const ORDERS: &str = "orders";

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
    Unattended {
        /// Why.
        source: io::Error,
    },
    /// It ended without a word.
    Died {
        /// The process directory.
        dir: PathBuf,
    },
    /// It did not say a word in time; it may still do its work.
    Late {
        /// The process directory.
        dir: PathBuf,
        /// How long was waited.
        waited: Duration,
    },
    /// Its first word was of a version this program does not know.
    Unknown {
        /// The process directory.
        dir: PathBuf,
    },
}

impl fmt::Display for LaunchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Execute { exe, .. } => write!(f, "failed to execute the supervisor `{}`", exe.display()),
            Self::Unattended { .. } => f.write_str("its health, files, memory or clock cannot be watched"),
            Self::Died { dir } => write!(f, "the supervisor of `{}` ended without a word", dir.display()),
            Self::Late { dir, waited } => {
                write!(f, "the supervisor of `{}` did not answer within {} s", dir.display(), waited.as_secs())
            }
            Self::Unknown { dir } => write!(f, "the supervisor of `{}` speaks another version", dir.display()),
        }
    }
}

impl std::error::Error for LaunchError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Execute { source, .. } | Self::Unattended { source } => Some(source),
            Self::Died { .. } | Self::Late { .. } | Self::Unknown { .. } => None,
        }
    }
}

/// Why an order was not delivered.
#[derive(Debug)]
pub enum SendError {
    /// Nobody supervises this directory.
    NobodyThere {
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
            Self::NobodyThere { dir } => write!(f, "nobody supervises `{}`", dir.display()),
            Self::Write { path, .. } => write!(f, "failed to write an order to `{}`", path.display()),
        }
    }
}

impl std::error::Error for SendError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::NobodyThere { .. } => None,
            Self::Write { source, .. } => Some(source),
        }
    }
}

/// Starts a supervisor for `dir` (absolute) and waits for its first word.
///
/// It gets no environment, a session of its own and none of our descriptors, and is nobody's child: a caller that lives long
/// reaps nothing. The child's environment comes from the files in and named by the process directory.
/// Waits at most [`FIRST_WORD_LIMIT`], and [`HOOK_LIMIT`] more once it said that a pre-start command runs.
///
/// `meta.json` must be there, its state `starting` for a start. A supervisor that still lets go of the directory answers
/// [`Launched::AlreadySupervised`]: wait for it with [`wait_unsupervised`] before writing `meta.json`.
///
/// # Errors
///
/// Fails when the program cannot be executed, ends without a word, or stays silent for too long.
pub fn launch(exe: &Path, dir: &Path) -> Result<Launched, LaunchError> {
    let mut command = Command::new(exe);
    command.env_clear();
    execute(&mut command, exe, dir)
}

/// The same in a scope of systemd whose control groups are delegated: what a limit of memory needs where [`memory_needs_scope`] says so.
/// Without systemd's help it is launched here, and the limit is a weaker one.
///
/// # Errors
///
/// As [`launch`].
pub fn launch_in_scope(exe: &Path, dir: &Path, scope: &Scope) -> Result<Launched, LaunchError> {
    let mut command = Command::new("systemd-run");
    command.env_clear();
    if let Some(runtime_dir) = &scope.user {
        command.arg("--user").env("XDG_RUNTIME_DIR", runtime_dir);
    }
    command.args(["--scope", "--quiet", "--collect", "--property=Delegate=yes"]);
    command.arg(format!("--unit={}", scope.unit)).arg(format!("--description={}", scope.description));
    // What systemd-run adds for its program is not for a supervisor, which has no environment.
    match execute(command.args(["--", "/usr/bin/env", "-i"]).arg(exe), exe, dir) {
        Err(LaunchError::Execute { .. } | LaunchError::Died { .. }) if !supervised(dir) => launch(exe, dir),
        answer => answer,
    }
}

/// A scope to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// Its name: `tetra-web-1a2b3c4d.scope`.
    pub unit: String,
    /// What it is for, in words.
    pub description: String,
    /// The runtime directory of an ordinary user, whose own manager makes it.
    pub user: Option<PathBuf>,
}

/// Runs what becomes the supervisor, and waits for its first word.
fn execute(command: &mut Command, exe: &Path, dir: &Path) -> Result<Launched, LaunchError> {
    let execute = |source| LaunchError::Execute { exe: exe.to_owned(), source };
    let mut starter = command
        .arg(super::FLAG)
        .arg(dir)
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(execute)?;
    let mut words = File::from(std::os::fd::OwnedFd::from(starter.stdout.take().expect("stdout was piped")));
    let answer = first_word(&mut words, dir);
    // The process we started ended at once, when its own child went on.
    starter.wait().map_err(execute)?;
    match answer {
        // Its worker was killed before it could speak, and the next one has nobody to speak to.
        Err(LaunchError::Died { .. }) if supervised(dir) => Ok(Launched::AlreadySupervised),
        answer => answer,
    }
}

fn first_word(words: &mut File, dir: &Path) -> Result<Launched, LaunchError> {
    let dir = || dir.to_owned();
    let mut limit = FIRST_WORD_LIMIT;
    let mut deadline = Instant::now() + limit;
    loop {
        if !is_readable_until(&*words, deadline.min(Instant::now() + STEP)) {
            if Instant::now() >= deadline {
                return Err(LaunchError::Late { dir: dir(), waited: limit });
            }
            repair::rouse(&dir());
            continue;
        }
        let mut record = [0; RECORD];
        if words.read_exact(&mut record).is_err() {
            return Err(LaunchError::Died { dir: dir() });
        }
        match Word::decode(&record) {
            Some(Word::Done(launched)) => return Ok(launched),
            Some(Word::Hooking) => {
                limit += HOOK_LIMIT;
                deadline += HOOK_LIMIT;
            }
            None => return Err(LaunchError::Unknown { dir: dir() }),
        }
    }
}

/// True when somebody supervises the process in `dir`, and also where that cannot be seen: what is done to a process that nobody
/// supervises needs certainty. Only asks: no lock is taken, not even for an instant.
#[must_use]
pub fn supervised(dir: &Path) -> bool {
    lock::is_held(CWD, dir).unwrap_or(true)
}

/// The same, without an answer where it cannot be seen.
///
/// # Errors
///
/// Fails when the lock is there and cannot be asked for.
pub fn supervision(dir: &Path) -> io::Result<bool> {
    lock::is_held(CWD, dir)
}

/// The same for a `dir` relative to an open folder.
///
/// # Errors
///
/// Fails when the lock is there and cannot be asked for.
pub fn supervised_in(folder: BorrowedFd, dir: &Path) -> io::Result<bool> {
    lock::is_held(folder, dir)
}

/// Gives an order to the supervisor of `dir` and returns at once; what comes of it is seen in `meta.json`. A supervisor that
/// somebody stopped (SIGSTOP) is continued. The order is an operator's.
///
/// # Errors
///
/// Fails when nobody supervises `dir`, or its FIFO cannot be written.
pub fn send(dir: &Path, order: Order) -> Result<(), SendError> {
    send_for(dir, order, Cause::Operator)
}

/// The same for somebody who is no operator.
///
/// # Errors
///
/// As [`send`].
pub fn send_for(dir: &Path, order: Order, cause: Cause) -> Result<(), SendError> {
    let path = dir.join(ORDERS);
    match disk::own().pipe().write().open(&path) {
        Ok(mut fifo) => {
            fifo.write_all(&order.encode(Origin { cause, pid: std::process::id() }))
                .map_err(|source| SendError::Write { path, source })?;
            repair::rouse(dir);
            Ok(())
        }
        Err(error)
            if matches!(error.raw_os_error(), Some(libc::ENXIO | libc::ENOENT))
                || disk::refusal(&error) == Some(Refusal::NotRegular) =>
        {
            Err(SendError::NobodyThere { dir: dir.to_owned() })
        }
        Err(source) => Err(SendError::Write { path, source }),
    }
}

/// Keeps every supervisor away from a process directory for as long as it lives.
#[derive(Debug)]
pub struct Hold {
    _locks: [File; 2],
}

/// Takes the places of guard and worker, so that nobody can begin to supervise the process in `dir`; `None` if somebody does.
///
/// # Errors
///
/// Fails when the locks cannot be taken: then it is not known whether somebody supervises.
pub fn hold(dir: &Path) -> io::Result<Option<Hold>> {
    let take = |seat| {
        let file = lock::open(dir)?;
        Ok::<_, io::Error>(lock::take(&file, seat)?.then_some(file))
    };
    let (guard, worker) = (take(Seat::Guard)?, take(Seat::Worker)?);
    Ok(guard.zip(worker).map(|(guard, worker)| Hold { _locks: [guard, worker] }))
}

/// Lets the kernel forget the process in `dir`, which nobody supervises and which is about to be removed: takes away the
/// empty control groups that a killed supervisor left. Does nothing where there is none.
pub fn forget(dir: &Path) {
    if let Some(cgroup) = Cgroup::of_directory(dir) {
        cgroup.remove();
    }
    if let Some(group) = MemoryGroup::of_directory(dir) {
        group.remove();
    }
}
