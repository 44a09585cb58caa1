//! Former names of keys: read under the new name, written under it by promote.

use crate::config::Value;

use super::draft::{Draft, Layer, LayerChange, Operation};
use crate::base::diagnostic::Diagnostic;
use crate::config::document::Document;
use crate::config::path::KeyPath;

/// The former name, and the name.
const NAMES: [(&str, &str); 5] = [
    ("system.init_system", "system.init"),
    ("resources.nofile", "resources.limit_nofile"),
    ("resources.nproc", "resources.limit_nproc"),
    ("monitoring.alert_on_failure", "monitoring.alerts_enabled"),
    ("services.*.working_dir", "services.*.cwd"),
];

/// The name of a key today; none if it is that already.
#[must_use]
pub fn canonical(path: &KeyPath) -> Option<KeyPath> {
    NAMES.iter().find_map(|(former, name)| {
        // Most keys are distinguished by their last word, which is cheap to compare.
        if !former.ends_with(path.last()) {
            return None;
        }
        let pattern: KeyPath = former.parse().expect("a test reads the names");
        if !path.matches(&pattern) {
            return None;
        }
        let name: KeyPath = name.parse().expect("a test reads the names");
        Some(path.parent()?.join(name.last()))
    })
}

/// How often a backup is made, if the five fields of a cron line say so in no odd way.
#[must_use]
pub fn schedule(text: &str) -> Option<&'static str> {
    let fields: Vec<&str> = text.split_whitespace().collect();
    let number = |field: &str| field.parse::<u8>().is_ok();
    match fields[..] {
        [] => Some("none"),
        [minute, "*", "*", "*", "*"] if number(minute) => Some("hourly"),
        [minute, hour, "*", "*", "*"] if number(minute) && number(hour) => Some("daily"),
        [minute, hour, "*", "*", day] if number(minute) && number(hour) && number(day) => Some("weekly"),
        [minute, hour, day, "*", "*"] if number(minute) && number(hour) && number(day) => Some("monthly"),
        _ => None,
    }
}

/// Keys that are there under both names.
#[must_use]
pub fn conflicts(document: &Document) -> Vec<Diagnostic> {
    let twice = |leaf: &crate::config::document::Leaf| {
        let name = canonical(&leaf.path)?;
        let other = document.leaf(&name)?;
        let what = format!("`{}` and `{name}` are two names of one key", leaf.path);
        let found = document.shown().error(what, leaf.key.clone(), "former name");
        Some(found.with_label(other.key.clone(), "current name").help("keep one of them"))
    };
    document.leaves.iter().filter_map(twice).collect()
}

/// Puts values under their names of today.
pub fn rename(draft: &mut Draft) {
    let former: Vec<(KeyPath, KeyPath)> =
        draft.values.keys().filter_map(|path| Some((path.clone(), canonical(path)?))).collect();
    for (from, to) in former {
        let Some(mut cell) = draft.values.remove(&from) else { continue };
        cell.changes.push(step(cell.value.clone(), Operation::Renamed));
        draft.values.insert(to, cell);
    }
    let path = KeyPath::of(&["backup", "schedule"]);
    let word = draft.value(&path).and_then(Value::as_str).and_then(schedule);
    if let Some(word) = word {
        draft.set(&path, step(Some(Value::String(word.to_owned())), Operation::Renamed));
    }
}

fn step(value: Option<Value>, deed: Operation) -> LayerChange {
    LayerChange::computed(Layer::Promotion, deed, value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_a_path_in_the_same_table() {
        for (former, name) in NAMES {
            let (former, name): (KeyPath, KeyPath) = (former.parse().expect("a path"), name.parse().expect("a path"));
            assert_eq!(former.parent(), name.parent());
        }
        let path: KeyPath = "services.web.working_dir".parse().expect("a path");
        assert_eq!(canonical(&path).map(|it| it.to_string()).as_deref(), Some("services.web.cwd"));
    }

    #[test]
    fn cron_lines_are_words() {
        for (text, word) in [
            ("0 3 * * *", Some("daily")),
            ("", Some("none")),
            ("15 * * * *", Some("hourly")),
            ("0 3 * * 0", Some("weekly")),
            ("0 3 1 * *", Some("monthly")),
            ("*/5 * * * *", None),
            ("daily", None),
        ] {
            assert_eq!(schedule(text), word, "{text}");
        }
    }

    #[test]
    fn both_names_at_once_are_a_mistake() {
        let document = Document::parse("f", "[resources]\nnofile = 1\nlimit_nofile = 2\n").expect("TOML");
        assert_eq!(conflicts(&document)[0].labels.len(), 2);
    }
}
