//! A home directory of its own with everything that is started in it, emptied at the end.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::child::{self, Event, moments, now};

/// Longest wait for anything.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The directory.
pub(crate) struct Home {
    directory: tempfile::TempDir,
}

/// A start that was measured, from the fork of the command.
pub(crate) struct Started {
    /// To the first instruction of the child.
    pub(crate) running: Duration,
    /// To the end of the command.
    pub(crate) answered: Duration,
    /// From the moment in which the child's port answered to the end of the command.
    pub(crate) after_port: Option<Duration>,
}

impl Home {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self { directory: tempfile::tempdir()? })
    }

    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn tetra(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tetra"));
        command.args(words).current_dir(self.directory.path());
        command.env("HOME", self.directory.path()).env("TETRA_DIR", self.path("tetra")).env_remove("TETRA_ENV");
        command
    }

    /// Starts a child and waits until it runs and the command has answered.
    pub(crate) fn start(&self, name: &str, options: &[&str]) -> io::Result<Started> {
        let diary = self.path(name);
        let mut command = self.tetra(&["tsm", "start", "--name", name]);
        command.args(options).args([own()?.as_os_str(), child::WORD.as_ref(), diary.as_os_str()]);
        let begun = now();
        let answered = timed(&mut command)?;
        let running = wait_for(|| moments(&diary, Event::Runs).first().copied())?;
        let listens = moments(&diary, Event::Listens);
        let after_port = listens.first().map(|answers| (begun + answered).saturating_sub(*answers));
        Ok(Started { running: running.saturating_sub(begun), answered, after_port })
    }

    /// Starts a child, stops it, and gives the time from its end to the end of the command.
    pub(crate) fn stop(&self, name: &str) -> io::Result<Duration> {
        self.start(name, &["--no-wait"])?;
        timed(&mut self.tetra(&["tsm", "stop", name]))?;
        let answered = now();
        let ended = moments(&self.path(name), Event::Ends);
        let ended = ended.first().ok_or_else(|| io::Error::other(format!("`{name}` did not end by itself")))?;
        Ok(answered.saturating_sub(*ended))
    }

    /// Lets a child crash after 0.3 s, and gives the time from its last instruction to the first of the next.
    pub(crate) fn crash(&self, name: &str) -> io::Result<Duration> {
        let diary = self.path(name);
        let mut command = self.tetra(&["tsm", "start", "--name", name, "--no-wait", "--restart", "always"]);
        timed(command.args([own()?.as_os_str(), child::WORD.as_ref(), diary.as_os_str(), "crashes".as_ref()]))?;
        let next = wait_for(|| moments(&diary, Event::Runs).get(1).copied())?;
        let ended = moments(&diary, Event::Ends);
        let ended = ended.first().ok_or_else(|| io::Error::other(format!("`{name}` did not crash by itself")))?;
        Ok(next.saturating_sub(*ended))
    }

    /// A script that starts so many that do nothing.
    pub(crate) fn script(&self, name: &str, count: usize) -> io::Result<PathBuf> {
        let mut text = String::new();
        for n in 0..count {
            writeln!(text, "tsm start --no-wait --name {name}{n} -- {IDLE}").map_err(io::Error::other)?;
        }
        let script = self.path(&format!("{name}.tsh"));
        fs::write(&script, text)?;
        Ok(script)
    }

    /// Starts so many that do nothing, each by a command of its own.
    pub(crate) fn calls(&self, name: &str, count: usize) -> io::Result<Duration> {
        let begun = Instant::now();
        for n in 0..count {
            let name = format!("{name}{n}");
            let mut command = self.tetra(&["tsm", "start", "--no-wait", "--name", &name, "--"]);
            timed(command.args(IDLE.split(' ')))?;
        }
        Ok(begun.elapsed())
    }

    /// Defines and enables so many services that do nothing.
    pub(crate) fn services(&self, count: usize) -> io::Result<()> {
        let directory = |name: &str| self.path("tetra").join("tsm").join(name);
        let (available, enabled) = (directory("services-available"), directory("services-enabled"));
        fs::create_dir_all(&available)?;
        fs::create_dir_all(&enabled)?;
        for n in 0..count {
            let file = format!("s{n}.tsm");
            fs::write(available.join(&file), format!("TSM_COMMAND=\"{IDLE}\"\nTSM_CWD=/\n"))?;
            symlink(Path::new("../services-available").join(&file), enabled.join(&file))?;
        }
        Ok(())
    }

    pub(crate) fn clear(&self) -> io::Result<()> {
        timed(&mut self.tetra(&["tsm", "kill", "*"])).map(drop)
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _ = self.clear();
    }
}

/// What does nothing.
const IDLE: &str = "sleep 100000";

fn own() -> io::Result<PathBuf> {
    std::env::current_exe()
}

pub(crate) fn timed(command: &mut Command) -> io::Result<Duration> {
    let start = Instant::now();
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).output()?;
    let took = start.elapsed();
    if status.status.success() {
        return Ok(took);
    }
    Err(io::Error::other(format!("{command:?} failed: {}", String::from_utf8_lossy(&status.stderr))))
}

pub(crate) fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

/// Asks again and again until there is an answer.
pub(crate) fn wait_for<T>(mut ask: impl FnMut() -> Option<T>) -> io::Result<T> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask() {
            return Ok(answer);
        }
        if Instant::now() > deadline {
            return Err(io::ErrorKind::TimedOut.into());
        }
        thread::sleep(Duration::from_micros(200));
    }
}
