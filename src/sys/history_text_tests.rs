use std::path::Path;

use super::super::history::{self, HistoryReader, filled};
use super::super::history_search::TypedSearch;
use super::super::history_writer::{HistoryWriter, PATIENCE};
use super::*;

/// Writes up to so many blocks. The ids of the history are spread first, so that each block has three rows or four.
pub(in crate::sys) fn packed(path: &Path, most: usize) {
    let mut database = Connection::open(path).unwrap();
    database.execute("update history set id = -id * 300", []).unwrap();
    database.execute("update history set id = -id", []).unwrap();
    for _ in 0..most {
        pack(&mut database).unwrap();
    }
}

fn letters(rows: usize) -> Vec<String> {
    (0..rows).map(|row| format!("line {row} of api")).collect()
}

fn history(directory: &Path, rows: usize) -> (std::path::PathBuf, Connection) {
    let lines = letters(rows);
    let path = filled(directory, &lines.iter().map(String::as_str).collect::<Vec<_>>());
    packed(&path, rows);
    let database = Connection::open(&path).unwrap();
    (path, database)
}

fn found(path: &Path, typed: &str, under: Option<&str>) -> Vec<String> {
    let words = typed.split_whitespace().map(str::to_owned).collect();
    let found = TypedSearch::new(path.to_owned(), 9).find(words, under.map(str::to_owned)).unwrap();
    found.into_iter().map(|entry| entry.line).collect()
}

fn any() -> Wanted {
    Wanted::new(&Rows { ids: 0..=0, containing: &[], matching: Matching::Whole, under: None })
}

fn lines(database: &Connection, block: &Block) -> Vec<(i64, String)> {
    let mut lines = Vec::new();
    let mut take = |id, line: &[u8]| {
        lines.push((id, String::from_utf8(line.to_vec()).unwrap()));
        Ok(())
    };
    block.each_line(database, &any(), &mut take).unwrap();
    lines
}

#[test]
fn blocks_have_the_rows_but_the_newest() {
    let directory = tempfile::tempdir().unwrap();
    let (_, database) = history(directory.path(), 12);
    assert_eq!(blocks(&database, "true").unwrap(), [2, 1, 0], "ids 300 to 3600");
    assert_eq!(missing(&database).unwrap(), None);
    let block = Block { number: 1, ids: 1200..=1600 };
    let expected = [(1500, "line 4 of api".to_owned()), (1200, "line 3 of api".to_owned())];
    assert_eq!(lines(&database, &block), expected, "of the ids 1200, 1500 and 1800");
    let spans = any().spans(&database, &(5..=4000)).unwrap();
    let block = |number, ids| Span::Text(Block { number, ids });
    let expected = [Span::Rows(3072..=4000), block(2, 2048..=3071), block(1, 1024..=2047), block(0, 5..=1023)];
    assert_eq!(spans, expected);
}

#[test]
fn a_change_of_a_row_drops_its_block_whichever_program_makes_it() {
    let directory = tempfile::tempdir().unwrap();
    let (path, database) = history(directory.path(), 12);
    for (change, typed, expected) in [
        ("update history set command_line = 'changed' where id = 300", "changed", &["changed"][..]),
        ("delete from history where id = 1500", "line 4", &[]),
        ("insert into history (id, command_line) values (1501, 'line 4 again')", "line 4", &["line 4 again"]),
        ("update history set id = 5 where id = 2100", "line 6", &["line 6 of api"]),
        ("update history set exit_status = 1", "line 8", &["line 8 of api"]),
        ("delete from history", "line", &[]),
    ] {
        packed_again(&path);
        database.execute(change, []).unwrap();
        assert_eq!(found(&path, typed, None), expected, "{change}");
    }
    assert!(blocks(&database, "true").unwrap().is_empty());
}

fn packed_again(path: &Path) {
    let mut database = Connection::open(path).unwrap();
    while missing(&database).unwrap().is_some() {
        pack(&mut database).unwrap();
    }
}

