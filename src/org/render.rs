//! A draft as TOML: the bytes of local.toml with the changed values put in their places.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use toml::Value;

use super::document::{Document, TablePlace};
use super::draft::{Cell, Difference, Draft, METADATA, OVERRIDES};
use super::path::{KeyPath, quoted};

/// Whether changed lines say so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Annotate {
    /// `# Changed`, `# Flag added`, `# Added`.
    Yes,
    /// No further comments.
    No,
}

/// The text of a draft.
#[must_use]
pub fn render(draft: &Draft, annotate: Annotate) -> String {
    let text = &draft.document.source.text;
    let newline = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let mut writer = Writer {
        document: draft.document,
        text,
        newline,
        annotate,
        edits: Vec::new(),
        said: BTreeMap::new(),
        filled: BTreeMap::new(),
        tables: Vec::new(),
    };
    for (path, cell) in &draft.cells {
        if let Some(leaf) = cell.leaf {
            writer.known(draft, path, (leaf, cell));
        }
    }
    for path in &draft.added {
        if let Some(value) = draft.value(path) {
            writer.add(path, value);
        }
    }
    writer.headers(draft);
    writer.finish()
}

/// A value as TOML writes it, on one line where that is possible.
#[must_use]
pub fn written(value: &Value) -> String {
    value.to_string()
}

/// What happens at one place. Ordered: at the same place a comment comes before new lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Turn {
    Value,
    Comment,
    Lines,
}

struct Writer<'a> {
    document: &'a Document,
    text: &'a str,
    newline: &'static str,
    annotate: Annotate,
    edits: Vec<(Range<usize>, Turn, String)>,
    /// What is said at the end of a line.
    said: BTreeMap<usize, BTreeSet<&'static str>>,
    /// Keys added between braces, by the place where they stand.
    filled: BTreeMap<usize, (&'static str, Vec<String>)>,
    /// Tables that are new, in order, with their lines.
    tables: Vec<(KeyPath, Vec<String>)>,
}

