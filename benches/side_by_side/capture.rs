//! What a child's output costs on its way to the log, next to a plain copier in the same run; and how long a line takes to one
//! who follows.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::fd::AsFd;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};
use rustix::io::ioctl_fionread;

use crate::child::{forever, now};
use crate::home::{Home, timed, wait_for};
use crate::{Table, median};

/// How much is written in each run, in MiB.
const MEBIBYTES: u64 = 256;

/// Runs of each side; the two take turns.
const ROUNDS: usize = 5;

/// What the copier reads at a time.
const PIECE: usize = 64 * 1024;

/// The pause between two lines for the one who follows.
const LULL: Duration = Duration::from_millis(20);

/// One flood, seen from both ends.
struct Flow {
    /// From the first write to the last byte in the log.
    took: Duration,
    /// Processor time of whoever copied.
    copier: Duration,
    /// Processor time of the child.
    child: Duration,
}

/// The lines of this file in the table.
pub(crate) fn measure(home: &Home, table: &Table, lines: usize) -> io::Result<()> {
    for (what, size) in [("64 KiB writes", 65536), ("100-byte writes", 100)] {
        let (mut plain, mut ours) = (Vec::new(), Vec::new());
        for round in 0..ROUNDS {
            plain.push(copied(home, size)?);
            ours.push(supervised(home, size, round)?);
        }
        line(&format!("{what}, read and write"), &plain, &plain)?;
        line(&format!("{what}, supervised"), &ours, &plain)?;
    }
    table.line("a line to one who follows", &followed(home, lines)?)
}

/// What is supervised: once `go` is there, writes so much in pieces of `size`, says what it took, and waits.
pub(crate) fn flood(words: &[String]) -> ExitCode {
    let [size, go, done] = words else { return ExitCode::FAILURE };
    let mut piece = vec![b'x'; size.parse().unwrap_or(PIECE)];
    piece.extend(b"\n");
    piece.remove(0);
    let poured = wait_for(|| Path::new(go).exists().then_some(())).and_then(|()| pour(&piece));
    match poured.and_then(|report| fs::write(format!("{done}.new"), report)) {
        Ok(()) if fs::rename(format!("{done}.new"), done).is_ok() => forever(),
        Ok(()) | Err(_) => ExitCode::FAILURE,
    }
}

fn pour(piece: &[u8]) -> io::Result<String> {
    // Without the buffer that the library keeps before standard output.
    let mut out = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    let start = now();
    let mut left = usize::try_from(MEBIBYTES << 20).unwrap_or(usize::MAX);
    while left > 0 {
        let length = left.min(piece.len());
        out.write_all(&piece[piece.len() - length..])?;
        left -= length;
    }
    Ok(format!("{} {} {}", start.as_nanos(), now().as_nanos(), own_time()?.as_nanos()))
}

/// Copies standard input to a file as plainly as can be, and says when it was done and what it took.
pub(crate) fn copy(words: &[String]) -> ExitCode {
    let [to] = words else { return ExitCode::FAILURE };
    let copied = || -> io::Result<()> {
        let (mut from, mut to) = (io::stdin().as_fd().try_clone_to_owned().map(File::from)?, File::create(to)?);
        let mut piece = vec![0; PIECE];
        let mut left = MEBIBYTES << 20;
        while left > 0 {
            let length = from.read(&mut piece)?;
            to.write_all(&piece[..length])?;
            left -= u64::try_from(length.max(1)).unwrap_or(left);
        }
        writeln!(io::stdout(), "{} {}", now().as_nanos(), own_time()?.as_nanos())
    };
    copied().map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS)
}

/// Says the time, again and again.
pub(crate) fn tick() -> ExitCode {
    loop {
        if writeln!(io::stdout(), "{}", now().as_nanos()).is_err() {
            return ExitCode::FAILURE;
        }
        std::thread::sleep(LULL);
    }
}

/// A child whose output the plain copier takes.
fn copied(home: &Home, size: usize) -> io::Result<Flow> {
    let (go, done, log) = (home.path("go"), home.path("done"), home.path("copy"));
    let own = std::env::current_exe()?;
    let (from, into) = io::pipe()?;
    let copier = Command::new(&own).arg("copy").arg(&log).stdin(from).stdout(Stdio::piped()).spawn()?;
    let mut child = Command::new(&own).arg("flood").arg(size.to_string()).args([&go, &done]).stdout(into).spawn()?;
    fs::write(&go, "")?;
    let [start, _, child_time] = numbers(&wait_for(|| fs::read_to_string(&done).ok())?)?;
    child.kill()?;
    child.wait()?;
    let said = copier.wait_with_output()?;
    let [end, copier] = numbers(&String::from_utf8_lossy(&said.stdout))?;
    [go, done, log].iter().try_for_each(fs::remove_file)?;
    Ok(Flow { took: end - start, copier, child: child_time })
}

