//! Changes of a TOML document: collected by what they mean, written into the statements that are there.

use std::collections::BTreeMap;
use std::ops::Range;

use toml_edit::{Decor, InlineTable, Key, Value};

use super::line_editor::LineEditor;
use crate::base::sort::SortExt;
use crate::config::document::{Document, Leaf, TableLayout};
use crate::config::path::KeyPath;

/// Changes of one document.
#[derive(Debug)]
pub struct Edits<'a> {
    document: &'a Document,
    sheet: LineEditor<'a>,
    /// What changes inside of statements that stay.
    inline_edits: BTreeMap<usize, InlineEdits>,
    /// Tables that are new, in order, with their lines.
    tables: Vec<(KeyPath, Vec<String>)>,
}

/// Changes inside of one statement.
#[derive(Debug, Default)]
struct InlineEdits {
    /// Values and keys that are written otherwise.
    replaced: Vec<(Range<usize>, String)>,
    /// Keys of braces that go.
    removed: Vec<KeyPath>,
    /// Keys of braces that come, with their values.
    added: Vec<(KeyPath, String)>,
}

/// A key and its value, to be written where it belongs.
#[derive(Debug, Clone, Copy)]
pub struct NewEntry<'a> {
    /// Its keys.
    pub path: &'a KeyPath,
    /// The table whose header is written if there is no place for it yet.
    pub table: &'a KeyPath,
    /// The value as TOML writes it.
    pub value: &'a str,
    /// Its comment.
    pub comment: Option<&'static str>,
}

impl<'a> Edits<'a> {
    /// None yet.
    #[must_use]
    pub fn new(document: &'a Document) -> Self {
        let sheet = LineEditor::of(&document.source.text, &document.statements);
        Self { document, sheet, inline_edits: BTreeMap::new(), tables: Vec::new() }
    }

    /// Writes another value.
    pub fn value(&mut self, leaf: &Leaf, value: &str) {
        self.inside(&leaf.statement).replaced.push((leaf.span.clone(), value.to_owned()));
    }

    /// Writes another innermost key.
    pub fn key(&mut self, leaf: &Leaf, key: &str) {
        self.inside(&leaf.statement).replaced.push((leaf.key.clone(), key.to_owned()));
    }

    /// Takes a value and its key away.
    pub fn remove(&mut self, leaf: &Leaf) {
        let number = self.document.statement(&leaf.statement);
        let statement = &self.document.statements[number];
        if statement.value.as_ref() == Some(&leaf.span) {
            self.sheet.remove(number);
        } else {
            let path = leaf.path.suffix(statement.path.keys().len());
            self.inline_edits.entry(number).or_default().removed.push(path);
        }
    }

    /// Takes a whole statement away.
    pub fn remove_statement(&mut self, number: usize) {
        self.sheet.remove(number);
    }

    /// True if nothing below a header is left, and nothing comes there.
    #[must_use]
    pub fn is_empty(&self, body: usize) -> bool {
        let statements = self.document.statements.iter().enumerate();
        statements
            .filter(|(_, it)| it.section == body && it.value.is_some())
            .all(|(number, _)| self.sheet.is_removed(number))
    }

    /// Says something about a statement.
    pub fn annotate(&mut self, statement: &Range<usize>, word: &'static str) {
        self.sheet.annotate(self.document.statement(statement), word);
    }

    /// Adds a key, in the form in which its table is written.
    pub fn add(&mut self, new: NewEntry) {
        let tables = &self.document.tables;
        let mut places = ancestors(new.path).filter_map(|path| tables.get_key_value(&path));
        let items = ancestors(new.path).any(|path| tables.get(&path) == Some(&TableLayout::ArrayOfTables));
        let Some((around, place)) = places.next() else { return };
        match place {
            TableLayout::Inline { statement } => {
                let number = self.document.statement(statement);
                let path = new.path.suffix(self.document.statements[number].path.keys().len());
                self.inline_edits.entry(number).or_default().added.push((path, new.value.to_owned()));
                if let Some(word) = new.comment {
                    self.sheet.annotate(number, word);
                }
            }
            TableLayout::Dotted { body } => self.add_line(*body, new),
            TableLayout::Section { body } if items || around.is_within(new.table) => self.add_line(*body, new),
            // An item of an array has no header of its own below which a table of it could be opened anywhere.
            TableLayout::Implicit if items => {
                let body = places.find_map(|(_, place)| match place {
                    TableLayout::Section { body } => Some(*body),
                    _ => None,
                });
                self.add_line(body.unwrap_or_default(), new);
            }
            TableLayout::Implicit | TableLayout::Section { .. } | TableLayout::ArrayOfTables => self.add_table(new),
        }
    }

    fn add_line(&mut self, body: usize, new: NewEntry) {
        let body = &self.document.sections[body];
        self.sheet.add(body.last, &line(&new.path.suffix(body.path.keys().len()), new));
    }

