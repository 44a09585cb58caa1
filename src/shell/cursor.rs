//! Cursor position reports of the terminal.
//!
//! The editor sends a query (`ESC [ 6 n`) and takes the first report. An unsolicited report (some keys send the same bytes) or a
//! late one would be taken for the report of the next query, and so on: every prompt would be drawn in the wrong row. So queries
//! and reports are synchronized before each prompt.

use std::io::{self, Write};

use crossterm::{cursor, queue, terminal};

use crate::sys::tty;

/// The most reports that are discarded at once.
const MAX_DISCARDED: usize = 64;

/// Keeps queries and reports in step.
#[derive(Debug, Default)]
pub struct CursorReports {
    /// The number of queries; each is sent from another column, so that an old report can be recognized.
    queries: u16,
    /// The terminal does not answer.
    silent: bool,
}

impl CursorReports {
    /// Discards pending reports. A terminal that did not answer is not queried again until `answers` is true.
    pub fn resync(&mut self, answers: bool) {
        self.silent &= !answers;
        if !self.silent {
            // The editor reports a terminal that cannot be written to.
            self.silent = !matches!(self.query(), Ok(true) | Err(_));
        }
    }

    /// Sends a query from a known position; true if that position was reported.
    fn query(&mut self) -> io::Result<bool> {
        let (columns, rows) = terminal::size()?;
        self.queries = self.queries.wrapping_add(1);
        let place = (
            2 + self.queries.wrapping_mul(7) % columns.saturating_sub(3).max(1),
            1 + self.queries % rows.saturating_sub(2).max(1),
        );
        let place = (place.0.min(columns.saturating_sub(1)), place.1.min(rows.saturating_sub(1)));
        let mut output = io::stdout();
        queue!(output, cursor::SavePosition, cursor::MoveTo(place.0, place.1))?;
        let mut reported = cursor::position();
        let mut thrown_away = 0;
        while reported.as_ref().is_ok_and(|reported| *reported != place) && thrown_away < MAX_DISCARDED {
            thrown_away += 1;
            // The query was sent already.
            reported = tty::with_stdout_discarded(cursor::position)?;
        }
        queue!(output, cursor::RestorePosition)?;
        output.flush()?;
        Ok(reported.is_ok_and(|reported| reported == place))
    }
}
