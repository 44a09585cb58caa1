//! One process directory of its own, and everything in it ended at the end.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;
use tetra::supervise::client::{self, ControlCommand, LaunchResult};
use tetra::supervise::events::EventReader;
use tetra::supervise::meta::{self, Meta, ProcessState, RestartPolicy, RunSpec, RunState};
use tetra::supervise::proc::{ProcessIdentity, is_alive};

use crate::waiting::{PATIENCE, eventually};

pub(super) struct SupervisorFixture {
    root: TempDir,
    pub(super) dir: PathBuf,
    pub(super) meta: Meta,
}

impl SupervisorFixture {
    /// A directory for a process that runs these words, and that is not started yet.
    pub(super) fn new(argv: &[&str]) -> Self {
        let root = tempfile::Builder::new().prefix("tetra-nest-").tempdir().expect("a directory");
        let dir = root.path().join("processes/p");
        fs::create_dir_all(&dir).expect("a process directory");
        let path = std::env::var("PATH").expect("a PATH");
        fs::write(dir.join("environ"), format!("PATH={path}\0HOME=/root\0LAYER=snapshot\0")).expect("a snapshot");
        let meta = Meta {
            tsm_id: 0,
            name: "p".to_owned(),
            pid: 0,
            command: argv.join(" "),
            port: None,
            cwd: root.path().to_owned(),
            interpreter: String::new(),
            process_type: "command".to_owned(),
            env_file: String::new(),
            prehook: String::new(),
            start_time: 0,
            status: ProcessState::Starting.status(),
            restarts: 0,
            unstable_restarts: 0,
            version: meta::VERSION,
            state: ProcessState::Starting,
            run: RunSpec {
                argv: argv.iter().map(ToString::to_string).collect(),
                kill_timeout_ms: 5000,
                ..RunSpec::default()
            },
            run_state: RunState::default(),
            last_exit: None,
            unknown: serde_json::Map::new(),
        };
        Self { root, dir, meta }
    }

    /// The same for a line of `sh`.
    pub(super) fn shell(line: &str) -> Self {
        Self::new(&["sh", "-c", line])
    }

    pub(super) fn with(mut self, change: impl FnOnce(&mut Meta)) -> Self {
        change(&mut self.meta);
        self
    }

    pub(super) fn restarting(self, restart: RestartPolicy) -> Self {
        self.with(|meta| meta.run.restart = restart)
    }

    /// Reads what happens from now on.
    pub(super) fn event_reader(&self) -> EventReader {
        EventReader::open(&self.root.path().join("events")).expect("a reader of events")
    }

    /// Where the child works, and what it leaves there.
    pub(super) fn work(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// Writes the record and starts a supervisor.
    pub(super) fn start(&self) -> LaunchResult {
        meta::write(&self.dir, &self.meta).expect("a record");
        self.launch()
    }

    /// Starts a supervisor for what is there.
    pub(super) fn launch(&self) -> LaunchResult {
        client::launch(Path::new(env!("CARGO_BIN_EXE_tetra")), &self.dir).expect("a word of the supervisor")
    }

    /// Starts, and gives the pid of the running child.
    pub(super) fn start_child(&self) -> u32 {
        match self.start() {
            LaunchResult::Spawned { pid } => pid,
            other => panic!("{other:?}: {:?}", self.read().run_state.start_error),
        }
    }

    pub(super) fn read(&self) -> Meta {
        meta::read(&self.dir).expect("a readable record").expect("a record")
    }

    pub(super) fn send(&self, order: ControlCommand) {
        client::send(&self.dir, order).expect("an order taken");
    }

    /// Waits until the record says so.
    pub(super) fn until(&self, what: &str, mut is: impl FnMut(&Meta) -> bool) -> Meta {
        match client::wait(&self.dir, Instant::now() + PATIENCE, |meta| meta.is_some_and(&mut is)) {
            Ok(meta) => meta.expect("a record"),
            Err(error) => panic!("{what}: {error}; {:?}; err: {}", self.read(), self.text("current.err")),
        }
    }

    pub(super) fn until_state(&self, state: ProcessState) -> Meta {
        self.until(&format!("{state:?}"), |meta| meta.state == state)
    }

    /// Waits until nobody supervises any more.
    pub(super) fn until_unsupervised(&self) -> Meta {
        client::wait_unsupervised(&self.dir, Instant::now() + PATIENCE).expect("an end of supervision");
        self.read()
    }

    pub(super) fn stop(&self) -> Meta {
        self.send(ControlCommand::Stop);
        self.until_unsupervised()
    }

    pub(super) fn text(&self, file: &str) -> String {
        String::from_utf8_lossy(&fs::read(self.dir.join(file)).unwrap_or_default()).into_owned()
    }

    pub(super) fn out(&self) -> String {
        self.text("current.out")
    }

    /// A number that the child wrote to a file of its working directory.
    pub(super) fn number(&self, file: &str) -> u32 {
        let path = self.work(file);
        let read = || fs::read_to_string(&path).ok()?.trim().parse().ok();
        eventually(&format!("a number in {file}"), || read().is_some());
        read().expect("a number")
    }

    /// All lines of a stream, oldest file first.
    pub(super) fn lines(&self, stream: &str) -> Vec<String> {
        let older = (1..1000).rev().map(|n| format!("current.{stream}.{n}"));
        let files = older.chain([format!("current.{stream}")]).filter(|file| self.dir.join(file).exists());
        let text: String = files.map(|file| self.text(&file)).collect();
        text.lines().map(str::to_owned).collect()
    }
}

impl Drop for SupervisorFixture {
    fn drop(&mut self) {
        if client::send(&self.dir, ControlCommand::Kill).is_ok() {
            let _ = client::wait_unsupervised(&self.dir, Instant::now() + PATIENCE);
        }
        let record = meta::read(&self.dir).ok().flatten();
        if let Some(child) = record.and_then(|meta| meta.identity()).filter(is_alive) {
            kill_hard(child.pid);
        }
        client::remove_cgroups(&self.dir);
    }
}

pub(crate) fn kill_hard(pid: u32) {
    signal(pid, Signal::SIGKILL);
}

pub(crate) fn signal(pid: u32, signal: Signal) {
    // It may have ended by itself.
    let _ = kill(Pid::from_raw(i32::try_from(pid).expect("a pid")), signal);
}

/// True while a process of this pid runs.
pub(crate) fn lives(pid: u32) -> bool {
    ProcessIdentity::of(pid).is_some_and(|identity| is_alive(&identity))
}

/// Kills the worker, or the guard and the worker, that the record names.
pub(super) fn kill_supervisor(meta: &Meta) {
    kill_hard(meta.run_state.guard_pid);
    kill_hard(meta.run_state.worker_pid);
    let (guard, worker) = (meta.run_state.guard_pid, meta.run_state.worker_pid);
    eventually("the supervisor is dead", || !lives(guard) && !lives(worker));
}

/// The lines `0`, `1`, … up to the last: none lost, doubled, torn or out of order.
pub(crate) fn assert_counts_up(lines: &[String]) {
    for (expected, line) in lines.iter().enumerate() {
        assert_eq!(line.trim_start_matches("line "), expected.to_string(), "of {} lines", lines.len());
    }
}
