//! The log of one stream with its rotated parts, as one run of bytes that is read from its end.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::LogLine;
use crate::disk;
use crate::supervise::index::{self, IndexEntry};
use crate::sys::dir_watch;

/// The parts of a log, opened at one moment: what is rotated or written later does not change it.
#[derive(Debug)]
pub struct RotatedLog {
    /// Oldest first.
    pub(super) parts: Vec<LogPart>,
}

/// One file of a log.
#[derive(Debug)]
pub(super) struct LogPart {
    pub(super) file: File,
    /// Where it begins among all parts.
    pub(super) start: u64,
    pub(super) len: u64,
    pub(super) index: Option<File>,
}

/// How much is read at once.
pub(super) const BLOCK: u64 = 64 * 1024;

/// What is kept in memory of one stream at most; of more lines than fit here only the last are given.
pub(super) const MAX_MEMORY: u64 = 256 * 1024 * 1024;

/// A file as the kernel knows it, whatever it is called.
pub(super) type Inode = (u64, u64);

pub(super) fn inode(file: &File) -> io::Result<Inode> {
    file.metadata().map(|it| (it.dev(), it.ino()))
}

/// The name of a rotated part; 0 is the log that is being written.
pub(super) fn part_path(log: &Path, number: u32) -> PathBuf {
    if number == 0 {
        return log.to_owned();
    }
    let mut path = log.as_os_str().to_owned();
    path.push(format!(".{number}"));
    path.into()
}

impl RotatedLog {
    /// Opens a log and its rotated parts; a log that is not there is an empty one.
    ///
    /// # Errors
    ///
    /// Fails if a part is there and cannot be opened.
    pub fn open(log: &Path) -> io::Result<Self> {
        // Youngest first: a rotation in between makes a part appear twice, which can be seen, and never leaves one out.
        let mut parts: Vec<LogPart> = Vec::new();
        let mut known: Vec<Inode> = Vec::new();
        let mut missing = 0;
        for number in 0.. {
            let path = part_path(log, number);
            match disk::own_file().open(&path) {
                Ok(file) => {
                    let inode = inode(&file)?;
                    if !known.contains(&inode) {
                        known.push(inode);
                        let len = file.metadata()?.len();
                        parts.push(LogPart {
                            file,
                            start: 0,
                            len,
                            index: disk::own_file().open(index::path(&path)).ok(),
                        });
                    }
                }
                // A rotation moves the parts one by one, so one may be missing for a moment.
                Err(error) if error.kind() == io::ErrorKind::NotFound && missing < 2 => missing += 1,
                Err(error) if error.kind() == io::ErrorKind::NotFound => break,
                Err(error) => return Err(error),
            }
        }
        parts.reverse();
        let mut start = 0;
        for part in &mut parts {
            part.start = start;
            start += part.len;
        }
        Ok(Self { parts })
    }

    /// The number of bytes in all parts.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.parts.last().map_or(0, |part| part.start + part.len)
    }

    /// True if nothing was written.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The last `count` lines with their times; an unfinished one at the end is one of them. They are marked with `source`.
    ///
    /// # Errors
    ///
    /// Fails if a part cannot be read.
    pub fn last_lines(&self, source: usize, count: usize) -> io::Result<Vec<LogLine>> {
        self.lines(source, self.start_of_last(count, self.len())?..self.len()).collect()
    }

    /// The youngest part with the position behind what this chain saw of it.
    pub(super) fn into_newest(self) -> Option<(File, u64, Option<File>)> {
        self.parts.into_iter().next_back().map(|part| (part.file, part.len, part.index))
    }

    /// Where the last `count` lines before `end` begin, which is the end of a line or of everything.
    pub(super) fn start_of_last(&self, count: usize, end: u64) -> io::Result<u64> {
        let floor = end.saturating_sub(MAX_MEMORY);
        let (mut block_end, mut seen) = (end, 0);
        if count == 0 {
            return Ok(end);
        }
        while block_end > floor {
            let block_start = block_end.saturating_sub(BLOCK).max(floor);
            let block = self.read(block_start, block_end)?;
            for (at, _) in block.iter().enumerate().rev().filter(|(_, byte)| **byte == b'\n') {
                let behind = block_start + at as u64 + 1;
                // The line end at the very end ends the last line and begins none.
                if behind < end {
                    seen += 1;
                    if seen == count {
                        return Ok(behind);
                    }
                }
            }
            block_end = block_start;
        }
        Ok(floor)
    }

    /// The bytes from `start` to `end`, across parts. Less if a part was cut meanwhile.
    pub(super) fn read(&self, start: u64, end: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::with_capacity(usize::try_from(end - start).unwrap_or(0));
        for part in &self.parts {
            let from = start.max(part.start);
            let to = end.min(part.start + part.len);
            if from < to {
                let mut piece = vec![0; usize::try_from(to - from).map_err(io::Error::other)?];
                let got = read_at(&part.file, &mut piece, from - part.start)?;
                bytes.extend_from_slice(&piece[..got]);
            }
        }
        Ok(bytes)
    }
}

