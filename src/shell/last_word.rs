//! Alt-.: the last word of an earlier line, as other shells have it.

use std::path::Path;

use reedline::{EditCommand, ReedlineEvent};

use crate::base::line;
use crate::sys::history::{HistoryQuery, HistoryReader};

/// How many lines are looked through, the latest ones.
const MAX_LINES: u32 = 200;

/// What a line of the history has in place of a secret.
const MASK: &str = "***";

/// The words that the key goes through while no other one is pressed.
#[derive(Debug, Default)]
pub(super) struct LastWord {
    /// The latest first.
    words: Vec<String>,
    /// How many were inserted, each in the place of the one before.
    inserted: usize,
}

impl LastWord {
    /// Another key was pressed: the next word is the latest one.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }

    /// The key was pressed. Without a history, and behind its last word, it does nothing.
    pub(super) fn press(&mut self, history: &Path) -> ReedlineEvent {
        if self.inserted == 0 {
            self.words = read(history);
        }
        let Some(word) = self.words.get(self.inserted) else { return ReedlineEvent::Edit(Vec::new()) };
        let mut edits = vec![EditCommand::InsertString(word.clone())];
        if self.inserted > 0 {
            edits.insert(0, EditCommand::Undo);
        }
        self.inserted += 1;
        ReedlineEvent::Edit(edits)
    }
}

/// Each word once. A history that cannot be read has none: its warning comes elsewhere.
fn read(history: &Path) -> Vec<String> {
    let latest = HistoryQuery { limit: MAX_LINES, ..HistoryQuery::default() };
    let entries = HistoryReader::open(history).and_then(|reader| reader.entries(&latest)).unwrap_or_default();
    let mut words: Vec<String> = Vec::new();
    for word in entries.iter().rev().filter_map(|entry| last_word(&entry.line)) {
        if !words.iter().any(|known| known == word) {
            words.push(word.to_owned());
        }
    }
    words
}

/// The last argument as it was typed. A command alone has none.
fn last_word(text: &str) -> Option<&str> {
    let parsed = line::lex(text).ok()?;
    let statement = parsed.statements.last()?;
    if let Some(escape) = &statement.shell_escape {
        return last_word(text.get(escape.span.clone())?);
    }
    let [_, .., last] = &statement.words[..] else { return None };
    text.get(last.span.clone()).filter(|word| !word.contains(MASK))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_argument_is_taken_as_it_was_typed() {
        for (line, word) in [
            ("tsm stop api", Some("api")),
            ("tsm stop 'my api'", Some("'my api'")),
            ("tsm list; tsm info api --json | wc -l", Some("--json")),
            ("version", None),
            ("tsm list; !ls -l 'my logs'", Some("'my logs'")),
            ("!ls", None),
            ("tsm start x --token ***", None),
            ("", None),
            ("tsm stop 'a", None),
        ] {
            assert_eq!(last_word(line), word, "{line}");
        }
    }

    #[test]
    fn without_a_history_nothing_is_inserted() {
        assert_eq!(LastWord::default().press(Path::new("/nonexistent/history")), ReedlineEvent::Edit(Vec::new()));
    }
}
