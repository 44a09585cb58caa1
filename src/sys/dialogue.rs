//! Programs that are talked to: what is written to them and read from them, each within a time.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::poll::wait_any;

/// How long a program may take to end after its input has ended.
const GRACE: Duration = Duration::from_millis(500);

/// A program with a pipe to it and a pipe from it, in a group of its own: Ctrl-C does not reach it.
#[derive(Debug)]
pub struct Dialogue {
    child: Child,
    input: Feed,
    output: ChildStdout,
    cutter: Cutter,
}

/// Ends programs from another thread, whatever is waited for: those that were started with it, and those that would be later.
#[derive(Debug, Clone, Default)]
pub struct Cutter(Arc<Mutex<Running>>);

#[derive(Debug, Default)]
struct Running {
    is_cut: bool,
    /// Not collected yet, so these numbers are still theirs.
    pids: Vec<u32>,
}

impl Cutter {
    /// Ends them.
    pub fn cut(&self) {
        let mut running = self.running();
        running.is_cut = true;
        for pid in running.pids.iter().filter_map(|pid| i32::try_from(*pid).ok()) {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }

    fn start(&self, command: &mut Command) -> io::Result<Child> {
        let mut running = self.running();
        if running.is_cut {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let child = command.spawn()?;
        running.pids.push(child.id());
        Ok(child)
    }

    fn end(&self, child: &mut Child) {
        let mut running = self.running();
        running.pids.retain(|pid| *pid != child.id());
        let _ = child.kill();
        let _ = child.wait();
    }

    fn running(&self) -> MutexGuard<'_, Running> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is written to a program, by several threads, each piece as a whole.
#[derive(Debug, Clone)]
pub struct Feed(Arc<Mutex<Option<ChildStdin>>>);

impl Dialogue {
    /// Starts it.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be started, or those that are started with the cutter were ended.
    pub fn start(
        program: &str,
        arguments: &[String],
        variables: &BTreeMap<String, String>,
        cutter: &Cutter,
    ) -> io::Result<Self> {
        let mut command = Command::new(program);
        command.args(arguments).env_clear().envs(variables).process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = cutter.start(&mut command)?;
        let input = Feed(Arc::new(Mutex::new(child.stdin.take())));
        let output = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        Ok(Self { child, input, output, cutter: cutter.clone() })
    }

    /// Its pid.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Where it reads from.
    #[must_use]
    pub fn feed(&self) -> Feed {
        self.input.clone()
    }

    /// What it says, until a moment.
    pub fn until(&mut self, moment: Instant) -> impl Read {
        UntilDeadline { output: &mut self.output, moment }
    }
}

impl Feed {
    /// Writes a piece.
    ///
    /// # Errors
    ///
    /// Fails if the program has ended.
    pub fn write(&self, pieces: &[&[u8]]) -> io::Result<()> {
        let mut input = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let input = input.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        pieces.iter().try_for_each(|piece| input.write_all(piece)).and_then(|()| input.flush())
    }

    fn close(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

impl Drop for Dialogue {
    /// Ends its input, and then the program.
    fn drop(&mut self) {
        self.input.close();
        let until = Instant::now() + GRACE;
        // What it still says is of no interest; its end is.
        let _ = io::copy(&mut UntilDeadline { output: &mut self.output, moment: until }, &mut io::sink());
        self.cutter.end(&mut self.child);
    }
}

struct UntilDeadline<'a> {
    output: &'a mut ChildStdout,
    moment: Instant,
}

impl Read for UntilDeadline<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            let left = self.moment.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            if wait_any(&[self.output.as_fd()], left) == [true] {
                return self.output.read(into);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(line: &str, cutter: &Cutter) -> Dialogue {
        let variables = BTreeMap::from([("PATH".to_owned(), "/usr/bin:/bin".to_owned())]);
        Dialogue::start("sh", &["-c".to_owned(), line.to_owned()], &variables, cutter).expect("sh is there")
    }

    #[test]
    fn it_answers_what_it_is_told() {
        let mut program = start("read line; echo \"got $line\"; exec sleep 600", &Cutter::default());
        program.feed().write(&[b"one ", b"two\n"]).expect("written");
        let mut said = [0; 11];
        program.until(Instant::now() + Duration::from_secs(60)).read_exact(&mut said).expect("an answer");
        assert_eq!(&said, b"got one two");
        let silent = program.until(Instant::now()).read(&mut said).expect_err("nothing more");
        assert_eq!(silent.kind(), io::ErrorKind::TimedOut);
    }

    #[test]
    fn its_end_is_seen() {
        let mut program = start("exit 0", &Cutter::default());
        let mut said = Vec::new();
        program.until(Instant::now() + Duration::from_secs(60)).read_to_end(&mut said).expect("an end");
        assert_eq!(said, b"");
    }

    #[test]
    fn another_thread_ends_it_while_it_is_waited_for() {
        let cutter = Cutter::default();
        let mut program = start("echo begun; exec sleep 600", &cutter);
        let mut until = program.until(Instant::now() + Duration::from_secs(60));
        until.read_exact(&mut [0; 6]).expect("it says so");
        let mut said = Vec::new();
        std::thread::scope(|scope| {
            scope.spawn(|| cutter.cut());
            until.read_to_end(&mut said).expect("an end");
        });
        assert_eq!(said, b"");
        let later = Dialogue::start("sh", &[], &BTreeMap::new(), &cutter).expect_err("it is cut");
        assert_eq!(later.kind(), io::ErrorKind::Interrupted);
    }
}
