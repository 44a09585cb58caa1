//! What the server says about itself: lines for people or for programs, as many as `LOG_LEVEL` asks for.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use crate::base::time::Timestamp;
use crate::report::value::to_jiff_timestamp;
use crate::report::{Message, Tone, Value};
use crate::sys::os_host::wall_clock;

/// How many lines may wait to be written. Lines beyond that are dropped and counted.
const QUEUE: usize = 256;

/// How much a line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// Something did not work.
    Error,
    /// Something may not be as it should be.
    Warn,
    /// The server began or ended.
    Info,
    /// Each request.
    Debug,
}

/// How lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `2026-11-20T12:00:00.000Z INFO listening on …`
    Pretty,
    /// One JSON object.
    Json,
}

/// What is written, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogOptions {
    /// Lines that matter less are left out.
    pub level: LogLevel,
    /// How they look.
    pub format: Format,
}

impl LogOptions {
    /// As `LOG_LEVEL` and `LOG_FORMAT` say, and what is wrong with these.
    #[must_use]
    pub fn from_variables(variables: &BTreeMap<String, String>) -> (Self, Vec<String>) {
        let mut wrong = Vec::new();
        let get = |name: &str| variables.get(name).map(|value| value.to_ascii_lowercase()).unwrap_or_default();
        let level = match get("LOG_LEVEL").as_str() {
            "error" => LogLevel::Error,
            "warn" | "warning" => LogLevel::Warn,
            "" | "info" => LogLevel::Info,
            "debug" | "trace" => LogLevel::Debug,
            other => {
                wrong.push(format!("invalid value `{other}` for LOG_LEVEL: expected error, warn, info or debug"));
                LogLevel::Info
            }
        };
        let format = match get("LOG_FORMAT").as_str() {
            "" | "pretty" | "text" => Format::Pretty,
            "json" => Format::Json,
            other => {
                wrong.push(format!("invalid value `{other}` for LOG_FORMAT: expected pretty or json"));
                Format::Pretty
            }
        };
        (Self { level, format }, wrong)
    }
}

impl LogLevel {
    fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
        }
    }

    fn tone(self) -> Tone {
        match self {
            Self::Error => Tone::Bad,
            Self::Warn => Tone::Warn,
            Self::Info => Tone::Plain,
            Self::Debug => Tone::Dim,
        }
    }
}

/// Where lines are put.
pub(super) struct Log {
    options: LogOptions,
    to: SyncSender<Message>,
    /// How many lines were not written since the last one that was.
    lost: AtomicU64,
}

impl Log {
    /// A log, and the lines that come.
    pub(super) fn open(options: LogOptions) -> (Self, Receiver<Message>) {
        let (to, lines) = sync_channel(QUEUE);
        (Self { options, to, lost: AtomicU64::new(0) }, lines)
    }

    /// True if lines of this level are written.
    pub(super) fn wants(&self, level: LogLevel) -> bool {
        level <= self.options.level
    }

    /// Writes a line.
    pub(super) fn write(&self, level: LogLevel, text: &str) {
        self.send(ServerLogLine { level, text, request: None });
    }

    /// Writes a line about a request: its path and the status of the answer.
    pub(super) fn write_request(&self, method: &str, path: &str, status: u16) {
        self.send(ServerLogLine { level: LogLevel::Debug, text: method, request: Some((path, status)) });
    }

    fn send(&self, line: ServerLogLine) {
        if !self.wants(line.level) {
            return;
        }
        let lost = self.lost.swap(0, Ordering::Relaxed);
        if self.to.try_send(line.message(self.options.format, wall_clock(), lost)).is_err() {
            self.lost.fetch_add(lost + 1, Ordering::Relaxed);
        }
    }
}

/// What is said.
struct ServerLogLine<'a> {
    level: LogLevel,
    text: &'a str,
    /// The path and the status of the answer.
    request: Option<(&'a str, u16)>,
}

impl ServerLogLine<'_> {
    fn message(&self, format: Format, at: Timestamp, lost: u64) -> Message {
        let (path, status) = self.request.unzip();
        let data: [(&'static str, Value); 6] = [
            ("time", at.into()),
            ("level", self.level.word().into()),
            ("message", self.text.into()),
            ("path", Value::from(path.map(str::to_owned))),
            ("status", Value::from(status)),
            ("lost_lines", lost.into()),
        ];
        let shown = match format {
            Format::Pretty => {
                let time = to_jiff_timestamp(at).map(|at| format!("{at:.3}")).unwrap_or_default();
                let request = self.request.map(|(path, status)| format!(" {path} {status}")).unwrap_or_default();
                let lost = if lost > 0 { format!(" ({lost} lines before it were lost)") } else { String::new() };
                format!("{time} {} {}{request}{lost}", self.level.word().to_ascii_uppercase(), self.text)
            }
            Format::Json => {
                let value = |(key, it): &(&str, Value)| Some(((*key).to_owned(), serde_json::to_value(it).ok()?));
                serde_json::Value::Object(data.iter().filter_map(value).collect()).to_string()
            }
        };
        let message = Message::new(shown).tone(self.level.tone());
        data.into_iter().fold(message, |message, (key, value)| message.with(key, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(level: &str, format: &str) -> (LogOptions, Vec<String>) {
        let pairs = [("LOG_LEVEL", level), ("LOG_FORMAT", format)];
        LogOptions::from_variables(&pairs.iter().map(|(key, it)| ((*key).to_owned(), (*it).to_owned())).collect())
    }

    #[test]
    fn level_and_format_come_from_the_variables() {
        assert_eq!(options("", "").0, LogOptions { level: LogLevel::Info, format: Format::Pretty });
        assert_eq!(options("DEBUG", "json").0, LogOptions { level: LogLevel::Debug, format: Format::Json });
        let (found, wrong) = options("loud", "xml");
        assert_eq!(found, LogOptions { level: LogLevel::Info, format: Format::Pretty });
        assert_eq!(wrong.len(), 2);
        assert_eq!(wrong[1], "invalid value `xml` for LOG_FORMAT: expected pretty or json");
    }

    #[test]
    fn a_line_says_when_how_much_and_what() {
        let at = Timestamp(1_795_176_000_000);
        let line = ServerLogLine { level: LogLevel::Debug, text: "GET", request: Some(("/a b", 200)) };
        let text = |format| line.message(format, at, 0).text;
        assert_eq!(text(Format::Pretty), "2026-11-20T12:00:00.000Z DEBUG GET /a b 200");
        assert_eq!(
            text(Format::Json),
            r#"{"time":"2026-11-20T12:00:00Z","level":"debug","message":"GET","path":"/a b","status":200,"lost_lines":0}"#
        );
    }

    #[test]
    fn lines_that_are_not_read_are_counted() {
        let (log, lines) = Log::open(LogOptions { level: LogLevel::Info, format: Format::Pretty });
        for _ in 0..QUEUE + 3 {
            log.write(LogLevel::Info, "x");
        }
        log.write(LogLevel::Debug, "not wanted");
        assert_eq!(lines.try_iter().count(), QUEUE);
        log.write(LogLevel::Warn, "y");
        assert!(lines.try_recv().expect("a line").text.ends_with("WARN y (3 lines before it were lost)"));
    }
}
