//! Commands that arrive on a stream, each run when it is complete.

use std::io::BufRead;

use crate::base::fault::{Fault, Kind};
use crate::base::line::{LexError, lex};
use crate::report::Console;

use super::eval::{Outcome, run_text};
use super::session::Session;
use super::source::{Origin, Source};

/// Reads and runs commands up to the end of the stream or the first failure. A command begins when its last line is there,
/// so that a program can talk with the shell through pipes.
pub fn run(session: &mut Session, console: &mut dyn Console, stream: &mut dyn BufRead) -> Outcome {
    let mut whole = Outcome::default();
    let (mut text, mut first_line) = (String::new(), 1);
    loop {
        let at_end = match stream.read_line(&mut text) {
            Ok(count) => count == 0,
            Err(error) => return unreadable(console, &error),
        };
        if !at_end && matches!(lex(&text), Err(LexError::Unfinished { .. })) {
            continue;
        }
        let outcome = run_text(session, console, Source { origin: &Origin::Input, text: &text, first_line });
        if whole.code == 0 {
            whole.code = outcome.code;
        }
        if at_end || outcome.stops(session) {
            return whole;
        }
        first_line += text.matches('\n').count();
        text.clear();
    }
}

fn unreadable(console: &mut dyn Console, error: &std::io::Error) -> Outcome {
    console.complain(&Fault::new(Kind::Failed, format!("failed to read commands from the standard input: {error}")));
    Outcome::of(Kind::Failed)
}
