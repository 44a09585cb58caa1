//! `tsm logs`

pub mod clean;
pub mod export;
mod lines;
pub mod rotate;

use std::path::Path;

use jiff::tz::TimeZone;

use super::process_args::{NO_PROCESSES, Targets};
use crate::base::fault::Fault;
use crate::base::time_spec::TimeSpec;
use crate::command::argument::ProcessTarget;
use crate::command::stated_default::{SELECTED_PROCESS, StatedDefault};
use crate::command::{Command, Cx, Effect};
use crate::report::{Report, RowStream, json};
use crate::tsm::buffering;
use crate::tsm::logs::{self, FollowEnd, Follower, LogLine, LogSource, Query, StreamKind};
use crate::tsm::store::{Process, ProcessStore};
use lines::{FollowRows, LineFormat, LineFormatter, LogRow};

/// Show the output of processes, both streams in the order of time
///
/// Into a file or pipe lines go byte for byte as they were written (`--json` replaces what is not UTF-8); on a terminal control
/// characters are spelled out and stderr is marked. Several processes have their names in front. With -f it follows until
/// Ctrl-C, through restarts and rotation, and with `*` also with processes that are started later; an unfinished line is shown
/// when it stays quiet for a second. A reader that is slower than the rotation of the logs learns from stderr how many bytes
/// were removed before they were read. A process that is called rotate, export or clean is shown by `tsm logs -- NAME`.
#[derive(Debug, clap::Args)]
pub struct Logs {
    /// Id, name, the beginning or a part of a name, pid or port; `*` or `all` for all
    #[arg(if_not_given = SELECTED_PROCESS)]
    targets: Vec<ProcessTarget>,
    /// How many lines of each process, the last ones
    #[arg(short = 'n', long, alias = "tail", value_name = "N", if_not_given = format_args!("{DEFAULT_LINES}, or all of the time that --since or --until name"))]
    lines: Option<usize>,
    /// Go on with what comes
    #[arg(short, long, conflicts_with = "until")]
    follow: bool,
    /// Show and return, whatever else is said
    #[arg(long)]
    nostream: bool,
    /// Put the time in front of each line
    #[arg(short = 't', long)]
    timestamps: bool,
    /// Put the time since the line before in front of each line
    #[arg(long)]
    delta: bool,
    #[command(flatten)]
    wanted: LogFilter,
}

/// Which lines are meant.
#[derive(Debug, clap::Args)]
struct LogFilter {
    /// Only from then on: 10m, 14:05, 2026-11-20, 2026-11-20T14:05:00Z
    #[arg(long, value_name = "TIME")]
    since: Option<TimeSpec>,
    /// Only until then
    #[arg(long, value_name = "TIME")]
    until: Option<TimeSpec>,
    /// Only lines in which this regular expression is found
    #[arg(long, value_name = "RE")]
    grep: Option<regex::bytes::Regex>,
    /// Only stderr
    #[arg(short = 'e', long = "err")]
    err: bool,
    /// Only stdout
    #[arg(short = 'o', long = "out")]
    out: bool,
}

/// How many lines are shown when nothing is said about it.
const DEFAULT_LINES: usize = 50;

