//! The keys of the terminal, for the parser behind the line editor and the monitor.
//!
//! That parser (crossterm) reads the standard input and nothing else, and waits in a read for the end of a sequence. So while keys
//! are wanted the standard input is another terminal, which belongs to this program: a thread reads the operator's and gives on
//! whole keys ([`KeyFilter`]). A command that runs has the operator's terminal.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::pty::{PtyMaster, grantpt, posix_openpt, ptsname_r, unlockpt};
use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::sys::stat::Mode;
use nix::sys::termios::{FlushArg, SetArg, cfmakeraw, tcflush, tcgetattr, tcsetattr};

use super::tty::TerminalModes;
use super::{foreground, sigcont, signal, tty};
use crate::base::key_filter::KeyFilter;

/// The most that is read at once.
const CHUNK: usize = 1024;

const STDIN: &str = "/proc/self/fd/0";

/// How terminals are opened here.
const TERMINAL: OFlag = OFlag::O_RDWR.union(OFlag::O_NOCTTY).union(OFlag::O_NONBLOCK).union(OFlag::O_CLOEXEC);

/// How long keys may lie unread before the parser is woken: it forgets them if the terminal is resized at the same moment.
const WAKE: Duration = Duration::from_millis(20);

static INPUT: OnceLock<KeyInput> = OnceLock::new();

/// The terminal of the operator, and the one that the parser reads.
#[derive(Debug)]
pub struct KeyInput {
    terminal: OwnedFd,
    /// The standard input as it was: programs that are run get it, and theirs must wait.
    stdin: OwnedFd,
    /// None where no terminals can be made: the parser gets the operator's.
    own: Option<OwnTerminal>,
}

#[derive(Debug)]
struct OwnTerminal {
    keyboard: PtyMaster,
    input: OwnedFd,
    flow: Mutex<Flow>,
}

/// What is on its way.
#[derive(Debug, Default)]
struct Flow {
    filter: KeyFilter,
    /// Whole keys that had no room yet.
    keys: Vec<u8>,
}

impl KeyInput {
    /// The keys of the terminal that was the standard input at the first call.
    ///
    /// # Errors
    ///
    /// Fails if there are no more descriptors.
    pub fn of_stdin() -> io::Result<&'static Self> {
        if let Some(input) = INPUT.get() {
            return Ok(input);
        }
        // Opened anew, so that its reads need not wait; a terminal of another user (`su`) cannot be opened, but is there.
        let stdin = io::stdin().as_fd().try_clone_to_owned()?;
        let terminal = open(STDIN, TERMINAL, Mode::empty()).or_else(|_| stdin.try_clone())?;
        Ok(INPUT.get_or_init(|| Self { terminal, stdin, own: OwnTerminal::open().ok() }))
    }

    /// The operator's terminal, also while keys are read.
    #[must_use]
    pub fn terminal(&self) -> BorrowedFd<'_> {
        self.terminal.as_fd()
    }

    /// Drops what was typed and not read yet.
    pub fn drop_typed(&self) {
        let _ = foreground::unstopped(|| tcflush(self.terminal(), FlushArg::TCIFLUSH));
    }

    /// From now on, once this program has it, the terminal is in the modes of an editor, and keys can be read from the standard input, until what is returned
    /// is dropped; the terminal has `modes` then.
    ///
    /// # Errors
    ///
    /// Fails if the thread cannot be made.
    pub fn attach(&'static self, modes: TerminalModes) -> io::Result<AttachedKeys> {
        foreground::wait_for_terminal(self.terminal());
        modes.to_raw().set();
        let mut attached = AttachedKeys { stdin: self.stdin.as_fd(), modes, pump: None };
        if let Some(own) = &self.own {
            let stop = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?;
            let ended = stop.as_fd().try_clone_to_owned()?;
            let thread = std::thread::Builder::new().name("keys".to_owned());
            let thread = thread.spawn(move || own.pump(self.terminal(), ended.as_fd()))?;
            attached.pump = Some((stop, thread));
            nix::unistd::dup2_stdin(&own.input)?;
        }
        Ok(attached)
    }
}

/// While it lives, the standard input gives keys.
#[derive(Debug)]
pub struct AttachedKeys {
    stdin: BorrowedFd<'static>,
    modes: TerminalModes,
    pump: Option<(EventFd, JoinHandle<()>)>,
}

