//! `logs/tetra.jsonl`: every command that changed something, one JSON object a line.

use std::time::Duration;

use serde_json::json;

use crate::base::control;
use crate::base::fault::FaultKind;
use crate::base::line;
use crate::base::redact::redact;
use crate::base::time::{self, Timestamp};
use crate::command::Selection;
use crate::sys::file::{self, Access, FileError};
use crate::sys::paths::Paths;
use crate::sys::process;

/// One command that was run.
#[derive(Debug)]
pub struct AuditRecord<'a> {
    /// When it began.
    pub started_at: Timestamp,
    /// The name of the user.
    pub user: &'a str,
    /// The active organization, environment and process.
    pub selection: &'a Selection,
    /// The words as typed; [`record`] masks secrets.
    pub words: &'a [String],
    /// The exit code and, if it failed, the kind of the failure.
    pub outcome: (u8, Option<FaultKind>),
    /// The run time.
    pub duration: Duration,
}

/// Appends a record. One `write` call per line, so that the lines of concurrent sessions do not mix.
///
/// # Errors
///
/// Fails if the log cannot be written.
pub fn record(paths: &Paths, deed: &AuditRecord) -> Result<(), FileError> {
    let millis = i64::try_from(deed.started_at.0).unwrap_or_default();
    let when = jiff::Timestamp::from_millisecond(millis).unwrap_or_default();
    let entry = json!({
        "when": format!("{when:.3}"),
        "who": deed.user,
        "pid": process::own_pid(),
        "context": {
            "org": deed.selection.org.as_ref().map(|it| it.as_str()),
            "env": deed.selection.env.as_ref().map(|it| it.as_str()),
        },
        "command": line::join(redact(deed.words)),
        "outcome": { "code": deed.outcome.0, "kind": deed.outcome.1.map(FaultKind::word) },
        "ms": time::millis(deed.duration),
    });
    file::create_dir(&paths.logs())?;
    file::append(&paths.audit(), format!("{}\n", control::escape_json(&entry.to_string())).as_bytes(), Access::Private)
}
