//! Events that processes report in their logs, and what can be learned from them.
//!
//! A line reports an event as `TETRA:CATEGORY:EVENT {json}`, or is itself one JSON object as structured loggers write them. All
//! other lines report nothing. Who an event belongs to is read from the names that loggers use for it.

pub mod kinds;
pub mod sessions;
pub mod trigger;
pub mod trigger_run;
pub mod usage;

use std::time::Duration;

use serde_json::{Map, Value};

use super::logs::LogLine;
use crate::base::time::Timestamp;
pub use kinds::ReportedKind;

/// Something that happened inside a process.
#[derive(Debug, Clone, PartialEq)]
pub struct ReportedEvent {
    /// When: what its data say, else when its line was written.
    pub at: Option<Timestamp>,
    /// The first word, in capitals: `API`, `SESSION`; `LOG` for JSON lines that name none.
    pub category: String,
    /// The second word, in capitals: `REQUEST`, `START`; the level of a JSON line that names none.
    pub name: String,
    /// What is known about it.
    pub data: Map<String, Value>,
}

/// The prefix of an event.
const EVENT_PREFIX: &str = "TETRA:";

impl ReportedEvent {
    /// The event that a line reports, if it reports one.
    #[must_use]
    pub fn parse(line: &LogLine) -> Option<Self> {
        let text = std::str::from_utf8(&line.bytes).ok()?.trim();
        let written = line.unix_ns.and_then(|ns| u64::try_from(ns / 1_000_000).ok()).map(Timestamp);
        let (category, name, data) = parse_prefixed(text).or_else(|| parse_log_entry(text))?;
        let at = ["timestamp", "time", "ts", "@timestamp"]
            .iter()
            .find_map(|key| parse_timestamp(data.get(*key)?))
            .or(written);
        Some(Self { at, category, name, data })
    }

    /// `CATEGORY:EVENT`.
    #[must_use]
    pub fn title(&self) -> String {
        format!("{}:{}", self.category, self.name)
    }

    /// The first of these that its data have, as text.
    fn text(&self, keys: &[&str]) -> Option<String> {
        keys.iter().find_map(|key| match self.data.get(*key)? {
            Value::String(text) if !text.is_empty() => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            Value::Null | Value::String(_) | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
        })
    }

    /// Which visit it belongs to.
    #[must_use]
    pub fn session(&self) -> Option<String> {
        self.text(&["sessionId", "session_id", "session", "sid"])
    }

    /// Who did it.
    #[must_use]
    pub fn user(&self) -> Option<String> {
        self.text(&["userId", "user_id", "user", "username", "email"])
    }

    /// From which address.
    #[must_use]
    pub fn address(&self) -> Option<String> {
        self.text(&["ip", "ipAddress", "ip_address", "clientIp", "remoteAddress"])
    }

    /// With which device.
    #[must_use]
    pub fn device(&self) -> Option<String> {
        self.text(&["deviceId", "device_id", "device", "userAgent", "user_agent"])
    }

    /// On what: a page, a path, an element.
    #[must_use]
    pub fn target(&self) -> Option<String> {
        self.text(&["element", "target", "button", "path", "url", "page", "route", "endpoint", "query"])
    }

    /// How long the answer took.
    #[must_use]
    pub fn response_time(&self) -> Option<Duration> {
        let keys = ["responseTime", "response_time", "durationMs", "duration_ms", "duration", "latency"];
        let millis = keys.iter().find_map(|key| match self.data.get(*key)? {
            Value::Number(number) => number.as_f64(),
            Value::String(text) => text.trim_end_matches("ms").trim().parse().ok(),
            _ => None,
        })?;
        Duration::try_from_secs_f64(millis / 1000.0).ok()
    }

    /// True if it went wrong: its name says so, its level, or a status from 500 on.
    #[must_use]
    pub fn is_error(&self) -> bool {
        let level = self.text(&["level", "severity"]).is_some_and(|level| is_error_level(&level));
        let status = self.text(&["status", "statusCode", "status_code"]).and_then(|status| status.parse::<u32>().ok());
        level || status.is_some_and(|status| status >= 500) || self.has("ERROR") || self.has("FAIL")
    }

    /// True if its category or name has this word in it.
    #[must_use]
    pub fn has(&self, word: &str) -> bool {
        self.category.contains(word) || self.name.contains(word)
    }

    /// Everything about it as one object.
    #[must_use]
    pub fn to_json(&self, process: &str) -> Value {
        let time = self.at.and_then(|at| jiff::Timestamp::from_millisecond(i64::try_from(at.0).ok()?).ok());
        serde_json::json!({
            "time": time.map(|time| time.to_string()),
            "process": process,
            "category": self.category,
            "event": self.name,
            "data": self.data,
        })
    }
}

/// Bunyan and pino write numbers.
fn is_error_level(level: &str) -> bool {
    let word = level.to_ascii_lowercase();
    ["error", "err", "fatal", "critical", "crit", "alert", "emerg", "panic"].contains(&&*word)
        || level.parse::<u32>().is_ok_and(|level| level >= 50)
}

