//! The guard: holds the FIFOs and the guard's lock, and waits. It forks the worker, which does everything else; when that is
//! killed, it forks the next, which finds everything as it was: the FIFOs with what is in them, the record, and how the child
//! ended if it ended meanwhile. It is a subreaper, so nothing that the child started gets away from it.
//!
//! Killed by an operator's SIGTERM, worker or guard are replaced by the other like after a SIGKILL; when both get SIGTERM,
//! as at a shutdown, both do, after a moment in which the other's signal may arrive, and the child is left alone.

use std::ffi::CString;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl};
use nix::sys::prctl::{set_child_subreaper, set_name};
use nix::sys::signal::{SigHandler, Signal, signal};
use nix::unistd::{ForkResult, Pid, chdir, execv, fork, setsid};

use super::cgroup::{self, Cgroup};
use super::clock::{MonotonicTime, sleep};
use super::exit_status::ExitReports;
use super::lock::{self, LockRole};
use super::log_writer::{ERR, OUT};
use super::memory_cgroup;
use super::pipe::{self, Fifos};
use super::protocol::{CONTROL_FIFO, LaunchResult, SpawnStep, StartupMessage, UPGRADE_LINK};
use super::worker::{self, PROMOTION_DELAY, WorkerExit};

/// The worker's exit code that asks for a newer program.
const UPGRADE_EXIT_CODE: i32 = 77;

/// The word before the descriptors that a guard hands to its newer program.
const INHERIT_FLAG: &str = "--handed";

/// A worker that lived shorter than this makes the next one wait.
const MIN_WORKER_UPTIME: Duration = Duration::from_millis(50);
const MAX_RESPAWN_DELAY: Duration = Duration::from_secs(1);

/// The wait status of a worker that could not be forked: that of an exit with 1.
const FORK_FAILED: i32 = 1 << 8;

/// What a guard has.
#[derive(Debug)]
struct Guard {
    /// The process directory, absolute; also the working directory.
    dir: PathBuf,
    /// The program we are, as we were called.
    exe: PathBuf,
    role_lock: File,
    fifos: Fifos,
    exit_reports: File,
    exit_report_writer: File,
    /// Where the first word goes.
    startup_pipe: Option<File>,
    /// Nothing ever ran here: the FIFOs were just made.
    is_first_start: bool,
    /// The control group of the process.
    cgroup: Option<Cgroup>,
}

/// Becomes the guard of `dir`, in a session of its own and not a child of any caller.
pub(super) fn start(dir: &Path) -> ! {
    ignore_sigxfsz();
    let mut words = std::env::args_os();
    let exe = words.next().map(PathBuf::from).unwrap_or_default();
    let handed = words.skip(2).collect::<Vec<_>>();
    let Ok(exe) = std::path::absolute(exe) else { exit_now(1) };
    // The same directory has the same name to every supervisor, whatever links led to it.
    let Ok(dir) = chdir(dir).map_err(io::Error::from).and_then(|()| std::env::current_dir()) else { exit_now(1) };
    let post = match handed.as_slice() {
        [flag, descriptors] if flag == INHERIT_FLAG => Guard::inherit(dir, exe, &descriptors.to_string_lossy()),
        _ => {
            let word = daemonize();
            ignore_signals();
            cgroup::leave_other_groups();
            memory_cgroup::leave_other_groups();
            Guard::acquire(dir, exe, word)
        }
    };
    match post {
        Ok(post) => post.run(),
        Err(_) => exit_now(1),
    }
}

/// Leaves the starter behind; comes back in the new process, with the pipe for the first word.
fn daemonize() -> File {
    // SAFETY: nothing of ours is open yet except the three standard descriptors.
    unsafe { libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, 0) };
    // SAFETY: this process has one thread.
    match unsafe { fork() } {
        Ok(ForkResult::Child) => {}
        Ok(ForkResult::Parent { .. }) => exit_now(0),
        Err(_) => exit_now(1),
    }
    // A child of a fork never leads its group, so this cannot fail.
    let _ = setsid();
    match keep_only_stdout() {
        Ok(word) => word,
        Err(_) => exit_now(1),
    }
}

/// Null on the three standard descriptors; what was stdout comes back.
fn keep_only_stdout() -> io::Result<File> {
    let word = fcntl(io::stdout(), FcntlArg::F_DUPFD_CLOEXEC(3))?;
    let null = File::options().read(true).write(true).open("/dev/null")?;
    nix::unistd::dup2_stdin(&null)?;
    nix::unistd::dup2_stdout(&null)?;
    nix::unistd::dup2_stderr(&null)?;
    // SAFETY: the descriptor was just made, for us alone.
    Ok(unsafe { File::from_raw_fd(word) })
}

/// A file that reaches its limit (`ulimit -f`) is an error of the write, and no reason to end. The signal is caught, not ignored,
/// so that what is executed has the default again.
fn ignore_sigxfsz() {
    extern "C" fn nothing(_: libc::c_int) {}
    // SAFETY: the handler does nothing.
    let _ = unsafe { signal(Signal::SIGXFSZ, SigHandler::Handler(nothing)) };
}

