//! Reads the JSON of reports and faults: the output of `--json`, of this machine or another.
//!
//! JSON has neither titles, tones nor units: keys become titles, and durations and sizes are numbers. Written again, a report is
//! the same JSON.

use std::error::Error;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use super::value::to_jiff_timestamp;
use super::{Block, Column, Field, Fields, JsonShape, Message, Report, Row, RowStream, Table, Value, Visibility};
use crate::base::fault::{Fault, FaultKind, Location, UserFacingError};
use crate::base::time::Timestamp;

/// The text is not JSON.
#[derive(Debug, thiserror::Error)]
#[error("invalid JSON of a report")]
pub struct ReadError(#[from] serde_json::Error);

impl UserFacingError for ReadError {}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, it: bool) -> Result<Value, E> {
        Ok(Value::Bool(it))
    }

    fn visit_i64<E>(self, it: i64) -> Result<Value, E> {
        Ok(Value::Int(it))
    }

    fn visit_u64<E>(self, it: u64) -> Result<Value, E> {
        Ok(i64::try_from(it).map_or(Value::Bytes(it), Value::Int))
    }

    fn visit_f64<E>(self, it: f64) -> Result<Value, E> {
        Ok(Value::Float(it))
    }

    fn visit_str<E>(self, it: &str) -> Result<Value, E> {
        Ok(time(it).map_or_else(|| Value::Text(it.to_owned()), Value::Time))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut record = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            record.push(entry);
        }
        Ok(Value::Record(record))
    }
}

/// A point in time, if the text is exactly what is written for one.
fn time(text: &str) -> Option<Timestamp> {
    if !(text.ends_with('Z') && text.as_bytes().get(10) == Some(&b'T')) {
        return None;
    }
    let millis = text.parse::<jiff::Timestamp>().ok()?.as_millisecond();
    let time = Timestamp(u64::try_from(millis).ok()?);
    (to_jiff_timestamp(time)?.to_string() == text).then_some(time)
}

/// Reads the standard output of a command with `--json`.
///
/// An array of objects with the same keys becomes a table, another array one block for each item, an object fields; several
/// documents (NDJSON) become a row stream.
///
/// # Errors
///
/// Fails if the text is not JSON.
pub fn report(text: &str) -> Result<Report, ReadError> {
    let documents = serde_json::Deserializer::from_str(text).into_iter::<Value>();
    let mut documents = documents.collect::<Result<Vec<Value>, _>>()?;
    Ok(match documents.len() {
        0 => Report::default(),
        1 => of_document(documents.remove(0)),
        _ => Report::of(RowStream::of(documents.into_iter().map(|it| Ok(Box::new(message(it)) as Box<dyn Row>)))),
    })
}

fn of_document(document: Value) -> Report {
    match document {
        Value::Null => Report::default(),
        Value::List(items) => match table(items) {
            Ok(table) => Report::of(table),
            Err(items) => Report { json_shape: JsonShape::Many, ..Report::each(items.into_iter().map(block)) },
        },
        one => Report::of(block(one)),
    }
}

fn block(value: Value) -> Block {
    match value {
        Value::Record(entries) => Block::Fields(fields(entries)),
        Value::Text(text) => Block::Text(text),
        Value::List(items) => match table(items) {
            Ok(table) => Block::Table(table),
            Err(items) => Block::TextWithData { text: String::new(), data: Value::List(items) },
        },
        data => Block::TextWithData { text: String::new(), data },
    }
}

fn fields(entries: Vec<(String, Value)>) -> Fields {
    let field = |(key, value): (String, Value)| Field {
        title: key.replace('_', " "),
        key: key.into(),
        cell: value.into(),
        visibility: Visibility::Always,
    };
    Fields { title: None, fields: entries.into_iter().map(field).collect() }
}

/// A table, if all items are objects with the same keys in the same order.
fn table(items: Vec<Value>) -> Result<Table, Vec<Value>> {
    let keys = |item: &Value| match item {
        Value::Record(entries) => Some(entries.iter().map(|(key, _)| key.clone()).collect::<Vec<_>>()),
        _ => None,
    };
    let first = items.first().map_or(Some(Vec::new()), keys);
    let Some(first) = first.filter(|first| items.iter().all(|item| keys(item).as_ref() == Some(first))) else {
        return Err(items);
    };
    let column = |key: String| Column {
        title: key.replace('_', " ").to_uppercase().into(),
        key: key.into(),
        visibility: Visibility::Always,
    };
    let cells = |item| match item {
        Value::Record(entries) => entries.into_iter().map(|(_, value)| value.into()).collect(),
        _ => Vec::new(),
    };
    let rows = items.into_iter().map(cells).collect();
    Ok(Table { columns: first.into_iter().map(column).collect(), rows, empty_text: None })
}

/// One document of several.
fn message(value: Value) -> Message {
    let entries = match value {
        Value::Record(entries) => entries,
        other => vec![("value".to_owned(), other)],
    };
    let text = entries.iter().map(|(key, value)| format!("{key}={value:?}")).collect::<Vec<_>>().join(" ");
    let data = entries.into_iter().map(|(key, value)| (key.into(), value.into())).collect();
    Message { data, ..Message::new(text) }
}

/// Reads the faults on the standard error of a command with `--json`; other lines are skipped.
#[must_use]
pub fn faults(text: &str) -> Vec<Fault> {
    text.lines().filter_map(|line| serde_json::from_str::<FaultLine>(line).ok()).map(|it| it.error.into()).collect()
}

/// The note that a line of the standard error of a command with `--json` is; none if it is something else.
#[must_use]
pub fn note(line: &str) -> Option<String> {
    serde_json::from_str::<NoteLine>(line).ok().map(|it| it.note)
}

#[derive(serde::Deserialize)]
struct NoteLine {
    note: String,
}

