//! One line from the operator: the editor with what it needs of the session, what was typed ahead, the line elsewhere.

use std::collections::VecDeque;
use std::io;
use std::mem;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use reedline::{EditCommand, HistoryItem, Reedline, Signal, SqliteBackedHistory};

use super::cursor::Answers;
use super::editor::{self, EDIT_ELSEWHERE, Glimpse, Keys, Parts};
use super::eval::Outcome;
use super::prompt::ContextPrompt;
use super::session::Session;
use super::{elsewhere, history, mistake, repl};
use crate::base::control;
use crate::base::fault::Fault;
use crate::base::line::{LexError, lex};
use crate::base::time::Timestamp;
use crate::command::Selection;
use crate::command::complete::Disk;
use crate::report::Console;
use crate::sys::continued::Need;
use crate::sys::{self, signal, tty};

/// A prompt that takes so long to appear waits for something.
const SLOW: Duration = Duration::from_millis(1500);

/// Bracketed paste on, as the editor has it.
const PASTES: &[u8] = b"\x1b[?2004h";

/// After so many mistakes of the editor in a row it is given up.
const MISTAKES: u8 = 3;

/// What came of asking for a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Typed {
    /// A line to run.
    Line(String),
    /// None this time: it was dropped, is empty, or is being edited.
    Nothing,
    /// The operator leaves.
    End,
    /// The editor makes one mistake after the other.
    Spoiled,
}

/// What lasts from one line to the next.
pub struct Typing {
    editor: Reedline,
    keys: Keys,
    glimpse: Glimpse,
    give_up: Arc<AtomicBool>,
    modes: tty::Modes,
    ahead: Ahead,
    mistakes: u8,
    /// Slowness was spoken of.
    advised: bool,
    /// What the terminal needs while a line is edited.
    need: &'static Need,
    /// Whether the last prompt appeared at once; none before the first.
    quick: Option<bool>,
    answers: Answers,
}

impl Typing {
    /// An editor for this session, which gives up its line when told to. `modes` are those that commands find.
    pub fn begin(
        session: &Session,
        console: &mut dyn Console,
        (modes, give_up): (tty::Modes, Arc<AtomicBool>),
    ) -> Self {
        let mut typing = Self {
            editor: Reedline::create(),
            keys: keys(session),
            glimpse: Glimpse::new(disk(session, Selection::default())),
            give_up,
            modes,
            ahead: Ahead::default(),
            mistakes: 0,
            advised: false,
            need: Need::new(io::stdin().as_fd(), &modes.of_an_editor(), PASTES),
            quick: None,
            answers: Answers::default(),
        };
        typing.editor = typing.new_editor(session, console);
        typing
    }

    fn new_editor(&self, session: &Session, console: &mut dyn Console) -> Reedline {
        editor::build(Parts {
            glimpse: self.glimpse.clone(),
            history: open_history(session, console),
            redact: history::without_secrets,
            keys: self.keys,
            colors: repl::colors(session),
            give_up: Arc::clone(&self.give_up),
        })
    }

    /// Shows the prompt and waits for a line.
    ///
    /// # Errors
    ///
    /// Fails if the terminal cannot be used.
    pub fn next(
        &mut self,
        session: &Session,
        console: &mut dyn Console,
        shown: &ContextPrompt,
    ) -> Result<Typed, Fault> {
        self.renew(session, &shown.selection);
        if let Some(quick) = self.quick {
            self.answers.settle(quick);
        }
        let asked = Instant::now();
        let needed = self.need.begin().map_err(repl::unusable)?;
        let answer = mistake::catch(|| self.editor.read_line(shown));
        drop(needed);
        let took = shown.drawn.get().map(|drawn| drawn.duration_since(asked));
        self.quick = Some(took.is_some_and(|took| took < SLOW));
        self.mind_slowness(took, console);
        let signal = match answer {
            Ok(Ok(signal)) => signal,
            Ok(Err(error)) => {
                if tty::is_gone() {
                    signal::hang_up();
                }
                let over = signal::ended().is_some();
                return if over { Ok(Typed::Nothing) } else { Err(repl::unusable(std::io::Error::other(error))) };
            }
            Err(fault) => return Ok(self.recover(session, console, &fault)),
        };
        self.mistakes = 0;
        Ok(match signal {
            Signal::Success(line) if !line.trim().is_empty() => Typed::Line(line),
            Signal::CtrlD => Typed::End,
            Signal::HostCommand(what) if what == EDIT_ELSEWHERE => {
                self.edit_elsewhere(session, console);
                Typed::Nothing
            }
            // Dropped with Ctrl-C, or given up because the session ends.
            _ => Typed::Nothing,
        })
    }

    /// Tells the editor what is new since the last line.
    fn renew(&mut self, session: &Session, selection: &Selection) {
        *self.glimpse.lock() = disk(session, selection.clone());
        let whole = self.ahead.next(&mut self.editor);
        let mut editor = mem::replace(&mut self.editor, Reedline::create());
        if self.keys != keys(session) {
            self.keys = keys(session);
            editor = editor.with_edit_mode(editor::edit_mode(self.keys));
        }
        self.editor = editor.with_cwd(Some(context_key(selection))).with_immediately_accept(whole);
    }

    /// After a mistake of the editor: the terminal as it was, and another editor.
    fn recover(&mut self, session: &Session, console: &mut dyn Console, fault: &Fault) -> Typed {
        self.modes.restore();
        console.complain(fault);
        self.mistakes += 1;
        if self.mistakes == MISTAKES {
            return Typed::Spoiled;
        }
        self.editor = self.new_editor(session, console);
        Typed::Nothing
    }

    /// Says once what can be done about a terminal that does not answer.
    fn mind_slowness(&mut self, took: Option<Duration>, console: &mut dyn Console) {
        if !self.advised && took.is_some_and(|took| took >= SLOW) {
            self.advised = true;
            console.note(
                "this terminal does not say where its cursor is, and waiting for that takes seconds; \
                 `--plain` or TETRA_PLAIN=1 does without",
            );
        }
    }

    fn edit_elsewhere(&mut self, session: &Session, console: &mut dyn Console) {
        let line = self.editor.current_buffer_contents().to_owned();
        match elsewhere::edit(&*session.host, &line) {
            Ok(line) => {
                self.editor.run_edit_commands(&[EditCommand::Clear, EditCommand::InsertString(control::typed(&line))])
            }
            Err(fault) => console.complain(&fault),
        }
        self.modes.set();
    }

    /// Brings the modes of the terminal back after a command, and writes down what came of it, if its line was kept.
    pub fn remember(&mut self, session: &Session, began: Timestamp, (place, outcome): (&Selection, Outcome)) {
        self.modes.set();
        let took = session.host.now().since(began);
        let started = jiff::Timestamp::from_millisecond(i64::try_from(began.0).unwrap_or(i64::MAX)).ok();
        let fill = |mut item: HistoryItem| {
            item.start_timestamp = started.and_then(|started| started.to_string().parse().ok());
            item.cwd = Some(context_key(place));
            item.duration = Some(took);
            item.exit_status = Some(outcome.code.into());
            item
        };
        if self.editor.has_last_command_context() {
            // A history that cannot be written is said at the next start; the line itself has run.
            let _ = self.editor.update_last_command_context(&fill);
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
            text.push_str(control::typed(&line).trim_end_matches('\n'));
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
