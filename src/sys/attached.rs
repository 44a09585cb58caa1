//! Programs that run beside the work of a thread and end with it, also if this program is killed.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, set_parent_process_death_signal};

use super::pidfd::ChildHandle;
use super::signal;

/// How often it is asked whether a program is ready.
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// How long a program may take to end when it is asked to.
const GRACE: Duration = Duration::from_secs(1);

/// A program with nothing on its streams, in a group of its own: Ctrl-C does not reach it.
#[derive(Debug)]
pub struct Attached(Child);

/// What became of a program that was waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readiness {
    /// It is ready.
    Ready,
    /// It ended before.
    Ended,
    /// It took too long, or Ctrl-C was pressed.
    GivenUp,
}

impl Attached {
    /// Starts it; it ends with the thread that calls this.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be started.
    pub fn start(program: &str, arguments: &[String], variables: &BTreeMap<String, String>) -> io::Result<Self> {
        let mut command = Command::new(program);
        command.args(arguments).env_clear().envs(variables).process_group(0);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        // SAFETY: one system call that touches no memory of ours.
        unsafe {
            command.pre_exec(|| Ok(set_parent_process_death_signal(Some(Signal::TERM))?));
        }
        command.spawn().map(Self)
    }

    /// Waits until it is ready.
    #[must_use]
    pub fn wait_until(&self, limit: Duration, is_ready: impl Fn() -> bool) -> Readiness {
        let until = Instant::now() + limit;
        let handle = ChildHandle::of(&self.0);
        loop {
            if is_ready() {
                return Readiness::Ready;
            }
            if handle.wait(POLL_INTERVAL) {
                return Readiness::Ended;
            }
            if Instant::now() >= until || signal::interrupted() {
                return Readiness::GivenUp;
            }
        }
    }
}

impl Attached {
    /// Ends it: asked to first, killed after a second.
    pub fn end(&mut self) {
        if self.0.try_wait().is_ok_and(|ended| ended.is_some()) {
            return;
        }
        // Not yet collected, so the number is still its own.
        if let Some(pid) = i32::try_from(self.0.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process(pid, Signal::TERM);
        }
        if !ChildHandle::of(&self.0).wait(GRACE) {
            let _ = self.0.kill();
        }
        let _ = self.0.wait();
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        self.end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::pidfd::PidFd;

    fn start(line: &str) -> Attached {
        let variables = BTreeMap::from([("PATH".to_owned(), "/usr/bin:/bin".to_owned())]);
        Attached::start("sh", &["-c".to_owned(), line.to_owned()], &variables).expect("sh is there")
    }

    #[test]
    fn it_is_waited_for_and_ends_with_its_value() {
        let dir = tempfile::tempdir().expect("a directory");
        let made = dir.path().join("made");
        let program = start(&format!("touch {}; exec sleep 600", made.display()));
        assert_eq!(program.wait_until(Duration::from_secs(60), || made.exists()), Readiness::Ready);
        assert_eq!(program.wait_until(Duration::ZERO, || false), Readiness::GivenUp);
        let pid = program.0.id();
        drop(program);
        assert!(PidFd::open(pid).is_err());
        assert_eq!(start("exit 1").wait_until(Duration::from_secs(60), || false), Readiness::Ended);
    }
}
