//! Commands that get a limited time, and end with their starter.

use std::io::{self, Read};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group, set_parent_process_death_signal};

use super::pidfd::ChildHandle;

/// What came of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TimedRun {
    /// It ended in time.
    Exited {
        /// The exit code; 128 + n for a signal.
        code: i32,
        /// The last line that it wrote.
        said: String,
    },
    /// It took too long and was killed with all that it started in its group.
    TimedOut,
}

/// Of what a command writes no more is looked at.
const MAX_OUTPUT_TAIL: u64 = 16 * 1024;

/// What a command runs in.
#[derive(Debug, Clone, Copy)]
pub struct CommandEnv<'a> {
    /// Its directory.
    pub cwd: &'a Path,
    /// Its variables, no others.
    pub variables: &'a [(Vec<u8>, Vec<u8>)],
    /// User and group that it runs as, without further groups; ours if none.
    pub user: Option<(u32, u32)>,
}

/// Runs a line of `sh` for at most `limit`.
///
/// # Errors
///
/// Fails if it cannot be started.
pub fn run(line: &str, setting: &CommandEnv, limit: Duration) -> io::Result<TimedRun> {
    use std::os::unix::ffi::OsStrExt;
    let text = |bytes: &[u8]| std::ffi::OsStr::from_bytes(bytes).to_owned();
    let deadline = Instant::now() + limit;
    let said = tempfile::tempfile()?;
    let mut command = Command::new("/bin/sh");
    command.arg("-c").arg(line).current_dir(setting.cwd).env_clear().process_group(0);
    command.envs(setting.variables.iter().map(|(name, value)| (text(name), text(value))));
    command.stdin(Stdio::null()).stdout(said.try_clone()?).stderr(said.try_clone()?);
    if let Some((user, group)) = setting.user.filter(|(user, _)| *user != super::process::own_uid()) {
        command.uid(user).gid(group);
    }
    // SAFETY: one system call that touches no memory of ours.
    unsafe {
        command.pre_exec(|| Ok(set_parent_process_death_signal(Some(Signal::KILL))?));
    }
    let mut child = command.spawn()?;
    let in_time = ChildHandle::of(&child).wait(deadline.saturating_duration_since(Instant::now()));
    if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        // The leader was not waited for yet, so the number is still its. What it left behind goes with it.
        let _ = kill_process_group(group, Signal::KILL);
    }
    let status = child.wait()?;
    if !in_time {
        return Ok(TimedRun::TimedOut);
    }
    Ok(TimedRun::Exited { code: super::child::exit_code(status), said: last_line(said) })
}

fn last_line(mut file: std::fs::File) -> String {
    use std::io::Seek;
    let mut bytes = Vec::new();
    let length = file.metadata().map_or(0, |it| it.len());
    let read = file
        .seek(io::SeekFrom::Start(length.saturating_sub(MAX_OUTPUT_TAIL)))
        .and_then(|_| file.take(MAX_OUTPUT_TAIL).read_to_end(&mut bytes));
    let _ = read;
    let text = String::from_utf8_lossy(&bytes);
    text.lines().rev().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::pidfd::PidFd;

    fn sh(line: &str, limit: Duration) -> TimedRun {
        run(line, &CommandEnv { cwd: Path::new("/"), variables: &[(b"A".to_vec(), b"1".to_vec())], user: None }, limit)
            .expect("sh runs")
    }

    #[test]
    fn a_command_has_its_variables_and_says_why() {
        let ran = sh("echo first; echo \"A=$A\" >&2; exit 3", Duration::from_secs(20));
        assert_eq!(ran, TimedRun::Exited { code: 3, said: "A=1".to_owned() });
    }

    #[test]
    fn one_that_takes_too_long_is_killed_with_what_it_started() {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("pid");
        let line = format!("sleep 600 & echo $! > '{}'; wait", file.display());
        let begun = Instant::now();
        // Long enough to begin on a busy machine.
        assert_eq!(sh(&line, Duration::from_secs(2)), TimedRun::TimedOut);
        assert!(begun.elapsed() < Duration::from_secs(20));
        let pid: u32 = std::fs::read_to_string(file).expect("it began").trim().parse().expect("a pid");
        // A handle waits for its end, if it is not gone already.
        assert!(PidFd::open(pid).map_or(true, |handle| handle.wait(Duration::from_secs(20))));
    }
}
