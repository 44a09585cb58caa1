//! The line editor: its parts and key bindings.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use crossterm::event::{self, Event, KeyEvent};
use reedline::{
    EditCommand, EditMode, Emacs, InputMode, KeyCode, KeyModifiers, Keybindings, MenuBuilder, PromptEditMode,
    PromptViMode, Reedline, ReedlineEvent, ReedlineMenu, ReedlineRawEvent, ValidationResult, Validator, Vi,
    default_emacs_keybindings, default_vi_insert_keybindings, default_vi_normal_keybindings,
    default_vi_visual_keybindings,
};

use super::caret::Caret;
use super::complete::CommandCompleter;
use super::highlight::CommandHighlighter;
use super::hint::LineHinter;
use super::history::{HistoryScope, HistorySearch, Redact, RedactedHistory};
use super::history_queue::OpenHistory;
use super::idle::LastKey;
use super::last_word::LastWord;
use super::menu::{self, HalfScreenMenu, MenuKind, MenuRequest};
use super::notices::{NoticeWatch, Notices};
use super::snapshot::SharedSnapshot;
use super::terminal;
use super::vi_repeat::ViRepeat;
use super::working_mode::{ModeHinter, WorkingMode};
use crate::base::control;
use crate::base::line::{self, LexError};
use crate::sys::key_input::KeyInput;
use crate::sys::tty;

/// The host command of the key that opens the external editor.
pub const EDIT_EXTERNALLY: &str = "edit";

/// The host command of the key that shows the help of what the cursor is on.
pub const HELP: &str = "help";

const COMPLETIONS: &str = "completions";

/// Punctuation that does not end a word: the completion menu stays open.
const WORD_CHARACTERS: &str = "_-./:=@~+%,'";

/// The key bindings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EditKeys {
    /// Emacs bindings, the default of most shells.
    #[default]
    Emacs,
    /// vi bindings.
    Vi,
    /// vi bindings, and the first key is a command.
    ViCommand,
}

/// The parts of an editor.
pub struct EditorConfig {
    /// The snapshot of the session.
    pub snapshot: SharedSnapshot,
    /// The history; none if no history is kept.
    pub history: Option<OpenHistory>,
    /// Nothing is stored while this is set.
    pub is_private: Arc<AtomicBool>,
    /// Removes secrets from a line before it is stored.
    pub redact: Redact,
    /// The key bindings.
    pub keys: EditKeys,
    /// Gets to know when a key is pressed.
    pub last_key: LastKey,
    /// Knows what is beside the cursor.
    pub caret: Caret,
    /// The mode that the editor is in.
    pub mode: WorkingMode,
    /// What is shown above the line.
    pub notices: Notices,
    /// Whether colors are used.
    pub colors: bool,
    /// Aborts the current line when set.
    pub give_up: Arc<AtomicBool>,
    /// Where its keys come from.
    pub input: &'static KeyInput,
}

/// How soon a change of the processes or the end of the session is seen while nothing is typed; keys are read at once. The editor has
/// no way to be woken, and its own interval of 100 ms takes 0.05 % of a processor.
const POLL_INTERVAL: Duration = Duration::from_millis(250);

/// Builds an editor.
#[must_use]
pub fn build(parts: EditorConfig) -> Reedline {
    let watch = NoticeWatch {
        notices: parts.notices.clone(),
        last_key: parts.last_key.clone(),
        give_up: Arc::clone(&parts.give_up),
    };
    let (input, last_key) = (parts.input, parts.last_key.clone());
    let on_turn = Box::new(move || {
        watch.look();
        ask_for_line(input, &last_key);
    });
    let highlighter =
        CommandHighlighter { snapshot: parts.snapshot.clone(), caret: parts.caret.clone(), notices: parts.notices };
    let hinter = ModeHinter { inner: LineHinter::new(parts.snapshot.clone()), mode: parts.mode.clone() };
    let mut editor = Reedline::create()
        .with_completer(Box::new(CommandCompleter { snapshot: parts.snapshot.clone(), on_turn }))
        .with_menu(ReedlineMenu::EngineCompleter(Box::new(completion_menu(parts.snapshot.clone()))))
        .with_quick_completions(true)
        .with_partial_completions(true)
        .with_highlighter(Box::new(highlighter))
        .with_hinter(Box::new(hinter))
        .with_validator(Box::new(LineValidator))
        .with_ansi_colors(parts.colors)
        .with_edit_mode(edit_mode(parts.keys, parts.last_key, parts.caret, parts.snapshot.clone(), parts.mode))
        .with_break_signal(parts.give_up)
        .with_poll_interval(POLL_INTERVAL)
        .use_bracketed_paste(true);
    if let Some(open) = parts.history {
        let (path, unwritten) = (open.path.clone(), open.queue.unwritten());
        editor = editor.with_history(Box::new(RedactedHistory::queued(open, parts.redact, parts.is_private)));
        for (scope, name, marker) in HistoryScope::ALL {
            let search = HistorySearch::new(path.clone(), unwritten.clone(), scope, parts.snapshot.clone());
            let menu = Box::new(history_menu(parts.snapshot.clone(), name, marker));
            editor = editor.with_menu(ReedlineMenu::WithCompleter { menu, completer: Box::new(search) });
        }
    }
    editor
}

