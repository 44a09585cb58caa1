//! Hints: the rest of the latest history line with the typed beginning; lines of the same context come first.

use nu_ansi_term::{Color, Style};
use reedline::{CommandLineSearch, Hinter, History, HistoryItemId, SearchDirection, SearchFilter, SearchQuery};

use super::panics;

/// The number of history rows that are searched at each key press.
const MAX_LOOKBACK: i64 = 5000;

/// Suggests from the history.
#[derive(Debug, Default)]
pub struct HistoryHinter {
    hint: String,
}

impl Hinter for HistoryHinter {
    fn handle(&mut self, line: &str, pos: usize, history: &dyn History, use_ansi_coloring: bool, cwd: &str) -> String {
        let at_end = pos >= line.len();
        self.hint = if line.trim().is_empty() || !at_end {
            String::new()
        } else {
            panics::catch_or(String::new(), || find_hint(line, history, cwd))
        };
        if use_ansi_coloring && !self.hint.is_empty() {
            Style::new().fg(Color::DarkGray).paint(&self.hint).to_string()
        } else {
            // Without color a hint cannot be distinguished from typed text.
            String::new()
        }
    }

    fn complete_hint(&self) -> String {
        self.hint.clone()
    }

    fn next_hint_token(&self) -> String {
        let word = self.hint.trim_start();
        let blanks = self.hint.len() - word.len();
        let end = word.find(char::is_whitespace).unwrap_or(word.len());
        self.hint[..blanks + end].to_owned()
    }
}

fn find_hint(line: &str, history: &dyn History, context: &str) -> String {
    let newest = history.search(query(None, None, 0)).unwrap_or_default();
    let Some(newest) = newest.first().and_then(|item| item.id) else { return String::new() };
    let oldest = newest.0 - MAX_LOOKBACK;
    let find = |context| history.search(query(Some(line), context, oldest)).unwrap_or_default().pop();
    let found = find(Some(context)).or_else(|| find(None));
    let rest = found.and_then(|item| item.command_line.get(line.len()..).map(str::to_owned)).unwrap_or_default();
    // Pasted text may contain control characters.
    if rest.chars().any(|character| character.is_control() && character != '\n') { String::new() } else { rest }
}

/// The latest line that begins with `start`, of one context or any.
fn query(start: Option<&str>, context: Option<&str>, oldest: i64) -> SearchQuery {
    let mut filter = SearchFilter::anything(None);
    filter.command_line = start.map(|start| CommandLineSearch::Prefix(start.to_owned()));
    filter.cwd_exact = context.map(str::to_owned);
    let mut query = SearchQuery::last_with_search(filter);
    query.direction = SearchDirection::Backward;
    query.end_id = Some(HistoryItemId::new(oldest));
    query
}

#[cfg(test)]
mod tests {
    use reedline::{HistoryItem, SqliteBackedHistory};

    use super::*;

    #[test]
    fn the_same_context_comes_first_then_any() {
        let mut history = SqliteBackedHistory::in_memory().expect("memory");
        for (line, context) in [("tsm stop api", "acme/dev"), ("tsm stop web", "acme/prod"), ("tsm list", "acme/prod")]
        {
            let mut item = HistoryItem::from_command_line(line);
            item.cwd = Some(context.to_owned());
            history.save(item).expect("saved");
        }
        let mut ghost = HistoryHinter::default();
        let mut hint = |line: &str, context: &str| {
            ghost.handle(line, line.len(), &history, true, context);
            ghost.complete_hint()
        };
        assert_eq!(hint("tsm st", "acme/dev"), "op api");
        assert_eq!(hint("tsm st", "acme/prod"), "op web");
        assert_eq!(hint("tsm l", "acme/dev"), "ist");
        assert_eq!(hint("", "acme/dev"), "");
        assert_eq!(hint("x", "acme/dev"), "");
        assert_eq!(hint("od", "acme/dev"), "", "nothing that a terminal would obey");
    }

    #[test]
    fn one_word_is_taken_at_a_time() {
        let ghost = HistoryHinter { hint: "op api now".to_owned() };
        assert_eq!(ghost.next_hint_token(), "op");
        let ghost = HistoryHinter { hint: " api now".to_owned() };
        assert_eq!(ghost.next_hint_token(), " api");
    }
}
