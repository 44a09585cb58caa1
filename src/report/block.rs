//! The blocks a report is made of.

use std::borrow::Cow;

use super::row::{Entries, Row, RowStream};
use super::value::{Cell, Tone, Value};
use crate::base::diagnostic::Diagnostic;

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
    /// Sentences and rows for people; a string in JSON.
    Prose(Prose),
    /// A text and its data, with keys that are known only at run time.
    TextWithData {
        /// The text.
        text: String,
        /// What JSON has.
        data: Value,
    },
    /// Lines of programs, unchanged; an array of objects in JSON.
    Rows(Vec<Box<dyn Row>>),
    /// Diagnostics with their locations; an array of objects in JSON.
    Findings(Vec<Diagnostic>),
    /// Rows that arrive over time; NDJSON.
    RowStream(RowStream),
    /// A line for stderr, not part of the data.
    Note(String),
}

/// Sentences and rows for people. On a terminal its lines are wrapped at the width, or at [`Self::WIDEST`]; elsewhere they are whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prose(pub String);

impl Prose {
    /// The most columns of a line on a terminal: wider lines are hard to read.
    pub const WIDEST: usize = 100;
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
    pub key: Cow<'static, str>,
    /// The heading; upper case.
    pub title: Cow<'static, str>,
    /// When it is shown.
    pub visibility: Visibility,
}

/// When a column or field is shown as text. JSON has all but [`Visibility::TextOnly`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Visibility {
    /// Always.
    #[default]
    Always,
    /// Always; on several lines of a table that is too wide, where other texts are cut.
    Wrapped,
    /// If the terminal is wide enough.
    IfWide,
    /// Never: only in JSON.
    Never,
    /// Always, and not in JSON.
    TextOnly,
}

impl Table {
    /// A table with columns that are always shown: (key, title).
    #[must_use]
    pub fn new(columns: &[(&'static str, &'static str)]) -> Self {
        let columns = columns
            .iter()
            .map(|&(key, title)| Column { key: key.into(), title: title.into(), visibility: Visibility::Always })
            .collect();
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

    /// Appends the rows of another table. Columns are matched by key; missing cells are null.
    pub fn append(&mut self, other: Self) {
        for column in &other.columns {
            if self.columns.iter().all(|known| known.key != column.key) {
                self.columns.push(column.clone());
                self.rows.iter_mut().for_each(|row| row.push(Value::Null.into()));
            }
        }
        for row in other.rows {
            let mut cells: Vec<(&str, Cell)> = other.columns.iter().map(|column| &*column.key).zip(row).collect();
            let mut take =
                |key: &str| cells.iter().position(|(known, _)| *known == key).map(|at| cells.swap_remove(at).1);
            let row = self.columns.iter().map(|column| take(&column.key).unwrap_or(Value::Null.into())).collect();
            self.rows.push(row);
        }
    }
}

/// Named values.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Fields {
    /// A heading, if any.
    pub title: Option<String>,
    /// The fields, in their order.
    pub fields: Vec<Field>,
}

/// A named value.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// The key in JSON.
    pub key: Cow<'static, str>,
    /// The title in text.
    pub title: String,
    /// The value.
    pub cell: Cell,
    /// When it is shown.
    pub visibility: Visibility,
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
        let (title, cell) = (key.replace('_', " "), cell.into());
        self.fields.push(Field { key: key.into(), title, cell, visibility: Visibility::Always });
        self
    }

    /// Adds a field for text only.
    #[must_use]
    pub fn text_only(mut self, title: impl Into<String>, cell: impl Into<Cell>) -> Self {
        let (title, cell) = (title.into(), cell.into());
        self.fields.push(Field { key: "".into(), title, cell, visibility: Visibility::TextOnly });
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
        let (key, cell) = (key.into(), cell.into());
        self.fields.push(Field { key, title: String::new(), cell, visibility: Visibility::Never });
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
    pub data: Entries,
    /// On a terminal its lines are wrapped as those of [`Prose`] are.
    pub is_wrapped: bool,
}

impl Message {
    /// A message without data.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), tone: Tone::Plain, data: Vec::new(), is_wrapped: false }
    }

    /// The same, wrapped at the width of a terminal.
    #[must_use]
    pub fn wrapped(self) -> Self {
        Self { is_wrapped: true, ..self }
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
        self.data.push((key.into(), cell.into()));
        self
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

blocks! { Table Fields Message Prose RowStream }

impl<R: Row + 'static> From<Vec<R>> for Block {
    fn from(rows: Vec<R>) -> Self {
        Self::Rows(rows.into_iter().map(Into::into).collect())
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
