//! A person at a terminal who types what a document says.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use portable_pty::CommandBuilder;

use super::is_excepted;
use super::parse::{Block, Statement};
use crate::program;
use crate::pty::Terminal;
use crate::world::PROGRAM;

/// A machine of an operator: an empty home, and the program with its links in `PATH`.
pub(crate) struct Laptop {
    dir: tempfile::TempDir,
}

impl Laptop {
    /// `tetra setup` is done.
    pub(crate) fn new() -> Self {
        let laptop = Self { dir: program::directory() };
        let bin = laptop.path("bin");
        for dir in [&bin, &laptop.home()] {
            fs::create_dir(dir).expect("ours");
        }
        program::place(&bin.join("tetra"));
        for name in ["tsm", "tkm", "org"] {
            symlink("tetra", bin.join(name)).expect("ours");
        }
        laptop.script("../bin/vim", EDITOR);
        let mut setup = Command::new(bin.join("tetra"));
        let done = setup.arg("setup").env_clear().envs(laptop.variables()).stdin(Stdio::null()).output();
        let done = done.expect("it starts");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        laptop
    }

    /// What is beside the home: `bin` comes first in `PATH`.
    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir().join(name)
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.path("home")
    }

    /// Writes a file below the home.
    pub(crate) fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.home().join(name);
        fs::create_dir_all(path.parent().expect("a directory")).expect("ours");
        fs::write(&path, text).expect("ours");
        path
    }

    /// Writes a program below the home.
    pub(crate) fn script(&self, name: &str, text: &str) {
        let path = self.home().join(name);
        fs::create_dir_all(path.parent().expect("a directory")).expect("ours");
        program::script(&path, text);
    }

    pub(crate) fn variables(&self) -> Vec<(&'static str, String)> {
        vec![
            ("HOME", self.home().display().to_string()),
            (
                "PATH",
                format!("{}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", self.path("bin").display()),
            ),
            ("EDITOR", "vim".to_owned()),
            ("LC_ALL", "C.UTF-8".to_owned()),
            ("TERM", "dumb".to_owned()),
        ]
    }
}

impl Drop for Laptop {
    /// Ends what was started here.
    fn drop(&mut self) {
        let mut command = Command::new(PROGRAM);
        command.args(["tsm", "delete", "all", "--yes"]).env_clear().envs(self.variables());
        let _ = command.stdin(Stdio::null()).output();
    }
}

