//! The values of keys: as they are given, and as they are written.

use std::path::Path;
use std::str::FromStr;

use crate::base::name::is_name;

/// The type of a value, in the terms of TOML.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OptionType {
    /// A string.
    Text,
    /// A string that is a path, whose `~` is the home directory.
    Path,
    /// A string whose variables belong to the shell that will run it.
    Opaque,
    /// A boolean.
    Flag,
    /// An integer.
    Number,
    /// An integer or a string.
    NumberOrText,
    /// An array of strings, or one string with blanks between them.
    Texts,
    /// The same of paths.
    Paths,
}

/// A value as given.
#[derive(Debug, Clone, Copy)]
pub struct RawOptionValue<'a> {
    /// One value, or those of a list.
    pub values: &'a [String],
    /// They were a list.
    pub list: bool,
    /// Where relative paths begin.
    pub dir: &'a Path,
}

/// A value as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FormattedValue {
    /// One text.
    Text(String),
    /// A list.
    List(Vec<String>),
}

impl RawOptionValue<'_> {
    /// The value; those of a list joined by spaces.
    #[must_use]
    pub fn value(&self) -> String {
        self.values.join(" ")
    }

    /// The value, unless it is blank.
    pub(in crate::tsm) fn full(&self) -> Option<String> {
        Some(self.value()).filter(|value| !value.trim().is_empty())
    }

    /// A value of a type of its own; nothing if it is blank, none if it is refused.
    pub(in crate::tsm) fn parsed<T: FromStr>(&self) -> Option<Option<T>> {
        let text = self.values.first().map(|value| value.trim()).filter(|value| !value.is_empty());
        text.map(str::parse).transpose().ok()
    }

    /// One of several words; nothing if it is blank, none if it is another.
    pub(in crate::tsm) fn one_of<T: Copy>(&self, all: &[T], word: fn(T) -> &'static str) -> Option<Option<T>> {
        match self.full().as_deref().map(str::trim) {
            None => Some(None),
            Some(given) => all.iter().find(|it| word(**it) == given).map(|it| Some(*it)),
        }
    }

    /// Yes or no.
    pub(in crate::tsm) fn flag(&self) -> Option<Option<bool>> {
        match self.full().as_deref().map(str::trim) {
            None => Some(None),
            Some("true" | "yes" | "1" | "on") => Some(Some(true)),
            Some("false" | "no" | "0" | "off") => Some(Some(false)),
            Some(_) => None,
        }
    }

    /// Texts from a list, or separated by blanks; nothing if there are none.
    pub(in crate::tsm) fn texts(&self) -> Option<Vec<String>> {
        let values: Vec<String> = match self.values {
            [value] if !self.list => value.split_whitespace().map(str::to_owned).collect(),
            values => values.to_vec(),
        };
        Some(values).filter(|values| !values.is_empty())
    }

    /// Names, from a list or separated by blanks and commas.
    pub(in crate::tsm) fn names(&self) -> Option<Vec<String>> {
        let value = self.value();
        let words = value.split([' ', '\t', '\n', ',']).filter(|word| !word.is_empty());
        words.map(|word| is_name(word).then(|| word.to_owned())).collect()
    }
}
