//! `daemon logs`

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;

use super::UnitArgs;
use crate::base::environment::EnvName;
use crate::base::fault::{Fault, FaultKind};
use crate::base::time::Timestamp;
use crate::base::time_spec::TimeSpec;
use crate::command::stated_default::StatedDefault;
use crate::command::{Command, Cx, Effect};
use crate::daemon::run::log;
use crate::disk;
use crate::ops::unit::InstalledUnit;
use crate::report::{Message, Report, RowStream, Value};
use crate::sys::journal::{JournalError, JournalLine, JournalQuery};
use crate::sys::line_stream::LineStream;

/// How many lines are shown where no number is given.
const DEFAULT_LINES: usize = 50;

/// Show what a unit and its daemon wrote
///
/// From the journal; where you may not read that, from logs/tetra.log in the data directory of the unit. What services print is
/// shown by `tsm logs`.
#[derive(Debug, clap::Args)]
pub struct Logs {
    /// How many of the last lines, and the environment of the unit, in any order
    #[arg(value_name = "N|@ENV", num_args = 0..=2, if_not_given = format_args!("{DEFAULT_LINES} lines, or all since --since, of the only unit that is installed"))]
    words: Vec<LogsWord>,
    /// Go on with what is written from now on
    #[arg(short, long)]
    follow: bool,
    /// Only lines since then: `10m`, `14:05`, `2026-11-20 12:00`, or in the words of journalctl: `1 hour ago`, `today`
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// A unit of your own user manager
    #[arg(long)]
    user: bool,
}

/// A number of lines, or an environment.
#[derive(Debug, Clone)]
pub(in crate::command) enum LogsWord {
    Lines(usize),
    Env(EnvName),
}

impl std::str::FromStr for LogsWord {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        if !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit()) {
            return word.parse().map(Self::Lines).map_err(|_| "expected a number of lines".to_owned());
        }
        word.parse().map(Self::Env).map_err(|_| "expected a number of lines, or an environment".to_owned())
    }
}

impl Command for Logs {
    const NAME: &'static str = "daemon logs";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLES: &'static [&'static str] =
        &["tsm daemon logs", "tsm daemon logs 100 -f", "tsm daemon logs @dev --since '1 hour ago'"];

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let (mut count, mut env) = (None, None);
        for word in self.words {
            let is_double = match word {
                LogsWord::Lines(lines) => count.replace(lines).is_some(),
                LogsWord::Env(name) => env.replace(name).is_some(),
            };
            if is_double {
                return Err(Fault::usage("expected one number of lines and one environment at most"));
            }
        }
        let unit = UnitArgs { env, user: self.user }.find(cx)?;
        let zone = cx.console.zone();
        let since = self.since.map(|given| match given.parse::<TimeSpec>() {
            Ok(moment) => in_seconds(moment.resolve(cx.host.now(), &zone)),
            Err(_) => given,
        });
        let lines = count.or_else(|| since.is_none().then_some(DEFAULT_LINES));
        let query = JournalQuery { unit: &unit.name, manager: unit.manager, lines, since };
        match query.read(cx.host) {
            Ok(lines) if self.follow => Ok(follow(query, &lines, zone)?),
            Ok(lines) => Ok(rows(lines, &zone)),
            Err(error @ JournalError::Time(_)) => Err(Fault::usage(error.to_string())),
            Err(error) if query.since.is_none() => {
                from_file(&unit, lines.unwrap_or(DEFAULT_LINES), Following::from(self.follow), &error, cx)
            }
            Err(error) => Err(unreadable(&error, &unit)),
        }
    }
}

/// Whether to go on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Following {
    Yes,
    No,
}

impl From<bool> for Following {
    fn from(follow: bool) -> Self {
        if follow { Self::Yes } else { Self::No }
    }
}

fn rows(lines: Vec<JournalLine>, zone: &TimeZone) -> Report {
    if lines.is_empty() {
        return Report::of(Vec::<Message>::new()).note("no lines");
    }
    Report::of(lines.iter().map(|line| row(line, zone)).collect::<Vec<_>>())
}

/// A moment for journalctl.
fn in_seconds(moment: Timestamp) -> String {
    format!("@{}.{:03}", moment.0 / 1000, moment.0 % 1000)
}

/// `lines` are those there are.
fn follow(mut query: JournalQuery, lines: &[JournalLine], zone: TimeZone) -> Result<Report, Fault> {
    if query.since.is_some() && query.lines.take().is_some() {
        query.since = lines.first().and_then(|line| line.time).map(in_seconds).or(query.since);
    }
    let lines = query.follow().map_err(|error| Fault::new(FaultKind::Failed, error.to_string()))?;
    Ok(Report::of(RowStream::of(lines.map(move |line| Ok(row(&line, &zone).into())))))
}

fn row(line: &JournalLine, zone: &TimeZone) -> Message {
    Message::new(line.shown(zone))
        .with("time", Value::from(line.time))
        .with("source", line.source.as_str())
        .with("pid", Value::from(line.pid))
        .with("message", line.text.as_str())
}

fn unreadable(error: &JournalError, unit: &InstalledUnit) -> Fault {
    Fault::new(FaultKind::Failed, error.to_string())
        .with_advice(format!("`sudo journalctl -u {}`, or join the group systemd-journal", unit.name))
}

/// The daemon's own file, where the journal cannot be read.
fn from_file(
    unit: &InstalledUnit,
    count: usize,
    following: Following,
    error: &JournalError,
    cx: &mut Cx,
) -> Result<Report, Fault> {
    let home = unit.home.clone().unwrap_or_else(|| cx.paths.home().to_owned());
    let file = cx.paths.with_home(home).daemon_log();
    let Ok(text) = disk::read_to_string(&file) else { return Err(unreadable(error, unit)) };
    let note = format!("{error}; these lines are from {}", file.display());
    let zone = cx.console.zone();
    if following == Following::No {
        let mut last: VecDeque<&str> = text.lines().collect();
        while last.len() > count {
            last.pop_front();
        }
        return Ok(
            Report::of(last.into_iter().map(|line| row(&log::read_line(line), &zone)).collect::<Vec<_>>()).note(note)
        );
    }
    let lines = follow_file(&file, count)
        .map_err(|error| Fault::new(FaultKind::Failed, format!("cannot run `tail`: {error}")))?;
    cx.console.note(&note);
    Ok(Report::of(RowStream::of(lines.map(move |line| Ok(row(&log::read_line(&line), &zone).into())))))
}

fn follow_file(file: &Path, count: usize) -> std::io::Result<LineStream> {
    let words = [
        "-n".to_owned(),
        count.to_string(),
        "-F".to_owned(),
        "--".to_owned(),
        PathBuf::from(file).display().to_string(),
    ];
    LineStream::start("tail", &words)
}
