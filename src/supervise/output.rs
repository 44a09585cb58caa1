//! From a FIFO to its log, by `splice` only: what is written and what leaves the pipe is one step of the kernel, so a SIGKILL
//! at any moment loses, doubles and tears nothing. The size of the log is the truth; a successor goes on at its end.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::io::{Errno, ioctl_fionread};
use rustix::pipe::{SpliceFlags, splice, tee};

use super::bell::Bell;
use super::clock::{Moment, unix_ns};
use super::index::Mark;
use super::meta::Run;
use super::pipe::Room;
use super::rotation;

/// The FIFOs inside a process directory.
pub(super) const OUT: &str = "out";
pub(super) const ERR: &str = "err";

/// Copies in a row before others get their turn.
const ROUNDS: u32 = 16;

/// How much longer than its limit a log may grow while no line ends.
const ENDLESS: u64 = 1024 * 1024;

/// How much is looked through for a line end at a time; what the pipe of the copy holds.
const PEEK: usize = 64 * 1024;

/// The least time between two index records, unless the other stream came in between.
const GRAIN_NS: i64 = 1_000_000;

/// A pause after a copy lets more gather; below the shortest it costs more than it saves.
const SHORTEST_NAP: Duration = Duration::from_micros(30);
const LONGEST_NAP: Duration = Duration::from_micros(1000);

/// How late the end of a pause usually comes at most. What is more is the load of the machine.
const LATE: Duration = Duration::from_micros(200);

/// A log that cannot be written is tried again after this time.
const RETRY: Duration = Duration::from_secs(1);

/// The same once its bytes are thrown away: a child that goes on talking must not wait for each pipe full.
const DISCARD_RETRY: Duration = Duration::from_millis(10);

/// A large pipe is made small again after this time without a byte.
const IDLE: Duration = Duration::from_secs(5);

/// What a turn of copying came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// The FIFO is empty.
    Empty,
    /// There may be more.
    More,
    /// Come back after this time, for more at once.
    Nap(Duration),
    /// The log cannot be written now; try again after this time.
    Stuck(Duration),
}

/// A log that cannot be written.
#[derive(Debug)]
struct Stuck {
    since: Moment,
    why: String,
}

/// One stream of the child.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) fifo: OwnedFd,
    bell: Bell,
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
    room: Room,
    /// When the last copy ended.
    copied_at: Moment,
    /// The pause that was to follow it.
    nap: Duration,
    /// Until then the FIFO is not looked at.
    quiet_until: Option<Moment>,
    /// That the log cannot be written.
    stuck: Option<Stuck>,
    /// How long bytes may wait for the log.
    patience: Duration,
    /// When the pipe may be made small again.
    shrink_at: Option<Moment>,
    last_mark_ns: i64,
    /// The other stream was copied since the last index record.
    pub(super) other_came: bool,
    /// Bytes copied since the start of this supervisor.
    pub(super) copied: u64,
    /// Bytes thrown away since the start of this supervisor.
    pub(super) discarded: u64,
}

impl Stream {
    /// What comes out of `fifo` goes to `log`.
    pub(super) fn new(fifo: OwnedFd, log: &Path, run: &Run) -> Self {
        Self {
            path: log.to_owned(),
            log: None,
            index: None,
            position: 0,
            end: 0,
            limit: if run.log_size == 0 { u64::MAX } else { run.log_size },
            keep: run.log_keep,
            room: Room::of(&fifo),
            bell: Bell::default(),
            copied_at: Moment::now(),
            nap: Duration::ZERO,
            quiet_until: None,
            stuck: None,
            patience: Duration::from_millis(run.log_patience_ms),
            shrink_at: None,
            last_mark_ns: 0,
            other_came: false,
            copied: 0,
            discarded: 0,
            fifo,
        }
    }

    /// Its process has this id, which tells how many an ordinary user may have.
    pub(super) fn be_one_of_many(mut self, id: u32) -> Self {
        self.room.be_one_of_many(&self.fifo, id);
        self
    }

    /// The child writes to `fifo` instead.
    pub(super) fn follow(&mut self, fifo: OwnedFd) {
        self.room = Room::of(&fifo);
        self.bell = Bell::default();
        self.fifo = fifo;
    }

    /// Sees to it that the next byte is heard of. False when one is there already.
    pub(super) fn listen(&mut self) -> bool {
        if self.quiet_until.is_some() || self.bell.is_set() {
            return true;
        }
        if self.has_bytes() {
            return false;
        }
        if self.bell.set(&self.fifo).is_err() {
            self.quiet_until = Some(Moment::now().after(RETRY));
        }
        // One may have come just before.
        !self.has_bytes()
    }