    fn add_table(&mut self, new: NewEntry) {
        let line = line(&new.path.suffix(new.table.keys().len()), new);
        match self.tables.iter_mut().find(|(known, _)| known == new.table) {
            Some((_, lines)) => lines.push(line),
            None => self.tables.push((new.table.clone(), vec![line])),
        }
    }

    fn inside(&mut self, statement: &Range<usize>) -> &mut InlineEdits {
        self.inline_edits.entry(self.document.statement(statement)).or_default()
    }

    /// The text of the document with all changes.
    #[must_use]
    pub fn finish(mut self) -> String {
        for (number, inside) in std::mem::take(&mut self.inline_edits) {
            if !self.sheet.is_removed(number) {
                let statement = &self.document.statements[number];
                let old = &self.document.source.text[statement.span.clone()];
                let value = statement.value.as_ref().map_or(0, |value| value.start - statement.span.start);
                self.sheet.replace(number, inside.applied(old, statement.span.start, value));
            }
        }
        for (table, lines) in self.tables {
            self.sheet.append(std::iter::once(format!("[{}]", table.to_toml())).chain(lines));
        }
        self.sheet.finish()
    }
}

/// The tables around a key, from the innermost to the root.
fn ancestors(path: &KeyPath) -> impl Iterator<Item = KeyPath> {
    std::iter::successors(path.parent(), KeyPath::parent)
}

fn line(key: &KeyPath, NewEntry { value, comment: word, .. }: NewEntry) -> String {
    let comment = word.map_or(String::new(), |word| format!("  # {word}"));
    format!("{} = {value}{comment}", key.to_toml())
}

impl InlineEdits {
    /// The text of a statement with these changes. `start` is where it begins in the document, `value` where its value begins in it.
    fn applied(mut self, old: &str, start: usize, value: usize) -> String {
        self.replaced.order_by_key(|(span, _)| std::cmp::Reverse(span.start));
        let mut text = old.to_owned();
        for (span, new) in self.replaced {
            text.replace_range(span.start - start..span.end - start, &new);
        }
        if self.removed.is_empty() && self.added.is_empty() {
            return text;
        }
        let Ok(Value::InlineTable(mut braces)) = text[value..].parse::<Value>() else { return text };
        self.removed.iter().for_each(|path| remove(&mut braces, path.keys()));
        for (path, value) in &self.added {
            if let Ok(value) = value.parse() {
                insert(&mut braces, path.keys(), value);
            }
        }
        format!("{}{}", &text[..value], Value::InlineTable(braces).to_string().trim())
    }
}

fn remove(braces: &mut InlineTable, keys: &[String]) {
    let Some((first, rest)) = keys.split_first() else { return };
    if rest.is_empty() {
        let closing = closing(braces);
        braces.remove(first);
        close(braces, closing);
    } else if let Some(Value::InlineTable(inner)) = braces.get_mut(first) {
        remove(inner, rest);
        // Only its keys said that it is there.
        if inner.is_dotted() && inner.is_empty() {
            braces.remove(first);
        }
    }
}

fn insert(braces: &mut InlineTable, keys: &[String], mut value: Value) {
    let Some((first, rest)) = keys.split_first() else { return };
    if let (Some(Value::InlineTable(inner)), false) = (braces.get_mut(first), rest.is_empty()) {
        return insert(inner, rest, value);
    }
    *value.decor_mut() = Decor::new(" ", "");
    let leaf = Key::new(first).with_leaf_decor(Decor::new(" ", " "));
    if braces.is_empty() && braces.trailing().as_str().is_some_and(|blank| blank.trim().is_empty()) {
        braces.set_trailing("");
    }
    if !rest.is_empty() {
        let mut inner = InlineTable::new();
        inner.set_dotted(true);
        insert(&mut inner, rest, value);
        value = Value::InlineTable(inner);
    }
    let closing = closing(braces);
    braces.insert_formatted(&leaf, value);
    close(braces, closing);
}

/// Takes what is between the last value and the brace.
fn closing(braces: &mut InlineTable) -> Option<String> {
    let suffix = last(braces).and_then(|value| value.decor().suffix()?.as_str().map(str::to_owned));
    close(braces, Some(String::new()));
    suffix
}

/// Puts something between the last value and the brace.
fn close(braces: &mut InlineTable, closing: Option<String>) {
    let closing = closing.unwrap_or_else(|| " ".to_owned());
    if let Some(last) = last(braces) {
        last.decor_mut().set_suffix(closing);
    }
}

/// The last value that is written between braces: a key with dots means a table in the table.
fn last(braces: &mut InlineTable) -> Option<&mut Value> {
    let (_, value) = braces.iter_mut().last()?;
    if value.as_inline_table().is_some_and(InlineTable::is_dotted) {
        last(value.as_inline_table_mut()?)
    } else {
        Some(value)
    }
}
