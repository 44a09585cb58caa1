//! The keys of the terminal, for the parser behind the line editor and the monitor.
//!
//! That parser (crossterm) reads the standard input and nothing else, and waits in a read for the end of a sequence. So while keys
//! are wanted the standard input is another terminal, which belongs to this program: a thread reads the operator's and gives on
//! whole keys ([`KeyFilter`]), to an editor line by line ([`KeyQueue`]). A command that runs has the operator's terminal.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::pty::{PtyMaster, grantpt, posix_openpt, ptsname_r, unlockpt};
use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::sys::stat::Mode;
use nix::sys::termios::{FlushArg, SetArg, cfmakeraw, tcflush, tcgetattr, tcsetattr};

use super::thread_rest::RestWatch;
use super::tty::TerminalModes;
use super::{foreground, sigcont, signal, tty};
use crate::base::key_filter::KeyFilter;
use crate::base::key_queue::KeyQueue;

/// The most that is read at once.
const CHUNK: usize = 1024;

const ESC: u8 = 0x1b;

const STDIN: &str = "/proc/self/fd/0";

/// How terminals are opened here.
const TERMINAL: OFlag = OFlag::O_RDWR.union(OFlag::O_NOCTTY).union(OFlag::O_NONBLOCK).union(OFlag::O_CLOEXEC);

/// How long keys may lie unread before the parser is woken: it forgets them if the terminal is resized at the same moment.
const WAKE: Duration = Duration::from_millis(20);

/// What is behind the end of a line is left in the terminal, for a program that the line may start, until the editor has slept for
/// so long: it may wait for a cursor report then, which is behind it too.
const SETTLE: Duration = Duration::from_millis(20);

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
    /// Wakes the thread that gives on keys: there are more to give.
    more: EventFd,
}

/// What is on its way.
#[derive(Debug, Default)]
struct Flow {
    filter: KeyFilter,
    keys: KeyQueue,
    /// The thread of the reader.
    reader: Option<RestWatch>,
    behind: Behind,
}

/// Whether what is behind the end of a line is read.
#[derive(Debug, Clone, Copy, Default)]
enum Behind {
    #[default]
    Read,
    /// The reader has not got that end yet.
    Open,
    /// It is left in the terminal until the reader is found asleep; when it is looked at next.
    Left(Instant),
}

/// How much of what is typed is given on at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyDelivery {
    /// Up to a key that may end a line, and then when the reader asks for more.
    Lines,
    /// All of it.
    Keys,
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

    /// The same, if keys were ever read.
    #[must_use]
    pub fn of_session() -> Option<&'static Self> {
        INPUT.get()
    }

    /// The operator's terminal, also while keys are read.
    #[must_use]
    pub fn terminal(&self) -> BorrowedFd<'_> {
        self.terminal.as_fd()
    }

    /// Drops what was typed and not read yet.
    pub fn drop_typed(&self) {
        self.drop_behind();
        let _ = foreground::unstopped(|| tcflush(self.terminal(), FlushArg::TCIFLUSH));
    }

    /// Drops what was read behind the end of the last line.
    pub fn drop_behind(&self) {
        if let Some(own) = &self.own {
            own.flow().keys.drop_behind();
        }
    }

    /// True if the reader got a key that may have ended its line, and nothing since.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.own.as_ref().is_some_and(|own| own.flow().keys.is_held())
    }

    /// Gives the reader the next line, if it has read all that it got: it goes on. `may_have_ended` says that it has got a key that may
    /// end a line since this was true last: it finds nothing to read while that key is still on its way.
    pub fn release(&self, may_have_ended: bool) -> bool {
        let Some(own) = self.own.as_ref().filter(|own| !tty::wake_reader_of(own.input.as_fd())) else { return false };
        let is_released = own.flow().release(may_have_ended);
        if is_released {
            // A counter that is full wakes as well.
            let _ = own.more.write(1);
        }
        is_released
    }

    /// From now on, once this program has it, the terminal is in the modes of an editor, and keys can be read from the standard
    /// input, until what is returned is dropped; the terminal has `modes` then.
    ///
    /// # Errors
    ///
    /// Fails if the thread cannot be made.
    pub fn attach(&'static self, modes: TerminalModes, delivery: KeyDelivery) -> io::Result<AttachedKeys> {
        foreground::wait_for_terminal(self.terminal());
        modes.to_raw().set();
        let mut attached = AttachedKeys { stdin: self.stdin.as_fd(), modes, pump: None };
        if let Some(own) = &self.own {
            own.flow().begin(delivery);
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
        let more = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?;
        Ok(Self { keyboard, input, flow: Mutex::default(), more })
    }

    fn flow(&self) -> MutexGuard<'_, Flow> {
        self.flow.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives on keys until `stop` can be read or the terminal is gone.
    fn pump(&self, terminal: BorrowedFd, stop: BorrowedFd) {
        // Also what would stop this program because it reads in the background.
        signal::block_in_this_thread();
        let pause = || poll(&mut [PollFd::new(stop, PollFlags::POLLIN)], timeout(foreground::LOOK_AGAIN)) == Ok(0);
        let (mut last, mut is_read) = (Instant::now(), false);
        while foreground::wait_for_foreground(terminal, pause) {
            let turn = self.flow().turn(last.elapsed());
            let next = match turn.wait {
                WaitFor::Room => PollFd::new(self.keyboard.as_fd(), PollFlags::POLLOUT),
                WaitFor::Typed => PollFd::new(terminal, PollFlags::POLLIN),
                WaitFor::Reader => PollFd::new(terminal, PollFlags::empty()),
            };
            let mut fds =
                vec![PollFd::new(stop, PollFlags::POLLIN), PollFd::new(self.more.as_fd(), PollFlags::POLLIN), next];
            fds.extend(sigcont::background_fd().map(|fd| PollFd::new(fd, PollFlags::POLLIN)));
            let limits = [turn.limit, (!is_read).then_some(WAKE)];
            let polled = poll(&mut fds, limits.into_iter().flatten().min().map_or(PollTimeout::NONE, timeout));
            let is_set = |number: usize| fds.get(number).is_some_and(|fd| fd.any() == Some(true));
            if is_set(0) {
                return;
            }
            match polled {
                // Nothing is read in the background.
                Ok(_) if is_set(3) => {}
                Ok(_) if is_set(1) => {
                    let _ = self.more.read();
                }
                Ok(ready) if ready > 0 && turn.wait != WaitFor::Room => {
                    last = Instant::now();
                    let read = self.flow().read(terminal);
                    match read {
                        Ok(true) => {}
                        Ok(false) => return signal::mark_hangup(),
                        // It may pass.
                        Err(_) if pause() => {}
                        Err(_) => return,
                    }
                }
                Ok(0) => {
                    self.flow().give_up_after(last.elapsed());
                    is_read = !tty::wake_reader_of(self.input.as_fd());
                }
                Ok(_) | Err(_) => {}
            }
            let mut flow = self.flow();
            flow.give();
            if let Ok(count) = nix::unistd::write(&self.keyboard, flow.keys.ready())
                && count > 0
            {
                flow.advance(count);
                is_read = false;
            }
        }
    }
}

