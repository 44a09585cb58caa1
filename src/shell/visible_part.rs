//! What is painted of a line that is longer than the screen.
//!
//! The editor paints all that is behind the cursor. What does not fit scrolls the screen, and the cursor is not any more where the editor
//! puts it. So what is behind the last row that fits is left out.

use super::painted_line::CONTINUATION_COLUMNS;
use crate::base::columns;

/// Takes the place of what is left out.
pub(super) const MORE: &str = "…";

/// What is painted of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct VisiblePart {
    /// The byte at which it ends.
    pub end: usize,
    /// There is room behind it for [`MORE`].
    pub has_room: bool,
}

/// The size of a screen, and how many of its rows a menu may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct ScreenSize {
    pub columns: usize,
    pub rows: usize,
    pub menu_rows: usize,
}

/// What is painted of a line with its cursor at a byte, behind a prompt of so many columns; none for the whole line.
pub(super) fn visible_part(line: &str, cursor: usize, prompt: usize, screen: ScreenSize) -> Option<VisiblePart> {
    let last_column = screen.columns.checked_sub(2).filter(|_| cursor <= line.len())?;
    // The editor takes a line for too long that fills all rows.
    let rows = screen.rows.saturating_sub(1 + screen.menu_rows);
    let mut place = Place { row: prompt / screen.columns, column: prompt % screen.columns };
    let mut most = rows;
    let mut part = None;
    for (index, c) in line.char_indices() {
        let taken = columns::width(c.encode_utf8(&mut [0; 4]));
        if index == cursor {
            // At least the row of the cursor.
            most = most.max(place.row + 1);
        }
        let is_over =
            place.row + 1 > most || place.row + 1 == most && (c == '\n' || place.column + taken > last_column);
        if index >= cursor && is_over && part.is_none() {
            part = Some(VisiblePart { end: index, has_room: place.row < most && place.column <= last_column });
        }
        place.advance(c, taken, screen.columns);
    }
    part.filter(|_| place.row >= most)
}

/// A place on a screen, as terminals wrap a line.
struct Place {
    row: usize,
    column: usize,
}

impl Place {
    fn advance(&mut self, c: char, taken: usize, columns: usize) {
        if c == '\n' {
            (self.row, self.column) = (self.row + 1, CONTINUATION_COLUMNS);
            return;
        }
        if self.column + taken > columns {
            (self.row, self.column) = (self.row + 1, 0);
        }
        self.column += taken;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCREEN: ScreenSize = ScreenSize { columns: 10, rows: 4, menu_rows: 0 };

    fn end(line: &str, cursor: usize) -> Option<usize> {
        visible_part(line, cursor, 4, SCREEN).map(|part| part.end)
    }

    #[test]
    fn a_line_that_fits_is_whole() {
        assert_eq!(end("", 0), None);
        assert_eq!(end(&"y".repeat(26), 0), None, "three of four rows");
        assert_eq!(end("a\nb\nc", 0), None);
        assert_eq!(visible_part("", 0, 4, ScreenSize { columns: 0, ..SCREEN }), None);
    }

    #[test]
    fn what_is_behind_the_last_row_is_left_out() {
        // The last column of the row is free, and the one before is for the mark.
        for cursor in [0, 6, 24] {
            let part = VisiblePart { end: 24, has_room: true };
            assert_eq!(visible_part(&"y".repeat(27), cursor, 4, SCREEN), Some(part), "{cursor}");
        }
        assert_eq!(end("a\nb\nc\nd", 0), Some(5), "at the end of its third line");
        assert_eq!(end("日本語日本語日本語日本語日本語", 0), Some(36), "wide letters");
        assert_eq!(
            visible_part(&"y".repeat(27), 0, 4, ScreenSize { menu_rows: 2, ..SCREEN }).map(|it| it.end),
            Some(4)
        );
    }

    #[test]
    fn the_row_of_the_cursor_is_always_painted_and_what_is_before_it_too() {
        let long = "y".repeat(100);
        assert_eq!(end(&long, 100), None, "at the end");
        assert_eq!(end(&long, 57), Some(64));
        // At the end of its row the mark has no room.
        assert_eq!(visible_part(&long, 65, 4, SCREEN), Some(VisiblePart { end: 65, has_room: false }));
    }
}
