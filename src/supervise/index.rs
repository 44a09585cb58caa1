//! The time index beside a log: where in the file which moment begins.
//!
//! `current.out.idx` holds records of 16 bytes, little-endian: the offset of a chunk in `current.out` and the time at which it
//! was copied there, in nanoseconds since 1970. Bytes belong to the last record at or before their offset. Both are rotated
//! together (`current.out.1`, `current.out.1.idx`). A record is made when at least a millisecond has passed since the last of
//! the stream, or the other stream got bytes in between, so the two streams can be merged by time.
//!
//! The first record of a log that others came before has the offset 0 and, instead of a time, the number of bytes that the
//! stream had before this log, negated. With it a reader that was overtaken knows how much was removed before it could be read.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::disk;

/// The length of a record in bytes.
pub const RECORD_SIZE: usize = 16;

/// One record: bytes from `offset` on were copied at `unix_ns`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IndexEntry {
    /// Position in the log, in bytes.
    pub offset: u64,
    /// Nanoseconds since 1970.
    pub unix_ns: i64,
}

impl IndexEntry {
    pub(super) fn encode(self) -> [u8; RECORD_SIZE] {
        let mut record = [0; RECORD_SIZE];
        record[..8].copy_from_slice(&self.offset.to_le_bytes());
        record[8..].copy_from_slice(&self.unix_ns.to_le_bytes());
        record
    }

    /// A record as it is written, a time or a position.
    #[must_use]
    pub fn decode(record: &[u8; RECORD_SIZE]) -> Self {
        let (offset, time) = record.split_at(8);
        Self {
            offset: u64::from_le_bytes(offset.try_into().expect("half of sixteen bytes")),
            unix_ns: i64::from_le_bytes(time.try_into().expect("half of sixteen bytes")),
        }
    }
}

/// The index that belongs to `log`.
#[must_use]
pub fn path(log: &Path) -> PathBuf {
    let mut path = log.as_os_str().to_owned();
    path.push(".idx");
    path.into()
}

/// All records of the index of `log`, by offset; empty when there is none. A half record at the end is left out.
///
/// # Errors
///
/// Fails when the index is there and cannot be read.
pub fn read(log: &Path) -> io::Result<Vec<IndexEntry>> {
    let mut bytes = Vec::new();
    match disk::own_file().open(path(log)).and_then(|mut file| file.read_to_end(&mut bytes)) {
        Ok(_) => Ok(decode(&bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// The times in the bytes of an index file.
#[must_use]
pub fn decode(bytes: &[u8]) -> Vec<IndexEntry> {
    let (records, _) = bytes.as_chunks::<RECORD_SIZE>();
    records.iter().map(IndexEntry::decode).filter(|mark| mark.unix_ns >= 0).collect()
}

/// The record of a log before which its stream had so many bytes; none for the first log.
pub(super) fn position_entry(bytes: u64) -> Option<IndexEntry> {
    i64::try_from(bytes).ok().filter(|bytes| *bytes > 0).map(|bytes| IndexEntry { offset: 0, unix_ns: -bytes })
}

/// How many bytes the stream had before the log of an index, if it says so.
///
/// # Errors
///
/// Fails when the index cannot be read.
pub fn position(index: &File) -> io::Result<Option<u64>> {
    let mut record = [0; RECORD_SIZE];
    match index.read_exact_at(&mut record, 0) {
        Ok(()) => Ok(Some(IndexEntry::decode(&record))
            .filter(|mark| mark.unix_ns < 0)
            .map(|mark| mark.unix_ns.unsigned_abs())),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}

/// When the byte at `offset` was copied; `None` before the first record.
#[must_use]
pub fn time_of(entries: &[IndexEntry], offset: u64) -> Option<i64> {
    let after = entries.partition_point(|mark| mark.offset <= offset);
    Some(entries.get(after.checked_sub(1)?)?.unix_ns)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARKS: [IndexEntry; 3] = [
        IndexEntry { offset: 0, unix_ns: 10 },
        IndexEntry { offset: 100, unix_ns: 20 },
        IndexEntry { offset: 150, unix_ns: 30 },
    ];

    #[test]
    fn records_come_back_and_a_torn_one_is_left_out() {
        let mut bytes: Vec<u8> = MARKS.iter().flat_map(|mark| mark.encode()).collect();
        bytes.extend([1, 2, 3]);
        assert_eq!(decode(&bytes), MARKS);
    }

    #[test]
    fn a_position_is_read_back_and_is_not_a_time() {
        let file = |marks: &[IndexEntry]| {
            let file = tempfile::tempfile().expect("a file");
            let bytes: Vec<u8> = marks.iter().flat_map(|mark| mark.encode()).collect();
            file.write_all_at(&bytes, 0).expect("written");
            (position(&file).expect("read"), decode(&bytes))
        };
        assert_eq!(position_entry(0), None);
        let first = position_entry(4711).expect("a position");
        assert_eq!(file(&[&[first][..], &MARKS].concat()), (Some(4711), MARKS.to_vec()));
        assert_eq!(file(&MARKS), (None, MARKS.to_vec()));
        assert_eq!(file(&[]), (None, Vec::new()));
    }

    #[test]
    fn bytes_belong_to_the_record_before_them() {
        assert_eq!([0, 99, 100, 149, 150, 999].map(|at| time_of(&MARKS, at)), [10, 10, 20, 20, 30, 30].map(Some));
        assert_eq!(time_of(&MARKS[1..], 5), None);
    }
}