/// What the thread that gives on keys waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum WaitFor {
    /// Room for the keys that are ready.
    Room,
    /// Something that is typed.
    Typed,
    /// The reader, which goes on or ends.
    Reader,
}

/// One turn of the thread that gives on keys.
struct Turn {
    wait: WaitFor,
    limit: Option<Duration>,
}

/// Rounded up, so that it does not spin in the last millisecond.
fn timeout(limit: Duration) -> PollTimeout {
    PollTimeout::try_from(limit + Duration::from_millis(1)).unwrap_or(PollTimeout::MAX)
}

impl Flow {
    /// Another reader begins, in this thread. It may wait for a cursor report before it asks for keys, so all is read.
    fn begin(&mut self, delivery: KeyDelivery) {
        self.keys.begin(delivery == KeyDelivery::Lines);
        (self.reader, self.behind) = (Some(RestWatch::of_this_thread()), Behind::Read);
    }

    /// The reader goes on; false if it has not got the end of its line yet. Nothing is on its way to one that sleeps.
    fn release(&mut self, may_have_ended: bool) -> bool {
        if matches!(self.behind, Behind::Left(_)) && !may_have_ended {
            return false;
        }
        self.keys.release();
        self.behind = Behind::Open;
        true
    }

    /// The reader gets what is ready now.
    fn give(&mut self) {
        if let (Behind::Open, true, Some(reader)) = (self.behind, self.keys.ends_line(), &mut self.reader) {
            reader.give();
        }
    }

    /// How long what is behind the end of a line is left in the terminal at least.
    fn leaves_behind(&mut self) -> Option<Duration> {
        let Behind::Left(until) = self.behind else { return None };
        let left = until.saturating_duration_since(Instant::now());
        if !left.is_zero() {
            return Some(left);
        }
        if self.reader.as_mut().is_none_or(RestWatch::has_slept) {
            self.behind = Behind::Read;
            return None;
        }
        self.behind = Behind::Left(Instant::now() + SETTLE);
        Some(SETTLE)
    }

    /// What is waited for; the last byte was read so long ago.
    fn turn(&mut self, since_last: Duration) -> Turn {
        let patience = self.filter.patience().map(|patience| patience.saturating_sub(since_last));
        if !self.keys.ready().is_empty() {
            return Turn { wait: WaitFor::Room, limit: patience };
        }
        match self.leaves_behind().filter(|_| self.keys.is_held()) {
            Some(left) => Turn { wait: WaitFor::Reader, limit: Some(left) },
            None if self.keys.is_full() => Turn { wait: WaitFor::Reader, limit: None },
            None => Turn { wait: WaitFor::Typed, limit: patience },
        }
    }

    /// The reader got so many bytes.
    fn advance(&mut self, count: usize) {
        self.keys.advance(count);
        if self.keys.is_held() && matches!(self.behind, Behind::Open) {
            self.behind = Behind::Left(Instant::now() + SETTLE);
        }
    }

    /// Nothing came for so long.
    fn give_up_after(&mut self, pause: Duration) {
        if self.filter.patience().is_some_and(|patience| patience <= pause) {
            self.filter.give_up(&mut self.keys);
        }
    }

    /// Takes what was typed; false if the terminal is gone. What is behind the end of a line is left there.
    fn read(&mut self, terminal: BorrowedFd) -> io::Result<bool> {
        let mut chunk = [0; CHUNK];
        // One that is gone is noticed by reading.
        let mut left = tty::unread(terminal).clamp(1, CHUNK);
        while left > 0 && !self.keys.ends_line() {
            let wanted = if self.filter.is_in_paste() || self.keys.is_held() { left } else { 1 };
            match nix::unistd::read(terminal, &mut chunk[..wanted]) {
                Ok(0) => return Ok(false),
                Ok(count) => {
                    left = left.saturating_sub(count);
                    let is_more = chunk[count - 1] == ESC && tty::unread(terminal) > 0;
                    self.filter.feed(&chunk[..count], is_more, &mut self.keys);
                }
                Err(Errno::EINTR | Errno::EAGAIN) => break,
                Err(_) if tty::is_gone(terminal) => return Ok(false),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(true)
    }
}
