//! The guard: holds the FIFOs and the guard's lock, and waits. It forks the worker, which does everything else; when that is
//! killed, it forks the next, which finds everything as it was: the FIFOs with what is in them, the record, and how the child
//! ended if it ended meanwhile. It is a subreaper, so nothing that the child started gets away from it.
//!
//! Killed by an operator's SIGTERM, worker or guard are replaced by the other like after a SIGKILL; when both are told to end,
//! as at a shutdown, both do, after a moment in which the other's signal may arrive, and the child is left to whoever ended us.

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
use super::client::ORDERS;
use super::clock::Moment;
use super::exit::Obituaries;
use super::lock::{self, Seat};
use super::memory_group;
use super::output::{ERR, OUT};
use super::pipe;
use super::wire::{Launched, Step, Word};
use super::worker::{self, Outcome};

/// The worker's exit code that asks for a newer program.
const UPGRADE: i32 = 77;

/// The link to a newer program inside a process directory, while it is to be executed.
pub(super) const PROGRAM: &str = "program";

/// The word before the descriptors that a guard hands to its newer program.
const HANDED: &str = "--handed";

/// The time in which the other's SIGTERM may arrive.
pub(super) const OTHERS_TERM: Duration = Duration::from_millis(100);

/// A worker that lived shorter than this makes the next one wait.
const TOO_SHORT: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Stands for the wait status of a worker that could not be forked: that of an exit with 1.
const NOT_FORKED: i32 = 1 << 8;

/// Our ends of the FIFOs.
#[derive(Debug)]
pub(super) struct Ends {
    pub(super) out: OwnedFd,
    pub(super) err: OwnedFd,
    pub(super) orders: OwnedFd,
}

/// What a guard has.
#[derive(Debug)]
struct Post {
    /// The process directory, absolute; also the working directory.
    dir: PathBuf,
    /// The program we are, as we were called.
    exe: PathBuf,
    seat: File,
    ends: Ends,
    obituaries: File,
    registrar: File,
    /// Where the first word goes.
    word: Option<File>,
    /// Nothing ever ran here: the FIFOs were just made.
    fresh: bool,
    /// The control group of the process.
    cgroup: Option<Cgroup>,
}

/// Becomes the guard of `dir`, in a session of its own and nobody's child.
pub(super) fn start(dir: &Path) -> ! {
    outlive_file_limit();
    let mut words = std::env::args_os();
    let exe = words.next().map(PathBuf::from).unwrap_or_default();
    let handed = words.skip(2).collect::<Vec<_>>();
    let Ok(exe) = std::path::absolute(exe) else { leave(1) };
    // The same directory has the same name to every supervisor, whatever links led to it.
    let Ok(dir) = chdir(dir).map_err(io::Error::from).and_then(|()| std::env::current_dir()) else { leave(1) };
    let post = match handed.as_slice() {
        [flag, descriptors] if flag == HANDED => Post::handed(dir, exe, &descriptors.to_string_lossy()),
        _ => {
            let word = detach();
            settle();
            cgroup::leave_others();
            memory_group::leave_others();
            Post::take(dir, exe, word)
        }
    };
    match post {
        Ok(post) => post.keep(),
        Err(_) => leave(1),
    }
}

