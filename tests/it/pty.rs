//! A terminal for tests: a real pseudo-terminal, a screen that is kept, an answer to "where is the cursor".
//!
//! Tests wait for text, never for time: [`Terminal::wait`] looks again whenever the program has written something.

use std::fs::File;
use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::sys::termios::{LocalFlags, SetArg, tcgetattr, tcsetattr};
use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, SlavePty, native_pty_system};

/// How long anything may take. Only a failing test waits so long.
const PATIENCE: Duration = Duration::from_secs(20);

/// The rows that are kept above the screen.
const SCROLLBACK: usize = 1000;

/// What a terminal is asked: where is the cursor?
const QUERY: &[u8] = b"\x1b[6n";

/// A home of its own for one test.
pub(crate) struct TestHome {
    dir: tempfile::TempDir,
}

impl TestHome {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().expect("a home for the test");
        for name in ["home", "config", "state", "tetra", "tmp"] {
            std::fs::create_dir(directory.path().join(name)).expect("a home for the test");
        }
        Self { dir: directory }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Puts a file below the home, with its directories.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("a home for the test")).expect("a home for the test");
        std::fs::write(&path, text).expect("a home for the test");
        path
    }

    /// Every file below `name` whose content holds `text`.
    pub(crate) fn files_with(&self, name: &str, text: &str) -> Vec<PathBuf> {
        fn search(directory: &Path, text: &[u8], found: &mut Vec<PathBuf>) {
            for entry in std::fs::read_dir(directory).expect("a home for the test").flatten() {
                let path = entry.path();
                if path.is_dir() {
                    search(&path, text, found);
                } else if path.is_file()
                    && std::fs::read(&path).unwrap_or_default().windows(text.len()).any(|part| part == text)
                {
                    found.push(path);
                }
            }
        }
        let mut found = Vec::new();
        search(&self.path(name), text.as_bytes(), &mut found);
        found
    }

    /// A command in this home and nothing of the tester's surroundings.
    pub(crate) fn command(&self, program: &str) -> CommandBuilder {
        let mut command = CommandBuilder::new(program);
        command.env_clear();
        command.cwd(self.path("home"));
        for (name, value) in self.variables() {
            command.env(name, value);
        }
        command
    }

    /// tetra in this home.
    pub(crate) fn tetra(&self) -> CommandBuilder {
        self.command(env!("CARGO_BIN_EXE_tetra"))
    }

    /// The surroundings as variables.
    pub(crate) fn variables(&self) -> Vec<(&'static str, String)> {
        let path = |name: &str| self.path(name).display().to_string();
        let program = Path::new(env!("CARGO_BIN_EXE_tetra")).parent().expect("a home for the test").display();
        vec![
            ("HOME", path("home")),
            ("XDG_CONFIG_HOME", path("config")),
            ("XDG_STATE_HOME", path("state")),
            ("TMPDIR", path("tmp")),
            ("TETRA_DIR", path("tetra")),
            ("TETRA_SRC", path("src")),
            ("PATH", format!("{program}:/usr/local/bin:/usr/bin:/bin")),
            ("TERM", "xterm-256color".to_owned()),
            ("LC_ALL", "C.UTF-8".to_owned()),
            ("TETRA_PAGER", "cat".to_owned()),
        ]
    }
}

/// What a test started ends with it, also when it fails.
impl Drop for TestHome {
    fn drop(&mut self) {
        if self.path("tetra/tsm/runtime/processes").exists() {
            let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_tetra"));
            let _ = command.args(["--yes", "tsm", "delete", "*"]).env_clear().envs(self.variables()).output();
        }
    }
}

/// Whether the terminal answers where its cursor is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum TerminalBehavior {
    Answers,
    Silent,
}

/// A program in a terminal.
pub(crate) struct Terminal {
    master: Option<Box<dyn MasterPty + Send>>,
    /// Kept, so that the modes of the terminal can be seen after the end of the program.
    _slave: Box<dyn SlavePty + Send>,
    writer: Option<File>,
    child: Box<dyn Child + Send + Sync>,
    seen: Arc<SharedState>,
    pump: Option<JoinHandle<()>>,
}

