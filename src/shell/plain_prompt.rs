//! The prompt without line editing: for dumb terminals, screen readers, and on request.

use std::io::{self, Write};
use std::time::Instant;

use super::prompt::ContextPrompt;
use super::session::Session;
use super::{abbreviations, history, idle, terminal, typed_line};
use crate::base::fault::{Fault, FaultKind};
use crate::base::line::{self, LexError};
use crate::report::{Console, OutputOptions};
use crate::sys::file::{self, Access, FileError};
use crate::sys::signal;
use crate::sys::tty::{self, LineInput};

/// True with `TERM=dumb`, `TETRA_PLAIN`, or the setting `plain`.
#[must_use]
pub fn is_enabled(session: &Session) -> bool {
    session.settings.is_on("plain") || session.host.is_switched_on("TETRA_PLAIN") || terminal::is_dumb(session)
}

/// Variables that desktops set to 1 for sessions with a screen reader.
const READER_VARIABLES: [&str; 2] = ["ACCESSIBILITY_ENABLED", "GNOME_ACCESSIBILITY"];

/// Offers this prompt where a screen reader may be at work.
pub(super) fn offer_to_screen_reader(session: &Session, console: &mut dyn Console) {
    if READER_VARIABLES.iter().any(|name| session.host.variable(name) == Some("1")) {
        offer_once(session, console, "a screen reader reads a prompt that redraws its line badly");
    }
}

/// Offers this prompt for a reason, once for each user.
pub(super) fn offer_once(session: &Session, console: &mut dyn Console, why: &str) {
    let path = session.paths.plain_offered();
    let offer = || -> Result<bool, FileError> {
        file::create_dir(path.parent().unwrap_or(&path))?;
        let is_new = !path.exists();
        if is_new {
            file::write(&path, b"", Access::Private)?;
        }
        Ok(is_new)
    };
    // Where it cannot be stored, it is offered again.
    if offer().unwrap_or(true) {
        console.note(&format!(
            "{why}: `tetra --plain`, TETRA_PLAIN=1 or `plain = true` in config.toml gives a prompt without an editor"
        ));
    }
}

/// Reads lines in canonical mode and runs them; returns the exit code of the program. Keeps no history.
pub fn run(session: &mut Session, console: &mut dyn Console) -> u8 {
    let console = &mut *console.with_options(&OutputOptions { plain: true, ..OutputOptions::default() });
    loop {
        // It may be read aloud, where a shortened word is of no use.
        let prompt = ContextPrompt { columns: 0, ..ContextPrompt::of(session, console) };
        let shown_at = Instant::now();
        let typed = read_statement(&prompt.plain());
        if let Some(number) = signal::termination_signal() {
            return u8::try_from(128 + number).unwrap_or(u8::MAX);
        }
        match typed {
            Ok(LineInput::Line(line)) if line.trim().is_empty() => {}
            Ok(LineInput::Line(_)) if idle::limit(session, prompt.tier).is_some_and(|it| shown_at.elapsed() >= it) => {
                idle::leave_production(session, console);
                console.note("the line was not run");
            }
            Ok(LineInput::Line(line)) => {
                if let Some(number) = history::recalled(&line) {
                    recall(session, number, console);
                    continue;
                }
                let expanded = abbreviations::expand(&session.settings.abbreviations, &line);
                if let Some(line) = &expanded {
                    console.note(&format!("runs `{}`", line.trim_end()));
                }
                let line = expanded.unwrap_or(line);
                let outcome = typed_line::run(session, console, &line);
                if outcome.exits() {
                    return outcome.code;
                }
                idle::leave_after_question(session, console);
            }
            Ok(LineInput::Interrupted) => write("\n"),
            Ok(LineInput::End) => {
                write("\n");
                return 0;
            }
            Err(error) => {
                let fault = Fault::new(FaultKind::Failed, format!("failed to read from the terminal: {error}"));
                console.error(&fault);
                return fault.kind.code();
            }
        }
    }
}

/// Shows a line of the history: it cannot be put on the prompt.
fn recall(session: &Session, number: i64, console: &mut dyn Console) {
    match history::stored_line(session, number) {
        Ok(line) => console.note(&format!("line {number} is `{line}`; type it to run it")),
        Err(fault) => console.error(&fault),
    }
}

/// Reads a line, and further lines while the statement is incomplete.
fn read_statement(prompt: &str) -> io::Result<LineInput> {
    // Before the prompt is shown: a Ctrl-C from then on counts.
    signal::reset();
    write(prompt);
    let mut whole = String::new();
    loop {
        match tty::read_line()? {
            LineInput::Line(line) => whole.push_str(&line),
            LineInput::End if !whole.is_empty() => return Ok(LineInput::Line(whole)),
            other => return Ok(other),
        }
        if !matches!(line::lex(&whole), Err(LexError::Incomplete { .. })) {
            return Ok(LineInput::Line(whole));
        }
        whole.push('\n');
        write("... ");
    }
}

/// A failure to write the prompt is ignored.
fn write(text: &str) {
    let mut output = io::stdout();
    let _ = output.write_all(text.as_bytes()).and_then(|()| output.flush());
}
