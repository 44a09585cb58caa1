//! The prompt: read a line, run it, remember what came of it, until the operator leaves.

use std::cell::OnceCell;
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use reedline::{EditCommand, HistoryItem, Reedline, Signal, SqliteBackedHistory};

use super::editor::{self, EDIT_ELSEWHERE, Glimpse, Keys, Parts};
use super::eval::{self, Outcome};
use super::history;
use super::prompt::ContextPrompt;
use super::session::{Manner, Session};
use super::source::{Origin, Source};
use super::{config, elsewhere, mistake, plain};
use crate::base::fault::{Fault, Kind};
use crate::base::line::{LexError, lex};
use crate::base::time::Timestamp;
use crate::command::Selection;
use crate::command::complete::Disk;
use crate::report::{Color, Console};
use crate::sys::{self, signal, tty};

/// A prompt that takes so long to appear waits for something.
const SLOW: Duration = Duration::from_millis(1500);

/// After so many mistakes of the editor in a row it is given up.
const MISTAKES: u8 = 3;

/// Leads a session at the prompt; the exit code of the program.
///
/// Ctrl-C drops the line or ends the command, never the session; Ctrl-D on an empty line ends it with 0. SIGTERM, SIGHUP and
/// the loss of the terminal end it with 128 + n, with the terminal as it was found.
pub fn run(session: &mut Session, console: &mut dyn Console) -> u8 {
    session.manner = Manner::Prompt;
    match run_watched(session, console) {
        Ok(code) => code,
        Err(fault) => {
            console.complain(&fault);
            fault.kind.code()
        }
    }
}

fn run_watched(session: &mut Session, console: &mut dyn Console) -> Result<u8, Fault> {
    let unusable = |error: std::io::Error| Fault::new(Kind::Failed, format!("failed to use the terminal: {error}"));
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
    let glimpse = Glimpse::new(disk(session, Selection::default()));
    let mut prompt = Prompting {
        glimpse,
        give_up,
        modes,
        keys: keys(session),
        ahead: Ahead::default(),
        mistakes: 0,
        advised: false,
    };
    let mut editor = prompt.editor(session, console);
    loop {
        if let Some(number) = signal::ended() {
            return Ok(u8::try_from(128 + number).unwrap_or(u8::MAX));
        }
        if prompt.keys != keys(session) {
            prompt.keys = keys(session);
            editor = editor.with_edit_mode(editor::edit_mode(prompt.keys));
        }
        let shown = look(session, console);
        *prompt.glimpse.lock() = disk(session, shown.selection.clone());
        let key = context_key(&shown.selection);
        let whole = prompt.ahead.next(&mut editor);
        editor = editor.with_cwd(Some(key.clone())).with_immediately_accept(whole);
        let asked = Instant::now();
        let answer = mistake::catch(|| editor.read_line(&shown));
        prompt.mind_slowness(shown.drawn.get().map(|drawn| drawn.duration_since(asked)), console);
        let signal = match answer {
            Ok(Ok(signal)) => signal,
            Ok(Err(error)) => {
                if tty::is_gone() {
                    signal::hang_up();
                }
                if signal::ended().is_none() {
                    return Err(unusable(std::io::Error::other(error)));
                }
                continue;
            }
            Err(fault) => {
                prompt.modes.restore();
                console.complain(&fault);
                prompt.mistakes += 1;
                if prompt.mistakes == MISTAKES {
                    return Ok(plain::run(session, console));
                }
                editor = prompt.editor(session, console);
                continue;
            }
        };
        prompt.mistakes = 0;
        match signal {
            Signal::Success(line) if line.trim().is_empty() => {}
            Signal::Success(line) => {
                let began = session.host.now();
                let outcome = run_line(session, console, &line);
                prompt.modes.set();
                remember(&mut editor, session, began, (&key, outcome));
                if outcome.leave {
                    return Ok(outcome.code);
                }
            }
            Signal::CtrlD => return Ok(0),
            Signal::HostCommand(what) if what == EDIT_ELSEWHERE => {
                let line = editor.current_buffer_contents().to_owned();
                match elsewhere::edit(&*session.host, &line) {
                    Ok(line) => editor.run_edit_commands(&[EditCommand::Clear, EditCommand::InsertString(line)]),
                    Err(fault) => console.complain(&fault),
                }
                prompt.modes.set();
            }
            // A dropped line, or one that was given up; the loop sees why.
            _ => {}
        }
    }
}

/// Lines that were typed while a command ran.
///
/// They are taken as long as the terminal gives whole lines: the editor would take their ends for another key, and drop what
/// follows.
#[derive(Debug, Default)]
struct Ahead(VecDeque<String>);

