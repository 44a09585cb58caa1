//! The history of the prompt on disk: private before it is opened, bounded, readable without the editor.
//!
//! The rows are written by the line editor, whose table this is. Here are the parts that need no editor: the modes of the
//! files, the upper bound, and every question that is asked of it.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, params, params_from_iter};

use crate::base::fault::Advise;
use crate::base::time::Timestamp;
use crate::disk;

use super::privileges;

/// How many lines are kept unless the settings say otherwise.
pub const ROWS: u32 = 20_000;

/// A line that was run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Grows with every line; unique in one file.
    pub id: i64,
    /// The line as it is kept: secrets are not in it.
    pub line: String,
    /// When it was started.
    pub started: Option<Timestamp>,
    /// How long it ran.
    pub took: Option<Duration>,
    /// Its exit code.
    pub code: Option<i64>,
    /// `org/env/process` at its start; `-` for what was not chosen.
    pub context: Option<String>,
}

/// What is wanted of the history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// At most so many rows, the latest.
    pub rows: u32,
    /// Only lines that hold each of these texts; upper and lower case are the same.
    pub holding: Vec<String>,
    /// The same line only once, at its latest place.
    pub once: bool,
}

/// The history cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// A file or folder cannot be made private.
    #[error("cannot make the history `{}` private", path.display())]
    Private {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The database does not answer.
    #[error("cannot {action} the history `{}`", path.display())]
    Database {
        /// What was being done.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
}

impl Advise for HistoryError {
    fn advice(&self) -> Option<String> {
        match self {
            Self::Private { .. } => None,
            Self::Database { path, .. } => {
                Some(format!("if the file is damaged, move it away: `mv {0} {0}.damaged`", path.display()))
            }
        }
    }
}

/// Makes the folder (0700) and the file (0600) before anything is written, so that there is no moment in which others could
/// read it. Files that a database keeps beside it get the mode of the file.
///
/// # Errors
///
/// Fails if the folder or file cannot be made or belongs to somebody else.
pub fn prepare(path: &Path) -> Result<(), HistoryError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| HistoryError::Private { path, source }
    };
    if let Some(folder) = path.parent() {
        // What root wrote into the directory of another user, that user could never write again.
        if let Some(owner) = privileges::stranger(folder) {
            return Err(failed(folder)(disk::Refusal::Foreign(owner).into()));
        }
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed(folder))?;
        fs::set_permissions(folder, Permissions::from_mode(0o700)).map_err(failed(folder))?;
    }
    disk::own().append(0o600).open(path).map_err(failed(path))?;
    for file in [path.to_owned(), beside(path, "-wal"), beside(path, "-shm")] {
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
    if !has_table(&database).map_err(failed)? {
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
pub struct Reader {
    /// None if there is no history yet.
    database: Option<Connection>,
    path: PathBuf,
}

impl Reader {
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
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        match Connection::open_with_flags(&path, flags).and_then(|database| Ok((has_table(&database)?, database))) {
            Ok((has_table, database)) => Ok(Self { database: has_table.then_some(database), path }),
            Err(source) => Err(HistoryError::Database { action: "read", path, source }),
        }
    }

    /// The rows that are wanted, oldest first.
    ///
    /// # Errors
    ///
    /// Fails if the database does not answer.
    pub fn rows(&self, wanted: &Wanted) -> Result<Vec<Row>, HistoryError> {
        let Some(database) = &self.database else { return Ok(Vec::new()) };
        select(database, wanted).map_err(|source| HistoryError::Database {
            action: "read",
            path: self.path.clone(),
            source,
        })
    }
}

fn select(database: &Connection, wanted: &Wanted) -> rusqlite::Result<Vec<Row>> {
    let mut conditions = vec!["1".to_owned()];
    conditions.extend((1..=wanted.holding.len()).map(|n| format!("command_line like ?{n} escape '\\'")));
    let (id, group) = if wanted.once { ("max(id)", "group by command_line") } else { ("id", "") };
    // SQLite takes the other columns from the row that has the maximum.
    let query = format!(
        "select {id} as latest, command_line, start_timestamp, duration_ms, exit_status, cwd from history \
         where {} {group} order by latest desc limit {}",
        conditions.join(" and "),
        wanted.rows
    );
    let patterns = wanted.holding.iter().map(|text| format!("%{}%", escaped(text)));
    let mut statement = database.prepare_cached(&query)?;
    let mut rows = statement
        .query_map(params_from_iter(patterns), |row| {
            Ok(Row {
                id: row.get(0)?,
                line: row.get(1)?,
                started: row.get::<_, Option<i64>>(2)?.and_then(|ms| u64::try_from(ms).ok()).map(Timestamp),
                took: row.get::<_, Option<i64>>(3)?.and_then(|ms| u64::try_from(ms).ok()).map(Duration::from_millis),
                code: row.get(4)?,
                context: row.get(5)?,
            })
        })?
        .collect::<rusqlite::Result<Vec<Row>>>()?;
    rows.reverse();
    Ok(rows)
}

fn has_table(database: &Connection) -> rusqlite::Result<bool> {
    database
        .query_row("select count(*) from sqlite_schema where name = 'history'", [], |row| row.get::<_, i64>(0))
        .map(|n| n > 0)
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_")
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(folder: &Path, lines: &[&str]) -> PathBuf {
        let path = folder.join("state/history.sqlite3");
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

    fn lines(path: &Path, wanted: &Wanted) -> Vec<String> {
        Reader::open(path).unwrap().rows(wanted).unwrap().into_iter().map(|row| row.line).collect()
    }

    fn latest(rows: u32) -> Wanted {
        Wanted { rows, holding: Vec::new(), once: false }
    }

    #[test]
    fn is_private_before_anything_is_in_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state/history.sqlite3");
        prepare(&path).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&path), 0o600);
        assert_eq!(mode(path.parent().unwrap()), 0o700);
        fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        prepare(&path).unwrap();
        assert_eq!(mode(&path), 0o600, "one that was open to others is closed");
    }

    #[test]
    fn gives_the_latest_lines_oldest_first() {
        let folder = tempfile::tempdir().unwrap();
        let path = filled(folder.path(), &["a", "b", "c"]);
        assert_eq!(lines(&path, &latest(2)), ["b", "c"]);
    }

    #[test]
    fn finds_every_text_and_takes_signs_as_they_are() {
        let folder = tempfile::tempdir().unwrap();
        let path = filled(folder.path(), &["tsm start api", "tsm stop API", "echo 100%", "echo 100"]);
        let wanted =
            |holding: &[&str]| Wanted { holding: holding.iter().map(|&text| text.to_owned()).collect(), ..latest(9) };
        assert_eq!(lines(&path, &wanted(&["api", "stop"])), ["tsm stop API"]);
        assert_eq!(lines(&path, &wanted(&["100%"])), ["echo 100%"]);
    }

    #[test]
    fn tells_a_repeated_line_once_at_its_latest_place() {
        let folder = tempfile::tempdir().unwrap();
        let path = filled(folder.path(), &["a", "b", "a"]);
        assert_eq!(lines(&path, &Wanted { once: true, ..latest(9) }), ["b", "a"]);
    }

    #[test]
    fn keeps_no_more_than_the_bound() {
        let folder = tempfile::tempdir().unwrap();
        let path = filled(folder.path(), &["a", "b", "c"]);
        prune(&path, 2).unwrap();
        assert_eq!(lines(&path, &latest(9)), ["b", "c"]);
        prune(&path, 2).unwrap();
        assert_eq!(lines(&path, &latest(9)).len(), 2);
    }

    #[test]
    fn no_history_is_an_empty_one() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(lines(&folder.path().join("none"), &latest(9)), Vec::<String>::new());
        let fresh = folder.path().join("fresh");
        prepare(&fresh).unwrap();
        prune(&fresh, 2).unwrap();
        assert_eq!(lines(&fresh, &latest(9)), Vec::<String>::new());
    }
}
