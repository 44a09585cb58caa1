//! `tsm logs`

use super::targets::{NONE, Targets};
use crate::base::fault::Fault;
use crate::base::time::Timestamp;
use crate::command::argument::ProcessTarget;
use crate::command::{Command, Cx, Effect};
use crate::report::{Follow, Report, Sentence, Tone, Value};
use crate::sys::signal;
use crate::tsm::logs::{self, Follower, Line, Source, Stream};
use crate::tsm::store::Process;

/// Show what processes said, both streams in the order of time
///
/// Into a file or pipe lines go as they were written (what is no UTF-8 is replaced); on a terminal control characters are
/// spelled out and stderr is marked. Several processes have their names in front. With -f it goes on until Ctrl-C, through
/// restarts and rotation; an unfinished line is shown when it stays quiet for a second.
#[derive(Debug, clap::Args)]
pub struct Logs {
    /// Id, name, the beginning or a part of a name, pid or port; `*` or `all` for all; the selected process if left out
    targets: Vec<ProcessTarget>,
    /// How many lines of each process
    #[arg(short = 'n', long, alias = "tail", value_name = "N", default_value_t = 50)]
    lines: usize,
    /// Go on with what comes
    #[arg(short, long)]
    follow: bool,
    /// Show and return, whatever else is said
    #[arg(long)]
    nostream: bool,
    /// Only stderr
    #[arg(short = 'e', long = "err")]
    err: bool,
    /// Only stdout
    #[arg(short = 'o', long = "out")]
    out: bool,
}

impl Command for Logs {
    const NAME: &'static str = "tsm logs";
    const ALIASES: &'static [&'static str] = &["tsm log"];
    const EFFECT: Effect = Effect::Read;
    const EXAMPLES: &'static [&'static str] = &["tsm logs my-app", "tsm logs api -n 200 -e", "tsm logs * --nostream"];

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let mut targets = Targets::find(&self.targets, cx)?;
        let sources = self.sources(&targets.processes);
        let lines = Labels::of(&sources, targets.several);
        if self.follow && !self.nostream {
            // What leads nowhere would be said only at the end of what has none.
            if !targets.faults.is_empty() {
                return Err(targets.faults.remove(0));
            }
            if targets.none() {
                return Ok(Report::of(Vec::<Sentence>::new()).note(NONE));
            }
            let rows = Follower::start(&sources, self.lines, signal::interrupted)?;
            let rows = rows.map(move |line| Ok(lines.sentence(&line?)));
            return Ok(Report::of(Follow { rows: Box::new(rows) }));
        }
        let rows: Vec<Sentence> = logs::tail(&sources, self.lines)?.iter().map(|line| lines.sentence(line)).collect();
        let silent = rows.is_empty() && !targets.processes.is_empty();
        let none = targets.none();
        let mut report = Report::of(rows);
        report.faults = targets.faults;
        Ok(match (none, silent) {
            (true, _) => report.note(NONE),
            (_, true) => report.note("(empty)"),
            _ => report,
        })
    }
}

impl Logs {
    fn sources(&self, processes: &[Process]) -> Vec<Source> {
        let wanted = |stream| match stream {
            Stream::Out => self.out || !self.err,
            Stream::Err => self.err || !self.out,
        };
        let of = |process: &Process| {
            let logs = [(Stream::Out, process.out_log()), (Stream::Err, process.err_log())];
            let source = |(stream, log)| Source { process: process.name.clone(), stream, log };
            logs.into_iter().filter(|(stream, _)| wanted(*stream)).map(source).collect::<Vec<_>>()
        };
        processes.iter().flat_map(of).collect()
    }
}

/// How the lines of each source are shown.
struct Labels {
    /// For each source: process, stream, and what stands in front of its lines.
    sources: Vec<(String, Stream, String)>,
}

impl Labels {
    fn of(sources: &[Source], named: bool) -> Self {
        let widest = sources.iter().map(|source| source.process.as_str().len()).max().unwrap_or(0);
        let label = |source: &Source| {
            let front = if named { format!("{:widest$} | ", source.process) } else { String::new() };
            (source.process.as_str().to_owned(), source.stream, front)
        };
        Self { sources: sources.iter().map(label).collect() }
    }

    fn sentence(&self, line: &Line) -> Sentence {
        let (process, stream, front) = &self.sources[line.source];
        let text = String::from_utf8_lossy(&line.bytes);
        let tone = if *stream == Stream::Err { Tone::Warn } else { Tone::Plain };
        let time = line.unix_ns.and_then(|ns| u64::try_from(ns / 1_000_000).ok()).map(Timestamp);
        Sentence::new(format!("{front}{text}"))
            .tone(tone)
            .with("time", Value::from(time))
            .with("stream", stream.word())
            .with("process", process.as_str())
            .with("line", text.as_ref())
            .with("complete", line.complete)
    }
}
