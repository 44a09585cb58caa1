//! A TOML text that an operator wrote, with the place of everything in it.
//!
//! The text is never written anew: changes are made to its bytes, at the places that are known from here. So every comment,
//! blank and line end that is not part of a changed value stays as it was.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::path::Path;
use std::sync::OnceLock;

use toml::Value;
use toml_edit::{InlineTable, Item, Key, Table, Value as Written};

use super::mask;
use super::path::KeyPath;
use super::read::{self, ReadFileError};
use super::secret;
use super::toml_hints;
use crate::base::diagnostic::{Diagnostic, SourceText};
use crate::base::fault::{FaultKind, UserFacingError};
use crate::base::redact;
use crate::base::sort::SortExt;

/// A TOML text with the places of its values.
#[derive(Debug, Clone)]
pub struct Document {
    /// The text, under the name that messages use.
    pub source: SourceText,
    /// Every value that is not a table, in the order of the text. Arrays are one value.
    pub leaves: Vec<Leaf>,
    /// Every table, also one that is only implied by the key of another.
    pub tables: BTreeMap<KeyPath, TableLayout>,
    /// Every header and every key with its value, in the order of the text. Each has lines of its own.
    pub statements: Vec<TomlStatement>,
    /// What is below each header; the first one is the text before any header.
    pub sections: Vec<TomlSection>,
    index: HashMap<KeyPath, usize>,
    redacted_source: OnceLock<SourceText>,
}

/// A value and its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Leaf {
    /// Its keys.
    pub path: KeyPath,
    /// What it is.
    pub value: Value,
    /// Its innermost key, in bytes.
    pub key: Range<usize>,
    /// The value, in bytes.
    pub span: Range<usize>,
    /// The whole statement, which is more than the above inside of an inline table.
    pub statement: Range<usize>,
    /// Its body.
    pub section: usize,
}

/// A header, or a key and its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TomlStatement {
    /// The keys that it gives a meaning to.
    pub path: KeyPath,
    /// From the first key to the end of the value, in bytes.
    pub span: Range<usize>,
    /// The value; none for a header.
    pub value: Option<Range<usize>>,
    /// Its body.
    pub section: usize,
}

/// How a table is written, and so how a key can be added to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TableLayout {
    /// It has lines of its own: a header, or the beginning of the text.
    Section {
        /// Which one.
        body: usize,
    },
    /// `a.b = 1` made it: a key is added to the body, with the dots.
    Dotted {
        /// The body around it.
        body: usize,
    },
    /// `{ … }` in this statement.
    Inline {
        /// The key and value of the whole line.
        statement: Range<usize>,
    },
    /// Only `[a.b]` names it: `[a]` may still be written.
    Implicit,
    /// `[[a]]`: only its numbered items have keys.
    ArrayOfTables,
}

/// What is below one header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TomlSection {
    /// The keys that the header names.
    pub path: KeyPath,
    /// The header; none for the beginning of the text.
    pub header: Option<Range<usize>>,
    /// Its last statement, which may be the header itself; none if nothing comes before the first header.
    pub last: Option<usize>,
}

/// Why a TOML file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// It cannot be read.
    #[error(transparent)]
    Read(#[from] ReadFileError),
    /// It is not valid TOML.
    #[error("`{file}` is not valid TOML")]
    Invalid {
        /// The file, as messages name it.
        file: String,
        /// Every error in it.
        diagnostics: Vec<Diagnostic>,
    },
}

impl UserFacingError for DocumentError {
    fn kind(&self) -> FaultKind {
        match self {
            Self::Read(error) => error.kind(),
            Self::Invalid { .. } => FaultKind::Failed,
        }
    }

    fn advice(&self) -> Option<String> {
        match self {
            Self::Read(error) => error.advice(),
            Self::Invalid { .. } => None,
        }
    }

    fn diagnostics(&self) -> Vec<Diagnostic> {
        match self {
            Self::Read(_) => Vec::new(),
            Self::Invalid { diagnostics, .. } => diagnostics.clone(),
        }
    }
}

impl Document {
    /// Reads a file; messages name it `name`.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be read or is not valid TOML, with every error in it.
    pub fn read(path: &Path, name: &str) -> Result<Self, DocumentError> {
        let parsed = Self::parse(name, &read::text(path)?);
        parsed.map_err(|diagnostics| DocumentError::Invalid { file: name.to_owned(), diagnostics })
    }

