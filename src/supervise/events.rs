//! What happens to processes, sent as it happens: the wire form, the sender and the reader.
//!
//! Each reader makes a FIFO of its own in `events`, beside the directory of the process directories. A supervisor or sidecar
//! writes one line of JSON to each FIFO, in one write of at most `MAX_LINE` bytes, which the kernel neither splits nor mixes
//! with others. It never waits: without a reader an event costs one `open` that fails, and an idle supervisor sends nothing.
//!
//! A reader that falls behind loses events, and is informed of that ([`Batch::lost`]). Events say when to look; `meta.json` says
//! what is the case. (Datagrams would serve as well, but the queue of a socket holds ten of them by default, and the address of
//! a socket at most 107 bytes.)

use std::fs::{self, DirBuilder, File};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::fs::{Dir, fstat};
use rustix::pipe::{fcntl_getpipe_size, fcntl_setpipe_size};
use serde::{Deserialize, Serialize};

use crate::disk;

use super::clock;
use super::meta::{ExitStatus, Meta, StopCause};
use super::pipe;

/// The version of the wire form that this program writes.
pub const VERSION: u32 = 1;

/// The directory of the FIFOs, relative to a process directory.
const FROM_PROCESS_DIR: &str = "../../events";

/// The longest line, its end included. Less than `PIPE_BUF`, so that it is written in one piece.
const MAX_LINE: usize = 1024;

/// The longest text within an event, in bytes.
const MAX_TEXT: usize = 256;

/// More readers than this get nothing.
const MAX_READERS: usize = 16;

/// What the FIFO of a reader holds, in bytes, if the system allows it.
const PIPE_SIZE: usize = 256 * 1024;

/// One thing that happened to a process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// [`VERSION`] of the program that sent it.
    pub v: u32,
    /// In milliseconds since 1970.
    pub at_ms: u64,
    /// The TSM id of the process.
    pub id: u32,
    /// The full name of the process.
    pub name: String,
    /// The child that it is about; 0 if there is none.
    pub pid: u32,
    /// What happened.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// The kinds of events, with what belongs to each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum EventKind {
    /// The program was executed.
    Started {
        /// How often it was started before.
        restarts: u32,
    },
    /// The child was asked to end.
    Stopping,
    /// The child ended; the events that follow say what is done about it.
    Exited {
        /// In what way.
        status: ExitStatus,
        /// How long it ran, in milliseconds.
        uptime_ms: u64,
        /// Who asked for it; none if it ended by itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cause: Option<StopCause>,
    },
    /// It is started again after this back-off.
    Restarting {
        /// In milliseconds.
        delay_ms: u64,
    },
    /// It ended, and waits for its next scheduled start or a change of its files.
    Scheduled,
    /// It is stopped: on request, or because it ended with success.
    Stopped,
    /// It failed and is not started again.
    Crashed,
    /// It failed too often in a row and is not started again.
    GaveUp,
    /// Its health check succeeded for the first time since it started.
    Ready,
    /// Its health check succeeds again.
    Healthy,
    /// Its health check failed as often as its threshold allows.
    Unhealthy {
        /// What the last check found, cut to `MAX_TEXT` bytes.
        reason: String,
    },
    /// One of its logs, `current.out` or `current.err`, was rotated.
    Rotated {
        /// The name of the file.
        log: String,
    },
    /// An event of a newer version.
    #[serde(other)]
    Unknown,
}

impl Event {
    /// An event of the process with this record, now.
    #[must_use]
    pub fn now(meta: &Meta, kind: EventKind) -> Self {
        Self { v: VERSION, at_ms: clock::unix_ms(), id: meta.tsm_id, name: meta.name.clone(), pid: meta.pid, kind }
    }

    fn to_line(&self) -> Option<Vec<u8>> {
        let mut line = serde_json::to_vec(self).ok()?;
        line.push(b'\n');
        (line.len() <= MAX_LINE).then_some(line)
    }
}

