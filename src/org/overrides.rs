//! `[overrides.ENV]` of local.toml: differences between environments, read and written.

use crate::config::Value;

use super::draft::OVERRIDES;
use super::error::OrgError;
use super::profile::{Profile, inner};
use super::{alias, shape};
use crate::base::environment::EnvName;
use crate::config::document::{Document, Leaf, TableLayout};
use crate::config::edits::{Edits, NewEntry};
use crate::config::path::{KeyPath, quoted};
use crate::config::template;
use crate::config::value::{same, spelled};

/// Which environment the overrides are for.
#[derive(Debug, Clone, Copy)]
pub struct OverrideScope<'a> {
    /// The environment.
    pub env: &'a EnvName,
    /// Its profile, which may have other names for it.
    pub profile: &'a Profile,
}

impl OverrideScope<'_> {
    fn matches_name(&self, name: &String) -> bool {
        name.parse::<EnvName>().ok().as_ref() == Some(self.env) || self.profile.aliases.contains(name)
    }

    /// The key that a value of local.toml overrides, by its current name; none if it is not an override for this environment.
    #[must_use]
    pub fn overridden_key(&self, leaf: &Leaf) -> Option<KeyPath> {
        let [first, name, keys @ ..] = leaf.path.keys() else { return None };
        let path =
            inner(keys).filter(|path| first == OVERRIDES && self.matches_name(name) && !path.keys().is_empty())?;
        Some(alias::canonical(&path).unwrap_or(path))
    }

    /// What is in the way of an override of this key: a table of its name, or a value where its table would be.
    #[must_use]
    pub fn obstacle(&self, document: &Document, path: &KeyPath) -> Option<KeyPath> {
        let full = self.full_path(document, path);
        if document.leaf(&full).is_some() {
            return None;
        }
        let around = std::iter::successors(full.parent(), KeyPath::parent);
        let mut around = around.filter(|it| it.keys().len() > 2);
        let is_value =
            |it: &KeyPath| document.leaf(it).is_some() || document.tables.get(it) == Some(&TableLayout::ArrayOfTables);
        if document.tables.contains_key(&full) { Some(full) } else { around.find(is_value) }
    }

    /// Where an override of a key is written.
    fn full_path(&self, document: &Document, path: &KeyPath) -> KeyPath {
        let table = self.table(document);
        let keys = table.keys().iter().cloned().chain(path.keys().iter().map(|key| single(key)));
        KeyPath::new(keys.collect())
    }

    /// The table in which they are written.
    fn table(&self, document: &Document) -> KeyPath {
        let known = document
            .tables
            .keys()
            .find(|path| matches!(path.keys(), [first, name] if first == OVERRIDES && self.matches_name(name)));
        known.cloned().unwrap_or_else(|| KeyPath::of(&[OVERRIDES, self.env.as_str()]))
    }
}

/// A value to be kept, and as it is spelled.
#[derive(Debug, Clone, PartialEq)]
pub struct OverrideValue {
    path: KeyPath,
    value: Value,
    written: String,
}

impl OverrideValue {
    /// A value of a generated file, which has no variables any more.
    #[must_use]
    pub fn of(document: &Document, leaf: &Leaf) -> Self {
        let value = literal(&leaf.value);
        let written = spelled(&document.source.text[leaf.span.clone()]).filter(|_| same(&value, &leaf.value));
        Self { path: leaf.path.clone(), written: written.unwrap_or_else(|| value.to_string()), value }
    }
}

/// A literal value: dollars and braces in it have no meaning.
fn literal(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(template::encode(text)),
        Value::Array(items) => Value::Array(items.iter().map(literal).collect()),
        Value::Table(table) => Value::Table(table.iter().map(|(key, value)| (key.clone(), literal(value))).collect()),
        other => other.clone(),
    }
}

/// A key that is read as one key, also with a dot in it: see [`inner`].
fn single(key: &str) -> String {
    if key.contains('.') { quoted(key) } else { key.to_owned() }
}

