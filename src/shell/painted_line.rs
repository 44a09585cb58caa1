//! The line on the screen, for a terminal whose width changes.
//!
//! The editor takes the row of the cursor and goes up as many rows as the line has before it at the new width. That is where the line begins
//! if the terminal wrapped it anew. One that leaves its rows as they are has them wrapped at the old width, so the editor would begin too low,
//! below rows that are left behind, or too high, over what is not its own.

use std::io::{self, Write};

use crossterm::{cursor, terminal};

use crate::base::columns::width;

/// What begins the further rows of a line.
pub(super) const CONTINUATION_COLUMNS: usize = 4;

/// How a line was painted up to its cursor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PaintedLine {
    /// The columns of each line of it, with what begins them.
    widths: Vec<usize>,
    /// The columns of the terminal then.
    columns: usize,
}

impl PaintedLine {
    /// A line with its cursor at a byte, behind a prompt of so many columns. None where the terminal does not say its size.
    pub(super) fn new(line: &str, cursor: usize, prompt: usize) -> Option<Self> {
        let (columns, _) = terminal::size().ok()?;
        let mut widths: Vec<usize> =
            line.get(..cursor)?.split('\n').map(|part| CONTINUATION_COLUMNS + width(part)).collect();
        let first = widths.first_mut()?;
        *first = *first - CONTINUATION_COLUMNS + prompt;
        Some(Self { widths, columns: columns.into() })
    }

    /// The rows above that of the cursor, and its column.
    fn place(&self, columns: usize) -> (usize, usize) {
        let columns = columns.max(1);
        let Some((last, before)) = self.widths.split_last() else { return (0, 0) };
        let above: usize = before.iter().map(|width| width.div_ceil(columns).max(1)).sum();
        (above + last / columns, last % columns)
    }

    /// Puts the cursor where the editor expects it, in a terminal that did not wrap the line anew.
    pub(super) fn follow_resize(&self) {
        let Ok((columns, _)) = terminal::size() else { return };
        let columns = usize::from(columns);
        if self.place(self.columns).0 == self.place(columns).0 {
            return;
        }
        let Ok((column, _)) = cursor::position() else { return };
        if let Some(keys) = self.correction(columns, column.into()) {
            let mut output = io::stdout();
            // The next output reports an error.
            let _ = output.write_all(keys.as_bytes()).and_then(|()| output.flush());
        }
    }

    /// What moves the cursor, which is in `column` of a terminal of so many columns now. None if the line was wrapped anew.
    fn correction(&self, columns: usize, column: usize) -> Option<String> {
        let ((rows, old), (_, new)) = (self.place(self.columns), self.place(columns));
        let is_as_it_was = column == old.min(columns.saturating_sub(1)) && column != new;
        // The editor does not count the row behind one that is full.
        let (last, before) = self.widths.split_last()?;
        let above: usize = before.iter().map(|width| width.div_ceil(columns.max(1)).max(1)).sum();
        let down = above + last.saturating_sub(1) / columns.max(1);
        let up = if rows > 0 { format!("\x1b[{rows}A") } else { String::new() };
        is_as_it_was.then(|| format!("{up}\r\x1b[J{}", "\n".repeat(down)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn painted(widths: &[usize], columns: usize) -> PaintedLine {
        PaintedLine { widths: widths.to_vec(), columns }
    }

    #[test]
    fn rows_are_counted_as_they_are_wrapped() {
        assert_eq!(painted(&[7], 80).place(80), (0, 7));
        assert_eq!(painted(&[100], 80).place(40), (2, 20));
        assert_eq!(painted(&[80], 80).place(80), (1, 0));
        assert_eq!(painted(&[100, 4], 80).place(40), (3, 4));
        assert_eq!(painted(&[80, 4], 80).place(80), (1, 4));
    }

    #[test]
    fn only_a_terminal_that_left_its_rows_is_corrected() {
        let line = painted(&[100], 40);
        assert_eq!(
            line.correction(80, 20).as_deref(),
            None,
            "it may have wrapped the line: 20 of 80 columns either way"
        );
        assert_eq!(painted(&[110], 40).correction(80, 30).as_deref(), None);
        assert_eq!(painted(&[110], 50).correction(80, 10).as_deref(), Some("\x1b[2A\r\x1b[J\n"));
        assert_eq!(painted(&[110], 50).correction(80, 30), None, "wrapped anew");
        assert_eq!(painted(&[70], 80).correction(60, 59).as_deref(), Some("\r\x1b[J\n"), "made narrower");
    }
}
