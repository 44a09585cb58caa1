//! The options of a process in reports: a field for each row of the table.

use crate::report::{Cell, Field, Fields, Value, Visibility};
use crate::supervise::limits::MemoryMethod;
use crate::supervise::meta::RunSpec;
use crate::tsm::environment::EnvFile;
use crate::tsm::limits;
use crate::tsm::options::OPTIONS;
use crate::tsm::options::kind::OptionValue;
use crate::tsm::options::table::{OptionSection, ServiceOption};
use crate::tsm::plan::StartPlan;

/// Adds every option to a report about what would run, unless the report has it; without a record all of them are unknown.
pub(super) fn planned(mut fields: Fields, run: Option<&RunSpec>) -> Fields {
    for option in
        OPTIONS.iter().filter(|option| !matches!(option.section, OptionSection::Monitor | OptionSection::Limits))
    {
        if !fields.fields.iter().any(|field| field.key == option.name) {
            fields = fields.with(option.name, run.map_or(Cell::from(Value::Null), |run| cell(option.show(run))));
        }
    }
    match run {
        Some(run) => fields.with("looked_after", monitored(run)).with("limits", limits(run, None)),
        None => fields.with("looked_after", Value::Null).with("limits", Value::Null),
    }
}

/// Hides from people what there is nothing to say about.
pub(super) fn without_blanks(mut fields: Fields) -> Fields {
    for Field { cell, visibility, .. } in &mut fields.fields {
        let blank = match &cell.value {
            Value::Null => cell.text.is_none(),
            Value::List(items) => items.is_empty(),
            _ => false,
        };
        if blank {
            *visibility = Visibility::Never;
        }
    }
    fields
}

/// Adds the options of a section to a report about a process.
pub(super) fn section(fields: Fields, run: &RunSpec, section: OptionSection) -> Fields {
    let own = OPTIONS.iter().filter(|option| option.section == section);
    own.fold(fields, |fields, option| match option.show(run) {
        OptionValue::Flag(false) if section == OptionSection::Changed => fields.json_only(option.label, false),
        _ if section == OptionSection::Changed && option.is_default(run) => fields.with(option.label, Value::Null),
        shown => fields.with(option.label, cell(shown)),
    })
}

/// What the sidecar looks after, one option each.
fn monitored(run: &RunSpec) -> Cell {
    let words: Vec<String> = set(run, OptionSection::Monitor)
        .map(|option| format!("{} {}", option.name.replace('_', " "), option.show(run)))
        .collect();
    let text = words.join("; ");
    let cell = Cell::from(words);
    if text.is_empty() { cell } else { cell.text(text) }
}

/// What the sidecar looks after, by the names that `tsm info` has for it.
pub(super) fn monitor_record(run: &RunSpec) -> Vec<(String, Value)> {
    let value = |option: &ServiceOption| match option.show(run) {
        list @ OptionValue::List(_) => Value::Text(list.to_string()),
        shown => value(shown),
    };
    set(run, OptionSection::Monitor).map(|option| (option.label.to_owned(), value(option))).collect()
}

/// The options of a section that are not the default.
fn set(run: &RunSpec, section: OptionSection) -> impl Iterator<Item = &'static ServiceOption> {
    OPTIONS.iter().filter(move |option| option.section == section && !option.is_default(run))
}

/// What a process may have, as data and in words; what enforces the limit of memory where that is known.
pub(super) fn limits(run: &RunSpec, by: Option<MemoryMethod>) -> Cell {
    if run.limits.is_empty() {
        return Value::Null.into();
    }
    let how = match by {
        Some(MemoryMethod::Group) => Value::from("control group"),
        Some(MemoryMethod::Data) => Value::from("RLIMIT_DATA"),
        Some(MemoryMethod::Nothing) | None => Value::Null,
    };
    let own = OPTIONS.iter().filter(|option| option.section == OptionSection::Limits);
    let mut record: Vec<(String, Value)> =
        own.map(|option| (option.label.to_owned(), value(option.show(run)))).collect();
    record.insert(1, ("memory_by".to_owned(), how));
    Cell::from(Value::Record(record)).text(limits::describe(&run.limits, by).join(", "))
}

/// The env files of a process: the strongest as data, all of them in words.
pub(super) fn env_file(strongest: &str, all: Vec<String>) -> Cell {
    let cell = Cell::from(Value::from(Some(strongest).filter(|file| !file.is_empty())));
    if all.len() > 1 { cell.text(all.join(" ")) } else { cell }
}

/// The same for a plan.
pub(super) fn planned_env_file(plan: &StartPlan) -> Cell {
    let strongest = plan.strongest_env_file().map(|path| path.display().to_string()).unwrap_or_default();
    env_file(&strongest, plan.env_files.iter().map(EnvFile::name).collect())
}

/// A value of an option, as data.
fn value(value: OptionValue) -> Value {
    match value {
        OptionValue::Nothing => Value::Null,
        OptionValue::Text(text) => text.into(),
        OptionValue::Flag(yes) => yes.into(),
        OptionValue::Number(number) => Value::from(number),
        OptionValue::Span(span) => Value::Duration(span),
        OptionValue::Bytes(bytes) => Value::Bytes(bytes),
        OptionValue::List(items) => Value::from(items),
    }
}

fn cell(shown: OptionValue) -> Cell {
    let has_own_text = match &shown {
        OptionValue::List(items) => !items.is_empty(),
        OptionValue::Span(_) => true,
        _ => false,
    };
    let text = has_own_text.then(|| shown.to_string());
    let cell = Cell::from(value(shown));
    match text {
        Some(text) => cell.text(text),
        None => cell,
    }
}