impl Drop for AttachedKeys {
    fn drop(&mut self) {
        if let Some((stop, thread)) = self.pump.take() {
            // A counter of 0 can always be raised, and the thread ends then.
            let _ = stop.write(1);
            let _ = thread.join();
            let _ = nix::unistd::dup2_stdin(self.stdin);
        }
        self.modes.set();
    }
}

impl OwnTerminal {
    fn open() -> io::Result<Self> {
        let keyboard = posix_openpt(TERMINAL)?;
        grantpt(&keyboard)?;
        unlockpt(&keyboard)?;
        // A parser that finds nothing whole must not wait in a read: no limit of time ends that.
        let input = open(ptsname_r(&keyboard)?.as_str(), TERMINAL, Mode::empty())?;
        let mut modes = tcgetattr(&input)?;
        cfmakeraw(&mut modes);
        tcsetattr(&input, SetArg::TCSANOW, &modes)?;
        Ok(Self { keyboard, input, flow: Mutex::default() })
    }

    /// Gives on keys until `stop` can be read or the terminal is gone.
    fn pump(&self, terminal: BorrowedFd, stop: BorrowedFd) {
        // Also what would stop this program because it reads in the background.
        signal::block_in_this_thread();
        let mut flow = self.flow.lock().unwrap_or_else(PoisonError::into_inner);
        let pause = || poll(&mut [PollFd::new(stop, PollFlags::POLLIN)], timeout(foreground::LOOK_AGAIN)) == Ok(0);
        let (mut last, mut is_read) = (Instant::now(), false);
        while foreground::wait_for_foreground(terminal, pause) {
            let next = match flow.keys[..] {
                [] => PollFd::new(terminal, PollFlags::POLLIN),
                _ => PollFd::new(self.keyboard.as_fd(), PollFlags::POLLOUT),
            };
            let mut fds = vec![PollFd::new(stop, PollFlags::POLLIN), next];
            fds.extend(sigcont::background_fd().map(|fd| PollFd::new(fd, PollFlags::POLLIN)));
            let patience = flow.filter.patience().map(|patience| patience.saturating_sub(last.elapsed()));
            let limits = [patience, (!is_read).then_some(WAKE)];
            match poll(&mut fds, limits.into_iter().flatten().min().map_or(PollTimeout::NONE, timeout)) {
                Ok(_) if fds[0].any() == Some(true) => return,
                // Nothing is read in the background.
                Ok(_) if fds.get(2).is_some_and(|fd| fd.any() == Some(true)) => {}
                Ok(ready) if ready > 0 && flow.keys.is_empty() => {
                    last = Instant::now();
                    match flow.read(terminal) {
                        Ok(true) => {}
                        Ok(false) => return signal::mark_hangup(),
                        // It may pass.
                        Err(_) if pause() => {}
                        Err(_) => return,
                    }
                }
                Ok(0) => {
                    if flow.filter.patience().is_some_and(|patience| patience <= last.elapsed()) {
                        flow.give_up();
                    }
                    is_read = !tty::wake_reader_of(self.input.as_fd());
                }
                Ok(_) | Err(_) => {}
            }
            if let Ok(count) = nix::unistd::write(&self.keyboard, &flow.keys)
                && count > 0
            {
                flow.keys.drain(..count);
                is_read = false;
            }
        }
    }
}

/// Rounded up, so that it does not spin in the last millisecond.
fn timeout(limit: Duration) -> PollTimeout {
    PollTimeout::try_from(limit + Duration::from_millis(1)).unwrap_or(PollTimeout::MAX)
}

impl Flow {
    /// Nothing came for long enough.
    fn give_up(&mut self) {
        self.filter.give_up(&mut self.keys);
    }

    /// Takes what was typed; false if the terminal is gone.
    fn read(&mut self, terminal: BorrowedFd) -> io::Result<bool> {
        let mut chunk = [0; CHUNK];
        match nix::unistd::read(terminal, &mut chunk) {
            Ok(0) => Ok(false),
            Ok(count) => {
                self.filter.feed(&chunk[..count], count == CHUNK, &mut self.keys);
                Ok(true)
            }
            Err(Errno::EINTR | Errno::EAGAIN) => Ok(true),
            Err(_) if tty::is_gone(terminal) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}
