//! The tables of faults and of rights name tests that exist, and the one of this room names all of its tests.

use std::fs;
use std::path::{Path, PathBuf};

/// Names in backquotes of the form `room::test`; `…` is any part of a name.
fn named(table: &str) -> Vec<&str> {
    let quoted = table.split('`').skip(1).step_by(2);
    quoted.filter(|word| word.contains("::") && !word.contains(' ')).collect()
}

/// Every test of a file, by the name that follows the attribute.
fn tests_in(file: &Path) -> Vec<String> {
    let text = fs::read_to_string(file).unwrap_or_default();
    let name = |after: &str| {
        let (_, rest) = after.split_once("fn ")?;
        Some(rest.split('(').next()?.to_owned())
    };
    text.split("#[test]").skip(1).filter_map(name).collect()
}

/// The file of `room`: among the faults, among other tests of supervision, or beside what it tests.
fn file_of(room: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (whole, part) = room.split_once("::").unwrap_or(("faults", room));
    let below = |directory: &str, names: &[&str]| names.iter().fold(root.join(directory), |path, name| path.join(name));
    let all: Vec<&str> = room.split("::").collect();
    let candidates = [
        below("tests/it", &all),
        below("tests/it", &[whole, part]),
        below("src/supervise", &[part]),
        below("src", &all),
    ];
    let found = candidates.into_iter().map(|path| path.with_extension("rs")).find(|path| path.exists());
    found.unwrap_or_else(|| panic!("`{room}` is no room of tests"))
}

fn fits(pattern: &str, name: &str) -> bool {
    match pattern.split_once('…') {
        Some((before, after)) => name.starts_with(before) && name.ends_with(after),
        None => pattern == name,
    }
}

fn assert_exist(table: &str) {
    for named in named(table) {
        let (room, pattern) = named.rsplit_once("::").expect("a room and a test");
        let tests = tests_in(&file_of(room));
        assert!(tests.iter().any(|test| fits(pattern, test)), "there is no test `{named}`: {tests:?}");
    }
}

fn rows<'a>(text: &'a str, mark: &'a str) -> impl Iterator<Item = &'a str> {
    text.lines().filter(move |line| line.starts_with(mark) && !line.contains("|---"))
}

#[test]
fn every_test_named_in_the_map_exists_and_every_test_is_named() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it");
    let map = fs::read_to_string(root.join("faults.rs")).expect("the map");
    assert!(rows(&map, "//! | ").skip(1).all(|row| !named(row).is_empty()), "a fault without a test");
    assert_exist(&map);
    for entry in fs::read_dir(root.join("faults")).expect("the room").flatten() {
        let room = entry.path().file_stem().expect("a name").to_string_lossy().into_owned();
        for test in tests_in(&entry.path()).iter().filter(|_| room != "table") {
            let known = named(&map).into_iter().filter_map(|named| named.strip_prefix(&format!("{room}::")));
            assert!(known.into_iter().any(|pattern| fits(pattern, test)), "`{room}::{test}` is not in the map");
        }
    }
}

#[test]
fn every_right_names_its_test() {
    let rights = Path::new(env!("CARGO_MANIFEST_DIR")).join("SECURITY.md");
    let rights = fs::read_to_string(rights).expect("there is a page about security");
    let lines: Vec<&str> = rows(&rights, "| ").filter(|row| !row.starts_with("| what holds")).collect();
    assert!(lines.len() > 20, "the tables are there");
    for row in lines {
        assert_eq!(named(row).len(), 1, "one test for each line: {row}");
    }
    assert_exist(&rights);
}

#[test]
fn every_fault_in_the_guarantees_names_its_test() {
    let guarantees = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/guarantees.md");
    let guarantees = fs::read_to_string(guarantees).expect("there is a page of guarantees");
    let (_, rest) = guarantees.split_once("\n## Faults\n").expect("a section about faults");
    let section = rest.split("\n## ").next().expect("it ends");
    let faults: Vec<&str> = rows(section, "| ").skip(1).collect();
    assert!(faults.len() > 10, "the table is there");
    for row in faults {
        assert!(!named(row).is_empty(), "a fault without a test: {row}");
    }
    assert_exist(&guarantees);
}
