//! Lines on their way into the history: Enter waits neither for a lock nor for a full disk.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reedline::{CommandLineSearch, HistoryItem, HistoryItemId, SearchDirection, SearchQuery, SqliteBackedHistory};

use super::session::Session;
use super::unwritten_lines::UnwrittenLines;

use crate::base::fault::Fault;
use crate::base::time::Timestamp;
use crate::report::Console;
use crate::sys::history::{self, HistoryEntry, HistoryError};
use crate::sys::history_writer::{self, HistoryWriter, PATIENCE};

/// More lines are not kept in memory; the oldest goes.
const MAX_WAITING: usize = 1000;

/// Ids from here on are those of lines that are not written yet: later than every row.
const FIRST_WAITING: i64 = i64::MAX / 2;

/// How long the end of a session waits for the lock of another process.
const LAST_PATIENCE: Duration = Duration::from_millis(500);

/// What the operator is to know about the history.
#[derive(Debug, Clone, Default)]
pub struct HistoryHealth(Arc<Mutex<WriterHealth>>);

#[derive(Debug, Default)]
struct WriterHealth {
    /// Why the last attempt failed.
    reason: Option<String>,
    is_said: bool,
    waiting: usize,
    lost: usize,
}

impl HistoryHealth {
    /// A warning, once for each time that the history stops being written.
    #[must_use]
    pub fn warning(&self) -> Option<String> {
        let mut health = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let reason = health.reason.clone().filter(|_| !health.is_said)?;
        health.is_said = true;
        Some(format!("warning: {reason}; lines are kept in memory until it can be written"))
    }

    /// What is said at the end of the session.
    #[must_use]
    pub fn last_words(&self) -> Option<String> {
        let health = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let lines = health.waiting + health.lost;
        let reason = health.reason.as_deref().unwrap_or("there were too many");
        (lines > 0).then(|| format!("warning: {lines} lines of this session are not in the history: {reason}"))
    }

    fn set(&self, reason: Option<String>, waiting: usize, lost: usize) {
        let mut health = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        health.is_said &= reason.is_some();
        *health = WriterHealth { reason, is_said: health.is_said, waiting, lost: health.lost + lost };
    }
}

/// The lines that are not written yet, oldest first.
#[derive(Debug)]
pub struct HistoryQueue {
    writer: HistoryWriter,
    /// The file whose tables could not be made yet.
    unmade: Option<PathBuf>,
    waiting: Vec<HistoryItem>,
    /// Those that were written and not taken yet.
    written: Vec<HistoryItem>,
    next: i64,
    health: HistoryHealth,
    unwritten: UnwrittenLines,
}

impl HistoryQueue {
    /// Writes with `writer`.
    #[must_use]
    pub fn new(writer: HistoryWriter, health: HistoryHealth) -> Self {
        let (waiting, written, unwritten) = (Vec::new(), Vec::new(), UnwrittenLines::default());
        Self { writer, unmade: None, waiting, written, next: FIRST_WAITING, health, unwritten }
    }

    /// The lines that are not written yet, now and later.
    #[must_use]
    pub fn unwritten(&self) -> UnwrittenLines {
        self.unwritten.clone()
    }

    /// The same for a file that may have no tables, since it could not be opened: they are made before the first line is written.
    fn with_unmade(self, path: PathBuf) -> Self {
        Self { unmade: Some(path), ..self }
    }

    /// Why the tables cannot be made; none if they are there.
    fn make_tables(&mut self) -> Option<String> {
        let path = self.unmade.as_ref()?;
        // The editor knows what they are, and waits seconds for a lock.
        if let Some(why) = history_writer::obstacle(path).map(str::to_owned).or_else(|| open_for_editor(path).err()) {
            return Some(format!("failed to write the history `{}`: {why}", path.display()));
        }
        self.unmade = None;
        None
    }

    /// Writes a line, or keeps it; the result has an id either way.
    pub fn save(&mut self, mut item: HistoryItem) -> HistoryItem {
        item.id = Some(item.id.unwrap_or_else(|| {
            self.next += 1;
            HistoryItemId(self.next)
        }));
        self.waiting.push(item.clone());
        let written = self.flush(PATIENCE);
        // The last of them is this one.
        HistoryItem { id: written.or(item.id), ..item }
    }