/// Lets the next line come once the editor has done what it does with the keys that it got: the last one ended no line.
fn ask_for_line(input: &KeyInput, last_key: &LastKey) {
    let has_all = || event::poll(Duration::ZERO).is_ok_and(|is_there| !is_there);
    if input.is_held() && has_all() && input.release(last_key.may_have_ended()) {
        last_key.set_may_have_ended(false);
    }
}

/// The keys behind which the next line is held back.
fn may_end_line(event: &Event) -> bool {
    match event {
        Event::Key(KeyEvent { code: KeyCode::Enter, modifiers: KeyModifiers::NONE, .. }) => true,
        Event::Key(KeyEvent { code: KeyCode::Char(c), modifiers: KeyModifiers::CONTROL, .. }) => {
            matches!(c, 'c' | 'd' | 'o' | 'e')
        }
        _ => false,
    }
}

fn completion_menu(snapshot: SharedSnapshot) -> HalfScreenMenu {
    let menu = HalfScreenMenu::new(MenuKind::Candidates, snapshot);
    let menu = menu.with_name(COMPLETIONS).with_marker("> ").with_word_chars(WORD_CHARACTERS);
    menu.with_input_mode(InputMode::FullBuffer)
}

fn history_menu(snapshot: SharedSnapshot, name: &str, marker: &str) -> HalfScreenMenu {
    let menu = HalfScreenMenu::new(MenuKind::Search, snapshot);
    menu.with_name(name).with_marker(marker).with_input_mode(InputMode::FullBuffer)
}

/// The key bindings, with tetra's own.
#[must_use]
pub fn edit_mode(
    keys: EditKeys,
    last_key: LastKey,
    caret: Caret,
    snapshot: SharedSnapshot,
    mode: WorkingMode,
) -> Box<dyn EditMode> {
    let inner: Box<dyn EditMode> = match keys {
        EditKeys::Emacs => {
            let mut bindings = default_emacs_keybindings();
            bind(&mut bindings);
            let redo = ReedlineEvent::Edit(vec![EditCommand::Redo]);
            let abort = ReedlineEvent::UntilFound(vec![menu::CLOSE, redo]);
            bindings.add_binding(KeyModifiers::CONTROL, KeyCode::Char('g'), abort);
            Box::new(Emacs::new(bindings))
        }
        EditKeys::Vi | EditKeys::ViCommand => {
            let (mut insert, mut normal) = (default_vi_insert_keybindings(), default_vi_normal_keybindings());
            bind(&mut insert);
            bind(&mut normal);
            let redo = ReedlineEvent::Edit(vec![EditCommand::Redo]);
            normal.add_binding(KeyModifiers::CONTROL, KeyCode::Char('r'), redo);
            Box::new(Vi::new(insert, normal, default_vi_visual_keybindings()))
        }
    };
    let (last_word, vi) = (LastWord::default(), ViRepeat::new(mode.clone()));
    let mut chords = Chords { inner, last_key, caret, snapshot, pending: false, scope: 0, last_word, vi };
    if keys == EditKeys::ViCommand {
        chords.press(KeyCode::Esc);
    }
    mode.begin(chords.inner.edit_mode());
    Box::new(chords)
}

