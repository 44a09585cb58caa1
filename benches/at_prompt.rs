//! How long an operator waits at the prompt, what it takes while nothing is done, and what is left of 100,000 lines. See
//! `benches/README.md`.

use std::fs;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use tetra::base::time::Timestamp;
use tetra::sys::history::HistoryEntry;
use tetra::sys::history_writer::{self, HistoryWriter};

/// Runs of each line, unless said otherwise.
const RUNS: usize = 50;

/// Processes that are completed.
const CANDIDATES: usize = 1000;

/// Lines of the history.
const HISTORY: usize = 100_000;

/// Lines that are typed.
const LINES: usize = 100_000;

/// How long nothing is done.
const IDLE: Duration = Duration::from_secs(30);

/// The longest wait for anything.
const PATIENCE: u16 = 20_000;

/// The end of a paint: the cursor is shown again.
const PAINTED: &[u8] = b"\x1b[?25h";

/// Where is the cursor?
const QUERY: &[u8] = b"\x1b[6n";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let number = |index: usize, other| words.get(index).and_then(|word| word.parse().ok()).unwrap_or(other);
    match measure(number(0, RUNS), number(1, LINES)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure(runs: usize, lines: usize) -> io::Result<()> {
    let empty = Home::new()?;
    row("first prompt", 12.0, &sample(runs, || first_prompt(&empty))?)?;
    row("a key", 1.0, &keys(&empty, runs)?)?;
    let full = Home::new()?;
    full.processes()?;
    let (opened, key) = menus(&full, runs)?;
    row("menu of 1000, opened", 8.0, &opened)?;
    row("menu of 1000, the next candidate", 2.0, &key)?;
    let old = Home::new()?;
    old.history()?;
    row("a key, after 100000 lines", 1.0, &keys(&old, runs)?)?;
    let (opened, key) = searches(&old, runs)?;
    row("Ctrl-R in 100000 lines, opened", 10.0, &opened)?;
    row("Ctrl-R in 100000 lines, a key", 5.0, &key)?;
    row("Ctrl-R in 100000 lines, a key that few lines have", 5.0, &rare_keys(&old, runs)?)?;
    idle(&empty)?;
    memory(&empty, lines)
}

fn row(what: &str, bar: f64, times: &[Duration]) -> io::Result<()> {
    let mut millis: Vec<f64> = times.iter().map(|time| time.as_secs_f64() * 1e3).collect();
    millis.sort_by(f64::total_cmp);
    let at = |share: usize| millis.get(millis.len() * share / 100).copied().unwrap_or_default();
    writeln!(io::stdout(), "{what:<50} {:>8.2} ms  p90 {:>8.2} ms   bar {bar:>5.1} ms", at(50), at(90))
}

fn sample(runs: usize, mut one: impl FnMut() -> io::Result<Duration>) -> io::Result<Vec<Duration>> {
    one()?; // The first run warms the page cache.
    (0..runs).map(|_| one()).collect()
}

fn first_prompt(home: &Home) -> io::Result<Duration> {
    let begun = Instant::now();
    let terminal = Terminal::start(home)?;
    Ok(terminal.appeared.duration_since(begun))
}

fn keys(home: &Home, runs: usize) -> io::Result<Vec<Duration>> {
    let mut terminal = Terminal::start(home)?;
    let words = b"tsm stop api --env dev ";
    let mut times = Vec::new();
    for number in 0..runs {
        let key = words[number % words.len()];
        times.push(terminal.press(&[key])?);
        if key == b' ' && number % words.len() == words.len() - 1 {
            terminal.press(b"\x15")?;
        }
    }
    Ok(times)
}

fn menus(home: &Home, runs: usize) -> io::Result<(Vec<Duration>, Vec<Duration>)> {
    let mut terminal = Terminal::start(home)?;
    for letter in b"tsm stop p" {
        terminal.press(&[*letter])?;
    }
    let (mut opened, mut next) = (Vec::new(), Vec::new());
    for _ in 0..runs {
        opened.push(terminal.press(b"\t")?);
        next.push(terminal.press(b"\x1b[B")?);
        terminal.press(b"\x07\x1b")?;
    }
    Ok((opened, next))
}

fn searches(home: &Home, runs: usize) -> io::Result<(Vec<Duration>, Vec<Duration>)> {
    let mut terminal = Terminal::start(home)?;
    let (mut opened, mut key) = (Vec::new(), Vec::new());
    for number in 0..runs {
        opened.push(terminal.press(b"\x12")?);
        key.push(terminal.press(&[b"stoplgrea"[number % 9]])?);
        terminal.press(b"\x1b")?;
        terminal.press(b"\x15")?;
    }
    Ok((opened, key))
}

/// Words that few lines have or none has: the slowest key of each search.
fn rare_keys(home: &Home, runs: usize) -> io::Result<Vec<Duration>> {
    let mut terminal = Terminal::start(home)?;
    let mut times = Vec::new();
    for number in 0..runs {
        terminal.press(b"\x12")?;
        let mut slowest = Duration::ZERO;
        for key in [&b"9999"[..], b"zq", b"tlst"][number % 3] {
            slowest = slowest.max(terminal.press(&[*key])?);
        }
        times.push(slowest);
        terminal.press(b"\x1b")?;
        terminal.press(b"\x15")?;
    }
    Ok(times)
}

fn idle(home: &Home) -> io::Result<()> {
    let mut terminal = Terminal::start(home)?;
    terminal.press(b"v")?;
    let before = terminal.processor_time()?;
    terminal.serve(IDLE)?;
    let took = terminal.processor_time()?.saturating_sub(before);
    let share = took.as_secs_f64() / IDLE.as_secs_f64() * 100.0;
    writeln!(io::stdout(), "{:<50} {share:>8.3} % of a processor    bar 0.05 %", "idle")
}

fn memory(home: &Home, lines: usize) -> io::Result<()> {
    let mut terminal = Terminal::start(home)?;
    let show =
        |what: &str, memory: f64| writeln!(io::stdout(), "{what:<50} {memory:>8.2} MB                   bar  12.0 MB");
    for number in 0..lines.min(1000) {
        terminal.line(number)?;
    }
    show("memory after 1000 lines", terminal.memory()?)?;
    for number in lines.min(1000)..lines {
        terminal.line(number)?;
    }
    show(&format!("memory after {lines} lines"), terminal.memory()?)
}

/// A home directory.
struct Home(tempfile::TempDir);

impl Home {
    fn new() -> io::Result<Self> {
        let home = Self(tempfile::tempdir()?);
        fs::create_dir_all(home.path("config/tetra"))?;
        fs::create_dir_all(home.path("state/tetra"))?;
        fs::write(home.path("config/tetra/config.toml"), format!("history-size = {HISTORY}\n"))?;
        Ok(home)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Records of processes that do not run.
    fn processes(&self) -> io::Result<()> {
        for id in 0..CANDIDATES {
            let name = format!("p{id:03}");
            let directory = self.path("tetra/tsm/runtime/processes").join(&name);
            fs::create_dir_all(&directory)?;
            let record = format!(
                r#"{{"tsm_id":{id},"name":"{name}","pid":0,"command":"sleep 9","port":"none","cwd":"/","start_time":0,
                "status":"stopped","restarts":0,"unstable_restarts":0,"state":"stopped"}}"#
            );
            fs::write(directory.join("meta.json"), record)?;
        }
        Ok(())
    }

    /// A history as a prompt leaves it: one line is typed, and others are written as the prompt writes them.
    fn history(&self) -> io::Result<()> {
        let mut terminal = Terminal::start(self)?;
        terminal.line(0)?;
        drop(terminal);
        let mut writer = HistoryWriter::new(&self.path("state/tetra/history.sqlite3"));
        for number in 0..HISTORY {
            let line = match number % 4 {
                0 => format!("tsm restart api-{number}"),
                1 => format!("tsm logs web-{number} --since 10m"),
                2 => "tsm list".to_owned(),
                _ => format!("org promote @staging --note 'release {number}'"),
            };
            let entry = HistoryEntry {
                id: 0,
                line,
                started_at: u64::try_from(number).ok().map(Timestamp),
                duration: Some(Duration::from_millis(3)),
                exit_code: Some(0),
                context: Some("-/-/-".to_owned()),
            };
            writer.write(&entry, history_writer::PATIENCE).map_err(io::Error::other)?;
        }
        Ok(())
    }
}

