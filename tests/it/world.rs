//! A world of its own for each test: folders, surroundings, operator.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::rc::Rc;
use std::time::Duration;

use jiff::tz::TimeZone;
use tetra::base::fault::Fault;
use tetra::base::time::Timestamp;
use tetra::report::Console;
use tetra::report::screen::Screen;
use tetra::shell::eval::{self, Outcome};
use tetra::shell::monitor;
use tetra::shell::session::Session;
use tetra::shell::source::{Origin, Source};
use tetra::sys::host::{Call, Finished, Host};
use tetra::sys::paths::Paths;
use tetra::sys::real::RealHost;
use tetra::ui::console::{Streams, Terminal};

/// The program under test.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_tetra");

/// The time in every world: 2026-11-20 12:00:00 UTC.
pub(crate) const NOON: Timestamp = Timestamp(1_795_176_000_000);

/// Folders below a temporary one, a session in them, and an operator who says what the test wants.
pub(crate) struct World {
    folder: tempfile::TempDir,
    /// The session that [`World::run`] uses.
    pub(crate) session: Session,
    output: Rc<RefCell<Vec<u8>>>,
    talk: Rc<RefCell<Vec<u8>>>,
    operator: Operator,
}

/// Whether there is somebody to answer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Operator {
    Away,
    There,
}

/// What came of a line.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: u8,
    pub(crate) output: String,
    pub(crate) talk: String,
    pub(crate) leave: bool,
}

impl Ran {
    /// The output, after making sure that the exit code is 0.
    #[track_caller]
    pub(crate) fn done(self) -> String {
        assert_eq!(self.code, 0, "{}{}", self.output, self.talk);
        self.output
    }

    /// The talk, after making sure of the exit code.
    #[track_caller]
    pub(crate) fn failed(self, code: u8) -> String {
        assert_eq!(self.code, code, "{}{}", self.output, self.talk);
        self.talk
    }
}

thread_local! {
    /// What the operator will answer.
    static ANSWERS: RefCell<VecDeque<String>> = const { RefCell::new(VecDeque::new()) };
}

impl World {
    /// An empty world with nobody at the terminal. `HOME` and the working directory are its own.
    pub(crate) fn new() -> Self {
        Self::with(&[])
    }

