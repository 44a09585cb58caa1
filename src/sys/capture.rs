//! Programs with an answer: run to their end within a time, with no more of their output kept than is allowed.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use super::child::{ChildExit, exit_code};
use super::pidfd::ChildHandle;
use super::signal;

/// How often a program is looked after.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// A program with its arguments and what it may cost.
#[derive(Debug, Clone)]
pub struct Capture<'a> {
    /// Looked up in `PATH`.
    pub program: &'a str,
    /// Its arguments.
    pub arguments: &'a [String],
    /// Its environment.
    pub variables: &'a BTreeMap<String, String>,
    /// What it reads.
    pub input: &'a [u8],
    /// How long it may take.
    pub limit: Duration,
    /// The most bytes that are kept of each of its streams; the rest is read and dropped.
    pub max_output: u64,
}

/// What came of a [`Capture`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Captured {
    /// How it ended.
    pub exit: ChildExit,
    /// What it wrote to its standard output.
    pub stdout: Vec<u8>,
    /// What it wrote to its standard error.
    pub stderr: Vec<u8>,
}

impl Capture<'_> {
    /// Runs it. It has a process group of its own, all of which ends with it, also on Ctrl-C.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be started.
    pub fn run(&self) -> io::Result<Captured> {
        let until = Instant::now() + self.limit;
        let mut command = Command::new(self.program);
        command.args(self.arguments).env_clear().envs(self.variables).process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        let group = i32::try_from(child.id()).map(Pid::from_raw).map_err(io::Error::other)?;
        let (feed, out, err) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        std::thread::scope(|scope| {
            // A program may end without reading everything; that is its affair.
            scope.spawn(move || feed.map(|mut feed| feed.write_all(self.input)));
            let out = scope.spawn(move || keep(out, self.max_output));
            let err = scope.spawn(move || keep(err, self.max_output));
            let handle = ChildHandle::of(&child);
            let in_time = loop {
                if handle.wait(POLL_INTERVAL) {
                    break true;
                }
                if Instant::now() >= until || signal::interrupted() {
                    break false;
                }
            };
            // Not yet collected, so the number of its group is still its own.
            let _ = killpg(group, Signal::SIGKILL);
            let status = child.wait()?;
            let exit = if in_time { ChildExit::Code(exit_code(status)) } else { ChildExit::Killed };
            let joined = |reader: std::thread::ScopedJoinHandle<'_, Vec<u8>>| reader.join().unwrap_or_default();
            Ok(Captured { exit, stdout: joined(out), stderr: joined(err) })
        })
    }
}

/// Reads a stream to its end, and keeps its beginning.
fn keep(stream: Option<impl Read>, most: u64) -> Vec<u8> {
    let mut kept = Vec::new();
    if let Some(mut stream) = stream {
        // A stream that breaks has ended.
        let _ = stream.by_ref().take(most).read_to_end(&mut kept);
        let _ = io::copy(&mut stream, &mut io::sink());
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(line: &str, limit: Duration) -> Captured {
        let variables = BTreeMap::from([("PATH".to_owned(), "/usr/bin:/bin".to_owned())]);
        let arguments = ["-c".to_owned(), line.to_owned()];
        let input = b"hello";
        Capture { program: "sh", arguments: &arguments, variables: &variables, input, limit, max_output: 10 }
            .run()
            .expect("sh is there")
    }

    #[test]
    fn keeps_the_beginning_of_what_is_said_and_reads_the_rest() {
        let found = run("cat; head -c 1000000 /dev/zero; echo oh >&2; exit 7", Duration::from_secs(60));
        assert_eq!(found.exit, ChildExit::Code(7));
        assert_eq!((&*found.stdout, &*found.stderr), (&b"hello\0\0\0\0\0"[..], &b"oh\n"[..]));
    }

    #[test]
    fn what_takes_too_long_ends_with_its_children() {
        assert_eq!(run("sleep 600 & sleep 600", Duration::from_millis(50)).exit, ChildExit::Killed);
    }
}
