//! A `$TETRA_DIR` of its own with real processes in it, all ended at the end.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Instant;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;
use tetra::supervise::client::{self, ControlCommand, LaunchResult};
use tetra::supervise::meta::{self, Meta, ProcessState, RunSpec, RunState};
use tetra::supervise::proc::{ProcessIdentity, is_alive};

use crate::program;
use crate::waiting::{PATIENCE, eventually};
use crate::world::PROGRAM;

/// A directory with a `$TETRA_DIR`, which is also the home and the working directory.
pub(crate) struct Sandbox {
    root: Root,
    program: PathBuf,
    /// Put before the words of every command.
    group: Option<&'static str>,
}

enum Root {
    Temporary(TempDir),
    Given(PathBuf),
}

impl Root {
    fn temporary() -> Self {
        program::limit_umask();
        Self::Temporary(tempfile::Builder::new().prefix("tetra-test-").tempdir().expect("a directory"))
    }
}

/// What a command printed and how it ended.
#[derive(Debug)]
pub(crate) struct CommandOutput {
    /// The exit code; -1 after a signal.
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl From<Output> for CommandOutput {
    fn from(Output { status, stdout, stderr }: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Self { code: status.code().unwrap_or(-1), out: text(stdout), err: text(stderr) }
    }
}

impl Sandbox {
    /// Commands have all their words: `tsm list`. The directories of processes are there.
    pub(crate) fn new() -> Self {
        let sandbox = Self { group: None, root: Root::temporary(), program: PathBuf::from(PROGRAM) };
        fs::create_dir_all(sandbox.processes()).expect("a processes directory");
        sandbox
    }

    /// Commands have the words of `tsm`: `list`. There is nothing yet.
    pub(crate) fn of_tsm() -> Self {
        Self { group: Some("tsm"), root: Root::temporary(), program: PathBuf::from(PROGRAM) }
    }

    /// The same in a directory that the caller removes.
    pub(crate) fn of_tsm_at(root: &Path) -> Self {
        Self { group: Some("tsm"), root: Root::Given(root.to_owned()), program: PathBuf::from(PROGRAM) }
    }

    /// With a copy of the program, which may then be replaced.
    pub(crate) fn with_program(mut self, name: &str) -> Self {
        let copy = self.path(name);
        program::copy(Path::new(PROGRAM), &copy);
        self.program = copy;
        self
    }

