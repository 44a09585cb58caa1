//! A `$TETRA_DIR` of its own in which things go wrong, and everything in it ended at the end.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use tempfile::TempDir;
use tetra::supervise::client::{self, ControlCommand};
use tetra::supervise::meta::{self, Meta, ProcessState};
use tetra::supervise::proc::is_alive;

use super::note;
use crate::program;
use crate::supervise::fixture::{kill_hard, lives, signal};
pub(super) use crate::waiting::PATIENCE;
use crate::waiting::eventually;
use crate::world::PROGRAM;

/// Counts up, a line every few hundred microseconds; each is one write, so that no signal leaves half of one.
pub(super) const COUNTER: &str = "
import os, time
n = 0
while True:
    os.write(1, b'%d\\n' % n)
    n += 1
    time.sleep(0.0003)";

pub(super) struct Sandbox {
    root: Root,
    program: PathBuf,
}

enum Root {
    Temporary(TempDir),
    Given(PathBuf),
}

/// What a command said and how it ended.
#[derive(Debug)]
pub(super) struct CommandOutput {
    pub(super) code: i32,
    pub(super) out: String,
    pub(super) err: String,
}

impl Sandbox {
    pub(super) fn new() -> Self {
        let root = tempfile::Builder::new().prefix("tetra-field-").tempdir().expect("a directory");
        Self { root: Root::Temporary(root), program: PathBuf::from(PROGRAM) }
    }

    /// In a directory that somebody else removes.
    pub(super) fn at(root: &Path) -> Self {
        Self { root: Root::Given(root.to_owned()), program: PathBuf::from(PROGRAM) }
    }

    /// With a copy of the program, which may then be replaced.
    pub(super) fn with_program(mut self, name: &str) -> Self {
        let copy = self.path(name);
        program::copy(Path::new(PROGRAM), &copy);
        self.program = copy;
        self
    }

    pub(super) fn root(&self) -> &Path {
        match &self.root {
            Root::Temporary(root) => root.path(),
            Root::Given(root) => root,
        }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.root().join(name)
    }

    pub(super) fn home(&self) -> PathBuf {
        self.path("tetra")
    }

    pub(super) fn processes(&self) -> PathBuf {
        self.home().join("tsm/runtime/processes")
    }

    pub(super) fn dir(&self, name: &str) -> PathBuf {
        self.processes().join(name)
    }

    /// The words before which a command can be put: `strace`, `setpriv`, …
    pub(super) fn command_under(&self, before: &[&str], words: &[&str]) -> Command {
        let program = self.program.to_str().expect("a path in UTF-8");
        let all: Vec<&str> = [before, &[program, "tsm"], words].concat();
        let mut command = Command::new(all[0]);
        command
            .args(&all[1..])
            .env_clear()
            .env("PATH", std::env::var("PATH").expect("a PATH"))
            .env("HOME", self.root())
            .env("TETRA_DIR", self.home())
            .current_dir(self.root())
            .stdin(Stdio::null());
        command
    }

    pub(super) fn command(&self, words: &[&str]) -> Command {
        self.command_under(&[], words)
    }

    /// Runs `tsm` with these words to its end.
    pub(super) fn tsm(&self, words: &[&str]) -> CommandOutput {
        command_output(self.command(words).output().expect("tetra runs"))
    }

    /// Runs it, expects success, and gives what it printed.
    pub(super) fn ok(&self, words: &[&str]) -> String {
        let said = self.tsm(words);
        assert_eq!(said.code, 0, "{words:?}: {}{}", said.out, said.err);
        said.out
    }

    pub(super) fn json(&self, words: &[&str]) -> serde_json::Value {
        let out = self.ok(&[words, &["--json"]].concat());
        serde_json::from_str(&out).unwrap_or_else(|error| panic!("{words:?}: {error}: {out}"))
    }

    /// What `list all` shows.
    pub(super) fn list(&self) -> Vec<serde_json::Value> {
        self.json(&["list", "all"]).as_array().expect("a list").clone()
    }

    /// Starts a program by the command line, with options before it; the pid of the child.
    pub(super) fn start(&self, name: &str, options: &[&str], argv: &[&str]) -> u32 {
        self.ok(&[&["start", "--no-wait", "--name", name], options, &["--"], argv].concat());
        self.read(name).pid
    }

    /// Starts a line of `sh`.
    pub(super) fn shell(&self, name: &str, options: &[&str], line: &str) -> u32 {
        self.start(name, options, &["sh", "-c", line])
    }

    pub(super) fn read(&self, name: &str) -> Meta {
        meta::read(&self.dir(name)).expect("a readable record").expect("a record")
    }

    pub(super) fn until(&self, name: &str, what: &str, mut is: impl FnMut(&Meta) -> bool) -> Meta {
        match client::wait(&self.dir(name), Instant::now() + PATIENCE, |meta| meta.is_some_and(&mut is)) {
            Ok(meta) => meta.expect("a record"),
            Err(error) => panic!("{what}: {error}; {:?}", meta::read(&self.dir(name))),
        }
    }

    pub(super) fn until_state(&self, name: &str, state: ProcessState) -> Meta {
        self.until(name, &format!("{state:?}"), |meta| meta.state == state)
    }

    pub(super) fn until_unsupervised(&self, name: &str) {
        client::wait_unsupervised(&self.dir(name), Instant::now() + PATIENCE).expect("an end of supervision");
    }