    /// The same; none if there is no such file.
    ///
    /// # Errors
    ///
    /// As [`Document::read`].
    pub fn read_if_exists(path: &Path, name: &str) -> Result<Option<Self>, DocumentError> {
        match Self::read(path, name) {
            Err(DocumentError::Read(ReadFileError::File(error))) if error.is_not_found() => Ok(None),
            read => read.map(Some),
        }
    }

    /// Reads a text.
    ///
    /// # Errors
    ///
    /// Fails with everything that is not valid TOML in it.
    pub fn parse(name: &str, text: &str) -> Result<Self, Vec<Diagnostic>> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let source = SourceText::new(name, text);
        let parsed = match toml_edit::Document::parse(text) {
            Ok(parsed) => parsed,
            Err(error) => {
                return Err(all_errors(text, &SourceText::new(name, mask::toml_text(text)), &error));
            }
        };
        let first = TomlSection { path: KeyPath::default(), header: None, last: None };
        let mut reader = DocumentReader {
            text,
            leaves: Vec::new(),
            tables: BTreeMap::new(),
            statements: Vec::new(),
            sections: vec![first],
        };
        reader.tables.insert(KeyPath::default(), TableLayout::Section { body: 0 });
        reader.table(&KeyPath::default(), parsed.as_table());
        let DocumentReader { mut leaves, tables, statements, sections: bodies, .. } = reader;
        leaves.order_by_key(|leaf| leaf.key.start);
        let index = leaves.iter().enumerate().map(|(number, leaf)| (leaf.path.clone(), number)).collect();
        let mut document =
            Self { source, leaves, tables, statements, sections: bodies, index, redacted_source: OnceLock::new() };
        document.assign_sections();
        Ok(document)
    }

    /// A document without anything in it.
    #[must_use]
    pub fn empty(name: &str) -> Self {
        Self::parse(name, "").expect("an empty text is TOML")
    }

    /// Finds which statement belongs to which header, and which tables are there because of the dots in keys.
    fn assign_sections(&mut self) {
        self.statements.order_by_key(|statement| statement.span.start);
        let mut body = 0;
        for (number, statement) in self.statements.iter_mut().enumerate() {
            match statement.value {
                None => body = statement.section,
                Some(_) => statement.section = body,
            }
            self.sections[body].last = Some(number);
            let dotted = self.sections[body].path.keys().len() + 1..statement.path.keys().len();
            for table in dotted.map(|count| KeyPath::new(statement.path.keys()[..count].to_vec())) {
                self.tables.entry(table).and_modify(|place| {
                    if *place == TableLayout::Implicit {
                        *place = TableLayout::Dotted { body };
                    }
                });
            }
        }
        for number in 0..self.leaves.len() {
            self.leaves[number].section = self.statements[self.statement(&self.leaves[number].statement)].section;
        }
    }

    /// The number of the statement that has this place.
    #[must_use]
    pub fn statement(&self, place: &Range<usize>) -> usize {
        self.statements.partition_point(|statement| statement.span.start <= place.start).saturating_sub(1)
    }

    /// The text for messages: values of secret names, and what looks like a secret, are stars. All places are as they were.
    #[must_use]
    pub fn shown(&self) -> &SourceText {
        self.redacted_source.get_or_init(|| {
            let is_secret = |leaf: &&Leaf| secret::is_secret(leaf.path.last(), &leaf.value);
            let hidden: Vec<Range<usize>> =
                self.leaves.iter().filter(is_secret).map(|leaf| leaf.span.clone()).collect();
            SourceText::new(self.source.name.clone(), redact::mask_ranges(&self.source.text, &hidden))
        })
    }

    /// The value at a path.
    #[must_use]
    pub fn leaf(&self, path: &KeyPath) -> Option<&Leaf> {
        self.leaf_index(path).map(|number| &self.leaves[number])
    }

    /// Which of the leaves is at a path.
    #[must_use]
    pub fn leaf_index(&self, path: &KeyPath) -> Option<usize> {
        self.index.get(path).copied()
    }

    /// The text at a path.
    #[must_use]
    pub fn text_at(&self, keys: &[&str]) -> Option<&str> {
        self.leaf(&KeyPath::of(keys))?.value.as_str()
    }

    /// The values right below a table, in the order of the text.
    pub fn values_below<'a>(&'a self, table: &'a KeyPath) -> impl Iterator<Item = &'a Leaf> {
        let depth = table.keys().len() + 1;
        self.leaves.iter().filter(move |leaf| leaf.path.keys().len() == depth && leaf.path.is_within(table))
    }

    /// The tables and arrays of tables right below a table, in the order of their names.
    pub fn tables_below<'a>(&'a self, table: &'a KeyPath) -> impl Iterator<Item = (&'a KeyPath, &'a TableLayout)> {
        let depth = table.keys().len() + 1;
        self.tables.iter().filter(move |(path, _)| path.keys().len() == depth && path.is_within(table))
    }

    /// Where a value or table is, in bytes: a table by its header, or the first statement of what is in it.
    #[must_use]
    pub fn span_of(&self, path: &KeyPath) -> Range<usize> {
        if let Some(leaf) = self.leaf(path) {
            return leaf.span.clone();
        }
        let mut statements = self.statements.iter();
        statements.find(|it| it.path.is_within(path)).map_or(0..0, |it| it.span.clone())
    }

    /// The line of a place in bytes, counted from 1.
    #[must_use]
    pub fn line(&self, at: usize) -> usize {
        self.source.text[..at.min(self.source.text.len())].matches('\n').count() + 1
    }
}