/// A document with these values below the overrides of an environment, in the form in which they are written there. Everything
/// else stays as it was.
///
/// # Errors
///
/// Fails if there is no place for them in the document.
pub fn write_overrides(
    document: &Document,
    whose: OverrideScope,
    values: &[OverrideValue],
) -> Result<Document, OrgError> {
    let name = std::path::Path::new(&document.source.name);
    let misfits = shape::shape_errors(document);
    if !misfits.is_empty() {
        return Err(OrgError::invalid(name, misfits));
    }
    let known =
        |path: &KeyPath| document.leaves.iter().rev().find(|leaf| whose.overridden_key(leaf).as_ref() == Some(path));
    let table = whose.table(document);
    let mut edits = Edits::new(document);
    for OverrideValue { path, written, .. } in values {
        match known(path) {
            Some(leaf) => edits.value(leaf, written),
            None => {
                if let Some(obstacle) = whose.obstacle(document, path) {
                    let wrong = format!("cannot write an override of `{path}`: it conflicts with `{obstacle}`");
                    let place = document.span_of(&obstacle);
                    return Err(OrgError::invalid(name, vec![document.shown().error(wrong, place, "")]));
                }
                let path = whose.full_path(document, path);
                edits.add(NewEntry { path: &path, table: &table, value: written, comment: None });
            }
        }
    }
    let text = edits.finish();
    let unfaithful = |keys| OrgError::RoundTripMismatch { env: whose.env.clone(), keys };
    let read = Document::parse(&document.source.name, &text).map_err(|_| unfaithful(vec!["its syntax".to_owned()]))?;
    let is_there = |kept: &&OverrideValue| {
        let mut leaves = read.leaves.iter().rev();
        let leaf = leaves.find(|leaf| whose.overridden_key(leaf).as_ref() == Some(&kept.path));
        leaf.is_some_and(|leaf| same(&leaf.value, &kept.value))
    };
    let lost = values.iter().filter(|kept| !is_there(kept)).map(|kept| kept.path.to_string());
    let others = document.leaves.iter().filter(|leaf| whose.overridden_key(leaf).is_none());
    let changed = others.filter(|leaf| !read.leaf(&leaf.path).is_some_and(|it| same(&it.value, &leaf.value)));
    let wrong: Vec<String> = lost.chain(changed.map(|leaf| leaf.path.to_string())).collect();
    if wrong.is_empty() { Ok(read) } else { Err(unfaithful(wrong)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(text: &str) -> Vec<OverrideValue> {
        let document = Document::parse("dev.toml", text).expect("TOML");
        document.leaves.iter().map(|leaf| OverrideValue::of(&document, leaf)).collect()
    }

    fn written(text: &str, values: &str) -> String {
        let document = Document::parse("local.toml", text).expect("TOML");
        let (env, profile) = ("prod".parse().expect("a name"), Profile::built_in("prod").expect("there"));
        let whose = OverrideScope { env: &env, profile: &profile };
        let made = write_overrides(&document, whose, &kept(values)).unwrap_or_else(|error| panic!("{error}\n{text}"));
        made.source.text.to_string()
    }

    #[test]
    fn values_are_added_or_replaced_and_the_rest_stays() {
        let values = "resources.memory_max = 8\na.b = true";
        for (text, expected) in [
            ("x = 1 # c\n", "x = 1 # c\n\n[overrides.prod]\nresources.memory_max = 8\na.b = true\n"),
            (
                "[overrides.prod]\n\"resources.memory_max\" = 4 # c\n[y]\n",
                "[overrides.prod]\n\"resources.memory_max\" = 8 # c\na.b = true\n[y]\n",
            ),
            ("[overrides.production]\na.b = false", "[overrides.production]\na.b = true\nresources.memory_max = 8\n"),
        ] {
            assert_eq!(written(text, values), expected);
        }
    }

    #[test]
    fn the_form_that_is_there_is_kept() {
        let values = "resources.memory_max = 8";
        for (text, expected) in [
            ("overrides.prod.a = 1\n[y]\n", "overrides.prod.a = 1\noverrides.prod.resources.memory_max = 8\n[y]\n"),
            ("[overrides]\nprod.a = 1\n", "[overrides]\nprod.a = 1\nprod.resources.memory_max = 8\n"),
            (
                "overrides = { prod = { a = 1 } } # c\n",
                "overrides = { prod = { a = 1, resources.memory_max = 8 } } # c\n",
            ),
            ("[overrides]\nprod = {}\n", "[overrides]\nprod = { resources.memory_max = 8 }\n"),
            ("[overrides]\ndev.a = 1\n", "[overrides]\ndev.a = 1\n\n[overrides.prod]\nresources.memory_max = 8\n"),
            ("overrides.dev.a = 1\n", "overrides.dev.a = 1\noverrides.prod.resources.memory_max = 8\n"),
            ("overrides = { dev.a = 1 }\n", "overrides = { dev.a = 1, prod.resources.memory_max = 8 }\n"),
            ("[overrides.prod.resources]\nx = 1\n[y]\n", "[overrides.prod.resources]\nx = 1\nmemory_max = 8\n[y]\n"),
            ("[overrides.prod]\nresources = { x = 1 }\n", "[overrides.prod]\nresources = { x = 1, memory_max = 8 }\n"),
            (
                "[overrides.prod.resources.y]\nx = 1\n",
                "[overrides.prod.resources.y]\nx = 1\n\n[overrides.prod]\nresources.memory_max = 8\n",
            ),
            ("a = 1\r\n[overrides.prod]\r\n", "a = 1\r\n[overrides.prod]\r\nresources.memory_max = 8\r\n"),
        ] {
            assert_eq!(written(text, values), expected);
        }
    }

    #[test]
    fn what_is_in_the_way_is_reported() {
        let (env, profile) = ("prod".parse().expect("a name"), Profile::built_in("prod").expect("there"));
        let whose = OverrideScope { env: &env, profile: &profile };
        for text in [
            "[overrides.prod]\na.b = {}\n",
            "[overrides.prod.a.b]\nc = 1\n",
            "[overrides.prod]\na = 1\n",
            "[[overrides.prod.a]]\n",
        ] {
            let document = Document::parse("local.toml", text).expect("TOML");
            let error = write_overrides(&document, whose, &kept("a.b = 1")).expect_err("it has no room");
            assert!(matches!(error, OrgError::Invalid { .. }), "{error}");
        }
    }

    #[test]
    fn what_is_kept_is_literal_and_stays_as_it_was_spelled() {
        assert_eq!(written("", "\"a.b\".c = 1"), "[overrides.prod]\n'\"a.b\"'.c = 1\n");
        let made = written("", "a = '${X} and ${{Y}}'\nb = 0x1F\nc = ['${Z}']\n");
        assert_eq!(made, "[overrides.prod]\na = \"$${X} and $${{Y}}\"\nb = 0x1F\nc = [\"$${Z}\"]\n");
    }
}
