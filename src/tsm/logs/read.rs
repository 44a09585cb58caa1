//! Lines of a log from a moment on, up to a moment, or those that match; of the files only what is needed is read.
//!
//! A moment is found in the time index of each part by halving, the beginning of its line in a block or two around it.

use std::collections::VecDeque;
use std::io;
use std::ops::Range;

use regex::bytes::Regex;

use super::LogLine;
use super::rotated_log::{
    BLOCK, LogPart, MAX_MEMORY, RotatedLog, first_mark, mark_at, marks_from, records, wait_for_index, written_ns,
};
use crate::supervise::index::{self, IndexEntry};

/// Which lines are wanted.
#[derive(Debug, Clone, Default)]
pub struct Query {
    /// Only what was begun then or later, in nanoseconds since 1970.
    pub since_ns: Option<i64>,
    /// Only what was begun before, in nanoseconds since 1970.
    pub until_ns: Option<i64>,
    /// The last so many lines of each process; all if none.
    pub count: Option<usize>,
    /// Only lines in which this is found.
    pub grep: Option<Regex>,
}

impl Query {
    /// The last `count` lines.
    #[must_use]
    pub fn last(count: usize) -> Self {
        Self { count: Some(count), ..Self::default() }
    }

    /// True if the text of a line is wanted.
    #[must_use]
    pub fn matches(&self, line: &LogLine) -> bool {
        self.grep.as_ref().is_none_or(|grep| grep.is_match(&line.bytes))
    }
}

/// A line that is longer is cut into several.
const MAX_LINE: usize = 16 * 1024 * 1024;

/// Times of files may be so much behind, in nanoseconds: the kernel takes them from a clock that ticks.
const TICK_NS: i64 = 10_000_000;

/// How many marks are held in memory.
const MAX_INDEX_ENTRIES: u64 = 4096;

impl RotatedLog {
    /// The lines that are wanted, marked with `source`; of more than fit into 256 MiB the last ones.
    ///
    /// # Errors
    ///
    /// Fails if a part cannot be read.
    pub fn select(&self, source: usize, query: &Query) -> io::Result<Vec<LogLine>> {
        let Range { start, end } = self.range(query)?;
        if query.grep.is_some() {
            return self.last_matches(source, start..end, query);
        }
        let last = match query.count {
            Some(count) => self.start_of_last(count, end)?,
            None if end - start > MAX_MEMORY => self.line_after(end - MAX_MEMORY)?,
            None => start,
        };
        self.lines(source, start.max(last)..end).collect()
    }

    /// The lines that begin in a range of positions, which begins where a line does.
    #[must_use]
    pub fn lines(&self, source: usize, range: Range<u64>) -> Lines<&Self> {
        Lines::of(self, source, range)
    }

    /// The lines that are wanted but for their number, one after the other: for logs of any size.
    ///
    /// # Errors
    ///
    /// Fails if a part cannot be read.
    pub fn into_lines(self, source: usize, query: &Query) -> io::Result<Lines<Self>> {
        let range = self.range(query)?;
        Ok(Lines::of(self, source, range))
    }

    /// From where to where the lines of the wanted time are.
    fn range(&self, query: &Query) -> io::Result<Range<u64>> {
        let place = |unix_ns| self.line_after(self.position_at(unix_ns)?);
        let start = query.since_ns.map_or(Ok(0), place)?;
        let end = query.until_ns.map_or(Ok(self.len()), place)?;
        Ok(start..end.max(start))
    }

    fn last_matches(&self, source: usize, range: Range<u64>, query: &Query) -> io::Result<Vec<LogLine>> {
        let most = query.count.unwrap_or(usize::MAX);
        let (mut kept, mut size) = (VecDeque::new(), 0_u64);
        for line in self.lines(source, range) {
            let line = line?;
            if most == 0 || !query.matches(&line) {
                continue;
            }
            size += line.bytes.len() as u64;
            kept.push_back(line);
            while kept.len() > most || size > MAX_MEMORY {
                size -= kept.pop_front().map_or(size, |line| line.bytes.len() as u64);
            }
        }
        Ok(kept.into())
    }

