//! Places in what an operator wrote.

use std::ops::Range;

/// A place in something the operator wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// The file, or how else to call it (`-c`, `stdin`).
    pub file: String,
    /// Counted from 1.
    pub line: usize,
    /// Counted from 1, in characters.
    pub column: usize,
    /// How many characters are meant; at least 1 is marked.
    pub width: usize,
    /// The line itself, without its end.
    pub text: String,
}

impl Location {
    /// The place of `span` (in bytes) in `text`, whose first line is line `first` of `file`. What goes beyond the line is cut.
    #[must_use]
    pub fn of(file: &str, text: &str, span: &Range<usize>, first: usize) -> Self {
        let start = text.floor_char_boundary(span.start);
        let before = text[..start].rfind('\n').map_or(0, |end| end + 1);
        let line = text[before..].lines().next().unwrap_or_default();
        let end = text.floor_char_boundary(span.end).clamp(start, (before + line.len()).max(start));
        Self {
            file: file.to_owned(),
            line: first + text[..before].matches('\n').count(),
            column: text[before..start].chars().count() + 1,
            width: text[start..end].chars().count().max(1),
            text: line.to_owned(),
        }
    }
}
