//! The search of the history while it is typed: each key asks again, and most keys are answered from what the key before found.

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::path::PathBuf;

use memchr::memchr2_iter;
use rusqlite::Connection;

use super::history::{HistoryEntry, HistoryError, HistoryReader, Matching, Rows, each_row, entry, entry_of};
use super::history_text::{Span, Wanted};

/// Finds lines that hold every word; if there are none, those that have the letters of each word in order. The latest is the
/// first, and the same line is given once.
#[derive(Debug)]
pub struct TypedSearch {
    path: PathBuf,
    /// The most lines that are given.
    limit: usize,
    /// What the next key may be answered from.
    last: Option<Answer>,
}

#[derive(Debug)]
struct Answer {
    /// Stays open: only the same connection can say whether the history has changed.
    reader: HistoryReader,
    version: i64,
    words: Vec<String>,
    under: Option<String>,
    found: Found,
}

/// Lines, the latest first. There are no others if they are fewer than the limit.
#[derive(Debug, Default)]
struct Found {
    /// They hold every word.
    whole: Vec<HistoryEntry>,
    /// They hold the letters of every word, as those of `whole` do. None if that is not known.
    letters: Option<Vec<HistoryEntry>>,
}

impl TypedSearch {
    /// A search in the history of this path that gives at most so many lines.
    #[must_use]
    pub fn new(path: PathBuf, limit: usize) -> Self {
        Self { path, limit, last: None }
    }

    /// The lines of these words, of all contexts or those that begin with `under`.
    ///
    /// # Errors
    ///
    /// Fails if the database cannot be opened or does not answer.
    pub fn find(&mut self, words: Vec<String>, under: Option<String>) -> Result<Vec<HistoryEntry>, HistoryError> {
        let last = self.last.take().filter(|last| last.under == under);
        let refined = last.map(|last| last.refined(&words, self.limit)).transpose()?.flatten();
        let answer = match refined {
            Some(answer) => answer,
            None => match Answer::read(HistoryReader::open(&self.path)?, words, under, self.limit)? {
                Some(answer) => answer,
                None => return Ok(Vec::new()),
            },
        };
        let shown = answer.found.shown().to_vec();
        // Of a full answer no key can be answered, and the connection would stay open for nothing.
        self.last = Some(answer).filter(|answer| answer.found.whole.len() < self.limit);
        Ok(shown)
    }

    /// The same, with lines that are not written yet before those of the history, the latest first. A history that cannot be read has no lines.
    pub fn find_with(
        &mut self,
        unwritten: &[HistoryEntry],
        words: &[String],
        under: Option<&str>,
    ) -> Vec<HistoryEntry> {
        let mut stored = self.find(words.to_vec(), under.map(str::to_owned)).unwrap_or_default();
        let in_place = |entry: &&HistoryEntry| {
            under.is_none_or(|under| entry.context.as_ref().is_some_and(|context| context.starts_with(under)))
        };
        let has = |entry: &HistoryEntry, holds: fn(&[u8], &[String]) -> bool| holds(entry.line.as_bytes(), words);
        let unwritten: Vec<&HistoryEntry> = unwritten.iter().filter(in_place).collect();
        // Those of the history either all have the words or none has.
        let is_stored = stored.first().is_some_and(|entry| has(entry, has_words));
        let holds = if is_stored || unwritten.iter().any(|entry| has(entry, has_words)) {
            stored.retain(|_| is_stored);
            has_words
        } else {
            has_letters
        };
        let mut seen = HashSet::new();
        let mut found: Vec<HistoryEntry> =
            unwritten.into_iter().filter(|entry| has(entry, holds)).cloned().chain(stored).collect();
        found.retain(|entry| seen.insert(entry.line.clone()));
        found.truncate(self.limit);
        found
    }
}

impl Answer {
    /// None if there is no history yet.
    fn read(
        reader: HistoryReader,
        words: Vec<String>,
        under: Option<String>,
        limit: usize,
    ) -> Result<Option<Self>, HistoryError> {
        let Some(database) = &reader.database else { return Ok(None) };
        // The version before the rows: what is written between the two is found by the next key.
        let read =
            version(database).and_then(|version| Ok((version, scan(database, &words, under.as_deref(), limit)?)));
        let (version, found) = read.map_err(|source| reader.failed(source))?;
        Ok(Some(Self { version, words, under, found, reader }))
    }