fn bind(bindings: &mut Keybindings) {
    let complete = vec![ReedlineEvent::Menu(COMPLETIONS.to_owned()), ReedlineEvent::MenuNext];
    bindings.add_binding(KeyModifiers::NONE, KeyCode::Tab, ReedlineEvent::UntilFound(complete));
    bindings.add_binding(KeyModifiers::SHIFT, KeyCode::BackTab, ReedlineEvent::MenuPrevious);
    bindings.add_binding(KeyModifiers::NONE, KeyCode::PageDown, ask_menu(MenuRequest::PageDown, None));
    bindings.add_binding(KeyModifiers::NONE, KeyCode::PageUp, ask_menu(MenuRequest::PageUp, None));
    bindings.add_binding(KeyModifiers::ALT, KeyCode::Enter, ReedlineEvent::Edit(vec![EditCommand::InsertNewline]));
    bindings.add_binding(KeyModifiers::CONTROL, KeyCode::Char('o'), host_command(EDIT_EXTERNALLY));
    bindings.add_binding(KeyModifiers::NONE, KeyCode::F(1), host_command(HELP));
    // A menu is closed before a session is left.
    let leave = ReedlineEvent::UntilFound(vec![menu::CLOSE, ReedlineEvent::CtrlD]);
    bindings.add_binding(KeyModifiers::CONTROL, KeyCode::Char('d'), leave);
    let abort = ReedlineEvent::UntilFound(vec![menu::CLOSE]);
    bindings.add_binding(KeyModifiers::CONTROL, KeyCode::Char('g'), abort);
}

/// Asks a menu for something if there is one; then comes what else the key does.
fn ask_menu(request: MenuRequest, then: Option<ReedlineEvent>) -> ReedlineEvent {
    ReedlineEvent::Multiple(request.events().into_iter().chain(then).collect())
}

/// Leaves the editor for a moment. A menu would go on with candidates for a line that may be another one then.
fn host_command(name: &str) -> ReedlineEvent {
    ReedlineEvent::Multiple(vec![menu::CLOSE, ReedlineEvent::ExecuteHostCommand(name.to_owned())])
}

/// Keys after Ctrl-X, for reedline has no chords, and those that remember: the search in the history where it looked, Alt-. which word
/// it inserted.
struct Chords {
    inner: Box<dyn EditMode>,
    last_key: LastKey,
    caret: Caret,
    snapshot: SharedSnapshot,
    pending: bool,
    last_word: LastWord,
    vi: ViRepeat,
    /// Where Ctrl-R looks, as an index of [`HistoryScope::ALL`].
    scope: usize,
}

impl Chords {
    fn is_in_vi_command(&self) -> bool {
        matches!(self.inner.edit_mode(), PromptEditMode::Vi(PromptViMode::Normal | PromptViMode::Visual))
    }

    /// What a key does that types something unseen: its escape where it would be hidden. None for all other keys.
    fn type_visibly(&self, event: &Event) -> Option<ReedlineEvent> {
        let typed = match event {
            Event::Key(KeyEvent { code: KeyCode::Char(c), modifiers, .. })
                if KeyModifiers::SHIFT.contains(*modifiers) || control::is_unseen(*c) =>
            {
                *c
            }
            _ => {
                self.caret.forget();
                return None;
            }
        };
        if self.is_in_vi_command() {
            self.caret.forget();
            return control::is_unseen(typed).then_some(ReedlineEvent::None);
        }
        let escape = self.caret.type_char(typed)?;
        Some(ReedlineEvent::Edit(vec![EditCommand::InsertString(escape)]))
    }

    /// A key that changes the mode alone.
    fn press(&mut self, code: KeyCode) {
        if let Ok(key) = ReedlineRawEvent::try_from(Event::Key(KeyEvent::new(code, KeyModifiers::NONE))) {
            let _ = self.inner.parse_event(key);
        }
    }

    /// Alt-. in the mode `emacs`; none for all other keys. In vi Esc and `.` can come as the same bytes.
    fn insert_last_word(&mut self, event: &Event) -> Option<ReedlineEvent> {
        match event {
            Event::Key(KeyEvent { code: KeyCode::Char('.'), modifiers: KeyModifiers::ALT, .. })
                if matches!(self.inner.edit_mode(), PromptEditMode::Emacs) =>
            {
                let history = self.snapshot.lock().paths.history();
                Some(self.last_word.press(&history))
            }
            _ => {
                self.last_word.forget();
                None
            }
        }
    }