/// An editor: adds a port to a definition of an environment, and ends.
const EDITOR: &str = "#!/bin/sh
count=$(grep -c '^edited' \"$1\")
exec sed -i \"/^\\[ports\\]/a edited$count = $((4500 + count))\" \"$1\"
";

/// Reads a document and notes what does not work.
pub(crate) struct Reader {
    document: &'static str,
    terminal: Terminal,
    typed: usize,
    /// The shells that were opened one in the other: the number of the command, and what was written before it.
    shells: Vec<(usize, usize)>,
    failures: Vec<String>,
}

/// What came of a command.
struct Outcome {
    code: i32,
    said: String,
}

/// Prepares a shell: its echo would only disturb, and its prompt is to be known.
const QUIET: &str = "stty -echo; PS1=@prompt@; PS2=; bind 'set enable-bracketed-paste off' 2>/dev/null";

const PROMPT: &str = "@prompt@";

impl Reader {
    /// Opens a terminal on the laptop, where tetra is loaded.
    pub(crate) fn start(document: &'static str, laptop: &Laptop) -> Self {
        let mut command = CommandBuilder::new("bash");
        command.args(["--norc", "--noprofile", "--noediting", "-i"]);
        command.env_clear();
        command.cwd(laptop.home());
        laptop.variables().into_iter().for_each(|(name, value)| command.env(name, value));
        let mut reader =
            Self { document, terminal: Terminal::start(command), typed: 0, shells: Vec::new(), failures: Vec::new() };
        reader.send(QUIET);
        reader.prepare("source ~/tetra/tetra.sh");
        reader
    }

    /// Goes to another machine, for all that comes next.
    #[track_caller]
    pub(crate) fn connect(&mut self, host: &str) {
        let done = self.run(&format!("ssh {host}"), host);
        assert_eq!(done.code, 0, "{}: ssh {host}:\n{}", self.document, done.said);
    }

    /// Comes back from it.
    pub(crate) fn disconnect(&mut self) {
        let (number, from) = self.shells.pop().expect("a shell was opened");
        self.send("exit");
        let left = format!("@left-{number}:");
        self.terminal.wait_beyond("the end of a shell", from, |said| said.contains(&left).then_some(()));
    }

    /// Types what the document takes for granted; it has to work.
    #[track_caller]
    pub(crate) fn prepare(&mut self, line: &str) {
        let done = self.run(line, line);
        assert_eq!(done.code, 0, "{}: `{line}`:\n{}", self.document, done.said);
    }

    /// The same on another machine.
    #[track_caller]
    pub(crate) fn prepare_at(&mut self, host: &str, lines: &[&str]) {
        self.connect(host);
        lines.iter().for_each(|line| self.prepare(line));
        self.disconnect();
    }

    /// Types every command of a block at this machine.
    pub(crate) fn read(&mut self, block: &Block) {
        let before = self.shells.len();
        let mut said = String::new();
        for statement in &block.statements {
            said = self.read_statement(statement);
        }
        while self.shells.len() > before {
            self.disconnect();
        }
        let mut rest = said.as_str();
        for part in &block.expected {
            match rest.find(part.as_str()) {
                Some(at) => rest = &rest[at + part.len()..],
                None => self.failures.push(format!("{}:{}: expected `{part}` in\n{said}", self.document, block.line)),
            }
        }
    }

    /// The same on another machine.
    pub(crate) fn read_at(&mut self, host: &str, block: &Block) {
        self.connect(host);
        self.read(block);
        self.disconnect();
    }

    fn read_statement(&mut self, statement: &Statement) -> String {
        let place = format!("{}:{}", self.document, statement.line);
        let excepted = is_excepted(self.document, statement.line);
        if !statement.is_complete {
            if !excepted {
                self.failures.push(format!("{place}: `{}` is not a command of bash", statement.text));
            }
            return String::new();
        }
        let Outcome { code, said } = self.run(&statement.text, &place);
        // An operator ends what follows with ctrl-c.
        // What a check finds on this machine is its own matter.
        let ended = follows(&statement.text) && code == 130;
        let found = words(&statement.text).starts_with(&["tsm", "doctor"]) && code == 3;
        let worked = code == 0 || ended || found;
        if worked && excepted {
            self.failures.push(format!("{place}: `{}` works, and has a row in exceptions.txt", statement.text));
        } else if !worked && !excepted {
            self.failures.push(format!("{place}: `{}` ended with {code}\n{said}", statement.text));
        }
        said
    }

    /// Types a command and waits for its end.
    fn run(&mut self, text: &str, what: &str) -> Outcome {
        self.typed += 1;
        let number = self.typed;
        let from = self.terminal.written();
        let mark = format!("printf '\\n@%s:%s@\\n' {number} $?");
        if opens_shell(text) {
            // The second line is typed into the shell that it opens, and what is behind the command comes when that has ended.
            let left = format!("printf '\\n@%s:%s@\\n' left-{number} $?");
            self.terminal.send(&format!("eval {}; {left}\n{mark}; {QUIET}\n", quoted(text)));
            let outcome = self.outcome(number, from, what);
            if outcome.code == 0 {
                self.shells.push((number, from));
            }
            return outcome;
        } else if follows(text) {
            self.terminal.send(&format!("eval {}\n", quoted(text)));
            self.terminal.wait_beyond(what, from, |said| (!without_prompts(said).trim().is_empty()).then_some(()));
            let interrupted = self.terminal.written();
            self.terminal.send("\u{3}");
            self.terminal.wait_beyond(what, interrupted, |said| said.contains(PROMPT).then_some(()));
            self.terminal.send(&format!("{mark}\n"));
        } else {
            self.terminal.send(&format!("eval {}; {mark}\n", quoted(text)));
        }
        self.outcome(number, from, what)
    }

    /// Waits for the mark behind a command, and answers its questions as an operator would.
    fn outcome(&mut self, number: usize, from: usize, what: &str) -> Outcome {
        enum Seen {
            Question(String),
            End(Outcome),
        }
        let mut answered = from;
        loop {
            let seen = self.terminal.wait_beyond(what, from, |said| {
                if let Some((before, after)) = said.split_once(&format!("@{number}:"))
                    && let Some((code, _)) = after.split_once('@')
                {
                    // A shell that could not be opened has been left already.
                    let left =
                        said.split_once(&format!("@left-{number}:")).and_then(|(_, after)| after.split_once('@'));
                    let code = left.map_or(code, |(code, _)| code).parse().expect("a number");
                    return Some(Seen::End(Outcome { code, said: without_prompts(before) }));
                }
                let asked = said.get(answered - from..).unwrap_or_default();
                Some(Seen::Question(answer_to(asked)?))
            });
            match seen {
                Seen::End(outcome) => return outcome,
                Seen::Question(answer) => {
                    answered = self.terminal.written();
                    self.terminal.send(&format!("{answer}\n"));
                }
            }
        }
    }

    fn send(&mut self, line: &str) {
        self.terminal.send(&format!("{line}\n"));
    }

    /// Closes the terminal; everything has to have worked.
    #[track_caller]
    pub(crate) fn finish(mut self) {
        self.send("exit");
        self.terminal.end();
        assert!(self.failures.is_empty(), "{} lines:\n{}", self.failures.len(), self.failures.join("\n"));
    }
}

fn without_prompts(said: &str) -> String {
    said.replace(PROMPT, "").replace('\r', "")
}

/// What is to be answered to the end of what was printed: the guard of an environment asks.
fn answer_to(said: &str) -> Option<String> {
    if said.ends_with("[y/N] ") {
        return Some("y".to_owned());
    }
    let (_, word) = said.strip_suffix("] ")?.rsplit_once("[type ")?;
    Some(word.to_owned())
}

fn words(text: &str) -> Vec<&str> {
    let text = text.split(" #").next().unwrap_or_default();
    text.split_ascii_whitespace().skip_while(|word| *word == "sudo" && text.trim() != "sudo -i").collect()
}

/// Whether the command opens a shell: what comes next is typed there.
fn opens_shell(text: &str) -> bool {
    matches!(words(text)[..], ["sudo", "-i"] | ["ssh", _])
}

/// Whether it prints what comes until it is interrupted.
fn follows(text: &str) -> bool {
    let words = words(text);
    matches!(words.first(), Some(&("tsm" | "journalctl" | "tail"))) && words.contains(&"-f")
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}
