//! `tsm stream`

use jiff::tz::TimeZone;
use regex::Regex;

use super::{EventArgs, NO_EVENTS, data, sources};
use crate::base::fault::Fault;
use crate::command::{Command, Cx, Effect};
use crate::report::{Message, Report, RowStream, Tone, Value};
use crate::tsm::events::{ReportedEvent, ReportedKind};
use crate::tsm::logs::{self, FollowEnd, Follower, LogLine, LogSource, Query};

/// Show the events that a process reports, as they come
///
/// Begins with the last ones and follows until Ctrl-C. Errors and slow answers are marked.
#[derive(Debug, clap::Args)]
pub struct Stream {
    #[command(flatten)]
    subject: EventArgs,
    /// Only events in whose line this regular expression is found, or of this known kind: API_ERROR, SESSION_START, …
    filter: Option<Regex>,
    /// How many of the last lines are looked through
    #[arg(short = 'n', long, value_name = "N", default_value_t = 1000)]
    lines: usize,
    /// Go on with what comes, which it does anyway
    #[arg(short, long)]
    follow: bool,
    /// Show and return
    #[arg(long, conflicts_with = "follow")]
    nostream: bool,
}

impl Command for Stream {
    const NAME: &'static str = "tsm stream";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLES: &'static [&'static str] = &["tsm stream api -f", "tsm stream api API_ERROR --nostream"];

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let since = self.subject.since.as_ref().map(|since| since.resolve(cx.host.now(), &cx.console.zone()));
        let since_ns = since.map(|since| i64::try_from(since.0).unwrap_or(i64::MAX).saturating_mul(1_000_000));
        let query = Query { since_ns, ..Query::last(self.lines) };
        let sources = sources(&self.subject.processes(cx)?);
        let face = EventFormat { zone: cx.console.zone(), filter: self.filter };
        if self.nostream && !self.follow {
            let lines = logs::select(&sources, &query)?;
            let rows: Vec<Message> = lines.iter().filter_map(|line| face.row(line, &sources)).collect();
            let silent = rows.is_empty();
            let report = Report::of(rows);
            return Ok(if silent { report.note(NO_EVENTS) } else { report });
        }
        let follower = Follower::start(&sources, &query, FollowEnd::Signal)?;
        let rows = follower.filter_map(move |line| match line {
            Ok(line) => face.row(&line, &sources).map(|row| Ok(row.into())),
            Err(error) => Some(Err(error.into())),
        });
        Ok(Report::of(RowStream::of(rows)))
    }
}

/// Which events are shown, and how.
struct EventFormat {
    zone: TimeZone,
    filter: Option<Regex>,
}

impl EventFormat {
    /// The event of a line, if it reports one that is wanted.
    fn row(&self, line: &LogLine, sources: &[LogSource]) -> Option<Message> {
        let event = ReportedEvent::parse(line)?;
        let kinds = ReportedKind::names(&event);
        if let Some(filter) = &self.filter {
            let text = String::from_utf8_lossy(&line.bytes);
            if !kinds.contains(&filter.as_str()) && !filter.is_match(&text) {
                return None;
            }
        }
        let tone = match event.is_error() {
            true => Tone::Bad,
            false if ReportedKind::HighResponseTime.matches(&event) => Tone::Warn,
            false => Tone::Plain,
        };
        let json = serde_json::Value::Object(event.data.clone());
        let process = sources[line.source].process.as_str();
        let row = Message::new(format!("{} {} {json}", self.time(&event), event.title())).tone(tone);
        Some(
            row.with("time", Value::from(event.at))
                .with("process", process)
                .with("category", event.category.as_str())
                .with("event", event.name.as_str())
                .with("kinds", Value::List(kinds.into_iter().map(Value::from).collect()))
                .with("error", event.is_error())
                .with("data", data(&json)),
        )
    }

    fn time(&self, event: &ReportedEvent) -> String {
        let point = event.at.and_then(|at| jiff::Timestamp::from_millisecond(i64::try_from(at.0).ok()?).ok());
        let text = point.map(|point| point.to_zoned(self.zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string());
        text.unwrap_or_else(|| "-".to_owned())
    }
}
