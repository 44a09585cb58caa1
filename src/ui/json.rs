//! The JSON of a report.

use std::fmt;

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Map, Value as Json, json};

use super::text::to_jiff_timestamp;
use crate::base::control;
use crate::base::diagnostic::{Diagnostic, Label, Severity};
use crate::base::fault::Fault;
use crate::report::{Block, Cell, Fields, JsonShape, Message, Table, Value};

/// A value: times as RFC 3339 in UTC, durations in seconds, sizes in bytes.
#[must_use]
pub fn value(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(it) => json!(it),
        Value::Int(it) => json!(it),
        Value::Float(it) => json!(it),
        Value::Text(it) => json!(it),
        Value::Time(it) => to_jiff_timestamp(*it).map_or(Json::Null, |point| json!(point.to_string())),
        Value::Duration(it) if it.subsec_nanos() == 0 => json!(it.as_secs()),
        Value::Duration(it) => json!(it.as_secs_f64()),
        Value::Bytes(it) => json!(it),
        Value::List(it) => it.iter().map(self::value).collect(),
        Value::Record(it) => Json::Object(it.iter().map(|(key, it)| (key.clone(), self::value(it))).collect()),
    }
}

/// The data of a message; the text itself under `message` without data.
#[must_use]
pub fn message(sentence: &Message) -> Json {
    if sentence.data.is_empty() {
        return json!({ "message": sentence.text });
    }
    object(sentence.data.iter().map(|(key, cell)| (*key, cell)))
}

/// The data of a block.
#[derive(Debug)]
pub enum Data<'a> {
    /// A table, serialized from its cells: building a tree for a thousand processes takes longer than reading them.
    Table(&'a Table),
    /// Everything else.
    Other(Json),
}

impl Serialize for Data<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Table(table) => to.collect_seq(table.rows.iter().map(|cells| TableRow { table, cells })),
            Self::Other(data) => data.serialize(to),
        }
    }
}

/// On one line.
impl fmt::Display for Data<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&control::escape_json(&serde_json::to_string(self).map_err(|_| fmt::Error)?))
    }
}

/// One row of a table: an object with every column.
struct TableRow<'a> {
    table: &'a Table,
    cells: &'a [Cell],
}

impl Serialize for TableRow<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut row = to.serialize_map(Some(self.cells.len()))?;
        for (column, cell) in self.table.columns.iter().zip(self.cells) {
            match &cell.value {
                Value::Null => row.serialize_entry(column.key, &())?,
                Value::Bool(it) => row.serialize_entry(column.key, it)?,
                Value::Int(it) => row.serialize_entry(column.key, it)?,
                Value::Text(it) => row.serialize_entry(column.key, it)?,
                other => row.serialize_entry(column.key, &value(other))?,
            }
        }
        row.end()
    }
}

/// The data of a block; none for notes and row streams.
#[must_use]
pub fn block(block: &Block) -> Option<Data<'_>> {
    Some(Data::Other(match block {
        Block::Table(it) => return Some(Data::Table(it)),
        Block::Fields(it) => fields(it),
        Block::Message(it) => message(it),
        Block::Text(it) => json!(it),
        Block::TextWithData { data, .. } => value(data),
        Block::Rows(it) => it.iter().map(|row| message(&row.message)).collect(),
        Block::Findings(it) => it.iter().map(diagnostic).collect(),
        Block::RowStream(_) | Block::Note(_) => return None,
    }))
}

/// The data of blocks in the given shape, pretty-printed.
#[must_use]
pub fn document(data: &[Data], shape: JsonShape) -> String {
    let text = match (shape, data) {
        (JsonShape::Many, _) | (JsonShape::One, [_, _, ..]) => serde_json::to_string_pretty(data),
        (JsonShape::One, [only]) => serde_json::to_string_pretty(only),
        (JsonShape::One, []) => serde_json::to_string_pretty(&()),
    };
    control::escape_json(&text.expect("the keys are texts, and memory takes everything"))
}

/// A fault: `{"error":{"kind","message","causes":[],"advice","at"?,"diagnostics"?}}`.
#[must_use]
pub fn fault(fault: &Fault) -> Json {
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
    json!({ "error": error })
}

/// A diagnostic: severity, message, file, labels with their positions, help.
#[must_use]
pub fn diagnostic(it: &Diagnostic) -> Json {
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

fn fields(fields: &Fields) -> Json {
    object(fields.fields.iter().map(|(key, _, cell, _)| (*key, cell)))
}

fn object<'a>(cells: impl Iterator<Item = (&'static str, &'a Cell)>) -> Json {
    Json::Object(cells.map(|(key, cell)| (key.to_owned(), value(&cell.value))).collect::<Map<_, _>>())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::base::fault::{FaultKind, Location};
    use crate::base::time::Timestamp;
    use crate::report::Visibility;

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
            assert_eq!(value(&given).to_string(), json);
        }
    }

    #[test]
    fn a_table_is_an_array_of_objects_with_every_column() {
        let mut table = Table::new(&[("id", "ID"), ("name", "NAME")]).with_visibility("name", Visibility::Never);
        table.row(vec![0_i64.into(), Cell::from("api").text("API")]);
        assert_eq!(block(&table.into()).map(|it| it.to_string()).as_deref(), Some(r#"[{"id":0,"name":"api"}]"#));
        let mut table = Table::new(&[("none", ""), ("up", ""), ("size", ""), ("all", "")]);
        table.row(vec![
            Value::Null.into(),
            true.into(),
            Value::Bytes(5).into(),
            Value::List(vec![1_i64.into(), 0.5.into()]).into(),
        ]);
        assert_eq!(
            block(&table.into()).map(|it| it.to_string()).as_deref(),
            Some(r#"[{"none":null,"up":true,"size":5,"all":[1,0.5]}]"#)
        );
    }

    #[test]
    fn one_thing_is_an_object_and_many_an_array() {
        let said = || Data::Other(message(&Message::new("api is up").with("name", "api")));
        assert_eq!(document(&[said()], JsonShape::One), "{\n  \"name\": \"api\"\n}");
        assert_eq!(document(&[said()], JsonShape::Many), "[\n  {\n    \"name\": \"api\"\n  }\n]");
        assert!(document(&[said(), said()], JsonShape::One).starts_with("[\n"));
        assert_eq!(document(&[], JsonShape::One), "null");
        assert_eq!(document(&[], JsonShape::Many), "[]");
    }

    #[test]
    fn nothing_in_it_is_obeyed_by_a_terminal() {
        let text = "a\u{9b}31m\u{202e}b\u{7f}";
        let said = || Data::Other(message(&Message::new(text).with("name", text)));
        let escaped = r"a\u009b31m\u202eb\u007f";
        assert!(document(&[said()], JsonShape::One).contains(escaped));
        assert_eq!(said().to_string(), format!("{{\"name\":\"{escaped}\"}}"));
    }

    #[test]
    fn a_sentence_without_data_is_its_message() {
        assert_eq!(message(&Message::new("done")), json!({"message": "done"}));
    }

    #[test]
    fn a_fault_names_kind_causes_advice_and_place() {
        let place = Location { file: "a.tetra".into(), line: 3, column: 5, width: 2, text: "tsm xx".into() };
        let given = Fault::new(FaultKind::NotFound, "no such command").with_advice("try help");
        assert_eq!(
            fault(&given).to_string(),
            r#"{"error":{"kind":"not-found","message":"no such command","causes":[],"advice":"try help"}}"#
        );
        assert_eq!(fault(&given.at(place))["error"]["at"], json!({"file": "a.tetra", "line": 3, "column": 5}));
    }
}
