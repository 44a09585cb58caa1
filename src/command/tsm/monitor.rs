//! `tsm monitor`

mod watching;

use std::time::{Duration, Instant};

use super::list::{health, status, uptime};
use super::targets::Targets;
use crate::base::environment::EnvRef;
use crate::base::fault::{Fault, Kind};
use crate::base::size;
use crate::base::time::{Span, Timestamp};
use crate::command::argument::ProcessTarget;
use crate::command::{Command, Cx, Effect};
use crate::report::screen::{Picture, Scene, Screen};
use crate::report::{Cell, Next, Report, Sentence, Table, Tone, Value};
use crate::sys::process::Census;
use crate::tsm::logs::{self, Query, Source, Stream};
use crate::tsm::resolve;
use crate::tsm::store::{Process, Store};

/// Watch processes on the whole screen: what they use, and what they say
///
/// Up and down choose a process, `r` restarts and `s` stops it as the commands do, Enter shows more of its log, `/` filters by
/// name, `q` leaves. Processor and memory are those of the whole process tree.
#[derive(Debug, clap::Args)]
pub struct Monitor {
    /// Id, name, the beginning or a part of a name, pid or port; all if left out
    targets: Vec<ProcessTarget>,
    /// The pause between two looks, at least 100ms
    #[arg(short = 'n', long, value_name = "SPAN", default_value = "1s")]
    every: Span,
    /// Print what is to be seen now, and return
    #[arg(long)]
    once: bool,
    /// Draw nothing; run the triggers of `tsm triggers` for what the processes say from now on, and print what they did
    #[arg(long, conflicts_with = "once", requires = "targets")]
    triggers: bool,
}

/// The shortest pause between two looks.
const SHORTEST: Duration = Duration::from_millis(100);

impl Command for Monitor {
    const NAME: &'static str = "tsm monitor";
    const ALIASES: &'static [&'static str] = &["tsm top"];
    const EFFECT: Effect = Effect::Write;
    const EXAMPLES: &'static [&'static str] = &["tsm monitor -n 2s", "tsm top --once", "tsm monitor api --triggers"];

    fn effect(&self) -> Effect {
        if self.triggers { Effect::Write } else { Effect::Read }
    }

    fn touches(&self, cx: &mut Cx) -> Result<Vec<EnvRef>, Fault> {
        if self.triggers { Ok(Targets::look_up(&self.targets, cx)?.environments()) } else { Ok(Vec::new()) }
    }

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        if self.every.0 < SHORTEST {
            return Err(
                Fault::usage(format!("every {} is too often", self.every)).advise("100ms is the shortest pause")
            );
        }
        if self.triggers {
            return watching::report(&self.targets, cx);
        }
        let words: Vec<String> = self.targets.into_iter().map(|target| target.0).collect();
        let mut scene = Processes { store: Store::open(cx.paths), words, before: None };
        if self.once {
            scene.before = Some((Census::take(), Instant::now()));
            let _ = cx.host.pause(SHORTEST);
            return Ok(Report::of(scene.look(cx.host.now(), None, 0)?.table));
        }
        if !cx.console.is_terminal() {
            return Err(Fault::new(Kind::Failed, "the monitor needs a terminal")
                .advise("`tsm monitor --once` prints what is to be seen now"));
        }
        Ok(Report::then(Next::Screen(Screen { every: self.every.0, scene: Box::new(scene) })))
    }
}

/// Managed processes, looked at again and again.
struct Processes {
    store: Store,
    /// Which of them; all if empty.
    words: Vec<String>,
    /// What was used until the last look.
    before: Option<(Census, Instant)>,
}

impl Scene for Processes {
    fn look(&mut self, now: Timestamp, chosen: Option<&str>, lines: usize) -> Result<Picture, Fault> {
        let all = self.store.all()?;
        let words: Vec<&str> = self.words.iter().map(String::as_str).collect();
        let shown = if words.is_empty() { all.iter().collect() } else { found(&words, &all)? };
        let (census, at) = (Census::take(), Instant::now());
        let used = self.before.as_ref().map(|(before, then)| (before, at - *then));
        let mut table = Table::new(&COLUMNS).when_empty("No running services found.");
        for process in &shown {
            table.row(row(process, now, (&census, used)));
        }
        let said = chosen.and_then(|name| shown.iter().find(|process| process.name.as_str() == name));
        let lines = said.map_or(Ok(Vec::new()), |process| last_lines(process, lines))?;
        self.before = Some((census, at));
        Ok(Picture { table, lines })
    }
}

fn found<'a>(words: &[&str], all: &'a [Process]) -> Result<Vec<&'a Process>, Fault> {
    let mut resolved = resolve::resolve(words, all, resolve::Precision::Part);
    if resolved.processes.is_empty() && !resolved.missing.is_empty() {
        return Err(resolved.missing.remove(0).into());
    }
    Ok(resolved.processes)
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

fn row(process: &Process, now: Timestamp, (census, used): (&Census, Option<(&Census, Duration)>)) -> Vec<Cell> {
    let pid = process.pid();
    let cpu = pid.zip(used).map(|(pid, (before, span))| (census.cpu_since(before, pid, span) * 10.0).round() / 10.0);
    let memory = pid.map(|pid| census.resident(pid));
    vec![
        texted(Value::from(process.id())),
        Cell::from(process.name.as_str()).text(process.name.as_str()).tone(Tone::Strong),
        texted(Value::from(process.environment_word())),
        status(process, now, true),
        texted(health(process.health().as_ref())),
        texted(Value::from(process.pid())),
        texted(Value::from(process.meta.port)),
        Cell::from(cpu).text(cpu.map_or("-".to_owned(), |cpu| format!("{cpu:.1}%"))),
        Cell::from(memory.map_or(Value::Nothing, Value::Bytes)).text(memory.map_or("-".to_owned(), size::brief)),
        texted(process.meta.restarts),
        texted(uptime(process, now)),
    ]
}

/// A cell with a text for people, also where there is nothing.
fn texted(cell: impl Into<Cell>) -> Cell {
    let cell = cell.into();
    let text = match (&cell.text, &cell.value) {
        (Some(text), _) | (None, Value::Text(text)) => text.clone(),
        (None, Value::Int(number)) => number.to_string(),
        (None, _) => "-".to_owned(),
    };
    cell.text(text)
}

fn last_lines(process: &Process, count: usize) -> Result<Vec<Sentence>, Fault> {
    let source = |stream, log| Source { process: process.name.clone(), stream, log };
    let sources = [source(Stream::Out, process.out_log()), source(Stream::Err, process.err_log())];
    let lines = logs::select(&sources, &Query::last(count))?;
    let sentence = |line: &logs::Line| {
        let tone = if sources[line.source].stream == Stream::Err { Tone::Warn } else { Tone::Plain };
        Sentence::new(String::from_utf8_lossy(&line.bytes)).tone(tone)
    };
    Ok(lines.iter().map(sentence).collect())
}
