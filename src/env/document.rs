//! A TOML file as a flat list of values with their paths and places.

use std::ops::Range;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::base::diagnostic::{Diagnostic, SourceText};
use crate::base::fault::{FaultKind, UserFacingError};
use crate::base::toml_hints;

use super::mask;
use super::read::{self, ReadFileError};
use super::scope::{RawValue, ValueKind};
use super::template::is_variable_name;

/// The deepest table that is read. What is nested deeper is not configuration.
const MAX_TABLE_DEPTH: usize = 32;

/// A file that was read.
#[derive(Debug, Clone)]
pub struct EnvDocument {
    /// How messages call it, and its text with secrets hidden, every place as in the real one.
    pub source: SourceText,
    /// Its text.
    pub text: String,
    /// Every value and table, in the order of the file.
    pub entries: Vec<TomlEntry>,
}

/// One value or table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TomlEntry {
    /// Its keys from the top.
    pub path: Vec<String>,
    /// What it is.
    pub value: RawValue,
    /// True for a table, which has further entries.
    pub table: bool,
    /// The value, in bytes of the text.
    pub span: Range<usize>,
    /// The last key.
    pub key: Range<usize>,
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
        /// How messages call it.
        file: String,
        /// Everything that is wrong.
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

impl EnvDocument {
    /// Reads a file; messages call it `name`.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be read or is not valid TOML; then with every error that was found.
    pub fn read(path: &Path, name: &str) -> Result<Self, DocumentError> {
        Self::parse(name, &read::text(path)?)
    }

    /// Takes a text apart.
    ///
    /// # Errors
    ///
    /// Fails if it is not valid TOML, with every error that was found.
    pub fn parse(name: &str, text: &str) -> Result<Self, DocumentError> {
        let source = SourceText::new(name, mask::mask_toml(text));
        let (table, errors) = DeTable::parse_recoverable(text);
        if !errors.is_empty() {
            let found = errors.iter().map(|error| (error.span().unwrap_or_default(), error.message().to_owned()));
            let diagnostics = toml_hints::syntax_errors((text, &source), found.collect());
            return Err(DocumentError::Invalid { file: name.to_owned(), diagnostics });
        }
        let mut document = Self { source, text: text.to_owned(), entries: Vec::new() };
        document.collect(&mut Vec::new(), table.get_ref());
        document.entries.sort_by_key(|entry| entry.key.start);
        Ok(document)
    }

    fn collect(&mut self, path: &mut Vec<String>, table: &DeTable) {
        if path.len() >= MAX_TABLE_DEPTH {
            return;
        }
        for (key, value) in table {
            path.push(key.get_ref().to_string());
            let inner = match value.get_ref() {
                DeValue::Table(inner) => Some(inner),
                _ => None,
            };
            let raw = self.raw(value);
            let (span, key) = (value.span(), key.span());
            self.entries.push(TomlEntry { path: path.clone(), value: raw, table: inner.is_some(), span, key });
            if let Some(inner) = inner {
                self.collect(path, inner);
            }
            path.pop();
        }
    }

    fn raw(&self, value: &Spanned<DeValue>) -> RawValue {
        let written = || self.text.get(value.span()).unwrap_or_default().to_owned();
        match value.get_ref() {
            DeValue::String(text) => match text.strip_prefix("var.").filter(|name| is_variable_name(name)) {
                Some(name) => RawValue::Secret(name.to_owned()),
                None => RawValue::Text(text.to_string()),
            },
            DeValue::Integer(number) => {
                let decimal = i128::from_str_radix(number.as_str(), number.radix());
                RawValue::Plain(ValueKind::Integer, decimal.map_or_else(|_| number.to_string(), |it| it.to_string()))
            }
            DeValue::Float(number) => RawValue::Plain(ValueKind::Float, number.as_str().to_owned()),
            DeValue::Boolean(truth) => RawValue::Plain(ValueKind::Boolean, truth.to_string()),
            DeValue::Datetime(time) => RawValue::Plain(ValueKind::Datetime, time.to_string()),
            DeValue::Array(_) | DeValue::Table(_) => RawValue::List(written()),
        }
    }

    /// The entry at a path.
    #[must_use]
    pub fn get(&self, path: &[&str]) -> Option<&TomlEntry> {
        self.entries.iter().find(|entry| entry.path == path)
    }

    /// The entries right below a path.
    pub fn below<'a>(&'a self, path: &'a [&str]) -> impl Iterator<Item = &'a TomlEntry> {
        self.entries.iter().filter(move |entry| {
            entry.path.len() == path.len() + 1 && entry.path.iter().zip(path).all(|(one, other)| one == other)
        })
    }

    /// The text at a path, if it is one.
    #[must_use]
    pub fn text(&self, path: &[&str]) -> Option<&str> {
        match &self.get(path)?.value {
            RawValue::Text(text) => Some(text),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_come_in_the_order_of_the_file_with_their_places() {
        let text = "b = 1\n[z.\"a-b\"]\nd = \"x\"\n[a]\nn = 0x10\ns = \"var.KEY\"\nl = [1]\n";
        let document = EnvDocument::parse("x.toml", text).expect("sound");
        let found: Vec<String> = document.entries.iter().map(|entry| entry.path.join("/")).collect();
        assert_eq!(found, ["b", "z", "z/a-b", "z/a-b/d", "a", "a/n", "a/s", "a/l"]);
        let entry = document.get(&["a", "n"]).expect("there");
        assert_eq!(
            (&entry.value, &text[entry.span.clone()]),
            (&RawValue::Plain(ValueKind::Integer, "16".to_owned()), "0x10")
        );
        assert_eq!(document.get(&["a", "s"]).map(|entry| &entry.value), Some(&RawValue::Secret("KEY".to_owned())));
        assert_eq!(document.text(&["z", "a-b", "d"]), Some("x"));
        assert_eq!(document.below(&["a"]).count(), 3);
    }

    #[test]
    fn all_mistakes_are_told_at_once() {
        let error = EnvDocument::parse("x.toml", "a = \nb = 1\nb = 2\nc = 'x\n").expect_err("wrong");
        let places: Vec<usize> = error.diagnostics().iter().filter_map(|it| Some(it.location()?.line)).collect();
        assert!(places.contains(&1) && places.contains(&3) && places.contains(&4), "{places:?}");
    }
}
