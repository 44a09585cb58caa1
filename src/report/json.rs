//! The JSON of reports and faults, written. [`super::read`] reads it back.

use std::borrow::Cow;
use std::fmt;

use serde::ser::{Serialize, Serializer};
use serde_json::{Value as Json, json};

use super::value::to_jiff_timestamp;
use super::{Block, Cell, Fields, JsonShape, Message, Prose, Row, Table, Value, Visibility};
use crate::base::control;
use crate::base::diagnostic::{Diagnostic, Label, Severity};
use crate::base::fault::Fault;

/// Numbers are numbers, times RFC 3339 in UTC, durations seconds, sizes bytes.
impl Serialize for Value {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => to.serialize_unit(),
            Self::Bool(it) => to.serialize_bool(*it),
            Self::Int(it) => to.serialize_i64(*it),
            Self::Float(it) => to.serialize_f64(*it),
            Self::Text(it) => to.serialize_str(it),
            Self::Time(it) => match to_jiff_timestamp(*it) {
                Some(time) => to.collect_str(&time),
                None => to.serialize_unit(),
            },
            Self::Duration(it) if it.subsec_nanos() == 0 => to.serialize_u64(it.as_secs()),
            Self::Duration(it) => to.serialize_f64(it.as_secs_f64()),
            Self::Bytes(it) => to.serialize_u64(*it),
            Self::List(it) => to.collect_seq(it),
            Self::Record(it) => to.collect_map(it.iter().map(|(key, it)| (key, it))),
        }
    }
}

/// An object with every column for each row.
impl Serialize for Table {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(self.rows.iter().map(|cells| TableRow { table: self, cells }))
    }
}

struct TableRow<'a> {
    table: &'a Table,
    cells: &'a [Cell],
}

impl Serialize for TableRow<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let columns = self.table.columns.iter().zip(self.cells);
        let columns = columns.filter(|(column, _)| column.visibility != Visibility::TextOnly);
        to.collect_map(columns.map(|(column, cell)| (&column.key, &cell.value)))
    }
}

/// One object.
impl Serialize for Fields {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let fields = self.fields.iter().filter(|field| field.visibility != Visibility::TextOnly);
        to.collect_map(fields.map(|field| (&field.key, &field.cell.value)))
    }
}

/// The data; the text under `message` without data.
impl Serialize for Message {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        if self.data.is_empty() {
            return to.collect_map([("message", &self.text)]);
        }
        object(&self.data, to)
    }
}

fn object<S: Serializer>(entries: &[(Cow<'static, str>, Cell)], to: S) -> Result<S::Ok, S::Error> {
    to.collect_map(entries.iter().map(|(key, cell)| (key, &cell.value)))
}

struct RowData<'a>(&'a dyn Row);

impl Serialize for RowData<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        object(&self.0.data(), to)
    }
}

/// The data of a block.
#[derive(Debug)]
pub struct Data<'a>(&'a Block);

impl Serialize for Data<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Block::Table(it) => it.serialize(to),
            Block::Fields(it) => it.serialize(to),
            Block::Message(it) => it.serialize(to),
            Block::Text(it) | Block::Prose(Prose(it)) => it.serialize(to),
            Block::TextWithData { data, .. } => data.serialize(to),
            Block::Rows(it) => to.collect_seq(it.iter().map(|row| RowData(&**row))),
            Block::Findings(it) => to.collect_seq(it.iter().map(diagnostic)),
            Block::RowStream(_) | Block::Note(_) => to.serialize_unit(),
        }
    }
}

/// On one line.
impl fmt::Display for Data<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&line(self))
    }
}

/// The data of a block; none for notes and row streams.
#[must_use]
pub fn block(block: &Block) -> Option<Data<'_>> {
    (!matches!(block, Block::RowStream(_) | Block::Note(_))).then_some(Data(block))
}

/// The data of a row on one line, without its end.
#[must_use]
pub fn row(row: &dyn Row) -> String {
    line(&RowData(row))
}

/// The data of blocks in the given shape, pretty-printed.
#[must_use]
pub fn document(data: &[Data], shape: JsonShape) -> String {
    let text = match (shape, data) {
        (JsonShape::Many, _) | (JsonShape::One, [_, _, ..]) => serde_json::to_string_pretty(data),
        (JsonShape::One, [only]) => serde_json::to_string_pretty(only),
        (JsonShape::One, []) => serde_json::to_string_pretty(&()),
    };
    control::escape_json(&text.expect("keys are strings, and nothing in a report fails to serialize"))
}

/// A note, on a line.
#[must_use]
pub fn note(text: &str) -> String {
    format!("{}\n", json!({ "note": text }))
}

