//! Where the output of a statement goes: `| program`, `> file`, `>> file`.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::base::fault::{Advise, Fault};
use crate::base::line::{Redirect, Word};
use crate::report::Console;
use crate::sys::filter::Filter;

use super::eval::Outcome;
use super::session::Session;

/// The output cannot go where it should.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// The file cannot be opened.
    #[error("failed to open `{}` for the output", path.display())]
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

impl Advise for OutputError {}

/// Opens the file of a redirection.
///
/// # Errors
///
/// Fails if it cannot be opened.
pub fn file(session: &Session, redirect: &Redirect) -> Result<Box<dyn Write>, OutputError> {
    let path = session.host.cwd().join(expand(session, &redirect.target));
    let mut options = OpenOptions::new();
    options.create(true).write(true);
    if redirect.append {
        options.append(true)
    } else {
        options.truncate(true)
    };
    let file = options.open(&path).map_err(|source| OutputError::Open { path, source })?;
    Ok(Box::new(file))
}

/// The operator's home for a `~` that is not quoted.
fn expand(session: &Session, word: &Word) -> PathBuf {
    let home = session.host.variable("HOME").filter(|_| !word.quoted);
    match (word.text.strip_prefix('~'), home) {
        (Some(""), Some(home)) => PathBuf::from(home),
        (Some(rest), Some(home)) if rest.starts_with('/') => PathBuf::from(format!("{home}{rest}")),
        _ => PathBuf::from(&word.text),
    }
}

/// Runs `left` with its output going to `sh -c text` in `cwd`. The outcome is the first failure of both.
///
/// # Errors
///
/// Fails if `sh` cannot be started.
pub fn piped(
    console: &dyn Console,
    (text, cwd): (&str, &Path),
    left: impl FnOnce(&mut dyn Console) -> Outcome,
) -> Result<Outcome, Fault> {
    let (filter, input) = Filter::start(text, cwd).map_err(|source| OutputError::Shell { source })?;
    let mut sink = console.to_sink(input);
    let outcome = left(&mut *sink);
    // Dropping the last console that can write to the program tells it that there is no more.
    drop(sink);
    let code = filter.wait().map_err(|source| OutputError::Shell { source })?;
    Ok(match outcome {
        Outcome { code: 0, .. } => Outcome { code: u8::try_from(code & 0xff).unwrap_or(1), ..outcome },
        failed => failed,
    })
}
