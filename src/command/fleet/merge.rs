//! One answer of those of several hosts.

use std::time::Duration;

use super::FleetOutput;
use super::answer::{AnswerRecord, HostAnswer};
use crate::base::fault::Fault;
use crate::base::sort::SortExt;
use crate::command::tsm;
use crate::report::{
    Block, Cell, Column, Field, Fields, Message, Report, Row, RowStream, Table, Tone, Value, Visibility,
};

/// What is wider than this is shown as fields, host by host.
const MAX_COLUMNS: usize = 8;

/// Keys whose numbers are seconds.
const DURATIONS: [&str; 3] = ["uptime", "age", "next_in"];

/// Keys whose numbers are bytes.
const SIZES: [&str; 3] = ["memory", "size", "bytes"];

/// A row of one host.
struct HostRow {
    host: String,
    record: AnswerRecord,
}

/// The report of a command. Its exit code is the highest of all hosts.
pub(super) fn report(answers: Vec<HostAnswer>, name: &str, output: FleetOutput) -> Report {
    let code = answers.iter().map(|answer| answer.code).max().unwrap_or(0);
    let notes: Vec<String> =
        answers.iter().flat_map(|answer| answer.notes.iter().map(|note| format!("{}: {note}", answer.host))).collect();
    let (mut rows, mut failures) = (Vec::new(), Vec::new());
    for HostAnswer { host, records, faults, .. } in answers {
        rows.extend(records.into_iter().map(|record| HostRow { host: host.clone(), record: apart(record) }));
        failures.extend(faults.iter().map(|fault| HostRow { host: host.clone(), record: failure(fault) }));
    }
    let is_log = name == "tsm logs";
    if is_log {
        rows.order_by_key(|row| time(&row.record));
    }
    let blocks = match output {
        FleetOutput::Json => {
            let all = rows.into_iter().chain(failures);
            vec![RowStream::of(all.map(|row| Ok(json_row(row)))).into()]
        }
        FleetOutput::Text { .. } if is_log => {
            let lines: Vec<Box<dyn Row>> = rows.into_iter().map(|row| log_row(&row.host, row.record)).collect();
            let mut blocks = vec![Block::Rows(lines)];
            blocks.extend((!failures.is_empty()).then(|| Block::from(table(failures, Table::default()))));
            blocks
        }
        FleetOutput::Text { verbose } => {
            let template = if name == "tsm list" { tsm::list::columns(verbose) } else { Table::default() };
            text(rows, failures, template)
        }
    };
    let report = Report { blocks, code: (code != 0).then_some(code), ..Report::default() };
    notes.into_iter().fold(report, Report::note)
}

/// A host that a row names itself is not that on which it was found.
fn apart(mut record: AnswerRecord) -> AnswerRecord {
    for (key, _) in record.iter_mut().filter(|(key, _)| key == "host") {
        "remote_host".clone_into(key);
    }
    record
}

/// What did not work, as a row.
fn failure(fault: &Fault) -> AnswerRecord {
    let why = std::iter::once(fault.to_string()).chain(fault.causes()).collect::<Vec<_>>().join(": ");
    vec![("error".to_owned(), why.into()), ("kind".to_owned(), fault.kind.word().into())]
}

fn json_row(HostRow { host, record }: HostRow) -> Box<dyn Row> {
    let own = std::iter::once(("host".into(), host.into()));
    let data = own.chain(record.into_iter().map(|(key, value)| (key.into(), value.into()))).collect();
    Message { data, ..Message::new("") }.into()
}

/// A line of a log with its host, and its process if the host says it.
pub(super) fn log_row(host: &str, record: AnswerRecord) -> Box<dyn Row> {
    let text = |key: &str| match record.iter().find(|(known, _)| known == key) {
        Some((_, Value::Text(text))) => text.as_str(),
        _ => "",
    };
    let tone = if text("stream") == "err" { Tone::Warn } else { Tone::Plain };
    let line = format!("{host} {} | {}", text("process"), text("line"));
    let own = std::iter::once(("host".into(), host.into()));
    let data = own.chain(record.iter().map(|(key, value)| (key.clone().into(), value.clone().into()))).collect();
    Message { tone, data, ..Message::new(line) }.into()
}

