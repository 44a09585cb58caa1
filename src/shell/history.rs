//! The history: which lines are stored, without secrets, and the search.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use reedline::{
    Completer, CompletionResult, History, HistoryItem, HistoryItemId, HistorySessionId, Partial, Result,
    SearchDirection, SearchFilter, SearchQuery, Span, SqliteBackedHistory, Suggestion,
};

use super::history_queue::{HistoryQueue, OpenHistory};
use super::panics;
use super::session::Session;
use super::snapshot::SharedSnapshot;
use super::unwritten_lines::UnwrittenLines;
use crate::base::fault::{Fault, FaultKind};
use crate::base::time::HumanDuration as Duration;
use crate::base::{control, redact};
use crate::command::Selection;
use crate::sys::history::{HistoryEntry, HistoryReader};
use crate::sys::history_search::TypedSearch;

/// The most lines that the search shows.
const MAX_RESULTS: usize = 200;

/// The form in which a line is stored: itself, without its secrets, or none.
pub type Redact = fn(&str) -> Option<String>;

/// The line with its secrets masked; everything else stays as typed.
#[must_use]
pub fn redact_line(line: &str) -> Option<String> {
    Some(redact::text(line))
}

/// The form in which a line of this session is in the history; none if it is not stored.
pub(super) fn stored_form(session: &Session, line: &str) -> Option<String> {
    if is_skipped(line) || session.settings.is_on("private") {
        return None;
    }
    redact_line(line.trim_end()).map(|line| control::visible_input(&line))
}

fn is_skipped(line: &str) -> bool {
    line.starts_with([' ', '\t']) || recalled(line).is_some()
}

/// The number of the line that `!12`, `!-1` or `!!` puts on the prompt.
#[must_use]
pub fn recalled(line: &str) -> Option<i64> {
    let number = line.trim().strip_prefix('!')?;
    if number == "!" {
        return Some(-1);
    }
    let digits = number.strip_prefix('-').unwrap_or(number);
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| number.parse().ok()).flatten()
}

/// The stored line of a number, as it can be shown.
pub(super) fn stored_line(session: &Session, number: i64) -> std::result::Result<String, Fault> {
    let entry = HistoryReader::open(&session.paths.history())?.entry(number)?;
    let missing = || {
        Fault::new(FaultKind::NotFound, format!("the history has no line {number}"))
            .with_advice("`history` shows the numbers")
    };
    Ok(control::visible_input(&entry.ok_or_else(missing)?.line))
}

/// A history that skips lines with a leading blank and consecutive duplicates, and masks secrets.
pub struct RedactedHistory {
    inner: SqliteBackedHistory,
    redact: Redact,
    /// Nothing is stored while this is set.
    is_private: Arc<AtomicBool>,
    /// Writes the file; without it `inner` does.
    queue: Option<HistoryQueue>,
    /// `inner` is in memory, and gets what is written into the file.
    is_mirror: bool,
}

impl RedactedHistory {
    /// Stores lines in `inner` in the form that `redact` returns, and nothing while `is_private` is set.
    #[must_use]
    pub fn new(inner: SqliteBackedHistory, redact: Redact, is_private: Arc<AtomicBool>) -> Self {
        Self { inner, redact, is_private, queue: None, is_mirror: false }
    }

    /// Stores lines in the file of `open` without waiting for it.
    #[must_use]
    pub fn queued(open: OpenHistory, redact: Redact, is_private: Arc<AtomicBool>) -> Self {
        Self { queue: Some(open.queue), is_mirror: open.is_mirror, ..Self::new(open.database, redact, is_private) }
    }

    fn write(&mut self, item: HistoryItem) -> Result<HistoryItem> {
        let Some(queue) = &mut self.queue else { return self.inner.save(item) };
        let item = queue.save(item);
        let written = queue.take_written();
        if self.is_mirror {
            for item in written {
                self.inner.save(item)?;
            }
        }
        Ok(item)
    }

    fn newest(&self) -> Option<HistoryItem> {
        let newest = SearchQuery::last_with_search(SearchFilter::anything(None));
        self.search(SearchQuery { direction: SearchDirection::Backward, ..newest }).ok()?.pop()
    }
}

impl fmt::Debug for RedactedHistory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Kept")
    }
}

impl History for RedactedHistory {
    /// An item that was not stored has no id.
    fn save(&mut self, mut item: HistoryItem) -> Result<HistoryItem> {
        if item.id.is_some() {
            return self.write(item);
        }
        let line = item.command_line.trim_end();
        let is_skipped = is_skipped(line) || self.is_private.load(Ordering::Acquire);
        let allowed = if is_skipped { None } else { (self.redact)(line) };
        let Some(line) = allowed.map(|line| control::visible_input(&line)).filter(|line| !line.is_empty()) else {
            return Ok(item);
        };
        if let Some(newest) = self.newest().filter(|newest| newest.command_line == line) {
            return Ok(newest);
        }
        item.command_line = line;
        self.write(item)
    }

