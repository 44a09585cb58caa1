//! `tsm monitor`

mod triggers;

use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use super::list::{StatusDetail, health, status, uptime};
use super::process_args::Targets;
use crate::base::environment::EnvRef;
use crate::base::fault::Fault;
use crate::base::size;
use crate::base::time::{HumanDuration, Timestamp};
use crate::command::argument::ProcessTarget;
use crate::command::stated_default::StatedDefault;
use crate::command::{Command, Cx, Effect};
use crate::ops::snapshot::{ProcessSample, Sampler};
use crate::report::screen::{Screen, ScreenSnapshot, ScreenSource};
use crate::report::{Cell, FollowUp, Message, Report, Table, Tone, Value};
use crate::supervise::events::EventReader;
use crate::tsm::logs::{self, LogSource, Query, StreamKind};
use crate::tsm::store::Process;

/// Watch processes on the whole screen: what they use, and their output
///
/// Up and down choose a process, `r` restarts and `s` stops it after a question, Enter shows more of its log, `/` filters by
/// name, `q` leaves. Processor and memory are those of the whole process tree.
#[derive(Debug, clap::Args)]
pub struct Monitor {
    /// Id, name, the beginning or a part of a name, pid or port
    #[arg(if_not_given = "all")]
    targets: Vec<ProcessTarget>,
    /// The pause between two looks, at least 100ms; a number alone is seconds
    #[arg(short = 'n', long, value_name = "SPAN", default_value = "1s", value_parser = HumanDuration::of_pause)]
    every: HumanDuration,
    /// Print one snapshot, and return
    #[arg(long)]
    once: bool,
    /// Draw nothing; run the triggers of `tsm triggers` on new output, and print what they did
    #[arg(long, conflicts_with = "once", requires = "targets")]
    triggers: bool,
}

/// The shortest pause between two looks.
const MIN_INTERVAL: Duration = Duration::from_millis(100);
const MAX_INTERVAL: Duration = Duration::from_secs(24 * 60 * 60);

impl Command for Monitor {
    const NAME: &'static str = "tsm monitor";
    const ALIASES: &'static [&'static str] = &["tsm top"];
    const EFFECT: Effect = Effect::Write;
    const EXAMPLES: &'static [&'static str] = &["tsm monitor -n 2s", "tsm top --once", "tsm monitor api --triggers"];

    fn effect(&self) -> Effect {
        if self.triggers { Effect::Write } else { Effect::Read }
    }

    fn environments(&self, cx: &mut Cx) -> Result<Vec<EnvRef>, Fault> {
        if self.triggers { Ok(Targets::find_read_only(&self.targets, cx)?.environments()) } else { Ok(Vec::new()) }
    }

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        self.every.within("--every", MIN_INTERVAL..=MAX_INTERVAL)?;
        if self.triggers {
            return triggers::report(&self.targets, cx);
        }
        let words: Vec<String> = self.targets.into_iter().map(|target| target.0).collect();
        let mut scene = ProcessMonitor { sampler: Sampler::open(cx.paths), words, events: None };
        if self.once {
            scene.sampler.begin();
            let _ = cx.host.sleep(MIN_INTERVAL);
            return Ok(Report::of(scene.snapshot(cx.host.now(), None, 0)?.table));
        }
        if !cx.console.is_terminal() {
            return Err(Fault::needs_terminal("the monitor").with_advice("`tsm monitor --once` prints one snapshot"));
        }
        // Where no events can be read, the screen is refreshed by time alone.
        scene.events = EventReader::open(&cx.paths.events()).ok();
        Ok(Report::then(FollowUp::Screen(Screen { interval: self.every.0, source: Box::new(scene) })))
    }
}

/// Managed processes, looked at again and again.
struct ProcessMonitor {
    sampler: Sampler,
    /// Which of them; all if empty.
    words: Vec<String>,
    /// Refreshes the screen when something happens to a process.
    events: Option<EventReader>,
}

impl ScreenSource for ProcessMonitor {
    fn snapshot(&mut self, now: Timestamp, chosen: Option<&str>, lines: usize) -> Result<ScreenSnapshot, Fault> {
        let samples = self.sampler.snapshot(&self.words)?;
        let mut table = Table::new(&COLUMNS).when_empty("No running services found.");
        for sample in &samples {
            table.row(row(sample, now));
        }
        let chosen = chosen.and_then(|name| samples.iter().find(|sample| sample.process.name.as_str() == name));
        let lines = chosen.map_or(Ok(Vec::new()), |sample| last_lines(&sample.process, lines))?;
        Ok(ScreenSnapshot { table, lines })
    }

    fn changes(&self) -> Option<BorrowedFd<'_>> {
        self.events.as_ref().map(AsFd::as_fd)
    }

    fn forget_changes(&mut self) {
        // What cannot be read would be readable for ever.
        if self.events.as_mut().is_some_and(|events| events.read().is_err()) {
            self.events = None;
        }
    }
}

const COLUMNS: [(&str, &str); 11] = [
    ("id", "ID"),
    ("name", "NAME"),
    ("env", "ENV"),
    ("status", "STATUS"),
    ("health", "HEALTH"),
    ("pid", "PID"),
    ("port", "PORT"),
    ("cpu", "CPU"),
    ("memory", "MEMORY"),
    ("restarts", "RESTARTS"),
    ("uptime", "UPTIME"),
];

fn row(sample: &ProcessSample, now: Timestamp) -> Vec<Cell> {
    let ProcessSample { process, cpu_percent: cpu, memory_bytes: memory } = sample;
    vec![
        cell_with_text(Value::from(process.id())),
        Cell::from(process.name.as_str()).text(process.name.as_str()).tone(Tone::Strong),
        cell_with_text(Value::from(process.environment_label())),
        status(process, now, StatusDetail::WithExit),
        cell_with_text(health(process.health().as_ref())),
        cell_with_text(Value::from(process.pid())),
        cell_with_text(Value::from(process.meta.port)),
        Cell::from(*cpu).text(cpu.map_or("-".to_owned(), |cpu| format!("{cpu:.1}%"))),
        Cell::from(memory.map_or(Value::Null, Value::Bytes)).text(memory.map_or("-".to_owned(), size::human_readable)),
        cell_with_text(process.meta.restarts),
        cell_with_text(uptime(process, now)),
    ]
}

/// A cell with a text for people, also where there is nothing.
fn cell_with_text(cell: impl Into<Cell>) -> Cell {
    let cell = cell.into();
    let text = match (&cell.text, &cell.value) {
        (Some(text), _) | (None, Value::Text(text)) => text.clone(),
        (None, Value::Int(number)) => number.to_string(),
        (None, _) => "-".to_owned(),
    };
    cell.text(text)
}

fn last_lines(process: &Process, count: usize) -> Result<Vec<Message>, Fault> {
    let source = |stream, log| LogSource { process: process.name.clone(), stream, log };
    let sources = [source(StreamKind::Out, process.out_log()), source(StreamKind::Err, process.err_log())];
    let lines = logs::select(&sources, &Query::last(count))?;
    let sentence = |line: &logs::LogLine| {
        let tone = if sources[line.source].stream == StreamKind::Err { Tone::Warn } else { Tone::Plain };
        Message::new(String::from_utf8_lossy(&line.bytes)).tone(tone)
    };
    Ok(lines.iter().map(sentence).collect())
}
