//! A place in the log of one stream, which goes on through rotation.
//!
//! A cursor holds its file open, so that a rotation neither loses nor doubles a line: it reads its file to the end, finds it
//! again under its new name, and goes on with the part after it.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::rotated_log::{Inode, RotatedLog, index_entries, inode, part_path, read_at};
use super::{LogLine, Query};
use crate::disk;
use crate::supervise::{index, rotation};

/// An unfinished line is cut at this length.
const MAX_LINE: usize = 1024 * 1024;

/// How much is read of one log before the others get their turn.
const READ_BATCH: usize = 256 * 1024;

/// A place in the log of one stream.
pub(super) struct Cursor {
    source: usize,
    pub(super) log: PathBuf,
    open: Option<OpenPart>,
    /// The beginning of a line whose end was not written yet, and its time.
    unfinished: Vec<u8>,
    unfinished_ns: Option<i64>,
    /// What was removed before the next line, in bytes.
    removed: u64,
    /// How many bytes the stream had up to where it was read.
    end: u64,
    /// When something was read last.
    last_read: Instant,
}

/// The part that is being read.
struct OpenPart {
    file: File,
    inode: Inode,
    /// How many bytes its stream had before it.
    position: u64,
    offset: u64,
    index: Option<File>,
}

impl Cursor {
    /// The place behind everything, and the finished lines that are wanted. An unfinished one is kept until its end is there.
    pub(super) fn at_end(source: usize, log: &Path, query: &Query) -> io::Result<(Self, Vec<LogLine>)> {
        let chain = RotatedLog::open(log)?;
        let mut lines = chain.select(source, query)?;
        lines.pop_if(|line| !line.complete);
        let mut cursor = Self::at_beginning(source, log);
        if let Some(last) = chain.last_lines(source, 1)?.pop_if(|line| !line.complete) {
            (cursor.unfinished, cursor.unfinished_ns) = (last.bytes, last.unix_ns);
        }
        if let Some((file, offset, index)) = chain.into_newest() {
            let position = rotation::position(log, 0)?;
            cursor.end = position + offset;
            cursor.open = Some(OpenPart { inode: inode(&file)?, file, position, offset, index });
        }
        Ok((cursor, lines))
    }

    /// Before the oldest part.
    pub(super) fn at_beginning(source: usize, log: &Path) -> Self {
        Self {
            source,
            log: log.to_owned(),
            open: None,
            unfinished: Vec::new(),
            unfinished_ns: None,
            removed: 0,
            end: 0,
            last_read: Instant::now(),
        }
    }

    /// Behind so many bytes of the stream; none if it has less. What was removed meanwhile is counted with the next line.
    pub(super) fn at_position(source: usize, log: &Path, position: u64) -> io::Result<Option<Self>> {
        let mut cursor = Self { end: position, ..Self::at_beginning(source, log) };
        for number in 0..=MAX_PARTS {
            let part = match OpenPart::part(log, number) {
                Ok(part) => part,
                Err(error) if error.kind() == io::ErrorKind::NotFound && number == 0 => continue,
                Err(error) if error.kind() == io::ErrorKind::NotFound => break,
                Err(error) => return Err(error),
            };
            if part.position <= position {
                let offset = position - part.position;
                if number == 0 && offset > part.file.metadata()?.len() {
                    return Ok(None);
                }
                cursor.open = Some(OpenPart { offset, ..part });
                return Ok(Some(cursor));
            }
            cursor.removed = part.position - position;
            cursor.open = Some(part);
        }
        Ok((cursor.open.is_some() || position == 0).then_some(cursor))
    }

    /// How many bytes the stream had before what will be read next; an unfinished line is read again.
    pub(super) fn position(&self) -> u64 {
        self.end.saturating_sub(self.unfinished.len() as u64)
    }

    /// Adds the lines that were finished since the last call, at most about [`READ_BATCH`] bytes of them.
    pub(super) fn read(&mut self, lines: &mut Vec<LogLine>) -> io::Result<()> {
        loop {
            let Some(open) = &mut self.open else {
                self.open = oldest(&self.log, |_| true)?;
                match self.open {
                    Some(_) => continue,
                    None => return Ok(()),
                }
            };
            let at = open.offset;
            let bytes = open.read_on()?;
            if !bytes.is_empty() {
                let marks = open.marks(&self.log, at);
                self.end = open.position + at;
                self.take(&bytes, |offset| index::time_of(&marks, at + offset), lines);
                return Ok(());
            }
            if open.file.metadata()?.len() < open.offset {
                // Cut by hand: what is written now begins a line.
                open.offset = 0;
                lines.extend(self.take_unfinished());
                continue;
            }
            let Some(next) = successor(&self.log, open)? else { return Ok(()) };
            // What was written between the last read and the rotation.
            let at = open.offset;
            let bytes = open.read_on()?;
            if bytes.is_empty() {
                let end = open.position + open.offset;
                let removed = next.position.saturating_sub(end);
                self.open = Some(next);
                if removed > 0 {
                    // The rest of an unfinished line is among what is gone.
                    lines.extend(self.take_unfinished());
                    self.removed += removed;
                }
            } else {
                let marks = open.marks(&self.log, at);
                self.end = open.position + at;
                self.take(&bytes, |offset| index::time_of(&marks, at + offset), lines);
            }
        }
    }