/// A fault on one line: `{"error":{"kind","message","causes":[],"advice","at"?,"diagnostics"?}}`.
#[must_use]
pub fn fault(fault: &Fault) -> String {
    let mut error = json!({
        "kind": fault.kind.word(),
        "message": fault.to_string(),
        "causes": fault.causes(),
        "advice": fault.advice,
    });
    if let Some(at) = &fault.at {
        error["at"] = json!({ "file": at.file, "line": at.line, "column": at.column });
    }
    if !fault.diagnostics.is_empty() {
        error["diagnostics"] = fault.diagnostics.iter().map(diagnostic).collect();
    }
    line(&json!({ "error": error }))
}

/// A diagnostic: severity, message, file, labels with their positions, help.
fn diagnostic(it: &Diagnostic) -> Json {
    let label = |label: &Label| {
        let place = it.location_of(label);
        json!({ "line": place.line, "column": place.column, "width": place.width, "text": label.text })
    };
    json!({
        "severity": if it.severity == Severity::Error { "error" } else { "warning" },
        "message": it.title,
        "file": it.file,
        "labels": it.labels.iter().map(label).collect::<Vec<_>>(),
        "help": it.help,
    })
}

fn line(it: &impl Serialize) -> String {
    let text = serde_json::to_string(it).expect("keys are strings, and nothing in a report fails to serialize");
    control::escape_json(&text)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::base::fault::{FaultKind, Location};
    use crate::base::time::Timestamp;

    fn text(block: impl Into<Block>) -> String {
        Data(&block.into()).to_string()
    }

    #[test]
    fn data_keeps_its_type() {
        for (given, json) in [
            (Value::Null, "null"),
            (Value::Int(8000), "8000"),
            (Value::Time(Timestamp(1_763_640_131_500)), "\"2025-11-20T12:02:11.5Z\""),
            (Value::Duration(Duration::from_secs(90)), "90"),
            (Value::Duration(Duration::from_millis(1500)), "1.5"),
            (Value::Bytes(1 << 20), "1048576"),
            (Value::Text("a\u{1b}b".into()), "\"a\\u001bb\""),
            (Value::Record(vec![("b".into(), 1_i64.into()), ("a".into(), true.into())]), "{\"b\":1,\"a\":true}"),
        ] {
            assert_eq!(line(&given), json);
        }
    }

    #[test]
    fn a_table_is_an_array_of_objects_with_every_column() {
        let mut table = Table::new(&[("id", "ID"), ("name", "NAME")]).with_visibility("name", Visibility::Never);
        table.row(vec![0_i64.into(), Cell::from("api").text("API")]);
        assert_eq!(text(table), r#"[{"id":0,"name":"api"}]"#);
        let mut table = Table::new(&[("none", ""), ("up", ""), ("size", ""), ("all", "")]);
        table.row(vec![
            Value::Null.into(),
            true.into(),
            Value::Bytes(5).into(),
            Value::List(vec![1_i64.into(), 0.5.into()]).into(),
        ]);
        assert_eq!(text(table), r#"[{"none":null,"up":true,"size":5,"all":[1,0.5]}]"#);
    }

    #[test]
    fn one_thing_is_an_object_and_many_an_array() {
        let message = Block::from(Message::new("api is up").with("name", "api"));
        let data = || Data(&message);
        assert_eq!(document(&[data()], JsonShape::One), "{\n  \"name\": \"api\"\n}");
        assert_eq!(document(&[data()], JsonShape::Many), "[\n  {\n    \"name\": \"api\"\n  }\n]");
        assert!(document(&[data(), data()], JsonShape::One).starts_with("[\n"));
        assert_eq!(document(&[], JsonShape::One), "null");
        assert_eq!(document(&[], JsonShape::Many), "[]");
    }

    #[test]
    fn control_characters_are_escaped() {
        let given = "a\u{9b}31m\u{202e}b\u{7f}";
        let message = Block::from(Message::new(given).with("name", given));
        let escaped = r"a\u009b31m\u202eb\u007f";
        assert!(document(&[Data(&message)], JsonShape::One).contains(escaped));
        assert_eq!(Data(&message).to_string(), format!("{{\"name\":\"{escaped}\"}}"));
    }

    #[test]
    fn a_message_without_data_is_its_text() {
        assert_eq!(text(Message::new("done")), r#"{"message":"done"}"#);
    }

    #[test]
    fn a_fault_names_kind_causes_advice_and_location() {
        let location = Location { file: "a.tetra".into(), line: 3, column: 5, width: 2, text: "tsm xx".into() };
        let given = Fault::new(FaultKind::NotFound, "no such command").with_advice("try help");
        assert_eq!(
            fault(&given),
            r#"{"error":{"kind":"not-found","message":"no such command","causes":[],"advice":"try help"}}"#
        );
        assert!(fault(&given.at(location)).contains(r#""at":{"file":"a.tetra","line":3,"column":5}"#));
    }
}
