//! Reads one line from the operator: editor, external editor.

use std::io;
use std::mem;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use reedline::{EditCommand, EditMode, HistoryItem, PromptEditMode, PromptViMode, Reedline, Signal};

use super::caret::Caret;
use super::cursor::CursorReports;
use super::editor::{self, EDIT_EXTERNALLY, EditKeys, EditorConfig, HELP};
use super::history_queue::{self, HistoryHealth};
use super::idle::{self, IdleWatch, LastKey};
use super::marks::TerminalMarks;
use super::outcome::LineOutcome;
use super::prompt::ContextPrompt;
use super::pulse::Pulse;
use super::session::Session;
use super::snapshot::SharedSnapshot;
use super::undo::Changes;
use super::working_mode::WorkingMode;
use super::{external_editor, history, panics, plain_prompt, terminal};
use crate::base::control;
use crate::base::fault::{Fault, FaultKind};
use crate::base::time::Timestamp;
use crate::command::Selection;
use crate::command::complete::{CompletionContext, DiskSource};
use crate::command::help;
use crate::report::{Console, Report};
use crate::sys::key_input::{KeyDelivery, KeyInput};
use crate::sys::sigcont::TerminalRestore;
use crate::sys::{signal, tty};

/// A prompt that takes longer to appear waits for a cursor report.
const SLOW_PROMPT: Duration = Duration::from_millis(1500);

/// Enables bracketed paste, as the editor does.
const BRACKETED_PASTE_ON: &[u8] = b"\x1b[?2004h";

/// The number of consecutive panics after which the editor is given up.
const MAX_PANICS: u8 = 3;

/// The result of reading a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReadResult {
    /// A line to run.
    Line(String),
    /// No line: dropped, empty, or opened in the external editor.
    Nothing,
    /// Nothing was typed in production for as long as a session may be left alone there.
    Idle,
    /// End of input (Ctrl-D).
    Eof,
    /// The editor panicked too often.
    EditorFailed,
}

/// The state that lasts from one line to the next.
pub struct LineReader {
    editor: Reedline,
    keys: EditKeys,
    snapshot: SharedSnapshot,
    give_up: Arc<AtomicBool>,
    modes: tty::TerminalModes,
    panics: u8,
    /// The terminal modes while a line is edited.
    need: &'static TerminalRestore,
    /// Whether the last prompt appeared without delay; none before the first.
    last_was_quick: Option<bool>,
    cursor_reports: CursorReports,
    input: &'static KeyInput,
    pulse: Pulse,
    is_private: Arc<AtomicBool>,
    last_key: LastKey,
    caret: Caret,
    mode: WorkingMode,
    health: HistoryHealth,
}

impl LineReader {
    /// An editor for this session, which aborts its line when `give_up` is set. `modes` are the terminal modes for commands.
    ///
    /// # Errors
    ///
    /// Fails if there are no more descriptors.
    pub fn new(
        session: &Session,
        console: &mut dyn Console,
        modes: tty::TerminalModes,
        give_up: Arc<AtomicBool>,
    ) -> io::Result<Self> {
        let input = KeyInput::of_stdin()?;
        let mut typing = Self {
            editor: Reedline::create(),
            keys: edit_keys(session),
            snapshot: SharedSnapshot::new(disk_source(session, Selection::default())),
            give_up,
            modes,
            panics: 0,
            need: TerminalRestore::new(input.terminal(), modes.to_raw(), BRACKETED_PASTE_ON),
            last_was_quick: None,
            cursor_reports: CursorReports::default(),
            input,
            pulse: Pulse::default(),
            is_private: Arc::default(),
            last_key: LastKey::default(),
            caret: Caret::default(),
            mode: WorkingMode::default(),
            health: HistoryHealth::default(),
        };
        typing.editor = typing.new_editor(session, console, typing.keys);
        Ok(typing)
    }

    fn new_editor(&self, session: &Session, console: &mut dyn Console, keys: EditKeys) -> Reedline {
        self.pulse.attach(editor::build(EditorConfig {
            snapshot: self.snapshot.clone(),
            history: history_queue::open(session, console, &self.health),
            redact: history::redact_line,
            is_private: Arc::clone(&self.is_private),
            keys,
            last_key: self.last_key.clone(),
            caret: self.caret.clone(),
            mode: self.mode.clone(),
            notices: self.pulse.notices.clone(),
            colors: terminal::colors(session),
            give_up: Arc::clone(&self.give_up),
            input: self.input,
        }))
    }

    fn edit_mode(&self, keys: EditKeys) -> Box<dyn EditMode> {
        editor::edit_mode(keys, self.last_key.clone(), self.caret.clone(), self.snapshot.clone(), self.mode.clone())
    }