    /// The answer to words that hold those of this one. None if the history has to be asked: it has changed, or it may have more.
    fn refined(self, words: &[String], limit: usize) -> Result<Option<Self>, HistoryError> {
        let narrows =
            self.words.iter().all(|old| words.iter().any(|new| find(new.as_bytes(), old.as_bytes()).is_some()));
        let Some(database) = self.reader.database.as_ref().filter(|_| narrows) else { return Ok(None) };
        let failed = |source| self.reader.failed(source);
        if version(database).map_err(failed)? != self.version {
            return Ok(None);
        }
        let Some(mut found) = self.found.narrowed(words, limit) else { return Ok(None) };
        if found.whole.is_empty() && found.letters.is_none() {
            found.letters = Some(with_letters(database, words, self.under.as_deref(), limit).map_err(failed)?);
        }
        Ok(Some(Self { found, words: words.to_vec(), ..self }))
    }
}

impl Found {
    fn shown(&self) -> &[HistoryEntry] {
        let letters = self.letters.as_deref().unwrap_or_default();
        if self.whole.is_empty() { letters } else { &self.whole }
    }

    fn narrowed(mut self, words: &[String], limit: usize) -> Option<Self> {
        if let Some(mut letters) = self.letters.take().filter(|letters| letters.len() < limit) {
            letters.retain(|entry| has_letters(entry.line.as_bytes(), words));
            let whole = letters.iter().filter(|entry| has_words(entry.line.as_bytes(), words)).cloned().collect();
            return Some(Self { whole, letters: Some(letters) });
        }
        let is_complete = self.whole.len() < limit;
        self.whole.retain(|entry| has_words(entry.line.as_bytes(), words));
        is_complete.then_some(self)
    }
}

/// Changes with every commit of another connection.
fn version(database: &Connection) -> rusqlite::Result<i64> {
    database.query_row("pragma data_version", [], |row| row.get(0))
}

/// Reads each row at most once: those with the letters, among which are those with the words, and once there are enough of these
/// only those with the words. The database judges the lines, for to be given a row takes longer than to judge it.
fn scan(database: &Connection, words: &[String], under: Option<&str>, limit: usize) -> rusqlite::Result<Found> {
    let letters = with_letters(database, words, under, limit)?;
    let mut whole: Vec<HistoryEntry> =
        letters.iter().filter(|entry| has_words(entry.line.as_bytes(), words)).cloned().collect();
    if letters.len() >= limit && whole.len() < limit {
        let oldest = letters.last().map_or(i64::MAX, |entry| entry.id);
        let older = i64::MIN..=oldest.saturating_sub(1);
        let rows = Rows { ids: older, containing: words, matching: Matching::Whole, under };
        add_unique(database, &rows, limit, &mut whole)?;
    }
    Ok(Found { whole, letters: Some(letters) })
}

fn with_letters(
    database: &Connection,
    words: &[String],
    under: Option<&str>,
    limit: usize,
) -> rusqlite::Result<Vec<HistoryEntry>> {
    let rows = Rows { ids: i64::MIN..=i64::MAX, containing: words, matching: Matching::Letters, under };
    let mut letters = Vec::new();
    add_unique(database, &rows, limit, &mut letters)?;
    Ok(letters)
}

