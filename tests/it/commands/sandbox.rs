//! A `$TETRA_DIR` of its own with real processes in it, all ended at the end.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Instant;

use tempfile::TempDir;
use tetra::supervise::client::{self, ControlCommand, LaunchResult};
use tetra::supervise::meta::{self, Meta, ProcessState, RunSpec, RunState};
use tetra::supervise::proc::{ProcessIdentity, is_alive};

pub(super) use crate::waiting::PATIENCE;
use crate::waiting::eventually;

pub(super) struct Sandbox {
    root: TempDir,
}

/// What a command said and how it ended.
pub(super) struct CommandOutput {
    pub(super) code: i32,
    pub(super) out: String,
    pub(super) err: String,
}

impl Sandbox {
    pub(super) fn new() -> Self {
        let root = tempfile::Builder::new().prefix("tetra-yard-").tempdir().expect("a directory");
        fs::create_dir_all(root.path().join("tetra/tsm/runtime/processes")).expect("a processes directory");
        Self { root }
    }

    pub(super) fn home(&self) -> PathBuf {
        self.root.path().join("tetra")
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    pub(super) fn dir(&self, name: &str) -> PathBuf {
        self.home().join("tsm/runtime/processes").join(name)
    }

    /// The program with this yard as its world.
    pub(super) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tetra"));
        command
            .args(words)
            .env_clear()
            .env("PATH", std::env::var("PATH").expect("a PATH"))
            .env("HOME", self.root.path())
            .env("TETRA_DIR", self.home())
            .current_dir(self.root.path())
            .stdin(Stdio::null());
        command
    }

    /// Runs the program to its end.
    pub(super) fn run(&self, words: &[&str]) -> CommandOutput {
        let Output { status, stdout, stderr } = self.command(words).output().expect("tetra runs");
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        CommandOutput { code: status.code().unwrap_or(-1), out: text(stdout), err: text(stderr) }
    }

    /// Runs it, expects success, and gives what it printed.
    pub(super) fn ok(&self, words: &[&str]) -> String {
        let said = self.run(words);
        assert_eq!(said.code, 0, "{words:?}: {}{}", said.out, said.err);
        said.out
    }

    /// What it prints as JSON.
    pub(super) fn json(&self, words: &[&str]) -> serde_json::Value {
        let out = self.ok(&[words, &["--json"]].concat());
        serde_json::from_str(&out).unwrap_or_else(|error| panic!("{words:?}: {error}: {out}"))
    }

    /// What it prints as JSON, which has the shape that the schema says.
    pub(super) fn json_with_schema(&self, words: &[&str], schema: &str) -> serde_json::Value {
        let value = self.json(words);
        assert_fits(&value, schema);
        value
    }

    /// A record of a process that runs this line of `sh`, not yet started.
    pub(super) fn record(&self, id: u32, name: &str, line: &str) -> Meta {
        Meta {
            tsm_id: id,
            name: name.to_owned(),
            pid: 0,
            command: line.to_owned(),
            port: None,
            cwd: self.root.path().to_owned(),
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
                argv: vec!["sh".into(), "-c".into(), line.into()],
                kill_timeout_ms: 5000,
                ..RunSpec::default()
            },
            run_state: RunState::default(),
            last_exit: None,
            unknown: serde_json::Map::new(),
        }
    }

    /// Writes a record, and what belongs beside it.
    pub(super) fn write_record(&self, meta: &Meta) {
        let dir = self.dir(&meta.name);
        fs::create_dir_all(&dir).expect("a process directory");
        let path = std::env::var("PATH").expect("a PATH");
        fs::write(dir.join("environ"), format!("PATH={path}\0")).expect("a snapshot");
        meta::write(&dir, meta).expect("a record");
    }

    /// Starts what the record says; the pid of the child.
    pub(super) fn start_record(&self, meta: &Meta) -> u32 {
        self.write_record(meta);
        match client::launch(Path::new(env!("CARGO_BIN_EXE_tetra")), &self.dir(&meta.name)) {
            Ok(LaunchResult::Spawned { pid }) => {
                self.until(&meta.name, |meta| meta.state != ProcessState::Starting);
                pid
            }
            other => panic!("{other:?}: {:?}", self.read(&meta.name).run_state.start_error),
        }
    }

    /// Starts a line of `sh`; the pid of the child.
    pub(super) fn start(&self, id: u32, name: &str, line: &str) -> u32 {
        self.start_record(&self.record(id, name, line))
    }

    pub(super) fn read(&self, name: &str) -> Meta {
        meta::read(&self.dir(name)).expect("a readable record").expect("a record")
    }

    /// Waits until the record of a process says so.
    pub(super) fn until(&self, name: &str, mut is: impl FnMut(&Meta) -> bool) -> Meta {
        let waited = client::wait(&self.dir(name), Instant::now() + PATIENCE, |meta| meta.is_some_and(&mut is));
        waited.unwrap_or_else(|error| panic!("{error}: {:?}", self.read(name))).expect("a record")
    }

    /// What a process has written to a stream, with its rotated parts.
    pub(super) fn written(&self, name: &str, file: &str) -> String {
        let older = (1..100).rev().map(|n| format!("{file}.{n}"));
        let files = older.chain([file.to_owned()]);
        files.filter_map(|file| fs::read_to_string(self.dir(name).join(file)).ok()).collect()
    }

    /// Kills guard and worker of a process; the child lives on.
    pub(super) fn kill_supervisor(&self, name: &str) {
        let life = self.read(name).run_state;
        for pid in [life.guard_pid, life.worker_pid] {
            signal(pid, nix::sys::signal::Signal::SIGKILL);
        }
        let dir = self.dir(name);
        eventually("nobody supervises", || !client::is_supervised(&dir));
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        let Ok(entries) = fs::read_dir(self.home().join("tsm/runtime/processes")) else { return };
        for dir in entries.filter_map(|entry| Some(entry.ok()?.path())) {
            if client::send(&dir, ControlCommand::Kill).is_ok() {
                let _ = client::wait_unsupervised(&dir, Instant::now() + PATIENCE);
            }
            if let Ok(Some(meta)) = meta::read(&dir)
                && let Some(child) = meta.identity().filter(is_alive)
            {
                signal(child.pid, nix::sys::signal::Signal::SIGKILL);
            }
        }
    }
}

pub(super) fn assert_fits(value: &serde_json::Value, schema: &str) {
    let misfits = crate::schema::misfits(value, &crate::schema::schema(schema));
    assert!(misfits.is_empty(), "{schema}: {}", misfits.join("\n"));
}

pub(super) fn signal(pid: u32, signal: nix::sys::signal::Signal) {
    // It may have ended by itself.
    let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(i32::try_from(pid).expect("a pid")), signal);
}

pub(super) fn is_running(pid: u32) -> bool {
    ProcessIdentity::of(pid).is_some_and(|identity| is_alive(&identity))
}

/// A child of the test that is ended with it.
pub(super) struct ChildGuard(pub(super) Child);

impl Drop for ChildGuard {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
