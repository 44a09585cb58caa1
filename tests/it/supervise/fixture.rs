//! One process directory of its own, and everything in it ended at the end.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use tempfile::TempDir;
use tetra::supervise::client::{self, ControlCommand, LaunchResult};
use tetra::supervise::events::EventReader;
use tetra::supervise::meta::{self, Meta, ProcessState, RestartPolicy};

use crate::sandbox::{self, is_running, kill_hard};
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
        let meta = sandbox::record("p", argv, root.path());
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
        sandbox::read_record(&self.dir)
    }

    pub(super) fn send(&self, order: ControlCommand) {
        client::send(&self.dir, order).expect("an order taken");
    }

    /// Waits until the record says so.
    #[track_caller]
    pub(super) fn until(&self, is: impl FnMut(&Meta) -> bool) -> Meta {
        sandbox::until(&self.dir, is)
    }

    #[track_caller]
    pub(super) fn until_state(&self, state: ProcessState) -> Meta {
        self.until(|meta| meta.state == state)
    }

    /// Waits for the end of supervision.
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
        sandbox::number(&self.work(file))
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
        sandbox::end_all(std::slice::from_ref(&self.dir));
    }
}

/// Kills the worker, or the guard and the worker, that the record names.
pub(super) fn kill_supervisor(meta: &Meta) {
    kill_hard(meta.run_state.guard_pid);
    kill_hard(meta.run_state.worker_pid);
    let (guard, worker) = (meta.run_state.guard_pid, meta.run_state.worker_pid);
    eventually("the supervisor is dead", || !is_running(guard) && !is_running(worker));
}

/// The lines `0`, `1`, … up to the last: none lost, doubled, torn or out of order.
pub(crate) fn assert_counts_up(lines: &[String]) {
    for (expected, line) in lines.iter().enumerate() {
        assert_eq!(line.trim_start_matches("line "), expected.to_string(), "of {} lines", lines.len());
    }
}