/// `TETRA:CATEGORY:EVENT {json}`, also behind what a logger puts in front.
fn parse_prefixed(text: &str) -> Option<(String, String, Map<String, Value>)> {
    let start = text
        .match_indices(EVENT_PREFIX)
        .map(|(at, _)| at)
        .find(|at| text[..*at].chars().next_back().is_none_or(|before| !before.is_alphanumeric()))?;
    let rest = &text[start + EVENT_PREFIX.len()..];
    let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
    let (category, name) = rest[..end].split_once(':')?;
    if category.is_empty() || name.is_empty() {
        return None;
    }
    let data = match serde_json::from_str(rest[end..].trim()) {
        Ok(Value::Object(data)) => data,
        _ if rest[end..].trim().is_empty() => Map::new(),
        // Words instead of data are data too.
        _ => Map::from_iter([("message".to_owned(), rest[end..].trim().into())]),
    };
    Some((category.to_ascii_uppercase(), name.to_ascii_uppercase(), data))
}

/// A line that is one JSON object.
fn parse_log_entry(text: &str) -> Option<(String, String, Map<String, Value>)> {
    if !text.starts_with('{') {
        return None;
    }
    let Ok(Value::Object(data)) = serde_json::from_str(text) else { return None };
    let word = |keys: &[&str]| keys.iter().find_map(|key| data.get(*key)?.as_str()).map(str::to_ascii_uppercase);
    let category = word(&["category"]).unwrap_or_else(|| "LOG".to_owned());
    let name = word(&["event", "type", "level", "severity"]).unwrap_or_else(|| "LINE".to_owned());
    Some((category, name, data))
}

/// RFC 3339, or seconds or milliseconds since 1970.
fn parse_timestamp(value: &Value) -> Option<Timestamp> {
    let millis = match value {
        Value::String(text) => text.parse::<jiff::Timestamp>().ok()?.as_millisecond().try_into().ok()?,
        Value::Number(number) => match number.as_f64()? {
            // Seconds until the year 5138, which milliseconds passed in 1973.
            seconds if (0.0..1e11).contains(&seconds) => (seconds * 1000.0) as u64,
            millis if millis >= 1e11 => millis as u64,
            _ => return None,
        },
        _ => return None,
    };
    Some(Timestamp(millis))
}

#[cfg(test)]
pub(in crate::tsm) mod tests {
    use super::*;

    pub(in crate::tsm) fn event(text: &str) -> ReportedEvent {
        try_event(text).unwrap_or_else(|| panic!("`{text}` reports an event"))
    }

    fn try_event(text: &str) -> Option<ReportedEvent> {
        ReportedEvent::parse(&LogLine {
            source: 0,
            unix_ns: Some(5_000_000),
            bytes: text.into(),
            complete: true,
            removed_before: 0,
            end: 0,
        })
    }

    #[test]
    fn lines_that_report_events() {
        for (text, title, at) in [
            ("TETRA:API:REQUEST {\"status\":200}", "API:REQUEST", 5),
            ("12:00 [info] TETRA:session:start {\"ts\":1795176000}", "SESSION:START", 1_795_176_000_000),
            ("TETRA:BATCH:FLUSH", "BATCH:FLUSH", 5),
            ("TETRA:BATCH:FLUSH 17 rows", "BATCH:FLUSH", 5),
            ("{\"level\":\"error\",\"msg\":\"no\",\"time\":1795176000123}", "LOG:ERROR", 1_795_176_000_123),
            (
                "{\"category\":\"api\",\"event\":\"hit\",\"timestamp\":\"2026-11-20T12:00:00Z\"}",
                "API:HIT",
                1_795_176_000_000,
            ),
            ("{}", "LOG:LINE", 5),
        ] {
            let event = event(text);
            assert_eq!((event.title().as_str(), event.at), (title, Some(Timestamp(at))), "{text}");
        }
        for text in ["", "hello", "XTETRA:A:B", "TETRA:", "TETRA:A", "TETRA::B {}", "[1]", "{broken"] {
            assert_eq!(try_event(text), None, "{text}");
        }
        assert_eq!(event("TETRA:BATCH:FLUSH 17 rows").data["message"], "17 rows");
    }

    #[test]
    fn who_and_what_is_read_from_the_usual_names() {
        let it =
            event(r#"TETRA:API:DONE {"session_id":"s1","userId":7,"clientIp":"::1","responseTime":"12ms","path":"/"}"#);
        assert_eq!(
            (it.session(), it.user(), it.address(), it.target()),
            (Some("s1".into()), Some("7".into()), Some("::1".into()), Some("/".into()))
        );
        assert_eq!(it.response_time(), Some(Duration::from_millis(12)));
    }

    #[test]
    fn what_went_wrong_is_an_error() {
        for (text, is) in [
            ("TETRA:API:ERROR {}", true),
            ("TETRA:API:DONE {\"status\":503}", true),
            ("TETRA:API:DONE {\"status\":404}", false),
            ("{\"level\":50}", true),
            ("{\"level\":\"warn\"}", false),
            ("TETRA:AUTH:LOGIN_FAILED {}", true),
        ] {
            assert_eq!(event(text).is_error(), is, "{text}");
        }
    }
}
