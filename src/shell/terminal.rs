//! What the terminal of a session can do.

use std::io::{self, Write};

use crate::base::fault::{Fault, FaultKind};
use crate::report::Color;

use super::session::Session;

/// The terminal has no cursor control.
pub(super) fn is_dumb(session: &Session) -> bool {
    session.host.variable("TERM").is_none_or(|term| term == "dumb")
}

/// Whether the prompt is colored: `--color`, then `NO_COLOR`.
pub(super) fn colors(session: &Session) -> bool {
    match session.globals.output.color {
        Some(Color::Always) => true,
        Some(Color::Never) => false,
        Some(Color::Auto) | None => session.host.variable("NO_COLOR").is_none(),
    }
}

/// Goes below a line that is still being edited: what is shown next would be written into it.
pub(super) fn leave_line() {
    let mut output = io::stdout();
    // The next output reports an error.
    let _ = output.write_all(b"\r\n\x1b[J").and_then(|()| output.flush());
}

/// Removes the hint behind a line that is left, with the cursor at its end.
pub(super) fn erase_hint() {
    let mut output = io::stdout();
    // The next output reports an error.
    let _ = output.write_all(b"\x1b[K").and_then(|()| output.flush());
}

/// Writes texts in place of a line that begins `row` rows above the cursor, and goes below them.
pub(super) fn replace_line(row: usize, texts: &[String]) {
    let up = if row > 0 { format!("\x1b[{row}A") } else { String::new() };
    let mut output = io::stdout();
    // The next output reports an error.
    let _ = write!(output, "{up}\r\x1b[J{}\r\n", texts.join("\r\n")).and_then(|()| output.flush());
}

/// The error of a terminal that cannot be used.
pub(super) fn unusable(error: io::Error) -> Fault {
    Fault::new(FaultKind::Failed, format!("failed to use the terminal: {error}"))
}
