//! How long an operator waits, next to `/bin/true` in the same run. See `benches/README.md`.

use std::fs;
use std::io::{self, Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use nix::time::{ClockId, clock_gettime};
use portable_pty::{CommandBuilder, PtySize, native_pty_system};

mod capture;

/// Runs of each line, unless said otherwise.
const RUNS: usize = 30;

/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(20);

/// Processes in the longer list.
const MANY: usize = 10;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    match words.split_first() {
        Some((first, [file])) if first == "child" => return child(Path::new(file)),
        Some((first, rest)) if first == "flood" => return capture::flood(rest),
        Some((first, rest)) if first == "copy" => return capture::copy(rest),
        Some((first, [])) if first == "tick" => return capture::tick(),
        _ => {}
    }
    let runs = words.first().and_then(|word| word.parse().ok()).unwrap_or(RUNS);
    match measure(runs) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// What is supervised: says when it runs, listens if it has a port, waits to be stopped.
fn child(file: &Path) -> ExitCode {
    let running = now();
    let _listener = std::env::var("PORT").ok().and_then(|port| TcpListener::bind(format!("127.0.0.1:{port}")).ok());
    if fs::write(file, running.as_nanos().to_string()).is_err() {
        return ExitCode::FAILURE;
    }
    forever()
}

/// Waits to be stopped.
fn forever() -> ExitCode {
    loop {
        thread::park();
    }
}

fn measure(runs: usize) -> io::Result<()> {
    let home = Home::new()?;
    let mut table = Table { floor: Duration::ZERO };
    let truth = sample(runs, || timed(&mut Command::new("/bin/true")))?;
    table.floor = median(&truth);
    table.line("/bin/true", &truth)?;
    table.line("tetra --version", &sample(runs, || timed(&mut home.tetra(&["--version"])))?)?;
    table.line("tsm list, no process", &sample(runs, || timed(&mut home.tetra(&["tsm", "list"])))?)?;
    table.line("tetra -c 'tsm list', no process", &sample(runs, || timed(&mut home.tetra(&["-c", "tsm list"])))?)?;
    table.line("first prompt", &sample(runs.min(20), || home.first_prompt())?)?;

    let starts = runs.min(20);
    let quiet: Vec<_> =
        (0..starts).map(|n| home.start(&format!("quiet{n}"), &["--no-wait"])).collect::<Result<_, _>>()?;
    table.line("tsm start --no-wait, running", &quiet.iter().map(|it| it.running).collect::<Vec<_>>())?;
    table.line("tsm start --no-wait, answered", &quiet.iter().map(|it| it.answered).collect::<Vec<_>>())?;
    home.clear()?;
    let served: Vec<_> = (0..starts)
        .map(|n| home.start(&format!("served{n}"), &["--port", &free_port()?.to_string()]))
        .collect::<Result<_, _>>()?;
    table.line("tsm start --port N, running", &served.iter().map(|it| it.running).collect::<Vec<_>>())?;
    table.line("tsm start --port N, answered", &served.iter().map(|it| it.answered).collect::<Vec<_>>())?;
    home.clear()?;
    for n in 0..MANY {
        home.start(&format!("many{n}"), &["--no-wait"])?;
    }
    table.line("tsm list, ten processes", &sample(runs, || timed(&mut home.tetra(&["tsm", "list"])))?)?;
    home.clear()?;
    capture::measure(&home, &table, runs)
}

struct Table {
    floor: Duration,
}

impl Table {
    fn line(&self, what: &str, times: &[Duration]) -> io::Result<()> {
        let (middle, high) = (median(times), percentile(times, 90));
        let ratio = middle.as_secs_f64() / self.floor.as_secs_f64();
        writeln!(
            io::stdout(),
            "{what:<34} {:>8.2} ms  p90 {:>8.2} ms  {ratio:>6.1} x true",
            middle.as_secs_f64() * 1e3,
            high.as_secs_f64() * 1e3
        )
    }
}

fn sample(runs: usize, mut one: impl FnMut() -> io::Result<Duration>) -> io::Result<Vec<Duration>> {
    one()?; // The first run warms the page cache.
    (0..runs).map(|_| one()).collect()
}

fn timed(command: &mut Command) -> io::Result<Duration> {
    let start = Instant::now();
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).output()?;
    let took = start.elapsed();
    if status.status.success() {
        return Ok(took);
    }
    Err(io::Error::other(format!("{command:?} failed: {}", String::from_utf8_lossy(&status.stderr))))
}

