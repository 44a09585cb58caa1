//! Runs every file under `tests/transcripts` against the real program.
//!
//! ```text
//! # Prose: lines with `#` before a step.
//! > tsm stop api                 a line of tetra; `use`, `select`, `@env`, `set`, `alias`, `unalias` and `abbr` hold for the lines after it
//! error: …                       what it says, output and talk in their order
//! [5]                            its exit code, if not 0
//! $ tetra -c 'tsm list' | wc -l  a line of bash, with tetra, tsm, tkm and org in PATH
//! ```
//!
//! Each file has a fresh home directory, with what is in the directory `NAME.files` beside it, and stops what it started. `{port}`, `{port2}` … are free ports. What differs from run
//! to run or machine to machine is named: PID, TIME, SPAN, SIZE, programs without their directories, and `~` for the home directory; where that moves columns, blanks between words count as
//! two at most.
//! `UPDATE=1 cargo test --test it transcript` writes the files anew.

mod names;

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tetra::command::registry::COMMANDS;

use crate::ports::free_port;
use crate::program;
use names::{named, replaced, squeezed, with_next_run, with_pids, with_versions, without_directory};

/// No step takes longer, not even on a busy machine.
const LONGEST_STEP: Duration = Duration::from_secs(60);

/// Begins a line that only a slow machine says.
const WAITING: &str = "waiting for it to listen on port ";

/// How many transcripts run at the same time.
const AT_ONCE: usize = 2;

#[test]
fn transcripts_are_true() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts");
    let files = texts_below(&directory);
    assert!(!files.is_empty(), "there are transcripts");
    let (failed, failures) = mpsc::channel();
    let shares: Vec<Vec<&PathBuf>> =
        (0..AT_ONCE).map(|share| files.iter().skip(share).step_by(AT_ONCE).collect()).collect();
    thread::scope(|scope| {
        for share in shares {
            let failed = failed.clone();
            scope.spawn(move || {
                for path in share {
                    if let Err(difference) = check(path) {
                        failed.send(difference).expect("the test listens");
                    }
                }
            });
        }
    });
    drop(failed);
    let failures: Vec<String> = failures.iter().collect();
    assert!(failures.is_empty(), "\n{}\nUPDATE=1 writes them anew", failures.join("\n"));
}

#[test]
fn every_command_is_shown_in_a_transcript() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts");
    let all: Vec<String> =
        texts_below(&directory).iter().map(|path| fs::read_to_string(path).expect("readable")).collect();
    let steps: Vec<&str> = all.iter().flat_map(|text| text.lines()).filter(|line| is_step(line)).collect();
    for entry in COMMANDS {
        let name = format!(" {} ", entry.name);
        let shown = steps.iter().any(|step| format!("{step} ").replace(';', " ").contains(&name));
        assert!(shown, "no transcript shows `{}`", entry.name);
    }
}