#[derive(serde::Deserialize)]
struct FaultLine {
    error: FaultData,
}

#[derive(serde::Deserialize)]
struct FaultData {
    kind: String,
    message: String,
    causes: Vec<String>,
    advice: Option<String>,
    at: Option<CellPath>,
    #[serde(default)]
    diagnostics: Vec<DiagnosticData>,
}

#[derive(serde::Deserialize)]
struct CellPath {
    file: String,
    line: usize,
    column: usize,
}

#[derive(serde::Deserialize)]
struct DiagnosticData {
    message: String,
    file: String,
    labels: Vec<LabelData>,
}

#[derive(serde::Deserialize)]
struct LabelData {
    line: usize,
    column: usize,
}

impl From<FaultData> for Fault {
    /// A kind that this version does not know is a plain failure. JSON does not have the text that diagnostics point into, so
    /// they become causes.
    fn from(data: FaultData) -> Self {
        let known = FaultKind::ALL.iter().find(|(_, _, word, _)| *word == data.kind);
        let diagnostics = data.diagnostics.into_iter().map(|it| match it.labels.first() {
            Some(label) => format!("{}:{}:{}: {}", it.file, label.line, label.column, it.message),
            None => format!("{}: {}", it.file, it.message),
        });
        let causes: Vec<String> = data.causes.into_iter().chain(diagnostics).collect();
        let source =
            causes.into_iter().rev().fold(None, |source, message| Some(Box::new(RemoteError { message, source })));
        Self {
            kind: known.map_or(FaultKind::Failed, |(kind, ..)| *kind),
            error: Box::new(RemoteError { message: data.message, source }),
            advice: data.advice,
            at: data.at.map(|CellPath { file, line, column }| {
                Box::new(Location { file, line, column, width: 1, text: String::new() })
            }),
            diagnostics: Vec::new(),
            ended_process: None,
        }
    }
}

/// An error that was read, with its causes.
#[derive(Debug)]
struct RemoteError {
    message: String,
    source: Option<Box<RemoteError>>,
}

impl fmt::Display for RemoteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for RemoteError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|it| it as &(dyn Error + 'static))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::report::json;

    /// What a document is after it was read and written.
    fn again(text: &str) -> String {
        let report = report(text).expect("JSON");
        let data: Vec<_> = report.blocks.iter().filter_map(json::block).collect();
        json::document(&data, report.json_shape)
    }

    fn values() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            any::<u64>().prop_map(Into::into),
            any::<f64>().prop_map(|it| serde_json::Number::from_f64(it).map_or(0.into(), Into::into)),
            any::<String>().prop_map(Into::into),
            "20[0-9]{2}-1[0-2]-[12][0-9]T1[0-9]:00:0[0-9](\\.[0-9]{1,9})?Z".prop_map(Into::into),
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
                proptest::collection::vec(("[a-c]", inner), 0..4)
                    .prop_map(|it| it.into_iter().collect::<serde_json::Map<_, _>>().into()),
            ]
        })
    }

    proptest! {
        #[test]
        fn every_document_is_the_same_after_reading_and_writing(document in values()) {
            let text = serde_json::to_string_pretty(&document).expect("JSON");
            prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&again(&text)).expect("JSON"), document);
        }
    }

    #[test]
    fn an_array_of_like_objects_is_a_table_that_another_can_be_appended_to() {
        let rows = |text| match report(text).expect("JSON").blocks.remove(0) {
            Block::Table(table) => table,
            other => panic!("{other:?}"),
        };
        let mut table = rows(r#"[{"name":"api","pid":12,"since":"2025-11-20T12:02:11.5Z"}]"#);
        assert_eq!(table.rows[0][2].value, Value::Time(Timestamp(1_763_640_131_500)));
        assert_eq!(table.columns[2].title, "SINCE");
        table.append(rows(r#"[{"name":"web","port":80}]"#));
        let columns: Vec<&str> = table.columns.iter().map(|column| &*column.key).collect();
        assert_eq!(columns, ["name", "pid", "since", "port"]);
        let values = |row: &Vec<crate::report::Cell>| row.iter().map(|cell| cell.value.clone()).collect::<Vec<_>>();
        assert_eq!(values(&table.rows[0])[3], Value::Null);
        assert_eq!(values(&table.rows[1]), ["web".into(), Value::Null, Value::Null, 80_i64.into()]);
    }

    #[test]
    fn several_documents_are_rows() {
        let mut report = report("{\"line\":\"a\"}\n{\"line\":\"b\"}\n").expect("JSON");
        let Block::RowStream(stream) = report.blocks.remove(0) else { panic!("a row stream") };
        let rows: Vec<String> = stream.rows.map(|row| json::row(&*row.expect("a row"))).collect();
        assert_eq!(rows, [r#"{"line":"a"}"#, r#"{"line":"b"}"#]);
    }

    #[test]
    fn what_is_not_json_is_refused() {
        for text in ["{", "api is up", "[1,]", "{\"a\":1} x"] {
            assert!(report(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_fault_keeps_kind_message_causes_advice_and_location() {
        for line in [
            r#"{"error":{"kind":"not-found","message":"no such command","causes":[],"advice":"try help"}}"#,
            r#"{"error":{"kind":"locked","message":"a","causes":["b","c"],"advice":null,"at":{"file":"x","line":3,"column":5}}}"#,
        ] {
            let stderr = format!("note: hello\n{line}\n{{}}\n");
            let read: Vec<String> = faults(&stderr).iter().map(json::fault).collect();
            assert_eq!(read, [line]);
        }
        let newer = faults(r#"{"error":{"kind":"from-the-future","message":"a","causes":[],"advice":null}}"#);
        assert_eq!(newer[0].kind, FaultKind::Failed);
    }
}