#[test]
fn equal_lines_of_one_context_are_in_a_block_once() {
    let directory = tempfile::tempdir().unwrap();
    let path = filled(directory.path(), &["a", "b", "a", "c", "d", "e"]);
    packed(&path, 9);
    let database = Connection::open(&path).unwrap();
    let block = Block { number: 0, ids: ids_of(0) };
    assert_eq!(lines(&database, &block), [(900, "a".to_owned()), (600, "b".to_owned())]);
}

#[test]
fn what_a_command_came_to_keeps_the_block() {
    let directory = tempfile::tempdir().unwrap();
    let (_, database) = history(directory.path(), 12);
    database.execute("update history set exit_status = 7, duration_ms = 5, command_line = command_line", []).unwrap();
    assert_eq!(blocks(&database, "true").unwrap(), [2, 1, 0]);
}

#[test]
fn only_lines_of_the_context_are_found() {
    let directory = tempfile::tempdir().unwrap();
    let lines = letters(12);
    let path = filled(directory.path(), &lines.iter().map(String::as_str).collect::<Vec<_>>());
    let database = Connection::open(&path).unwrap();
    database.execute("update history set cwd = 'acme/dev/-' where id in (2, 7, 12)", []).unwrap();
    database.execute("update history set cwd = 'acme_x/dev/-' where id = 3", []).unwrap();
    packed(&path, 9);
    assert_eq!(found(&path, "line", Some("acme/")), ["line 11 of api", "line 6 of api", "line 1 of api"]);
    assert_eq!(found(&path, "lapi", Some("acme_X/")), ["line 2 of api"]);
}

#[test]
fn a_block_of_too_much_text_is_read_from_its_rows() {
    let directory = tempfile::tempdir().unwrap();
    let long = "x".repeat(MAX_TEXT + 1);
    let path = filled(directory.path(), &["a", &long, "c", "d", "e", "f", "g", "h"]);
    packed(&path, 9);
    let database = Connection::open(&path).unwrap();
    assert_eq!(blocks(&database, "lines is null").unwrap(), [0]);
    assert_eq!(missing(&database).unwrap(), None, "it is not tried again");
    assert_eq!(found(&path, "xx", None), [long]);
    assert_eq!(found(&path, "a", None), ["a"]);
}

#[test]
fn a_removed_line_is_gone_from_the_text_too() {
    let directory = tempfile::tempdir().unwrap();
    let path = filled(directory.path(), &["a", "hunter2", "c", "d", "e", "f"]);
    packed(&path, 9);
    let has = || {
        let files = std::fs::read_dir(path.parent().unwrap()).unwrap().flatten();
        files
            .map(|file| std::fs::read(file.path()).unwrap())
            .any(|bytes| bytes.windows(7).any(|part| part == b"hunter2"))
    };
    assert!(has());
    assert_eq!(history::remove(&path, Some(600)).unwrap(), 1);
    assert!(!has());
}

#[test]
fn the_writer_packs_what_lies_behind_its_lines() {
    let directory = tempfile::tempdir().unwrap();
    let path = filled(directory.path(), &[]);
    let mut writer = HistoryWriter::new(&path);
    let entry = |number: i64| history::HistoryEntry {
        id: 0,
        line: format!("line {number}"),
        started_at: None,
        duration: None,
        exit_code: None,
        context: None,
    };
    for number in 0..BLOCK * 2 + 16 {
        writer.write(&entry(number), PATIENCE).unwrap();
    }
    let reader = HistoryReader::open(&path).unwrap();
    assert_eq!(blocks(reader.database.as_ref().unwrap(), "lines is not null").unwrap(), [1, 0]);
    assert_eq!(found(&path, "line 77", None).len(), 9);
    assert_eq!(found(&path, "line 1023", None), ["line 1023"]);
}