/// The monotonic clock, which all processes share.
fn now() -> Duration {
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC).expect("Linux has this clock");
    Duration::from(now)
}

fn median(times: &[Duration]) -> Duration {
    percentile(times, 50)
}

fn percentile(times: &[Duration], percent: usize) -> Duration {
    let mut sorted = times.to_vec();
    sorted.sort();
    sorted[(sorted.len() - 1) * percent / 100]
}

fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

struct Started {
    running: Duration,
    answered: Duration,
}

/// A home folder of its own, emptied at the end.
struct Home {
    folder: tempfile::TempDir,
}

impl Home {
    fn new() -> io::Result<Self> {
        Ok(Self { folder: tempfile::tempdir()? })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn tetra(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tetra"));
        command.args(words).current_dir(self.folder.path());
        command.env("HOME", self.folder.path()).env("TETRA_DIR", self.path("tetra")).env_remove("TETRA_ENV");
        command
    }

    /// Starts a child of this program and waits until it runs and the command has answered.
    fn start(&self, name: &str, options: &[&str]) -> io::Result<Started> {
        let stamp = self.path(name);
        let own = std::env::current_exe()?;
        let mut command = self.tetra(&["tsm", "start", "--name", name]);
        command.args(options).arg(own).arg("child").arg(&stamp);
        let start = now();
        let answered = timed(&mut command)?;
        let running = wait_for(|| fs::read_to_string(&stamp).ok()?.parse().ok())?;
        Ok(Started { running: Duration::from_nanos(running).saturating_sub(start), answered })
    }

    fn clear(&self) -> io::Result<()> {
        timed(&mut self.tetra(&["tsm", "kill", "*"])).map(drop)
    }

    /// From the start in a terminal to the prompt on the screen.
    fn first_prompt(&self) -> io::Result<Duration> {
        let terminal = native_pty_system()
            .openpty(PtySize { rows: 24, cols: 80, pixel_width: 0, pixel_height: 0 })
            .map_err(io::Error::other)?;
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_tetra"));
        command.env("HOME", self.folder.path());
        command.env("TETRA_DIR", self.path("tetra"));
        command.env("TERM", "xterm-256color");
        command.cwd(self.folder.path());
        let mut reader = terminal.master.try_clone_reader().map_err(io::Error::other)?;
        let mut writer = terminal.master.take_writer().map_err(io::Error::other)?;
        let (sender, bytes) = mpsc::channel();
        thread::spawn(move || {
            let mut part = [0; 4096];
            while let Ok(length @ 1..) = reader.read(&mut part) {
                if sender.send(part[..length].to_vec()).is_err() {
                    break;
                }
            }
        });
        let start = Instant::now();
        let mut shell = terminal.slave.spawn_command(command).map_err(io::Error::other)?;
        let mut screen = vt100::Parser::default();
        let took = loop {
            let part = bytes.recv_timeout(PATIENCE).map_err(io::Error::other)?;
            if part.windows(4).any(|four| four == b"\x1b[6n") {
                writer.write_all(b"\x1b[1;1R")?;
            }
            screen.process(&part);
            if current_line(screen.screen()).trim_end().ends_with(PROMPT) {
                break start.elapsed();
            }
        };
        shell.kill()?;
        shell.wait()?;
        Ok(took)
    }
}

/// The end of the prompt.
const PROMPT: char = '>';

/// The line that the cursor is in.
fn current_line(screen: &vt100::Screen) -> String {
    let (row, _) = screen.cursor_position();
    let (_, columns) = screen.size();
    screen.rows(0, columns.get()).nth(row.into()).unwrap_or_default()
}

impl Drop for Home {
    fn drop(&mut self) {
        let _ = self.clear();
    }
}

/// Asks again and again until there is an answer.
fn wait_for<T>(mut ask: impl FnMut() -> Option<T>) -> io::Result<T> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask() {
            return Ok(answer);
        }
        if Instant::now() > deadline {
            return Err(io::ErrorKind::TimedOut.into());
        }
        thread::sleep(Duration::from_micros(200));
    }
}