/// Milliseconds; what has no time is before all.
pub(super) fn time(record: &AnswerRecord) -> u64 {
    let found = record.iter().find(|(key, _)| key == "time");
    found.map_or(0, |(_, value)| if let Value::Time(time) = value { time.0 } else { 0 })
}

/// A table, or fields of each row if it would be too wide.
fn text(rows: Vec<HostRow>, failures: Vec<HostRow>, template: Table) -> Vec<Block> {
    let is_value = |value: &Value| !matches!(value, Value::Null | Value::List(_) | Value::Record(_));
    let widest = rows.iter().map(|row| row.record.iter().filter(|(_, value)| is_value(value)).count()).max();
    if template.columns.is_empty() && widest.is_some_and(|widest| widest > MAX_COLUMNS) {
        let mut blocks: Vec<Block> = rows.into_iter().map(|row| Block::Fields(fields(row))).collect();
        blocks.extend((!failures.is_empty()).then(|| Block::from(table(failures, Table::default()))));
        return blocks;
    }
    vec![table(rows.into_iter().chain(failures).collect(), template).into()]
}

fn fields(HostRow { host, record }: HostRow) -> Fields {
    let field = |(key, value): (String, Value)| Field {
        title: key.replace('_', " "),
        visibility: if value == Value::Null { Visibility::Never } else { Visibility::Always },
        cell: cell(&key, value),
        key: key.into(),
    };
    Fields { title: Some(host), fields: record.into_iter().map(field).collect() }
}

/// The columns of `template` first, with the others behind them that have a value.
fn table(rows: Vec<HostRow>, template: Table) -> Table {
    let mut keys: Vec<String> = template.columns.iter().map(|column| column.key.to_string()).collect();
    for (key, _) in rows.iter().flat_map(|row| &row.record) {
        if !keys.contains(key) {
            keys.push(key.clone());
        }
    }
    let column = |key: &String| {
        let has_value =
            rows.iter().flat_map(|row| &row.record).any(|(known, value)| known == key && *value != Value::Null);
        let known = template.columns.iter().find(|column| column.key == *key);
        let visibility = match known {
            Some(column) => column.visibility,
            None if has_value && key != "kind" => Visibility::Always,
            None => Visibility::Never,
        };
        let title = known.map_or_else(|| key.replace('_', " ").to_uppercase().into(), |column| column.title.clone());
        Column { key: key.clone().into(), title, visibility }
    };
    let host = Column { key: "host".into(), title: "HOST".into(), visibility: Visibility::Always };
    let columns: Vec<Column> = std::iter::once(host).chain(keys.iter().map(column)).collect();
    let mut merged = Table { columns, rows: Vec::new(), empty_text: Some("no host has any".to_owned()) };
    for HostRow { host, mut record } in rows {
        let mut cells = vec![Cell::from(host.as_str()).tone(Tone::Strong)];
        for key in &keys {
            let at = record.iter().position(|(known, _)| known == key);
            let value = at.map_or(Value::Null, |at| record.swap_remove(at).1);
            cells.push(cell(key, value));
        }
        merged.row(cells);
    }
    merged
}

/// The value with its unit, which JSON does not have, and with its tone.
fn cell(key: &str, value: Value) -> Cell {
    let tone = match (key, &value) {
        ("error", Value::Text(_)) => Tone::Bad,
        ("status", Value::Text(text)) if text == "online" => Tone::Good,
        ("status", Value::Text(text)) if text == "crashed" => Tone::Bad,
        _ => Tone::Plain,
    };
    let value = match value {
        Value::Int(number) if DURATIONS.contains(&key) => Value::Duration(Duration::from_secs(number.unsigned_abs())),
        Value::Float(number) if DURATIONS.contains(&key) => {
            Duration::try_from_secs_f64(number).map_or(Value::Float(number), Value::Duration)
        }
        Value::Int(number) if SIZES.contains(&key) => Value::Bytes(number.unsigned_abs()),
        other => other,
    };
    Cell::from(value).tone(tone)
}
