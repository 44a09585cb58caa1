//! From a FIFO to its log, by `splice` only: what is written and what leaves the pipe is one step of the kernel, so a SIGKILL
//! at any moment loses, doubles and tears nothing. The size of the log is the truth; a successor goes on at its end.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::io::{Errno, ioctl_fionread};
use rustix::pipe::{SpliceFlags, splice};

use super::clock::{MonotonicTime, unix_ns};
use super::index::IndexEntry;
use super::meta::RunSpec;
use super::pipe::{self, PEEK_SIZE, PipeBuffer};
use super::rotation;
use super::sigio::SigioNotifier;

/// The FIFOs inside a process directory.
pub(super) const OUT: &str = "out";
pub(super) const ERR: &str = "err";

/// Copies in a row before others get their turn.
const COPIES_PER_TURN: u32 = 16;

/// How much longer than its limit a log may grow while no line ends.
const MAX_UNTERMINATED_LINE: u64 = 1024 * 1024;

/// The least time between two index records, unless the other stream came in between.
const INDEX_RESOLUTION_NS: i64 = 1_000_000;

/// A pause after a copy lets more gather; below the shortest it costs more than it saves.
const MIN_BATCH_DELAY: Duration = Duration::from_micros(30);
const MAX_BATCH_DELAY: Duration = Duration::from_micros(1000);

/// How late the end of a pause usually comes at most. What is more is the load of the machine.
const MAX_LATENESS: Duration = Duration::from_micros(200);

/// A log that cannot be written is tried again after this time.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);

/// The same once its bytes are thrown away: a child that goes on talking must not wait for each pipe full.
const DISCARD_RETRY_INTERVAL: Duration = Duration::from_millis(10);

/// A large pipe is made small again after this time without a byte.
const SHRINK_AFTER: Duration = Duration::from_secs(5);

/// What a turn of copying came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CopyStatus {
    /// The FIFO is empty.
    Empty,
    /// There may be more.
    More,
    /// Come back after this time, for more at once.
    Batch(Duration),
    /// The log cannot be written now; try again after this time.
    WriteFailed(Duration),
}

/// A log that cannot be written.
#[derive(Debug)]
struct WriteError {
    since: MonotonicTime,
    reason: String,
}

/// One stream of the child.
#[derive(Debug)]
pub(super) struct LogStream {
    pub(super) fifo: OwnedFd,
    notifier: SigioNotifier,
    path: PathBuf,
    /// Opened with the first byte, or when there is time for it.
    log: Option<File>,
    /// Opened with the first record.
    index: Option<File>,
    /// How many bytes the stream had before this log.
    position: u64,
    /// The end of the log, where the next byte goes.
    end: u64,
    limit: u64,
    keep: u32,
    buffer: PipeBuffer,
    /// When the last copy ended.
    copied_at: MonotonicTime,
    /// The pause that was to follow it.
    batch_delay: Duration,
    /// Until then the FIFO is not looked at.
    paused_until: Option<MonotonicTime>,
    /// That the log cannot be written.
    failure: Option<WriteError>,
    /// How long bytes may wait for the log.
    discard_after: Duration,
    /// When the pipe may be made small again.
    shrink_at: Option<MonotonicTime>,
    last_index_ns: i64,
    /// The other stream was copied since the last index record.
    pub(super) other_stream_wrote: bool,
    /// It was rotated, and no reader of events was informed yet.
    pub(super) rotated: bool,
    /// Bytes copied since the start of this supervisor.
    pub(super) copied: u64,
    /// Bytes thrown away since the start of this supervisor.
    pub(super) discarded: u64,
}

impl LogStream {
    /// What comes out of `fifo` goes to `log`.
    pub(super) fn new(fifo: OwnedFd, log: &Path, run: &RunSpec) -> Self {
        Self {
            path: log.to_owned(),
            log: None,
            index: None,
            position: 0,
            end: 0,
            limit: if run.log_size == 0 { u64::MAX } else { run.log_size },
            keep: run.log_keep,
            buffer: PipeBuffer::of(&fifo),
            notifier: SigioNotifier::default(),
            copied_at: MonotonicTime::now(),
            batch_delay: Duration::ZERO,
            paused_until: None,
            failure: None,
            discard_after: Duration::from_millis(run.log_patience_ms),
            shrink_at: None,
            last_index_ns: 0,
            other_stream_wrote: false,
            rotated: false,
            copied: 0,
            discarded: 0,
            fifo,
        }
    }

