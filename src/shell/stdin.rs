//! Commands from a stream, each run when it is complete.

use std::io::{self, BufRead, Read};
use std::os::fd::AsFd;

use crate::base::fault::{Fault, FaultKind};
use crate::base::line::{LexError, lex, without_line_end};
use crate::report::Console;
use crate::sys::signal;

use super::nesting::{interruption_code, stops};
use super::outcome::{LineOutcome, Then};
use super::runner::run_text;
use super::session::Session;
use super::source::{ScriptOrigin, ScriptText};

/// The most lines of one command; an open quote is a syntax error after that.
const MAX_STATEMENT_LINES: usize = 1000;

/// Reads and runs commands up to the end of the stream or the first failure. A command runs as soon as its last line has been
/// read, so that a program can drive the shell through pipes.
pub fn run(session: &mut Session, console: &mut dyn Console, stream: &mut dyn BufRead) -> LineOutcome {
    let mut whole = LineOutcome::default();
    let (mut text, mut first_line, mut lines) = (String::new(), 1, 0);
    loop {
        let at_end = match stream.read_line(&mut text) {
            Ok(count) => count == 0,
            Err(error) => {
                let unreadable = || report_read_error(console, &error);
                return interruption_code(session)
                    .map_or_else(unreadable, |code| LineOutcome { code, then: Then::Exit });
            }
        };
        lines += 1;
        let is_open = matches!(lex(without_line_end(&text)), Err(LexError::Incomplete { .. }));
        if is_open && !at_end && lines < MAX_STATEMENT_LINES {
            continue;
        }
        let outcome = run_text(session, console, ScriptText { origin: &ScriptOrigin::Stdin, text: &text, first_line });
        whole = whole.followed_by(outcome);
        if at_end || stops(session, outcome) {
            return whole;
        }
        first_line += lines;
        lines = 0;
        text.clear();
    }
}

/// A stream whose blocking read fails when a signal arrives.
pub struct Interruptible<R>(pub R);

impl<R: Read + AsFd> Read for Interruptible<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if signal::wait_readable(self.0.as_fd()) { self.0.read(into) } else { Err(io::Error::other("interrupted")) }
    }
}

fn report_read_error(console: &mut dyn Console, error: &std::io::Error) -> LineOutcome {
    console.error(&Fault::new(FaultKind::Failed, format!("failed to read commands from standard input: {error}")));
    LineOutcome::of(FaultKind::Failed)
}
