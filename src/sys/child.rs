//! Programs that this one waits for.

use std::collections::BTreeMap;
use std::io::{self, PipeReader, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use super::pidfd::{ChildHandle, KillSignal, PidFd};
use super::process::{self, ProcessTable};
use super::signal::{self, Waited};

/// Waits for a child that has the terminal; its exit code. Ctrl-C is the child's affair. If this program is asked to end, it asks
/// the child to end too.
///
/// # Errors
///
/// Fails if another thread waited for it.
pub fn wait(child: &mut Child) -> io::Result<i32> {
    if let Ok(handle) = PidFd::open(child.id())
        && !signal::wait_unless_terminated(&handle)
    {
        // It may have ended by now, or belong to another user; waiting for it is all that is left.
        let _ = handle.send(KillSignal::Term);
    }
    child.wait().map(exit_code)
}

/// The exit code of a program; 128 + n for a signal.
#[must_use]
pub fn exit_code(status: ExitStatus) -> i32 {
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0))
}

/// Makes this process the parent of what loses its own below it, so that [`kill_descendants`] finds it.
///
/// # Errors
///
/// Fails if the kernel does not allow it.
pub fn adopt_orphans() -> io::Result<()> {
    Ok(nix::sys::prctl::set_child_subreaper(true)?)
}

/// Kills and collects every child of this process and all below them, for at most `patience`. For a program that has waited for each
/// child of its own.
pub fn kill_descendants(timeout: Duration) {
    let until = Instant::now() + timeout;
    loop {
        loop {
            match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::StillAlive) => break,
                Ok(_) | Err(nix::Error::EINTR) => {}
                Err(_) => return,
            }
        }
        if Instant::now() >= until {
            return;
        }
        for found in ProcessTable::snapshot().tree(process::own_pid()).into_iter().skip(1) {
            // The number may be another's by now; with a handle it cannot become one between the look and the signal.
            if let Ok(handle) = PidFd::open(found.pid)
                && process::is_same(found.pid, found.start_ticks)
            {
                let _ = handle.send(KillSignal::Kill);
            }
        }
        super::dir_watch::sleep_interruptible(Duration::from_millis(2));
    }
}

/// How a program with a limit ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChildExit {
    /// By itself, with this code; 128 + n for a signal.
    Code(i32),
    /// It was killed with everything in its group: its time was up, or it was given up.
    Killed,
}

/// How often a program is looked after.
const POLL_INTERVAL: Duration = Duration::from_millis(POLL_INTERVAL_MS as u64);
const POLL_INTERVAL_MS: u8 = 50;

/// The longest line that is handed on as one, in bytes.
const MAX_LINE: usize = 64 << 10;

/// As many bytes are in a pipe at most.
const PIPE_SIZE: usize = 64 << 10;

/// Runs a program with `input` on its standard input and without output, for at most `limit` and until `given_up`. It has a process group of its
/// own, all of which ends with it.
///
/// # Errors
///
/// Fails if it cannot be started.
pub fn run_with_timeout(
    mut command: Command,
    input: &[u8],
    limit: Duration,
    is_cancelled: &dyn Fn() -> bool,
) -> io::Result<ChildExit> {
    let until = Instant::now() + limit;
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0).spawn()?;
    let group = i32::try_from(child.id()).map(Pid::from_raw).map_err(io::Error::other)?;
    let feed = child.stdin.take();
    std::thread::scope(|scope| {
        if let Some(mut feed) = feed {
            // A program may end without reading everything; that is its affair.
            scope.spawn(move || feed.write_all(input));
        }
        let handle = ChildHandle::of(&child);
        let in_time = loop {
            if handle.wait(POLL_INTERVAL) {
                break true;
            }
            if Instant::now() >= until || is_cancelled() {
                break false;
            }
        };
        // Not yet collected, so the number of its group is still its own.
        let _ = killpg(group, Signal::SIGKILL);
        let status = child.wait()?;
        Ok(if in_time { ChildExit::Code(exit_code(status)) } else { ChildExit::Killed })
    })
}