/// Leaves the starter behind; comes back in the new process, with the pipe for the first word.
fn detach() -> File {
    // SAFETY: nothing of ours is open yet except the three standard descriptors.
    unsafe { libc::close_range(3, libc::c_uint::MAX, 0) };
    // SAFETY: this process has one thread.
    match unsafe { fork() } {
        Ok(ForkResult::Child) => {}
        Ok(ForkResult::Parent { .. }) => leave(0),
        Err(_) => leave(1),
    }
    // A child of a fork never leads its group, so this cannot fail.
    let _ = setsid();
    match keep_only_stdout() {
        Ok(word) => word,
        Err(_) => leave(1),
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
fn outlive_file_limit() {
    extern "C" fn nothing(_: libc::c_int) {}
    // SAFETY: the handler does nothing.
    let _ = unsafe { signal(Signal::SIGXFSZ, SigHandler::Handler(nothing)) };
}

/// Signals that a terminal or a caller's mistake could send do not reach us; SIGTERM does.
fn settle() {
    use Signal::{SIGHUP, SIGINT, SIGPIPE, SIGQUIT, SIGUSR1, SIGUSR2};
    for ignored in [SIGHUP, SIGINT, SIGQUIT, SIGPIPE, SIGUSR1, SIGUSR2] {
        // SAFETY: ignoring runs no code.
        let _ = unsafe { signal(ignored, SigHandler::SigIgn) };
    }
}

impl Post {
    /// Takes the guard's lock and makes what a life needs. Says so and ends if somebody is there already.
    fn take(dir: PathBuf, exe: PathBuf, mut word: File) -> io::Result<Self> {
        let seat = lock::open(Path::new("."))?;
        if !lock::take(&seat, Seat::Guard)? || lock::is_taken(&seat, Seat::Worker) {
            let _ = word.write_all(&Word::Done(Launched::AlreadySupervised).encode());
            leave(0);
        }
        let fresh = !Path::new(OUT).exists();
        let ends = Ends {
            out: pipe::open(Path::new(OUT))?,
            err: pipe::open(Path::new(ERR))?,
            orders: pipe::open(Path::new(ORDERS))?,
        };
        pipe::narrow(&ends.orders);
        Self::with(dir, exe, (seat, ends)).map(|post| Self { word: Some(word), fresh, ..post })
    }

    fn with(dir: PathBuf, exe: PathBuf, (seat, ends): (File, Ends)) -> io::Result<Self> {
        let (obituaries, registrar) = nix::unistd::pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)?;
        let (obituaries, registrar) = (File::from(obituaries), File::from(registrar));
        pipe::narrow(&registrar);
        let cgroup = Cgroup::of_directory(&dir);
        Ok(Self { dir, exe, seat, ends, obituaries, registrar, word: None, fresh: false, cgroup })
    }

    /// What the older program that this process was left us.
    fn handed(dir: PathBuf, exe: PathBuf, descriptors: &str) -> io::Result<Self> {
        let mut descriptors = descriptors.split(',').map(|number| {
            let number: RawFd = number.parse().map_err(|_| io::ErrorKind::InvalidInput)?;
            set_close_on_exec(number, FdFlag::FD_CLOEXEC)?;
            // SAFETY: the descriptor is open, as we just saw, and was handed to this program alone.
            Ok::<_, io::Error>(unsafe { OwnedFd::from_raw_fd(number) })
        });
        let mut next = || descriptors.next().unwrap_or(Err(io::ErrorKind::InvalidInput.into()));
        let seat = File::from(next()?);
        let ends = Ends { out: next()?, err: next()?, orders: next()? };
        let (obituaries, registrar) = (File::from(next()?), File::from(next()?));
        // We are that program; there may be none.
        let _ = std::fs::remove_file(PROGRAM);
        let cgroup = Cgroup::of_directory(&dir);
        Ok(Self { dir, exe, seat, ends, obituaries, registrar, word: None, fresh: false, cgroup })
    }

    /// Keeps a worker at work until there is nothing left to do.
    fn keep(mut self) -> ! {
        let _ = set_child_subreaper(true);
        let _ = set_name(c"tetra-guard");
        // Asked before the fork: the parent of a worker whose guard was killed meanwhile is somebody else, init for example.
        let guard = std::process::id();
        let mut pause = Duration::ZERO;
        loop {
            rest(pause);
            let born = Moment::now();
            // SAFETY: this process has one thread.
            let ended = match unsafe { fork() } {
                Ok(ForkResult::Child) => self.work(guard),
                Ok(ForkResult::Parent { child }) => {
                    (self.word, self.fresh) = (None, false);
                    self.watch(child)
                }
                Err(errno) => self.not_forked(errno),
            };
            pause = match ended {
                status if libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0 => leave(0),
                status if libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == UPGRADE => self.upgrade(),
                status if libc::WIFSIGNALED(status) && libc::WTERMSIG(status) == libc::SIGTERM => OTHERS_TERM,
                _ if Moment::now().since(born) < TOO_SHORT => (pause * 2).clamp(TOO_SHORT / 10, LONGEST_PAUSE),
                _ => Duration::ZERO,
            };
        }
    }

    /// No worker could be made. A command that waits is told, and nothing was begun; else it is tried again.
    fn not_forked(&mut self, errno: nix::Error) -> i32 {
        if let Some(mut word) = self.word.take() {
            let answer = Launched::NotRun { errno: errno as i32, step: Step::Fork };
            let _ = word.write_all(&Word::Done(answer).encode());
            leave(0);
        }
        NOT_FORKED
    }

    /// Waits for the worker's end and writes down every other one.
    fn watch(&mut self, worker: Pid) -> i32 {
        loop {
            let mut status = 0;
            // SAFETY: `status` is ours.
            let pid = unsafe { libc::waitpid(-1, &raw mut status, 0) };
            if pid == worker.as_raw() || pid == -1 && nix::Error::last() != nix::Error::EINTR {
                return status;
            }
            if pid > 0 {
                // A full pipe means that nobody has asked about hundreds of ends; one more is no loss.
                let _ = self.registrar.write_all(&Obituaries::encode(pid, status));
            }
        }
    }

    /// The worker's life, in the forked process.
    fn work(self, guard: u32) -> ! {
        // A copy of the guard's lock would outlive the guard.
        drop((self.seat, self.registrar));
        let inheritance = worker::Inheritance {
            dir: self.dir.clone(),
            guard,
            ends: self.ends,
            obituaries: Obituaries(self.obituaries),
            word: self.word,
            fresh: self.fresh,
            cgroup: self.cgroup,
        };
        match worker::run(inheritance) {
            Ok(Outcome::Finished) => leave(0),
            Ok(Outcome::Upgrade) => leave(UPGRADE),
            Ok(Outcome::Promoted { ends, seat }) => Self::promoted(self.dir, self.exe, (ends, seat)).keep(),
            Err(_) => leave(1),
        }
    }

    /// A worker whose guard was killed takes its place: the child is its child, and what the child left comes to it.
    fn promoted(dir: PathBuf, exe: PathBuf, (ends, worker_seat): (Ends, File)) -> Self {
        loop {
            let taken = lock::open(Path::new(".")).and_then(|seat| Ok((lock::take(&seat, Seat::Guard)?, seat)));
            let seat = match taken {
                Ok((true, seat)) => seat,
                // The directory was removed: there is no place to take.
                Err(error) if error.kind() == io::ErrorKind::NotFound => leave(1),
                // Somebody who only looks whether the place is free holds it for an instant.
                Ok((false, _)) | Err(_) => {
                    rest(TOO_SHORT);
                    continue;
                }
            };
            match Self::with(dir, exe, (seat, ends)) {
                Ok(post) => {
                    drop(worker_seat);
                    return post;
                }
                Err(_) => leave(1),
            }
        }
    }

    /// Becomes the program that the command named, or else the one that our path names now. Comes back only when that cannot be executed; then all stays as it is.
    fn upgrade(&self) -> Duration {
        let ends = [&self.ends.out, &self.ends.err, &self.ends.orders].map(AsRawFd::as_raw_fd);
        let files = [self.obituaries.as_raw_fd(), self.registrar.as_raw_fd()];
        let descriptors: Vec<RawFd> = [self.seat.as_raw_fd()].into_iter().chain(ends).chain(files).collect();
        let numbers: Vec<String> = descriptors.iter().map(RawFd::to_string).collect();
        let exe = std::fs::read_link(PROGRAM).unwrap_or_else(|_| self.exe.clone());
        let words = [exe.as_os_str(), super::FLAG.as_ref(), self.dir.as_os_str(), HANDED.as_ref()];
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

/// Does nothing for a while.
pub(super) fn rest(span: Duration) {
    if let Ok(span) = rustix::event::Timespec::try_from(span) {
        let _ = rustix::event::poll(&mut [], Some(&span));
    }
}

/// Ends this process without running anything of its parent's.
fn leave(code: i32) -> ! {
    // SAFETY: ends the process at once.
    unsafe { libc::_exit(code) }
}