/// Signals that a terminal or a caller's mistake could send do not reach us; SIGTERM does.
fn ignore_signals() {
    use Signal::{SIGHUP, SIGINT, SIGPIPE, SIGQUIT, SIGUSR1, SIGUSR2};
    for ignored in [SIGHUP, SIGINT, SIGQUIT, SIGPIPE, SIGUSR1, SIGUSR2] {
        // SAFETY: ignoring runs no code.
        let _ = unsafe { signal(ignored, SigHandler::SigIgn) };
    }
}

/// Both ends of the pipe through which exits are reported.
fn exit_report_pipe() -> io::Result<[File; 2]> {
    let (reader, writer) = nix::unistd::pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)?;
    let (reader, writer) = (File::from(reader), File::from(writer));
    pipe::shrink_to_min(&writer);
    Ok([reader, writer])
}

impl Guard {
    /// Takes the guard's lock and makes what a life needs. Reports it and ends if another guard runs already.
    fn acquire(dir: PathBuf, exe: PathBuf, mut word: File) -> io::Result<Self> {
        let seat = lock::open(Path::new("."))?;
        if !lock::try_acquire(&seat, LockRole::Guard)? || lock::is_role_held(&seat, LockRole::Worker) {
            let _ = word.write_all(&StartupMessage::Done(LaunchResult::AlreadySupervised).encode());
            exit_now(0);
        }
        let fresh = !Path::new(OUT).exists();
        let ends = Fifos {
            out: pipe::open(Path::new(OUT))?,
            err: pipe::open(Path::new(ERR))?,
            control: pipe::open(Path::new(CONTROL_FIFO))?,
        };
        pipe::shrink_to_min(&ends.control);
        let reports = exit_report_pipe()?;
        Ok(Self { startup_pipe: Some(word), is_first_start: fresh, ..Self::with(dir, exe, seat, ends, reports) })
    }

    /// A guard with what it holds: its lock, the FIFOs, and both ends of the pipe of exit reports.
    fn with(dir: PathBuf, exe: PathBuf, role_lock: File, fifos: Fifos, reports: [File; 2]) -> Self {
        let [exit_reports, exit_report_writer] = reports;
        let cgroup = Cgroup::of_directory(&dir);
        let (startup_pipe, is_first_start) = (None, false);
        Self { dir, exe, role_lock, fifos, exit_reports, exit_report_writer, startup_pipe, is_first_start, cgroup }
    }

    /// What the older program that this process was left us.
    fn inherit(dir: PathBuf, exe: PathBuf, descriptors: &str) -> io::Result<Self> {
        let mut descriptors = descriptors.split(',').map(|number| {
            let number: RawFd = number.parse().map_err(|_| io::ErrorKind::InvalidInput)?;
            set_close_on_exec(number, FdFlag::FD_CLOEXEC)?;
            // SAFETY: the descriptor is open, as we just saw, and was handed to this program alone.
            Ok::<_, io::Error>(unsafe { OwnedFd::from_raw_fd(number) })
        });
        let mut next = || descriptors.next().unwrap_or(Err(io::ErrorKind::InvalidInput.into()));
        let seat = File::from(next()?);
        let ends = Fifos { out: next()?, err: next()?, control: next()? };
        let reports = [File::from(next()?), File::from(next()?)];
        // We are that program; there may be none.
        let _ = std::fs::remove_file(UPGRADE_LINK);
        Ok(Self::with(dir, exe, seat, ends, reports))
    }

    /// Keeps a worker at work until there is nothing left to do.
    fn run(mut self) -> ! {
        let _ = set_child_subreaper(true);
        let _ = set_name(c"tetra-guard");
        // Asked before the fork: the parent of a worker whose guard was killed meanwhile is another process, such as init.
        let guard = std::process::id();
        let mut pause = Duration::ZERO;
        loop {
            sleep(pause);
            let born = MonotonicTime::now();
            // SAFETY: this process has one thread.
            let ended = match unsafe { fork() } {
                Ok(ForkResult::Child) => self.run_worker(guard),
                Ok(ForkResult::Parent { child }) => {
                    (self.startup_pipe, self.is_first_start) = (None, false);
                    self.wait_for_worker(child)
                }
                Err(errno) => self.fork_failed(errno),
            };
            pause = match ended {
                status if libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0 => exit_now(0),
                status if libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == UPGRADE_EXIT_CODE => self.upgrade(),
                status if libc::WIFSIGNALED(status) && libc::WTERMSIG(status) == libc::SIGTERM => PROMOTION_DELAY,
                _ if MonotonicTime::now().duration_since(born) < MIN_WORKER_UPTIME => {
                    (pause * 2).clamp(MIN_WORKER_UPTIME / 10, MAX_RESPAWN_DELAY)
                }
                _ => Duration::ZERO,
            };
        }
    }

