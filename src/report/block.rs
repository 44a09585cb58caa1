//! The blocks a report is made of.

use std::fmt;

use super::value::{Cell, Tone, Value};
use crate::base::diagnostic::Diagnostic;
use crate::base::fault::Fault;

/// One part of a report.
#[derive(Debug)]
pub enum Block {
    /// Rows and columns; an array of objects in JSON.
    Table(Table),
    /// Named values, one a line; an object in JSON.
    Fields(Fields),
    /// A message and its data; an object in JSON.
    Message(Message),
    /// A text; a string in JSON.
    Text(String),
    /// A text and its data, with keys that are known only at run time.
    TextWithData {
        /// The text.
        text: String,
        /// What JSON has.
        data: Value,
    },
    /// Lines of programs, unchanged; an array of objects in JSON.
    Rows(Vec<OutputRow>),
    /// Diagnostics with their locations; an array of objects in JSON.
    Findings(Vec<Diagnostic>),
    /// Rows that arrive over time; NDJSON.
    RowStream(RowStream),
    /// A line for stderr, not part of the data.
    Note(String),
}

/// Rows with common columns.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Table {
    /// From left to right.
    pub columns: Vec<Column>,
    /// Each as long as `columns`.
    pub rows: Vec<Vec<Cell>>,
    /// The text for a table without rows.
    pub empty_text: Option<String>,
}

/// A column of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// The key in JSON.
    pub key: &'static str,
    /// The heading; upper case.
    pub title: &'static str,
    /// When it is shown.
    pub visibility: Visibility,
}

/// When a column or field is shown as text. JSON has all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Visibility {
    /// Always.
    #[default]
    Always,
    /// If the terminal is wide enough.
    IfWide,
    /// Never: data only.
    Never,
}

impl Table {
    /// A table with columns that are always shown: (key, title).
    #[must_use]
    pub fn new(columns: &[(&'static str, &'static str)]) -> Self {
        let columns =
            columns.iter().map(|&(key, title)| Column { key, title, visibility: Visibility::Always }).collect();
        Self { columns, ..Self::default() }
    }

    /// Sets the visibility of the column `key`.
    #[must_use]
    pub fn with_visibility(mut self, key: &str, show: Visibility) -> Self {
        for column in self.columns.iter_mut().filter(|column| column.key == key) {
            column.visibility = show;
        }
        self
    }

    /// The text for a table without rows.
    #[must_use]
    pub fn when_empty(mut self, text: impl Into<String>) -> Self {
        self.empty_text = Some(text.into());
        self
    }

    /// Adds a row, with a cell for each column in their order.
    pub fn row(&mut self, cells: Vec<Cell>) {
        debug_assert_eq!(cells.len(), self.columns.len(), "a row has a cell for every column");
        self.rows.push(cells);
    }
}

/// Named values.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Fields {
    /// A heading, if any.
    pub title: Option<String>,
    /// Key in JSON, title in text, value, visibility.
    pub fields: Vec<(&'static str, String, Cell, Visibility)>,
}

impl Fields {
    /// No fields, with a heading.
    #[must_use]
    pub fn titled(title: impl Into<String>) -> Self {
        Self { title: Some(title.into()), fields: Vec::new() }
    }

    /// Adds a field; its title is the key with spaces for `_`.
    #[must_use]
    pub fn with(mut self, key: &'static str, cell: impl Into<Cell>) -> Self {
        self.fields.push((key, key.replace('_', " "), cell.into(), Visibility::Always));
        self
    }

    /// Adds a flag that is shown only if true; JSON always has it.
    #[must_use]
    pub fn when_true(self, key: &'static str, it_is: bool) -> Self {
        if it_is { self.with(key, true) } else { self.json_only(key, false) }
    }

    /// Adds a field for JSON only.
    #[must_use]
    pub fn json_only(mut self, key: &'static str, cell: impl Into<Cell>) -> Self {
        self.fields.push((key, String::new(), cell.into(), Visibility::Never));
        self
    }
}

/// A message and its data.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// The text; may have several lines.
    pub text: String,
    /// What it means.
    pub tone: Tone,
    /// The data in JSON; without data it is the text under `message`.
    pub data: Vec<(&'static str, Cell)>,
}

impl Message {
    /// A message without data.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), tone: Tone::Plain, data: Vec::new() }
    }

    /// The same with a tone.
    #[must_use]
    pub fn tone(mut self, tone: Tone) -> Self {
        self.tone = tone;
        self
    }

    /// Adds a piece of data.
    #[must_use]
    pub fn with(mut self, key: &'static str, cell: impl Into<Cell>) -> Self {
        self.data.push((key, cell.into()));
        self
    }
}

/// A line of a program, or a remark about such lines.
#[derive(Debug, Clone, PartialEq)]
pub struct OutputRow {
    /// The text for a terminal and the data for JSON.
    pub message: Message,
    /// The original bytes, for a file or pipe. None for a remark, which goes to stderr.
    pub raw: Option<Vec<u8>>,
}

impl OutputRow {
    /// A remark about the surrounding lines: to stderr as text, a row like the others in JSON.
    #[must_use]
    pub fn remark(sentence: Message) -> Self {
        Self { message: sentence, raw: None }
    }
}

impl From<Message> for OutputRow {
    fn from(sentence: Message) -> Self {
        let written = Some(sentence.text.clone().into_bytes());
        Self { message: sentence, raw: written }
    }
}

/// Rows that arrive over time. The iterator blocks until the next one and ends when there are no more or when the operator
/// interrupts.
pub struct RowStream {
    /// The rows.
    pub rows: Box<dyn Iterator<Item = Result<OutputRow, Fault>>>,
}

impl fmt::Debug for RowStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Follow")
    }
}

macro_rules! blocks {
    ($($kind:ident)*) => {$(
        impl From<$kind> for Block {
            fn from(it: $kind) -> Self {
                Self::$kind(it)
            }
        }
    )*};
}

blocks! { Table Fields Message RowStream }

impl From<Vec<Message>> for Block {
    fn from(rows: Vec<Message>) -> Self {
        Self::Rows(rows.into_iter().map(OutputRow::from).collect())
    }
}

impl From<Vec<OutputRow>> for Block {
    fn from(rows: Vec<OutputRow>) -> Self {
        Self::Rows(rows)
    }
}

impl From<Vec<Diagnostic>> for Block {
    fn from(findings: Vec<Diagnostic>) -> Self {
        Self::Findings(findings)
    }
}

impl From<String> for Block {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}