    fn take(&mut self, bytes: &[u8], time_of: impl Fn(u64) -> Option<i64>, lines: &mut Vec<LogLine>) {
        self.last_read = Instant::now();
        let mut at = 0;
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            if self.unfinished.is_empty() {
                self.unfinished_ns = time_of(at);
            }
            at += piece.len() as u64;
            self.end += piece.len() as u64;
            let complete = piece.ends_with(b"\n");
            self.unfinished.extend_from_slice(piece.strip_suffix(b"\n").unwrap_or(piece));
            if complete || self.unfinished.len() >= MAX_LINE {
                let bytes = std::mem::take(&mut self.unfinished);
                lines.push(self.line(bytes, complete));
            }
        }
    }

    /// How long an unfinished line has been quiet; none if there is none.
    pub(super) fn unfinished_for(&self) -> Option<Duration> {
        (!self.unfinished.is_empty()).then(|| self.last_read.elapsed())
    }

    pub(super) fn take_unfinished(&mut self) -> Option<LogLine> {
        if self.unfinished.is_empty() {
            return None;
        }
        let bytes = std::mem::take(&mut self.unfinished);
        Some(self.line(bytes, false))
    }

    fn line(&mut self, bytes: Vec<u8>, complete: bool) -> LogLine {
        let removed_before = std::mem::take(&mut self.removed);
        LogLine { source: self.source, unix_ns: self.unfinished_ns, bytes, complete, removed_before, end: self.end }
    }
}

impl OpenPart {
    fn read_on(&mut self) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; READ_BATCH];
        let got = read_at(&self.file, &mut bytes, self.offset)?;
        bytes.truncate(got);
        self.offset += got as u64;
        Ok(bytes)
    }

    /// The times from `offset` on. Without an index the lines have no times, which is not an error.
    fn marks(&mut self, log: &Path, offset: u64) -> Vec<index::IndexEntry> {
        if self.index.is_none() {
            // It is made a moment after its log, and moves with it.
            let number = (0..=MAX_PARTS).find(|number| is_at(&part_path(log, *number), self.inode));
            self.index = number.and_then(|number| disk::own_file().open(index::path(&part_path(log, number))).ok());
        }
        let marks = self.index.as_ref().and_then(|index| index_entries(&self.file, index, offset).ok());
        marks.unwrap_or_default()
    }

    /// The part with this number.
    fn part(log: &Path, number: u32) -> io::Result<Self> {
        let path = part_path(log, number);
        let file = disk::own_file().open(&path)?;
        let index = disk::own_file().open(index::path(&path)).ok();
        // A rotation may move the names while we look; what the index says holds whatever it is called.
        let stated = index.as_ref().and_then(|index| index::position(index).ok()).flatten();
        let position = stated.map_or_else(|| rotation::position(log, number), Ok)?;
        Ok(Self { inode: inode(&file)?, file, position, offset: 0, index })
    }
}

/// The highest number of a rotated part that is looked for.
const MAX_PARTS: u32 = rotation::MAX_PARTS;

/// The part after the one that is open, if there is one already.
fn successor(log: &Path, open: &OpenPart) -> io::Result<Option<OpenPart>> {
    if is_at(log, open.inode) {
        return Ok(None);
    }
    // Rotations go on while we look, so the answer counts only if nothing moved meanwhile.
    for _ in 0..10 {
        let Some(number) = (1..=MAX_PARTS).find(|number| is_at(&part_path(log, *number), open.inode)) else { break };
        let next = match OpenPart::part(log, number - 1) {
            Ok(part) => part,
            // The new log is about to be made.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        if next.inode != open.inode && is_at(&part_path(log, number), open.inode) {
            return Ok(Some(next));
        }
    }
    // It was removed, by rotation or by hand: what is younger comes next.
    let written = open.file.metadata().map(|it| (it.mtime(), it.mtime_nsec()))?;
    oldest(log, |part| part.inode != open.inode && modified(&part.file) >= written)
}

fn modified(file: &File) -> (i64, i64) {
    file.metadata().map_or((0, 0), |it| (it.mtime(), it.mtime_nsec()))
}

fn is_at(path: &Path, inode: Inode) -> bool {
    fs::metadata(path).is_ok_and(|it| (it.dev(), it.ino()) == inode)
}

/// The oldest part of a log for which `fits` is true.
fn oldest(log: &Path, fits: impl Fn(&OpenPart) -> bool) -> io::Result<Option<OpenPart>> {
    let mut found = None;
    let mut missing = 0;
    for number in 0..=MAX_PARTS {
        match OpenPart::part(log, number) {
            Ok(part) => {
                if fits(&part) {
                    found = Some(part);
                }
            }
            // A rotation moves the parts one by one, so one may be missing for a moment.
            Err(error) if error.kind() == io::ErrorKind::NotFound && missing < 2 => missing += 1,
            Err(error) if error.kind() == io::ErrorKind::NotFound => break,
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_missing_for_the_moment_of_a_rotation_does_not_hide_the_older_ones() {
        let directory = tempfile::tempdir().expect("a directory");
        let log = directory.path().join("current.out");
        for (number, text) in [(4, "1\n"), (3, "2\n"), (1, "3\n"), (0, "4\n")] {
            fs::write(part_path(&log, number), text).expect("a part");
        }
        let first = oldest(&log, |_| true).expect("read").expect("a part");
        assert!(is_at(&part_path(&log, 4), first.inode));
    }
}
