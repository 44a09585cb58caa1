//! The history of the prompt on disk: private before it is opened, bounded, readable without the editor.
//!
//! The rows are written by the line editor, whose table this is. Here are the parts that need no editor: the modes of the
//! files, the upper bound, and every question that is asked of it.

use std::collections::HashSet;
use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::ops::{ControlFlow, RangeInclusive};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, Row, params, params_from_iter};

use crate::base::fault::UserFacingError;
use crate::base::time::Timestamp;
use crate::disk;

use super::{disk_space, privileges};

/// How many lines are kept unless the settings say otherwise.
pub const MAX_ENTRIES: u32 = 20_000;

/// A line that was run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HistoryEntry {
    /// Grows with every line; unique in one file.
    pub id: i64,
    /// The line as it is kept: secrets are not in it.
    pub line: String,
    /// When it was started.
    pub started_at: Option<Timestamp>,
    /// How long it ran.
    pub duration: Option<Duration>,
    /// Its exit code.
    pub exit_code: Option<i64>,
    /// `org/env/process` at its start; `-` for what was not chosen.
    pub context: Option<String>,
}

/// What is wanted of the history.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HistoryQuery {
    /// At most so many rows, the latest.
    pub limit: u32,
    /// Only lines that hold each of these texts; upper and lower case are the same.
    pub containing: Vec<String>,
    /// The same line only once, at its latest place.
    pub unique: bool,
}

/// The rows that are read.
#[derive(Debug, Clone)]
pub(super) struct Rows<'a> {
    /// Only those of these ids.
    pub(super) ids: RangeInclusive<i64>,
    /// Only lines that hold each of these texts; upper and lower case of ASCII are the same.
    pub(super) containing: &'a [String],
    /// How a line holds a text.
    pub(super) matching: Matching,
    /// Only lines whose context begins so: `acme/`, `acme/dev/`.
    pub(super) under: Option<&'a str>,
}

/// How a line holds a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Matching {
    /// As it is.
    Whole,
    /// Its letters in order, with others between them.
    Letters,
}

/// The history cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// A file or directory cannot be made private.
    #[error("failed to restrict the permissions of the history `{}`", path.display())]
    Private {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Something else has its name.
    #[error("the history `{}` is not a regular file", path.display())]
    NotAFile {
        /// What is there.
        path: PathBuf,
    },
    /// The database does not answer.
    #[error("failed to {action} the history `{}`", path.display())]
    Database {
        /// What was being done.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
}

impl UserFacingError for HistoryError {
    fn advice(&self) -> Option<String> {
        match self {
            Self::Private { .. } => None,
            Self::NotAFile { path } => Some(format!("rename it: `mv {0} {0}.other`", path.display())),
            Self::Database { path, source, .. } => match source.sqlite_error_code()? {
                ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => {
                    Some(format!("the file is damaged; rename it: `mv {0} {0}.damaged`", path.display()))
                }
                _ if is_disk_full(path, source) => Some("the disk is full: free some space".to_owned()),
                _ => None,
            },
        }
    }
}

/// True if the disk has too little space for what SQLite has to write; it reports that of its own files only.
#[must_use]
pub(super) fn is_disk_full(path: &Path, error: &rusqlite::Error) -> bool {
    let dir = path.parent().unwrap_or(path);
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => true,
        Some(ErrorCode::SystemIoFailure) => {
            disk_space::of_path(dir).is_ok_and(|space| space.free < PAGE || space.inodes > 0 && space.inodes_free == 0)
        }
        _ => false,
    }
}

/// A file of SQLite beside the database is of so many bytes at least.
const PAGE: u64 = 32 << 10;

/// SQLite would wait for the other end of a named pipe.
fn check_regular(path: &Path) -> Result<(), HistoryError> {
    match fs::metadata(path) {
        Ok(found) if !found.is_file() => Err(HistoryError::NotAFile { path: path.to_owned() }),
        _ => Ok(()),
    }
}

