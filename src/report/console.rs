//! The one who talks with the operator, as the rest of the program sees it.

use std::io::Write;

use jiff::tz::TimeZone;

use super::Report;
use crate::base::fault::Fault;

/// Where reports, faults, notes and questions go. The terminal, a pipe, JSON, or a script in a test.
pub trait Console {
    /// Shows a report: data to the output, its faults after it.
    ///
    /// # Errors
    ///
    /// Fails if the output cannot be written; a broken pipe is such an error, and the caller ends quietly.
    fn show(&mut self, report: Report) -> std::io::Result<()>;

    /// Shows what went wrong.
    fn error(&mut self, fault: &Fault);

    /// Says something about the work, beside the data. Not shown with `--quiet`.
    fn note(&mut self, text: &str);

    /// Whether there is anybody to answer.
    fn is_interactive(&self) -> bool;

    /// Asks, if there is anybody to answer.
    fn ask(&mut self, question: &Question) -> Answer;

    /// The width that text may take, in columns.
    fn width(&self) -> usize;

    /// Whether the output is a terminal.
    fn is_terminal(&self) -> bool;

    /// The zone of the times that people write and read.
    fn zone(&self) -> TimeZone {
        TimeZone::UTC
    }

    /// Clears the screen, for output that is shown anew. Does nothing where there is no screen.
    fn clear(&mut self) {}

    /// The same console with its data going elsewhere: no terminal, no colour unless asked for.
    fn to_sink(&self, sink: Box<dyn Write>) -> Box<dyn Console>;

    /// The same console with another look for one line (`--json`, `--color`, `-q`).
    fn with_options(&self, look: &OutputOptions) -> Box<dyn Console>;
}

/// What a line may say about how it wants to be shown. `None` and `false` leave it as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OutputOptions {
    /// JSON instead of text.
    pub json: bool,
    /// No notes.
    pub quiet: bool,
    /// Colour or not.
    pub color: Option<Color>,
}

/// When to use colour.
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

/// A question before something happens that cannot be taken back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// What will happen, as a question.
    pub text: String,
    /// The word that has to be typed; y or n if none.
    pub expected: Option<String>,
}

/// What came of a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Go on.
    Yes,
    /// Do not.
    No,
    /// There is nobody to ask.
    NotInteractive,
}