/// Runs one transcript; tells the first difference. With `UPDATE=1` writes it instead.
fn check(path: &Path) -> Result<(), String> {
    let written = fs::read_to_string(path).expect("a transcript can be read");
    let mut home = SessionHome::new();
    home.take(&path.with_extension("files"));
    let mut real = String::new();
    for part in parts(&written) {
        match part {
            Part::Prose(text) => real.push_str(text),
            Part::Step(line) => real.push_str(&format!("{line}\n{}", home.run(line))),
        }
    }
    if real == written {
        return Ok(());
    }
    if std::env::var_os("UPDATE").is_some_and(|value| value == "1") {
        fs::write(path, real).expect("a transcript can be written");
        return Ok(());
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let at = written.lines().zip(real.lines()).take_while(|(one, other)| one == other).count();
    let around = |text: &str| text.lines().skip(at.saturating_sub(3)).take(14).collect::<Vec<_>>().join("\n");
    Err(format!("{name}:{}\n--- written\n{}\n--- real\n{}\n", at + 1, around(&written), around(&real)))
}

enum Part<'a> {
    Prose(&'a str),
    Step(&'a str),
}

/// Steps and the prose before them. What a step says is left out: it is what is to be found out.
fn parts(text: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut prose_from = Some(0);
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let prose = line.trim().is_empty() || line.starts_with('#');
        if is_step(line) {
            if let Some(from) = prose_from.take() {
                parts.push(Part::Prose(&text[from..at]));
            }
            parts.push(Part::Step(line.trim_end()));
        } else if !prose {
            prose_from = None;
        } else if prose_from.is_none() {
            prose_from = Some(at);
        }
        at += line.len();
    }
    if let Some(from) = prose_from {
        parts.push(Part::Prose(&text[from..]));
    }
    parts
}

fn is_step(line: &str) -> bool {
    line.starts_with("> ") || line.starts_with("$ ")
}

/// Without what is said of a change that nothing comes after: here the session goes on.
fn without_end(said: &str) -> &str {
    let at = said.trim_end().rfind('\n').map_or(0, |end| end + 1);
    let ends = [
        "the selection ends with this session",
        "the setting is changed for this session only",
        "it is defined for this session only",
    ];
    if ends.iter().any(|end| said[at..].starts_with(end)) { &said[..at] } else { said }
}

/// A home directory with the program in it, and the session so far.
pub(crate) struct SessionHome {
    dir: tempfile::TempDir,
    /// Lines that hold for those after them, and what they said.
    session: Vec<(String, String)>,
    ports: BTreeMap<String, u16>,
}

impl SessionHome {
    pub(crate) fn new() -> Self {
        let directory = program::directory();
        let bin = directory.path().join("bin");
        fs::create_dir_all(&bin).expect("ours");
        fs::create_dir_all(directory.path().join("home")).expect("ours");
        program::place(&bin.join("tetra"));
        for name in ["tsm", "tkm", "org"] {
            std::os::unix::fs::symlink("tetra", bin.join(name)).expect("ours");
        }
        Self { dir: directory, session: Vec::new(), ports: BTreeMap::new() }
    }

    /// Copies the files of a directory, if it is there, into the home directory.
    fn take(&self, directory: &Path) {
        for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
            let to = self.dir.path().join("home").join(entry.file_name());
            fs::copy(entry.path(), to).expect("a file can be copied");
        }
    }

    /// Runs lines of bash; output and talk as they came, and the exit code.
    pub(crate) fn bash(&self, lines: &str) -> (String, i32) {
        self.spawn("bash", &["-c", lines])
    }

    /// Runs a step; what it says, normalised, with its exit code.
    fn run(&mut self, step: &str) -> String {
        let line = self.with_ports(&step[2..]);
        let (said, code) =
            if step.starts_with('$') { self.spawn("bash", &["-c", &line]) } else { self.run_in_session(&line) };
        let mut said = self.normalised(&said);
        if !said.is_empty() && !said.ends_with('\n') {
            said.push('\n');
        }
        if code != 0 {
            said.push_str(&format!("[{code}]\n"));
        }
        said
    }

    fn run_in_session(&mut self, line: &str) -> (String, i32) {
        let before: String = self.session.iter().map(|(line, _)| format!("{line}\n")).collect();
        let spoken: String = self.session.iter().map(|(_, said)| said.as_str()).collect();
        let (said, code) = self.spawn("tetra", &["-c", &format!("{before}{line}")]);
        let said = without_end(said.strip_prefix(&spoken).unwrap_or(&said));
        let said = said.replace(&format!("at -c:{}:", self.session.len() + 1), "at -c:1:");
        let word = line.split_whitespace().next().unwrap_or_default();
        if code == 0 && (word.starts_with('@') || ["use", "select", "set", "alias", "unalias", "abbr"].contains(&word))
        {
            self.session.push((line.to_owned(), said.clone()));
        }
        (said, code)
    }

    /// Runs a program; output and talk as they came, and the exit code.
    pub(crate) fn spawn(&self, program: &str, arguments: &[&str]) -> (String, i32) {
        let home = self.dir.path().join("home");
        let path = format!("{}:{}", self.dir.path().join("bin").display(), std::env::var("PATH").unwrap_or_default());
        let (mut reader, writer) = std::io::pipe().expect("a pipe can be made");
        let mut command = Command::new(program);
        command.args(arguments).env_clear().current_dir(&home).stdin(Stdio::null());
        command.env("PATH", &path).env("HOME", &home).env("TETRA_DIR", home.join("tetra"));
        command.env("TETRA_SRC", home.join("source"));
        command.env("LC_ALL", "C.UTF-8").env("TZ", "UTC").env("TERM", "dumb");
        command.stdout(writer.try_clone().expect("a pipe has two ends")).stderr(writer);
        let mut child = command.spawn().expect("the program starts");
        drop(command);
        let (spoken, listen) = mpsc::channel();
        thread::spawn(move || {
            let mut bytes = Vec::new();
            let ended = reader.read_to_end(&mut bytes).map(|_| String::from_utf8_lossy(&bytes).into_owned());
            spoken.send(ended)
        });
        let said = listen.recv_timeout(LONGEST_STEP);
        if said.is_err() {
            child.kill().expect("the child is ours");
        }
        let status = child.wait().expect("the child is ours");
        let said = said.unwrap_or_else(|_| panic!("`{arguments:?}` did not end")).expect("the pipe can be read");
        let signal = std::os::unix::process::ExitStatusExt::signal(&status);
        (said, status.code().unwrap_or_else(|| 128 + signal.unwrap_or(0)))
    }

    /// The line with a free port for each `{port…}`.
    fn with_ports(&mut self, line: &str) -> String {
        let mut whole = String::new();
        let mut rest = line;
        while let Some(start) = rest.find("{port") {
            let end = start + rest[start..].find('}').expect("a port has a closing brace") + 1;
            let port = self.ports.entry(rest[start..end].to_owned()).or_insert_with(free_port);
            whole.push_str(&rest[..start]);
            whole.push_str(&port.to_string());
            rest = &rest[end..];
        }
        whole + rest
    }

    /// What was said, with names for what differs from run to run.
    fn normalised(&self, original: &str) -> String {
        let home = self.dir.path().join("home").display().to_string();
        let mut said = original.replace(&home, "~").replace(&self.dir.path().display().to_string(), "/TMP");
        for (name, port) in &self.ports {
            said = replaced(&said, &port.to_string(), name);
        }
        for pid in self.pids() {
            said = replaced(&said, &pid.to_string(), "PID");
        }
        for program in ["python3", "node", "bash", "sleep"] {
            said = without_directory(&said, program);
        }
        let operator = tetra::sys::host::Host::user(&tetra::sys::os_host::OsHost::new()).to_owned();
        let lines = said
            .lines()
            .filter(|line| !line.starts_with(WAITING))
            .map(|line| with_versions(&with_next_run(&with_pids(&named(line))), &operator));
        let mut said: String = lines.map(|line| line + "\n").collect();
        if said != original {
            said = said.lines().map(|line| squeezed(line) + "\n").collect();
        }
        said
    }

    /// The pids that the program wrote down.
    fn pids(&self) -> Vec<u64> {
        let processes = self.dir.path().join("home/tetra/tsm/runtime/processes");
        let Ok(directories) = fs::read_dir(processes) else { return Vec::new() };
        let metas = directories.flatten().filter_map(|directory| fs::read(directory.path().join("meta.json")).ok());
        let pid = |meta: Vec<u8>| serde_json::from_slice::<serde_json::Value>(&meta).ok()?["pid"].as_u64();
        metas.filter_map(pid).filter(|pid| *pid > 1).collect()
    }

    /// Processes that were started from this home directory and still live: their surroundings name it.
    fn left_over(&self) -> Vec<Pid> {
        let mark = self.dir.path().display().to_string().into_bytes();
        let mut found = Vec::new();
        for entry in fs::read_dir("/proc").expect("/proc can be read").flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
            let surroundings = fs::read(entry.path().join("environ")).unwrap_or_default();
            let place = fs::read_link(entry.path().join("cwd")).unwrap_or_default();
            let named = surroundings.windows(mark.len()).any(|part| part == mark);
            if named || place.starts_with(self.dir.path()) {
                found.push(Pid::from_raw(pid));
            }
        }
        found
    }
}

