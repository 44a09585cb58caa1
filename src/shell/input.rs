//! Commands that arrive on a stream, each run when it is complete.

use std::io::{self, BufRead, Read};
use std::os::fd::AsFd;

use crate::base::fault::{Fault, Kind};
use crate::base::line::{LexError, lex};
use crate::report::Console;
use crate::sys::signal;

use super::eval::{Outcome, interruption, run_text};
use super::session::Session;
use super::source::{Origin, Source};

/// The most lines that one command may go on for; after these an open quote is taken for a mistake.
const MOST_LINES: usize = 1000;

/// Reads and runs commands up to the end of the stream or the first failure. A command begins when its last line is there,
/// so that a program can talk with the shell through pipes.
pub fn run(session: &mut Session, console: &mut dyn Console, stream: &mut dyn BufRead) -> Outcome {
    let mut whole = Outcome::default();
    let (mut text, mut first_line, mut lines) = (String::new(), 1, 0);
    loop {
        let at_end = match stream.read_line(&mut text) {
            Ok(count) => count == 0,
            Err(error) => {
                let unreadable = || unreadable(console, &error);
                return interruption(session).map_or_else(unreadable, |code| Outcome { code, leave: true });
            }
        };
        lines += 1;
        if !at_end && lines < MOST_LINES && matches!(lex(&text), Err(LexError::Unfinished { .. })) {
            continue;
        }
        let outcome = run_text(session, console, Source { origin: &Origin::Input, text: &text, first_line });
        if whole.code == 0 {
            whole.code = outcome.code;
        }
        if at_end || outcome.stops(session) {
            return whole;
        }
        first_line += lines;
        lines = 0;
        text.clear();
    }
}

/// A stream on which a signal ends the wait: the read then fails.
pub struct Interruptible<R>(pub R);

impl<R: Read + AsFd> Read for Interruptible<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if signal::wait_for(self.0.as_fd()) { self.0.read(into) } else { Err(io::Error::other("interrupted")) }
    }
}

fn unreadable(console: &mut dyn Console, error: &std::io::Error) -> Outcome {
    console.complain(&Fault::new(Kind::Failed, format!("failed to read commands from the standard input: {error}")));
    Outcome::of(Kind::Failed)
}
