//! Lines that were typed while a command ran.
//!
//! They are read while the terminal is in canonical mode: the editor would take their line ends for another key, and drop the rest.

use std::collections::VecDeque;

use reedline::{EditCommand, Reedline};

use crate::base::control;
use crate::base::line::{LexError, lex};
use crate::sys::tty;

/// Lines that no editor has yet.
#[derive(Debug, Default)]
pub(super) struct Typeahead(VecDeque<String>);

impl Typeahead {
    /// Inserts the next one into the editor; true if it is a complete line.
    pub(super) fn next(&mut self, editor: &mut Reedline) -> bool {
        self.0.extend(std::iter::from_fn(tty::typeahead));
        let (mut text, mut is_ended) = (String::new(), false);
        let is_open = |text: &str| matches!(lex(text), Err(LexError::Incomplete { .. }));
        while let Some(line) = self.0.pop_front() {
            text.push_str(control::visible_input(&line).trim_end_matches('\n'));
            is_ended = line.ends_with('\n');
            if !is_ended || !is_open(&text) {
                break;
            }
            text.push('\n');
        }
        if text.trim().is_empty() {
            return false;
        }
        let whole = is_ended && !is_open(&text);
        editor.run_edit_commands(&[EditCommand::MoveToEnd { select: false }, EditCommand::InsertString(text)]);
        whole
    }
}
