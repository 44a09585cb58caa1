//! How long an operator waits, next to `/bin/true` in the same run. See `benches/README.md`.

mod capture;
mod child;
mod home;
mod prompt;

use std::io::{self, Write};
use std::process::{Command, ExitCode};
use std::time::Duration;

use home::{Home, Started, free_port, timed};

/// Runs of each line, unless said otherwise.
const RUNS: usize = 30;

/// Runs of a line that starts processes, at most.
const STARTS: usize = 20;

/// Runs of a line that starts a hundred of them, at most.
const ROUNDS: usize = 3;

/// So many are started together.
const HUNDRED: usize = 100;

/// So many are there when they are listed.
const LISTED: [usize; 3] = [1, 100, 1000];

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    match words.split_first() {
        Some((first, rest)) if first == child::WORD => return child::run(rest),
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

fn measure(runs: usize) -> io::Result<()> {
    let home = Home::new()?;
    let mut table = Table { floor: Duration::ZERO };
    let truth = sample(runs, || timed(&mut Command::new("/bin/true")))?;
    table.floor = median(&truth);
    table.line("/bin/true", &truth)?;
    table.line("tetra --version", &sample(runs, || timed(&mut home.tetra(&["--version"])))?)?;
    table.line("tsm list, no process", &sample(runs, || timed(&mut home.tetra(&["tsm", "list"])))?)?;
    table.line("tetra -c 'tsm list', no process", &sample(runs, || timed(&mut home.tetra(&["-c", "tsm list"])))?)?;
    table.line("first prompt", &sample(runs.min(STARTS), || prompt::first(&home))?)?;
    single(&table, &home, runs.min(STARTS))?;
    hundreds(&table, &home, runs.min(ROUNDS))?;
    lists(&table, &home, runs)?;
    capture::measure(&home, &table, runs)
}

/// One process at a time.
fn single(table: &Table, home: &Home, runs: usize) -> io::Result<()> {
    let all = |what: &str, of: &dyn Fn(&Started) -> Option<Duration>, starts: &[Started]| {
        table.line(what, &starts.iter().filter_map(of).collect::<Vec<_>>())
    };
    let quiet: Vec<_> =
        (0..runs).map(|n| home.start(&format!("quiet{n}"), &["--no-wait"])).collect::<Result<_, _>>()?;
    all("tsm start --no-wait, running", &|it| Some(it.running), &quiet)?;
    all("tsm start --no-wait, answered", &|it| Some(it.answered), &quiet)?;
    home.clear()?;
    let served = |n| home.start(&format!("served{n}"), &["--port", &free_port()?.to_string()]);
    let served: Vec<_> = (0..runs).map(served).collect::<Result<_, _>>()?;
    all("tsm start --port N, running", &|it| Some(it.running), &served)?;
    all("tsm start --port N, answered", &|it| Some(it.answered), &served)?;
    all("port answers, tsm start answered", &|it| it.after_port, &served)?;
    home.clear()?;
    let stops: Vec<_> = (0..runs).map(|n| home.stop(&format!("stopped{n}"))).collect::<Result<_, _>>()?;
    table.line("child ended, tsm stop answered", &stops)?;
    home.clear()?;
    let crashes: Vec<_> = (0..runs).map(|n| home.crash(&format!("crash{n}"))).collect::<Result<_, _>>()?;
    table.line("crash, next child running", &crashes)?;
    home.clear()
}

/// A hundred processes, all together.
fn hundreds(table: &Table, home: &Home, rounds: usize) -> io::Result<()> {
    let round = |one: &dyn Fn() -> io::Result<Duration>| {
        let round = || one().and_then(|took| home.clear().map(|()| took));
        (0..rounds).map(|_| round()).collect::<io::Result<Vec<_>>>()
    };
    table.line("100 starts, 100 commands", &round(&|| home.calls("call", HUNDRED))?)?;
    let script = home.script("script", HUNDRED)?;
    table.line("100 starts, one script", &round(&|| timed(home.tetra(&[]).arg(&script)))?)?;
    home.services(HUNDRED)?;
    table.line("tsm startup, 100 services", &round(&|| timed(&mut home.tetra(&["tsm", "startup"])))?)
}

fn lists(table: &Table, home: &Home, runs: usize) -> io::Result<()> {
    for count in LISTED {
        let script = home.script("listed", count)?;
        timed(home.tetra(&[]).arg(script))?;
        table.line(&format!("tsm list, {count}"), &sample(runs, || timed(&mut home.tetra(&["tsm", "list"])))?)?;
        let json = || timed(&mut home.tetra(&["tsm", "list", "--json"]));
        table.line(&format!("tsm list --json, {count}"), &sample(runs, json)?)?;
        home.clear()?;
    }
    Ok(())
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

fn median(times: &[Duration]) -> Duration {
    percentile(times, 50)
}

fn percentile(times: &[Duration], percent: usize) -> Duration {
    let mut sorted = times.to_vec();
    sorted.sort();
    sorted[(sorted.len() - 1) * percent / 100]
}