    /// Its process has this id, from which the limit of an ordinary user follows.
    pub(super) fn limit_pipe_size(mut self, id: u32) -> Self {
        self.buffer.limit_size(&self.fifo, id);
        self
    }

    /// The child writes to `fifo` instead.
    pub(super) fn switch_fifo(&mut self, fifo: OwnedFd) {
        self.buffer = PipeBuffer::of(&fifo);
        self.notifier = SigioNotifier::default();
        self.fifo = fifo;
    }

    /// Requests a notification for the next byte. False when one is there already.
    pub(super) fn arm_notification(&mut self) -> bool {
        if self.paused_until.is_some() || self.notifier.is_armed() {
            return true;
        }
        if self.has_bytes() {
            return false;
        }
        if self.notifier.arm(&self.fifo).is_err() {
            self.paused_until = Some(MonotonicTime::now().plus(RETRY_INTERVAL));
        }
        // One may have come just before.
        !self.has_bytes()
    }

    /// True when there is something to copy, now.
    pub(super) fn has_bytes(&self) -> bool {
        self.paused_until.is_none() && ioctl_fionread(&self.fifo).is_ok_and(|length| length > 0)
    }

    /// When something must be done though no byte came.
    pub(super) fn deadline(&self) -> Option<MonotonicTime> {
        [self.paused_until, self.shrink_at].into_iter().flatten().min()
    }

    /// Does what was due at [`LogStream::deadline`].
    pub(super) fn on_deadline(&mut self, now: MonotonicTime) {
        if self.shrink_at.is_some_and(|at| at <= now) {
            self.buffer.shrink(&self.fifo);
            self.shrink_at = self.buffer.is_large().then(|| now.plus(SHRINK_AFTER));
        }
        if self.paused_until.is_some_and(|at| at <= now) {
            self.paused_until = None;
        }
    }

    /// Copies for one turn.
    pub(super) fn copy(&mut self) -> CopyStatus {
        self.notifier.disarm(&self.fifo);
        let turn = self.refresh_end().and_then(|()| self.copy_batches());
        let turn = turn.unwrap_or_else(|refused| self.on_write_error(&refused, MonotonicTime::now()));
        match turn {
            CopyStatus::Batch(span) | CopyStatus::WriteFailed(span) => {
                self.paused_until = Some(MonotonicTime::now().plus(span))
            }
            CopyStatus::Empty | CopyStatus::More => {}
        }
        turn
    }

    /// Copies everything that is in the FIFO now, as at the end of a life. What the log does not take stays.
    pub(super) fn drain(&mut self) -> CopyStatus {
        self.paused_until = None;
        // Twice what a FIFO can hold: a process that writes faster than we copy must not keep us here.
        for _ in 0..2 * COPIES_PER_TURN {
            match self.copy() {
                CopyStatus::More | CopyStatus::Batch(_) => self.paused_until = None,
                turn @ (CopyStatus::Empty | CopyStatus::WriteFailed(_)) => return turn,
            }
        }
        CopyStatus::More
    }

    /// Throws away what is in the FIFO and counts it.
    pub(super) fn discard(&mut self) {
        let Ok(null) = File::options().write(true).open("/dev/null") else { return };
        while let Ok(n @ 1..) = splice(&self.fifo, None, &null, None, self.buffer.size, SpliceFlags::NONBLOCK) {
            self.discarded += n as u64;
        }
    }

    /// Opens the log, anew if it was moved or removed; its index follows with the next record.
    pub(super) fn reopen(&mut self) -> io::Result<()> {
        rotation::finish_interrupted_rotation(&self.path, self.keep)?;
        let log = rotation::open_log(&self.path)?;
        self.end = log.metadata()?.len();
        // Where no older log is kept, what was counted here is all that is known.
        self.position = rotation::position(&self.path, 0)?.max(self.position);
        self.log = Some(log);
        self.index = None;
        self.last_index_ns = 0;
        Ok(())
    }

