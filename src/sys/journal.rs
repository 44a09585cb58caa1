//! What a unit wrote to the journal, read through the operator's own `journalctl`.

use std::{fs, io};

use jiff::tz::TimeZone;
use serde_json::Value;

use super::disk_space::is_readable;
use super::host::{Host, Invocation};
use super::line_stream::LineStream;
use super::systemctl::Manager;
use crate::base::time::Timestamp;

/// A line of a unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalLine {
    /// When it was written; none if the journal does not say.
    pub time: Option<Timestamp>,
    /// By what: `tetra-dev`, `systemd`.
    pub source: String,
    /// By which process.
    pub pid: Option<u32>,
    /// What it says.
    pub text: String,
}

/// Which lines.
#[derive(Debug, Clone)]
pub struct JournalQuery<'a> {
    /// The unit.
    pub unit: &'a str,
    /// Whose it is.
    pub manager: Manager,
    /// How many of the last ones; all if none.
    pub lines: Option<usize>,
    /// None before; in the words of `journalctl`.
    pub since: Option<String>,
}

/// The journal cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// There is no `journalctl`.
    #[error("cannot run `journalctl`")]
    Missing(#[source] io::Error),
    /// No moment that it knows.
    #[error("invalid time `{0}`: expected 10m, 14:05, `2026-11-20 14:05`, `1 hour ago` or `today`")]
    Time(String),
    /// It refuses; in its words.
    #[error("the journal cannot be read: {0}")]
    Refused(String),
}

impl JournalQuery<'_> {
    fn arguments(&self, more: &[&str]) -> Vec<String> {
        let user: &[&str] = if self.manager == Manager::User { &["--user"] } else { &[] };
        let lines = format!("--lines={}", self.lines.map_or_else(|| "all".to_owned(), |lines| lines.to_string()));
        let fields = "--output-fields=MESSAGE,SYSLOG_IDENTIFIER,_PID";
        let fixed = ["--no-pager", "--output=json", fields, &lines, "--unit", self.unit];
        let since: Vec<String> = self.since.iter().map(|since| format!("--since={since}")).collect();
        let words = user.iter().chain(&fixed).chain(more).map(|word| (*word).to_owned());
        words.chain(since).collect()
    }

    /// The lines there are, oldest first.
    ///
    /// # Errors
    ///
    /// Fails if the journal cannot be read by this user.
    pub fn read(&self, host: &dyn Host) -> Result<Vec<JournalLine>, JournalError> {
        // From the end: with `--since` it would otherwise be the first lines of that time.
        let arguments = self.arguments(&["--reverse"]);
        let call = Invocation { program: "journalctl".to_owned(), arguments, ..Invocation::default() };
        let done = host.run(&call).map_err(JournalError::Missing)?;
        let lines: Vec<JournalLine> = String::from_utf8_lossy(&done.stdout).lines().rev().filter_map(parse).collect();
        if done.exit_code != 0 {
            let said = String::from_utf8_lossy(&done.stderr);
            if let Some(since) = self.since.as_ref().filter(|_| said.contains("Failed to parse timestamp")) {
                return Err(JournalError::Time(since.clone()));
            }
            let last = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("no reason given");
            return Err(JournalError::Refused(last.trim().to_owned()));
        }
        // A user who has a journal of their own is shown that one, without a word about the other.
        if lines.is_empty() && self.manager == Manager::System && !is_system_journal_readable() {
            return Err(JournalError::Refused("only root and the group systemd-journal may do that".to_owned()));
        }
        Ok(lines)
    }

    /// The lines there are, and those that follow. After `--since` it would end with the first lines of that time, so that a
    /// query of both has to begin with the time of the first line that is wanted, and no number.
    ///
    /// # Errors
    ///
    /// Fails if there is no `journalctl`.
    pub fn follow(&self) -> Result<impl Iterator<Item = JournalLine> + use<>, JournalError> {
        let stream = LineStream::start("journalctl", &self.arguments(&["--follow"])).map_err(JournalError::Missing)?;
        Ok(stream.filter_map(|line| parse(&line)))
    }
}

impl JournalLine {
    /// As people read it, with the time in a zone.
    #[must_use]
    pub fn shown(&self, zone: &TimeZone) -> String {
        let time = self.time.and_then(|it| jiff::Timestamp::from_millisecond(i64::try_from(it.0).ok()?).ok());
        let time = time.map(|it| it.to_zoned(zone.clone()).strftime("%b %d %H:%M:%S ").to_string()).unwrap_or_default();
        format!("{time}{}: {}", self.source, self.text)
    }
}

/// Where journald keeps what it writes: on the disk, or in memory.
const JOURNALS: [&str; 2] = ["/var/log/journal", "/run/log/journal"];

fn is_system_journal_readable() -> bool {
    let mut machines = JOURNALS.iter().filter_map(|dir| fs::read_dir(dir).ok()).flatten().flatten();
    machines.any(|machine| is_readable(&machine.path().join("system.journal")))
}

fn parse(line: &str) -> Option<JournalLine> {
    let entry: Value = serde_json::from_str(line).ok()?;
    let text = |key: &str| match entry.get(key)? {
        Value::String(text) => Some(text.clone()),
        // What is not UTF-8 comes as bytes.
        Value::Array(bytes) => {
            let bytes: Vec<u8> = bytes.iter().filter_map(|it| u8::try_from(it.as_u64()?).ok()).collect();
            Some(String::from_utf8_lossy(&bytes).into_owned())
        }
        _ => None,
    };
    let microseconds: Option<u64> = text("__REALTIME_TIMESTAMP").and_then(|number| number.parse().ok());
    Some(JournalLine {
        time: microseconds.map(|it| Timestamp(it / 1000)),
        source: text("SYSLOG_IDENTIFIER").unwrap_or_default(),
        pid: text("_PID").and_then(|pid| pid.parse().ok()),
        text: text("MESSAGE")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_also_with_bytes() {
        let line =
            r#"{"MESSAGE":"up","_PID":"7","SYSLOG_IDENTIFIER":"tetra-dev","__REALTIME_TIMESTAMP":"1700000000123456"}"#;
        let read = parse(line).expect("a line");
        assert_eq!((read.pid, read.time, read.text.as_str()), (Some(7), Some(Timestamp(1_700_000_000_123)), "up"));
        assert_eq!(parse(r#"{"MESSAGE":[104,105]}"#).map(|it| it.text).as_deref(), Some("hi"));
        assert_eq!(parse("-- No entries --"), None);
    }
}
