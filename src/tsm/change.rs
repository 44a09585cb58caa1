//! What is different about a process once it is started by its definition as it is now.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde_json::Value;

use super::sidecar::NOTIFY;
use crate::base::redact;
use crate::base::size::Size;
use crate::base::sort::SortExt;
use crate::base::time::HumanDuration;
use crate::supervise::meta::Meta;

/// Something that a restart changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldChange {
    /// What it is called.
    pub what: String,
    /// As it was; none if it was not there.
    pub from: Option<String>,
    /// As it is now; none if it is gone.
    pub to: Option<String>,
}

impl fmt::Display for FieldChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |side: &Option<String>| side.clone().unwrap_or_else(|| "none".to_owned());
        write!(f, "{}: {} → {}", self.what, shown(&self.from), shown(&self.to))
    }
}

/// Fields that say nothing about what runs: who made the record, and what follows from other fields.
const IGNORED_FIELDS: [&str; 11] = [
    "env_files",
    "word",
    "started_by",
    "created_ms",
    "argv",
    "set",
    "options",
    "log_patience_ms",
    "write_only_output",
    "port_guessed",
    "service",
];

/// What differs between two records of one process, in what to run and how to keep it.
#[must_use]
pub fn between(before: &Meta, after: &Meta) -> Vec<FieldChange> {
    let (old, new) = (fields(before), fields(after));
    let mut keys: Vec<&String> = old.keys().chain(new.keys()).collect();
    keys.order();
    keys.dedup();
    let changed = |key: &&String| old.get(*key) != new.get(*key);
    let change = |key: &String| {
        let shown = |fields: &BTreeMap<String, String>| fields.get(key).map(|value| redact::variable(key, value));
        FieldChange { what: key.clone(), from: shown(&old), to: shown(&new) }
    };
    keys.into_iter().filter(changed).map(change).collect()
}

/// Everything that counts, by its name: fields in small letters, variables by their own.
fn fields(meta: &Meta) -> BTreeMap<String, String> {
    let mut fields = BTreeMap::new();
    let env_files = meta.env_files().iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    let texts = [("command", &meta.command), ("env file", &env_files), ("pre-start command", &meta.prehook)];
    for (name, value) in texts {
        insert(&mut fields, name, &Value::String(value.clone()));
    }
    insert(&mut fields, "directory", &Value::String(meta.cwd.display().to_string()));
    insert(&mut fields, "port", &meta.port.map_or(Value::Null, Value::from));
    if let Ok(Value::Object(run)) = serde_json::to_value(&meta.run) {
        for (key, value) in run.iter().filter(|(key, _)| !IGNORED_FIELDS.contains(&key.as_str())) {
            flatten(&mut fields, key, value);
        }
    }
    let own = meta.run.set.iter().filter(|(key, _)| key != "PORT" && key != NOTIFY);
    fields.extend(own.cloned());
    fields
}

fn flatten(fields: &mut BTreeMap<String, String>, key: &str, value: &Value) {
    match value {
        Value::Object(inner) => inner.iter().for_each(|(key, value)| flatten(fields, key, value)),
        value => {
            let shown = with_unit(key, value).map_or_else(|| value.clone(), Value::String);
            insert(fields, &key.trim_end_matches("_ms").replace('_', " "), &shown);
        }
    }
}

/// A time or a size as people read it; none if it is another number, or zero.
fn with_unit(key: &str, value: &Value) -> Option<String> {
    let number = value.as_u64().filter(|number| *number > 0)?;
    match key {
        "max_memory" | "memory_max" | "log_size" => Some(Size(number).to_string()),
        _ if key.ends_with("_ms") && number.is_multiple_of(1000) => {
            Some(HumanDuration(Duration::from_millis(number)).to_string())
        }
        _ => key.ends_with("_ms").then(|| format!("{number}ms")),
    }
}

/// What is empty, zero or off is as good as nothing.
fn insert(fields: &mut BTreeMap<String, String>, key: &str, value: &Value) {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            items.iter().map(|item| item.as_str().map_or(item.to_string(), str::to_owned)).collect::<Vec<_>>().join(" ")
        }
        Value::Null | Value::Bool(false) => String::new(),
        value if value == &Value::from(0) => String::new(),
        value => value.to_string(),
    };
    if !text.is_empty() {
        fields.insert(key.to_owned(), text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_named_and_secrets_are_not_shown() {
        let record = r#"{"tsm_id":3,"name":"api","pid":9,"command":"node a.js","cwd":"/"}"#;
        let before: Meta = serde_json::from_str(record).expect("a record");
        let mut after = before.clone();
        after.command = "node b.js".to_owned();
        after.run.started_by = 7;
        after.run.kill_timeout_ms = 500;
        after.run.monitor.max_memory = 300 << 20;
        after.run.monitor.cron = "0 4 * * *".to_owned();
        after.run.set = vec![
            ("GREETING".into(), "hi".into()),
            ("DB_PASSWORD".into(), "hunter2".into()),
            ("PORT".into(), "1".into()),
        ];
        let lines: Vec<String> = between(&before, &after).iter().map(ToString::to_string).collect();
        assert_eq!(
            lines,
            [
                "DB_PASSWORD: none → ***",
                "GREETING: none → hi",
                "command: node a.js → node b.js",
                "cron: none → 0 4 * * *",
                "kill timeout: 10s → 500ms",
                "max memory: none → 300M"
            ]
        );
        assert!(between(&after, &after.clone()).is_empty());
    }
}
