//! Where the cursor is, as the terminal says it.
//!
//! The editor asks for that and takes the first answer. An answer that nobody asked for (some keys send the same bytes) or that
//! comes too late would be taken for that of the next question, and so on for ever: the editor would draw every prompt in the
//! wrong row. So before a prompt it is made sure that questions and answers belong together.

use std::io::{self, Write};

use crossterm::{cursor, queue, terminal};

use crate::sys::tty;

/// The most answers that are thrown away at once.
const MAX_DISCARDED: usize = 64;

/// Sees to it that the answer to a question is that to this one.
#[derive(Debug, Default)]
pub struct CursorReports {
    /// How often was asked; each time from another place, so that an old answer is not taken for the new one.
    queries: u16,
    /// The terminal does not answer.
    silent: bool,
}

impl CursorReports {
    /// Throws away what is left of earlier answers. A terminal that does not answer is not asked again until `answers` says that
    /// it does.
    pub fn resync(&mut self, answers: bool) {
        self.silent &= !answers;
        if !self.silent {
            // A terminal that cannot be written to will be noticed by the editor.
            self.silent = !matches!(self.query(), Ok(true) | Err(_));
        }
    }

    /// Asks from a place that is known; true if that place was told in the end.
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
        let mut told = cursor::position();
        let mut thrown_away = 0;
        while told.as_ref().is_ok_and(|told| *told != place) && thrown_away < MAX_DISCARDED {
            thrown_away += 1;
            // The question was asked already.
            told = tty::with_stdout_discarded(cursor::position)?;
        }
        queue!(output, cursor::RestorePosition)?;
        output.flush()?;
        Ok(told.is_ok_and(|told| told == place))
    }
}
