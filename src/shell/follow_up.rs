//! What follows a command: changes of the session, nested lines, the full-screen view.

use std::io::{self, IsTerminal};

use crate::base::fault::Fault;
use crate::command::context::setting;
use crate::ops::repeat::Pace;
use crate::report::{Console, FollowUp, Screen, TourMove};

use super::monitor;
use super::nesting::{RunNested, run_line};
use super::outcome::{LineOutcome, Then};
use super::repetition::Repetition;
use super::session::{Session, SessionMode};
use super::source::{ScriptOrigin, ScriptText};
use super::tour;

/// Shown after a selection on a command line, which ends with it.
const SELECTION_ENDS_NOTE: &str =
    "the selection ends with this session; for a single command use `--org`, `--env`, TETRA_ORG or TETRA_ENV";

/// Shown after a change of a setting on a command line, which ends with it.
const SETTING_ENDS_NOTE: &str = "the setting is changed for this session only, which ends here; `tetra config edit` changes it for all later prompts";

/// The same for the setting that keeps lines out of the history, which is of use at a prompt alone.
const PRIVATE_ENDS_NOTE: &str =
    "the setting is changed for this session only, which ends here; `tetra --private` starts a prompt with it";

/// Shown after an alias or an abbreviation was defined on a command line, which ends with it.
const SHORTHAND_ENDS_NOTE: &str =
    "it is defined for this session only, which ends here; `--save` before its name keeps it";

/// Shown after a change of the directory on a command line.
const DIRECTORY_ENDS_NOTE: &str = "the directory is changed for this session only, which ends here";

/// Carries out the follow-up of a command of a text from `origin`.
///
/// # Errors
///
/// Fails if the terminal cannot be used for what needs one.
pub(super) fn carry_out(
    session: &mut Session,
    console: &mut dyn Console,
    follow_up: FollowUp,
    origin: &ScriptOrigin,
    run: RunNested,
) -> Result<LineOutcome, Fault> {
    match follow_up {
        FollowUp::Nothing => {}
        FollowUp::ChangeSelection(change) => {
            let ends = !change.is_saved;
            session.change_selection(change);
            if ends {
                note_end(session, console, origin, SELECTION_ENDS_NOTE);
            }
        }
        FollowUp::PreviousSelection => session.select_previous(),
        FollowUp::ChangeDirectory(to) => {
            session.change_directory(Some(to))?;
            note_end(session, console, origin, DIRECTORY_ENDS_NOTE);
        }
        FollowUp::ClearScreen => console.clear(),
        FollowUp::PreviousDirectory => session.change_directory(None)?,
        FollowUp::Set { key, value } => {
            let note = if key == "private" { PRIVATE_ENDS_NOTE } else { SETTING_ENDS_NOTE };
            note_end(session, console, origin, note);
            if session.has_begun && setting(&key).is_some_and(|it| it.is_read_at_start) {
                console.note(&format!(
                    "`{key}` is read when a prompt starts: no effect in this one; `config edit` changes it for all later prompts"
                ));
            }
            session.set(key, value);
        }
        FollowUp::Shorthand { kind, name, line: Some(line), is_saved } => {
            if !is_saved {
                note_end(session, console, origin, SHORTHAND_ENDS_NOTE);
            }
            session.settings.lines_mut(kind).insert(name, line);
        }
        FollowUp::Shorthand { kind, name, line: None, .. } => {
            session.settings.lines_mut(kind).remove(&name);
        }
        FollowUp::Exit(None) => return Ok(LineOutcome { code: 0, then: Then::Exit }),
        FollowUp::Exit(Some(code)) => return Ok(LineOutcome { code, then: Then::ExitWithCode }),
        FollowUp::StartPrompt => return start_prompt(session, console),
        FollowUp::Tour(TourMove::Begin) => {
            let outcome = start_prompt(session, console)?;
            tour::begin(session);
            return Ok(outcome);
        }
        FollowUp::Tour(action) => return tour::go(session, console, action, run),
        FollowUp::RunScript { name, text } => {
            let origin = ScriptOrigin::File(name);
            return Ok(run(session, console, ScriptText { origin: &origin, text: &text, first_line: 1 }));
        }
        FollowUp::Repeat { line, every, times, crashes, watch } => {
            let pace = Pace::new(every, crashes.as_deref());
            return Ok(Repetition { line, times, watch }.run(session, console, pace, run));
        }
        FollowUp::Screen(screen) => return show_screen(session, console, screen, run),
    }
    Ok(LineOutcome::default())
}

/// Says that a change ends with this session: at once for a lone command, at the end of a line or a script if nothing came after it.
fn note_end(session: &mut Session, console: &mut dyn Console, origin: &ScriptOrigin, note: &'static str) {
    if *origin == ScriptOrigin::Words {
        console.note(note);
    } else if session.mode == SessionMode::Batch {
        session.unused_change = Some(note);
    }
}

fn start_prompt(session: &Session, console: &dyn Console) -> Result<LineOutcome, Fault> {
    if session.mode == SessionMode::Interactive {
        return Err(Fault::usage("already at the prompt"));
    }
    if !has_terminal(console) {
        return Err(Fault::needs_terminal("the prompt").with_advice("run `tetra` in a terminal"));
    }
    Ok(LineOutcome { code: 0, then: Then::StartPrompt })
}

fn has_terminal(console: &dyn Console) -> bool {
    console.is_terminal() && io::stdin().is_terminal()
}

fn show_screen(
    session: &mut Session,
    console: &mut dyn Console,
    screen: Screen,
    run: RunNested,
) -> Result<LineOutcome, Fault> {
    if !has_terminal(console) {
        return Err(Fault::needs_terminal("the full-screen view"));
    }
    let mut run =
        |session: &mut Session, console: &mut dyn Console, line: &str| run_line(session, console, line, "monitor", run);
    monitor::show(session, console, screen, &mut run)?;
    Ok(LineOutcome::default())
}