/// The beginning of a text that has to fit into an event.
#[must_use]
pub fn shorten(text: &str) -> String {
    text[..text.floor_char_boundary(MAX_TEXT)].to_owned()
}

/// Sends an event of the process in `process_dir` to all readers. Nothing is reported: a supervisor does not depend on its readers.
pub fn send(process_dir: &Path, event: &Event) {
    let Ok(dir) = disk::directory(&process_dir.join(FROM_PROCESS_DIR)) else { return };
    // Where another user could make FIFOs, that user would learn what happens here.
    if !fstat(&dir).is_ok_and(|found| found.st_uid == rustix::process::geteuid().as_raw()) {
        return;
    }
    let Ok(entries) = Dir::read_from(&dir) else { return };
    let names = entries.flatten().map(|entry| entry.file_name().to_owned());
    let mut line = None;
    for name in names.filter(|name| !name.to_bytes().starts_with(b".")).take(MAX_READERS) {
        let Ok(name) = name.into_string() else { continue };
        // A FIFO without a reader cannot be opened (ENXIO).
        let Ok(mut fifo) = disk::own_file().fifo().write().open_at(dir.as_fd(), &name) else { continue };
        let Some(line) = line.get_or_insert_with(|| event.to_line()) else { return };
        // A full pipe loses it.
        let _ = fifo.write(line);
    }
}

/// A reader of events.
#[derive(Debug)]
pub struct EventReader {
    fifo: File,
    path: PathBuf,
    /// What the FIFO holds, in bytes.
    size: usize,
    /// The beginning of a line that is not complete.
    rest: Vec<u8>,
}

/// What a reader got at once.
#[derive(Debug, Default)]
pub struct Batch {
    /// In the order in which they were sent; those of different processes in any order.
    pub events: Vec<Event>,
    /// The pipe was nearly full: there may have been more events than these.
    pub lost: bool,
}

impl EventReader {
    /// Begins to read, with a FIFO in the directory `dir`, which is made if need be. Removes FIFOs of readers that have ended.
    ///
    /// # Errors
    ///
    /// Fails if the directory or the FIFO cannot be made.
    pub fn open(dir: &Path) -> io::Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("{}.{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        remove_stale(dir);
        let path = dir.join(name);
        let fifo = File::from(Self::make(dir, &path)?);
        // A smaller pipe is full sooner, that is all.
        let _ = fcntl_setpipe_size(&fifo, PIPE_SIZE);
        let size = fcntl_getpipe_size(&fifo)?;
        Ok(Self { fifo, path, size, rest: Vec::new() })
    }

    /// Another reader that ends may remove the directory meanwhile.
    fn make(dir: &Path, path: &Path) -> io::Result<std::os::fd::OwnedFd> {
        let mut made = Err(io::ErrorKind::NotFound.into());
        for _ in 0..10 {
            DirBuilder::new().mode(0o700).recursive(true).create(dir)?;
            made = pipe::open(path);
            if !made.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
                break;
            }
        }
        made
    }

    /// The events that came since the last call; does not wait. The descriptor is readable when there are any.
    ///
    /// # Errors
    ///
    /// Fails if the FIFO cannot be read.
    pub fn read(&mut self) -> io::Result<Batch> {
        // A line may leave the rest of a page unused, so a pipe can be full before it holds its size.
        let waiting = rustix::io::ioctl_fionread(&self.fifo)?;
        let lost = waiting >= self.size as u64 / 4 * 3;
        let mut bytes = std::mem::take(&mut self.rest);
        let begun = bytes.len();
        bytes.resize(begun + self.size, 0);
        let count = match self.fifo.read(&mut bytes[begun..]) {
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
            Err(error) => return Err(error),
        };
        bytes.truncate(begun + count);
        let end = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        self.rest = bytes.split_off(end);
        let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        Ok(Batch { events: lines.filter_map(|line| serde_json::from_slice(line).ok()).collect(), lost })
    }
}

