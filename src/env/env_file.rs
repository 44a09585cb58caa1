//! KEY=VALUE files of a project and of secrets, read alike: an invalid line is reported without its contents.

use std::collections::HashMap;
use std::ops::Range;

use crate::base::diagnostic::{Diagnostic, SourceText};
use crate::base::dotenv;
use crate::base::fault::{FaultKind, UserFacingError};

use crate::config::mask;

/// A file has a line that is invalid.
#[derive(Debug, thiserror::Error)]
#[error("`{file}` is not a valid env file")]
pub struct EnvFileError {
    /// The file.
    pub file: String,
    /// Where, without what is there.
    pub diagnostics: Vec<Diagnostic>,
}

impl UserFacingError for EnvFileError {
    fn kind(&self) -> FaultKind {
        FaultKind::Failed
    }

    fn advice(&self) -> Option<String> {
        Some("write KEY=VALUE or export KEY=VALUE; quote a value that begins or ends with a space".to_owned())
    }

    fn diagnostics(&self) -> Vec<Diagnostic> {
        self.diagnostics.clone()
    }
}

/// The settings of a file with their places.
///
/// # Errors
///
/// Fails at the first line that is invalid; values are not shown.
pub fn entries(name: &str, text: &str) -> Result<Vec<dotenv::SpannedEnvVar>, EnvFileError> {
    dotenv::entries(text).map_err(|wrong| env_file_error(name, text, &wrong))
}

/// The settings of a file, each key once.
///
/// # Errors
///
/// As [`entries`].
pub fn variables(name: &str, text: &str) -> Result<Vec<dotenv::EnvVar>, EnvFileError> {
    dotenv::parse(text).map_err(|wrong| env_file_error(name, text, &wrong))
}

/// The first key that comes twice, if any, as an error of the file.
#[must_use]
pub fn duplicate_key(name: &str, text: &str, entries: &[dotenv::SpannedEnvVar]) -> Option<EnvFileError> {
    let shown = SourceText::new(name, mask::env_text(text));
    let mut first = HashMap::new();
    let twice = entries.iter().find_map(|entry| {
        let before: &Range<usize> = first.insert(entry.variable.key.as_str(), &entry.span)?;
        let error = shown.error(format!("`{}` is set twice", entry.variable.key), entry.span.clone(), "");
        Some(error.with_label(before.clone(), "first set here").help("remove one of them"))
    });
    twice.map(|found| EnvFileError { file: name.to_owned(), diagnostics: vec![found] })
}

fn env_file_error(name: &str, text: &str, wrong: &dotenv::DotenvError) -> EnvFileError {
    let shown = SourceText::new(name, mask::env_text(text));
    let line: usize = text.split_inclusive('\n').take(wrong.line.saturating_sub(1) as usize).map(str::len).sum();
    let rest = text[line..].chars().take(wrong.column.saturating_sub(1) as usize).map(char::len_utf8);
    let at = line + rest.sum::<usize>();
    let diagnostic = shown.error(wrong.kind.to_string(), at..(at + 1).min(text.len()).max(at), "");
    EnvFileError { file: name.to_owned(), diagnostics: vec![diagnostic] }
}
