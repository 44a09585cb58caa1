//! Lines of logs as they are shown.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use jiff::tz::TimeZone;

use crate::base::time::{HumanDuration, Timestamp};
use crate::report::{Arrival, Entries, Message, Remark, Row, Rows, Tone, Value};
use crate::tsm::logs::{Follower, LogLine, LogSource, Query, StreamKind};

/// What precedes a line.
pub(super) struct LineFormat {
    /// Its time.
    pub times: bool,
    /// The time since the line before.
    pub delta: bool,
    /// The name of its process.
    pub with_name: bool,
    /// Of the times.
    pub zone: TimeZone,
}

/// A source, and what is shown before its lines.
struct LabeledSource {
    process: String,
    stream: StreamKind,
    prefix: String,
}

/// How the lines of each source are shown.
pub(super) struct LineFormatter {
    format: LineFormat,
    sources: Vec<Rc<LabeledSource>>,
    /// When the line before was written.
    previous_ns: Option<i64>,
}

impl LineFormatter {
    pub(super) fn new(sources: &[LogSource], face: LineFormat) -> Self {
        let mut labels = Self { format: face, sources: Vec::new(), previous_ns: None };
        labels.add_sources(sources);
        labels
    }

    /// Learns all sources there are.
    fn add_sources(&mut self, sources: &[LogSource]) {
        let widest = sources.iter().map(|source| source.process.as_str().len()).max().unwrap_or(0);
        let label = |source: &LogSource| {
            let prefix = if self.format.with_name { format!("{:widest$} | ", source.process) } else { String::new() };
            Rc::new(LabeledSource { process: source.process.as_str().to_owned(), stream: source.stream, prefix })
        };
        self.sources = sources.iter().map(label).collect();
    }

    pub(super) fn row(&mut self, line: LogLine) -> LogRow {
        let before_ns = self.previous_ns;
        self.previous_ns = line.unix_ns.or(before_ns);
        let delta = line.unix_ns.zip(before_ns).map(|(now, before)| now.saturating_sub(before));
        let delta = delta.map(|ns| Duration::from_nanos(u64::try_from(ns).unwrap_or(0)));
        let mut prefix = if self.format.times { self.stamp(line.unix_ns) } else { String::new() };
        if self.format.delta {
            prefix.push_str(&format!("{:>9} ", delta.map_or("-".to_owned(), format_delta)));
        }
        let source = Rc::clone(&self.sources[line.source]);
        prefix.push_str(&source.prefix);
        LogRow { source, prefix, delta, line }
    }

    /// The remark about bytes that were rotated away before this line, faster than they could be read.
    fn removed(&self, line: &LogLine) -> Remark {
        let LabeledSource { process, stream, .. } = &*self.sources[line.source];
        let removed = line.removed_before;
        let text = format!("{process}: {removed} bytes of {} were removed before they were read", stream.as_str());
        Remark(
            Message::new(text)
                .tone(Tone::Warn)
                .with("time", Value::Null)
                .with("delta", Value::Null)
                .with("stream", stream.as_str())
                .with("process", process.as_str())
                .with("line", Value::Null)
                .with("complete", true)
                .with("removed_bytes", removed),
        )
    }

    fn stamp(&self, unix_ns: Option<i64>) -> String {
        let point = unix_ns.and_then(|ns| jiff::Timestamp::from_nanosecond(i128::from(ns)).ok());
        let text =
            point.map(|point| point.to_zoned(self.format.zone.clone()).strftime("%Y-%m-%d %H:%M:%S%.3f").to_string());
        format!("{:23} ", text.as_deref().unwrap_or("-"))
    }
}

fn format_delta(delta: Duration) -> String {
    match delta.as_secs() {
        0..60 => format!("+{:.3}s", delta.as_secs_f64()),
        _ => format!("+{}", HumanDuration(delta)),
    }
}

/// A line of a log.
pub(super) struct LogRow {
    source: Rc<LabeledSource>,
    /// What is shown before the line: time, delta, name of the process.
    prefix: String,
    delta: Option<Duration>,
    line: LogLine,
}

impl Row for LogRow {
    fn text(&self) -> Cow<'_, str> {
        Cow::Owned(format!("{}{}", self.prefix, String::from_utf8_lossy(&self.line.bytes)))
    }

    fn raw(&self) -> Option<Cow<'_, [u8]>> {
        Some(match self.prefix.as_str() {
            "" => Cow::Borrowed(&self.line.bytes),
            prefix => Cow::Owned([prefix.as_bytes(), &self.line.bytes].concat()),
        })
    }

    fn tone(&self) -> Tone {
        if self.source.stream == StreamKind::Err { Tone::Warn } else { Tone::Plain }
    }

    fn data(&self) -> Entries {
        let at = self.line.unix_ns.and_then(|ns| u64::try_from(ns / 1_000_000).ok()).map(Timestamp);
        vec![
            ("time".into(), Value::from(at).into()),
            ("delta".into(), Value::from(self.delta.map(|delta| delta.as_secs_f64())).into()),
            ("stream".into(), self.source.stream.as_str().into()),
            ("process".into(), self.source.process.as_str().into()),
            ("line".into(), String::from_utf8_lossy(&self.line.bytes).into_owned().into()),
            ("complete".into(), self.line.complete.into()),
            ("removed_bytes".into(), 0_u64.into()),
        ]
    }
}

/// Lines as they come.
pub(super) struct FollowRows {
    follower: Follower,
    formatter: LineFormatter,
    query: Query,
    /// Returned next.
    ready: VecDeque<Arrival>,
}

impl FollowRows {
    pub(super) fn new(follower: Follower, format: LineFormat, query: Query) -> Self {
        let formatter = LineFormatter::new(follower.sources(), format);
        Self { follower, formatter, query, ready: VecDeque::new() }
    }

    /// Takes the next line, which may be none of those that are shown; false at the end.
    fn advance(&mut self) -> bool {
        let line = match self.follower.next() {
            None => return false,
            Some(Ok(line)) => line,
            Some(Err(error)) => {
                self.ready.push_back(Err(error.into()));
                return true;
            }
        };
        if self.formatter.sources.len() < self.follower.sources().len() {
            self.formatter.add_sources(self.follower.sources());
        }
        if line.removed_before > 0 {
            self.ready.push_back(Ok(self.formatter.removed(&line).into()));
        }
        if self.query.matches(&line) {
            self.ready.push_back(Ok(self.formatter.row(line).into()));
        }
        true
    }
}

impl Iterator for FollowRows {
    type Item = Arrival;

    fn next(&mut self) -> Option<Arrival> {
        while self.ready.is_empty() && self.advance() {}
        self.ready.pop_front()
    }
}

impl Rows for FollowRows {
    fn is_ready(&mut self) -> bool {
        while self.ready.is_empty() && self.follower.is_ready() && self.advance() {}
        !self.ready.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_exact_while_they_are_short() {
        for (millis, wanted) in [(0, "+0.000s"), (1234, "+1.234s"), (59_999, "+59.999s"), (312_000, "+5m 12s")] {
            assert_eq!(format_delta(Duration::from_millis(millis)), wanted);
        }
    }
}
