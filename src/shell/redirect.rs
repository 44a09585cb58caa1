//! Redirection of the output: `| program`, `> file`, `>> file`.

use std::cell::RefCell;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use crate::base::fault::{Fault, UserFacingError};
use crate::base::home;
use crate::base::line::{Redirect, Word};
use crate::report::{Block, Console, Reader, Report};
use crate::sys::pipe_to::{PipedCommand, PipedOutput};

use super::outcome::LineOutcome;
use super::session::Session;

/// The output cannot be redirected or written.
#[derive(Debug, thiserror::Error)]
pub enum RedirectError {
    /// The file cannot be opened.
    #[error("failed to open the output file `{}`", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It cannot be written.
    #[error("failed to write the output")]
    Write {
        /// Why.
        source: std::io::Error,
    },
    /// `sh` cannot be started.
    #[error("failed to start `sh`")]
    Shell {
        /// Why.
        source: std::io::Error,
    },
}

impl UserFacingError for RedirectError {}

/// Keeps what is written.
pub(super) struct MemorySink(pub Rc<RefCell<Vec<u8>>>);

impl Write for MemorySink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Opens the file of a redirection.
///
/// # Errors
///
/// Fails if it cannot be opened.
pub fn open_file(session: &Session, redirect: &Redirect) -> Result<Box<dyn Write>, RedirectError> {
    let path = session.host.cwd().join(expand_tilde(session, &redirect.target));
    let mut options = OpenOptions::new();
    options.create(true).write(true);
    if redirect.append {
        options.append(true)
    } else {
        options.truncate(true)
    };
    let file = options.open(&path).map_err(|source| RedirectError::Open { path, source })?;
    Ok(Box::new(file))
}

/// Expands an unquoted leading `~`.
fn expand_tilde(session: &Session, word: &Word) -> PathBuf {
    let home = session.host.variable("HOME").filter(|_| !word.quoted);
    PathBuf::from(home::expand(&word.text, home))
}

/// Shows what a program wrote, where that is recorded.
///
/// # Errors
///
/// Fails if it cannot be written.
pub(super) fn pass_on(console: &mut dyn Console, text: &[u8]) -> Result<(), RedirectError> {
    if text.is_empty() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(text).into_owned();
    console.show(Report::of(Block::Text(text))).map_err(|source| RedirectError::Write { source })
}

/// Runs `left` with its output piped to `sh -c text` in `cwd`. The outcome is the first failure of both.
///
/// # Errors
///
/// Fails if `sh` cannot be started.
pub fn run_piped(
    console: &mut dyn Console,
    text: &str,
    cwd: &Path,
    left: impl FnOnce(&mut dyn Console) -> LineOutcome,
) -> Result<LineOutcome, Fault> {
    let stdout = if console.is_recorded() { PipedOutput::Kept } else { PipedOutput::Inherited };
    let (filter, input) = PipedCommand::start(text, cwd, stdout).map_err(|source| RedirectError::Shell { source })?;
    let mut sink = console.to_sink(input, Reader::Program);
    let outcome = left(&mut *sink);
    // Dropping the last console that can write to the program closes its standard input.
    drop(sink);
    let (code, kept) = filter.wait().map_err(|source| RedirectError::Shell { source })?;
    pass_on(console, &kept)?;
    Ok(match outcome {
        LineOutcome { code: 0, .. } => LineOutcome { code: u8::try_from(code & 0xff).unwrap_or(1), ..outcome },
        failed => failed,
    })
}