/// Makes the directory (0700) and the file (0600) before anything is written, so that there is no moment in which others could
/// read it. Files that a database keeps beside it get the mode of the file.
///
/// # Errors
///
/// Fails if the directory or file cannot be made or belongs to another user.
pub fn prepare(path: &Path) -> Result<(), HistoryError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| HistoryError::Private { path, source }
    };
    if let Some(dir) = path.parent() {
        // What root wrote into the directory of another user, that user could never write again.
        if let Some(owner) = privileges::foreign_owner(dir) {
            return Err(failed(dir)(disk::FileAccessError::ForeignOwner(owner).into()));
        }
        DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(failed(dir))?;
        fs::set_permissions(dir, Permissions::from_mode(0o700)).map_err(failed(dir))?;
    }
    check_regular(path)?;
    disk::own_file().append(0o600).open(path).map_err(failed(path))?;
    for file in [path.to_owned(), with_suffix(path, "-wal"), with_suffix(path, "-shm")] {
        match fs::set_permissions(&file, Permissions::from_mode(0o600)) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => return Err(failed(&file)(source)),
            _ => {}
        }
    }
    Ok(())
}

/// Removes the oldest rows beyond `keep`. Does nothing to a file without the table.
///
/// # Errors
///
/// Fails if the database does not answer.
pub fn prune(path: &Path, keep: u32) -> Result<(), HistoryError> {
    let failed = |source| HistoryError::Database { action: "shorten", path: path.to_owned(), source };
    let database = Connection::open(path).map_err(failed)?;
    if !has_table(&database, "history").map_err(failed)? {
        return Ok(());
    }
    let count = database.query_row("select count(*) from history", [], |row| row.get::<_, u32>(0)).map_err(failed)?;
    if count <= keep {
        return Ok(());
    }
    database
        .execute(
            "delete from history where id <= (select id from history order by id desc limit 1 offset ?1)",
            params![keep],
        )
        .map_err(failed)?;
    Ok(())
}

/// A history open for reading.
#[derive(Debug)]
pub struct HistoryReader {
    /// None if there is no history yet.
    pub(super) database: Option<Connection>,
    path: PathBuf,
}

impl HistoryReader {
    /// Opens the history for reading; one that does not exist is empty.
    ///
    /// # Errors
    ///
    /// Fails if there is a file and it cannot be opened.
    pub fn open(path: &Path) -> Result<Self, HistoryError> {
        let path = path.to_owned();
        if !path.exists() {
            return Ok(Self { database: None, path });
        }
        check_regular(&path)?;
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        match Connection::open_with_flags(&path, flags)
            .and_then(|database| Ok((has_table(&database, "history")?, database)))
        {
            Ok((has_table, database)) => Ok(Self { database: has_table.then_some(database), path }),
            Err(source) => Err(HistoryError::Database { action: "read", path, source }),
        }
    }

    /// The row of an id; with a negative number the latest rows, counted from the last.
    ///
    /// # Errors
    ///
    /// Fails if the database does not answer.
    pub fn entry(&self, number: i64) -> Result<Option<HistoryEntry>, HistoryError> {
        let Some(database) = &self.database else { return Ok(None) };
        let failed = |source| self.failed(source);
        let id = if number < 0 {
            let nth = "select id from history order by id desc limit 1 offset ?1";
            let found = database.query_row(nth, params![-(number + 1)], |row| row.get::<_, i64>(0));
            found.optional().map_err(failed)?
        } else {
            Some(number)
        };
        id.map(|id| entry_of(database, id).map_err(failed)).transpose().map(Option::flatten)
    }

    /// The rows that are wanted, oldest first.
    ///
    /// # Errors
    ///
    /// Fails if the database does not answer.
    pub fn entries(&self, wanted: &HistoryQuery) -> Result<Vec<HistoryEntry>, HistoryError> {
        let Some(database) = &self.database else { return Ok(Vec::new()) };
        select(database, wanted).map_err(|source| self.failed(source))
    }

    pub(super) fn failed(&self, source: rusqlite::Error) -> HistoryError {
        HistoryError::Database { action: "read", path: self.path.clone(), source }
    }
}

/// Removes one row, or all without an id; how many there were. What was removed is overwritten: it may have been a secret.
///
/// # Errors
///
/// Fails if the database does not answer.
pub fn remove(path: &Path, id: Option<i64>) -> Result<usize, HistoryError> {
    let failed = |source| HistoryError::Database { action: "shorten", path: path.to_owned(), source };
    if !path.exists() {
        return Ok(0);
    }
    check_regular(path)?;
    let work = || {
        let database = Connection::open(path)?;
        if !has_table(&database, "history")? {
            return Ok(0);
        }
        database.pragma_update(None, "secure_delete", "on")?;
        let count = match id {
            Some(id) => database.execute("delete from history where id = ?1", params![id])?,
            None => database.execute("delete from history", params![])?,
        };
        // The log of the database still has the old pages.
        database.query_row("pragma wal_checkpoint(truncate)", [], |_| Ok(()))?;
        Ok(count)
    };
    work().map_err(failed)
}

