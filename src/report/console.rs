//! The console as an interface: output, notes, questions.

use super::theme::Theme;
use std::io::Write;
use std::time::Duration;

use jiff::tz::TimeZone;

use super::Report;
use crate::base::fault::Fault;
use crate::base::time::Timestamp;

/// The destination of reports, faults, notes and questions.
pub trait Console {
    /// Shows a report on stdout, then its faults on stderr.
    ///
    /// # Errors
    ///
    /// Fails if stdout cannot be written, also with a broken pipe, on which the caller ends quietly.
    fn show(&mut self, report: Report) -> std::io::Result<()>;

    /// Shows a fault on stderr.
    fn error(&mut self, fault: &Fault);

    /// Shows a note on stderr, unless `--quiet` is set.
    fn note(&mut self, text: &str);

    /// Whether questions can be answered.
    fn is_interactive(&self) -> bool;

    /// Asks a question and waits for the answer.
    fn ask(&mut self, question: &Question) -> UserAnswer {
        self.ask_while(question, &mut || true).unwrap_or(UserAnswer::No)
    }

    /// Asks a question and waits for the answer for as long as it is open, which is looked at several times a second. None if it
    /// is not any more.
    fn ask_while(&mut self, question: &Question, is_open: &mut dyn FnMut() -> bool) -> Option<UserAnswer>;

    /// True if a question stayed open for as long as it may since this was asked last.
    fn take_left_alone(&mut self) -> bool {
        false
    }

    /// Shows where each of several targets is, after one of them moved on: a row for each in place on a terminal, else a line for
    /// what changed; with `--json` an object on a line of stderr. Where nothing changed only rows are shown, that were taken away.
    fn progress(&mut self, _targets: &[TargetState], _changed: Option<usize>) {}

    /// Shows what is waited for, in the same place on a terminal, else as a note.
    fn waiting(&mut self, text: &str) {
        self.note(text);
    }

    /// Takes the rows of [`progress`](Self::progress) and [`waiting`](Self::waiting) away: the result follows.
    fn end_progress(&mut self) {}

    /// The width for text, in columns.
    fn width(&self) -> usize;

    /// Whether the output is a terminal.
    fn is_terminal(&self) -> bool;

    /// The time zone of times in text.
    fn zone(&self) -> TimeZone {
        TimeZone::UTC
    }

    /// Clears the screen for repeated output. Does nothing without a terminal.
    fn clear(&mut self) {}

    /// Shows one run of a line that is repeated, in place of the one before, with what changed since then marked. Without a
    /// terminal it is written as it is.
    ///
    /// # Errors
    ///
    /// As [`show`](Self::show).
    fn show_frame(&mut self, title: &str, frame: &[u8], before: Option<&[u8]>) -> std::io::Result<()> {
        let _ = (title, frame, before);
        Ok(())
    }

    /// Whether what is shown is kept for [`show_frame`](Self::show_frame) and not seen yet.
    fn is_recorded(&self) -> bool {
        false
    }

    /// The same console with another output.
    fn to_sink(&self, sink: Box<dyn Write>, reader: Reader) -> Box<dyn Console>;

    /// The same console with other options for one line (`--json`, `--color`, `-q`).
    fn with_options(&self, look: &OutputOptions) -> Box<dyn Console>;
}

/// Who reads what is written into another output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reader {
    /// A file: as for people, without colors unless asked for.
    File,
    /// A program: tables are lines of cells with tabs between them.
    Program,
    /// A recording that the operator sees later, as it would have been: with the width and the colors of the terminal. Faults and
    /// notes are part of it; no question can be answered.
    Operator,
}

/// Where one of several targets is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetState {
    /// The target.
    pub name: String,
    /// What is done with it, or came of it.
    pub state: String,
    /// For how long, in seconds; not shown before the first.
    pub seconds: u64,
    /// When that was.
    pub at: Timestamp,
}

impl TargetState {
    /// Nothing is done with it yet.
    #[must_use]
    pub fn waiting(name: &str, at: Timestamp) -> Self {
        Self { name: name.to_owned(), state: "waiting".to_owned(), seconds: 0, at }
    }

    /// It came to something else.
    pub fn is_now(&mut self, state: &str, at: Timestamp) {
        (self.state, self.seconds, self.at) = (state.to_owned(), 0, at);
    }

    /// It is still so, for so long.
    pub fn is_still(&mut self, how_long: Duration, at: Timestamp) {
        (self.seconds, self.at) = (how_long.as_secs(), at);
    }
}

/// Output options of one line. `None` and `false` keep the option of the console.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OutputOptions {
    /// `--json`
    pub json: bool,
    /// `--quiet`: no notes.
    pub quiet: bool,
    /// No pager.
    pub unpaged: bool,
    /// Line after line, as where `TERM` is `dumb`: nothing is drawn again, cleared or paged, and no colors unless they are asked for.
    pub plain: bool,
    /// With or without colors.
    pub color: Option<Color>,
    /// Another theme.
    pub theme: Option<Theme>,
    /// How long a question may stay open; then it is answered with no.
    pub answer_limit: Option<Duration>,
}

/// When to use colors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Color {
    /// On a terminal, unless the environment says otherwise.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// A question before a change that cannot be undone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// The question.
    pub text: String,
    /// The word that has to be typed; `y` or `n` if none.
    pub expected: Option<String>,
}

/// The answer to a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserAnswer {
    /// Continue.
    Yes,
    /// Do not continue.
    No,
    /// Standard input is not a terminal.
    NotInteractive,
}