    /// Makes what the log holds a part of its own, also in the middle of a line. An empty log stays.
    pub(super) fn rotate(&mut self) -> io::Result<()> {
        self.refresh_end()?;
        if self.end == 0 {
            return Ok(());
        }
        self.start_next_log(self.keep.max(1))
    }

    /// Makes the log an older one, of which `keep` stay, and begins another.
    fn start_next_log(&mut self, keep: u32) -> io::Result<()> {
        rotation::rotate(&self.path, keep)?;
        self.rotated = true;
        self.position += self.end;
        self.reopen()
    }

    /// The end of the log may have moved: cut by hand, or removed.
    fn refresh_end(&mut self) -> io::Result<()> {
        let Some(log) = &self.log else { return self.reopen() };
        let found = log.metadata()?;
        if found.nlink() == 0 {
            return self.reopen();
        }
        if found.len() < self.end {
            rotation::open_index(&self.path, 0)?.set_len(0)?;
            self.index = None;
            self.last_index_ns = 0;
        }
        self.end = found.len();
        Ok(())
    }

    fn copy_batches(&mut self) -> io::Result<CopyStatus> {
        for _ in 0..COPIES_PER_TURN {
            if self.end >= self.limit {
                if !self.finish_line()? {
                    return Ok(CopyStatus::Empty);
                }
                continue;
            }
            let left = usize::try_from(self.limit - self.end).unwrap_or(usize::MAX);
            let gathered = MonotonicTime::now().duration_since(self.copied_at);
            let n = match self.splice_to_log(left.min(self.buffer.size))? {
                0 => return Ok(CopyStatus::Empty),
                n => n,
            };
            let late = gathered.saturating_sub(self.batch_delay).min(MAX_LATENESS);
            self.batch_delay = batch_delay(gathered, n, self.buffer.size).saturating_sub(late);
            if n < left && self.batch_delay >= MIN_BATCH_DELAY {
                return Ok(CopyStatus::Batch(self.batch_delay));
            }
            self.batch_delay = Duration::ZERO;
        }
        Ok(CopyStatus::More)
    }

    /// Moves at most `length` bytes from the FIFO to the log; 0 when it is empty.
    fn splice_to_log(&mut self, length: usize) -> io::Result<usize> {
        let mut at = self.end;
        let Some(log) = &self.log else { return Ok(0) };
        let n = match splice(&self.fifo, None, log, Some(&mut at), length, SpliceFlags::NONBLOCK) {
            Ok(n) => n,
            Err(Errno::AGAIN | Errno::INTR) => 0,
            Err(errno) => return Err(errno.into()),
        };
        if n > 0 {
            self.failure = None;
            self.write_index_entry();
            self.end += n as u64;
            self.copied += n as u64;
            self.copied_at = MonotonicTime::now();
            if n >= self.buffer.size / 2 {
                self.buffer.grow(&self.fifo, self.path.parent().unwrap_or(Path::new("")));
            }
            if self.buffer.is_large() {
                self.shrink_at = Some(self.copied_at.plus(SHRINK_AFTER));
            }
        }
        Ok(n)
    }

    /// Records when the bytes at the end of the log came.
    fn write_index_entry(&mut self) {
        let unix_ns = unix_ns();
        if self.other_stream_wrote
            || unix_ns - self.last_index_ns >= INDEX_RESOLUTION_NS
            || unix_ns < self.last_index_ns
        {
            self.last_index_ns = unix_ns;
            self.other_stream_wrote = false;
            if self.index.is_none() {
                self.index = rotation::open_index(&self.path, self.position).ok();
            }
            if let Some(index) = &mut self.index {
                // An index that cannot be written costs the time of these bytes, not the bytes.
                let _ = index.write_all(&IndexEntry { offset: self.end, unix_ns }.encode());
            }
        }
    }