/// The same child under a supervisor.
fn supervised(home: &Home, size: usize, round: usize) -> io::Result<Flow> {
    let name = format!("flood{size}-{round}");
    let (go, done) = (home.path("go"), home.path("done"));
    let own = std::env::current_exe()?;
    let mut start = home.tetra(&["tsm", "start", "--no-wait", "--name", &name, "--"]);
    timed(start.arg(own).arg("flood").arg(size.to_string()).args([&go, &done]))?;
    let dir = home.path("tetra/tsm/runtime/processes").join(&name);
    let worker = worker_of(&dir)?;
    let before = time_of(worker)?;
    fs::write(&go, "")?;
    let [start, end, child] = numbers(&wait_for(|| fs::read_to_string(&done).ok())?)?;
    // What is still in the FIFO is not in the log. A look takes a moment; that of the child's last write is no later than the truth.
    let fifo = File::options().read(true).write(true).open(dir.join("out"))?;
    let waited = ioctl_fionread(&fifo)? > 0;
    wait_for(|| ioctl_fionread(&fifo).is_ok_and(|left| left == 0).then_some(()))?;
    let end = if waited { now() } else { end };
    let copier = time_of(worker)? - before;
    timed(&mut home.tetra(&["tsm", "kill", &name]))?;
    [go, done].iter().try_for_each(fs::remove_file)?;
    Ok(Flow { took: end - start, copier, child })
}

/// From the write in the child to the line read from `tsm logs -f`.
fn followed(home: &Home, lines: usize) -> io::Result<Vec<Duration>> {
    let own = std::env::current_exe()?;
    timed(home.tetra(&["tsm", "start", "--no-wait", "--name", "tick", "--"]).arg(own).arg("tick"))?;
    let mut follow = home.tetra(&["tsm", "logs", "tick", "-f", "-n", "0"]);
    let mut follow = follow.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let out = follow.stdout.take().expect("it is piped");
    let mut times = Vec::new();
    for line in BufReader::new(out).lines() {
        let [written] = numbers(&line?)?;
        times.push(now() - written);
        // What was there before it followed says nothing.
        if times.len() == lines + lines {
            break;
        }
    }
    follow.kill()?;
    follow.wait()?;
    timed(&mut home.tetra(&["tsm", "kill", "tick"]))?;
    Ok(times.split_off(times.len().min(lines)))
}

fn line(what: &str, flows: &[Flow], beside: &[Flow]) -> io::Result<()> {
    let speed = |flows: &[Flow]| {
        let bytes = MEBIBYTES as f64 * 1048.576;
        bytes / median(&flows.iter().map(|flow| flow.took).collect::<Vec<_>>()).as_secs_f64() / 1e3
    };
    let per_gib = |time: fn(&Flow) -> Duration| {
        median(&flows.iter().map(time).collect::<Vec<_>>()).as_secs_f64() * 1024.0 / MEBIBYTES as f64
    };
    writeln!(
        io::stdout(),
        "{what:<34} {:>8.0} MB/s   {:>6.2} + {:.2} s/GiB  {:>6.2} x copier",
        speed(flows),
        per_gib(|flow| flow.copier),
        per_gib(|flow| flow.child),
        speed(flows) / speed(beside)
    )
}

/// Times in nanoseconds, as the children of this file write them.
fn numbers<const N: usize>(text: &str) -> io::Result<[Duration; N]> {
    let found: Vec<_> =
        text.split_whitespace().filter_map(|word| word.parse().ok()).map(Duration::from_nanos).collect();
    found.try_into().map_err(|_| io::Error::other(format!("no {N} numbers: {text:?}")))
}

fn worker_of(dir: &Path) -> io::Result<u32> {
    let record: serde_json::Value = serde_json::from_slice(&fs::read(dir.join("meta.json"))?)?;
    let pid = record["life"]["worker_pid"].as_u64().and_then(|pid| u32::try_from(pid).ok());
    pid.ok_or_else(|| io::Error::other("the record names no worker"))
}

/// The processor time of another process, to the nanosecond.
fn time_of(pid: u32) -> io::Result<Duration> {
    let line = fs::read_to_string(format!("/proc/{pid}/schedstat"))?;
    let [ran, ..] = numbers::<3>(&line)?;
    Ok(ran)
}

fn own_time() -> io::Result<Duration> {
    let used = getrusage(UsageWho::RUSAGE_SELF)?;
    let span = |time: nix::sys::time::TimeVal| {
        Duration::from_micros(u64::try_from(time.tv_sec() * 1_000_000 + time.tv_usec()).unwrap_or(0))
    };
    Ok(span(used.user_time()) + span(used.system_time()))
}
