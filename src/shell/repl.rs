//! The prompt: read a line, run it, remember what came of it, until the operator leaves.

use std::cell::OnceCell;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::eval::{self, Outcome};
use super::prompt::ContextPrompt;
use super::session::Session;
use super::source::{Origin, Source};
use super::typing::{Typed, Typing};
use super::{config, mistake, plain};
use crate::base::fault::{Fault, Kind};
use crate::command::{Selection, known};
use crate::disk;
use crate::report::{Color, Console};
use crate::sys::{signal, tty};

/// Leads a session at the prompt; the exit code of the program.
///
/// Ctrl-C drops the line or ends the command, never the session; Ctrl-D on an empty line ends it with 0. SIGTERM, SIGHUP and
/// the loss of the terminal end it with 128 + n, with the terminal as it was found.
pub fn run(session: &mut Session, console: &mut dyn Console) -> u8 {
    session.begin_prompt();
    if std::mem::take(&mut session.globals.yes) {
        console.note(
            "`--yes` answers for one command, not for all at a prompt: each asks as usual; `COMMAND --yes` does not",
        );
    }
    lead(session, console).unwrap_or_else(|fault| {
        console.complain(&fault);
        fault.kind.code()
    })
}

fn lead(session: &mut Session, console: &mut dyn Console) -> Result<u8, Fault> {
    let modes = tty::Modes::now().map_err(unusable)?;
    signal::listen().map_err(unusable)?;
    signal::stay();
    mistake::keep_quiet();
    let give_up = Arc::new(AtomicBool::new(false));
    let _watch = tty::watch(modes, Arc::clone(&give_up)).map_err(unusable)?;
    if let Some(code) = begin(session, console) {
        return Ok(code);
    }
    if plain::is_wanted(session) {
        return Ok(plain::run(session, console));
    }
    let mut typing = Typing::begin(session, console, (modes, give_up));
    loop {
        if let Some(number) = signal::ended() {
            return Ok(u8::try_from(128 + number).unwrap_or(u8::MAX));
        }
        let shown = look(session, console);
        match typing.next(session, console, &shown)? {
            Typed::Line(line) => {
                let began = session.host.now();
                let outcome = run_line(session, console, &line);
                typing.remember(session, began, (&shown.selection, outcome));
                if outcome.leave {
                    return Ok(outcome.code);
                }
            }
            Typed::Nothing => {}
            Typed::End => return Ok(0),
            Typed::Spoiled => return Ok(plain::run(session, console)),
        }
    }
}

/// The terminal cannot be used.
pub(super) fn unusable(error: std::io::Error) -> Fault {
    Fault::new(Kind::Failed, format!("failed to use the terminal: {error}"))
}

/// Settings from `config.toml`, then the lines of `rc.tetra`. What is wrong there is said and does no further harm.
fn begin(session: &mut Session, console: &mut dyn Console) -> Option<u8> {
    let path = session.paths.config();
    match config::settings(&path) {
        Ok(Some(settings)) => {
            // What was given at the start wins.
            let given = std::mem::replace(&mut session.settings, settings);
            session.settings.values.extend(given.values);
            session.settings.aliases.extend(given.aliases);
        }
        Ok(None) => {}
        Err(fault) => warn(console, &fault),
    }
    if !session.settings.is_on("rc") {
        return None;
    }
    let path = session.paths.rc();
    let text = match disk::read_to_run(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return None,
        Err(error) => {
            console.note(&format!("warning: failed to read `{}`: {error}", path.display()));
            return None;
        }
    };
    let origin = Origin::File(path.display().to_string());
    let outcome = eval::run_text(session, console, Source { origin: &origin, text: &text, first_line: 1 });
    session.last = 0;
    outcome.leave.then_some(outcome.code)
}

fn warn(console: &mut dyn Console, fault: &Fault) {
    let place = fault.at.as_ref().map(|place| format!("{place}: ")).unwrap_or_default();
    let advice = fault.advice.as_ref().map(|advice| format!("; {advice}")).unwrap_or_default();
    console.note(&format!("warning: {place}{fault}{advice}"));
}

fn run_line(session: &mut Session, console: &mut dyn Console, line: &str) -> Outcome {
    let outcome = mistake::catch(|| eval::run_line(session, console, line, &Origin::Prompt));
    outcome.unwrap_or_else(|fault| {
        session.recover();
        console.complain(&fault);
        session.last = fault.kind.code();
        Outcome::of(fault.kind)
    })
}

/// What the prompt shows now. A context that cannot be read is said and shown as none.
fn look(session: &Session, console: &mut dyn Console) -> ContextPrompt {
    let selection = session.selection().unwrap_or_else(|fault| {
        warn(console, &fault);
        Selection::default()
    });
    let rung = selection.environment().map(|it| known::rung(&session.paths, &it));
    ContextPrompt { selection, rung, code: session.last, colors: colors(session), drawn: OnceCell::new() }
}

/// The prompt as plain text.
pub(super) fn plain_prompt(session: &Session, console: &mut dyn Console) -> String {
    look(session, console).plain()
}

/// Whether the prompt is coloured: the option of the start, then `NO_COLOR`.
pub(super) fn colors(session: &Session) -> bool {
    match session.globals.look.color {
        Some(Color::Always) => true,
        Some(Color::Never) => false,
        Some(Color::Auto) | None => session.host.variable("NO_COLOR").is_none(),
    }
}