    /// Shows the prompt and reads a line.
    ///
    /// # Errors
    ///
    /// Fails if the terminal cannot be used.
    pub fn read_line(
        &mut self,
        session: &Session,
        console: &mut dyn Console,
        shown: &ContextPrompt,
    ) -> Result<ReadResult, Fault> {
        if let Some(text) = self.health.warning() {
            console.note(&text);
        }
        self.refresh(session, shown);
        let needed = self.need.install().map_err(terminal::unusable)?;
        let keys = self.input.attach(self.modes, KeyDelivery::Lines).map_err(terminal::unusable)?;
        if let Some(quick) = self.last_was_quick {
            self.cursor_reports.resync(quick);
        }
        let asked = Instant::now();
        let idle = idle::limit(session, shown.tier)
            .and_then(|limit| IdleWatch::start(limit, self.last_key.clone(), Arc::clone(&self.give_up)).ok());
        let answer = panics::catch(|| self.editor.read_line(shown));
        drop(needed);
        drop(keys);
        let is_idle = idle.is_some_and(|watch| watch.has_expired());
        let took = shown.first_drawn.get().map(|drawn| drawn.duration_since(asked));
        self.last_was_quick = Some(took.is_some_and(|took| took < SLOW_PROMPT));
        self.warn_if_slow(session, took, console);
        let signal = match answer {
            Ok(Ok(signal)) => signal,
            Ok(Err(error)) => {
                if tty::is_hung_up() {
                    signal::mark_hangup();
                }
                let over = signal::termination_signal().is_some();
                return if over {
                    Ok(ReadResult::Nothing)
                } else {
                    Err(terminal::unusable(std::io::Error::other(error)))
                };
            }
            Err(fault) => return Ok(self.replace_editor(session, console, &fault)),
        };
        self.panics = 0;
        Ok(self.follow_signal(session, console, signal, is_idle))
    }

    /// What comes of the way in which the editor was left.
    fn follow_signal(
        &mut self,
        session: &Session,
        console: &mut dyn Console,
        signal: Signal,
        is_idle: bool,
    ) -> ReadResult {
        match signal {
            Signal::Success(line) if !line.trim().is_empty() => match history::recalled(&line) {
                Some(number) => {
                    self.recall(session, number, console);
                    ReadResult::Nothing
                }
                None => ReadResult::Line(line),
            },
            Signal::CtrlD => ReadResult::Eof,
            Signal::HostCommand(what) if what == EDIT_EXTERNALLY => {
                self.edit_externally(session, console);
                ReadResult::Nothing
            }
            Signal::HostCommand(what) if what == HELP => {
                self.help(session, console);
                ReadResult::Nothing
            }
            Signal::ExternalBreak(_) if is_idle => {
                self.restart_below(session, console);
                ReadResult::Idle
            }
            Signal::ExternalBreak(_) => {
                self.show_overdue(session, console);
                ReadResult::Nothing
            }
            // Dropped with Ctrl-C.
            _ => ReadResult::Nothing,
        }
    }

    /// Updates the editor with the state of the session.
    fn refresh(&mut self, session: &Session, shown: &ContextPrompt) {
        let selection = &shown.selection;
        self.pulse.refresh(session);
        self.is_private.store(session.settings.is_on("private"), Ordering::Release);
        self.snapshot.replace(disk_source(session, selection.clone()), session.theme(), shown.clone());
        let mut editor = mem::replace(&mut self.editor, Reedline::create());
        if self.keys != edit_keys(session) {
            self.keys = edit_keys(session);
            editor = editor.with_edit_mode(self.edit_mode(self.keys));
        }
        self.editor = editor
            .with_semantic_markers(TerminalMarks::of(session).of_editor())
            .with_transient_prompt(shown.after_enter())
            .with_abbreviations(session.settings.abbreviations.clone().into_iter().collect())
            .with_cwd(Some(context_key(selection)));
    }

    /// Restores the terminal and replaces the editor after a panic in it.
    fn replace_editor(&mut self, session: &Session, console: &mut dyn Console, fault: &Fault) -> ReadResult {
        self.modes.restore();
        console.error(fault);
        self.panics += 1;
        if self.panics == MAX_PANICS {
            return ReadResult::EditorFailed;
        }
        // What waits to be written would go with it.
        let _ = self.editor.sync_history();
        self.editor = self.new_editor(session, console, self.keys);
        ReadResult::Nothing
    }

    /// Shows notices that the editor was left for, in place of its line, which goes on below.
    fn show_overdue(&mut self, session: &Session, console: &mut dyn Console) {
        if let Some(overdue) = self.pulse.notices.take_overdue() {
            terminal::replace_line(overdue.row, &overdue.texts);
            self.restart(session, console);
        }
    }

    /// Goes below a line that is still being edited.
    fn restart_below(&mut self, session: &Session, console: &mut dyn Console) {
        terminal::leave_line();
        self.restart(session, console);
    }