/// A command line, and what it may take.
#[derive(Debug, Clone, Copy)]
pub struct ShellLine<'a> {
    /// What `sh -c` runs.
    pub text: &'a str,
    /// Where.
    pub cwd: &'a Path,
    /// Its environment.
    pub variables: &'a BTreeMap<String, String>,
    /// How long it may take.
    pub limit: Duration,
    /// How long it may write nothing before [`ChildNews::Silent`].
    pub silence: Duration,
}

/// What there is of a command line while it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChildNews<'a> {
    /// It wrote a line.
    Line(&'a str),
    /// It runs for so long, and has written no line for a while.
    Silent(Duration),
}

/// Runs a command line to its end, or until Ctrl-C is pressed, and hands on each line of both its streams. It has a process group
/// of its own, all of which ends with it. What left the group may go on, and is not waited for.
///
/// # Errors
///
/// Fails if `sh` cannot be started.
pub fn run_lines(line: ShellLine, on_news: &mut dyn FnMut(ChildNews)) -> io::Result<ChildExit> {
    let begun = Instant::now();
    let until = begun + line.limit;
    let (output, input) = io::pipe()?;
    fcntl(&output, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    let mut command = Command::new("sh");
    command.arg("-c").arg(line.text).current_dir(line.cwd).env_clear().envs(line.variables).process_group(0);
    let mut child = command.stdin(Stdio::null()).stderr(input.try_clone()?).stdout(input).spawn()?;
    let group = i32::try_from(child.id()).map(Pid::from_raw).map_err(io::Error::other)?;
    let handle = ChildHandle::of(&child);
    let mut lines = Lines { output, rest: Vec::new(), heard: begun, on_news };
    let mut is_open = true;
    let in_time = loop {
        let pause = if is_open { Duration::ZERO } else { POLL_INTERVAL };
        if handle.wait(pause) {
            break true;
        }
        if Instant::now() >= until || signal::interrupted() {
            break false;
        }
        if is_open && signal::wait_readable_within(lines.output.as_fd(), POLL_INTERVAL_MS.into()) == Waited::Readable {
            is_open = lines.read() != Some(0);
        }
        if lines.heard.elapsed() >= line.silence {
            lines.hand_on(ChildNews::Silent(begun.elapsed()));
        }
    };
    // Not yet collected, so the number of its group is still its own.
    let _ = killpg(group, Signal::SIGKILL);
    let status = child.wait()?;
    lines.finish();
    Ok(if in_time { ChildExit::Code(exit_code(status)) } else { ChildExit::Killed })
}

/// What a program writes, in lines.
struct Lines<'a> {
    output: PipeReader,
    rest: Vec<u8>,
    /// When there was something to hand on.
    heard: Instant,
    on_news: &'a mut dyn FnMut(ChildNews),
}

impl Lines<'_> {
    /// Reads what is there, and hands on whole lines. How much it was: 0 at the end, none if there is nothing now.
    fn read(&mut self) -> Option<usize> {
        let mut bytes = [0; 8 << 10];
        let count = match self.output.read(&mut bytes) {
            Ok(count) => count,
            Err(error) => return (!is_temporary(&error)).then_some(0),
        };
        self.rest.extend_from_slice(&bytes[..count]);
        while let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.rest.drain(..=end).collect();
            self.hand_on(ChildNews::Line(String::from_utf8_lossy(&line).trim_end()));
        }
        if self.rest.len() >= MAX_LINE {
            self.hand_on_rest();
        }
        Some(count)
    }

    /// Hands on what was written before the end: at most what a pipe holds, for another program may write to it for ever.
    fn finish(&mut self) {
        let mut left = PIPE_SIZE;
        while let Some(count @ 1..) = self.read()
            && count < left
        {
            left -= count;
        }
        self.hand_on_rest();
    }

    fn hand_on_rest(&mut self) {
        let rest = std::mem::take(&mut self.rest);
        if !rest.is_empty() {
            self.hand_on(ChildNews::Line(String::from_utf8_lossy(&rest).trim_end()));
        }
    }

    fn hand_on(&mut self, news: ChildNews) {
        (self.on_news)(news);
        self.heard = Instant::now();
    }
}