    fn load(&self, id: HistoryItemId) -> Result<HistoryItem> {
        match self.queue.as_ref().and_then(|queue| queue.get(id)) {
            Some(item) => Ok(item.clone()),
            None => self.inner.load(id).map(sanitize_item),
        }
    }

    fn count(&self, query: SearchQuery) -> Result<i64> {
        self.inner.count(query)
    }

    fn search(&self, query: SearchQuery) -> Result<Vec<HistoryItem>> {
        let waiting = self.queue.as_ref().map(|queue| queue.search(&query)).unwrap_or_default();
        let (limit, is_backward) = (query.limit, query.direction == SearchDirection::Backward);
        let stored: Vec<HistoryItem> = self.inner.search(query)?.into_iter().map(sanitize_item).collect();
        let mut found = if is_backward { [waiting, stored] } else { [stored, waiting] }.concat();
        found.truncate(limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX));
        Ok(found)
    }

    fn update(&mut self, id: HistoryItemId, updater: &dyn Fn(HistoryItem) -> HistoryItem) -> Result<()> {
        match &mut self.queue {
            None => self.inner.update(id, updater),
            Some(queue) => {
                if queue.update(id, updater) {
                    return Ok(());
                }
                let item = updater(self.inner.load(id)?);
                self.write(item).map(|_| ())
            }
        }
    }

    fn clear(&mut self) -> Result<()> {
        self.inner.clear()
    }

    fn delete(&mut self, id: HistoryItemId) -> Result<()> {
        self.inner.delete(id)
    }

    fn sync(&mut self) -> std::io::Result<()> {
        if let Some(queue) = &mut self.queue {
            queue.finish();
        }
        self.inner.sync()
    }

    fn session(&self) -> Option<HistorySessionId> {
        self.inner.session()
    }
}

/// A line with its control characters to be seen: it may come from another program.
fn sanitize_item(item: HistoryItem) -> HistoryItem {
    HistoryItem { command_line: control::visible_input(&item.command_line), ..item }
}

/// Where Ctrl-R looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HistoryScope {
    /// All lines.
    All,
    /// Those that were typed in the active organization.
    Org,
    /// Those that were typed in the active environment.
    Environment,
}

impl HistoryScope {
    /// In the order in which a key walks through them, each with the name of its menu and what is shown before the line.
    pub const ALL: [(Self, &'static str, &'static str); 3] = [
        (Self::All, "history", "(history)> "),
        (Self::Org, "history-org", "(history of this org)> "),
        (Self::Environment, "history-env", "(history of this env)> "),
    ];

    /// How the contexts of its lines begin.
    fn under(self, selection: &Selection) -> Option<String> {
        let org = selection.org.as_ref().map_or("-", |org| org.as_str());
        let env = selection.env.as_ref().map_or("-", |env| env.as_str());
        match self {
            Self::All => None,
            Self::Org => Some(format!("{org}/")),
            Self::Environment => Some(format!("{org}/{env}/")),
        }
    }
}

/// The search of Ctrl-R: lines that contain every typed word, latest first, without duplicates. If there are none, those that
/// have the letters of each word in their order.
pub struct HistorySearch {
    found: TypedSearch,
    unwritten: UnwrittenLines,
    scope: HistoryScope,
    snapshot: SharedSnapshot,
}

impl Completer for HistorySearch {
    fn complete(&mut self, line: &str, _pos: usize) -> CompletionResult {
        let suggestions = panics::catch_or(Vec::new(), || self.suggestions(line));
        // There is no common prefix to insert.
        let partial = Partial { span: Span::new(0, line.len()), insert: line.to_owned() };
        CompletionResult::fresh(suggestions).with_partial(Some(partial))
    }
}

impl HistorySearch {
    /// Looks in the file of this path and at what is not written there yet, for the selection of the snapshot.
    #[must_use]
    pub fn new(path: PathBuf, unwritten: UnwrittenLines, scope: HistoryScope, snapshot: SharedSnapshot) -> Self {
        Self { found: TypedSearch::new(path, MAX_RESULTS), unwritten, scope, snapshot }
    }

    fn suggestions(&mut self, line: &str) -> Vec<Suggestion> {
        let under = self.scope.under(&self.snapshot.lock().selection);
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        let span = Span::new(0, line.len());
        let suggestion = |row: HistoryEntry| Suggestion {
            description: Some(describe(&row)),
            display_override: row.line.contains('\n').then(|| to_one_line(&row.line)),
            value: control::visible_input(&row.line),
            span,
            ..Suggestion::default()
        };
        let found = self.unwritten.with(|lines| self.found.find_with(lines, &words, under.as_deref()));
        found.into_iter().map(suggestion).collect()
    }
}