/// How much later than its last mark a log may have been written: closer marks are not made.
const INDEX_INTERVAL_NS: i64 = 2_000_000;

/// How often and how long to wait for a mark.
const MAX_ATTEMPTS: u32 = 20;
const RETRY_DELAY: Duration = Duration::from_millis(1);

/// The marks of a log that is being written, from the one that covers `offset` to the end.
///
/// Bytes are written before their mark. Who looks in between waits for the mark, but not for long: a log that was changed by
/// hand has none.
pub(super) fn index_entries(log: &File, index: &File, offset: u64) -> io::Result<Vec<IndexEntry>> {
    wait_for_index(log, index)?;
    marks_from(index, offset, u64::MAX)
}

/// A mark comes some microseconds after its bytes: a log that was not written for so long has all that it will get.
const STABLE_AFTER: Duration = Duration::from_secs(1);

/// Waits, but not for long, until the last mark of a log that is being written is there.
pub(super) fn wait_for_index(log: &File, index: &File) -> io::Result<()> {
    if log.metadata()?.modified()?.elapsed().is_ok_and(|age| age > STABLE_AFTER) {
        return Ok(());
    }
    for _ in 0..MAX_ATTEMPTS {
        let last = records(index)?.checked_sub(1).map(|last| mark_at(index, last)).transpose()?;
        let written_ns = written_ns(log)?;
        if last.is_some_and(|mark| mark.unix_ns + INDEX_INTERVAL_NS >= written_ns) {
            return Ok(());
        }
        dir_watch::sleep_interruptible(RETRY_DELAY);
    }
    Ok(())
}

/// When a file was written last, in nanoseconds since 1970.
pub(super) fn written_ns(file: &File) -> io::Result<i64> {
    file.metadata().map(|it| it.mtime() * 1_000_000_000 + it.mtime_nsec())
}

/// The marks of an index from the one that covers `offset` on, at most so many.
pub(super) fn marks_from(index: &File, offset: u64, most: u64) -> io::Result<Vec<IndexEntry>> {
    let first = first_mark(index, |mark| mark.offset > offset)?.saturating_sub(1);
    let count = records(index)?.saturating_sub(first).min(most);
    let mut bytes = vec![0; usize::try_from(count).map_err(io::Error::other)? * index::RECORD_SIZE];
    let got = read_at(index, &mut bytes, first * index::RECORD_SIZE as u64)?;
    Ok(index::decode(&bytes[..got]))
}

/// The number of the first mark for which `is` holds, as it must for all after it; the number of marks if it holds for none.
pub(super) fn first_mark(index: &File, is: impl Fn(IndexEntry) -> bool) -> io::Result<u64> {
    let (mut low, mut high) = (0, records(index)?);
    while low < high {
        let middle = low + (high - low) / 2;
        if is(mark_at(index, middle)?) { high = middle } else { low = middle + 1 }
    }
    Ok(low)
}

/// How many marks an index has.
pub(super) fn records(index: &File) -> io::Result<u64> {
    Ok(index.metadata()?.len() / index::RECORD_SIZE as u64)
}

pub(super) fn mark_at(index: &File, number: u64) -> io::Result<IndexEntry> {
    let mut record = [0; index::RECORD_SIZE];
    index.read_exact_at(&mut record, number * index::RECORD_SIZE as u64)?;
    Ok(IndexEntry::decode(&record))
}