    /// Goes on with the line in another editor: this one would draw it again in the rows that it and its menu had, over what is shown
    /// there.
    fn restart(&mut self, session: &Session, console: &mut dyn Console) {
        let keys = match self.editor.prompt_edit_mode() {
            PromptEditMode::Vi(PromptViMode::Normal | PromptViMode::Visual) => EditKeys::ViCommand,
            _ => self.keys,
        };
        let position = self.editor.current_insertion_point();
        let changes = Changes::of(&mut self.editor);
        // What waits to be written would go with it.
        let _ = self.editor.sync_history();
        // In the normal mode of vi the cursor cannot be where an edit at the end is.
        let mut editor = self.new_editor(session, console, self.keys);
        changes.replay(&mut editor);
        self.editor = editor.with_edit_mode(self.edit_mode(keys));
        self.editor.run_edit_commands(&[EditCommand::MoveToPosition { position, select: false }]);
    }

    /// Offers the prompt without an editor on a terminal that does not report its cursor position.
    fn warn_if_slow(&mut self, session: &Session, took: Option<Duration>, console: &mut dyn Console) {
        if took.is_some_and(|took| took >= SLOW_PROMPT) {
            let why = "this terminal does not report its cursor position, which delays each prompt by seconds";
            plain_prompt::offer_once(session, console, why);
        }
    }

    /// Puts a line of the history on the prompt, where it can be seen before it is run.
    fn recall(&mut self, session: &Session, number: i64, console: &mut dyn Console) {
        match history::stored_line(session, number) {
            Ok(line) => self.editor.run_edit_commands(&[EditCommand::InsertString(line)]),
            Err(fault) => console.error(&fault),
        }
    }

    fn edit_externally(&mut self, session: &Session, console: &mut dyn Console) {
        let line = self.editor.current_buffer_contents().to_owned();
        match external_editor::edit(&*session.host, &line) {
            Ok(line) => self
                .editor
                .run_edit_commands(&[EditCommand::Clear, EditCommand::InsertString(control::visible_input(&line))]),
            Err(fault) => {
                self.restart_below(session, console);
                console.error(&fault);
            }
        }
        self.modes.set();
    }

    /// Shows the help of what the cursor is on; the line stays as it is.
    fn help(&mut self, session: &Session, console: &mut dyn Console) {
        let (line, cursor) = (self.editor.current_buffer_contents(), self.editor.current_insertion_point());
        let shown = {
            let snapshot = self.snapshot.lock();
            help::at_cursor(line, cursor, &CompletionContext::prompt(&**snapshot), console.width())
        };
        self.restart_below(session, console);
        let marks = TerminalMarks::of(session);
        marks.begin_aside();
        // A terminal that takes no text is found by the next prompt.
        let _ = console.show(Report::of(shown));
        marks.end_output(0);
        self.modes.set();
    }

    /// Writes the rest of the history at the end of the session, and says what could not be written.
    pub fn finish(&mut self, console: &mut dyn Console) {
        // What failed is in the words.
        let _ = self.editor.sync_history();
        if let Some(text) = self.health.last_words() {
            console.note(&text);
        }
    }

    /// Restores the terminal modes after a command, forgets what was typed behind one that was interrupted, and stores its outcome if its line is in the history.
    pub fn update_history(&mut self, session: &Session, began: Timestamp, place: &Selection, outcome: LineOutcome) {
        self.modes.set();
        if outcome.code == FaultKind::Interrupted.code() {
            // As the terminal drops what was typed before Ctrl-C.
            self.input.drop_behind();
        }
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
            // A history that cannot be written is a warning of its own.
            let _ = self.editor.update_last_command_context(&fill);
        }
    }
}

/// `org/env/process`, with `-` for each unselected part: the working directory of a history item.
fn context_key(selection: &Selection) -> String {
    let org = selection.org.as_ref().map_or("-", |org| org.as_str());
    let env = selection.env.as_ref().map_or("-", |env| env.as_str());
    let process = selection.process.as_ref().map_or("-", |process| process.as_str());
    format!("{org}/{env}/{process}")
}

fn disk_source(session: &Session, selection: Selection) -> DiskSource {
    DiskSource {
        paths: session.paths.clone(),
        selection,
        cwd: session.host.cwd().to_owned(),
        home: PathBuf::from(session.host.variable("HOME").unwrap_or("/")),
        aliases: session.settings.aliases.clone().into_iter().collect(),
        abbreviations: session.settings.abbreviations.clone().into_iter().collect(),
        programs: session.host.variable("PATH").unwrap_or_default().to_owned(),
        variables: super::variables::current(session),
    }
}

fn edit_keys(session: &Session) -> EditKeys {
    if session.settings.get("edit-mode") == "vi" { EditKeys::Vi } else { EditKeys::Emacs }
}