    /// Guards and workers of a process, whatever its record says.
    pub(super) fn supervisors(&self, name: &str) -> Vec<u32> {
        running(|words| words.get(1).is_some_and(|it| it == b"--supervise") && is_path(words.get(2), &self.dir(name)))
    }

    /// Kills guard and worker; the child lives on.
    pub(super) fn kill_supervisors(&self, name: &str) {
        let dir = self.dir(name);
        eventually("nobody supervises", || {
            self.supervisors(name).into_iter().for_each(kill_hard);
            !client::is_supervised(&dir)
        });
    }

    /// Kills guard, worker and child, and nothing else; the supervisors have no moment to see it.
    pub(super) fn kill_all_but_strays(&self, name: &str) {
        let meta = self.read(name);
        let all = [meta.run_state.guard_pid, meta.run_state.worker_pid, meta.pid];
        all.iter().for_each(|pid| kill_hard(*pid));
        eventually("all three are dead", || {
            all.iter().all(|pid| !lives(*pid)) && !client::is_supervised(&self.dir(name))
        });
    }

    /// What a child wrote to stdout, from its first byte on.
    pub(super) fn written(&self, name: &str) -> Vec<u8> {
        let older = (1..1000).rev().map(|n| format!("current.out.{n}"));
        let files = older.chain(["current.out".to_owned()]);
        files.filter_map(|file| fs::read(self.dir(name).join(file)).ok()).flatten().collect()
    }

    /// How many bytes that are.
    pub(super) fn size(&self, name: &str) -> u64 {
        let older = (1..1000).map(|n| format!("current.out.{n}"));
        let files = older.chain(["current.out".to_owned()]);
        files.filter_map(|file| Some(fs::metadata(self.dir(name).join(file)).ok()?.len())).sum()
    }

    /// The pids of all processes that were started with this word among their first.
    pub(super) fn processes_with_argument(&self, word: &str) -> Vec<u32> {
        running(|words| words.iter().any(|it| it == word.as_bytes()))
    }

    /// What was started for a process: all that bear its directory in their mark.
    pub(super) fn children(&self, name: &str) -> Vec<u32> {
        let mark = [b"TSM_PROCESS_DIR=", self.dir(name).as_os_str().as_encoded_bytes()].concat();
        let environ = |pid: &u32| fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        let all = running(|words| !words[0].is_empty()).into_iter();
        all.filter(|pid| environ(pid).split(|byte| *byte == 0).any(|it| it == mark)).collect()
    }

    /// Waits for a number that a child writes to a file.
    pub(super) fn number(&self, file: &str) -> u32 {
        let path = self.path(file);
        let read = || fs::read_to_string(&path).ok()?.trim().parse().ok();
        eventually(&format!("a number in {file}"), || read().is_some());
        read().expect("a number")
    }

    /// Nothing of any process is left: no directory, no lock held, no line in the registry.
    pub(super) fn assert_empty(&self) {
        let left: Vec<_> = fs::read_dir(self.processes())
            .map(|entries| entries.flatten().map(|entry| entry.file_name()).collect())
            .unwrap_or_default();
        assert!(left.is_empty(), "left behind: {left:?}");
        let ports = fs::read_to_string(self.home().join("tsm/ports")).unwrap_or_default();
        assert_eq!(ports.trim(), "", "ports left behind");
    }
}

pub(super) fn command_output(Output { status, stdout, stderr }: Output) -> CommandOutput {
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    CommandOutput { code: status.code().unwrap_or(-1), out: text(stdout), err: text(stderr) }
}

fn is_path(word: Option<&Vec<u8>>, path: &Path) -> bool {
    word.is_some_and(|word| word == path.as_os_str().as_encoded_bytes())
}

/// The pids of living processes whose command line is so.
pub(super) fn running(is: impl Fn(&[Vec<u8>]) -> bool) -> Vec<u32> {
    let entries = fs::read_dir("/proc").expect("processes are seen").flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let words = |pid: u32| -> Vec<Vec<u8>> {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        line.split(|byte| *byte == 0).map(<[u8]>::to_vec).collect()
    };
    pids.filter(|pid| is(&words(*pid)) && lives(*pid)).collect()
}

/// Numbers that differ from run to run; the first is printed by a test that fails.
pub(super) struct Rng(u64);

impl Rng {
    pub(super) fn new() -> Self {
        use std::hash::{BuildHasher, RandomState};
        let start = RandomState::new().hash_one(1) | 1;
        note(&format!("dice {start:#x}"));
        Self(start)
    }

    pub(super) fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        let dirs = fs::read_dir(self.processes()).into_iter().flatten().flatten().map(|entry| entry.path());
        let dirs: Vec<PathBuf> = dirs.collect();
        let told: Vec<bool> = dirs.iter().map(|dir| client::send(dir, ControlCommand::Kill).is_ok()).collect();
        for (dir, told) in dirs.iter().zip(told) {
            if told {
                let _ = client::wait_unsupervised(dir, Instant::now() + Duration::from_secs(10));
            }
            let record = meta::read(dir).ok().flatten();
            if let Some(child) = record.and_then(|meta| meta.identity()).filter(is_alive) {
                signal(child.pid, Signal::SIGKILL);
            }
            client::remove_cgroups(dir);
        }
    }
}
