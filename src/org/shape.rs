//! Conflicts: a value where a table is expected, a table where a value is, and names that mean nothing.

use std::ops::Range;

use super::draft::{Draft, Layer, OVERRIDES, ProfileChain};
use super::known_keys::{self, ValueType};
use crate::base::diagnostic::{Diagnostic, SourceText};
use crate::base::fault::UserFacingError;
use crate::base::name::ServiceName;
use crate::base::sort::SortExt;
use crate::config::Value;
use crate::config::document::{Document, TableLayout};
use crate::config::path::KeyPath;

/// How something is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NodeKind {
    Value,
    Table,
    ArrayOfTables,
}

/// Known tables and services that are not written as such.
#[must_use]
pub fn shape_errors(document: &Document) -> Vec<Diagnostic> {
    let keys = known_keys::keys();
    let values = document.leaves.iter().map(|leaf| (&leaf.path, NodeKind::Value));
    let tables = document.tables.iter().map(|(path, place)| match place {
        TableLayout::ArrayOfTables => (path, NodeKind::ArrayOfTables),
        _ => (path, NodeKind::Table),
    });
    let is_item =
        |path: &KeyPath| path.parent().is_some_and(|it| document.tables.get(&it) == Some(&TableLayout::ArrayOfTables));
    let mut found: Vec<(Range<usize>, Diagnostic)> = Vec::new();
    for (path, form) in tables.chain(values).filter(|(path, _)| !is_item(path)) {
        if let Some((title, help)) = check_shape(path, form, &keys) {
            let place = document.span_of(path);
            found.push((place.clone(), document.shown().error(title, place, "").help(help)));
        }
    }
    for leaf in document.leaves.iter().filter(|leaf| is_invalid_command(&leaf.path, &leaf.value)) {
        let wrong = document.shown().error(format!("`{}` is empty", leaf.path), leaf.span.clone(), "");
        found.push((leaf.span.clone(), wrong.help("write the command of the service")));
    }
    found.order_by_key(|(place, _)| place.start);
    found.into_iter().map(|(_, wrong)| wrong).collect()
}

/// The same for what a promotion gives.
#[must_use]
pub fn check_values(draft: &Draft, chain: &ProfileChain) -> Vec<Diagnostic> {
    let keys = known_keys::keys();
    let mut found: Vec<Diagnostic> = Vec::new();
    for (path, cell) in draft.values.iter().filter(|(_, cell)| cell.value.is_some() && !cell.changes.is_empty()) {
        if cell.value.as_ref().is_some_and(|value| is_invalid_command(path, value)) {
            let wrong = wanted(draft, chain, path, format!("`{path}` is empty"));
            found.push(wrong.help("write the command of the service"));
        }
        let tables = std::iter::successors(path.parent(), KeyPath::parent).map(|table| (table, NodeKind::Table));
        let new = tables.filter(|(table, _)| !draft.document.tables.contains_key(table));
        for (it, form) in new.chain([(path.clone(), NodeKind::Value)]) {
            let Some((title, help)) = check_shape(&it, form, &keys) else { continue };
            if !found.iter().any(|known| known.title == title) {
                found.push(wanted(draft, chain, path, title).help(help));
            }
        }
    }
    found
}

/// The command of a service that runs nothing.
fn is_invalid_command(path: &KeyPath, value: &Value) -> bool {
    matches!(path.keys(), [first, _, last] if first == "services" && last == "command")
        && value.as_str().is_some_and(|text| text.trim().is_empty())
}

/// Tables in which every key is a table.
const OF_TABLES: [&str; 2] = ["services", OVERRIDES];

/// What is wrong with the form or the name of something, and what to write.
fn check_shape(path: &KeyPath, form: NodeKind, keys: &[(KeyPath, ValueType)]) -> Option<(String, String)> {
    let wants_table = match path.keys() {
        [first] => known_keys::TABLES.contains(&first.as_str()),
        [first, _] => OF_TABLES.contains(&first.as_str()),
        _ => false,
    };
    match form {
        NodeKind::Value if wants_table => {
            return Some((format!("`{path}` must be a table"), format!("write [{path}]")));
        }
        NodeKind::ArrayOfTables if wants_table => {
            return Some((format!("`{path}` must be a table, not an array of tables"), format!("write [{path}]")));
        }
        NodeKind::Table | NodeKind::ArrayOfTables if keys.iter().any(|(key, _)| path.matches(key)) => {
            return Some((format!("`{path}` must be a value, not a table"), format!("write {} = …", path.last())));
        }
        _ => {}
    }
    match path.keys() {
        [first, name] if first == "services" => {
            let wrong = name.parse::<ServiceName>().err()?;
            Some((wrong.to_string(), wrong.advice().unwrap_or_default()))
        }
        _ => None,
    }
}