    /// Where the bytes begin that were written then or later.
    fn position_at(&self, unix_ns: i64) -> io::Result<u64> {
        let mut found = self.len();
        for (number, part) in self.parts.iter().enumerate().rev() {
            match part.offset_at(unix_ns, number + 1 == self.parts.len())? {
                0 => found = part.start,
                offset if offset < part.len => return Ok(part.start + offset),
                _ => break,
            }
        }
        Ok(found)
    }

    /// Where the first line begins at or behind a position.
    fn line_after(&self, position: u64) -> io::Result<u64> {
        if position == 0 {
            return Ok(0);
        }
        let mut at = position - 1;
        while at < self.len() {
            let block = self.read(at, (at + BLOCK).min(self.len()))?;
            if let Some(end) = block.iter().position(|byte| *byte == b'\n') {
                return Ok(at + end as u64 + 1);
            }
            if block.is_empty() {
                break;
            }
            at += block.len() as u64;
        }
        Ok(self.len())
    }
}

impl LogPart {
    /// Where the bytes of a moment or later begin; the length of the part if there are none.
    fn offset_at(&self, unix_ns: i64, is_newest: bool) -> io::Result<u64> {
        if self.len == 0 {
            return Ok(0);
        }
        let Some(index) = &self.index else {
            // What is known is that nothing came after the last byte.
            let is_older = written_ns(&self.file)?.saturating_add(TICK_NS) < unix_ns;
            return Ok(if is_older { self.len } else { 0 });
        };
        if is_newest {
            wait_for_index(&self.file, index)?;
        }
        let all = records(index)?;
        let first = first_mark(index, |mark| mark.unix_ns >= unix_ns)?;
        let has_times = all > u64::from(index::position(index)?.is_some());
        match first {
            _ if !has_times => Ok(0),
            first if first < all => Ok(mark_at(index, first)?.offset),
            _ => Ok(self.len),
        }
    }
}

/// Lines of a log in the order in which they were written, read in blocks.
pub struct Lines<C> {
    log: C,
    source: usize,
    /// Where the next line begins.
    at: u64,
    /// Lines that begin here or later are not given out.
    end: u64,
    /// Bytes from `at` on.
    block: VecDeque<u8>,
    times: LineTimes,
}

impl<C: std::borrow::Borrow<RotatedLog>> Lines<C> {
    fn of(chain: C, source: usize, range: Range<u64>) -> Self {
        Self {
            log: chain,
            source,
            at: range.start,
            end: range.end,
            block: VecDeque::new(),
            times: LineTimes::default(),
        }
    }

    /// The length of the next line with its end, and whether it has one; reads on as far as needed.
    fn measure(&mut self) -> io::Result<(usize, bool)> {
        let chain = self.log.borrow();
        let mut looked = 0;
        loop {
            let (one, other) = self.block.as_slices();
            let skipped = looked.min(one.len());
            let found = one[skipped..].iter().position(|byte| *byte == b'\n').map(|at| skipped + at);
            let behind = looked - skipped;
            let found = found
                .or_else(|| other[behind..].iter().position(|byte| *byte == b'\n').map(|at| one.len() + behind + at));
            if let Some(at) = found {
                return Ok((at + 1, true));
            }
            looked = self.block.len();
            let from = self.at + looked as u64;
            let more = if looked < MAX_LINE { chain.read(from, (from + BLOCK).min(chain.len()))? } else { Vec::new() };
            if more.is_empty() {
                return Ok((looked, false));
            }
            self.block.extend(more);
        }
    }
}

impl<C: std::borrow::Borrow<RotatedLog>> Iterator for Lines<C> {
    type Item = io::Result<LogLine>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= self.end {
            return None;
        }
        let (length, complete) = match self.measure() {
            Ok((0, _)) => return None,
            Ok(measured) => measured,
            Err(error) => {
                self.end = self.at;
                return Some(Err(error));
            }
        };
        let mut bytes: Vec<u8> = self.block.drain(..length).collect();
        if complete {
            bytes.pop();
        }
        let unix_ns = self.times.time_of(self.log.borrow(), self.at);
        self.at += length as u64;
        Some(Ok(LogLine { source: self.source, unix_ns, bytes, complete, removed_before: 0, end: 0 }))
    }
}

