//! From a decision to a running program: fork, gate, exec.
//!
//! The forked child prepares everything, then waits at a gate until its pid is in `meta.json`. If the supervisor dies before
//! it opened the gate, the child reads an end of file there and ends: no program ever runs unrecorded.
//! What fails between fork and exec comes back through a close-on-exec pipe, so an end of file there means success.

use std::convert::Infallible;
use std::ffi::{CStr, CString, OsStr};
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::sys::signal::{SigSet, SigmaskHow, sigprocmask};
use nix::unistd::{ForkResult, chdir, execve, fork, setsid};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::cgroup::{self, Cgroup, Forked};
use super::environment::{Environment, HOOK_VAR};
use super::limits::{LimitError, MemoryMethod, allow_reopen};
use super::meta::Meta;
use super::proc::{self, ProcStat, SignalTarget};
use super::protocol::SpawnStep;
use super::version_dirs;

/// The exit code of a child that could not execute its program; only seen when no supervisor reads the pipe any more.
const NOT_EXECUTED: i32 = 127;

/// Where programs are looked for when the environment does not say.
const DEFAULT_PATH: &[u8] = b"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SpawnKind {
    /// The process itself.
    Service,
    /// Its pre-start command.
    Hook,
}

/// What a child is made of.
#[derive(Debug)]
pub(super) struct SpawnSpec<'a> {
    /// The process directory, absolute.
    pub(super) dir: &'a Path,
    pub(super) meta: &'a Meta,
    pub(super) kind: SpawnKind,
    /// Our ends of its standard output and standard error.
    pub(super) outputs: [BorrowedFd<'a>; 2],
    /// Where it is forked into, if that can be.
    pub(super) cgroup: Option<&'a Cgroup>,
    /// The worker's lock.
    pub(super) role_lock: BorrowedFd<'a>,
}

/// Why a program does not run.
#[derive(Debug)]
pub(super) struct SpawnError {
    pub(super) step: SpawnStep,
    pub(super) errno: i32,
    pub(super) message: String,
}

impl SpawnError {
    /// A failure of `action`, in a step whose error number is in `error`.
    fn new(step: SpawnStep, error: &io::Error, action: &str) -> Self {
        Self { step, errno: error.raw_os_error().unwrap_or(libc::EIO), message: format!("failed to {action}: {error}") }
    }
}

/// A child that waits at the gate.
#[derive(Debug)]
pub(super) struct GatedChild {
    pub(super) pid: u32,
    pub(super) pidfd: OwnedFd,
    gate: File,
    report: File,
}

/// Forks a child that prepares to run its program and waits at the gate.
pub(super) fn prepare(spec: &SpawnSpec<'_>) -> Result<GatedChild, SpawnError> {
    let forking = |error: io::Error| SpawnError::new(SpawnStep::Fork, &error, "create a process");
    let (behind, gate) = io::pipe().map_err(forking)?;
    let (report, reporter) = io::pipe().map_err(forking)?;
    match fork_child(spec.cgroup).map_err(forking)? {
        Forked::Child => {
            let _never_back = AbortOnUnwind;
            // Its copy would keep the place of a worker that is killed, as long as it waits at the gate.
            // SAFETY: the number is that of our copy, which nothing uses: this process never comes back to its owner.
            unsafe { libc::close(spec.role_lock.as_raw_fd()) };
            drop((gate, report));
            let mut behind = File::from(OwnedFd::from(behind));
            let Err(failure) = exec_child(spec, &mut behind);
            write_failure(&mut File::from(OwnedFd::from(reporter)), &failure);
            exit_child()
        }
        Forked::Parent { pid, pidfd } => {
            drop((behind, reporter));
            let (gate, report) = (File::from(OwnedFd::from(gate)), File::from(OwnedFd::from(report)));
            Ok(GatedChild { pid, pidfd, gate, report })
        }
    }
}

fn fork_child(cgroup: Option<&Cgroup>) -> io::Result<Forked> {
    // SAFETY: this process has one thread, so the child may use everything it finds.
    let grouped = cgroup.and_then(Cgroup::open).and_then(|group| unsafe { cgroup::fork_into(&group) }.ok());
    if let Some(forked) = grouped {
        return Ok(forked);
    }
    // SAFETY: as above.
    Ok(match unsafe { fork() }? {
        ForkResult::Child => Forked::Child,
        ForkResult::Parent { child } => {
            let pid = child.as_raw().unsigned_abs();
            // The child cannot be reaped by anybody else, so its pid is its own.
            Forked::Parent { pid, pidfd: proc::open_pidfd(pid)? }
        }
    })
}

