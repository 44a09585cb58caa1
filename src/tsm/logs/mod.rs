//! What processes said: the ends of their logs, and what comes after.
//!
//! Each process has two logs, one a stream. A supervisor writes their bytes as they came, rotates them at line ends, and keeps
//! the times of the bytes in an index beside each. Here the streams are cut into lines and put back into the order of time.

mod cursor;
pub mod export;
pub mod follow;
pub mod merge;
pub mod read;
pub mod rotate;
pub mod rotated_log;

use std::io;
use std::path::PathBuf;

use crate::base::fault::{FaultKind, UserFacingError};
use crate::base::name::ProcessName;
use crate::tsm::store::Process;

pub use follow::{FollowEnd, Follower, Stretch, since, tail};
pub use read::Query;

/// Standard output or standard error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum StreamKind {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

impl StreamKind {
    /// Its name in data.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Out => "stdout",
            Self::Err => "stderr",
        }
    }
}

/// One stream of one process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogSource {
    /// Whose it is.
    pub process: ProcessName,
    /// Which of the two.
    pub stream: StreamKind,
    /// The log that is being written; rotated ones are beside it with `.1` (youngest), `.2`, …
    pub log: PathBuf,
}

impl LogSource {
    /// These streams of a process.
    #[must_use]
    pub fn of(process: &Process, streams: &[StreamKind]) -> Vec<Self> {
        let source = |stream: &StreamKind| Self {
            process: process.name.clone(),
            stream: *stream,
            log: match stream {
                StreamKind::Out => process.out_log(),
                StreamKind::Err => process.err_log(),
            },
        };
        streams.iter().map(source).collect()
    }
}

/// One line of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// Which of the sources it is from.
    pub source: usize,
    /// When its first byte was copied to the log, in nanoseconds since 1970; none where the index does not know.
    pub unix_ns: Option<i64>,
    /// Without its line end, exactly as it was written.
    pub bytes: Vec<u8>,
    /// False while its end is missing.
    pub complete: bool,
    /// How many bytes of its stream, right before it, were rotated away before a follower had read them.
    pub removed_before: u64,
    /// How many bytes its stream had up to here, from the beginning of all. Known while a log is followed, else 0.
    pub end: u64,
}

/// A log could not be read.
#[derive(Debug, thiserror::Error)]
#[error("failed to read the log `{}`", path.display())]
pub struct LogError {
    /// The log.
    pub path: PathBuf,
    /// Why.
    pub source: io::Error,
}

impl UserFacingError for LogError {
    fn kind(&self) -> FaultKind {
        FaultKind::Failed
    }

    fn advice(&self) -> Option<String> {
        (self.source.kind() == io::ErrorKind::PermissionDenied).then(|| "run as the user that owns the log".to_owned())
    }
}

/// The lines of the processes that are wanted, all of them in the order of time.
///
/// What is not shown is hardly read: the last lines are looked for from the ends, moments in the index.
///
/// # Errors
///
/// Fails if a log is there and cannot be read.
pub fn select(sources: &[LogSource], query: &Query) -> Result<Vec<LogLine>, LogError> {
    let mut runs = Vec::new();
    for (index, source) in sources.iter().enumerate() {
        let read = rotated_log::RotatedLog::open(&source.log).and_then(|chain| chain.select(index, query));
        runs.push(read.map_err(|error| LogError { path: source.log.clone(), source: error })?);
    }
    Ok(last_of_each(sources, runs, query.count))
}

/// Merges the streams of each process and keeps its last `count` lines, then merges the processes.
fn last_of_each(sources: &[LogSource], mut runs: Vec<Vec<LogLine>>, count: Option<usize>) -> Vec<LogLine> {
    let mut processes: Vec<&ProcessName> = sources.iter().map(|source| &source.process).collect();
    processes.dedup();
    let mut merged = Vec::new();
    for process in processes {
        let own = sources.iter().zip(&mut runs).filter(|(source, _)| &source.process == process);
        let mut lines = merge::by_time(own.map(|(_, lines)| std::mem::take(lines)).collect());
        merged.push(lines.split_off(count.map_or(0, |count| lines.len().saturating_sub(count))));
    }
    merge::by_time(merged)
}

/// All lines of the processes that are wanted but for their number, in the order of time and one after the other: for logs of
/// any size.
///
/// # Errors
///
/// Fails if a log is there and cannot be read.
pub fn stream(
    sources: &[LogSource],
    query: &Query,
) -> Result<merge::MergeStream<read::Lines<rotated_log::RotatedLog>>, LogError> {
    let mut runs = Vec::new();
    for (index, source) in sources.iter().enumerate() {
        let lines = rotated_log::RotatedLog::open(&source.log).and_then(|chain| chain.into_lines(index, query));
        runs.push(lines.map_err(|error| LogError { path: source.log.clone(), source: error })?);
    }
    Ok(merge::MergeStream::of(runs))
}
