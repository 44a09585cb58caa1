//! A world of its own for each test: directories, surroundings, operator.

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
use tetra::shell::monitor;
use tetra::shell::outcome::LineOutcome;
use tetra::shell::runner;
use tetra::shell::session::Session;
use tetra::shell::source::{ScriptOrigin, ScriptText};
use tetra::sys::host::{CommandOutput, Host, Invocation};
use tetra::sys::os_host::OsHost;
use tetra::sys::paths::Paths;
use tetra::ui::console::Terminal;
use tetra::ui::streams::{AnswerSource, Streams, TerminalSize};

/// The program under test.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_tetra");

/// The time in every world: 2026-11-20 12:00:00 UTC.
pub(crate) const NOON: Timestamp = Timestamp(1_795_176_000_000);

/// Directories below a temporary one, a session in them, and an operator who says what the test wants.
pub(crate) struct World {
    dir: tempfile::TempDir,
    /// The session that [`World::run`] uses.
    pub(crate) session: Session,
    output: Rc<RefCell<Vec<u8>>>,
    stderr: Rc<RefCell<Vec<u8>>>,
    operator: Interactive,
}

/// Whether there is an operator to answer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Interactive {
    No,
    Yes,
}

/// What came of a line.
#[derive(Debug)]
pub(crate) struct LineResult {
    pub(crate) code: u8,
    pub(crate) output: String,
    pub(crate) stderr: String,
    pub(crate) exit: bool,
}

impl LineResult {
    /// The output, after making sure that the exit code is 0.
    #[track_caller]
    pub(crate) fn done(self) -> String {
        assert_eq!(self.code, 0, "{}{}", self.output, self.stderr);
        self.output
    }

    /// The talk, after making sure of the exit code.
    #[track_caller]
    pub(crate) fn failed(self, code: u8) -> String {
        assert_eq!(self.code, code, "{}{}", self.output, self.stderr);
        self.stderr
    }
}

thread_local! {
    /// What the operator will answer.
    static ANSWERS: RefCell<VecDeque<String>> = const { RefCell::new(VecDeque::new()) };
    /// What happens before the next answer.
    static BEFORE_ANSWER: RefCell<Option<Box<dyn FnOnce()>>> = const { RefCell::new(None) };
}

impl World {
    /// An empty world without an operator at the terminal. `HOME` and the working directory are its own.
    pub(crate) fn new() -> Self {
        Self::with(&[])
    }