impl Command for Logs {
    const NAME: &'static str = "tsm logs";
    const ALIASES: &'static [&'static str] = &["tsm log"];
    const EFFECT: Effect = Effect::Read;
    const EXAMPLES: &'static [&'static str] = &[
        "tsm logs my-app",
        "tsm logs api -n 200 -e",
        "tsm logs * --nostream",
        "tsm logs api --since 10m --grep 'error|warn' -t",
    ];

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let mut targets = Targets::find(&self.targets, cx)?;
        let streams = self.wanted.streams();
        let sources = sources(&targets.processes, &streams);
        let query = self.query(cx);
        let face = LineFormat {
            times: self.timestamps,
            delta: self.delta,
            with_name: targets.several,
            zone: cx.console.zone(),
        };
        if self.follow && !self.nostream {
            // What leads nowhere would be said only at the end of what has none.
            if !targets.faults.is_empty() {
                return Err(targets.faults.remove(0));
            }
            if targets.is_empty() {
                return Ok(Report::of(Vec::<LogRow>::new()).note(NO_PROCESSES));
            }
            let mut follower = Follower::start(&sources, &query, FollowEnd::Signal)?;
            if targets.all {
                follower = follower.searching(&cx.paths.events(), search(ProcessStore::open(cx.paths), streams));
            }
            return Ok(Report::of(RowStream { rows: Box::new(FollowRows::new(follower, face, query)) }));
        }
        let mut labels = LineFormatter::new(&sources, face);
        let lines = logs::select(&sources, &query)?;
        // An unfinished line may not match.
        let lines = lines.into_iter().filter(|line| query.matches(line));
        let rows: Vec<LogRow> = lines.map(|line| labels.row(line)).collect();
        let silent = rows.is_empty() && !targets.processes.is_empty();
        let none = targets.is_empty();
        let mut report = Report::of(rows);
        report.faults = targets.faults;
        Ok(match (none, silent) {
            (true, _) => report.note(NO_PROCESSES),
            (_, true) => {
                targets.processes.iter().filter_map(buffering::hint).fold(report.note("(empty)"), Report::note)
            }
            _ => report,
        })
    }
}

impl Logs {
    fn query(&self, cx: &Cx) -> Query {
        let mut query = self.wanted.query(cx);
        let in_time = query.since_ns.is_some() || query.until_ns.is_some();
        query.count = self.lines.or((!in_time).then_some(DEFAULT_LINES));
        query
    }
}

impl LogFilter {
    fn streams(&self) -> Vec<StreamKind> {
        let wanted = |stream: &StreamKind| match stream {
            StreamKind::Out => self.out || !self.err,
            StreamKind::Err => self.err || !self.out,
        };
        [StreamKind::Out, StreamKind::Err].into_iter().filter(wanted).collect()
    }

    /// All lines that are wanted.
    fn query(&self, cx: &Cx) -> Query {
        let (now, zone) = (cx.host.now(), cx.console.zone());
        let ns = |moment: &TimeSpec| {
            i64::try_from(moment.resolve(now, &zone).0).unwrap_or(i64::MAX).saturating_mul(1_000_000)
        };
        Query {
            since_ns: self.since.as_ref().map(ns),
            until_ns: self.until.as_ref().map(ns),
            count: None,
            grep: self.grep.clone(),
        }
    }
}

/// The logs of processes.
fn sources(processes: &[Process], streams: &[StreamKind]) -> Vec<LogSource> {
    processes.iter().flat_map(|process| LogSource::of(process, streams)).collect()
}

/// Makes the JSON of lines, one after the other, for whatever sends them elsewhere.
pub(in crate::command) fn json_lines(sources: &[LogSource]) -> Box<dyn FnMut(LogLine) -> String> {
    let format = LineFormat { times: false, delta: false, with_name: false, zone: TimeZone::UTC };
    let mut formatter = LineFormatter::new(sources, format);
    Box::new(move |line| json::row(&formatter.row(line)))
}

/// The logs of all processes there are at the time of each call.
fn search(store: ProcessStore, streams: Vec<StreamKind>) -> impl FnMut() -> Vec<LogSource> {
    let mut known = Vec::new();
    move || {
        // Records are read only of those that are new.
        let names = store.names().unwrap_or_default();
        let new: Vec<_> = names.into_iter().filter(|name| !known.contains(name)).collect();
        let processes: Vec<Process> = new.iter().filter_map(|name| store.get(name)).collect();
        known.extend(processes.iter().map(|process| process.name.clone()));
        sources(&processes, &streams)
    }
}

/// A path as the operator means it.
fn absolute(path: &str, cx: &Cx) -> std::path::PathBuf {
    cx.host.cwd().join(Path::new(path))
}