struct SharedState {
    /// The terminal is being closed: its reader has to let go.
    closing: AtomicBool,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    screen: vt100::Parser,
    /// Everything that was written, for what a screen does not show.
    bytes: Vec<u8>,
    /// The start of a query whose rest has not come yet.
    pending: Vec<u8>,
}

impl Terminal {
    pub(crate) fn start(command: CommandBuilder) -> Self {
        Self::with_behavior(command, TerminalBehavior::Answers)
    }

    pub(crate) fn with_behavior(command: CommandBuilder, manners: TerminalBehavior) -> Self {
        let size = PtySize { rows: 24, cols: 100, ..PtySize::default() };
        let pair = native_pty_system().openpty(size).expect("a terminal for the test");
        let child = pair.slave.spawn_command(command).expect("a terminal for the test");
        let screen = vt100::Parser::new(
            NonZeroU16::new(size.rows).expect("a terminal for the test"),
            NonZeroU16::new(size.cols).expect("a terminal for the test"),
            SCROLLBACK,
        );
        let state = State { screen, bytes: Vec::new(), pending: Vec::new() };
        let seen = Arc::new(SharedState {
            closing: AtomicBool::new(false),
            state: Mutex::new(state),
            changed: Condvar::new(),
        });
        let end = open_end(&*pair.master);
        let mut reader = end.try_clone().expect("a terminal for the test");
        let mut answers = end.try_clone().expect("a terminal for the test");
        let feed = Arc::clone(&seen);
        let pump = std::thread::spawn(move || {
            let mut buffer = [0_u8; 4096];
            while feed.wait_readable(&reader) {
                let mut state = feed.state.lock().expect("a terminal for the test");
                let Ok(count @ 1..) = reader.read(&mut buffer) else { break };
                let replies = state.take(&buffer[..count]);
                drop(state);
                feed.changed.notify_all();
                if manners == TerminalBehavior::Answers {
                    for reply in replies {
                        let _ = answers.write_all(reply.as_bytes());
                    }
                }
            }
            feed.changed.notify_all();
        });
        let writer = Some(end);
        Self { master: Some(pair.master), _slave: pair.slave, writer, child, seen, pump: Some(pump) }
    }

    /// Types.
    pub(crate) fn send(&mut self, keys: &str) {
        let writer = self.writer.as_mut().expect("a terminal for the test");
        writer.write_all(keys.as_bytes()).expect("a terminal for the test");
        writer.flush().expect("a terminal for the test");
    }

    /// Types, unless the program has ended.
    pub(crate) fn try_send(&mut self, keys: &str) -> bool {
        self.writer.as_mut().is_some_and(|writer| writer.write_all(keys.as_bytes()).is_ok())
    }

    /// Waits a while for the end of the program.
    pub(crate) fn ends_soon(&mut self) -> bool {
        (0..20).any(|_| {
            crate::waiting::pause();
            self.child.try_wait().is_ok_and(|status| status.is_some())
        })
    }

    /// Waits until the screen is as wanted and gives what `look` found on it.
    pub(crate) fn wait<T>(&self, what: &str, mut look: impl FnMut(&vt100::Screen) -> Option<T>) -> T {
        self.wait_state(what, |state| look(state.screen.screen()))
    }

    /// Waits until a text was written so often, whether it still can be seen or not.
    pub(crate) fn wait_written(&self, text: &str, times: usize) {
        self.wait_state(&format!("{text:?}, {times} times"), |state| {
            (String::from_utf8_lossy(&state.bytes).matches(text).count() >= times).then_some(())
        });
    }

    /// How many bytes were written so far.
    pub(crate) fn written(&self) -> usize {
        self.state().bytes.len()
    }

    /// Waits until what was written after so many bytes is as wanted, escapes and all.
    pub(crate) fn wait_beyond<T>(&self, what: &str, from: usize, mut look: impl FnMut(&str) -> Option<T>) -> T {
        self.wait_state(what, |state| look(&String::from_utf8_lossy(state.bytes.get(from..).unwrap_or_default())))
    }