/// Adds lines that are not there yet until there are enough.
fn add_unique(
    database: &Connection,
    rows: &Rows,
    limit: usize,
    entries: &mut Vec<HistoryEntry>,
) -> rusqlite::Result<()> {
    let mut seen: HashSet<Vec<u8>> = entries.iter().map(|entry| entry.line.clone().into_bytes()).collect();
    let holds = match rows.matching {
        Matching::Whole => has_words,
        Matching::Letters => has_letters,
    };
    // Of one state of the history, whatever is written meanwhile.
    let state = database.unchecked_transaction()?;
    let wanted = Wanted::new(rows);
    for span in wanted.spans(&state, &rows.ids)? {
        match span {
            Span::Text(block) => block.each_line(&state, &wanted, |id, line| {
                let is_one = rows.containing.len() < 2 || holds(line, rows.containing);
                if entries.len() < limit && is_one && !seen.contains(line) {
                    seen.insert(line.to_vec());
                    entries.extend(entry_of(&state, id)?);
                }
                Ok(())
            })?,
            Span::Rows(ids) => each_row(&state, &Rows { ids, ..rows.clone() }, |row| {
                let line = row.get_ref(1)?.as_str()?;
                if !seen.contains(line.as_bytes()) {
                    seen.insert(line.as_bytes().to_vec());
                    entries.push(entry(row)?);
                }
                Ok(if entries.len() < limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
            })?,
        }
        if entries.len() >= limit {
            break;
        }
    }
    Ok(())
}

fn has_words(line: &[u8], words: &[String]) -> bool {
    words.iter().all(|word| find(line, word.as_bytes()).is_some())
}

fn has_letters(line: &[u8], words: &[String]) -> bool {
    let in_order = |word: &String| {
        let mut rest = line;
        word.chars().all(|letter| match find(rest, letter.encode_utf8(&mut [0; 4]).as_bytes()) {
            Some(end) => {
                rest = &rest[end..];
                true
            }
            None => false,
        })
    };
    words.iter().all(in_order)
}

/// Where the first place of `wanted` in a text ends; upper and lower case of ASCII are the same, as they are to `like`.
fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    let Some((first, rest)) = wanted.split_first() else { return Some(0) };
    memchr2_iter(first.to_ascii_lowercase(), first.to_ascii_uppercase(), text)
        .map(|at| at + wanted.len())
        .find(|&end| text.get(end - rest.len()..end).is_some_and(|part| part.eq_ignore_ascii_case(rest)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::history::{filled, remove};
    use super::super::history_text::packed;
    use super::*;

    const LIMIT: usize = 4;

    fn split(typed: &str) -> Vec<String> {
        typed.split_whitespace().map(str::to_owned).collect()
    }

    fn lines(search: &mut TypedSearch, typed: &str, under: Option<&str>) -> Vec<String> {
        search.find(split(typed), under.map(str::to_owned)).unwrap().into_iter().map(|row| row.line).collect()
    }

    #[test]
    fn finds_letters_in_order_and_lines_of_a_context() {
        let directory = tempfile::tempdir().unwrap();
        let path = filled(directory.path(), &["tsm stop api", "tsm start api", "tsm list"]);
        let database = Connection::open(&path).unwrap();
        database.execute("update history set cwd = 'acme/dev/-' where id = 1", []).unwrap();
        database.execute("update history set cwd = 'acme_x/dev/-' where id = 2", []).unwrap();
        let mut search = TypedSearch::new(path, LIMIT);
        assert_eq!(lines(&mut search, "stpi", None), ["tsm start api", "tsm stop api"]);
        assert_eq!(lines(&mut search, "tst", Some("acme/")), ["tsm stop api"]);
        assert_eq!(lines(&mut search, "tst", Some("acme_x/dev/")), ["tsm start api"]);
        assert_eq!(lines(&mut search, "tstp", None), ["tsm start api", "tsm stop api"], "of all contexts again");
        assert_eq!(lines(&mut search, "pots", None), Vec::<String>::new());
    }

    #[test]
    fn a_line_with_the_word_is_found_behind_many_with_its_letters() {
        let directory = tempfile::tempdir().unwrap();
        let path = filled(directory.path(), &["ab", "ab old", "a1b", "a2b", "a3b", "a4b", "a5b", "a5b"]);
        let mut search = TypedSearch::new(path, LIMIT);
        assert_eq!(lines(&mut search, "AB", None), ["ab old", "ab"]);
        assert_eq!(lines(&mut search, "ab o", None), ["ab old"]);
        assert_eq!(lines(&mut search, "a b", None), ["a5b", "a4b", "a3b", "a2b"]);
        assert_eq!(lines(&mut search, "a b5", None), Vec::<String>::new());
        assert_eq!(lines(&mut search, "a 5b", None), ["a5b"]);
    }

    #[test]
    fn what_another_program_writes_and_removes_between_two_keys_counts() {
        let directory = tempfile::tempdir().unwrap();
        let path = filled(directory.path(), &["tsm stop api", "tsm stop web"]);
        let mut search = TypedSearch::new(path.clone(), LIMIT);
        assert_eq!(lines(&mut search, "sto", None), ["tsm stop web", "tsm stop api"]);
        let database = Connection::open(&path).unwrap();
        database.execute("insert into history (command_line) values ('tsm stop db')", []).unwrap();
        assert_eq!(lines(&mut search, "stop", None), ["tsm stop db", "tsm stop web", "tsm stop api"]);
        remove(&path, Some(2)).unwrap();
        assert_eq!(lines(&mut search, "stop a", None), ["tsm stop api"]);
        assert_eq!(lines(&mut search, "stop", None), ["tsm stop db", "tsm stop api"]);
    }

    #[test]
    fn a_longer_word_is_answered_without_the_rows() {
        let directory = tempfile::tempdir().unwrap();
        let path = filled(directory.path(), &["tsm stop api", "tsm list"]);
        let mut search = TypedSearch::new(path, LIMIT);
        assert_eq!(lines(&mut search, "st", None), ["tsm list", "tsm stop api"]);
        let last = search.last.take().unwrap();
        let refined = last.refined(&split("stp x"), LIMIT).unwrap().expect("it is complete");
        assert_eq!(refined.found.shown(), []);
        assert!(refined.refined(&split("st"), LIMIT).unwrap().is_none(), "a shorter word has other lines");
    }

    #[test]
    fn what_is_not_written_yet_is_found_before_what_is() {
        let directory = tempfile::tempdir().unwrap();
        let path = filled(directory.path(), &["tsm stop api", "tsm start api"]);
        let entry = |line: &str, context: &str| HistoryEntry {
            line: line.to_owned(),
            context: Some(context.to_owned()),
            ..HistoryEntry::default()
        };
        let unwritten =
            [entry("tsm list", "-/-/-"), entry("tsm stop api", "acme/dev/-"), entry("tsm stop web", "acme/dev/-")];
        let mut search = TypedSearch::new(path, LIMIT);
        let mut found = |typed: &str, under: Option<&str>| -> Vec<String> {
            search.find_with(&unwritten, &split(typed), under).into_iter().map(|row| row.line).collect()
        };
        assert_eq!(found("stop", None), ["tsm stop api", "tsm stop web"], "each once");
        assert_eq!(found("list", None), ["tsm list"]);
        assert_eq!(found("start", None), ["tsm start api"], "not those with its letters alone");
        assert_eq!(found("tst", None), ["tsm list", "tsm stop api", "tsm stop web", "tsm start api"]);
        assert_eq!(found("", Some("acme/")), ["tsm stop api", "tsm stop web"]);
        assert_eq!(found("", None).len(), LIMIT);
        let mut none = TypedSearch::new(directory.path().join("none"), LIMIT);
        assert_eq!(none.find_with(&unwritten, &split("web"), None).len(), 1, "without a history");
    }

    #[test]
    fn no_history_has_no_lines() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(lines(&mut TypedSearch::new(directory.path().join("none"), LIMIT), "a", None), Vec::<String>::new());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        /// Against the plain meaning of the words, for keys one after the other, and for a search that begins with each of them, with some of the rows
        /// packed.
        #[test]
        fn each_key_finds_what_a_fresh_search_finds(
            history in prop::collection::vec("[abBé%_\\\\ ]{1,6}", 0..24),
            typed in "[abBé%_\\\\ ]{1,6}",
            blocks in 0_usize..9,
        ) {
            let directory = tempfile::tempdir().unwrap();
            let path = filled(directory.path(), &history.iter().map(String::as_str).collect::<Vec<_>>());
            packed(&path, blocks);
            let mut search = TypedSearch::new(path.clone(), LIMIT);
            let fold = str::to_ascii_lowercase;
            for (end, _) in typed.char_indices().skip(1).chain([(typed.len(), ' ')]) {
                let typed = &typed[..end];
                let words = split(&fold(typed));
                let expected = |holds: &dyn Fn(&str, &str) -> bool| {
                    let mut found: Vec<String> = Vec::new();
                    for line in history.iter().rev() {
                        if !found.contains(line) && words.iter().all(|word| holds(&fold(line), word)) {
                            found.push(line.clone());
                        }
                    }
                    found.truncate(LIMIT);
                    found
                };
                let whole = expected(&|line, word| line.contains(word));
                let letters = expected(&|line, word| {
                    let mut rest = line.chars();
                    word.chars().all(|letter| rest.any(|other| other == letter))
                });
                let expected = if whole.is_empty() { letters } else { whole };
                prop_assert_eq!(&lines(&mut search, typed, None), &expected, "after the other keys: {}", typed);
                prop_assert_eq!(&lines(&mut TypedSearch::new(path.clone(), LIMIT), typed, None), &expected, "{}", typed);
            }
        }
    }
}
