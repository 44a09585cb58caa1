//! What an operator waits for where much is there: sockets, log, services. See `benches/README.md`.

use std::fs;
use std::io::{self, Write};
use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Runs of each line, unless said otherwise.
const RUNS: usize = 10;

/// Open sockets.
const SOCKETS: usize = 1000;

/// Bytes of the log.
const LOG: u64 = 1 << 30;

/// Over how long the log was written, evenly.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Services that are enabled.
const SERVICES: usize = 100;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let runs = words.first().and_then(|word| word.parse().ok()).unwrap_or(RUNS);
    match measure(runs) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure(runs: usize) -> io::Result<()> {
    let home = Home { directory: tempfile::tempdir()? };
    let floor = median(&sample(runs, || timed(&mut Command::new("/bin/true"), &[0]))?);
    let line = |what: &str, times: &[Duration]| row(what, times, floor);
    {
        let _sockets = sockets()?;
        line(
            "tsm ports scan, 1000 sockets",
            &sample(runs, || timed(&mut home.tetra(&["tsm", "ports", "scan"]), &[0]))?,
        )?;
        let check = ["tsm", "doctor", "healthcheck"];
        line("tsm doctor healthcheck, 1000 sockets", &sample(runs, || timed(&mut home.tetra(&check), &[0, 3]))?)?;
    }
    home.log()?;
    let since = ["tsm", "logs", "large", "--since", "1m"];
    line("tsm logs --since 1m, 1 GiB in a day", &sample(runs, || timed(&mut home.tetra(&since), &[0]))?)?;
    let last = ["tsm", "logs", "large", "-n", "50"];
    line("tsm logs -n 50, 1 GiB", &sample(runs, || timed(&mut home.tetra(&last), &[0]))?)?;
    home.clear()?;
    home.services()?;
    let startup = || {
        home.clear()?;
        timed(&mut home.tetra(&["tsm", "startup"]), &[0])
    };
    line("tsm startup, 100 services", &sample(runs.min(5), startup)?)?;
    home.clear()
}

fn row(what: &str, times: &[Duration], floor: Duration) -> io::Result<()> {
    let ratio = median(times).as_secs_f64() / floor.as_secs_f64();
    let millis = |time: Duration| time.as_secs_f64() * 1e3;
    let most = times.iter().max().copied().unwrap_or_default();
    let (middle, most) = (millis(median(times)), millis(most));
    writeln!(io::stdout(), "{what:<38} {middle:>8.2} ms  most {most:>8.2} ms  {ratio:>6.1} x true")
}

fn sample(runs: usize, mut one: impl FnMut() -> io::Result<Duration>) -> io::Result<Vec<Duration>> {
    one()?; // The first run warms the page cache.
    (0..runs).map(|_| one()).collect()
}

/// How long a command takes that ends with one of these codes.
fn timed(command: &mut Command, codes: &[i32]) -> io::Result<Duration> {
    let start = Instant::now();
    let ended = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).output()?;
    let took = start.elapsed();
    if ended.status.code().is_some_and(|code| codes.contains(&code)) {
        return Ok(took);
    }
    Err(io::Error::other(format!("{command:?} failed: {}", String::from_utf8_lossy(&ended.stderr))))
}

fn median(times: &[Duration]) -> Duration {
    let mut sorted = times.to_vec();
    sorted.sort();
    sorted[sorted.len() / 2]
}

/// Sockets that somebody listens on.
fn sockets() -> io::Result<Vec<TcpListener>> {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, most.min(SOCKETS as u64 + 500), most)?;
    (0..SOCKETS).map(|_| TcpListener::bind("127.0.0.1:0")).collect()
}

/// A home directory of its own, emptied at the end.
struct Home {
    directory: tempfile::TempDir,
}

impl Home {
    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn tetra(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tetra"));
        command.args(words).current_dir(self.directory.path());
        command.env("HOME", self.directory.path()).env("TETRA_DIR", self.path("tetra")).env_remove("TETRA_ENV");
        command
    }

    fn clear(&self) -> io::Result<()> {
        timed(&mut self.tetra(&["tsm", "kill", "*", "--force", "--yes"]), &[0, 5]).map(drop)
    }

    /// A stopped process whose log came evenly over a day, with a mark for every 4 KiB.
    fn log(&self) -> io::Result<()> {
        let start = ["tsm", "start", "--no-wait", "--name", "large", "--log-size", "4G", "sleep", "1000"];
        timed(&mut self.tetra(&start), &[0])?;
        timed(&mut self.tetra(&["tsm", "stop", "large"]), &[0])?;
        let log = self.path("tetra/tsm/runtime/processes/large/current.out");
        let line = format!("{:<63}\n", "GET /api/orders/42 200 12 ms");
        let chunk = line.repeat(1 << 14);
        let mut file = io::BufWriter::new(fs::File::create(&log)?);
        for _ in 0..LOG / chunk.len() as u64 {
            file.write_all(chunk.as_bytes())?;
        }
        file.flush()?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_err(io::Error::other)?;
        let begun = now.saturating_sub(DAY).as_nanos() as u64;
        let mut marks = io::BufWriter::new(fs::File::create(log.with_extension("out.idx"))?);
        for offset in (0..LOG).step_by(4096) {
            let time = begun + (u128::from(offset) * DAY.as_nanos() / u128::from(LOG)) as u64;
            marks.write_all(&offset.to_le_bytes())?;
            marks.write_all(&time.to_le_bytes())?;
        }
        marks.flush()
    }

    /// Services that are enabled, each of which only lives.
    fn services(&self) -> io::Result<()> {
        let [available, enabled] = ["available", "enabled"].map(|it| self.path(&format!("tetra/tsm/services-{it}")));
        fs::create_dir_all(&available)?;
        fs::create_dir_all(&enabled)?;
        for number in 0..SERVICES {
            let name = format!("service{number}.tsm");
            fs::write(available.join(&name), "TSM_COMMAND=\"sleep 1000\"\nTSM_CWD=/\n")?;
            symlink(format!("../services-available/{name}"), enabled.join(&name))?;
        }
        Ok(())
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _ = self.clear();
    }
}