    /// The log is full: copies up to the next line end and rotates. False when the FIFO is empty before one came.
    fn finish_line(&mut self) -> io::Result<bool> {
        // A log is not rotated before there is something for the next one.
        if ioctl_fionread(&self.fifo)? == 0 {
            return Ok(false);
        }
        let mut last = [0];
        let log = self.log.as_ref().filter(|_| self.end > 0);
        let ended = log.map_or(Ok(0), |log| log.read_at(&mut last, self.end - 1))? == 1 && last == *b"\n";
        if ended || self.end >= self.limit.saturating_add(MAX_UNTERMINATED_LINE) {
            self.start_next_log(self.keep)?;
            return Ok(true);
        }
        let endless = self.limit.saturating_add(MAX_UNTERMINATED_LINE) - self.end;
        let length = pipe::first_line_len(&self.fifo)?.min(usize::try_from(endless).unwrap_or(PEEK_SIZE));
        Ok(length > 0 && self.splice_to_log(length)? > 0)
    }

    /// The name of the log: `current.out`.
    pub(super) fn name(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// Why the log cannot be written, in words; empty if it can.
    pub(super) fn write_error(&self) -> &str {
        self.failure.as_ref().map_or("", |stuck| &stuck.reason)
    }

    /// The log refused. Nothing was consumed; after a while the child matters more than its words.
    fn on_write_error(&mut self, refused: &io::Error, now: MonotonicTime) -> CopyStatus {
        let stuck = self.failure.get_or_insert_with(|| WriteError { since: now, reason: refused.to_string() });
        if now.duration_since(stuck.since) < self.discard_after {
            return CopyStatus::WriteFailed(RETRY_INTERVAL);
        }
        let before = self.discarded;
        self.discard();
        CopyStatus::WriteFailed(if self.discarded > before { DISCARD_RETRY_INTERVAL } else { RETRY_INTERVAL })
    }
}

/// The pause after which a pipe of `size` should be half full, when `length` bytes came in the time `gathered`.
///
/// It depends on nothing older, so one turn that came late, or one burst, spoils no more than one pause. A pipe that was found
/// full says only that its writer is faster: the pause is halved until it is not.
fn batch_delay(gathered: Duration, length: usize, size: usize) -> Duration {
    let half = u32::try_from(size / 2).unwrap_or(u32::MAX);
    let length = u32::try_from(length).unwrap_or(u32::MAX).max(1);
    (gathered.min(Duration::from_secs(1)) * half / length).min(MAX_BATCH_DELAY)
}

#[cfg(test)]
mod tests {
    use nix::sys::signal::{SigHandler, Signal, signal};
    use rustix::fs::{OFlags, fcntl_getfl};

    use super::*;

    fn stream(dir: &Path, run: &RunSpec) -> (LogStream, File) {
        let fifo = pipe::open(&dir.join("out")).expect("a fifo");
        let writer = File::from(fifo.try_clone().expect("another end"));
        (LogStream::new(fifo, &dir.join("current.out"), run), writer)
    }

    #[test]
    fn goes_on_at_the_end_of_what_is_there() {
        let dir = tempfile::tempdir().expect("a directory");
        let log = dir.path().join("current.out");
        std::fs::write(&log, "before\n").expect("a log");
        let (mut stream, mut writer) = stream(dir.path(), &RunSpec::default());
        writer.write_all(b"after\n").expect("written");
        assert_eq!(stream.drain(), CopyStatus::Empty);
        assert_eq!(std::fs::read_to_string(&log).expect("a log"), "before\nafter\n");
    }

    #[test]
    fn a_log_that_cannot_be_written_takes_nothing_and_later_all() {
        let dir = tempfile::tempdir().expect("a directory");
        let log = dir.path().join("current.out");
        let (mut stream, mut writer) = stream(dir.path(), &RunSpec::default());
        // Writes to a read-only descriptor fail, as on a disk that takes nothing.
        std::fs::write(&log, "").expect("a log");
        stream.log = Some(File::open(&log).expect("a log"));
        writer.write_all(b"kept\n").expect("written");
        assert_eq!((stream.copy(), stream.has_bytes()), (CopyStatus::WriteFailed(RETRY_INTERVAL), false));
        assert_eq!((stream.copy(), stream.discarded), (CopyStatus::WriteFailed(RETRY_INTERVAL), 0));
        assert_eq!(stream.write_error(), "Bad file descriptor (os error 9)");

        stream.reopen().expect("a log");
        assert_eq!(stream.drain(), CopyStatus::Empty);
        assert_eq!(std::fs::read_to_string(&log).expect("a log"), "kept\n");
        assert_eq!((stream.discarded, stream.write_error()), (0, ""));
    }