    fn wait_state<T>(&self, what: &str, mut look: impl FnMut(&State) -> Option<T>) -> T {
        let until = Instant::now() + PATIENCE;
        let mut state = self.state();
        loop {
            if let Some(found) = look(&state) {
                return found;
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let bytes = String::from_utf8_lossy(&state.bytes).into_owned();
                let tail: String = bytes.chars().skip(bytes.chars().count().saturating_sub(400)).collect();
                let screen = state.screen.screen().contents();
                drop(state);
                panic!("waited for {what}; the screen is:\n{screen}\nafter {tail:?}");
            }
            state = self.seen.changed.wait_timeout(state, left).expect("a terminal for the test").0;
        }
    }

    /// Waits for a text on the screen.
    pub(crate) fn wait_for(&self, text: &str) {
        self.wait(&format!("{text:?}"), |screen| screen.contents().contains(text).then_some(()));
    }

    /// Waits until a text is gone from the screen.
    pub(crate) fn wait_gone(&self, text: &str) {
        self.wait(&format!("no {text:?}"), |screen| (!screen.contents().contains(text)).then_some(()));
    }

    /// Waits until the line of the cursor ends with `text`, blanks aside; what is shown behind the cursor may follow.
    pub(crate) fn wait_line(&self, text: &str) {
        self.wait(&format!("a line that ends with {text:?}"), |screen| {
            let line = current_line(screen);
            let (row, column) = screen.cursor_position();
            let typed = screen.contents_between(row, 0, row, column);
            (line.trim_end().ends_with(text) || typed.trim_end().ends_with(text)).then_some(())
        });
    }

    /// Waits until the entry of a menu that begins with `text` is the selected one.
    pub(crate) fn wait_selected(&self, text: &str) {
        self.wait(&format!("{text:?} to be selected"), |screen| {
            let (_, columns) = screen.size();
            let row = screen.rows(0, columns.get()).enumerate().filter(|(_, line)| line.starts_with(text)).last()?.0;
            screen.cell(row.try_into().ok()?, 0)?.inverse().then_some(())
        });
    }

    pub(crate) fn contents(&self) -> String {
        self.state().screen.screen().contents()
    }

    /// Everything written so far, escapes and all.
    pub(crate) fn bytes(&self) -> String {
        String::from_utf8_lossy(&self.state().bytes).into_owned()
    }

    pub(crate) fn resize(&mut self, rows: u16, cols: u16) {
        self.state().screen.screen_mut().set_size(
            NonZeroU16::new(rows).expect("a terminal for the test"),
            NonZeroU16::new(cols).expect("a terminal for the test"),
        );
        self.master
            .as_ref()
            .expect("a terminal for the test")
            .resize(PtySize { rows, cols, ..PtySize::default() })
            .expect("a terminal for the test");
    }

    /// As [`Self::resize_and_wait`], in a terminal that wraps the lines on its screen anew.
    pub(crate) fn reflow_and_wait(&mut self, rows: u16, cols: u16) {
        {
            let mut state = self.state();
            let reflowed = reflowed(state.screen.screen(), rows, cols);
            state.screen = reflowed;
        }
        self.resize_and_wait(rows, cols);
    }

    /// Changes the size and waits until the program has asked where its cursor is now, and has painted.
    pub(crate) fn resize_and_wait(&mut self, rows: u16, cols: u16) {
        let from = self.written();
        self.resize(rows, cols);
        let query = String::from_utf8_lossy(QUERY).into_owned();
        self.wait_beyond("a question for the cursor and a paint", from, |text| {
            text.split_once(&query)?.1.contains("\x1b[?25h").then_some(())
        });
    }