fn select(database: &Connection, wanted: &HistoryQuery) -> rusqlite::Result<Vec<HistoryEntry>> {
    let rows =
        Rows { ids: i64::MIN..=i64::MAX, containing: &wanted.containing, matching: Matching::Whole, under: None };
    let (mut entries, mut seen) = (Vec::new(), HashSet::new());
    if wanted.limit > 0 {
        each_row(database, &rows, |row| {
            let entry = entry(row)?;
            if !wanted.unique || seen.insert(entry.line.clone()) {
                entries.push(entry);
            }
            Ok(if entries.len() < wanted.limit as usize { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
        })?;
    }
    entries.reverse();
    Ok(entries)
}

/// What [`entry`] reads.
const SELECT: &str = "select id, command_line, start_timestamp, duration_ms, exit_status, cwd from history";

/// The entry of an id.
pub(super) fn entry_of(database: &Connection, id: i64) -> rusqlite::Result<Option<HistoryEntry>> {
    database.prepare_cached(&format!("{SELECT} where id = ?1"))?.query_row([id], entry).optional()
}

/// Gives the rows from the latest on until there is enough: grouping would read all rows before the first is known.
pub(super) fn each_row(
    database: &Connection,
    rows: &Rows,
    mut take: impl FnMut(&Row) -> rusqlite::Result<ControlFlow<()>>,
) -> rusqlite::Result<()> {
    let mut conditions = vec![format!("id between {} and {}", rows.ids.start(), rows.ids.end())];
    conditions.extend((1..=rows.containing.len()).map(|n| format!("command_line like ?{n} escape '\\'")));
    if rows.under.is_some() {
        conditions.push(format!("cwd like ?{} escape '\\'", rows.containing.len() + 1));
    }
    let query = format!("{SELECT} where {} order by id desc", conditions.join(" and "));
    let pattern = |text: &String| match rows.matching {
        Matching::Whole => format!("%{}%", escaped(text)),
        Matching::Letters => {
            text.chars().map(|letter| format!("%{}", escaped(&letter.to_string()))).collect::<String>() + "%"
        }
    };
    let under = rows.under.map(|prefix| format!("{}%", escaped(prefix)));
    let patterns = rows.containing.iter().map(pattern).chain(under);
    let mut statement = database.prepare(&query)?;
    let mut found = statement.query(params_from_iter(patterns))?;
    while let Some(row) = found.next()? {
        if take(row)?.is_break() {
            break;
        }
    }
    Ok(())
}

pub(super) fn entry(row: &Row) -> rusqlite::Result<HistoryEntry> {
    let unsigned = |value: Option<i64>| value.and_then(|number| u64::try_from(number).ok());
    Ok(HistoryEntry {
        id: row.get(0)?,
        line: row.get(1)?,
        started_at: unsigned(row.get(2)?).map(Timestamp),
        duration: unsigned(row.get(3)?).map(Duration::from_millis),
        exit_code: row.get(4)?,
        context: row.get(5)?,
    })
}

pub(super) fn has_table(database: &Connection, name: &str) -> rusqlite::Result<bool> {
    database
        .query_row("select count(*) from sqlite_schema where name = ?1", [name], |row| row.get::<_, i64>(0))
        .map(|n| n > 0)
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_")
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

#[cfg(test)]
pub(super) use tests::filled;

#[cfg(test)]
mod tests {
    use super::*;

    pub(in crate::sys) fn filled(directory: &Path, lines: &[&str]) -> PathBuf {
        let path = directory.join("state/history.sqlite3");
        prepare(&path).unwrap();
        let database = Connection::open(&path).unwrap();
        database
            .execute_batch(
                "create table history (id integer primary key autoincrement, command_line text not null, \
                 start_timestamp integer, session_id integer, hostname text, cwd text, duration_ms integer, \
                 exit_status integer, more_info text) strict",
            )
            .unwrap();
        for line in lines {
            database.execute("insert into history (command_line, exit_status) values (?1, 0)", [line]).unwrap();
        }
        path
    }

    fn lines(path: &Path, wanted: &HistoryQuery) -> Vec<String> {
        HistoryReader::open(path).unwrap().entries(wanted).unwrap().into_iter().map(|row| row.line).collect()
    }

    fn latest(rows: u32) -> HistoryQuery {
        HistoryQuery { limit: rows, ..HistoryQuery::default() }
    }

    #[test]
    fn is_private_before_anything_is_in_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state/history.sqlite3");
        prepare(&path).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&path), 0o600);
        assert_eq!(mode(path.parent().unwrap()), 0o700);
        fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        prepare(&path).unwrap();
        assert_eq!(mode(&path), 0o600, "one that was open to others is closed");
    }

    /// The flags are in `.cargo/config.toml`. The editor asks for a map of a gigabyte on a connection that is its own.
    #[test]
    fn an_open_history_keeps_little_of_the_file_in_memory() {
        let directory = tempfile::tempdir().unwrap();
        let path = filled(directory.path(), &["a"]);
        let database = Connection::open(&path).unwrap();
        let number = |pragma: &str| database.query_row(pragma, [], |row| row.get::<_, i64>(0)).optional().unwrap();
        database.pragma_update(None, "mmap_size", "1000000000").unwrap();
        assert_eq!(number("pragma mmap_size").unwrap_or(0), 0);
        assert_eq!(number("pragma cache_size"), Some(-64));
    }

    #[test]
    fn gives_the_latest_lines_oldest_first() {
        let directory = tempfile::tempdir().unwrap();
        let path = filled(directory.path(), &["a", "b", "c"]);
        assert_eq!(lines(&path, &latest(2)), ["b", "c"]);
    }

    #[test]
    fn finds_every_text_and_takes_signs_as_they_are() {
        let directory = tempfile::tempdir().unwrap();
        let path = filled(directory.path(), &["tsm start api", "tsm stop API", "echo 100%", "echo 100"]);
        let wanted = |holding: &[&str]| HistoryQuery {
            containing: holding.iter().map(|&text| text.to_owned()).collect(),
            ..latest(9)
        };
        assert_eq!(lines(&path, &wanted(&["api", "stop"])), ["tsm stop API"]);
        assert_eq!(lines(&path, &wanted(&["100%"])), ["echo 100%"]);
    }

    #[test]
    fn tells_a_repeated_line_once_at_its_latest_place() {
        let directory = tempfile::tempdir().unwrap();
        let path = filled(directory.path(), &["a", "b", "a"]);
        assert_eq!(lines(&path, &HistoryQuery { unique: true, ..latest(9) }), ["b", "a"]);
    }

    #[test]
    fn keeps_no_more_than_the_bound() {
        let directory = tempfile::tempdir().unwrap();
        let path = filled(directory.path(), &["a", "b", "c"]);
        prune(&path, 2).unwrap();
        assert_eq!(lines(&path, &latest(9)), ["b", "c"]);
        prune(&path, 2).unwrap();
        assert_eq!(lines(&path, &latest(9)).len(), 2);
    }

    #[test]
    fn a_row_is_found_by_its_number_from_either_end() {
        let directory = tempfile::tempdir().unwrap();
        let path = filled(directory.path(), &["a", "b", "c"]);
        let line = |number| HistoryReader::open(&path).unwrap().entry(number).unwrap().map(|row| row.line);
        assert_eq!(line(1).as_deref(), Some("a"));
        assert_eq!(line(-1).as_deref(), Some("c"));
        assert_eq!(line(-3).as_deref(), Some("a"));
        for absent in [0, 4, -4, i64::MIN, i64::MAX] {
            assert_eq!(line(absent), None, "{absent}");
        }
    }

    #[test]
    fn what_is_removed_is_gone_from_the_files() {
        let directory = tempfile::tempdir().unwrap();
        let path = filled(directory.path(), &["a", "hunter2", "c"]);
        assert_eq!(remove(&path, Some(2)).unwrap(), 1);
        assert_eq!(remove(&path, Some(2)).unwrap(), 0);
        assert_eq!(lines(&path, &latest(9)), ["a", "c"]);
        for file in fs::read_dir(path.parent().unwrap()).unwrap().flatten() {
            let bytes = fs::read(file.path()).unwrap();
            assert!(!bytes.windows(7).any(|part| part == b"hunter2"), "{}", file.path().display());
        }
        assert_eq!(remove(&path, None).unwrap(), 2);
        assert_eq!(lines(&path, &latest(9)), Vec::<String>::new());
        assert_eq!(remove(&directory.path().join("none"), None).unwrap(), 0);
    }

    #[test]
    fn no_history_is_an_empty_one() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(lines(&directory.path().join("none"), &latest(9)), Vec::<String>::new());
        let fresh = directory.path().join("fresh");
        prepare(&fresh).unwrap();
        prune(&fresh, 2).unwrap();
        assert_eq!(lines(&fresh, &latest(9)), Vec::<String>::new());
    }
}