    /// Writes at the end of the session what has waited.
    pub fn finish(&mut self) {
        self.flush(LAST_PATIENCE);
    }

    /// Writes what waits, up to the first that cannot be written; the id of the last one if all are.
    fn flush(&mut self, patience: Duration) -> Option<HistoryItemId> {
        let lost = self.waiting.len().saturating_sub(MAX_WAITING);
        self.waiting.drain(..lost);
        let (mut last, mut reason, mut done) = (None, self.make_tables(), 0);
        for item in self.waiting.iter().filter(|_| self.unmade.is_none()) {
            match self.writer.write(&entry(item), patience) {
                Ok(id) => {
                    last = Some(HistoryItemId(id));
                    self.written.push(HistoryItem { id: last, ..item.clone() });
                }
                Err(error) => {
                    reason = Some(in_one_line(error));
                    break;
                }
            }
            done += 1;
        }
        self.waiting.drain(..done);
        self.share_unwritten();
        self.health.set(reason, self.waiting.len(), lost);
        last.filter(|_| self.waiting.is_empty())
    }

    /// Shows the others what waits. A row that is only changed is in the database too.
    fn share_unwritten(&self) {
        self.unwritten.set(self.waiting.iter().rev().filter(|item| is_new(item)).map(entry).collect());
    }

    /// Those that were written since the last call.
    pub fn take_written(&mut self) -> Vec<HistoryItem> {
        std::mem::take(&mut self.written)
    }

    /// The one that waits under an id.
    #[must_use]
    pub fn get(&self, id: HistoryItemId) -> Option<&HistoryItem> {
        self.waiting.iter().rev().find(|item| item.id == Some(id))
    }

    /// Changes one that waits; false if none has this id.
    pub fn update(&mut self, id: HistoryItemId, change: &dyn Fn(HistoryItem) -> HistoryItem) -> bool {
        let Some(item) = self.waiting.iter_mut().rev().find(|item| item.id == Some(id)) else { return false };
        *item = HistoryItem { id: Some(id), ..change(item.clone()) };
        self.share_unwritten();
        true
    }

    /// The ones that wait and fit a query, in its order.
    #[must_use]
    pub fn search(&self, query: &SearchQuery) -> Vec<HistoryItem> {
        let is_backward = query.direction == SearchDirection::Backward;
        let fits = |item: &&HistoryItem| {
            // A row that is only changed is in the database too.
            let Some(HistoryItemId(id)) = item.id.filter(|_| is_new(item)) else { return false };
            let within =
                |start: i64, end: i64| if is_backward { id < start && id >= end } else { id > start && id <= end };
            let (first, last) = if is_backward { (i64::MAX, i64::MIN) } else { (i64::MIN, i64::MAX) };
            let line = &item.command_line;
            let in_place = |is: fn(&str, &str) -> bool, wanted: &Option<String>| {
                wanted.as_ref().is_none_or(|wanted| item.cwd.as_deref().is_some_and(|place| is(place, wanted)))
            };
            within(query.start_id.map_or(first, |id| id.0), query.end_id.map_or(last, |id| id.0))
                && in_place(|place, wanted| place == wanted, &query.filter.cwd_exact)
                && in_place(|place, wanted| place.starts_with(wanted), &query.filter.cwd_prefix)
                && match &query.filter.command_line {
                    None => true,
                    Some(CommandLineSearch::Exact(text)) => line == text,
                    Some(CommandLineSearch::Prefix(text)) => line.starts_with(text.as_str()),
                    Some(CommandLineSearch::Substring(text)) => line.contains(text.as_str()),
                }
        };
        let found = self.waiting.iter().filter(fits).cloned();
        if is_backward { found.rev().collect() } else { found.collect() }
    }
}

/// A history that is open.
pub struct OpenHistory {
    /// Reads it; in memory and empty if the file cannot be opened for now.
    pub database: SqliteBackedHistory,
    /// The file.
    pub path: PathBuf,
    /// Writes it.
    pub queue: HistoryQueue,
    /// `database` is in memory.
    pub is_mirror: bool,
}