    /// The same with further variables.
    pub(crate) fn with(variables: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let home = folder.path().to_owned();
        let work = home.join("work");
        fs::create_dir(&work).expect("a folder");
        let mut all = BTreeMap::from([
            ("HOME".to_owned(), home.display().to_string()),
            ("PATH".to_owned(), std::env::var("PATH").unwrap_or_default()),
        ]);
        all.extend(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let host = Double { real: RealHost::new(), variables: all, cwd: work };
        ANSWERS.with_borrow_mut(VecDeque::clear);
        Self {
            session: Session::new(Paths::under(&home), Box::new(host)),
            folder,
            output: Rc::default(),
            talk: Rc::default(),
            operator: Operator::Away,
        }
    }

    /// From now on somebody is there, and answers each question with the next of these; further ones with an empty line.
    pub(crate) fn answers(&mut self, answers: &[&str]) {
        self.operator = Operator::There;
        ANSWERS.with_borrow_mut(|queue| queue.extend(answers.iter().map(|answer| format!("{answer}\n"))));
    }

    /// Runs a line as `tetra -c` would, in the session of this world.
    pub(crate) fn run(&mut self, line: &str) -> Ran {
        self.heard(|session, console| eval::run_line(session, console, line, &Origin::Option))
    }

    /// Runs a text as a script that is called `name`.
    pub(crate) fn script(&mut self, name: &str, text: &str) -> Ran {
        let origin = Origin::File(name.to_owned());
        let source = Source { origin: &origin, text, first_line: 1 };
        self.heard(|session, console| eval::run_text(session, console, source))
    }

    /// Shows a screen on the terminal of this program.
    pub(crate) fn shown(&mut self, screen: Screen) -> Result<(), Fault> {
        let mut shown = Ok(());
        self.heard(|session, console| {
            let mut run = |_: &mut Session, _: &mut dyn Console, _: &str| Outcome { code: 0, leave: false };
            shown = monitor::show(session, console, screen, &mut run);
            Outcome { code: 0, leave: false }
        });
        shown
    }

    fn heard(&mut self, run: impl FnOnce(&mut Session, &mut Terminal) -> Outcome) -> Ran {
        let there = self.operator == Operator::There;
        let streams = Streams {
            output: self.output.clone(),
            talk: self.talk.clone(),
            answers: there.then_some(|| Ok(Box::new(Answers))),
            output_is_terminal: false,
            talk_is_terminal: false,
            width: || Some(100),
        };
        let mut console = Terminal::new(streams, self.session.host.variables(), TimeZone::UTC);
        let Outcome { code, leave } = run(&mut self.session, &mut console);
        let text = |bytes: &Rc<RefCell<Vec<u8>>>| String::from_utf8(bytes.take()).expect("text");
        Ran { code, leave, output: text(&self.output), talk: text(&self.talk) }
    }

    /// Where everything is.
    pub(crate) fn paths(&self) -> &Paths {
        &self.session.paths
    }

    /// The folder around everything; also `HOME`.
    pub(crate) fn home(&self) -> &Path {
        self.folder.path()
    }

    /// The working directory.
    pub(crate) fn work(&self) -> PathBuf {
        self.home().join("work")
    }

    /// Writes a file, its folder too; the path is below the working directory unless it is absolute.
    pub(crate) fn file(&self, path: impl AsRef<Path>, text: &str) -> PathBuf {
        let path = self.work().join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(&path, text).expect("written");
        path
    }

    /// An organization with the TOML of its environments: name and text of each.
    pub(crate) fn org(&self, name: &str, environments: &[(&str, &str)]) {
        let org = name.parse().expect("a name");
        fs::create_dir_all(self.paths().org(&org).join("environments")).expect("a folder");
        for (env, text) in environments {
            self.file(self.paths().environment(&org, &env.parse().expect("a name")), text);
        }
    }

    /// Every file and folder with its mode, size or target, times and bytes.
    pub(crate) fn tree(&self) -> BTreeMap<PathBuf, String> {
        let mut tree = BTreeMap::new();
        let mut open = vec![self.home().to_owned()];
        while let Some(folder) = open.pop() {
            for entry in fs::read_dir(&folder).expect("listed").flatten() {
                let path = entry.path();
                let found = fs::symlink_metadata(&path).expect("it is there");
                let what = if found.is_symlink() {
                    fs::read_link(&path).expect("a link").display().to_string()
                } else if found.is_file() {
                    String::from_utf8_lossy(&fs::read(&path).expect("read")).into_owned()
                } else {
                    String::new()
                };
                if found.is_dir() {
                    open.push(path.clone());
                }
                tree.insert(path, format!("{:o} {}.{} {what}", found.mode(), found.mtime(), found.mtime_nsec()));
            }
        }
        tree
    }

    /// The real program in this world: its `HOME`, its folders, no other variables, nothing on its standard input.
    pub(crate) fn program(&self, name: impl AsRef<Path>) -> Command {
        let mut command = Command::new(name.as_ref());
        command
            .env_clear()
            .envs(self.session.host.variables())
            .env("TETRA_DIR", self.paths().home())
            .env("XDG_CONFIG_HOME", self.home().join(".config"))
            .env("XDG_STATE_HOME", self.home().join(".state"))
            .env("XDG_DATA_HOME", self.home().join(".data"))
            .current_dir(self.work())
            .stdin(Stdio::null());
        command
    }
}

impl Drop for World {
    /// Ends what was started here.
    fn drop(&mut self) {
        let any = fs::read_dir(self.paths().processes()).is_ok_and(|mut entries| entries.next().is_some());
        if any {
            let _ = self.program(PROGRAM).args(["tsm", "delete", "all", "--yes"]).stdout(Stdio::null()).output();
        }
    }
}

/// Reads one byte of the next answer at a time, as a terminal would give it.
struct Answers;

impl Read for Answers {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        ANSWERS.with_borrow_mut(|queue| {
            let next = queue.front_mut().filter(|answer| !answer.is_empty());
            let byte = next.map_or(b'\n', |answer| answer.remove(0) as u8);
            while queue.front().is_some_and(String::is_empty) {
                queue.pop_front();
            }
            into[0] = byte;
            Ok(1)
        })
    }
}

/// The real machine with another home, another time and the program under test.
struct Double {
    real: RealHost,
    variables: BTreeMap<String, String>,
    cwd: PathBuf,
}

impl Host for Double {
    fn now(&self) -> Timestamp {
        NOON
    }

    fn variables(&self) -> &BTreeMap<String, String> {
        &self.variables
    }

    fn cwd(&self) -> &Path {
        &self.cwd
    }

    fn program(&self) -> &Path {
        Path::new(PROGRAM)
    }

    fn user(&self) -> &str {
        self.variables.get("USER").map_or("operator", String::as_str)
    }

    fn run(&self, call: &Call) -> io::Result<Finished> {
        self.real.run(call)
    }

    fn interrupted(&self) -> bool {
        false
    }

    fn pause(&self, how_long: Duration) -> bool {
        self.real.pause(how_long)
    }
}
