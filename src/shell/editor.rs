//! The line editor: its parts and key bindings.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use crossterm::event::{Event, KeyEvent};
use nu_ansi_term::{Color, Style};
use reedline::{
    ColumnarMenu, EditCommand, EditMode, Emacs, InputMode, KeyCode, KeyModifiers, Keybindings, MenuBuilder,
    PromptEditMode, Reedline, ReedlineEvent, ReedlineMenu, ReedlineRawEvent, SqliteBackedHistory, ValidationResult,
    Validator, Vi, default_emacs_keybindings, default_vi_insert_keybindings, default_vi_normal_keybindings,
    default_vi_visual_keybindings,
};

use super::complete::CommandCompleter;
use super::highlight::CommandHighlighter;
use super::hint::HistoryHinter;
use super::history::{HistorySearch, Redact, RedactedHistory};
use super::snapshot::SharedSnapshot;
use crate::base::control;
use crate::base::line::{self, LexError};
use crate::sys::tty;

/// The host command of the key that opens the external editor.
pub const EDIT_EXTERNALLY: &str = "edit";

const COMPLETIONS: &str = "completions";
const HISTORY: &str = "history";

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
}

/// The parts of an editor.
pub struct EditorConfig {
    /// The snapshot of the session.
    pub snapshot: SharedSnapshot,
    /// The history and its file, which the search reads; none if no history is kept.
    pub history: Option<(SqliteBackedHistory, PathBuf)>,
    /// Nothing is stored while this is set.
    pub is_private: Arc<AtomicBool>,
    /// Removes secrets from a line before it is stored.
    pub redact: Redact,
    /// The key bindings.
    pub keys: EditKeys,
    /// Whether colors are used.
    pub colors: bool,
    /// Aborts the current line when set.
    pub give_up: Arc<AtomicBool>,
}

/// How soon a change of the processes or the end of the session is seen while nothing is typed; keys are read at once. The editor has
/// no way to be woken, and its own interval of 100 ms takes 0.05 % of a processor.
const POLL_INTERVAL: Duration = Duration::from_millis(250);

/// Builds an editor.
#[must_use]
pub fn build(parts: EditorConfig) -> Reedline {
    let mut editor = Reedline::create()
        .with_completer(Box::new(CommandCompleter { snapshot: parts.snapshot.clone() }))
        .with_menu(ReedlineMenu::EngineCompleter(Box::new(completion_menu())))
        .with_quick_completions(true)
        .with_partial_completions(true)
        .with_highlighter(Box::new(CommandHighlighter { snapshot: parts.snapshot }))
        .with_hinter(Box::new(HistoryHinter::default()))
        .with_validator(Box::new(LineValidator))
        .with_ansi_colors(parts.colors)
        .with_edit_mode(edit_mode(parts.keys))
        .with_break_signal(parts.give_up)
        .with_poll_interval(POLL_INTERVAL)
        .use_bracketed_paste(true);
    if let Some((history, path)) = parts.history {
        let menu = Box::new(history_menu());
        editor = editor
            .with_history(Box::new(RedactedHistory::new(history, parts.redact, parts.is_private)))
            .with_menu(ReedlineMenu::WithCompleter { menu, completer: Box::new(HistorySearch { path }) });
    }
    editor
}

fn completion_menu() -> ColumnarMenu {
    style_menu(ColumnarMenu::default()).with_name(COMPLETIONS).with_marker("> ").with_word_chars(WORD_CHARACTERS)
}

fn history_menu() -> ColumnarMenu {
    style_menu(ColumnarMenu::default())
        .with_name(HISTORY)
        .with_marker("(history)> ")
        .with_columns(1)
        .with_input_mode(InputMode::FullBuffer)
}

fn style_menu(menu: ColumnarMenu) -> ColumnarMenu {
    menu.with_text_style(Style::new())
        .with_selected_text_style(Style::new().reverse())
        .with_match_text_style(Style::new().bold())
        .with_selected_match_text_style(Style::new().bold().reverse())
        .with_description_text_style(Color::DarkGray.normal())
}