/// Fills as much of `buffer` as there is from `offset` on.
pub(super) fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read_at(&mut buffer[filled..], offset + filled as u64) {
            Ok(0) => break,
            Ok(got) => filled += got,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn mark(offset: u64, unix_ns: i64) -> Vec<u8> {
        [offset.to_le_bytes(), unix_ns.to_le_bytes()].concat()
    }

    fn texts(lines: &[LogLine]) -> Vec<String> {
        lines.iter().map(|line| String::from_utf8_lossy(&line.bytes).into_owned()).collect()
    }

    fn last(log: &Path, count: usize) -> Vec<String> {
        texts(&RotatedLog::open(log).and_then(|chain| chain.last_lines(0, count)).expect("lines"))
    }

    #[test]
    fn the_last_lines_of_small_logs() {
        let dir = tempfile::tempdir().expect("a directory");
        let log = dir.path().join("current.out");
        assert!(last(&log, 5).is_empty(), "no log is an empty one");
        for (content, count, wanted) in [
            ("", 5, &[][..]),
            ("a\n", 5, &["a"]),
            ("a\nb\nc\n", 2, &["b", "c"]),
            ("a\nb\nc", 2, &["b", "c"]),
            ("a\n\n\n", 2, &["", ""]),
            ("\n", 1, &[""]),
            ("a\nb\n", 0, &[]),
            ("a\nb\n", 9, &["a", "b"]),
        ] {
            fs::write(&log, content).expect("a log");
            assert_eq!(last(&log, count), wanted, "{content:?} {count}");
        }
    }

    #[test]
    fn an_unfinished_last_line_is_shown_and_marked() {
        let dir = tempfile::tempdir().expect("a directory");
        let log = dir.path().join("current.out");
        fs::write(&log, "a\nPassword: ").expect("a log");
        let lines = RotatedLog::open(&log).and_then(|chain| chain.last_lines(3, 2)).expect("lines");
        let seen: Vec<_> = lines.iter().map(|line| (line.source, line.complete)).collect();
        assert_eq!((texts(&lines), seen), (vec!["a".into(), "Password: ".into()], vec![(3, true), (3, false)]));
    }

    #[test]
    fn rotated_parts_are_read_as_needed_and_lines_across_them_are_whole() {
        let dir = tempfile::tempdir().expect("a directory");
        let log = dir.path().join("current.out");
        fs::write(part_path(&log, 2), "1\n2\n").expect("a part");
        fs::write(part_path(&log, 1), "3\n4 be").expect("a part");
        fs::write(&log, "gins\n5\n").expect("a log");
        assert_eq!(last(&log, 2), ["4 begins", "5"]);
        assert_eq!(last(&log, 9), ["1", "2", "3", "4 begins", "5"]);
    }

    #[test]
    fn lines_longer_than_a_block_and_lines_at_its_edges_are_whole() {
        let dir = tempfile::tempdir().expect("a directory");
        let log = dir.path().join("current.out");
        for length in [BLOCK - 2, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 7] {
            let long = "x".repeat(usize::try_from(length).expect("small"));
            fs::write(&log, format!("first\n{long}\nlast\n")).expect("a log");
            assert_eq!(last(&log, 2), [long.clone(), "last".into()], "{length}");
            assert_eq!(last(&log, 3).len(), 3, "{length}");
        }
    }

    #[test]
    fn the_end_of_a_huge_log_is_read_without_the_rest() {
        let dir = tempfile::tempdir().expect("a directory");
        let log = dir.path().join("current.out");
        let file = File::create(&log).expect("a log");
        // A hole of a terabyte: reading all of it would take forever.
        let end = 1 << 40;
        file.write_all_at(b"\nx\ny\n", end).expect("the end");
        assert_eq!(last(&log, 2), ["x", "y"]);
    }

    #[test]
    fn times_come_from_the_index_of_each_part() {
        let dir = tempfile::tempdir().expect("a directory");
        let log = dir.path().join("current.out");
        fs::write(part_path(&log, 1), "a\nb\n").expect("a part");
        fs::write(index::path(&part_path(&log, 1)), [mark(0, 10), mark(2, 20)].concat()).expect("an index");
        fs::write(&log, "c\nd\ne\n").expect("a log");
        fs::write(index::path(&log), [mark(0, 30), mark(4, 50)].concat()).expect("an index");
        let lines = RotatedLog::open(&log).and_then(|chain| chain.last_lines(0, 9)).expect("lines");
        let times: Vec<_> = lines.iter().map(|line| line.unix_ns).collect();
        assert_eq!(times, [Some(10), Some(20), Some(30), Some(30), Some(50)]);
        let lines = RotatedLog::open(&log).and_then(|chain| chain.last_lines(0, 1)).expect("lines");
        assert_eq!(lines[0].unix_ns, Some(50));
    }

    #[test]
    fn a_mark_that_is_about_to_come_is_waited_for_and_one_that_never_comes_is_not() {
        let dir = tempfile::tempdir().expect("a directory");
        let log = dir.path().join("current.out");
        fs::write(&log, "a\n").expect("a log");
        fs::write(index::path(&log), "").expect("an index");
        let time = || RotatedLog::open(&log).and_then(|chain| chain.last_lines(0, 1)).expect("lines")[0].unix_ns;
        assert_eq!(time(), None);
        let written = fs::metadata(&log).expect("a log");
        let now = written.mtime() * 1_000_000_000 + written.mtime_nsec();
        std::thread::scope(|scope| {
            scope.spawn(|| fs::write(index::path(&log), mark(0, now)).expect("a mark"));
            assert_eq!(time(), Some(now));
        });
    }

    #[test]
    fn bytes_that_are_no_text_stay_as_they_are() {
        let dir = tempfile::tempdir().expect("a directory");
        let log = dir.path().join("current.out");
        fs::write(&log, b"\xff\x00\x1b[2J\n").expect("a log");
        let lines = RotatedLog::open(&log).and_then(|chain| chain.last_lines(0, 1)).expect("lines");
        assert_eq!(lines[0].bytes, b"\xff\x00\x1b[2J");
    }
}
