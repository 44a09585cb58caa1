//! Rows of streams and of the output of programs. Text and data are made when they are shown, and only what is shown.

use std::borrow::Cow;
use std::fmt;

use super::{Cell, Message, Tone};
use crate::base::fault::Fault;

/// Named cells, in their order.
pub type Entries = Vec<(Cow<'static, str>, Cell)>;

/// One row.
pub trait Row {
    /// The text for a terminal, without its line end.
    fn text(&self) -> Cow<'_, str>;

    /// The bytes for a file or pipe, without their line end: those of a program as it wrote them, UTF-8 or not. None for a remark
    /// about other rows, which goes to stderr.
    fn raw(&self) -> Option<Cow<'_, [u8]>>;

    /// The meaning of the row.
    fn tone(&self) -> Tone;

    /// The data for `--json`.
    fn data(&self) -> Entries;
}

impl Row for Message {
    fn text(&self) -> Cow<'_, str> {
        Cow::Borrowed(&self.text)
    }

    fn raw(&self) -> Option<Cow<'_, [u8]>> {
        Some(Cow::Borrowed(self.text.as_bytes()))
    }

    fn tone(&self) -> Tone {
        self.tone
    }

    fn data(&self) -> Entries {
        self.data.clone()
    }
}

/// A remark about the surrounding rows: to stderr as text, a row like the others in JSON.
#[derive(Debug, Clone, PartialEq)]
pub struct Remark(pub Message);

impl Row for Remark {
    fn text(&self) -> Cow<'_, str> {
        self.0.text()
    }

    fn raw(&self) -> Option<Cow<'_, [u8]>> {
        None
    }

    fn tone(&self) -> Tone {
        self.0.tone
    }

    fn data(&self) -> Entries {
        self.0.data()
    }
}

impl<R: Row + 'static> From<R> for Box<dyn Row> {
    fn from(row: R) -> Self {
        Box::new(row)
    }
}

impl fmt::Debug for dyn Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text().fmt(f)
    }
}

/// A row that arrived, or the end of the stream by a failure.
pub type Arrival = Result<Box<dyn Row>, Fault>;

/// Rows that arrive over time. `next` blocks until there is one; the stream ends with the last row or an interruption.
pub trait Rows: Iterator<Item = Arrival> {
    /// True if `next` returns without waiting: what was shown need not be flushed before.
    fn is_ready(&mut self) -> bool {
        false
    }
}

/// Rows that arrive over time.
pub struct RowStream {
    /// The rows.
    pub rows: Box<dyn Rows>,
}

impl RowStream {
    /// Rows that may have to be waited for, each of them.
    pub fn of(rows: impl Iterator<Item = Arrival> + 'static) -> Self {
        Self { rows: Box::new(Waiting(rows)) }
    }
}

impl fmt::Debug for RowStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RowStream")
    }
}

struct Waiting<I>(I);

impl<I: Iterator<Item = Arrival>> Iterator for Waiting<I> {
    type Item = Arrival;

    fn next(&mut self) -> Option<Arrival> {
        self.0.next()
    }
}

impl<I: Iterator<Item = Arrival>> Rows for Waiting<I> {}