/// A child behind the gate.
#[derive(Debug)]
pub(super) struct StartingChild {
    pid: u32,
    pidfd: OwnedFd,
    opened: io::Result<()>,
    report: File,
}

impl GatedChild {
    /// Opens the gate, and says what limits the memory.
    pub(super) fn release(mut self, memory_by: MemoryMethod) -> StartingChild {
        let word = if memory_by == MemoryMethod::Data { OPEN_WITH_LIMIT } else { OPEN };
        StartingChild { pid: self.pid, pidfd: self.pidfd, opened: self.gate.write_all(&[word]), report: self.report }
    }
}

impl StartingChild {
    /// Waits until the program runs. A child that was stopped (SIGSTOP) before it is its program is continued: it
    /// could not be ended otherwise.
    pub(super) fn confirm(mut self) -> Result<OwnedFd, SpawnError> {
        while !is_readable(&self.report) {
            if ProcStat::of(self.pid).is_some_and(|stat| stat.is_stopped()) {
                let _ = proc::signal(&self.pidfd, libc::SIGCONT, SignalTarget::Process);
            }
        }
        let mut report = Vec::new();
        let read_error = self.report.read_to_end(&mut report);
        match (report.as_slice(), self.opened.and(read_error)) {
            ([], Ok(_)) => Ok(self.pidfd),
            ([], Err(error)) => Err(SpawnError::new(SpawnStep::Fork, &error, "start the child")),
            (report, _) => Err(parse_failure(report)),
        }
    }
}

/// How often a child that does not become its program is looked at.
const REPORT_POLL_INTERVAL: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };

/// Waits for a moment; true also where it cannot be waited.
fn is_readable(report: &File) -> bool {
    !matches!(
        poll(&mut [PollFd::new(report, PollFlags::IN)], Some(&REPORT_POLL_INTERVAL)),
        Ok(0) | Err(rustix::io::Errno::INTR)
    )
}

/// Ends the process if anything, even a panic, leaves its scope: two must not return from one fork.
struct AbortOnUnwind;

impl Drop for AbortOnUnwind {
    fn drop(&mut self) {
        exit_child()
    }
}

fn exit_child() -> ! {
    // SAFETY: ends the process at once, running nothing that belongs to the parent.
    unsafe { libc::_exit(NOT_EXECUTED) }
}

/// Everything between fork and exec.
fn exec_child(spec: &SpawnSpec<'_>, gate: &mut File) -> Result<Infallible, SpawnError> {
    let meta = spec.meta;
    let forked = |error: io::Error| SpawnError::new(SpawnStep::Fork, &error, "set up the child");
    setsid().map_err(|errno| forked(errno.into()))?;
    redirect_stdio(spec).map_err(forked)?;
    reset_signals().map_err(forked)?;
    let mut environment = Environment::read(spec.dir, meta).map_err(|refused| SpawnError {
        step: SpawnStep::Environment,
        errno: refused.errno,
        message: refused.message,
    })?;
    let argv = match spec.kind {
        SpawnKind::Service => meta.run.argv.iter().map(String::as_str).collect(),
        SpawnKind::Hook => {
            environment.set(HOOK_VAR.as_bytes(), b"1");
            vec!["sh", "-c", &meta.prehook]
        }
    };
    let argv: Vec<CString> = argv.into_iter().filter_map(|word| CString::new(word).ok()).collect();
    apply_limits(spec)?;
    chdir(&meta.cwd).map_err(|errno| {
        SpawnError::new(SpawnStep::Directory, &errno.into(), &format!("enter `{}`", meta.cwd.display()))
    })?;
    let memory_by = wait_at_gate(gate);
    // Last, for it holds us too.
    meta.run.limits.limit_memory(memory_by).map_err(|refused| limit_failure(SpawnStep::Limit, refused))?;
    execute(&argv, &meta.run.word, &mut environment)
}

