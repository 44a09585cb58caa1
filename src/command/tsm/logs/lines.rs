//! Lines of logs as they are shown.

use std::time::Duration;

use jiff::tz::TimeZone;

use crate::base::fault::Fault;
use crate::base::time::{HumanDuration, Timestamp};
use crate::report::{Message, OutputRow, Tone, Value};
use crate::tsm::logs::{Follower, LogLine, LogSource, Query, StreamKind};

/// What stands in front of a line.
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

/// How the lines of each source are shown.
pub(super) struct LineFormatter {
    format: LineFormat,
    /// For each source: process, stream, and what stands in front of its lines.
    sources: Vec<(String, StreamKind, String)>,
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
            let front = if self.format.with_name { format!("{:widest$} | ", source.process) } else { String::new() };
            (source.process.as_str().to_owned(), source.stream, front)
        };
        self.sources = sources.iter().map(label).collect();
    }

    pub(super) fn row(&mut self, line: &LogLine) -> OutputRow {
        let before_ns = self.previous_ns;
        self.previous_ns = line.unix_ns.or(before_ns);
        let delta = line.unix_ns.zip(before_ns).map(|(now, before)| now.saturating_sub(before));
        let delta = delta.map(|ns| Duration::from_nanos(u64::try_from(ns).unwrap_or(0)));
        let (process, stream, front) = &self.sources[line.source];
        let time = if self.format.times { self.stamp(line.unix_ns) } else { String::new() };
        let gap = if self.format.delta {
            format!("{:>9} ", delta.map_or("-".to_owned(), format_delta))
        } else {
            String::new()
        };
        let before = format!("{time}{gap}{front}");
        let text = String::from_utf8_lossy(&line.bytes);
        let tone = if *stream == StreamKind::Err { Tone::Warn } else { Tone::Plain };
        let at = line.unix_ns.and_then(|ns| u64::try_from(ns / 1_000_000).ok()).map(Timestamp);
        let sentence = Message::new(format!("{before}{text}"))
            .tone(tone)
            .with("time", Value::from(at))
            .with("delta", Value::from(delta.map(|delta| delta.as_secs_f64())))
            .with("stream", stream.as_str())
            .with("process", process.as_str())
            .with("line", text.as_ref())
            .with("complete", line.complete)
            .with("removed_bytes", 0_u64);
        OutputRow { message: sentence, raw: Some([before.as_bytes(), &line.bytes].concat()) }
    }

    /// What is said of bytes that were rotated away before this line, faster than they could be read.
    fn removed(&self, line: &LogLine) -> OutputRow {
        let (process, stream, _) = &self.sources[line.source];
        let removed = line.removed_before;
        let text = format!("{process}: {removed} bytes of {} were removed before they were read", stream.as_str());
        OutputRow::remark(
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

/// Lines as they come.
pub(super) struct FollowRows {
    follower: Follower,
    formatter: LineFormatter,
    query: Query,
    /// Given out next.
    ready: Option<OutputRow>,
}

impl FollowRows {
    pub(super) fn new(follower: Follower, face: LineFormat, query: Query) -> Self {
        let labels = LineFormatter::new(follower.sources(), face);
        Self { follower, formatter: labels, query, ready: None }
    }
}

impl Iterator for FollowRows {
    type Item = Result<OutputRow, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(row) = self.ready.take() {
                return Some(Ok(row));
            }
            let line = match self.follower.next()? {
                Ok(line) => line,
                Err(error) => return Some(Err(error.into())),
            };
            if self.formatter.sources.len() < self.follower.sources().len() {
                self.formatter.add_sources(self.follower.sources());
            }
            if self.query.matches(&line) {
                self.ready = Some(self.formatter.row(&line));
            }
            if line.removed_before > 0 {
                return Some(Ok(self.formatter.removed(&line)));
            }
        }
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