    /// The rows that scrolled off the screen, and those on it, without blanks at their ends.
    pub(crate) fn scrolled_and_shown(&self) -> Vec<String> {
        let mut state = self.state();
        let screen = state.screen.screen_mut();
        let (rows, columns) = (usize::from(screen.size().0.get()), screen.size().1.get());
        screen.set_scrollback(usize::MAX);
        let mut above = screen.scrollback();
        let mut all = Vec::new();
        loop {
            screen.set_scrollback(above);
            let take = if above == 0 { rows } else { above.min(rows) };
            all.extend(screen.rows(0, columns).take(take).map(|row| row.trim_end().to_owned()));
            if above == 0 {
                return all;
            }
            above -= take;
        }
    }

    /// Closes the terminal as a lost connection does.
    pub(crate) fn hang_up(&mut self) {
        self.seen.closing.store(true, Ordering::Release);
        self.pump.take().expect("a terminal for the test").join().expect("a terminal for the test");
        self.writer = None;
        self.master = None;
    }

    pub(crate) fn pid(&self) -> nix::unistd::Pid {
        nix::unistd::Pid::from_raw(
            self.child.process_id().expect("a terminal for the test").try_into().expect("a terminal for the test"),
        )
    }

    pub(crate) fn signal(&self, signal: nix::sys::signal::Signal) {
        nix::sys::signal::kill(self.pid(), signal).expect("a terminal for the test");
    }

    /// True once the program has ended.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("a terminal for the test").is_some()
    }

    /// Waits for the end of the program; its exit code.
    pub(crate) fn end(&mut self) -> u32 {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().expect("a terminal for the test")
                && self.is_drained()
            {
                return status.exit_code();
            }
            assert!(Instant::now() < until, "it did not end; the screen is:\n{}", self.contents());
            crate::waiting::pause();
        }
    }

    /// All that was written is in [`Self::bytes`]: its reader holds the lock until then.
    fn is_drained(&self) -> bool {
        let _state = self.state();
        !self.writer.as_ref().is_some_and(is_readable)
    }

    /// The terminal takes whole lines and shows what is typed, as a shell expects it.
    pub(crate) fn is_cooked(&self) -> bool {
        const ICANON: u32 = 0o2;
        const ECHO: u32 = 0o10;
        let modes =
            self.master.as_ref().expect("a terminal for the test").get_termios().expect("a terminal for the test");
        modes.local_flags.bits() & (ICANON | ECHO) == ICANON | ECHO
    }

    /// The terminal shows what is typed.
    pub(crate) fn shows_what_is_typed(&self) -> bool {
        let modes = self.master.as_ref().and_then(|master| master.get_termios()).expect("a terminal for the test");
        modes.local_flags.bits() & 0o10 != 0
    }

    /// Changes the modes as another program that has the terminal does.
    pub(crate) fn change_modes(&self, change: impl FnOnce(&mut LocalFlags)) {
        let end = self.writer.as_ref().expect("a terminal for the test");
        let mut modes = tcgetattr(end).expect("a terminal for the test");
        change(&mut modes.local_flags);
        tcsetattr(end, SetArg::TCSANOW, &modes).expect("a terminal for the test");
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.seen.state.lock().expect("a terminal for the test")
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.seen.closing.store(true, Ordering::Release);
        if let Some(pump) = self.pump.take() {
            let _ = pump.join();
        }
    }
}

impl SharedState {
    /// Waits until the terminal has something to read; false once it is being closed.
    fn wait_readable(&self, end: &File) -> bool {
        const LOOK_AGAIN: u16 = 20;
        while !self.closing.load(Ordering::Acquire) {
            if is_readable_within(end, LOOK_AGAIN) {
                return true;
            }
        }
        false
    }
}

pub(crate) fn is_readable(end: &File) -> bool {
    is_readable_within(end, 0)
}

/// `limit` is in milliseconds.
fn is_readable_within(end: &File, limit: u16) -> bool {
    let door = nix::poll::PollFd::new(end.as_fd(), nix::poll::PollFlags::POLLIN);
    nix::poll::poll(&mut [door], limit).unwrap_or(1) > 0
}