/// Every error in a text. What is shown of it has no secrets in it.
fn all_errors(text: &str, shown: &SourceText, first: &toml_edit::TomlError) -> Vec<Diagnostic> {
    let (_, errors) = toml::de::DeTable::parse_recoverable(text);
    let mut found: Vec<(Range<usize>, String)> =
        errors.iter().map(|error| (error.span().unwrap_or(0..0), error.message().to_owned())).collect();
    if found.is_empty() {
        found.push((first.span().unwrap_or(0..0), first.message().to_owned()));
    }
    toml_hints::syntax_errors(text, shown, found)
}

struct DocumentReader<'a> {
    text: &'a str,
    leaves: Vec<Leaf>,
    tables: BTreeMap<KeyPath, TableLayout>,
    statements: Vec<TomlStatement>,
    sections: Vec<TomlSection>,
}

impl DocumentReader<'_> {
    fn table(&mut self, path: &KeyPath, table: &Table) {
        for (name, item) in table.iter() {
            let Some(key) = table.key(name) else { continue };
            let path = path.join(name);
            match item {
                Item::None => {}
                Item::Value(value) => {
                    let span = value.span().unwrap_or(0..0);
                    // The span of a key is that of its innermost part; no key goes over the end of a line.
                    let line = self.text[..key.span().unwrap_or(span.clone()).start].rfind('\n').map_or(0, |at| at + 1);
                    let blank = self.text[line..].len() - self.text[line..].trim_start_matches([' ', '\t']).len();
                    let statement = line + blank..span.end;
                    let made =
                        TomlStatement { path: path.clone(), span: statement.clone(), value: Some(span), section: 0 };
                    self.statements.push(made);
                    self.value(path, key, value, &statement);
                }
                Item::Table(inner) => self.headed(&path, inner),
                Item::ArrayOfTables(several) => {
                    self.tables.insert(path.clone(), TableLayout::ArrayOfTables);
                    several
                        .iter()
                        .enumerate()
                        .for_each(|(number, one)| self.headed(&path.join(&number.to_string()), one));
                }
            }
        }
    }

    /// A table with a header, or one that only keys or the headers of others name.
    fn headed(&mut self, path: &KeyPath, table: &Table) {
        let place = match table.span().filter(|_| !table.is_implicit() && !table.is_dotted()) {
            None => TableLayout::Implicit,
            Some(span) => {
                let body = self.sections.len();
                self.sections.push(TomlSection { path: path.clone(), header: Some(span.clone()), last: None });
                self.statements.push(TomlStatement { path: path.clone(), span, value: None, section: body });
                TableLayout::Section { body }
            }
        };
        self.tables.insert(path.clone(), place);
        self.table(path, table);
    }

    fn value(&mut self, path: KeyPath, key: &Key, value: &Written, statement: &Range<usize>) {
        let span = value.span().unwrap_or(0..0);
        let key = key.span().unwrap_or(span.start..span.start);
        match value {
            Written::InlineTable(inner) => self.inline(&path, inner, statement),
            other => {
                let leaf = Leaf { path, value: plain(other), key, span, statement: statement.clone(), section: 0 };
                self.leaves.push(leaf);
            }
        }
    }

    fn inline(&mut self, path: &KeyPath, table: &InlineTable, statement: &Range<usize>) {
        for (name, value) in table.iter() {
            let Some(key) = table.key(name) else { continue };
            self.value(path.join(name), key, value, statement);
        }
        self.tables.insert(path.clone(), TableLayout::Inline { statement: statement.clone() });
    }
}

