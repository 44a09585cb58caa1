//! The daemon's log: on standard output, which the journal reads, and in `logs/tetra.log`.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::base::time::Timestamp;
use crate::disk;
use crate::sys::file::{self, FileError};
use crate::sys::journal::JournalLine;
use crate::sys::paths::Paths;

/// The size at which the file is put aside, in bytes.
const MAX_SIZE: u64 = 1 << 20;

/// So many files that were put aside are kept: `tetra.log.1`, the newest, to `tetra.log.4`.
const KEPT: u32 = 4;

/// How much it matters, as syslog has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Something failed.
    Error,
    /// Something is not as it should be.
    Warning,
    /// What happens.
    Info,
}

impl Level {
    /// The mark before a line by which the journal knows how much it matters.
    #[must_use]
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Error => "<3>",
            Self::Warning => "<4>",
            Self::Info => "<6>",
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Info => "info",
        }
    }
}

/// What reads the standard output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// The journal: the time is known there, and each line has its priority in front.
    Journal,
    /// A person, or a file.
    Plain,
}

/// The log of the daemon.
#[derive(Debug)]
pub struct DaemonLog {
    path: PathBuf,
    file: Option<File>,
    size: u64,
    output: Output,
}

impl DaemonLog {
    /// A log that has no file yet.
    #[must_use]
    pub fn new(paths: &Paths, output: Output) -> Self {
        Self { path: paths.daemon_log(), file: None, size: 0, output }
    }

    /// Opens the file; its directory is made if need be.
    ///
    /// # Errors
    ///
    /// Fails if the directory or the file cannot be made.
    pub fn open(&mut self) -> Result<(), FileError> {
        if self.file.is_none() {
            self.path.parent().map_or(Ok(()), file::create_dir)?;
            let (file, size) = open(&self.path).map_err(FileError::io("open", &self.path))?;
            (self.file, self.size) = (Some(file), size);
        }
        Ok(())
    }

    /// Says each line of `text`. A full disk or a closed output is no reason to stop: then it is said elsewhere, or not.
    pub fn say(&mut self, level: Level, text: &str, now: Timestamp) {
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            let output = match self.output {
                Output::Journal => format!("{}{line}\n", level.prefix()),
                Output::Plain => format!("{line}\n"),
            };
            let _ = io::stdout().write_all(output.as_bytes()).and_then(|()| io::stdout().flush());
            let _ = self.write(format!("{} {:7} {line}\n", time(now), level.word()).as_bytes());
        }
    }

    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        if self.size + line.len() as u64 > MAX_SIZE || self.file.is_none() {
            self.file = None;
            rotate(&self.path)?;
            let (file, size) = open(&self.path)?;
            (self.file, self.size) = (Some(file), size);
        }
        if let Some(file) = &mut self.file {
            file.write_all(line)?;
            self.size += line.len() as u64;
        }
        Ok(())
    }
}

/// The mode of the file: the group of the unit's user may read it, whatever the umask of the unit.
const MODE: u32 = 0o640;

fn open(path: &Path) -> io::Result<(File, u64)> {
    let file = disk::own_file().append(MODE).open(path)?;
    let size = file.metadata()?.len();
    if size == 0 {
        file.set_permissions(fs::Permissions::from_mode(MODE))?;
    }
    Ok((file, size))
}

/// Puts the file aside, if it is full, and the others one place further; the last one goes.
fn rotate(path: &Path) -> io::Result<()> {
    // Where there is none, the others stay where they are: a full disk would move them on with each line.
    if fs::metadata(path).map_or_else(|error| error.kind() == io::ErrorKind::NotFound, |it| it.len() < MAX_SIZE / 2) {
        return Ok(());
    }
    let part = |number: u32| path.with_file_name(format!("tetra.log.{number}"));
    for number in (1..KEPT).rev() {
        match fs::rename(part(number), part(number + 1)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
    }
    fs::rename(path, part(1))
}

/// RFC 3339 in UTC with milliseconds.
fn time(now: Timestamp) -> String {
    let millis = i64::try_from(now.0).unwrap_or_default();
    format!("{:.3}", jiff::Timestamp::from_millisecond(millis).unwrap_or_default())
}

/// A line of the file, as the journal has it.
#[must_use]
pub fn read_line(line: &str) -> JournalLine {
    let (first, rest) = line.split_once(' ').unwrap_or((line, ""));
    let time: Option<jiff::Timestamp> = first.parse().ok();
    let millis = time.and_then(|time| u64::try_from(time.as_millisecond()).ok());
    // Behind the time is the level.
    let text =
        rest.trim_start().split_once(' ').filter(|_| millis.is_some()).map_or(line, |(_, text)| text.trim_start());
    JournalLine { time: millis.map(Timestamp), source: "tetra".to_owned(), pid: None, text: text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_as_it_was_written() {
        let line = format!("{} {:7} web: down", time(Timestamp(1_700_000_000_123)), Level::Info.word());
        let read = read_line(&line);
        assert_eq!((read.time, read.text.as_str()), (Some(Timestamp(1_700_000_000_123)), "web: down"));
        assert_eq!((read_line("cut off").time, read_line("cut off").text.as_str()), (None, "cut off"));
    }

    #[test]
    fn the_log_is_bounded_and_its_lines_have_a_time() {
        let dir = tempfile::tempdir().expect("a directory");
        let paths = Paths::under(dir.path());
        let mut log = DaemonLog::new(&paths, Output::Journal);
        log.open().expect("opened");
        let line = format!("{}\n", "x".repeat(64 * 1024));
        for _ in 0..MAX_SIZE / (64 * 1024) * u64::from(KEPT + 3) {
            log.write(line.as_bytes()).expect("written");
        }
        log.write(format!("{} {:7} last\n", time(Timestamp(0)), Level::Info.word()).as_bytes()).expect("written");
        let size = |name: &str| fs::metadata(paths.logs().join(name)).map(|found| found.len()).ok();
        assert!(size("tetra.log").is_some_and(|size| size <= MAX_SIZE));
        assert!(size(&format!("tetra.log.{KEPT}")).is_some_and(|size| size <= MAX_SIZE));
        assert_eq!(size(&format!("tetra.log.{}", KEPT + 1)), None);
        let text = fs::read_to_string(paths.daemon_log()).expect("read");
        assert!(text.ends_with("1970-01-01T00:00:00.000Z info    last\n"));
    }
}
