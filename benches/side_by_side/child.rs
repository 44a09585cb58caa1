//! What is supervised: this program itself, so that no interpreter's start is measured. It writes down when what happened to it.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use nix::sys::signal::{SigSet, Signal};
use nix::time::{ClockId, clock_gettime};

/// The word that makes this program a child.
pub(crate) const WORD: &str = "child";

/// How long a child lives that is to crash.
const LIFE: Duration = Duration::from_millis(300);

/// One thing that happens to a child, as it stands in its file before the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Event {
    /// Its first instruction.
    Runs,
    /// Its port answers.
    Listens,
    /// Its last instruction.
    Ends,
}

impl Event {
    fn word(self) -> &'static str {
        match self {
            Self::Runs => "runs",
            Self::Listens => "listens",
            Self::Ends => "ends",
        }
    }
}

/// Listens if it has a port and waits to be told to end; one with `crashes` behind its file ends by itself, once.
pub(crate) fn run(words: &[String]) -> ExitCode {
    match words {
        [file] => told(live(Path::new(file))),
        [file, how] if how == "crashes" => told(crash(Path::new(file))),
        _ => ExitCode::FAILURE,
    }
}

fn told(lived: io::Result<ExitCode>) -> ExitCode {
    lived.unwrap_or(ExitCode::FAILURE)
}

fn live(file: &Path) -> io::Result<ExitCode> {
    let mut diary = Diary::open(file)?;
    diary.note(Event::Runs)?;
    let mut end = SigSet::empty();
    end.add(Signal::SIGTERM);
    end.thread_block()?;
    let _listener = match std::env::var("PORT") {
        Ok(port) => {
            let listener = TcpListener::bind(format!("127.0.0.1:{port}"))?;
            diary.note(Event::Listens)?;
            Some(listener)
        }
        Err(_) => None,
    };
    end.wait()?;
    diary.note(Event::Ends)?;
    Ok(ExitCode::SUCCESS)
}

fn crash(file: &Path) -> io::Result<ExitCode> {
    let again = file.exists();
    let mut diary = Diary::open(file)?;
    diary.note(Event::Runs)?;
    if again {
        return Ok(forever());
    }
    thread::sleep(LIFE);
    diary.note(Event::Ends)?;
    Ok(ExitCode::FAILURE)
}

/// Waits to be ended.
pub(crate) fn forever() -> ExitCode {
    loop {
        thread::park();
    }
}

/// Where a child writes; one line an event.
struct Diary(File);

impl Diary {
    fn open(file: &Path) -> io::Result<Self> {
        OpenOptions::new().append(true).create(true).open(file).map(Self)
    }

    fn note(&mut self, event: Event) -> io::Result<()> {
        let line = format!("{} {}\n", event.word(), now().as_nanos());
        self.0.write_all(line.as_bytes())
    }
}

/// The moments at which an event happened to the child that writes to `file`, as far as it has.
pub(crate) fn moments(file: &Path, event: Event) -> Vec<Duration> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let moment = |line: &str| line.strip_prefix(event.word())?.trim().parse().ok().map(Duration::from_nanos);
    whole.lines().filter_map(moment).collect()
}

/// The monotonic clock, which all processes share.
pub(crate) fn now() -> Duration {
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC).expect("Linux has this clock");
    Duration::from(now)
}
