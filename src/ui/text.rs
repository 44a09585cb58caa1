//! Values as text.

use jiff::tz::TimeZone;

use super::sanitize;
use crate::base::size;
use crate::base::time::{HumanDuration, Timestamp};
use crate::report::value::to_jiff_timestamp;
use crate::report::{Cell, Value};

/// The text of a cell, on one line and escaped, without colors.
#[must_use]
pub fn cell(cell: &Cell, zone: &TimeZone) -> String {
    let text = cell.text.clone().unwrap_or_else(|| value(&cell.value, zone));
    sanitize::one_line(&text).into_owned()
}

fn value(value: &Value, zone: &TimeZone) -> String {
    let inner = |it: &Value| self::value(it, zone);
    match value {
        Value::Null => "-".to_owned(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::Int(number) => number.to_string(),
        Value::Float(number) => format!("{number:.1}"),
        Value::Text(text) => text.clone(),
        Value::Time(time) => format_local(*time, zone),
        Value::Duration(span) => HumanDuration(*span).to_string(),
        Value::Bytes(bytes) => size::human_readable(*bytes),
        Value::List(list) if list.is_empty() => "-".to_owned(),
        Value::List(list) => list.iter().map(inner).collect::<Vec<_>>().join(", "),
        Value::Record(fields) => {
            fields.iter().map(|(key, it)| format!("{key}={}", inner(it))).collect::<Vec<_>>().join(" ")
        }
    }
}

/// `2026-11-20 13:02:11` in the given zone.
#[must_use]
pub fn format_local(time: Timestamp, zone: &TimeZone) -> String {
    let Some(point) = to_jiff_timestamp(time) else { return "-".to_owned() };
    point.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn people_read_units_and_words() {
        for (value, text) in [
            (Value::Null, "-"),
            (Value::Bool(true), "yes"),
            (Value::Duration(Duration::from_secs(312)), "5m 12s"),
            (Value::Bytes(0), "0 B"),
            (Value::Bytes(1536), "1.5 KiB"),
            (Value::Bytes(10 << 20), "10.0 MiB"),
            (Value::Bytes(u64::MAX), "15.9 EiB"),
            (Value::Time(Timestamp(1_763_640_131_500)), "2025-11-20 12:02:11"),
            (Value::Time(Timestamp(u64::MAX)), "-"),
            (Value::List(vec!["a".into(), 1_i64.into()]), "a, 1"),
            (Value::Record(vec![("k".into(), "v".into()), ("n".into(), 2_i64.into())]), "k=v n=2"),
            (Value::Text("a\u{1b}[2Jb".into()), "a\\u{1b}[2Jb"),
        ] {
            assert_eq!(cell(&value.clone().into(), &TimeZone::UTC), text, "{value:?}");
        }
    }

    #[test]
    fn a_cell_may_say_it_differently() {
        assert_eq!(cell(&Cell::from(0_i64).text("none"), &TimeZone::UTC), "none");
    }
}