    /// True when there is something to copy, now.
    pub(super) fn has_bytes(&self) -> bool {
        self.quiet_until.is_none() && ioctl_fionread(&self.fifo).is_ok_and(|length| length > 0)
    }

    /// When something must be done though no byte came.
    pub(super) fn deadline(&self) -> Option<Moment> {
        [self.quiet_until, self.shrink_at].into_iter().flatten().min()
    }

    /// Does what was due at [`Stream::deadline`].
    pub(super) fn wake(&mut self, now: Moment) {
        if self.shrink_at.is_some_and(|at| at <= now) {
            self.room.shrink(&self.fifo);
            self.shrink_at = self.room.is_large().then(|| now.after(IDLE));
        }
        if self.quiet_until.is_some_and(|at| at <= now) {
            self.quiet_until = None;
        }
    }

    /// Copies for one turn.
    pub(super) fn copy(&mut self) -> Turn {
        self.bell.mute(&self.fifo);
        let turn = self.find_end().and_then(|()| self.copy_rounds());
        let turn = turn.unwrap_or_else(|refused| self.blocked(&refused, Moment::now()));
        match turn {
            Turn::Nap(span) | Turn::Stuck(span) => self.quiet_until = Some(Moment::now().after(span)),
            Turn::Empty | Turn::More => {}
        }
        turn
    }

    /// Copies everything that is in the FIFO now, as at the end of a life. What the log does not take stays.
    pub(super) fn drain(&mut self) -> Turn {
        self.quiet_until = None;
        // Twice what a FIFO can hold: whoever writes faster than we copy must not keep us here.
        for _ in 0..2 * ROUNDS {
            match self.copy() {
                Turn::More | Turn::Nap(_) => self.quiet_until = None,
                turn @ (Turn::Empty | Turn::Stuck(_)) => return turn,
            }
        }
        Turn::More
    }

    /// Throws away what is in the FIFO and counts it.
    pub(super) fn discard(&mut self) {
        let Ok(null) = File::options().write(true).open("/dev/null") else { return };
        while let Ok(n @ 1..) = splice(&self.fifo, None, &null, None, self.room.size, SpliceFlags::NONBLOCK) {
            self.discarded += n as u64;
        }
    }

    /// Opens the log, anew if somebody moved or removed it; its index follows with the next record.
    pub(super) fn reopen(&mut self) -> io::Result<()> {
        rotation::mend(&self.path, self.keep)?;
        let log = rotation::open_log(&self.path)?;
        self.end = log.metadata()?.len();
        // Where no older log is kept, what was counted here is all that is known.
        self.position = rotation::position(&self.path, 0)?.max(self.position);
        self.log = Some(log);
        self.index = None;
        self.last_mark_ns = 0;
        Ok(())
    }

    /// Makes what the log holds a part of its own, also in the middle of a line. An empty log stays.
    pub(super) fn rotate(&mut self) -> io::Result<()> {
        self.find_end()?;
        if self.end == 0 {
            return Ok(());
        }
        self.begin_another(self.keep.max(1))
    }

    /// Makes the log an older one, of which `keep` stay, and begins another.
    fn begin_another(&mut self, keep: u32) -> io::Result<()> {
        rotation::rotate(&self.path, keep)?;
        self.position += self.end;
        self.reopen()
    }

    /// The end of the log may have moved: cut by hand, or removed.
    fn find_end(&mut self) -> io::Result<()> {
        let Some(log) = &self.log else { return self.reopen() };
        let found = log.metadata()?;
        if found.nlink() == 0 {
            return self.reopen();
        }
        if found.len() < self.end {
            rotation::open_index(&self.path, 0)?.set_len(0)?;
            self.index = None;
            self.last_mark_ns = 0;
        }
        self.end = found.len();
        Ok(())
    }

    fn copy_rounds(&mut self) -> io::Result<Turn> {
        for _ in 0..ROUNDS {
            if self.end >= self.limit {
                if !self.finish_line()? {
                    return Ok(Turn::Empty);
                }
                continue;
            }
            let left = usize::try_from(self.limit - self.end).unwrap_or(usize::MAX);
            let gathered = Moment::now().since(self.copied_at);
            let n = match self.take(left.min(self.room.size))? {
                0 => return Ok(Turn::Empty),
                n => n,
            };
            let late = gathered.saturating_sub(self.nap).min(LATE);
            self.nap = nap(gathered, n, self.room.size).saturating_sub(late);
            if n < left && self.nap >= SHORTEST_NAP {
                return Ok(Turn::Nap(self.nap));
            }
            self.nap = Duration::ZERO;
        }
        Ok(Turn::More)
    }