/// Gives the times of rising positions; of the marks only a few are in memory.
#[derive(Default)]
struct LineTimes {
    /// The part that the marks are of.
    part: Option<usize>,
    marks: Vec<IndexEntry>,
    /// From this offset on other marks count.
    until: u64,
}

impl LineTimes {
    fn time_of(&mut self, chain: &RotatedLog, at: u64) -> Option<i64> {
        let number = chain.parts.partition_point(|part| part.start <= at).checked_sub(1)?;
        let offset = at - chain.parts[number].start;
        if self.part != Some(number) || offset >= self.until {
            let is_first_look = self.part != Some(number);
            self.part = Some(number);
            let is_newest = number + 1 == chain.parts.len();
            // Lines whose index cannot be read have no times.
            self.marks = load(&chain.parts[number], offset, is_newest && is_first_look).unwrap_or_default();
            let more = self.marks.len() as u64 >= MAX_INDEX_ENTRIES;
            self.until = self.marks.last().filter(|_| more).map_or(u64::MAX, |mark| mark.offset.max(offset + 1));
        }
        index::time_of(&self.marks, offset)
    }
}

fn load(part: &LogPart, offset: u64, settles: bool) -> io::Result<Vec<IndexEntry>> {
    let Some(index) = &part.index else { return Ok(Vec::new()) };
    if settles {
        wait_for_index(&part.file, index)?;
    }
    marks_from(index, offset, MAX_INDEX_ENTRIES)
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::os::unix::fs::FileExt;
    use std::path::{Path, PathBuf};

    use super::super::rotated_log::part_path;
    use super::*;

    fn marks(marks: &[(u64, i64)]) -> Vec<u8> {
        marks.iter().flat_map(|(offset, time)| [offset.to_le_bytes(), time.to_le_bytes()].concat()).collect()
    }

    fn log(dir: &tempfile::TempDir) -> PathBuf {
        dir.path().join("current.out")
    }

    fn selected(log: &Path, query: &Query) -> Vec<String> {
        let lines = RotatedLog::open(log).and_then(|chain| chain.select(0, query)).expect("lines");
        lines.iter().map(|line| String::from_utf8_lossy(&line.bytes).into_owned()).collect()
    }

    fn between(log: &Path, since_ns: Option<i64>, until_ns: Option<i64>) -> String {
        selected(log, &Query { since_ns, until_ns, ..Query::default() }).join(" ")
    }

    fn two_parts(dir: &tempfile::TempDir) -> PathBuf {
        let log = log(dir);
        fs::write(part_path(&log, 1), "a\nb\nc be").expect("a part");
        fs::write(index::path(&part_path(&log, 1)), marks(&[(0, 10), (2, 20), (4, 30)])).expect("an index");
        fs::write(&log, "gins\nd\ne\nf").expect("a log");
        fs::write(index::path(&log), marks(&[(0, 40), (5, 50), (7, 60)])).expect("an index");
        log
    }

    #[test]
    fn a_window_of_time_has_the_lines_that_begin_in_it() {
        let dir = tempfile::tempdir().expect("a directory");
        let log = two_parts(&dir);
        for (since, until, wanted) in [
            (None, None, "a b c begins d e f"),
            (Some(0), None, "a b c begins d e f"),
            (Some(10), None, "a b c begins d e f"),
            (Some(11), None, "b c begins d e f"),
            (Some(30), None, "c begins d e f"),
            (Some(31), None, "d e f"),
            (Some(40), None, "d e f"),
            (Some(60), None, "e f"),
            (Some(61), None, ""),
            (None, Some(10), ""),
            (None, Some(30), "a b"),
            (None, Some(31), "a b c begins"),
            (None, Some(41), "a b c begins"),
            (None, Some(60), "a b c begins d"),
            (Some(20), Some(50), "b c begins"),
            (Some(50), Some(20), ""),
        ] {
            assert_eq!(between(&log, since, until), wanted, "{since:?} {until:?}");
        }
    }

    #[test]
    fn the_last_lines_of_a_window_and_the_last_that_match() {
        let dir = tempfile::tempdir().expect("a directory");
        let log = two_parts(&dir);
        let query = Query { until_ns: Some(60), count: Some(2), ..Query::default() };
        assert_eq!(selected(&log, &query), ["c begins", "d"]);
        let grep = Some(Regex::new("^[b-e]").expect("a pattern"));
        assert_eq!(selected(&log, &Query { grep: grep.clone(), ..Query::default() }), ["b", "c begins", "d", "e"]);
        assert_eq!(selected(&log, &Query { grep: grep.clone(), count: Some(2), ..Query::default() }), ["d", "e"]);
        assert!(selected(&log, &Query { grep, count: Some(0), ..Query::default() }).is_empty());
    }

    #[test]
    fn a_part_without_an_index_counts_by_its_last_change() {
        let dir = tempfile::tempdir().expect("a directory");
        let log = log(&dir);
        fs::write(&log, "a\nb\n").expect("a log");
        let written = written_ns(&File::open(&log).expect("a log")).expect("a time");
        assert_eq!(between(&log, Some(written), None), "a b");
        assert_eq!(between(&log, Some(written + TICK_NS + 1), None), "");
    }

    #[test]
    fn of_a_huge_log_only_the_wanted_part_is_read() {
        let dir = tempfile::tempdir().expect("a directory");
        let log = log(&dir);
        let file = File::create(&log).expect("a log");
        let end = 1 << 40;
        file.write_all_at(b"old\nx\ny\n", end).expect("the end");
        let index = File::create(index::path(&log)).expect("an index");
        // As many marks as a terabyte may have, most of them a hole (offset 0, time 0).
        let last = 16 << 26;
        index.write_all_at(&marks(&[(end, 100), (end + 4, 200), (end + 6, 300)]), last).expect("marks");
        assert_eq!(between(&log, Some(150), None), "x y");
        assert_eq!(between(&log, Some(150), Some(250)), "x");
        let lines = RotatedLog::open(&log)
            .and_then(|chain| chain.select(0, &Query { since_ns: Some(150), ..Query::default() }));
        let times: Vec<_> = lines.expect("lines").iter().map(|line| line.unix_ns).collect();
        assert_eq!(times, [Some(200), Some(300)]);
    }

    #[test]
    fn every_line_has_its_time_also_when_the_marks_are_many() {
        let dir = tempfile::tempdir().expect("a directory");
        let log = log(&dir);
        let count = MAX_INDEX_ENTRIES * 2 + 5;
        let mut text = String::new();
        let mut all = Vec::new();
        for number in 0..count {
            all.push((text.len() as u64, i64::try_from(number).expect("small") * 10));
            text.push_str(&format!("{number}\n"));
        }
        fs::write(&log, text).expect("a log");
        fs::write(index::path(&log), marks(&all)).expect("an index");
        let chain = RotatedLog::open(&log).expect("a log");
        for (number, line) in chain.into_lines(0, &Query::default()).expect("lines").enumerate() {
            let line = line.expect("a line");
            assert_eq!(line.unix_ns, Some(number as i64 * 10), "{number}");
            assert_eq!(line.bytes, number.to_string().into_bytes());
        }
    }

    #[test]
    fn an_unfinished_line_is_the_last_one() {
        let dir = tempfile::tempdir().expect("a directory");
        let log = log(&dir);
        fs::write(&log, "a\nPass").expect("a log");
        let lines = RotatedLog::open(&log).and_then(|chain| chain.select(7, &Query::default())).expect("lines");
        let seen: Vec<_> = lines.iter().map(|line| (line.source, line.complete)).collect();
        assert_eq!(seen, [(7, true), (7, false)]);
    }
}