    /// Ctrl-R, and Alt-R, which looks elsewhere. In the normal mode of vi Ctrl-R is another command.
    fn search(&mut self, event: &Event) -> Option<ReedlineEvent> {
        let Event::Key(KeyEvent { code: KeyCode::Char('r'), modifiers, .. }) = event else { return None };
        let name = |scope: usize| HistoryScope::ALL[scope % HistoryScope::ALL.len()].1;
        match *modifiers {
            KeyModifiers::CONTROL if !self.is_in_vi_command() => {
                let search = ReedlineEvent::Menu(name(self.scope).to_owned());
                Some(ask_menu(MenuRequest::LeaveForSearch, Some(search)))
            }
            KeyModifiers::ALT => {
                self.scope = (self.scope + 1) % HistoryScope::ALL.len();
                let next = ReedlineEvent::Menu(name(self.scope).to_owned());
                Some(ReedlineEvent::Multiple(vec![ReedlineEvent::Esc, next]))
            }
            _ => None,
        }
    }
}

/// True for what leaves the editor for a moment.
fn leaves_editor(event: &ReedlineEvent) -> bool {
    match event {
        ReedlineEvent::ExecuteHostCommand(_) => true,
        ReedlineEvent::Multiple(events) => events.iter().any(leaves_editor),
        _ => false,
    }
}

impl EditMode for Chords {
    fn parse_event(&mut self, event: ReedlineRawEvent) -> ReedlineEvent {
        let before = self.inner.edit_mode();
        let event = self.event_of(event);
        let event = self.vi.in_its_mode([before, self.inner.edit_mode()], event);
        if leaves_editor(&event) && self.caret.is_painted_at_end() {
            terminal::erase_hint();
        }
        event
    }

    fn edit_mode(&self) -> PromptEditMode {
        self.vi.mode()
    }
}

impl Chords {
    fn event_of(&mut self, event: ReedlineRawEvent) -> ReedlineEvent {
        tty::wake_reader();
        self.last_key.touch();
        let event = Event::from(event);
        if may_end_line(&event) {
            self.last_key.set_may_have_ended(true);
        }
        if matches!(event, Event::Resize(..)) {
            self.caret.follow_resize();
        }
        let event = match event {
            Event::Paste(text) => Event::Paste(control::visible_input(&text)),
            other => other,
        };
        if let Some(inserted) = self.insert_last_word(&event) {
            return inserted;
        }
        if let Some(visible) = self.type_visibly(&event) {
            return visible;
        }
        let held = |letter| matches!(&event, Event::Key(KeyEvent { code: KeyCode::Char(c), modifiers: KeyModifiers::CONTROL, .. }) if *c == letter);
        if std::mem::take(&mut self.pending) && (held('e') || held('x')) {
            return if held('e') { host_command(EDIT_EXTERNALLY) } else { ReedlineEvent::None };
        }
        if held('x') {
            self.pending = true;
            return ReedlineEvent::None;
        }
        if held('c') && self.is_in_vi_command() {
            // The next line begins as every line does.
            self.press(KeyCode::Esc);
            self.press(KeyCode::Char('i'));
        }
        if let Some(search) = self.search(&event) {
            return search;
        }
        let is_paste = matches!(event, Event::Paste(_));
        match ReedlineRawEvent::try_from(event) {
            Ok(event) => match self.inner.parse_event(event) {
                // Keys that arrive together are one edit, in which the editor would not see the blank after an abbreviation.
                ReedlineEvent::Edit(edits) if edits == [EditCommand::InsertChar(' ')] => {
                    ReedlineEvent::Multiple(vec![ReedlineEvent::Edit(edits)])
                }
                // It is more than the word that there were candidates for.
                pasted @ ReedlineEvent::Edit(_) if is_paste => ask_menu(MenuRequest::LeaveForSearch, Some(pasted)),
                other => other,
            },
            Err(()) => ReedlineEvent::None,
        }
    }
}