impl Drop for SessionHome {
    fn drop(&mut self) {
        let _ = self.spawn("tetra", &["tsm", "kill", "*"]);
        let deadline = Instant::now() + Duration::from_secs(10);
        while let left @ [_, ..] = self.left_over().as_slice() {
            for pid in left {
                let _ = kill(*pid, Signal::SIGKILL);
            }
            let late = Instant::now() > deadline;
            assert!(!late || thread::panicking(), "processes of a transcript outlive SIGKILL: {left:?}");
            if late {
                break;
            }
            crate::waiting::pause();
        }
    }
}

fn texts_below(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).expect("the directory is there").flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(texts_below(&path));
        } else if path.extension().is_some_and(|ending| ending == "txt") {
            found.push(path);
        }
    }
    found.sort();
    found
}

#[test]
fn a_transcript_is_prose_and_steps() {
    let text = "# What.\n> a\nsaid\n\n# Then.\n$ b\n[1]\n";
    let shown: Vec<String> = parts(text)
        .into_iter()
        .map(|part| match part {
            Part::Prose(text) => format!("prose {text:?}"),
            Part::Step(line) => format!("step {line}"),
        })
        .collect();
    assert_eq!(shown, ["prose \"# What.\\n\"", "step > a", "prose \"\\n# Then.\\n\"", "step $ b"]);
}