/// Everything that needs the rights of the supervisor is done before these are given up; the directory has to be open to the
/// user itself.
fn apply_limits(spec: &SpawnSpec<'_>) -> Result<(), SpawnError> {
    let run = &spec.meta.run;
    run.limits.set_rlimits().map_err(|refused| limit_failure(SpawnStep::Limit, refused))?;
    if let Some(user) = &run.user {
        // Where that cannot be, only `/dev/stdout` cannot be opened.
        let _ = allow_reopen(&io::stdout()).and_then(|()| allow_reopen(&io::stderr()));
        user.set_ids().map_err(|refused| limit_failure(SpawnStep::User, refused))?;
    }
    Ok(())
}

fn limit_failure(step: SpawnStep, refused: LimitError) -> SpawnError {
    SpawnError { step, errno: refused.errno, message: refused.message }
}

/// What goes through the gate: go on, or go on with a limit of your own.
const OPEN: u8 = 1;
const OPEN_WITH_LIMIT: u8 = 2;

/// Waits until the supervisor has recorded this process, and learns what limits its memory. Ends when there is no supervisor any
/// more.
fn wait_at_gate(gate: &mut File) -> MemoryMethod {
    let mut word = [0];
    if gate.read_exact(&mut word).is_err() {
        exit_child();
    }
    if word == [OPEN_WITH_LIMIT] { MemoryMethod::Data } else { MemoryMethod::Nothing }
}

/// Null as stdin, and each FIFO opened anew: what an earlier life did to its descriptors died with them. They are reached
/// through our own ends, so that a removed name does no harm.
fn redirect_stdio(spec: &SpawnSpec<'_>) -> io::Result<()> {
    let reading = !spec.meta.run.write_only_output;
    let fifo = |end: &BorrowedFd<'_>| {
        let path = format!("/proc/self/fd/{}", end.as_raw_fd());
        OpenOptions::new().read(reading).write(true).custom_flags(libc::O_NOCTTY).open(path)
    };
    let [out, err] = &spec.outputs;
    let (null, out, err) = (File::open("/dev/null")?, fifo(out)?, fifo(err)?);
    nix::unistd::dup2_stdin(&null)?;
    nix::unistd::dup2_stdout(&out)?;
    nix::unistd::dup2_stderr(&err)?;
    Ok(())
}

/// A program expects the defaults; an ignored SIGPIPE or a blocked SIGCHLD would be inherited by its exec.
fn reset_signals() -> io::Result<()> {
    // The C library keeps some numbers for itself and refuses to touch them, so the kernel is asked. It refuses only the two
    // signals that have no other action. A structure of zeros is the default, with no flags and an empty mask.
    let default = [0u8; 64];
    let (none, of_mask) = (std::ptr::null_mut::<u8>(), size_of::<u64>());
    for signal in 1..=libc::SIGRTMAX() {
        // SAFETY: the kernel reads its structure, which is shorter than ours on every architecture; a default runs no code.
        unsafe { libc::syscall(libc::SYS_rt_sigaction, signal, default.as_ptr(), none, of_mask) };
    }
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None)?;
    Ok(())
}

/// Executes the first word, looked up in the child's own `PATH`, as `execvp` would. If it is a path that was found once and is
/// gone, the `word` that it was found by is looked up again.
fn execute(argv: &[CString], word: &str, environment: &mut Environment) -> Result<Infallible, SpawnError> {
    let failed = |errno: nix::Error| {
        let name = argv.first().map(|word| word.to_string_lossy().into_owned()).unwrap_or_default();
        SpawnError::new(SpawnStep::Execute, &errno.into(), &format!("execute `{name}`"))
    };
    let Some(name) = argv.first().filter(|name| !name.is_empty()) else {
        return Err(failed(nix::Error::ENOENT));
    };
    let is_path = name.as_bytes().contains(&b'/');
    let reason = if is_path {
        try_execve(name, argv, &environment.to_strings())
    } else {
        try_search_path(name.as_bytes(), argv, environment)
    };
    let word = if is_path { word.as_bytes() } else { name.as_bytes() };
    if word.is_empty() || !matches!(reason, nix::Error::ENOENT | nix::Error::ENOTDIR) {
        return Err(failed(reason));
    }
    // A newer version may be beside the one that is gone, and what it starts by name is there too.
    let path = Path::new(OsStr::from_bytes(name.as_bytes()));
    let mut directories = version_dirs::repair_search_path(environment.get(b"PATH").unwrap_or(DEFAULT_PATH));
    if let Some(beside) = path.parent().filter(|_| is_path).and_then(version_dirs::newer_version_dir) {
        let before = environment.get(b"PATH").unwrap_or(DEFAULT_PATH).to_vec();
        directories = Some([beside.as_os_str().as_bytes(), &directories.unwrap_or(before)].join(&b':'));
    }
    if let Some(directories) = directories {
        environment.set(b"PATH", &directories);
    }
    let _ = try_search_path(word, argv, environment);
    Err(failed(reason))
}