impl Writer<'_> {
    /// A value that the document has.
    fn known(&mut self, draft: &Draft, path: &KeyPath, (leaf, cell): (usize, &Cell)) {
        let document = self.document;
        let leaf = &document.leaves[leaf];
        let overridden = leaf.path.keys()[0] == OVERRIDES;
        match (draft.difference(cell), &cell.value) {
            _ if overridden => self.remove(&leaf.statement, &leaf.key, &leaf.span),
            (Some(Difference::Removed), _) => self.remove(&leaf.statement, &leaf.key, &leaf.span),
            (Some(how), Some(value)) => {
                self.edits.push((leaf.span.clone(), Turn::Value, written(value)));
                self.keep_comments(&leaf.span, leaf.statement.start);
                self.say(path, leaf.statement.end, how);
            }
            _ => {}
        }
        if path.last() != leaf.path.last() && cell.value.is_some() {
            self.edits.push((leaf.key.clone(), Turn::Value, quoted(path.last())));
            self.say(path, leaf.statement.end, Difference::Changed);
        }
    }

    fn say(&mut self, path: &KeyPath, at: usize, how: Difference) {
        if self.annotate == Annotate::Yes && path.keys()[0] != METADATA {
            self.said.entry(self.line_end(at)).or_default().insert(how.words());
        }
    }

    /// Comments inside of a value that is replaced stand above its line from now on.
    fn keep_comments(&mut self, span: &Range<usize>, statement: usize) {
        let comments = comments(&self.text[span.clone()]);
        if !comments.is_empty() {
            let start = self.line_start(statement);
            let lines: String = comments.iter().map(|comment| format!("{comment}{}", self.newline)).collect();
            self.edits.push((start..start, Turn::Lines, lines));
        }
    }

    /// Takes a key and its value away; comments stay.
    fn remove(&mut self, statement: &Range<usize>, key: &Range<usize>, span: &Range<usize>) {
        if statement.end != span.end || statement.start != key.start {
            return self.remove_between_braces(key.start..span.end);
        }
        self.keep_comments(span, statement.start);
        self.remove_line(self.line_start(statement.start)..statement.end);
    }

    /// Takes away what stands on a line, and the line if nothing is left of it.
    fn remove_line(&mut self, what: Range<usize>) {
        let end = self.line_end(what.end);
        let rest = &self.text[what.end..end];
        let until = if rest.trim().is_empty() {
            let after = &self.text[end..];
            end + if after.starts_with("\r\n") { 2 } else { usize::from(after.starts_with('\n')) }
        } else {
            what.end + rest.len() - rest.trim_start().len()
        };
        self.edits.push((what.start..until, Turn::Value, String::new()));
    }

    fn remove_between_braces(&mut self, what: Range<usize>) {
        let after = &self.text[what.end..];
        let gap = after.len() - after.trim_start().len();
        if after[gap..].starts_with(',') {
            let rest = &after[gap + 1..];
            let blank = rest.len() - rest.trim_start_matches([' ', '\t']).len();
            self.edits.push((what.start..what.end + gap + 1 + blank, Turn::Value, String::new()));
            return;
        }
        let before = self.text[..what.start].trim_end();
        let start = if before.ends_with(',') { before.len() - 1 } else { what.start };
        self.edits.push((start..what.end, Turn::Value, String::new()));
    }

    /// A key that the document does not have.
    fn add(&mut self, path: &KeyPath, value: &Value) {
        let table = path.parent().unwrap_or_default();
        let mut around = table.clone();
        loop {
            let depth = around.keys().len();
            match self.document.tables.get(&around) {
                Some(TablePlace::Inline { end, comma, depth, statement }) => {
                    let text = format!("{} = {}", path.from(*depth), written(value));
                    self.filled.entry(*end).or_insert((comma, Vec::new())).1.push(text);
                    return self.say(path, statement.end, Difference::Added);
                }
                Some(TablePlace::Dotted { body, depth }) => {
                    return self.add_line(*body, path.from(*depth), (path, value));
                }
                Some(TablePlace::Body { body }) if around == table => {
                    return self.add_line(*body, path.from(depth), (path, value));
                }
                Some(TablePlace::Body { .. } | TablePlace::Implied | TablePlace::Items) => break,
                None => match around.parent() {
                    Some(outer) => around = outer,
                    None => break,
                },
            }
        }
        let line = format!("{}{}", self.line(&path.from(table.keys().len()), value), self.comment(path));
        match self.tables.iter_mut().find(|(known, _)| *known == table) {
            Some((_, lines)) => lines.push(line),
            None => self.tables.push((table, vec![line])),
        }
    }

    fn line(&self, key: &KeyPath, value: &Value) -> String {
        format!("{key} = {}", written(value))
    }

    fn comment(&self, path: &KeyPath) -> &'static str {
        if self.annotate == Annotate::Yes && path.keys()[0] != METADATA { "  # Added" } else { "" }
    }

    fn add_line(&mut self, body: usize, key: KeyPath, (path, value): (&KeyPath, &Value)) {
        let body = &self.document.bodies[body];
        let line = format!("{}{}", self.line(&key, value), self.comment(path));
        if body.header.is_none() && body.end == 0 {
            self.edits.push((0..0, Turn::Lines, format!("{line}{}", self.newline)));
            return;
        }
        let start = self.line_start(body.end);
        let indent = &self.text[start..];
        let blank = indent.len() - indent.trim_start_matches([' ', '\t']).len();
        let at = self.line_end(body.end);
        let indent = if self.text[start..body.end].contains('\n') { "" } else { &self.text[start..start + blank] };
        self.edits.push((at..at, Turn::Lines, format!("{}{indent}{line}", self.newline)));
    }

    /// Headers below which nothing is left by intention.
    fn headers(&mut self, draft: &Draft) {
        for body in &self.document.bodies {
            let Some(header) = &body.header else { continue };
            let inside = || draft.cells.range(body.path.clone()..).take_while(|(path, _)| path.is_within(&body.path));
            let emptied = inside().next().is_some() && inside().all(|(_, cell)| cell.value.is_none());
            if body.path.keys()[0] == OVERRIDES || emptied {
                self.remove_line(self.line_start(header.start)..header.end);
            }
        }
    }

    fn finish(mut self) -> String {
        for (at, (comma, texts)) in std::mem::take(&mut self.filled) {
            let inner = texts.join(", ");
            let text = if comma.starts_with(',') { format!("{comma}{inner}") } else { format!(" {inner} ") };
            self.edits.push((at..at, Turn::Value, text));
        }
        for (at, words) in std::mem::take(&mut self.said) {
            let words: Vec<&str> = words.into_iter().collect();
            self.edits.push((at..at, Turn::Comment, format!("  # {}", words.join(", "))));
        }
        // What is added at one place keeps its order: the sort is stable.
        self.edits.sort_by_key(|(range, turn, _)| (range.start, *turn));
        let mut out = String::with_capacity(self.text.len() + 4096);
        let mut at = 0;
        for (range, _, new) in &self.edits {
            if range.start >= at {
                out.push_str(&self.text[at..range.start]);
            }
            out.push_str(new);
            at = at.max(range.end);
        }
        out.push_str(&self.text[at..]);
        for (table, lines) in &self.tables {
            if !out.is_empty() && !out.ends_with('\n') {
                out.push_str(self.newline);
            }
            let blank = if out.is_empty() { "" } else { self.newline };
            out.push_str(&format!("{blank}[{table}]{}", self.newline));
            for line in lines {
                out.push_str(&format!("{line}{}", self.newline));
            }
        }
        out
    }

    fn line_start(&self, at: usize) -> usize {
        self.text[..at].rfind('\n').map_or(0, |end| end + 1)
    }

    /// The end of the line, before its line end.
    fn line_end(&self, at: usize) -> usize {
        let end = self.text[at..].find('\n').map_or(self.text.len(), |end| at + end);
        if self.text[..end].ends_with('\r') && end > at { end - 1 } else { end }
    }
}

/// The comments of a list that is written on several lines.
fn comments(value: &str) -> Vec<&str> {
    let mut found = Vec::new();
    if !value.starts_with('[') {
        return found;
    }
    let mut quote = None;
    let mut escaped = false;
    let mut from = None;
    for (at, c) in value.char_indices() {
        match (quote, from) {
            (_, Some(start)) => {
                if c == '\n' {
                    found.push(value[start..at].trim_end_matches('\r'));
                    from = None;
                }
            }
            _ if escaped => escaped = false,
            (Some('"'), None) if c == '\\' => escaped = true,
            (Some(q), None) if c == q => quote = None,
            (Some(_), None) => {}
            (None, None) if matches!(c, '"' | '\'') => quote = Some(c),
            (None, None) if c == '#' => from = Some(at),
            (None, None) => {}
        }
    }
    found
}