    /// Moves at most `length` bytes from the FIFO to the log; 0 when it is empty.
    fn take(&mut self, length: usize) -> io::Result<usize> {
        let mut at = self.end;
        let Some(log) = &self.log else { return Ok(0) };
        let n = match splice(&self.fifo, None, log, Some(&mut at), length, SpliceFlags::NONBLOCK) {
            Ok(n) => n,
            Err(Errno::AGAIN | Errno::INTR) => 0,
            Err(errno) => return Err(errno.into()),
        };
        if n > 0 {
            self.stuck = None;
            self.mark();
            self.end += n as u64;
            self.copied += n as u64;
            self.copied_at = Moment::now();
            if n >= self.room.size / 2 {
                self.room.grow(&self.fifo, self.path.parent().unwrap_or(Path::new("")));
            }
            if self.room.is_large() {
                self.shrink_at = Some(self.copied_at.after(IDLE));
            }
        }
        Ok(n)
    }

    /// Records when the bytes at the end of the log came.
    fn mark(&mut self) {
        let unix_ns = unix_ns();
        if self.other_came || unix_ns - self.last_mark_ns >= GRAIN_NS || unix_ns < self.last_mark_ns {
            self.last_mark_ns = unix_ns;
            self.other_came = false;
            if self.index.is_none() {
                self.index = rotation::open_index(&self.path, self.position).ok();
            }
            if let Some(index) = &mut self.index {
                // An index that cannot be written costs the time of these bytes, not the bytes.
                let _ = index.write_all(&Mark { offset: self.end, unix_ns }.encode());
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
        if ended || self.end >= self.limit.saturating_add(ENDLESS) {
            self.begin_another(self.keep)?;
            return Ok(true);
        }
        let endless = self.limit.saturating_add(ENDLESS) - self.end;
        let length = peek(&self.fifo)?.min(usize::try_from(endless).unwrap_or(PEEK));
        Ok(length > 0 && self.take(length)? > 0)
    }

    /// Why the log cannot be written, in words; empty if it can.
    pub(super) fn refusal(&self) -> &str {
        self.stuck.as_ref().map_or("", |stuck| &stuck.why)
    }

    /// The log refused. Nothing was consumed; after a while the child matters more than its words.
    fn blocked(&mut self, refused: &io::Error, now: Moment) -> Turn {
        let stuck = self.stuck.get_or_insert_with(|| Stuck { since: now, why: refused.to_string() });
        if now.since(stuck.since) < self.patience {
            return Turn::Stuck(RETRY);
        }
        let before = self.discarded;
        self.discard();
        Turn::Stuck(if self.discarded > before { DISCARD_RETRY } else { RETRY })
    }
}

/// The pause after which a pipe of `size` should be half full, when `length` bytes came in the time `gathered`.
///
/// It depends on nothing older, so one turn that came late, or one burst, spoils no more than one pause. A pipe that was found
/// full says only that its writer is faster: the pause is halved until it is not.
fn nap(gathered: Duration, length: usize, size: usize) -> Duration {
    let half = u32::try_from(size / 2).unwrap_or(u32::MAX);
    let length = u32::try_from(length).unwrap_or(u32::MAX).max(1);
    (gathered.min(Duration::from_secs(1)) * half / length).min(LONGEST_NAP)
}

/// How many bytes of what is in the FIFO belong to the line that ends first; all of a look when none ends; 0 when it is empty.
fn peek(fifo: &OwnedFd) -> io::Result<usize> {
    let (mut copy, into) = io::pipe()?;
    let seen = match tee(fifo, &into, PEEK, SpliceFlags::NONBLOCK) {
        Ok(seen) => seen,
        Err(Errno::AGAIN | Errno::INTR) => return Ok(0),
        Err(errno) => return Err(errno.into()),
    };
    drop(into);
    let mut piece = [0; 4096];
    let mut before = 0;
    loop {
        match copy.read(&mut piece)? {
            0 => return Ok(seen),
            n => match piece[..n].iter().position(|byte| *byte == b'\n') {
                Some(at) => return Ok(before + at + 1),
                None => before += n,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use nix::sys::signal::{SigHandler, Signal, signal};
    use rustix::fs::{OFlags, fcntl_getfl};

    use super::*;
    use crate::supervise::pipe;

    fn stream(dir: &Path, run: &Run) -> (Stream, File) {
        let fifo = pipe::open(&dir.join("out")).expect("a fifo");
        let writer = File::from(fifo.try_clone().expect("another end"));
        (Stream::new(fifo, &dir.join("current.out"), run), writer)
    }

    #[test]
    fn goes_on_at_the_end_of_what_is_there() {
        let dir = tempfile::tempdir().expect("a directory");
        let log = dir.path().join("current.out");
        std::fs::write(&log, "before\n").expect("a log");
        let (mut stream, mut writer) = stream(dir.path(), &Run::default());
        writer.write_all(b"after\n").expect("written");
        assert_eq!(stream.drain(), Turn::Empty);
        assert_eq!(std::fs::read_to_string(&log).expect("a log"), "before\nafter\n");
    }

    #[test]
    fn a_log_that_cannot_be_written_takes_nothing_and_later_all() {
        let dir = tempfile::tempdir().expect("a directory");
        let log = dir.path().join("current.out");
        let (mut stream, mut writer) = stream(dir.path(), &Run::default());
        // A descriptor for reading only stands for a disk that takes nothing.
        std::fs::write(&log, "").expect("a log");
        stream.log = Some(File::open(&log).expect("a log"));
        writer.write_all(b"kept\n").expect("written");
        assert_eq!((stream.copy(), stream.has_bytes()), (Turn::Stuck(RETRY), false));
        assert_eq!((stream.copy(), stream.discarded), (Turn::Stuck(RETRY), 0));
        assert_eq!(stream.refusal(), "Bad file descriptor (os error 9)");

        stream.reopen().expect("a log");
        assert_eq!(stream.drain(), Turn::Empty);
        assert_eq!(std::fs::read_to_string(&log).expect("a log"), "kept\n");
        assert_eq!((stream.discarded, stream.refusal()), (0, ""));
    }

    #[test]
    fn after_its_patience_it_throws_away_and_counts() {
        let dir = tempfile::tempdir().expect("a directory");
        let (mut stream, mut writer) = stream(dir.path(), &Run::default());
        writer.write_all(b"lost\n").expect("written");
        let (now, patience) = (Moment::now(), Duration::from_secs(60));
        let full = io::Error::from_raw_os_error(libc::ENOSPC);
        stream.blocked(&full, now);
        assert_eq!(stream.blocked(&full, now.after(patience - RETRY)), Turn::Stuck(RETRY));
        assert_eq!(stream.discarded, 0);
        assert_eq!(stream.blocked(&full, now.after(patience)), Turn::Stuck(DISCARD_RETRY));
        assert_eq!(stream.discarded, 5);
        assert_eq!(stream.blocked(&full, now.after(patience)), Turn::Stuck(RETRY), "the child is silent");
    }

    #[test]
    fn a_pause_fills_half_of_the_pipe_whatever_came_before() {
        const MS: Duration = Duration::from_millis(1);
        let size = pipe::LARGE;
        assert_eq!(nap(MS / 4, size / 4, size), MS / 2);
        assert_eq!(nap(MS / 2, size, size), MS / 4);
        // A trickle, a first line after hours, and a turn that came late because others had the processor.
        for (gathered, length) in [(MS, 100), (MS * 3_600_000, 100), (MS * 40, size)] {
            assert_eq!(nap(gathered, length, size), LONGEST_NAP);
        }
        assert!(nap(Duration::ZERO, 4096, size) < SHORTEST_NAP);
    }

    #[test]
    fn the_first_byte_rings_and_the_others_do_not() {
        // SAFETY: ignoring runs no code. Nobody takes the signal here, as a worker does.
        unsafe { signal(Signal::SIGIO, SigHandler::SigIgn) }.expect("ignored");
        let dir = tempfile::tempdir().expect("a directory");
        let (mut stream, mut writer) = stream(dir.path(), &Run::default());
        let rings = |stream: &Stream| fcntl_getfl(&stream.fifo).expect("flags").contains(OFlags::ASYNC);
        assert!(stream.listen() && rings(&stream));
        writer.write_all(b"x\n").expect("written");
        assert!(stream.has_bytes());
        assert!(matches!(stream.copy(), Turn::Nap(_)) && !rings(&stream));
        writer.write_all(b"y\n").expect("written");
        assert!(stream.listen() && !rings(&stream), "in the pause nobody listens");
        assert_eq!(stream.drain(), Turn::Empty);
        assert!(stream.listen() && rings(&stream));
    }

    #[test]
    fn a_flood_makes_the_pipe_large_and_silence_small_again() {
        // Only below a directory that is closed to others a user who is not root has large pipes.
        let closed = std::os::unix::fs::PermissionsExt::from_mode(0o700);
        let home = tempfile::Builder::new().permissions(closed).tempdir().expect("a directory");
        let dir = home.path().join("processes/p");
        std::fs::create_dir_all(&dir).expect("directories");
        let (mut stream, mut writer) = stream(&dir, &Run::default());
        assert!(!stream.room.is_large());
        writer.write_all(&[b'x'; pipe::SMALL / 2]).expect("written");
        stream.copy();
        assert_eq!(stream.room.size, pipe::LARGE);
        stream.wake(Moment::now().after(IDLE));
        assert!(!stream.room.is_large() && stream.shrink_at.is_none());
    }
}