    #[test]
    fn after_its_patience_it_throws_away_and_counts() {
        let dir = tempfile::tempdir().expect("a directory");
        let (mut stream, mut writer) = stream(dir.path(), &RunSpec::default());
        writer.write_all(b"lost\n").expect("written");
        let (now, patience) = (MonotonicTime::now(), Duration::from_secs(60));
        let full = io::Error::from_raw_os_error(libc::ENOSPC);
        stream.on_write_error(&full, now);
        assert_eq!(
            stream.on_write_error(&full, now.plus(patience - RETRY_INTERVAL)),
            CopyStatus::WriteFailed(RETRY_INTERVAL)
        );
        assert_eq!(stream.discarded, 0);
        assert_eq!(stream.on_write_error(&full, now.plus(patience)), CopyStatus::WriteFailed(DISCARD_RETRY_INTERVAL));
        assert_eq!(stream.discarded, 5);
        assert_eq!(
            stream.on_write_error(&full, now.plus(patience)),
            CopyStatus::WriteFailed(RETRY_INTERVAL),
            "the child is silent"
        );
    }

    #[test]
    fn a_pause_fills_half_of_the_pipe_whatever_came_before() {
        const MS: Duration = Duration::from_millis(1);
        let size = pipe::LARGE_SIZE;
        assert_eq!(batch_delay(MS / 4, size / 4, size), MS / 2);
        assert_eq!(batch_delay(MS / 2, size, size), MS / 4);
        // A trickle, a first line after hours, and a turn that came late because others had the processor.
        for (gathered, length) in [(MS, 100), (MS * 3_600_000, 100), (MS * 40, size)] {
            assert_eq!(batch_delay(gathered, length, size), MAX_BATCH_DELAY);
        }
        assert!(batch_delay(Duration::ZERO, 4096, size) < MIN_BATCH_DELAY);
    }

    #[test]
    fn the_first_byte_rings_and_the_others_do_not() {
        // SAFETY: ignoring runs no code. Only a worker handles the signal.
        unsafe { signal(Signal::SIGIO, SigHandler::SigIgn) }.expect("ignored");
        let dir = tempfile::tempdir().expect("a directory");
        let (mut stream, mut writer) = stream(dir.path(), &RunSpec::default());
        let rings = |stream: &LogStream| fcntl_getfl(&stream.fifo).expect("flags").contains(OFlags::ASYNC);
        assert!(stream.arm_notification() && rings(&stream));
        writer.write_all(b"x\n").expect("written");
        assert!(stream.has_bytes());
        assert!(matches!(stream.copy(), CopyStatus::Batch(_)) && !rings(&stream));
        writer.write_all(b"y\n").expect("written");
        assert!(stream.arm_notification() && !rings(&stream), "not armed while paused");
        assert_eq!(stream.drain(), CopyStatus::Empty);
        assert!(stream.arm_notification() && rings(&stream));
    }

    #[test]
    fn a_flood_makes_the_pipe_large_and_silence_small_again() {
        // Only below a directory that is closed to others a user who is not root has large pipes.
        let closed = std::os::unix::fs::PermissionsExt::from_mode(0o700);
        let home = tempfile::Builder::new().permissions(closed).tempdir().expect("a directory");
        let dir = home.path().join("processes/p");
        std::fs::create_dir_all(&dir).expect("directories");
        let (mut stream, mut writer) = stream(&dir, &RunSpec::default());
        assert!(!stream.buffer.is_large());
        writer.write_all(&[b'x'; pipe::DEFAULT_SIZE / 2]).expect("written");
        stream.copy();
        assert_eq!(stream.buffer.size, pipe::LARGE_SIZE);
        stream.on_deadline(MonotonicTime::now().plus(SHRINK_AFTER));
        assert!(!stream.buffer.is_large() && stream.shrink_at.is_none());
    }
}
