//! A second Ctrl-C ends a program that went on after the first one.
//!
//! The terminal sends each Ctrl-C to the program itself. One that ignores them would keep the prompt from its operator; one that does
//! something about them, as a pager or an interpreter does, is left alone where it has the terminal.

use std::io::{self, PipeReader, PipeWriter, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::process::Child;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::pidfd::{KillSignal, PidFd};
use super::process::{self, ProcessTable};
use super::{poll, signal};

/// How soon a further Ctrl-C is seen.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);

/// The longest wait; after it the wait is repeated.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 60 * 60);

/// How long a program may take to end when it is asked to.
const GRACE: Duration = Duration::from_millis(500);

/// The bit of SIGINT in the masks of `/proc/PID/status`.
const SIGINT_BIT: u64 = 1 << (libc::SIGINT - 1);

/// Which programs a second Ctrl-C ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meant {
    /// Every one.
    All,
    /// One that ignores Ctrl-C, or waits for such a one.
    Ignoring,
}

/// While it lives, a second Ctrl-C ends a child with all below it: asked to first, killed after a moment.
#[derive(Debug, Default)]
pub struct SecondInterrupt {
    over: Option<PipeWriter>,
    thread: Option<JoinHandle<()>>,
}

impl SecondInterrupt {
    /// Looks after a child that was not collected yet. Without descriptors or threads nothing is looked after.
    #[must_use]
    pub fn watch(child: &Child, meant: Meant) -> Self {
        let pid = child.id();
        let (Ok(root), Ok((ended, over))) = (PidFd::open(pid), io::pipe()) else { return Self::default() };
        let thread = std::thread::Builder::new().name("second interrupt".to_owned()).spawn(move || {
            // Signals are for the thread that works: they end its waiting.
            signal::block_in_this_thread();
            Watched { pid, root, meant, ended }.run();
        });
        Self { over: Some(over), thread: thread.ok() }
    }
}

impl Drop for SecondInterrupt {
    fn drop(&mut self) {
        self.over = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Watched {
    pid: u32,
    root: PidFd,
    meant: Meant,
    /// Readable once nothing is to be looked after any more.
    ended: PipeReader,
}

impl Watched {
    fn run(&self) {
        let fds: Vec<BorrowedFd> = [self.ended.as_fd()].into_iter().chain(signal::interrupt_fd()).collect();
        while signal::interrupts() == 0 {
            if poll::wait_any(&fds, LONGEST_WAIT).first() == Some(&true) {
                return;
            }
        }
        let mut seen = 1;
        while poll::wait_any(&[self.ended.as_fd()], LOOK_INTERVAL) != [true] {
            let now = signal::interrupts();
            if now > seen {
                seen = now;
                self.end();
            }
        }
    }

    /// Ends what is meant; false if that is nothing.
    fn end(&self) -> bool {
        let table = ProcessTable::snapshot();
        let found = table.tree(self.pid);
        // A shell that waits for a program leaves it to that program.
        let is_last = |pid: u32| !found.iter().any(|it| it.ppid == pid && it.is_alive());
        let mut last = found.iter().filter(|it| it.is_alive() && is_last(it.pid));
        if self.meant == Meant::Ignoring && !last.all(|it| ignores_sigint(it.pid)) {
            return false;
        }
        // The number of a process may be another's by now; with a handle it cannot become one between the look and the signal.
        let held =
            found.iter().filter_map(|it| PidFd::open(it.pid).ok().filter(|_| process::is_same(it.pid, it.start_ticks)));
        let held: Vec<PidFd> = held.collect();
        // Not ended, so the number is still its own, and so is what was found below it.
        if self.root.wait(Duration::ZERO) {
            return false;
        }
        let until = Instant::now() + GRACE;
        for process in &held {
            let _ = process.send(KillSignal::Term);
        }
        for process in &held {
            if !process.wait(until.saturating_duration_since(Instant::now())) {
                let _ = process.send(KillSignal::Kill);
            }
        }
        true
    }
}

/// A process ignores Ctrl-C.
fn ignores_sigint(pid: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & SIGINT_BIT != 0)
}

/// What a child writes, read in a thread of its own.
#[derive(Debug)]
pub struct ReadOutput(Receiver<Vec<u8>>);

impl ReadOutput {
    /// Reads to the end; keeps as many bytes, and drops the rest.
    #[must_use]
    pub fn of(mut stream: impl Read + Send + 'static, most: u64) -> Self {
        let (sender, receiver) = mpsc::channel();
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            // What was read before a failure is shown.
            let _ = Read::by_ref(&mut stream).take(most).read_to_end(&mut bytes);
            let _ = io::copy(&mut stream, &mut io::sink());
            // It may be waited for no more.
            let _ = sender.send(bytes);
        });
        Self(receiver)
    }

    /// What was read, at its end. After a second Ctrl-C it is not waited for: something else may keep the stream open.
    #[must_use]
    pub fn take(self) -> Vec<u8> {
        loop {
            match self.0.recv_timeout(LOOK_INTERVAL) {
                Ok(bytes) => return bytes,
                Err(RecvTimeoutError::Timeout) if signal::interrupts() < 2 => {}
                Err(_) => return Vec::new(),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};

    use super::*;

    /// A shell that has run a line, and then reads what never comes.
    fn after(line: &str) -> Child {
        let line = format!("{line}; echo ready; read never; :");
        // A shell cannot trap what is ignored when it starts, as Ctrl-C is where the tests run in the background.
        let mut command = Command::new("env");
        let mut child = command
            .args(["--default-signal=INT", "sh", "-c", &line])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("sh");
        let mut said = String::new();
        BufReader::new(child.stdout.take().expect("piped")).read_line(&mut said).expect("it says something");
        assert_eq!(said, "ready\n");
        child
    }

    fn end(mut child: Child, meant: Meant) -> bool {
        let (ended, _over) = io::pipe().expect("a pipe");
        let root = PidFd::open(child.id()).expect("it runs");
        let watched = Watched { pid: child.id(), root, meant, ended };
        let is_meant = watched.end();
        assert!(!is_meant || watched.root.wait(Duration::from_secs(60)), "it has ended");
        let _ = child.kill();
        let _ = child.wait();
        is_meant
    }

    #[test]
    fn what_does_something_about_control_c_is_left_alone_where_it_has_the_terminal() {
        assert!(end(after("trap '' INT"), Meant::Ignoring));
        assert!(end(after("trap '' INT TERM"), Meant::Ignoring), "it is killed");
        assert!(!end(after("trap 'echo heard' INT"), Meant::Ignoring));
        assert!(end(after("trap 'echo heard' INT"), Meant::All));
    }
}