/// tetra in a terminal that answers at once where its cursor is.
struct Terminal {
    child: Box<dyn Child + Send + Sync>,
    _master: Box<dyn MasterPty + Send>,
    end: fs::File,
    screen: vt100::Parser,
    /// The start of a question whose rest has not come yet.
    pending: Vec<u8>,
    /// When the first prompt was painted.
    appeared: Instant,
}

impl Terminal {
    fn start(home: &Home) -> io::Result<Self> {
        let size = PtySize { rows: 24, cols: 80, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).map_err(io::Error::other)?;
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_tetra"));
        command.env_clear();
        for (name, path) in
            [("HOME", ""), ("XDG_CONFIG_HOME", "config"), ("XDG_STATE_HOME", "state"), ("TETRA_DIR", "tetra")]
        {
            command.env(name, home.path(path));
        }
        command.env("TERM", "xterm-256color");
        command.cwd(home.0.path());
        let child = pair.slave.spawn_command(command).map_err(io::Error::other)?;
        let number = pair.master.as_raw_fd().ok_or_else(|| io::Error::other("the terminal has no descriptor"))?;
        let end = duplicate(number)?;
        let mut terminal = Self {
            child,
            _master: pair.master,
            end,
            screen: vt100::Parser::default(),
            pending: Vec::new(),
            appeared: Instant::now(),
        };
        terminal.until_painted()?;
        terminal.appeared = Instant::now();
        Ok(terminal)
    }

