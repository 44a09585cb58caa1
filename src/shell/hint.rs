//! Hints behind the cursor: the rest of a history line with the typed beginning, one that succeeded, of the same context, the latest;
//! where there is none, what the command still takes.

use crossterm::terminal;
use reedline::{
    CommandLineSearch, Hinter, History, HistoryItem, HistoryItemId, SearchDirection, SearchFilter, SearchQuery,
};

use super::painted_line::CONTINUATION_COLUMNS;
use super::snapshot::SharedSnapshot;
use super::{paint, panics};
use crate::base::columns::{truncate, width};
use crate::base::control;
use crate::base::fault::FaultKind;
use crate::command::complete::{CompletionContext, usage};
use crate::report::theme::Role;

/// The number of history rows that are searched at each key press.
const MAX_LOOKBACK: i64 = 5000;

/// The number of lines with the same beginning of which the best is taken.
const MAX_COMPARED: usize = 64;

/// The width that is assumed where the terminal does not say it.
const DEFAULT_COLUMNS: usize = 80;

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
    /// The best line that begins with `start`: one that succeeded, then one of the context, then the latest. None that was wrong.
    fn read(start: &str, history: &dyn History, context: &str, newest: HistoryItemId) -> Self {
        let oldest = newest.0 - MAX_LOOKBACK;
        let find = |context, most| history.search(query(Some(start), context, oldest, most)).unwrap_or_default();
        let is_here = |item: &HistoryItem| item.cwd.as_deref() == Some(context);
        let is_best = |item: &HistoryItem| has_succeeded(item) && is_here(item);
        // Most keys end here: there is none, or the latest is the best.
        let mut found = find(None, 1);
        if found.first().is_some_and(|item| !is_best(item)) {
            found = find(None, MAX_COMPARED);
            if found.len() >= MAX_COMPARED && !found.iter().any(is_best) {
                found.extend(find(Some(context), MAX_COMPARED));
            }
            found.retain(|item| !was_wrong(item));
        }
        // The first of several that are equally good.
        let best = found.into_iter().rev().max_by_key(|item| (has_succeeded(item), is_here(item)));
        let line = best.map(|item| item.command_line).unwrap_or_default();
        Self { start: start.to_owned(), context: context.to_owned(), newest, line }
    }

    /// Whether it also is what there is for a line that goes on: what is the best for its beginning is the best for all of it, and
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
        let newest = history.search(query(None, None, 0, 1)).unwrap_or_default();
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

/// True if a line did what it was to do; Ctrl-C is how some end.
fn has_succeeded(item: &HistoryItem) -> bool {
    item.exit_status.is_none_or(|code| code == 0 || code == i64::from(FaultKind::Interrupted.code()))
}

/// True if a line was wrong in itself: it named a command, an option or a thing that there is not.
fn was_wrong(item: &HistoryItem) -> bool {
    let codes = [FaultKind::Usage.code(), FaultKind::NotFound.code()];
    item.exit_status.is_some_and(|code| codes.iter().any(|wrong| code == i64::from(*wrong)))
}

/// The latest lines that begin with `start`, of one context or any.
fn query(start: Option<&str>, context: Option<&str>, oldest: i64, most: usize) -> SearchQuery {
    let mut filter = SearchFilter::anything(None);
    filter.command_line = start.map(|start| CommandLineSearch::Prefix(start.to_owned()));
    filter.cwd_exact = context.map(str::to_owned);
    let mut query = SearchQuery::last_with_search(filter);
    query.direction = SearchDirection::Backward;
    query.limit = i64::try_from(most).ok();
    query.end_id = Some(HistoryItemId::new(oldest));
    query
}

#[cfg(test)]
mod tests {
    use reedline::SqliteBackedHistory;

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
    fn a_line_that_succeeded_comes_first_and_a_slip_never() {
        let mut history = SqliteBackedHistory::in_memory().expect("memory");
        let lines = [
            ("tsm stop api", "a/d", 0),
            ("tsm stop ap", "a/d", 1),
            ("tsm stop nosuch", "a/d", 5),
            ("tsm sotp web", "a/d", 2),
            ("list; nope", "a/d", 2),
            ("logs -f web", "a/d", 130),
            ("logs -f wbe", "a/d", 1),
            ("use @dev", "a/d", 0),
            ("use @prod", "b/d", 0),
            ("version x", "a/d", 2),
        ];
        for (line, context, code) in lines {
            let item = HistoryItem { cwd: Some(context.to_owned()), ..HistoryItem::from_command_line(line) };
            history.save(HistoryItem { exit_status: Some(code), ..item }).expect("saved");
        }
        let mut ghost = LineHinter::new(SharedSnapshot::default());
        let mut hint = |line: &str, context: &str| {
            ghost.handle(line, line.len(), &history, true, context);
            ghost.complete_hint()
        };
        assert_eq!(hint("tsm s", "a/d"), "top api");
        assert_eq!(hint("tsm so", "a/d"), "", "no command");
        assert_eq!(hint("tsm stop ap", "a/d"), "i");
        assert_eq!(hint("lis", "a/d"), "");
        assert_eq!(hint("tsm stop n", "a/d"), "", "there was none");
        assert_eq!(hint("logs -f w", "a/d"), "eb", "Ctrl-C ended it");
        assert_eq!(hint("logs -f wb", "a/d"), "e", "rather one that failed than none");
        assert_eq!(hint("use @", "a/d"), "dev");
        assert_eq!(hint("use @", "c/d"), "prod");
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
