//! The prompt loop: read a line, run it, store its outcome.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::line_reader::{LineReader, ReadResult};
use super::marks::{SavedTitle, TerminalMarks};
use super::outcome::LineOutcome;
use super::prompt::{ContextPrompt, warn};
use super::session::{Consent, Session};
use super::source::{ScriptOrigin, ScriptText};
use super::{history, idle, panics, plain_prompt, runner, terminal, tour, typed_line};
use crate::base::fault::Fault;
use crate::base::name::{OrgName, ProcessName};
use crate::command::{Selection, settings_file};
use crate::disk;
use crate::report::{Console, SelectionChange};
use crate::sys::host::READONLY;
use crate::sys::{signal, tty};

/// Runs the prompt; returns the exit code of the program.
///
/// Ctrl-C drops the line or ends the command, never the session; Ctrl-D on an empty line ends the session with 0. SIGTERM, SIGHUP
/// and the loss of the terminal end it with 128 + n and restore the terminal.
pub fn run(session: &mut Session, console: &mut dyn Console) -> u8 {
    session.start_prompt();
    if std::mem::take(&mut session.globals.yes) {
        session.consent = Consent::BelowProduction;
        console.note("this session asks nothing outside production; there `--yes` is passed to each command");
    }
    if session.host.is_switched_on(READONLY) {
        console.note(&format!("this session is read-only, as {READONLY} says; `set readonly off` allows changes"));
    }
    main_loop(session, console).unwrap_or_else(|fault| {
        console.error(&fault);
        fault.kind.code()
    })
}

fn main_loop(session: &mut Session, console: &mut dyn Console) -> Result<u8, Fault> {
    let modes = tty::TerminalModes::current().map_err(terminal::unusable)?;
    signal::install_handlers().map_err(terminal::unusable)?;
    signal::survive_sigint();
    signal::take_sigquit_as_sigint();
    panics::install_hook();
    let give_up = Arc::new(AtomicBool::new(false));
    let _watch = tty::watch_hangup(modes, Arc::clone(&give_up)).map_err(terminal::unusable)?;
    if let Some(code) = load_startup_files(session, console) {
        return Ok(code);
    }
    session.has_begun = true;
    tour::show(session, console);
    if plain_prompt::is_enabled(session) {
        return Ok(plain_prompt::run(session, console));
    }
    plain_prompt::offer_to_screen_reader(session, console);
    let mut reader = LineReader::new(session, console, modes, give_up).map_err(terminal::unusable)?;
    let _title = SavedTitle::save(TerminalMarks::of(session));
    let code = read_and_run(session, console, &mut reader);
    reader.finish(console);
    code
}

fn read_and_run(session: &mut Session, console: &mut dyn Console, reader: &mut LineReader) -> Result<u8, Fault> {
    let mut present = Selection::default();
    loop {
        if let Some(number) = signal::termination_signal() {
            return Ok(u8::try_from(128 + number).unwrap_or(u8::MAX));
        }
        forget_removed(session, console, &mut present);
        let shown = ContextPrompt::of(session, console);
        let marks = TerminalMarks::of(session);
        marks.set_title(&shown.title());
        match reader.read_line(session, console, &shown)? {
            ReadResult::Line(line) => {
                let began = session.host.now();
                marks.begin_output(&shown.title(), &line);
                session.running_line = history::stored_form(session, &line);
                let outcome = run_line(session, console, &line);
                session.running_line = None;
                session.last_duration = session.host.now().since(began);
                marks.end_output(outcome.code);
                reader.update_history(session, began, &shown.selection, outcome);
                if outcome.exits() {
                    return Ok(outcome.code);
                }
                idle::leave_after_question(session, console);
            }
            ReadResult::Nothing => {}
            ReadResult::Idle => idle::leave_production(session, console),
            ReadResult::Eof => return Ok(0),
            ReadResult::EditorFailed => return Ok(plain_prompt::run(session, console)),
        }
    }
}

/// Loads `config.toml`, then runs `rc.tetra`. Errors there are warnings.
fn load_startup_files(session: &mut Session, console: &mut dyn Console) -> Option<u8> {
    let path = session.paths.config();
    match settings_file::read(&path) {
        Ok(Some(file)) => {
            file.warnings().iter().for_each(|line| console.note(line));
            session.complete_settings(file.settings);
        }
        Ok(None) => {}
        Err(fault) => warn(console, &fault),
    }
    if !session.settings.is_on("rc") {
        return None;
    }
    let path = session.paths.rc();
    let text = match disk::read_trusted(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return None,
        Err(error) => {
            console.note(&format!("warning: failed to read `{}`: {error}", path.display()));
            return None;
        }
    };
    let origin = ScriptOrigin::File(path.display().to_string());
    let outcome = runner::run_text(session, console, ScriptText { origin: &origin, text: &text, first_line: 1 });
    session.last_code = 0;
    outcome.exits().then_some(outcome.code)
}

/// Deselects the organization or process that existed at the last prompt, as `present` says, and does not exist any more.
fn forget_removed(session: &mut Session, console: &mut dyn Console, present: &mut Selection) {
    let Ok(now) = session.selection() else { return };
    let is_process = |name: &ProcessName| session.paths.processes().join(name.as_str()).is_dir();
    let is_org = |name: &OrgName| session.paths.org(name).is_dir();
    let org_is_gone = now.org.as_ref().is_some_and(|org| present.org.as_ref() == Some(org) && !is_org(org));
    let process_is_gone =
        now.process.as_ref().is_some_and(|name| present.process.as_ref() == Some(name) && !is_process(name));
    *present =
        Selection { org: now.org.clone().filter(is_org), env: None, process: now.process.clone().filter(is_process) };
    let mut change = SelectionChange::default();
    if let Some(name) = now.process.filter(|_| process_is_gone) {
        console.note(&format!("process `{name}` was removed and has been deselected"));
        change.process = Some(None);
    }
    if let Some(name) = now.org.filter(|_| org_is_gone) {
        console.note(&format!("organization `{name}` was removed and has been deselected"));
        (change.org, change.env) = (Some(None), Some(None));
    }
    if change != SelectionChange::default() {
        session.change_selection(change);
    }
}

fn run_line(session: &mut Session, console: &mut dyn Console, line: &str) -> LineOutcome {
    let outcome = panics::catch(|| typed_line::run(session, console, line));
    outcome.unwrap_or_else(|fault| {
        session.reset_depth();
        console.error(&fault);
        session.last_code = fault.kind.code();
        LineOutcome::of(fault.kind)
    })
}