/// Line ends as symbols.
fn to_one_line(line: &str) -> String {
    control::visible_input(line).replace('\n', "⏎")
}

fn describe(row: &HistoryEntry) -> String {
    let context = to_one_line(row.context.as_deref().unwrap_or_default());
    let code = row.exit_code.filter(|code| *code != 0).map(|code| format!(" [{code}]")).unwrap_or_default();
    let took =
        row.duration.filter(|took| took.as_secs() > 0).map(|took| format!(" {}", Duration(took))).unwrap_or_default();
    format!("{context}{code}{took}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept() -> RedactedHistory {
        let redact: Redact = |line| match line.contains("hunter2") {
            true => (!line.contains("never")).then(|| line.replace("hunter2", "***")),
            false => Some(line.to_owned()),
        };
        RedactedHistory::new(SqliteBackedHistory::in_memory().expect("memory"), redact, Arc::default())
    }

    fn lines(history: &RedactedHistory) -> Vec<String> {
        let all = SearchQuery::everything(SearchDirection::Forward, None);
        history.search(all).expect("read").into_iter().map(|item| item.command_line).collect()
    }

    #[test]
    fn keeps_what_may_be_kept() {
        let mut history = kept();
        for line in ["a", "a", " b", "\tb", "set --password hunter2", "never hunter2", "c", "a", ""] {
            history.save(HistoryItem::from_command_line(line)).expect("saved");
        }
        assert_eq!(lines(&history), ["a", "set --password ***", "c", "a"]);
    }

    #[test]
    fn nothing_is_kept_in_a_private_session() {
        let mut history = kept();
        for (line, private) in [("a", false), ("b", true), ("!12", false), ("!cmd", false)] {
            history.is_private.store(private, Ordering::Release);
            history.save(HistoryItem::from_command_line(line)).expect("saved");
        }
        assert_eq!(lines(&history), ["a", "!cmd"]);
    }

    #[test]
    fn a_number_after_an_exclamation_mark_recalls_a_line() {
        for (line, number) in [("!12", Some(12)), (" !-3 ", Some(-3)), ("!!", Some(-1)), ("!0", Some(0))] {
            assert_eq!(recalled(line), number, "{line}");
        }
        for line in ["!", "!-", "!1x", "!12 | wc", "12", "!99999999999999999999", "!--1", "! 12"] {
            assert_eq!(recalled(line), None, "{line}");
        }
    }

    #[test]
    fn secrets_are_masked_and_nothing_else_is_changed() {
        for (line, kept) in [
            ("tsm start 'my app' --token abc  -x # note", "tsm start 'my app' --token ***  -x # note"),
            ("a DB_PASSWORD=hunter2; b", "a DB_PASSWORD=***; b"),
            ("tsm list | curl -H 'x' TOKEN=abc", "tsm list | curl -H 'x' TOKEN=***"),
            ("!export API_KEY=abc", "!export API_KEY=***"),
            ("tsm list 'open", "tsm list 'open"),
        ] {
            assert_eq!(redact_line(line).as_deref(), Some(kept));
        }
    }

    #[test]
    fn what_is_not_kept_has_no_id_and_the_same_line_has_that_of_the_first() {
        let mut history = kept();
        let mut id = |line: &str| history.save(HistoryItem::from_command_line(line)).expect("saved").id;
        assert_eq!(id(" a"), None);
        let first = id("a");
        assert!(first.is_some());
        assert_eq!(id("a"), first);
    }

    #[test]
    fn the_search_shows_the_latest_first_and_each_line_once() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("history");
        let mut history = SqliteBackedHistory::with_file(path.clone(), None, None).expect("opened");
        for line in ["tsm stop api", "tsm list", "tsm stop web", "tsm stop api"] {
            history.save(HistoryItem::from_command_line(line)).expect("saved");
        }
        let mut search =
            HistorySearch::new(path, UnwrittenLines::default(), HistoryScope::All, SharedSnapshot::default());
        let mut values = |line: &str, pos| -> Vec<String> {
            search.complete(line, pos).suggestions().iter().map(|it| it.value.clone()).collect()
        };
        assert_eq!(values("stop", 4), ["tsm stop api", "tsm stop web"]);
        assert_eq!(values("web stop", 99), ["tsm stop web"]);
        assert_eq!(values("tlst", 4), ["tsm list"], "letters in order, where no line has the word");
        assert_eq!(values("", 7).len(), 3);
    }
}