/// Values of a draft that have no place in one document.
#[must_use]
pub fn collisions(draft: &Draft, chain: &ProfileChain) -> Vec<Diagnostic> {
    let mut found: Vec<Diagnostic> = Vec::new();
    let given = draft.values.iter().filter(|(_, cell)| cell.value.is_some() && !cell.changes.is_empty());
    for path in given.map(|(path, _)| path) {
        let wrong = nested_below_value(draft, chain, path).or_else(|| overwrites_table(draft, chain, path));
        let new = wrong.filter(|wrong| !found.iter().any(|it| it.title == wrong.title));
        found.extend(new);
    }
    found
}

/// A key below something that is not a table, or below an array of tables, or where nothing is kept.
fn nested_below_value(draft: &Draft, chain: &ProfileChain, path: &KeyPath) -> Option<Diagnostic> {
    if path.keys()[0] == OVERRIDES {
        let title = format!("cannot set `{path}`: `{OVERRIDES}` is reserved for differences between environments");
        return Some(wanted(draft, chain, path, title).help(format!("set `{}` itself", path.suffix(2))));
    }
    let help = format!("`{path}` belongs below it; write [{{}}]");
    for table in std::iter::successors(path.parent(), KeyPath::parent) {
        let help = help.replace("{}", &table.to_string());
        let title = format!("`{table}` is not a table");
        if draft.value(&table).is_some() {
            let cell = &draft.values[&table];
            return Some(
                match cell.leaf.filter(|_| cell.changes.is_empty()).map(|leaf| &draft.document.leaves[leaf]) {
                    Some(leaf) => draft.document.shown().error(title, leaf.span.clone(), "a value").help(help),
                    None => wanted(draft, chain, &table, title).help(help),
                },
            );
        }
        let item = draft.document.tables.get(&table) == Some(&TableLayout::ArrayOfTables);
        let known = path.keys().get(table.keys().len()).map(|number| table.join(number));
        if item && !known.is_some_and(|item| draft.document.tables.contains_key(&item)) {
            let title = format!("`{table}` is an array of tables, not a table");
            let place = draft.document.span_of(&table);
            return Some(draft.document.shown().error(title, place, "an array of tables").help(help));
        }
    }
    None
}

/// A value given to what is a table.
fn overwrites_table(draft: &Draft, chain: &ProfileChain, path: &KeyPath) -> Option<Diagnostic> {
    let below = draft.values.range(path.join("")..).take_while(|(it, _)| it.is_within(path));
    let inside = below.filter(|(it, cell)| *it != path && cell.value.is_some()).count();
    let known = draft.document.tables.contains_key(path);
    (known || inside > 0).then(|| wanted(draft, chain, path, format!("cannot replace the table `{path}` with a value")))
}

/// Reported at the place that sets the value.
fn wanted(draft: &Draft, chain: &ProfileChain, path: &KeyPath, title: String) -> Diagnostic {
    let cell = &draft.values[path];
    if cell.changes.last().is_some_and(|step| step.layer == Layer::Option) {
        let text = path.to_string();
        return SourceText::new("--set", text.clone()).error(title, 0..text.len(), "");
    }
    let (source, span) = draft.location(cell, chain);
    source.error(title, span, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_applied_is_reported_with_its_place() {
        for (text, expected) in [
            ("services = 3", vec!["`services` must be a table"]),
            ("[services]\nweb = 'node a.js'", vec!["`services.web` must be a table"]),
            ("[[services]]\ncommand = 'x'", vec!["`services` must be a table, not an array of tables"]),
            ("[[services.web]]\ncommand = 'x'", vec!["`services.web` must be a table, not an array of tables"]),
            ("[[backup]]\nname = 'db'", vec!["`backup` must be a table, not an array of tables"]),
            ("[resources.memory_max]\nmost = 1", vec!["`resources.memory_max` must be a value, not a table"]),
            ("[ports.web]\nhttp = 80", vec!["`ports.web` must be a value, not a table"]),
            ("[overrides]\ndev = 3", vec!["`overrides.dev` must be a table"]),
            ("[services.\"my web\"]\ncommand = 'x'\n[services.80]\ncommand = 'x'", vec!["my web", "80"]),
            ("[services.web]\ncommand = ' '", vec!["`services.web.command` is empty"]),
            ("[own]\nservices = 3\n[[more]]\na = 1", vec![]),
        ] {
            let found = shape_errors(&Document::parse("f", text).expect("TOML"));
            assert_eq!(found.len(), expected.len(), "{text}: {found:?}");
            for (wrong, title) in found.iter().zip(expected) {
                assert!(wrong.title.contains(title), "{title} in {}", wrong.title);
            }
        }
    }
}
