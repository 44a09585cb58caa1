//! Writing to the history without waiting for it: a database that is locked or full is left for later.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OptionalExtension, named_params};

use super::history::{HistoryEntry, HistoryError, is_disk_full};
use super::history_text;

/// The longest that a write waits for the lock of another process: it happens between Enter and the command.
pub const PATIENCE: Duration = Duration::from_millis(10);

/// So many new rows are between two looks for rows that can be packed for the search.
const PACKED_EVERY: i64 = 16;

/// Writes rows of the history.
#[derive(Debug)]
pub struct HistoryWriter {
    path: PathBuf,
    database: Option<Connection>,
}

impl HistoryWriter {
    /// Opens nothing yet.
    #[must_use]
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), database: None }
    }

    /// Writes a row; with its id, or with a new one if that is 0. The id is returned.
    ///
    /// # Errors
    ///
    /// Fails if the database is locked for longer than `patience`, or the disk is full. Nothing is written then.
    pub fn write(&mut self, entry: &HistoryEntry, patience: Duration) -> Result<i64, HistoryError> {
        let path = self.path.clone();
        self.try_write(entry, patience).map_err(|source| HistoryError::Database { action: "write", path, source })
    }

    fn try_write(&mut self, entry: &HistoryEntry, patience: Duration) -> rusqlite::Result<i64> {
        let database = match &mut self.database {
            Some(database) => database,
            none => {
                let database = Connection::open(&self.path)?;
                // As the editor has it: a power cut may cost the last lines, never the file.
                database.pragma_update(None, "synchronous", "normal")?;
                none.insert(database)
            }
        };
        database.busy_timeout(patience)?;
        let millis = |it: Duration| i64::try_from(it.as_millis()).unwrap_or(i64::MAX);
        let mut statement = database.prepare_cached(
            "insert into history (id, command_line, start_timestamp, cwd, duration_ms, exit_status, more_info) \
                 values (:id, :line, :started, :context, :took, :code, 'null') on conflict (id) do update set \
                 command_line = excluded.command_line, start_timestamp = excluded.start_timestamp, cwd = excluded.cwd, \
                 duration_ms = excluded.duration_ms, exit_status = excluded.exit_status returning id",
        )?;
        let mut rows = statement.query(named_params! {
            ":id": (entry.id != 0).then_some(entry.id),
            ":line": entry.line,
            ":started": entry.started_at.and_then(|it| i64::try_from(it.0).ok()),
            ":context": entry.context,
            ":took": entry.duration.map(millis),
            ":code": entry.exit_code,
        })?;
        let id = rows.next()?.ok_or(rusqlite::Error::QueryReturnedNoRows)?.get(0)?;
        // To its end: a statement that is left at its row is committed, but the log of the database is not written back then, and
        // grows by 70 kB with every line.
        rows.next()?;
        drop(rows);
        drop(statement);
        if entry.id == 0 && id % PACKED_EVERY == 0 {
            database.busy_timeout(Duration::ZERO)?;
            // Without it a search reads the rows, and a later line tries again.
            let _ = history_text::pack(database);
        }
        Ok(id)
    }
}