/// Executes a name from the first directory of the search path that has it. Only comes back with an error.
fn try_search_path(name: &[u8], argv: &[CString], environment: &Environment) -> nix::Error {
    let envp = environment.to_strings();
    let mut reason = nix::Error::ENOENT;
    for dir in environment.get(b"PATH").unwrap_or(DEFAULT_PATH).split(|byte| *byte == b':') {
        let directory = if dir.is_empty() { &b"."[..] } else { dir };
        let path = Path::new(OsStr::from_bytes(directory)).join(OsStr::from_bytes(name));
        let Ok(path) = CString::new(path.as_os_str().as_bytes()) else { return nix::Error::EINVAL };
        let mut argv = argv.to_vec();
        // Who is named by a path looks for what belongs to it there.
        if let Some(first) = argv.first_mut().filter(|first| first.as_bytes().contains(&b'/')) {
            first.clone_from(&path);
        }
        match try_execve(&path, &argv, &envp) {
            nix::Error::ENOENT | nix::Error::ENOTDIR => {}
            nix::Error::EACCES => reason = nix::Error::EACCES,
            other => return other,
        }
    }
    reason
}

/// Only comes back with an error. A script without a first line is given to `sh`, as `execvp` does.
fn try_execve(path: &CStr, argv: &[CString], envp: &[CString]) -> nix::Error {
    match execve(path, argv, envp) {
        Err(nix::Error::ENOEXEC) => {
            let mut words: Vec<&CStr> = vec![c"sh", path];
            words.extend(argv.iter().skip(1).map(CString::as_c_str));
            match execve(c"/bin/sh", &words, envp) {
                Ok(never) => match never {},
                Err(errno) => errno,
            }
        }
        Ok(never) => match never {},
        Err(errno) => errno,
    }
}

/// The longest explanation that is passed on, so that the report is one atomic write.
const MAX_MESSAGE_LEN: usize = 1024;

fn write_failure(report: &mut File, failure: &SpawnError) {
    let words = failure.message.as_bytes();
    let mut bytes = Vec::with_capacity(8 + MAX_MESSAGE_LEN);
    bytes.extend(failure.step.code().to_le_bytes());
    bytes.extend(failure.errno.to_le_bytes());
    bytes.extend(&words[..words.len().min(MAX_MESSAGE_LEN)]);
    // A report that cannot be written is lost; the exit code remains.
    let _ = report.write_all(&bytes);
}

fn parse_failure(bytes: &[u8]) -> SpawnError {
    let number = |at: usize| {
        let bytes = bytes.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
        i32::from_le_bytes(bytes.unwrap_or_default())
    };
    let words = String::from_utf8_lossy(bytes.get(8..).unwrap_or_default()).into_owned();
    SpawnError { step: SpawnStep::from_code(number(0)), errno: number(4), message: words }
}

/// Waits for the end of a child that did not run its program, so that no zombie stays.
pub(super) fn reap(pid: u32) {
    let mut status = 0;
    let pid = i32::try_from(pid).unwrap_or(-1);
    // SAFETY: `status` is ours; the child is about to end or has ended.
    while unsafe { libc::waitpid(pid, &raw mut status, 0) } == -1
        && io::Error::last_os_error().kind() == io::ErrorKind::Interrupted
    {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_comes_back_cut_to_its_limit() {
        let (mut reader, writer) = io::pipe().expect("a pipe");
        let failure = SpawnError { step: SpawnStep::Directory, errno: 2, message: "x".repeat(5000) };
        write_failure(&mut File::from(OwnedFd::from(writer)), &failure);
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).expect("a report");
        let understood = parse_failure(&bytes);
        assert_eq!(
            (understood.step, understood.errno, understood.message.len()),
            (SpawnStep::Directory, 2, MAX_MESSAGE_LEN)
        );
    }
}
