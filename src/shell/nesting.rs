//! Nested lines: their depth, and the interruption of all of them.

use crate::base::fault::{Fault, FaultKind};
use crate::report::Console;
use crate::sys::signal;

use super::outcome::{LineOutcome, Then};
use super::session::Session;
use super::source::{ScriptOrigin, ScriptText};

/// The limit of nested scripts, aliases and `watch` runs.
pub const MAX_DEPTH: usize = 16;

/// Runs a text inside of the current statement.
pub(super) type RunNested<'a> = &'a mut dyn FnMut(&mut Session, &mut dyn Console, ScriptText) -> LineOutcome;

/// Runs a line inside of another one that is called `name`.
pub(super) fn run_line(
    session: &mut Session,
    console: &mut dyn Console,
    line: &str,
    name: &str,
    run: RunNested,
) -> LineOutcome {
    let origin = ScriptOrigin::nested(name);
    run(session, console, ScriptText { origin: &origin, text: line, first_line: 1 })
}

/// Runs one nesting level deeper; an interruption determines the code.
pub(super) fn with_depth(session: &mut Session, run: impl FnOnce(&mut Session) -> LineOutcome) -> LineOutcome {
    if session.depth == 0 {
        signal::reset();
    }
    session.depth += 1;
    let mut outcome = run(session);
    session.depth -= 1;
    outcome.code = interruption_code(session).unwrap_or(outcome.code);
    session.last_code = outcome.code;
    outcome
}

/// Checks that a text called `name` may be run inside of the current one.
///
/// # Errors
///
/// Fails at [`MAX_DEPTH`].
pub(super) fn check_depth(session: &Session, name: &str) -> Result<(), Fault> {
    if session.depth < MAX_DEPTH {
        return Ok(());
    }
    Err(Fault::new(FaultKind::Failed, format!("`{name}` is nested more than {MAX_DEPTH} levels deep"))
        .with_advice("a script or an alias probably calls itself"))
}

/// 128 + n after a signal; 0 if the signal asked for an orderly end that succeeded.
#[must_use]
pub fn interruption_code(session: &Session) -> Option<u8> {
    let ended = signal::termination_signal().map(|number| match signal::exits_gracefully() {
        true => 0,
        false => u8::try_from(128 + number).unwrap_or(u8::MAX),
    });
    ended.or_else(|| session.host.interrupted().then(|| FaultKind::Interrupted.code()))
}

/// True if no further statement may run after this one.
#[must_use]
pub fn stops(session: &Session, outcome: LineOutcome) -> bool {
    outcome.then != Then::Continue
        || interruption_code(session).is_some()
        || (outcome.code != 0 && !session.settings.is_on("keep-going"))
}