    /// Presses a key; the time until the screen is painted.
    fn press(&mut self, keys: &[u8]) -> io::Result<Duration> {
        let begun = Instant::now();
        self.end.write_all(keys)?;
        self.until_painted()?;
        let took = begun.elapsed();
        // What follows belongs to this key.
        self.serve(Duration::from_millis(2))?;
        Ok(took)
    }

    /// Types a line and runs it.
    fn line(&mut self, number: usize) -> io::Result<()> {
        let line: &[u8] = if number.is_multiple_of(2) { b"use @dev" } else { b"use @local" };
        for key in line.chunks(4) {
            self.end.write_all(key)?;
            self.until_painted()?;
        }
        self.end.write_all(b"\r")?;
        let mut prompt = false;
        while !prompt {
            self.until_painted()?;
            let (row, _) = self.screen.screen().cursor_position();
            let line = self.screen.screen().rows(0, 80).nth(row.into()).unwrap_or_default();
            prompt = line.trim_end().ends_with('>') && line.len() > 2;
        }
        Ok(())
    }

    fn until_painted(&mut self) -> io::Result<()> {
        loop {
            if !self.wait(PATIENCE) {
                return Err(io::Error::other(format!("nothing was painted:\n{}", self.screen.screen().contents())));
            }
            if self.take()?.windows(PAINTED.len()).any(|part| part == PAINTED) {
                return Ok(());
            }
        }
    }

    /// Answers for so long.
    fn serve(&mut self, time: Duration) -> io::Result<()> {
        let until = Instant::now() + time;
        while let Some(left) = until.checked_duration_since(Instant::now()) {
            if self.wait(u16::try_from(left.as_millis()).unwrap_or(u16::MAX).max(1)) {
                self.take()?;
            }
        }
        Ok(())
    }

    /// `limit` is in milliseconds.
    fn wait(&self, limit: u16) -> bool {
        poll(&mut [PollFd::new(self.end.as_fd(), PollFlags::POLLIN)], limit).unwrap_or(0) > 0
    }

    fn take(&mut self) -> io::Result<Vec<u8>> {
        let mut part = [0; 16384];
        let length = self.end.read(&mut part)?;
        self.pending.extend_from_slice(&part[..length]);
        while let Some(at) = self.pending.windows(QUERY.len()).position(|part| part == QUERY) {
            let before: Vec<u8> = self.pending.drain(..at + QUERY.len()).collect();
            self.screen.process(&before);
            let (row, column) = self.screen.screen().cursor_position();
            self.end.write_all(format!("\x1b[{};{}R", row + 1, column + 1).as_bytes())?;
        }
        let keep = (1..QUERY.len()).rev().find(|&length| self.pending.ends_with(&QUERY[..length])).unwrap_or(0);
        let shown: Vec<u8> = self.pending.drain(..self.pending.len() - keep).collect();
        self.screen.process(&shown);
        Ok(part[..length].to_vec())
    }

    fn process(&self, file: &str) -> io::Result<String> {
        let pid = self.child.process_id().ok_or_else(|| io::Error::other("it has ended"))?;
        fs::read_to_string(format!("/proc/{pid}/{file}"))
    }

    /// The time that all its threads have run.
    fn processor_time(&self) -> io::Result<Duration> {
        let pid = self.child.process_id().ok_or_else(|| io::Error::other("it has ended"))?;
        let mut sum = 0;
        for task in fs::read_dir(format!("/proc/{pid}/task"))?.flatten() {
            let text = fs::read_to_string(task.path().join("schedstat"))?;
            sum += text.split_whitespace().next().and_then(|it| it.parse::<u64>().ok()).unwrap_or_default();
        }
        Ok(Duration::from_nanos(sum))
    }

    /// Its memory that is resident, in MB.
    fn memory(&self) -> io::Result<f64> {
        let status = self.process("status")?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
        let kib: f64 = line.trim().trim_end_matches(" kB").parse().map_err(io::Error::other)?;
        Ok(kib * 1024.0 / 1e6)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if let Some(pid) = self.child.process_id().and_then(|pid| pid.try_into().ok()) {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
        let _ = self.child.wait();
    }
}

fn duplicate(number: i32) -> io::Result<fs::File> {
    // SAFETY: the descriptor is that of a terminal that lives; it is only borrowed to be duplicated.
    #[allow(unsafe_code)]
    let end = unsafe { BorrowedFd::borrow_raw(number) };
    Ok(end.try_clone_to_owned()?.into())
}
