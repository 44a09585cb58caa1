//! The prompt for terminals that can do nothing, for screen readers, and for those who like it plain.

use std::io::{self, Write};

use super::eval;
use super::repl;
use super::session::Session;
use super::source::Origin;
use crate::base::fault::{Fault, Kind};
use crate::base::line::{self, LexError};
use crate::report::Console;
use crate::sys::signal;
use crate::sys::tty::{self, Typed};

/// `TERM=dumb`, `TETRA_PLAIN`, or the setting.
#[must_use]
pub fn is_wanted(session: &Session) -> bool {
    session.settings.is_on("plain")
        || session.host.variable("TETRA_PLAIN").is_some_and(|value| value != "0")
        || is_dumb(session)
}

/// The terminal can do nothing but take lines.
pub(super) fn is_dumb(session: &Session) -> bool {
    session.host.variable("TERM").is_none_or(|term| term == "dumb")
}

/// Reads whole lines as the terminal gives them and runs them; the exit code of the program. Keeps no history.
pub fn run(session: &mut Session, console: &mut dyn Console) -> u8 {
    loop {
        let prompt = repl::plain_prompt(session, console);
        let typed = read(&prompt);
        if let Some(number) = signal::ended() {
            return u8::try_from(128 + number).unwrap_or(u8::MAX);
        }
        match typed {
            Ok(Typed::Line(line)) if line.trim().is_empty() => {}
            Ok(Typed::Line(line)) => {
                let outcome = eval::run_line(session, console, &line, &Origin::Prompt);
                if outcome.leave {
                    return outcome.code;
                }
            }
            Ok(Typed::Interrupted) => write("\n"),
            Ok(Typed::End) => {
                write("\n");
                return 0;
            }
            Err(error) => {
                let fault = Fault::new(Kind::Failed, format!("failed to read from the terminal: {error}"));
                console.complain(&fault);
                return fault.kind.code();
            }
        }
    }
}

/// Reads a line, and further ones while something is open.
fn read(prompt: &str) -> io::Result<Typed> {
    // Before the prompt is seen: what is pressed from then on counts.
    signal::begin();
    write(prompt);
    let mut whole = String::new();
    loop {
        match tty::read_line()? {
            Typed::Line(line) => whole.push_str(&line),
            Typed::End if !whole.is_empty() => return Ok(Typed::Line(whole)),
            other => return Ok(other),
        }
        if !matches!(line::lex(&whole), Err(LexError::Unfinished { .. })) {
            return Ok(Typed::Line(whole));
        }
        whole.push('\n');
        write("... ");
    }
}

/// A prompt that cannot be written is missed by nobody.
fn write(text: &str) {
    let mut output = io::stdout();
    let _ = output.write_all(text.as_bytes()).and_then(|()| output.flush());
}