    pub(crate) fn root(&self) -> &Path {
        match &self.root {
            Root::Temporary(root) => root.path(),
            Root::Given(root) => root,
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root().join(name)
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.path("tetra")
    }

    pub(crate) fn processes(&self) -> PathBuf {
        self.home().join("tsm/runtime/processes")
    }

    pub(crate) fn dir(&self, name: &str) -> PathBuf {
        self.processes().join(name)
    }

    /// A command behind the words of another program: `strace`, `setpriv`, …
    pub(crate) fn command_under(&self, before: &[&str], words: &[&str]) -> Command {
        let program = self.program.to_str().expect("a path in UTF-8");
        let group: Vec<&str> = self.group.into_iter().collect();
        let all: Vec<&str> = [before, &[program], &group, words].concat();
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

    pub(crate) fn command(&self, words: &[&str]) -> Command {
        self.command_under(&[], words)
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, words: &[&str]) -> CommandOutput {
        self.command(words).output().expect("tetra runs").into()
    }

    /// Runs it, expects success, and returns what it printed.
    #[track_caller]
    pub(crate) fn ok(&self, words: &[&str]) -> String {
        let said = self.run(words);
        assert_eq!(said.code, 0, "{words:?}: {}{}", said.out, said.err);
        said.out
    }

    /// What it prints as JSON.
    #[track_caller]
    pub(crate) fn json(&self, words: &[&str]) -> serde_json::Value {
        let out = self.ok(&[words, &["--json"]].concat());
        crate::schema::assert_round_trips(&out);
        serde_json::from_str(&out).unwrap_or_else(|error| panic!("{words:?}: {error}: {out}"))
    }

    /// What it prints as JSON, which has the shape that the schema says.
    #[track_caller]
    pub(crate) fn json_with_schema(&self, words: &[&str], schema: &str) -> serde_json::Value {
        let value = self.json(words);
        assert_fits(&value, schema);
        value
    }

    /// What `list all` shows.
    pub(crate) fn list(&self) -> Vec<serde_json::Value> {
        self.json(&["list", "all"]).as_array().expect("a list").clone()
    }

    /// Starts a program by the command line, with options before it; the pid of the child.
    pub(crate) fn start(&self, name: &str, options: &[&str], argv: &[&str]) -> u32 {
        self.ok(&[&["start", "--no-wait", "--name", name], options, &["--"], argv].concat());
        self.read(name).pid
    }

    /// Starts a line of `sh`.
    pub(crate) fn shell(&self, name: &str, options: &[&str], line: &str) -> u32 {
        self.start(name, options, &["sh", "-c", line])
    }

    /// A record of a process that runs this line of `sh`, not yet started.
    pub(crate) fn record(&self, id: u32, name: &str, line: &str) -> Meta {
        Meta { tsm_id: id, command: line.to_owned(), ..record(name, &["sh", "-c", line], self.root()) }
    }

    /// Writes a record, and what belongs beside it.
    pub(crate) fn write_record(&self, meta: &Meta) {
        let dir = self.dir(&meta.name);
        fs::create_dir_all(&dir).expect("a process directory");
        let path = std::env::var("PATH").expect("a PATH");
        fs::write(dir.join("environ"), format!("PATH={path}\0")).expect("a snapshot");
        meta::write(&dir, meta).expect("a record");
    }

    /// Starts what the record says; the pid of the child.
    pub(crate) fn start_record(&self, meta: &Meta) -> u32 {
        self.write_record(meta);
        match client::launch(&self.program, &self.dir(&meta.name)) {
            Ok(LaunchResult::Spawned { pid }) => {
                self.until(&meta.name, |meta| meta.state != ProcessState::Starting);
                pid
            }
            other => panic!("{other:?}: {:?}", self.read(&meta.name).run_state.start_error),
        }
    }

    /// Starts a line of `sh` without the command line; the pid of the child.
    pub(crate) fn launch(&self, id: u32, name: &str, line: &str) -> u32 {
        self.start_record(&self.record(id, name, line))
    }

    #[track_caller]
    pub(crate) fn read(&self, name: &str) -> Meta {
        read_record(&self.dir(name))
    }

    /// Waits until the record of a process says so.
    #[track_caller]
    pub(crate) fn until(&self, name: &str, is: impl FnMut(&Meta) -> bool) -> Meta {
        until(&self.dir(name), is)
    }

    #[track_caller]
    pub(crate) fn until_state(&self, name: &str, state: ProcessState) -> Meta {
        self.until(name, |meta| meta.state == state)
    }

    #[track_caller]
    pub(crate) fn until_unsupervised(&self, name: &str) {
        client::wait_unsupervised(&self.dir(name), Instant::now() + PATIENCE).expect("an end of supervision");
    }

    /// Guards and workers of a process, whatever its record says.
    pub(crate) fn supervisors(&self, name: &str) -> Vec<u32> {
        running(|words| words.get(1).is_some_and(|it| it == b"--supervise") && is_path(words.get(2), &self.dir(name)))
    }

    /// Kills guard and worker; the child lives on.
    pub(crate) fn kill_supervisors(&self, name: &str) {
        let dir = self.dir(name);
        eventually("no supervisor is left", || {
            self.supervisors(name).into_iter().for_each(kill_hard);
            !client::is_supervised(&dir)
        });
    }

    /// Kills guard, worker and child, and nothing else; the supervisors have no moment to see it.
    pub(crate) fn kill_all_but_strays(&self, name: &str) {
        let meta = self.read(name);
        let all = [meta.run_state.guard_pid, meta.run_state.worker_pid, meta.pid];
        all.iter().for_each(|pid| kill_hard(*pid));
        eventually("all three are dead", || {
            all.iter().all(|pid| !is_running(*pid)) && !client::is_supervised(&self.dir(name))
        });
    }

    /// What a child wrote to stdout, from its first byte on.
    pub(crate) fn written(&self, name: &str) -> Vec<u8> {
        self.parts(name, "current.out").into_iter().filter_map(|part| fs::read(part).ok()).flatten().collect()
    }

    /// What a child wrote to a stream, as text.
    pub(crate) fn text(&self, name: &str, file: &str) -> String {
        self.parts(name, file).into_iter().filter_map(|part| fs::read_to_string(part).ok()).collect()
    }

    /// How many bytes a child wrote to stdout.
    pub(crate) fn size(&self, name: &str) -> u64 {
        self.parts(name, "current.out").into_iter().filter_map(|part| Some(fs::metadata(part).ok()?.len())).sum()
    }

    /// The parts that a log may have, the oldest first.
    fn parts(&self, name: &str, file: &str) -> Vec<PathBuf> {
        let older = (1..1000).rev().map(|n| format!("{file}.{n}"));
        older.chain([file.to_owned()]).map(|part| self.dir(name).join(part)).collect()
    }

    /// The pids of all processes that were started with this word among their first.
    pub(crate) fn processes_with_argument(&self, word: &str) -> Vec<u32> {
        running(|words| words.iter().any(|it| it == word.as_bytes()))
    }

    /// What was started for a process: all that bear its directory in their mark.
    pub(crate) fn children(&self, name: &str) -> Vec<u32> {
        let mark = [b"TSM_PROCESS_DIR=", self.dir(name).as_os_str().as_encoded_bytes()].concat();
        let environ = |pid: &u32| fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        let all = running(|words| !words[0].is_empty()).into_iter();
        all.filter(|pid| environ(pid).split(|byte| *byte == 0).any(|it| it == mark)).collect()
    }

    /// Waits for a number that a child writes to a file.
    pub(crate) fn number(&self, file: &str) -> u32 {
        number(&self.path(file))
    }

    /// Nothing of any process is left: no directory, no lock held, no line in the registry.
    pub(crate) fn assert_empty(&self) {
        let left: Vec<_> = fs::read_dir(self.processes())
            .map(|entries| entries.flatten().map(|entry| entry.file_name()).collect())
            .unwrap_or_default();
        assert!(left.is_empty(), "left behind: {left:?}");
        let ports = fs::read_to_string(self.home().join("tsm/ports")).unwrap_or_default();
        assert_eq!(ports.trim(), "", "ports left behind");
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        let dirs = fs::read_dir(self.processes()).into_iter().flatten().flatten();
        end_all(&dirs.map(|entry| entry.path()).collect::<Vec<_>>());
    }
}

/// Ends what runs in these process directories: first all are asked, then each is waited for.
pub(crate) fn end_all(dirs: &[PathBuf]) {
    let asked: Vec<bool> = dirs.iter().map(|dir| client::send(dir, ControlCommand::Kill).is_ok()).collect();
    for (dir, asked) in dirs.iter().zip(asked) {
        if asked {
            let _ = client::wait_unsupervised(dir, Instant::now() + PATIENCE);
        }
        let record = meta::read(dir).ok().flatten();
        if let Some(child) = record.and_then(|meta| meta.identity()).filter(is_alive) {
            kill_hard(child.pid);
        }
        client::remove_cgroups(dir);
    }
}

/// A record of a process that runs these words in `cwd`, not yet started.
pub(crate) fn record(name: &str, argv: &[&str], cwd: &Path) -> Meta {
    Meta {
        tsm_id: 0,
        name: name.to_owned(),
        pid: 0,
        command: argv.join(" "),
        port: None,
        cwd: cwd.to_owned(),
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
    }
}

#[track_caller]
pub(crate) fn read_record(dir: &Path) -> Meta {
    meta::read(dir).expect("a readable record").expect("a record")
}

/// Waits until the record in a process directory says so.
#[track_caller]
pub(crate) fn until(dir: &Path, mut is: impl FnMut(&Meta) -> bool) -> Meta {
    match client::wait(dir, Instant::now() + PATIENCE, |meta| meta.is_some_and(&mut is)) {
        Ok(meta) => meta.expect("a record"),
        Err(error) => {
            let stderr = fs::read(dir.join("current.err")).unwrap_or_default();
            panic!("{error}; {:?}; stderr: {}", meta::read(dir), String::from_utf8_lossy(&stderr))
        }
    }
}

/// Waits for a number that a child writes to a file.
pub(crate) fn number(path: &Path) -> u32 {
    let read = || fs::read_to_string(path).ok()?.trim().parse().ok();
    eventually(&format!("a number in {}", path.display()), || read().is_some());
    read().expect("a number")
}

pub(crate) fn assert_fits(value: &serde_json::Value, schema: &str) {
    let misfits = crate::schema::misfits(value, &crate::schema::schema(schema));
    assert!(misfits.is_empty(), "{schema}: {}", misfits.join("\n"));
}

fn is_path(word: Option<&Vec<u8>>, path: &Path) -> bool {
    word.is_some_and(|word| word == path.as_os_str().as_encoded_bytes())
}

/// The pids of living processes whose command line is so.
pub(crate) fn running(is: impl Fn(&[Vec<u8>]) -> bool) -> Vec<u32> {
    let entries = fs::read_dir("/proc").expect("processes are seen").flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let words = |pid: u32| -> Vec<Vec<u8>> {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        line.split(|byte| *byte == 0).map(<[u8]>::to_vec).collect()
    };
    pids.filter(|pid| is(&words(*pid)) && is_running(*pid)).collect()
}

/// Sends SIGKILL.
pub(crate) fn kill_hard(pid: u32) {
    signal(pid, Signal::SIGKILL);
}

pub(crate) fn signal(pid: u32, signal: Signal) {
    // It may have ended by itself.
    let _ = kill(Pid::from_raw(i32::try_from(pid).expect("a pid")), signal);
}

/// True while a process of this pid runs.
pub(crate) fn is_running(pid: u32) -> bool {
    ProcessIdentity::of(pid).is_some_and(|identity| is_alive(&identity))
}

/// A child of the test that is ended with it.
pub(crate) struct ChildGuard(pub(crate) Child);

impl Drop for ChildGuard {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