impl AsFd for EventReader {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fifo.as_fd()
    }
}

impl Drop for EventReader {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
        // The last reader takes the directory away, and then an event costs least.
        let _ = self.path.parent().map(fs::remove_dir);
    }
}

/// Removes the FIFOs of readers that ended without doing so.
fn remove_stale(dir: &Path) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        if !entry.file_type().is_ok_and(|kind| kind.is_fifo()) {
            continue;
        }
        let name = entry.file_name();
        let pid = name.to_str().and_then(|name| name.split('.').next()?.parse::<u32>().ok());
        if pid.is_none_or(|pid| super::proc::ProcessIdentity::of(pid).is_none()) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(kind: EventKind) -> Event {
        Event { v: VERSION, at_ms: 1, id: 3, name: "web-3000".to_owned(), pid: 42, kind }
    }

    /// A process directory below a directory of its own.
    fn process_dir() -> (tempfile::TempDir, PathBuf, PathBuf) {
        let root = tempfile::tempdir().expect("a directory");
        let process = root.path().join("processes/web");
        fs::create_dir_all(&process).expect("a process directory");
        let events = root.path().join("events");
        (root, process, events)
    }

    #[test]
    fn the_wire_form_is_one_line_of_json() {
        let exited = EventKind::Exited { status: ExitStatus::Code(1), uptime_ms: 7, cause: None };
        let line = event(exited.clone()).to_line().expect("short");
        let expected =
            r#"{"v":1,"at_ms":1,"id":3,"name":"web-3000","pid":42,"event":"exited","status":{"code":1},"uptime_ms":7}"#;
        assert_eq!(String::from_utf8_lossy(&line), format!("{expected}\n"));
        assert_eq!(serde_json::from_slice::<Event>(&line).expect("an event"), event(exited));
        let later = line.strip_suffix(b"\n").map(|line| String::from_utf8_lossy(line).replace("exited", "moved"));
        let later: Event = serde_json::from_str(&later.expect("a line")).expect("an event");
        assert_eq!(later.kind, EventKind::Unknown);
    }

    #[test]
    fn every_reader_gets_every_event_in_order() {
        let (_root, process, events) = process_dir();
        send(&process, &event(EventKind::Stopping));
        assert!(!events.exists(), "an event makes no directory");
        let mut readers = [(); 2].map(|()| EventReader::open(&events).expect("a reader"));
        send(&process, &event(EventKind::Ready));
        send(&process, &event(EventKind::Stopped));
        for reader in &mut readers {
            let Batch { events, lost } = reader.read().expect("read");
            assert_eq!((events, lost), (vec![event(EventKind::Ready), event(EventKind::Stopped)], false));
            assert!(reader.read().expect("read").events.is_empty());
        }
        drop(readers);
        assert!(!events.exists(), "the last reader takes the directory away");
    }

    #[test]
    fn a_reader_that_falls_behind_learns_of_it_and_stops_no_sender() {
        let (_root, process, events) = process_dir();
        let mut reader = EventReader::open(&events).expect("a reader");
        let event = event(EventKind::Unhealthy { reason: shorten(&"x".repeat(5000)) });
        for _ in 0..2000 {
            send(&process, &event);
        }
        let first = reader.read().expect("read");
        assert!(first.lost && !first.events.is_empty() && first.events.iter().all(|it| *it == event));
        send(&process, &event);
        assert!(!reader.read().expect("read").lost);
    }

    #[test]
    fn what_a_killed_reader_left_is_removed_by_the_next() {
        let (_root, process, events) = process_dir();
        fs::create_dir_all(&events).expect("a directory");
        let left = events.join(format!("{}.0", u32::MAX));
        drop(pipe::open(&left).expect("a FIFO"));
        send(&process, &event(EventKind::Ready));
        let _reader = EventReader::open(&events).expect("a reader");
        assert!(!left.exists());
    }
}