fn is_temporary(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(line: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", line]);
        command
    }

    #[test]
    fn a_program_hears_its_input_and_ends_in_time() {
        let line = "read a; test \"$a\" = hello; exit $((7 + $?))";
        let ended = run_with_timeout(sh(line), b"hello\n", Duration::from_secs(20), &|| false).expect("sh is there");
        assert_eq!(ended, ChildExit::Code(7));
        let ended = run_with_timeout(sh("exit 3"), &[b'x'; 1 << 20], Duration::from_secs(20), &|| false);
        assert_eq!(ended.expect("sh is there"), ChildExit::Code(3), "also when it does not listen");
    }

    #[test]
    fn what_takes_too_long_or_is_given_up_ends_with_its_children() {
        let line = "sleep 600 & sleep 600";
        let ended = run_with_timeout(sh(line), &[0; 1 << 20], Duration::from_millis(100), &|| false);
        assert_eq!(ended.expect("sh is there"), ChildExit::Killed);
        assert_eq!(
            run_with_timeout(sh(line), b"", Duration::from_secs(600), &|| true).expect("sh is there"),
            ChildExit::Killed
        );
    }

    fn lines(text: &str, limit: Duration) -> (ChildExit, Vec<String>) {
        let mut seen = Vec::new();
        let variables = std::env::vars().collect();
        let line = ShellLine { text, cwd: Path::new("/"), variables: &variables, limit, silence: limit };
        let mut keep = |news: ChildNews| match news {
            ChildNews::Line(text) => seen.push(text.to_owned()),
            ChildNews::Silent(_) => {}
        };
        let ended = run_lines(line, &mut keep).expect("sh is there");
        (ended, seen)
    }

    #[test]
    fn while_nothing_is_written_there_is_a_sign_of_life() {
        let go = tempfile::tempdir().expect("a directory");
        let variables = std::env::vars().collect();
        let text = "echo a; until test -e go; do sleep 0.01; done; echo b";
        let (limit, silence) = (Duration::from_secs(60), Duration::from_millis(10));
        let mut seen = Vec::new();
        let mut last = Duration::ZERO;
        let line = ShellLine { text, cwd: go.path(), variables: &variables, limit, silence };
        let ended = run_lines(line, &mut |news| match news {
            ChildNews::Line(text) => seen.push(text.to_owned()),
            ChildNews::Silent(how_long) => {
                assert!(how_long > last, "{how_long:?} after {last:?}");
                last = how_long;
                seen.push("silent".to_owned());
                if seen.ends_with(&["silent".to_owned(), "silent".to_owned()]) {
                    std::fs::write(go.path().join("go"), "").expect("ours");
                }
            }
        });
        assert_eq!(ended.expect("sh is there"), ChildExit::Code(0));
        seen.dedup();
        assert!(seen.ends_with(&["a".to_owned(), "silent".to_owned(), "b".to_owned()]), "{seen:?}");
    }

    #[test]
    fn both_streams_are_handed_on_in_lines_to_the_end() {
        let text = "echo a; echo b >&2; seq 20000 | tail -n 1; printf rest; exit 3";
        let (ended, seen) = lines(text, Duration::from_secs(60));
        assert_eq!((ended, seen.join(" ").as_str()), (ChildExit::Code(3), "a b 20000 rest"));
        let (ended, seen) = lines("seq 50000", Duration::from_secs(60));
        assert_eq!((ended, seen.len(), seen.last().map(String::as_str)), (ChildExit::Code(0), 50_000, Some("50000")));
        let (ended, seen) = lines("exec >&- 2>&-; exit 4", Duration::from_secs(60));
        assert_eq!((ended, seen.len()), (ChildExit::Code(4), 0));
    }

    #[test]
    fn what_keeps_the_output_open_after_the_end_is_not_waited_for() {
        let (ended, seen) = lines("setsid sleep 3 & sleep 600 & echo done", Duration::from_secs(600));
        assert_eq!((ended, seen), (ChildExit::Code(0), vec!["done".to_owned()]));
        assert_eq!(lines("setsid sleep 3 & sleep 600", Duration::from_millis(100)).0, ChildExit::Killed);
    }
}