/// Enter runs a complete line; an open quote, a trailing `|`, `&&` or `\` continues it.
struct LineValidator;

impl Validator for LineValidator {
    fn validate(&self, text: &str) -> ValidationResult {
        match line::lex(text) {
            Err(LexError::Incomplete { .. }) => ValidationResult::Incomplete,
            _ => ValidationResult::Complete,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::help::keys::{EMACS_KEYS, KEYS};

    #[test]
    fn a_line_goes_on_while_something_is_open() {
        let complete = |text| matches!(LineValidator.validate(text), ValidationResult::Complete);
        assert!(complete("tsm list") && complete("a && b") && complete(""));
        for text in ["a 'b", "a \\", "a \"b", "a |"] {
            assert!(!complete(text), "{text}");
        }
    }

    #[test]
    fn control_x_waits_for_its_second_key() {
        let mut chords = edit_mode(
            EditKeys::Emacs,
            LastKey::default(),
            Caret::default(),
            SharedSnapshot::default(),
            WorkingMode::default(),
        );
        let mut press = |letter| {
            let event = Event::Key(KeyEvent::new(KeyCode::Char(letter), KeyModifiers::CONTROL));
            chords.parse_event(ReedlineRawEvent::try_from(event).expect("a press"))
        };
        assert_eq!(press('x'), ReedlineEvent::None);
        assert_eq!(press('e'), host_command(EDIT_EXTERNALLY));
        assert_ne!(press('e'), host_command(EDIT_EXTERNALLY));
        press('x');
        assert_eq!(press('a'), Emacs::default().parse_event(raw('a')));
    }

    /// The key that the help calls so.
    fn pressed(name: &str) -> ReedlineRawEvent {
        let (modifiers, key) = match name.split_once('-') {
            Some(("Ctrl", key)) => (KeyModifiers::CONTROL, key),
            Some(("Alt", key)) => (KeyModifiers::ALT, key),
            Some(("Shift", key)) => (KeyModifiers::SHIFT, key),
            _ => (KeyModifiers::NONE, name),
        };
        let code = match key {
            "Tab" if modifiers == KeyModifiers::SHIFT => KeyCode::BackTab,
            "Tab" => KeyCode::Tab,
            "PageDown" => KeyCode::PageDown,
            "PageUp" => KeyCode::PageUp,
            "Up" => KeyCode::Up,
            "Down" => KeyCode::Down,
            "Right" => KeyCode::Right,
            "Enter" => KeyCode::Enter,
            "Esc" => KeyCode::Esc,
            "F1" => KeyCode::F(1),
            letter => KeyCode::Char(letter.to_lowercase().chars().next().expect("a letter")),
        };
        ReedlineRawEvent::try_from(Event::Key(KeyEvent::new(code, modifiers))).expect("a press")
    }

    #[test]
    fn every_key_of_the_help_does_something() {
        let modes = [(EditKeys::Emacs, KEYS), (EditKeys::Emacs, EMACS_KEYS), (EditKeys::Vi, KEYS)];
        for (mode, keys) in modes {
            for name in keys.iter().flat_map(|row| row.keys) {
                let mut editor = edit_mode(
                    mode,
                    LastKey::default(),
                    Caret::default(),
                    SharedSnapshot::default(),
                    WorkingMode::default(),
                );
                let does = name.split(' ').map(|key| editor.parse_event(pressed(key))).last().expect("a key");
                assert_ne!(does, ReedlineEvent::None, "{name} with {mode:?}");
            }
        }
    }

    #[test]
    fn every_key_of_tetra_is_in_the_help() {
        let mut bindings = Keybindings::new();
        bind(&mut bindings);
        let named: Vec<Event> = KEYS.iter().flat_map(|it| it.keys).map(|name| pressed(name).into()).collect();
        for bound in bindings.get_keybindings().keys() {
            let event = Event::Key(KeyEvent::new(bound.key_code, bound.modifier));
            assert!(named.contains(&event), "{event:?}");
        }
    }

    fn raw(letter: char) -> ReedlineRawEvent {
        let event = Event::Key(KeyEvent::new(KeyCode::Char(letter), KeyModifiers::CONTROL));
        ReedlineRawEvent::try_from(event).expect("a press")
    }
}