/// Why the history cannot be written for now, with a database that is sound: it is locked, or the disk is full.
#[must_use]
pub fn obstacle(path: &Path) -> Option<&'static str> {
    let attempt = || {
        let database = Connection::open(path)?;
        database.busy_timeout(PATIENCE)?;
        let id: Option<i64> = database.query_row("pragma application_id", [], |row| row.get(0)).optional()?;
        // Writes the page that it is on, also if it stays the same.
        database.pragma_update(None, "application_id", id.unwrap_or_default())
    };
    let error = attempt().err()?;
    if is_disk_full(path, &error) {
        return Some("the disk is full");
    }
    match error.sqlite_error_code()? {
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Some("another process has locked it"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::history::{HistoryQuery, HistoryReader, prepare};

    /// As the editor makes it.
    const TABLE: &str = "create table history (id integer primary key autoincrement, command_line text not null, \
        start_timestamp integer, session_id integer, hostname text, cwd text, duration_ms integer, exit_status integer, \
        more_info text) strict";

    fn entry(line: &str) -> HistoryEntry {
        HistoryEntry { id: 0, line: line.to_owned(), started_at: None, duration: None, exit_code: None, context: None }
    }

    /// As the editor makes it.
    fn database(path: &Path) -> Connection {
        prepare(path).unwrap();
        let database = Connection::open(path).unwrap();
        database.pragma_update(None, "journal_mode", "wal").unwrap();
        database.execute_batch(TABLE).unwrap();
        database
    }

    #[test]
    fn the_log_of_the_database_does_not_grow_with_the_lines() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state/history.sqlite3");
        let _database = database(&path);
        let mut writer = HistoryWriter::new(&path);
        for number in 0..3000 {
            writer.write(&entry(&format!("line {number}")), PATIENCE).unwrap();
        }
        let log = std::fs::metadata(directory.path().join("state/history.sqlite3-wal")).unwrap().len();
        assert!(log < 6_000_000, "{log} bytes");
    }

    #[test]
    fn a_lock_of_another_process_is_not_waited_for() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state/history.sqlite3");
        let other = database(&path);
        assert_eq!(obstacle(&path), None);
        other.execute_batch("begin immediate").unwrap();
        let mut writer = HistoryWriter::new(&path);
        assert!(writer.write(&entry("a"), PATIENCE).is_err());
        assert_eq!(obstacle(&path), Some("another process has locked it"));
        other.execute_batch("rollback").unwrap();
        assert_eq!(writer.write(&entry("a"), PATIENCE).unwrap(), 1);
        let again = HistoryEntry { id: 1, exit_code: Some(3), ..entry("a") };
        assert_eq!(writer.write(&again, PATIENCE).unwrap(), 1);
        let wanted = HistoryQuery { limit: 9, ..HistoryQuery::default() };
        assert_eq!(HistoryReader::open(&path).unwrap().entries(&wanted).unwrap(), [again]);
    }
    #[test]
    fn only_a_damaged_history_is_to_be_put_away() {
        use crate::base::fault::UserFacingError;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("history.sqlite3");
        std::fs::write(&path, "no database, but long enough to be taken for one by its size".repeat(99)).unwrap();
        let advice = HistoryReader::open(&path).unwrap_err().advice().unwrap();
        assert!(advice.contains("damaged; rename it: `mv "), "{advice}");
        let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_FULL);
        let source = rusqlite::Error::SqliteFailure(code, None);
        let full = HistoryError::Database { action: "read", path: path.clone(), source };
        assert_eq!(full.advice().as_deref(), Some("the disk is full: free some space"));
        let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_IOERR);
        let source = rusqlite::Error::SqliteFailure(code, None);
        assert_eq!(HistoryError::Database { action: "read", path, source }.advice(), None);
    }

    #[test]
    fn a_named_pipe_is_no_history_and_not_waited_for() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("history.sqlite3");
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert!(matches!(HistoryReader::open(&path), Err(HistoryError::NotAFile { .. })));
        assert!(matches!(prepare(&path), Err(HistoryError::NotAFile { .. })));
    }

    #[test]
    fn a_line_that_does_not_fit_is_written_once_there_is_space() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state/history.sqlite3");
        prepare(&path).unwrap();
        Connection::open(&path).unwrap().execute_batch(TABLE).unwrap();
        let mut writer = HistoryWriter::new(&path);
        writer.write(&entry("a"), PATIENCE).unwrap();
        // SQLite takes this limit for the end of the disk.
        let limit = |writer: &HistoryWriter, pages: u32| {
            writer.database.as_ref().unwrap().pragma_update(None, "max_page_count", pages).unwrap();
        };
        limit(&writer, 1);
        let long = entry(&"b".repeat(100_000));
        let Err(HistoryError::Database { source, .. }) = writer.write(&long, PATIENCE) else {
            panic!("it was written")
        };
        assert_eq!(source.sqlite_error_code(), Some(ErrorCode::DiskFull));
        limit(&writer, 1000);
        assert_eq!(writer.write(&long, PATIENCE).unwrap(), 2);
    }
}