impl Ahead {
    /// Puts the next one into the editor; whether it is whole.
    fn next(&mut self, editor: &mut Reedline) -> bool {
        self.0.extend(std::iter::from_fn(tty::typed_ahead));
        let mut text = String::new();
        let is_open = |text: &str| matches!(lex(text), Err(LexError::Unfinished { .. }));
        while let Some(line) = self.0.pop_front() {
            text.extend(line.chars().filter(|character| !character.is_control()));
            if !is_open(&text) {
                break;
            }
            text.push('\n');
        }
        if text.trim().is_empty() {
            return false;
        }
        let whole = !is_open(&text);
        editor.run_edit_commands(&[EditCommand::MoveToEnd { select: false }, EditCommand::InsertString(text)]);
        whole
    }
}

/// What lasts from one prompt to the next.
struct Prompting {
    glimpse: Glimpse,
    give_up: Arc<AtomicBool>,
    modes: tty::Modes,
    keys: Keys,
    ahead: Ahead,
    mistakes: u8,
    /// Slowness was spoken of.
    advised: bool,
}

impl Prompting {
    /// Says once what can be done about a terminal that does not answer.
    fn mind_slowness(&mut self, took: Option<Duration>, console: &mut dyn Console) {
        if !self.advised && took.is_some_and(|took| took >= SLOW) {
            self.advised = true;
            console.note("this terminal does not say where its cursor is, and waiting for that takes seconds: `--plain` or TETRA_PLAIN=1 does without");
        }
    }

    fn editor(&self, session: &Session, console: &mut dyn Console) -> Reedline {
        editor::build(Parts {
            glimpse: self.glimpse.clone(),
            history: open_history(session, console),
            redact: history::without_secrets,
            keys: self.keys,
            colors: colors(session),
            give_up: Arc::clone(&self.give_up),
        })
    }
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
    let text = match std::fs::read_to_string(&path) {
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

/// The history, private and within its bound; none if it cannot be used, which is said.
fn open_history(session: &Session, console: &mut dyn Console) -> Option<(SqliteBackedHistory, PathBuf)> {
    let keep = session.settings.get("history-size").parse().unwrap_or(sys::history::ROWS);
    if keep == 0 {
        return None;
    }
    let path = session.paths.history();
    if let Err(error) = sys::history::prepare(&path).and_then(|()| sys::history::prune(&path, keep)) {
        let fault = Fault::from(error);
        let causes = fault.causes().join(": ");
        console.note(&format!("warning: there is no history: {fault}: {causes}"));
        return None;
    }
    match SqliteBackedHistory::with_file(path.clone(), None, None) {
        Ok(history) => Some((history, path)),
        Err(error) => {
            console.note(&format!("warning: there is no history: {error}"));
            None
        }
    }
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

/// Writes down what came of the last line, if the line itself was kept.
fn remember(editor: &mut Reedline, session: &Session, began: Timestamp, (key, outcome): (&str, Outcome)) {
    let took = session.host.now().since(began);
    let started = jiff::Timestamp::from_millisecond(i64::try_from(began.0).unwrap_or(i64::MAX)).ok();
    let fill = |mut item: HistoryItem| {
        item.start_timestamp = started.and_then(|started| started.to_string().parse().ok());
        item.cwd = Some(key.to_owned());
        item.duration = Some(took);
        item.exit_status = Some(outcome.code.into());
        item
    };
    if editor.has_last_command_context() {
        // A history that cannot be written is said at the next start; the line itself has run.
        let _ = editor.update_last_command_context(&fill);
    }
}

/// What the prompt shows now. A context that cannot be read is said and shown as none.
fn look(session: &Session, console: &mut dyn Console) -> ContextPrompt {
    let selection = session.selection().unwrap_or_else(|fault| {
        warn(console, &fault);
        Selection::default()
    });
    let rung = selection.env.as_ref().map(|env| config::rung(&session.paths, selection.org.as_ref(), env));
    ContextPrompt { selection, rung, code: session.last, colors: colors(session), drawn: OnceCell::new() }
}

/// The prompt as plain text.
pub(super) fn plain_prompt(session: &Session, console: &mut dyn Console) -> String {
    look(session, console).plain()
}

/// `org/env/process`, with `-` for what is not chosen: what history calls the place of a line.
fn context_key(selection: &Selection) -> String {
    let org = selection.org.as_ref().map_or("-", |org| org.as_str());
    let env = selection.env.as_ref().map_or("-", |env| env.as_str());
    let process = selection.process.as_ref().map_or("-", |process| process.as_str());
    format!("{org}/{env}/{process}")
}

fn disk(session: &Session, selection: Selection) -> Disk {
    Disk {
        paths: session.paths.clone(),
        selection,
        cwd: session.host.cwd().to_owned(),
        home: PathBuf::from(session.host.variable("HOME").unwrap_or("/")),
        aliases: session.settings.aliases.clone().into_iter().collect(),
        programs: session.host.variable("PATH").unwrap_or_default().to_owned(),
    }
}

fn keys(session: &Session) -> Keys {
    if session.settings.get("edit-mode") == "vi" { Keys::Vi } else { Keys::Emacs }
}

fn colors(session: &Session) -> bool {
    match session.globals.look.color {
        Some(Color::Always) => true,
        Some(Color::Never) => false,
        Some(Color::Auto) | None => session.host.variable("NO_COLOR").is_none(),
    }
}