impl State {
    /// Shows what was written up to each query and gives the answers: the cursor is where it was when the query came.
    fn take(&mut self, bytes: &[u8]) -> Vec<String> {
        self.bytes.extend_from_slice(bytes);
        self.pending.extend_from_slice(bytes);
        let mut replies = Vec::new();
        while let Some(at) = self.pending.windows(QUERY.len()).position(|part| part == QUERY) {
            let before: Vec<u8> = self.pending.drain(..at + QUERY.len()).collect();
            self.screen.process(&before[..at]);
            let (row, column) = self.screen.screen().cursor_position();
            replies.push(format!("\x1b[{};{}R", row + 1, column + 1));
        }
        let keep = (1..QUERY.len()).rev().find(|&length| self.pending.ends_with(&QUERY[..length])).unwrap_or(0);
        let shown = self.pending.len() - keep;
        let shown: Vec<u8> = self.pending.drain(..shown).collect();
        self.screen.process(&shown);
        replies
    }
}

/// The text of a screen on one of another size: rows that are one line are joined, and the lines wrapped again.
fn reflowed(screen: &vt100::Screen, rows: u16, cols: u16) -> vt100::Parser {
    let (height, width) = screen.size();
    let (cursor_row, cursor_column) = screen.cursor_position();
    let mut lines = vec![String::new()];
    let mut cursor = (0, 0);
    for (number, text) in (0..height.get()).zip(screen.rows(0, width.get())) {
        if number == cursor_row {
            let before = lines.last().map_or(0, |line| line.chars().count());
            cursor = (lines.len() - 1, before + usize::from(cursor_column));
        }
        let line = lines.last_mut().expect("there is one");
        if screen.row_wrapped(number) {
            line.push_str(&format!("{text:0$}", usize::from(width.get())));
        } else {
            line.push_str(text.trim_end());
            lines.push(String::new());
        }
    }
    let last = lines.iter().rposition(|line| !line.is_empty()).unwrap_or(0).max(cursor.0);
    lines.truncate(last + 1);
    let columns = usize::from(cols);
    let height_of = |line: &String| line.chars().count().div_ceil(columns).max(1);
    let above: usize = lines[..cursor.0].iter().map(height_of).sum();
    let all: usize = lines.iter().map(height_of).sum();
    let row = (above + cursor.1 / columns).saturating_sub(all.saturating_sub(rows.into()));
    let non_zero = |number| NonZeroU16::new(number).expect("a terminal for the test");
    let mut parser = vt100::Parser::new(non_zero(rows), non_zero(cols), SCROLLBACK);
    parser.process(lines.join("\r\n").as_bytes());
    parser.process(format!("\x1b[{};{}H", row + 1, cursor.1 % columns + 1).as_bytes());
    parser
}

/// The line that the cursor is in.
pub(crate) fn current_line(screen: &vt100::Screen) -> String {
    let (row, _) = screen.cursor_position();
    let (_, columns) = screen.size();
    screen.rows(0, columns.get()).nth(row.into()).unwrap_or_default()
}

/// The colour of the first character of `text` in the line of the cursor, or the nearest line above it.
pub(crate) fn colour_of(screen: &vt100::Screen, text: &str) -> Option<vt100::Color> {
    let (_, columns) = screen.size();
    let (row, line) = screen.rows(0, columns.get()).enumerate().filter(|(_, line)| line.contains(text)).last()?;
    let column = line[..line.rfind(text)?].chars().count();
    Some(screen.cell(row.try_into().ok()?, column.try_into().ok()?)?.fgcolor())
}

/// The end of the terminal that tests hold. (The writer that the terminal itself offers types Ctrl-D when it is dropped.)
fn open_end(master: &(dyn MasterPty + Send)) -> File {
    let end = master.as_raw_fd().expect("a terminal for the test");
    // SAFETY: the descriptor is that of `master`, which lives; it is only borrowed to be duplicated.
    #[allow(unsafe_code)]
    let end = unsafe { BorrowedFd::borrow_raw(end) };
    end.try_clone_to_owned().expect("a terminal for the test").into()
}