/// The value without its looks.
fn plain(value: &Written) -> Value {
    match value {
        Written::String(it) => Value::String(it.value().clone()),
        Written::Integer(it) => Value::Integer(*it.value()),
        Written::Float(it) => Value::Float(*it.value()),
        Written::Boolean(it) => Value::Boolean(*it.value()),
        Written::Datetime(it) => Value::Datetime(*it.value()),
        Written::Array(it) => Value::Array(it.iter().map(plain).collect()),
        Written::InlineTable(it) => {
            Value::Table(it.iter().map(|(key, value)| (key.to_owned(), plain(value))).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# c\r\na.b = 1\n[x]  # h\ny = [1,\n 2] # t\nz.q.w = 'a'\nin = { a = 1, b.c = 2 }\nno = {}\n[[s]]\nn=1\n[[s]]\nn=2\n[s.t]\nk=1\n[p.q.r]\n";

    fn place<'a>(document: &'a Document, path: &str) -> &'a TableLayout {
        &document.tables[&path.parse::<KeyPath>().expect("a path")]
    }

    #[test]
    fn knows_every_value_and_its_place() {
        let document = Document::parse("f", TEXT).expect("it is TOML");
        let shown: Vec<String> = document
            .leaves
            .iter()
            .map(|leaf| format!("{}: {} = {}", leaf.path, &TEXT[leaf.key.clone()], &TEXT[leaf.span.clone()]))
            .collect();
        assert_eq!(
            shown,
            [
                "a.b: b = 1",
                "x.y: y = [1,\n 2]",
                "x.z.q.w: w = 'a'",
                "x.in.a: a = 1",
                "x.in.b.c: c = 2",
                "s.0.n: n = 1",
                "s.1.n: n = 2",
                "s.1.t.k: k = 1"
            ]
        );
        assert_eq!(document.line(document.leaf(&"s.1.n".parse().expect("a path")).expect("there").key.start), 12);
    }

    #[test]
    fn knows_how_each_table_is_written() {
        let document = Document::parse("f", TEXT).expect("it is TOML");
        assert_eq!(*place(&document, "a"), TableLayout::Dotted { body: 0 });
        assert!(matches!(place(&document, "x.z.q"), TableLayout::Dotted { .. }));
        assert_eq!(*place(&document, "p.q"), TableLayout::Implicit);
        assert!(matches!(place(&document, "p.q.r"), TableLayout::Section { .. }));
        assert_eq!(*place(&document, "s"), TableLayout::ArrayOfTables);
        for (table, written) in
            [("x.in", "in = { a = 1, b.c = 2 }"), ("x.in.b", "in = { a = 1, b.c = 2 }"), ("x.no", "no = {}")]
        {
            let TableLayout::Inline { statement } = place(&document, table) else { panic!("inline") };
            assert_eq!(&TEXT[statement.clone()], written);
        }
    }

    #[test]
    fn every_statement_is_known_as_a_whole_and_below_its_header() {
        let text = " a.b = 1\n[ t . u ] # h\n\tx . y = [\n]\n[[s]]\n[t]\nv.w = { v = 2 }\n";
        let document = Document::parse("f", text).expect("it is TOML");
        let shown = |it: &TomlStatement| format!("{} in {}: {}", it.path, it.section, &text[it.span.clone()]);
        let shown: Vec<String> = document.statements.iter().map(shown).collect();
        let bodies: Vec<usize> = document.sections.iter().filter_map(|body| body.last).collect();
        assert_eq!(document.sections.len(), bodies.len());
        let body = |path: &str| {
            let path: KeyPath = path.parse().expect("a path");
            document.sections.iter().position(|body| body.path == path).expect("there is one")
        };
        let (deep, item, table) = (body("t.u"), body("s.0"), body("t"));
        assert_eq!(
            shown,
            [
                "a.b in 0: a.b = 1".to_owned(),
                format!("t.u in {deep}: [ t . u ]"),
                format!("t.u.x.y in {deep}: x . y = [\n]"),
                format!("s.0 in {item}: [[s]]"),
                format!("t in {table}: [t]"),
                format!("t.v.w in {table}: v.w = {{ v = 2 }}")
            ]
        );
    }

    #[test]
    fn finds_all_mistakes_at_once() {
        let wrong = "a = \nb = 1\nb = 2\n[t]\nc = hello\nd = 1\n";
        let found = Document::parse("f", wrong).expect_err("it is wrong");
        let places: Vec<String> = found.iter().filter_map(|it| it.location()).map(|it| it.to_string()).collect();
        assert_eq!(places, ["f:1:5", "f:3:1", "f:5:5"]);
    }
}
