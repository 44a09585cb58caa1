//! Lines of logs: those of a range at once. In a thread of its own, so that a search through large logs keeps nothing else waiting.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use regex::bytes::{Regex, RegexBuilder};

use super::Views;
use super::desk::find;
use crate::base::fault::Fault;
use crate::base::time_spec::TimeSpec;
use crate::sys::os_host::wall_clock;
use crate::sys::paths::Paths;
use crate::tsm::logs::{self, LogSource, Query, StreamKind};

/// How many lines an answer has without `lines`.
const DEFAULT_LINES: usize = 100;

/// The most lines of an answer.
const MAX_LINES: usize = 5000;

/// The most bytes of an answer; of more lines the last ones are given.
const MAX_BYTES: usize = 1 << 20;

/// The memory that a search may take.
const MAX_REGEX: usize = 1 << 20;

/// Both streams of a process.
pub(super) const BOTH: [StreamKind; 2] = [StreamKind::Out, StreamKind::Err];

/// Which lines are asked for.
#[derive(Debug, Clone)]
pub(super) struct LogQuery {
    pub(super) streams: Vec<StreamKind>,
    pub(super) lines: usize,
    since: Option<TimeSpec>,
    until: Option<TimeSpec>,
    pub(super) grep: Option<Regex>,
    /// Goes on with what comes.
    pub(super) follow: bool,
}

impl LogQuery {
    /// Reads the parts of a query.
    ///
    /// # Errors
    ///
    /// Says what is wrong with it.
    pub(super) fn parse(parts: &BTreeMap<String, String>) -> Result<Self, String> {
        let mut query =
            Self { streams: BOTH.to_vec(), lines: DEFAULT_LINES, since: None, until: None, grep: None, follow: false };
        for (name, value) in parts {
            let invalid = |expected: &str| format!("invalid value `{value}` for `{name}`: expected {expected}");
            match name.as_str() {
                "stream" => {
                    query.streams.retain(|stream| stream.as_str() == value);
                    if query.streams.is_empty() {
                        return Err(invalid("stdout or stderr"));
                    }
                }
                "lines" => {
                    let lines = value.parse().ok().filter(|lines| *lines <= MAX_LINES);
                    query.lines = lines.ok_or_else(|| invalid("a number up to 5000"))?;
                }
                "since" => query.since = Some(value.parse().map_err(|error| format!("`since`: {error}"))?),
                "until" => query.until = Some(value.parse().map_err(|error| format!("`until`: {error}"))?),
                "grep" => {
                    let built = RegexBuilder::new(value).size_limit(MAX_REGEX).dfa_size_limit(MAX_REGEX).build();
                    query.grep = Some(built.map_err(|_| invalid("a regular expression"))?);
                }
                "follow" => query.follow = matches!(value.as_str(), "" | "1" | "true"),
                _ => {
                    return Err(format!(
                        "unknown parameter `{name}`: expected stream, lines, since, until, grep or follow"
                    ));
                }
            }
        }
        Ok(query)
    }

    /// What to look for in the logs.
    pub(super) fn to_query(&self) -> Query {
        let now = wall_clock();
        let ns = |moment: &TimeSpec| {
            i64::try_from(moment.resolve(now, &TimeZone::system()).0).unwrap_or(i64::MAX).saturating_mul(1_000_000)
        };
        Query {
            since_ns: self.since.as_ref().map(ns),
            until_ns: self.until.as_ref().map(ns),
            count: Some(self.lines),
            grep: self.grep.clone(),
        }
    }
}

/// What the thread has to look with.
pub(super) struct LogDesk {
    pub(super) paths: Paths,
    pub(super) views: Views,
}

impl LogDesk {
    /// Lines in the shape of `tsm logs --json`.
    pub(super) fn lines(&self, name: &str, query: &LogQuery) -> Result<String, Fault> {
        let sources = LogSource::of(&find(&self.paths, name)?, &query.streams);
        let wanted = query.to_query();
        let mut json = (self.views.log_lines)(&sources);
        let lines = logs::select(&sources, &wanted)?.into_iter().filter(|line| wanted.matches(line));
        let lines: Vec<String> = lines.map(&mut json).collect();
        let mut left = MAX_BYTES;
        let fits = |line: &&String| {
            left = left.saturating_sub(line.len() + 1);
            left > 0
        };
        let kept = lines.iter().rev().take_while(fits).count();
        Ok(format!("[{}]\n", lines[lines.len() - kept..].join(",")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<LogQuery, String> {
        LogQuery::parse(&super::super::route::parse_query(text).expect("a query"))
    }

    #[test]
    fn a_query_says_which_lines_are_meant() {
        let all = parse("").expect("a query");
        assert_eq!((all.lines, all.streams.len(), all.follow), (100, 2, false));
        let some = parse("lines=7&stream=stderr&grep=a%2Bb&follow&since=10m").expect("a query");
        assert_eq!((some.lines, some.streams, some.follow), (7, vec![StreamKind::Err], true));
        assert!(some.grep.is_some_and(|it| it.is_match(b"xaab")) && some.since.is_some());
        for (text, expected) in [
            ("lines=5001", "invalid value `5001` for `lines`: expected a number up to 5000"),
            ("lines=-1", "invalid value `-1` for `lines`: expected a number up to 5000"),
            ("stream=out", "invalid value `out` for `stream`: expected stdout or stderr"),
            ("grep=(", "invalid value `(` for `grep`: expected a regular expression"),
            ("tail=1", "unknown parameter `tail`: expected stream, lines, since, until, grep or follow"),
        ] {
            assert_eq!(parse(text).expect_err("wrong"), expected);
        }
        assert!(parse("grep=%5Cw%7B1000%7D%7B1000%7D").is_err(), "a pattern has a largest size");
    }
}