/// The key bindings, with tetra's own.
#[must_use]
pub fn edit_mode(keys: EditKeys) -> Box<dyn EditMode> {
    let inner: Box<dyn EditMode> = match keys {
        EditKeys::Emacs => {
            let mut bindings = default_emacs_keybindings();
            bind(&mut bindings);
            Box::new(Emacs::new(bindings))
        }
        EditKeys::Vi => {
            let (mut insert, mut normal) = (default_vi_insert_keybindings(), default_vi_normal_keybindings());
            bind(&mut insert);
            bind(&mut normal);
            Box::new(Vi::new(insert, normal, default_vi_visual_keybindings()))
        }
    };
    Box::new(Chords { inner, pending: false })
}

fn bind(bindings: &mut Keybindings) {
    let menu =
        |name: &str| ReedlineEvent::UntilFound(vec![ReedlineEvent::Menu(name.to_owned()), ReedlineEvent::MenuNext]);
    bindings.add_binding(KeyModifiers::NONE, KeyCode::Tab, menu(COMPLETIONS));
    bindings.add_binding(KeyModifiers::SHIFT, KeyCode::BackTab, ReedlineEvent::MenuPrevious);
    bindings.add_binding(KeyModifiers::CONTROL, KeyCode::Char('r'), menu(HISTORY));
    bindings.add_binding(KeyModifiers::ALT, KeyCode::Enter, ReedlineEvent::Edit(vec![EditCommand::InsertNewline]));
    bindings.add_binding(KeyModifiers::CONTROL, KeyCode::Char('o'), external_edit_event());
}

fn external_edit_event() -> ReedlineEvent {
    ReedlineEvent::ExecuteHostCommand(EDIT_EXTERNALLY.to_owned())
}

/// Keys after Ctrl-X: reedline has no chords.
struct Chords {
    inner: Box<dyn EditMode>,
    pending: bool,
}

impl EditMode for Chords {
    fn parse_event(&mut self, event: ReedlineRawEvent) -> ReedlineEvent {
        tty::wake_reader();
        let event = match Event::from(event) {
            Event::Paste(text) => Event::Paste(control::sanitize_input(&text)),
            Event::Key(KeyEvent { code: KeyCode::Char(c), .. }) if control::is_terminal_control(c) => {
                return ReedlineEvent::None;
            }
            other => other,
        };
        let held = |letter| matches!(&event, Event::Key(KeyEvent { code: KeyCode::Char(c), modifiers: KeyModifiers::CONTROL, .. }) if *c == letter);
        if std::mem::take(&mut self.pending) && (held('e') || held('x')) {
            return if held('e') { external_edit_event() } else { ReedlineEvent::None };
        }
        if held('x') {
            self.pending = true;
            return ReedlineEvent::None;
        }
        match ReedlineRawEvent::try_from(event) {
            Ok(event) => self.inner.parse_event(event),
            Err(()) => ReedlineEvent::None,
        }
    }

    fn edit_mode(&self) -> PromptEditMode {
        self.inner.edit_mode()
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
        let mut chords = edit_mode(EditKeys::Emacs);
        let mut press = |letter| {
            let event = Event::Key(KeyEvent::new(KeyCode::Char(letter), KeyModifiers::CONTROL));
            chords.parse_event(ReedlineRawEvent::try_from(event).expect("a press"))
        };
        assert_eq!(press('x'), ReedlineEvent::None);
        assert_eq!(press('e'), external_edit_event());
        assert_ne!(press('e'), external_edit_event());
        press('x');
        assert_eq!(press('a'), Emacs::default().parse_event(raw('a')));
    }

    fn raw(letter: char) -> ReedlineRawEvent {
        let event = Event::Key(KeyEvent::new(KeyCode::Char(letter), KeyModifiers::CONTROL));
        ReedlineRawEvent::try_from(event).expect("a press")
    }
}
