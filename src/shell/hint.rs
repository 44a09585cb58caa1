//! Hints behind the cursor: the rest of the latest history line with the typed beginning, lines of the same context first; where there
//! is none, what the command still takes.

use crossterm::terminal;
use reedline::{CommandLineSearch, Hinter, History, HistoryItemId, SearchDirection, SearchFilter, SearchQuery};

use super::snapshot::SharedSnapshot;
use super::{paint, panics};
use crate::base::columns::{truncate, width};
use crate::base::control;
use crate::command::complete::{CompletionContext, usage};
use crate::report::theme::Role;

/// The number of history rows that are searched at each key press.
const MAX_LOOKBACK: i64 = 5000;

/// The width that is assumed where the terminal does not say it.
const DEFAULT_COLUMNS: usize = 80;

/// What begins the further rows of a line.
const CONTINUATION_COLUMNS: usize = 4;

/// Suggests from the history, and shows what a command takes.
pub struct LineHinter {
    snapshot: SharedSnapshot,
    /// What a key puts into the line; empty for a usage.
    hint: String,
    /// What the next key may be answered from.
    last: Option<Found>,
}

/// What the history has for the beginning of a line.
struct Found {
    start: String,
    context: String,
    /// The newest row of the history.
    newest: HistoryItemId,
    /// The whole line; empty if there is none.
    line: String,
}

impl Found {
    /// The latest line that begins with `start`, of the context if it has one.
    fn read(start: &str, history: &dyn History, context: &str, newest: HistoryItemId) -> Self {
        let oldest = newest.0 - MAX_LOOKBACK;
        let find = |context| history.search(query(Some(start), context, oldest)).unwrap_or_default().pop();
        // That of any context first: most keys end here, since there is none or it is of this context.
        let any = find(None);
        let is_here = any.as_ref().is_none_or(|item| item.cwd.as_deref() == Some(context));
        let found = if is_here { any } else { find(Some(context)).or(any) };
        let line = found.map(|item| item.command_line).unwrap_or_default();
        Self { start: start.to_owned(), context: context.to_owned(), newest, line }
    }

    /// Whether it also is what there is for a line that goes on: what is the latest for its beginning is the latest for all of it, and
    /// where nothing has the beginning nothing has more of it.
    fn is_for(&self, start: &str, context: &str, newest: HistoryItemId) -> bool {
        let goes_on = start.starts_with(&self.start) && (self.line.is_empty() || self.line.starts_with(start));
        goes_on && self.context == context && self.newest == newest
    }
}

impl LineHinter {
    /// A hinter with the snapshot of the session.
    pub fn new(snapshot: SharedSnapshot) -> Self {
        Self { snapshot, hint: String::new(), last: None }
    }

    fn history_hint(&mut self, line: &str, history: &dyn History, context: &str) -> String {
        let newest = history.search(query(None, None, 0)).unwrap_or_default();
        let Some(newest) = newest.first().and_then(|item| item.id) else { return String::new() };
        let last = self.last.take().filter(|last| last.is_for(line, context, newest));
        let found = self.last.insert(last.unwrap_or_else(|| Found::read(line, history, context, newest)));
        let rest = found.line.get(line.len()..).unwrap_or_default();
        // Pasted text may contain control characters.
        if control::is_harmful(&rest.replace('\n', " ")) { String::new() } else { rest.to_owned() }
    }

    fn usage(&self, line: &str) -> String {
        usage(line, &CompletionContext::prompt(&**self.snapshot.lock()))
    }

    /// What is shown of a hint: what fits into the row of the cursor, so that no hint makes the terminal scroll.
    fn cut(&self, line: &str, hint: &str) -> String {
        let (first, rest) = hint.split_once('\n').map_or((hint, None), |(first, rest)| (first, Some(rest)));
        let first = if rest.is_some() { format!("{first}…") } else { first.to_owned() };
        let columns = terminal::size().map_or(DEFAULT_COLUMNS, |(columns, _)| columns.into());
        let before = match line.rsplit_once('\n') {
            Some((_, last)) => CONTINUATION_COLUMNS + width(last),
            None => self.snapshot.lock().prompt.as_ref().map_or(0, |prompt| prompt.width()) + width(line),
        };
        // The last column stays free: a terminal may go on in the next row.
        truncate(&first, columns.saturating_sub(before % columns.max(1) + 1)).into_owned()
    }
}

impl Hinter for LineHinter {
    fn handle(&mut self, line: &str, pos: usize, history: &dyn History, use_ansi_coloring: bool, cwd: &str) -> String {
        self.hint = String::new();
        // Without color a hint cannot be distinguished from typed text.
        if line.trim().is_empty() || pos < line.len() || !use_ansi_coloring {
            return String::new();
        }
        self.hint = panics::catch_or(String::new(), || self.history_hint(line, history, cwd));
        let usage =
            if self.hint.is_empty() { panics::catch_or(String::new(), || self.usage(line)) } else { String::new() };
        let shown = self.cut(line, if self.hint.is_empty() { &usage } else { &self.hint });
        if shown.is_empty() {
            return shown;
        }
        paint::style(self.snapshot.lock().theme, Role::Hint).paint(shown).to_string()
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
        let mut ghost = LineHinter::new(SharedSnapshot::default());
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
    fn each_key_shows_what_a_line_typed_at_once_shows() {
        let mut history = SqliteBackedHistory::in_memory().expect("memory");
        let mut save = |line: &str, context: &str| {
            let mut item = HistoryItem::from_command_line(line);
            item.cwd = Some(context.to_owned());
            history.save(item).expect("saved");
        };
        for (line, context) in [("ab", "a/d"), ("abc", "b/d"), ("acd", "a/d"), ("b", "b/d"), ("aéx", "b/d")] {
            save(line, context);
        }
        for typed in ["abcd", "acde", "aéxy", "bb", "x"] {
            for context in ["a/d", "b/d", "c/d"] {
                let mut by_key = LineHinter::new(SharedSnapshot::default());
                for (end, letter) in typed.char_indices() {
                    let line = &typed[..end + letter.len_utf8()];
                    let mut at_once = LineHinter::new(SharedSnapshot::default());
                    for ghost in [&mut by_key, &mut at_once] {
                        ghost.handle(line, line.len(), &history, true, context);
                    }
                    assert_eq!(by_key.complete_hint(), at_once.complete_hint(), "{line} in {context}");
                }
            }
        }
        let mut ghost = LineHinter::new(SharedSnapshot::default());
        ghost.handle("a", 1, &history, true, "a/d");
        assert_eq!(ghost.complete_hint(), "cd");
        history
            .save(HistoryItem { cwd: Some("a/d".to_owned()), ..HistoryItem::from_command_line("az") })
            .expect("saved");
        ghost.handle("a", 1, &history, true, "a/d");
        assert_eq!(ghost.complete_hint(), "z", "a line that was run since");
    }

    #[test]
    fn one_word_is_taken_at_a_time() {
        let ghost = LineHinter { snapshot: SharedSnapshot::default(), hint: "op api now".to_owned(), last: None };
        assert_eq!(ghost.next_hint_token(), "op");
        let ghost = LineHinter { snapshot: SharedSnapshot::default(), hint: " api now".to_owned(), last: None };
        assert_eq!(ghost.next_hint_token(), " api");
    }
}