    /// No worker could be made. A command that waits gets the error, and nothing was started; else it is tried again.
    fn fork_failed(&mut self, errno: nix::Error) -> i32 {
        if let Some(mut word) = self.startup_pipe.take() {
            let answer = LaunchResult::NotRun { errno: errno as i32, step: SpawnStep::Fork };
            let _ = word.write_all(&StartupMessage::Done(answer).encode());
            exit_now(0);
        }
        FORK_FAILED
    }

    /// Waits for the worker's end and writes down every other one.
    fn wait_for_worker(&mut self, worker: Pid) -> i32 {
        loop {
            let mut status = 0;
            // SAFETY: `status` is ours.
            let pid = unsafe { libc::waitpid(-1, &raw mut status, 0) };
            if pid == worker.as_raw() || pid == -1 && nix::Error::last() != nix::Error::EINTR {
                return status;
            }
            if pid > 0 {
                // A full pipe means that hundreds of exit reports were not read; one more changes nothing.
                let _ = self.exit_report_writer.write_all(&ExitReports::encode(pid, status));
            }
        }
    }

    /// The worker's life, in the forked process.
    fn run_worker(self, guard: u32) -> ! {
        // A copy of the guard's lock would outlive the guard.
        drop((self.role_lock, self.exit_report_writer));
        let inheritance = worker::WorkerInit {
            dir: self.dir.clone(),
            guard,
            fifos: self.fifos,
            exit_reports: ExitReports(self.exit_reports),
            startup_pipe: self.startup_pipe,
            is_first_start: self.is_first_start,
            cgroup: self.cgroup,
        };
        match worker::run(inheritance) {
            Ok(WorkerExit::Finished) => exit_now(0),
            Ok(WorkerExit::Upgrade) => exit_now(UPGRADE_EXIT_CODE),
            Ok(WorkerExit::Promoted { fifos: ends, role_lock: seat }) => {
                Self::promote(self.dir, self.exe, ends, seat).run()
            }
            Err(_) => exit_now(1),
        }
    }

    /// A worker whose guard was killed takes its place: the child is its child, and what the child left comes to it.
    fn promote(dir: PathBuf, exe: PathBuf, ends: Fifos, worker_seat: File) -> Self {
        loop {
            let taken =
                lock::open(Path::new(".")).and_then(|seat| Ok((lock::try_acquire(&seat, LockRole::Guard)?, seat)));
            let seat = match taken {
                Ok((true, seat)) => seat,
                // The directory was removed: there is no place to take.
                Err(error) if error.kind() == io::ErrorKind::NotFound => exit_now(1),
                // A process that only checks the lock holds it for an instant.
                Ok((false, _)) | Err(_) => {
                    sleep(MIN_WORKER_UPTIME);
                    continue;
                }
            };
            match exit_report_pipe().map(|reports| Self::with(dir, exe, seat, ends, reports)) {
                Ok(post) => {
                    drop(worker_seat);
                    return post;
                }
                Err(_) => exit_now(1),
            }
        }
    }

    /// Becomes the program that the command named, or else the one that our path names now. Comes back only when that cannot be executed; then all stays as it is.
    fn upgrade(&self) -> Duration {
        let ends = [&self.fifos.out, &self.fifos.err, &self.fifos.control].map(AsRawFd::as_raw_fd);
        let files = [self.exit_reports.as_raw_fd(), self.exit_report_writer.as_raw_fd()];
        let descriptors: Vec<RawFd> = [self.role_lock.as_raw_fd()].into_iter().chain(ends).chain(files).collect();
        let numbers: Vec<String> = descriptors.iter().map(RawFd::to_string).collect();
        let exe = std::fs::read_link(UPGRADE_LINK).unwrap_or_else(|_| self.exe.clone());
        let words = [exe.as_os_str(), super::FLAG.as_ref(), self.dir.as_os_str(), INHERIT_FLAG.as_ref()];
        let mut argv: Vec<CString> = words.iter().filter_map(|word| CString::new(word.as_bytes()).ok()).collect();
        argv.extend(CString::new(numbers.join(",")));
        for descriptor in &descriptors {
            let _ = set_close_on_exec(*descriptor, FdFlag::empty());
        }
        if let Some(exe) = argv.first().cloned() {
            let _ = execv(&exe, &argv);
        }
        for descriptor in &descriptors {
            let _ = set_close_on_exec(*descriptor, FdFlag::FD_CLOEXEC);
        }
        Duration::ZERO
    }
}

fn set_close_on_exec(descriptor: RawFd, flag: FdFlag) -> io::Result<()> {
    // SAFETY: the number is only used for this call, which fails on one that is not open.
    let descriptor = unsafe { std::os::fd::BorrowedFd::borrow_raw(descriptor) };
    fcntl(descriptor, FcntlArg::F_SETFD(flag))?;
    Ok(())
}

/// Ends this process without running anything of its parent's.
fn exit_now(code: i32) -> ! {
    // SAFETY: ends the process at once.
    unsafe { libc::_exit(code) }
}