    /// The same with further variables.
    pub(crate) fn with(variables: &[(&str, &str)]) -> Self {
        crate::program::limit_umask();
        let directory = tempfile::tempdir().expect("a directory");
        let home = directory.path().to_owned();
        let work = home.join("work");
        fs::create_dir(&work).expect("a directory");
        let mut all = BTreeMap::from([
            ("HOME".to_owned(), home.display().to_string()),
            ("PATH".to_owned(), std::env::var("PATH").unwrap_or_default()),
        ]);
        all.extend(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let host = FakeHost { real: OsHost::new(), variables: all, cwd: work };
        ANSWERS.with_borrow_mut(VecDeque::clear);
        BEFORE_ANSWER.take();
        Self {
            session: Session::new(Paths::under(&home), Box::new(host)),
            dir: directory,
            output: Rc::default(),
            stderr: Rc::default(),
            operator: Interactive::No,
        }
    }

    /// From now on there is an operator, who answers each question with the next of these; further ones with an empty line.
    pub(crate) fn answers(&mut self, answers: &[&str]) {
        self.operator = Interactive::Yes;
        ANSWERS.with_borrow_mut(|queue| queue.extend(answers.iter().map(|answer| format!("{answer}\n"))));
    }

    /// While the operator thinks about the next question, this happens; then comes the answer `yes`.
    pub(crate) fn answers_yes_after(&mut self, happens: impl FnOnce() + 'static) {
        BEFORE_ANSWER.with_borrow_mut(|before| *before = Some(Box::new(happens)));
        self.answers(&["y"]);
    }

    /// Runs a line as `tetra -c` would, in the session of this world.
    pub(crate) fn run(&mut self, line: &str) -> LineResult {
        self.capture(|session, console| runner::run_line(session, console, line, &ScriptOrigin::Option))
    }

    /// Runs a text as a script that is called `name`.
    pub(crate) fn script(&mut self, name: &str, text: &str) -> LineResult {
        let origin = ScriptOrigin::File(name.to_owned());
        let source = ScriptText { origin: &origin, text, first_line: 1 };
        self.capture(|session, console| runner::run_text(session, console, source))
    }

    /// Shows a screen on the terminal of this program.
    pub(crate) fn shown(&mut self, screen: Screen) -> Result<(), Fault> {
        let mut shown = Ok(());
        self.capture(|session, console| {
            let mut run = |_: &mut Session, _: &mut dyn Console, _: &str| LineOutcome::default();
            shown = monitor::show(session, console, screen, &mut run);
            LineOutcome::default()
        });
        shown
    }

    fn capture(&mut self, run: impl FnOnce(&mut Session, &mut Terminal) -> LineOutcome) -> LineResult {
        let there = self.operator == Interactive::Yes;
        let streams = Streams {
            output: self.output.clone(),
            stderr: self.stderr.clone(),
            answer_source: there.then_some(AnswerSource { exists: || true, open: || Ok(Box::new(Answers)) }),
            output_is_terminal: false,
            stderr_is_terminal: false,
            size: TerminalSize { width: || Some(100), height: || None },
            pager: None,
        };
        let mut console = Terminal::new(streams, self.session.host.variables(), TimeZone::UTC);
        let outcome = run(&mut self.session, &mut console);
        let text = |bytes: &Rc<RefCell<Vec<u8>>>| String::from_utf8(bytes.take()).expect("text");
        LineResult { code: outcome.code, exit: outcome.exits(), output: text(&self.output), stderr: text(&self.stderr) }
    }

    /// Where everything is.
    pub(crate) fn paths(&self) -> &Paths {
        &self.session.paths
    }

    /// The directory around everything; also `HOME`.
    pub(crate) fn home(&self) -> &Path {
        self.dir.path()
    }

    /// The working directory.
    pub(crate) fn work(&self) -> PathBuf {
        self.home().join("work")
    }

    /// Writes a file, its directory too; the path is below the working directory unless it is absolute.
    pub(crate) fn file(&self, path: impl AsRef<Path>, text: &str) -> PathBuf {
        let path = self.work().join(path);
        fs::create_dir_all(path.parent().expect("a directory")).expect("a directory");
        fs::write(&path, text).expect("written");
        path
    }

    /// An organization with the TOML of its environments: name and text of each.
    pub(crate) fn org(&self, name: &str, environments: &[(&str, &str)]) {
        let org = name.parse().expect("a name");
        fs::create_dir_all(self.paths().org(&org).join("environments")).expect("a directory");
        for (env, text) in environments {
            self.file(self.paths().environment(&org, &env.parse().expect("a name")), text);
        }
    }

    /// Every file and directory with its mode, size or target, times and bytes.
    pub(crate) fn tree(&self) -> BTreeMap<PathBuf, String> {
        let mut tree = BTreeMap::new();
        let mut open = vec![self.home().to_owned()];
        while let Some(directory) = open.pop() {
            for entry in fs::read_dir(&directory).expect("listed").flatten() {
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

    /// The real program in this world: its `HOME`, its directories, no other variables, nothing on its standard input.
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
        if let Some(happens) = BEFORE_ANSWER.take() {
            happens();
        }
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
struct FakeHost {
    real: OsHost,
    variables: BTreeMap<String, String>,
    cwd: PathBuf,
}

impl Host for FakeHost {
    fn now(&self) -> Timestamp {
        NOON
    }

    fn variables(&self) -> &BTreeMap<String, String> {
        &self.variables
    }

    fn cwd(&self) -> &Path {
        &self.cwd
    }

    fn set_cwd(&mut self, path: &Path) -> io::Result<()> {
        self.cwd = path.canonicalize()?;
        Ok(())
    }

    fn program(&self) -> &Path {
        Path::new(PROGRAM)
    }

    fn user(&self) -> &str {
        self.variables.get("USER").map_or("operator", String::as_str)
    }

    fn run(&self, call: &Invocation) -> io::Result<CommandOutput> {
        self.real.run(call)
    }

    fn interrupted(&self) -> bool {
        false
    }

    fn sleep(&self, how_long: Duration) -> bool {
        self.real.sleep(how_long)
    }
}
