//! The streams that a console writes to, and what it asks at.

use std::cell::RefCell;
use std::io::{self, IsTerminal, Read, Write};
use std::rc::Rc;

/// Where answers come from.
#[derive(Clone, Copy)]
pub struct AnswerSource {
    /// Whether there is a terminal. Leaves what is typed there alone.
    pub exists: fn() -> bool,
    /// What is typed from now on.
    pub open: fn() -> io::Result<Box<dyn Read>>,
}

/// Shows a text with a pager, and waits for its end.
pub type Pager = fn(&str, &[u8]) -> io::Result<()>;

/// How the size of the terminal is found.
#[derive(Clone, Copy)]
pub struct TerminalSize {
    /// Its width, in columns; none if unknown.
    pub width: fn() -> Option<usize>,
    /// Its height, in rows.
    pub height: fn() -> Option<usize>,
}

/// The streams of the program.
///
/// Built once at the start from the standard streams ([`Streams::standard`]), or from memory in a test.
#[derive(Clone)]
pub struct Streams {
    /// Data.
    pub output: Rc<RefCell<dyn Write>>,
    /// Faults, notes and questions.
    pub stderr: Rc<RefCell<dyn Write>>,
    /// None if standard input is not a terminal.
    pub answer_source: Option<AnswerSource>,
    /// Whether `output` is a terminal.
    pub output_is_terminal: bool,
    /// Whether `stderr` is a terminal.
    pub stderr_is_terminal: bool,
    /// The current size of the terminal.
    pub size: TerminalSize,
    /// Shows a text with the pager of a command line; none where nothing is paged.
    pub pager: Option<Pager>,
}

impl Streams {
    /// The standard streams; questions can be answered if standard input is a terminal.
    #[must_use]
    pub fn standard(size: TerminalSize, answers: AnswerSource, pager: Pager) -> Self {
        Self {
            pager: Some(pager),
            output: Rc::new(RefCell::new(io::stdout())),
            stderr: Rc::new(RefCell::new(io::stderr())),
            answer_source: io::stdin().is_terminal().then_some(answers),
            output_is_terminal: io::stdout().is_terminal(),
            stderr_is_terminal: io::stderr().is_terminal(),
            size,
        }
    }
}
