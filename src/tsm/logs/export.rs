//! Logs as one file: both streams and all their parts in the order of time, each line with its time.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use serde_json::json;

use super::{LogError, LogLine, LogSource, Query, stream};
use crate::base::fault::{FaultKind, UserFacingError};

/// How the lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// `TIME PROCESS STREAM | LINE`, the line byte for byte.
    Text,
    /// One JSON object a line.
    Json,
}

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Exported {
    /// How many lines.
    pub lines: u64,
    /// How many bytes.
    pub bytes: u64,
}

/// A file of logs could not be written.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// A log could not be read.
    #[error(transparent)]
    Log(#[from] LogError),
    /// A log could not be read on.
    #[error("failed to read the logs")]
    Read {
        /// Why.
        source: io::Error,
    },
    /// The file could not be written.
    #[error("failed to write `{}`", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is there already.
    #[error("`{}` already exists", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The operator interrupted; nothing was written.
    #[error("interrupted; `{}` was not written", path.display())]
    Interrupted {
        /// The file.
        path: PathBuf,
    },
}

impl UserFacingError for ExportError {
    fn kind(&self) -> FaultKind {
        match self {
            Self::Log(error) => error.kind(),
            Self::Interrupted { .. } => FaultKind::Interrupted,
            Self::Read { .. } | Self::Write { .. } | Self::Exists { .. } => FaultKind::Failed,
        }
    }

    fn advice(&self) -> Option<String> {
        match self {
            Self::Log(error) => error.advice(),
            Self::Exists { .. } => Some("`--force` replaces it".to_owned()),
            Self::Read { .. } | Self::Write { .. } | Self::Interrupted { .. } => None,
        }
    }
}

/// How a file is written.
#[derive(Debug, Clone)]
pub struct ExportTarget<'a> {
    /// The file.
    pub path: &'a Path,
    /// How lines look in it.
    pub format: LogFormat,
    /// Whether a file that is there may be replaced.
    pub replaces: bool,
}

/// Writes the lines that are wanted into a file that only its owner may read; it appears when it is whole.
///
/// # Errors
///
/// Fails if a log cannot be read, if the file is there already or cannot be written, or once `interrupted`.
pub fn export(
    sources: &[LogSource],
    query: &Query,
    target: &ExportTarget,
    interrupted: &dyn Fn() -> bool,
) -> Result<Exported, ExportError> {
    let path = target.path;
    let failed = |source| ExportError::Write { path: path.to_owned(), source };
    if !target.replaces && path.symlink_metadata().is_ok() {
        return Err(ExportError::Exists { path: path.to_owned() });
    }
    let dir = path.parent().filter(|directory| !directory.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut temporary = tempfile::Builder::new().prefix(".tetra-").tempfile_in(dir).map_err(failed)?;
    let mut exported = Exported::default();
    let mut out = BufWriter::with_capacity(256 * 1024, temporary.as_file_mut());
    for line in stream(sources, query)? {
        let line = line.map_err(|source| ExportError::Read { source })?;
        if exported.lines % 1024 == 0 && interrupted() {
            return Err(ExportError::Interrupted { path: path.to_owned() });
        }
        if query.matches(&line) {
            let bytes = format_line(&line, &sources[line.source], target.format);
            out.write_all(&bytes).map_err(failed)?;
            exported.lines += 1;
            exported.bytes += bytes.len() as u64;
        }
    }
    out.flush().map_err(failed)?;
    drop(out);
    temporary.as_file().sync_all().map_err(failed)?;
    let persisted = match target.replaces {
        true => temporary.persist(path).map(drop),
        false => temporary.persist_noclobber(path).map(drop),
    };
    match persisted.map_err(|error| error.error) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            Err(ExportError::Exists { path: path.to_owned() })
        }
        persisted => persisted.map(|()| exported).map_err(failed),
    }
}

fn format_line(line: &LogLine, source: &LogSource, format: LogFormat) -> Vec<u8> {
    let time = line.unix_ns.and_then(time);
    let (process, stream) = (source.process.as_str(), source.stream.as_str());
    match format {
        LogFormat::Text => {
            let time = time.as_deref().unwrap_or("-");
            [format!("{time} {process} {stream} | ").as_bytes(), &line.bytes, b"\n"].concat()
        }
        LogFormat::Json => {
            let text = String::from_utf8_lossy(&line.bytes);
            let row = json!({ "time": time, "process": process, "stream": stream, "line": text });
            format!("{row}\n").into_bytes()
        }
    }
}

/// RFC 3339 in UTC with milliseconds; none beyond the year 9999.
fn time(unix_ns: i64) -> Option<String> {
    let point = jiff::Timestamp::from_nanosecond(i128::from(unix_ns)).ok()?;
    Some(point.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string())
}

#[cfg(test)]
mod tests {
    use super::super::StreamKind;
    use super::*;

    #[test]
    fn a_line_has_its_time_its_process_and_its_stream() {
        let source =
            LogSource { process: "api".parse().expect("a name"), stream: StreamKind::Err, log: PathBuf::from("/x") };
        let unix_ns = Some(1_795_176_000_123_456_789);
        let line = LogLine { source: 0, unix_ns, bytes: b"a\xff".into(), complete: true, removed_before: 0, end: 0 };
        assert_eq!(format_line(&line, &source, LogFormat::Text), b"2026-11-20T12:00:00.123Z api stderr | a\xff\n");
        let json = String::from_utf8(format_line(&line, &source, LogFormat::Json)).expect("text");
        assert_eq!(
            json,
            "{\"time\":\"2026-11-20T12:00:00.123Z\",\"process\":\"api\",\"stream\":\"stderr\",\"line\":\"a\u{fffd}\"}\n"
        );
    }
}