/// Opens the history (mode 0600, pruned to `history-size`); none, with a warning, if it cannot be used. One that is locked or on a
/// full disk is not waited for.
pub(super) fn open(session: &Session, console: &mut dyn Console, health: &HistoryHealth) -> Option<OpenHistory> {
    let keep = session.settings.get("history-size").parse().unwrap_or(history::MAX_ENTRIES);
    if keep == 0 {
        return None;
    }
    let path = session.paths.history();
    let unwritten = session.unwritten_lines.clone();
    let queue = HistoryQueue { unwritten, ..HistoryQueue::new(HistoryWriter::new(&path), health.clone()) };
    if let Err(error) = history::prepare(&path) {
        console.note(&format!("warning: history is disabled: {}", in_one_line(error)));
        return None;
    }
    let obstacle = history_writer::obstacle(&path).map(str::to_owned);
    if obstacle.is_none()
        && let Err(error) = history::prune(&path, keep)
    {
        console.note(&format!("warning: history is disabled: {}", in_one_line(error)));
        return None;
    }
    let why = match obstacle.map_or_else(|| open_for_editor(&path), Err) {
        Ok(database) => return Some(OpenHistory { database, path, queue, is_mirror: false }),
        Err(why) => why,
    };
    console.note(&format!(
        "warning: the history cannot be opened: {why}; earlier lines are not offered, and those of this session are written when it \
         can be"
    ));
    let database = SqliteBackedHistory::in_memory().ok()?;
    let queue = queue.with_unmade(path.clone());
    Some(OpenHistory { database, path, queue, is_mirror: true })
}

/// The editor's own view, with its tables; why there is none in the words of the database, which the editor puts into code.
fn open_for_editor(path: &Path) -> Result<SqliteBackedHistory, String> {
    SqliteBackedHistory::with_file(path.to_owned(), None, None).map_err(|error| {
        let error = error.to_string();
        let words = error.split_once("Some(\"").and_then(|(_, rest)| rest.split_once("\")"));
        words.map_or_else(|| error.clone(), |(words, _)| words.to_owned())
    })
}

/// True for a line that is in no row yet.
fn is_new(item: &HistoryItem) -> bool {
    item.id.is_some_and(|id| id.0 > FIRST_WAITING)
}

fn entry(item: &HistoryItem) -> HistoryEntry {
    HistoryEntry {
        id: item.id.map_or(0, |id| if id.0 > FIRST_WAITING { 0 } else { id.0 }),
        line: item.command_line.clone(),
        started_at: item.start_timestamp.and_then(|at| u64::try_from(at.timestamp_millis()).ok()).map(Timestamp),
        duration: item.duration,
        exit_code: item.exit_status,
        context: item.cwd.clone(),
    }
}

fn in_one_line(error: HistoryError) -> String {
    let fault = Fault::from(error);
    let causes = fault.causes().join(": ");
    format!("{fault}: {causes}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_could_not_be_opened_gets_its_tables_with_the_first_line() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("history.sqlite3");
        let health = HistoryHealth::default();
        let mut queue = HistoryQueue::new(HistoryWriter::new(&path), health.clone()).with_unmade(path.clone());
        // In the way of the file, as a full disk is.
        std::fs::create_dir(&path).expect("a directory");
        queue.save(HistoryItem::from_command_line("version"));
        let warning = health.warning().expect("it is not written");
        assert!(
            warning.starts_with(&format!("warning: failed to write the history `{}`: ", path.display())),
            "{warning}"
        );
        assert!(!warning.contains("no such table"), "{warning}");
        std::fs::remove_dir(&path).expect("it is empty");
        queue.save(HistoryItem::from_command_line("tsm list"));
        let lines: Vec<String> = queue.take_written().into_iter().map(|item| item.command_line).collect();
        assert_eq!(lines, ["version", "tsm list"]);
        assert_eq!(health.last_words(), None);
    }
    #[test]
    fn the_first_line_does_not_wait_for_a_lock_to_make_the_tables() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("history.sqlite3");
        let other = rusqlite::Connection::open(&path).expect("a database");
        other.execute_batch("begin exclusive").expect("the lock");
        let health = HistoryHealth::default();
        let mut queue = HistoryQueue::new(HistoryWriter::new(&path), health.clone()).with_unmade(path.clone());
        queue.save(HistoryItem::from_command_line("version"));
        // So says who looks first. The editor waits for seconds, and says it in other words.
        let warning = health.warning().expect("it is not written");
        assert!(warning.contains(": another process has locked it;"), "{warning}");
        other.execute_batch("rollback").expect("the end of the lock");
        queue.finish();
        assert_eq!(queue.take_written().len(), 1);
    }
}
