//! `logs/tetra.jsonl`: every command that changed something, one JSON object a line.

use std::time::Duration;

use serde_json::json;

use crate::base::control;
use crate::base::fault::Kind;
use crate::base::line;
use crate::base::redact::redact;
use crate::base::time::Timestamp;
use crate::command::Selection;
use crate::sys::file::{self, Access, FileError};
use crate::sys::paths::Paths;
use crate::sys::process;

/// One command that was run.
#[derive(Debug)]
pub struct Deed<'a> {
    /// When it began.
    pub when: Timestamp,
    /// The operator.
    pub who: &'a str,
    /// What was active.
    pub selection: &'a Selection,
    /// Its words as given; secrets are taken out here.
    pub words: &'a [String],
    /// The exit code and, if it failed, the kind of the failure.
    pub outcome: (u8, Option<Kind>),
    /// How long it took.
    pub took: Duration,
}

/// Writes a command down. The line is one write, so that lines of several sessions do not mix.
///
/// # Errors
///
/// Fails if the log cannot be written.
pub fn record(paths: &Paths, deed: &Deed) -> Result<(), FileError> {
    let millis = i64::try_from(deed.when.0).unwrap_or_default();
    let when = jiff::Timestamp::from_millisecond(millis).unwrap_or_default();
    let entry = json!({
        "when": format!("{when:.3}"),
        "who": deed.who,
        "pid": process::own_pid(),
        "context": {
            "org": deed.selection.org.as_ref().map(|it| it.as_str()),
            "env": deed.selection.env.as_ref().map(|it| it.as_str()),
        },
        "command": line::join(redact(deed.words)),
        "outcome": { "code": deed.outcome.0, "kind": deed.outcome.1.map(Kind::word) },
        "ms": u64::try_from(deed.took.as_millis()).unwrap_or(u64::MAX),
    });
    file::folder(&paths.logs())?;
    file::append(&paths.audit(), format!("{}\n", control::json(&entry.to_string())).as_bytes(), Access::Private)
}
