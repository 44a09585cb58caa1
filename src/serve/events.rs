//! What happens to processes, as it happens: to followers, and counted for `/metrics`.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use hyper::body::Bytes;
use tokio::sync::mpsc::{Receiver, Sender};

use super::follow::{self, KEEP_ALIVE, frame};
use crate::supervise::events::{Event, EventKind, EventReader};
use crate::supervise::meta::{ExitStatus, StopCause};
use crate::sys::os_host::wall_clock;
use crate::sys::signal;
use crate::tsm::exit_text::cause_text;

/// So many events are kept for followers that come back.
const KEPT: usize = 1024;

/// How often each process ended, by name and reason.
pub(super) type Exits = BTreeMap<(String, &'static str), u64>;

/// The events since this server was started.
pub(super) struct EventFeed {
    state: Mutex<StreamState>,
    /// Ids of another server mean nothing here.
    server: u64,
}

#[derive(Default)]
struct StreamState {
    /// The number of the next event.
    next: u64,
    /// The last events with their numbers.
    kept: VecDeque<(u64, String)>,
    followers: Vec<Sender<Bytes>>,
    exits: Exits,
    is_closed: bool,
}

impl EventFeed {
    /// Begins to read events below `dir`, in a thread that ends with the program.
    pub(super) fn start(dir: &Path) -> (Arc<Self>, io::Result<()>) {
        let feed = Arc::new(Self { state: Mutex::default(), server: wall_clock().0 });
        let reading = EventReader::open(dir).and_then(|mut reader| {
            let feed = Arc::clone(&feed);
            let read = move || {
                while signal::wait_readable(reader.as_fd()) {
                    let Ok(batch) = reader.read() else { break };
                    feed.take(batch.events, batch.lost);
                }
            };
            thread::Builder::new().name("events".to_owned()).spawn(read).map(drop)
        });
        (feed, reading)
    }

    fn lock(&self) -> MutexGuard<'_, StreamState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, events: Vec<Event>, lost: bool) {
        let mut state = self.lock();
        for event in events {
            if let EventKind::Exited { status, cause, .. } = &event.kind {
                *state.exits.entry((event.name.clone(), reason(*status, *cause))).or_default() += 1;
            }
            let Ok(data) = serde_json::to_string(&event) else { continue };
            let number = state.next;
            state.next += 1;
            let piece = frame(None, Some(&format!("{}-{number}", self.server)), &data);
            state.kept.push_back((number, piece.clone()));
            if state.kept.len() > KEPT {
                state.kept.pop_front();
            }
            follow::send_to_all(&mut state.followers, &Bytes::from(piece));
        }
        if lost {
            follow::send_to_all(&mut state.followers, &Bytes::from(lost_frame()));
        }
    }

    /// A stream of what comes, and of what came after the event with the id `last`.
    pub(super) fn follow(&self, last: Option<&str>) -> Receiver<Bytes> {
        let mut state = self.lock();
        let missed = last.map(|last| state.after(self.server, last)).unwrap_or_default();
        let (sender, receiver) = follow::open(&missed);
        if !state.is_closed {
            state.followers.push(sender);
        }
        receiver
    }

    /// Finds out who is still there.
    pub(super) fn keep_alive(&self) {
        follow::send_to_all(&mut self.lock().followers, &KEEP_ALIVE);
    }

    /// Ends all streams.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.is_closed = true;
        state.followers.clear();
    }

    /// How often the processes ended since this server was started.
    pub(super) fn exits(&self) -> Exits {
        self.lock().exits.clone()
    }

    /// Forgets the exits of processes that are gone.
    pub(super) fn keep_exits_of(&self, is_there: impl Fn(&str) -> bool) {
        self.lock().exits.retain(|(name, _), _| is_there(name));
    }
}

impl StreamState {
    /// What came after an event, and that something was lost if that is not known.
    fn after(&self, server: u64, last: &str) -> String {
        let number = last.split_once('-').filter(|(of, _)| of.parse() == Ok(server));
        let number = number.and_then(|(_, number)| number.parse::<u64>().ok()).filter(|number| *number < self.next);
        let first = self.kept.front().map_or(self.next, |(number, _)| *number);
        match number {
            Some(number) if number + 1 >= first => {
                self.kept.iter().filter(|(it, _)| *it > number).map(|(_, piece)| piece.as_str()).collect()
            }
            _ => lost_frame(),
        }
    }
}

fn lost_frame() -> String {
    frame(Some("lost"), None, "{}")
}

/// Why a process ended, in one of a few words.
fn reason(status: ExitStatus, cause: Option<StopCause>) -> &'static str {
    match (cause, status) {
        (Some(cause), _) => cause_text(cause),
        (None, ExitStatus::Code(0)) => "success",
        (None, ExitStatus::Code(_)) => "failure",
        (None, ExitStatus::Signal(_) | ExitStatus::Core(_)) => "killed",
        (None, ExitStatus::NotRun(_) | ExitStatus::Hook(_)) => "not-started",
        (None, ExitStatus::Unknown) => "unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(name: &str, kind: EventKind) -> Event {
        Event { v: 1, at_ms: 5, id: 0, name: name.to_owned(), pid: 7, kind }
    }

    fn feed() -> EventFeed {
        EventFeed { state: Mutex::default(), server: 42 }
    }

    fn waiting(receiver: &mut Receiver<Bytes>) -> String {
        let mut text = String::new();
        while let Ok(piece) = receiver.try_recv() {
            text.push_str(std::str::from_utf8(&piece).expect("text"));
        }
        text
    }

    #[test]
    fn a_follower_that_comes_back_gets_what_it_missed() {
        let feed = feed();
        let mut first = feed.follow(None);
        feed.take((0..3).map(|_| event("api", EventKind::Ready)).collect(), false);
        let text = waiting(&mut first);
        assert!(text.starts_with("retry: 1000\n\nid: 42-0\ndata: {\"v\":1,\"at_ms\":5,"), "{text}");
        assert_eq!(text.matches("\nid: 42-").count(), 3);
        assert_eq!(waiting(&mut feed.follow(Some("42-1"))).matches("id: ").count(), 1);
        assert_eq!(waiting(&mut feed.follow(Some("42-2"))), "retry: 1000\n\n");
        for unknown in ["42-3", "41-1", "nonsense", ""] {
            assert_eq!(
                waiting(&mut feed.follow(Some(unknown))),
                "retry: 1000\n\nevent: lost\ndata: {}\n\n",
                "{unknown}"
            );
        }
        feed.take((0..KEPT).map(|_| event("api", EventKind::Ready)).collect(), false);
        assert!(waiting(&mut feed.follow(Some("42-1"))).contains("event: lost"));
    }

    #[test]
    fn one_that_does_not_read_is_cut_off() {
        let feed = feed();
        let mut slow = feed.follow(None);
        feed.take((0..1000).map(|_| event("api", EventKind::Ready)).collect(), true);
        assert!(feed.lock().followers.is_empty());
        assert!(waiting(&mut slow).matches("id: ").count() > 100);
        feed.close();
        assert!(feed.follow(None).try_recv().is_ok() && feed.lock().followers.is_empty(), "a stream that ends");
    }

    #[test]
    fn exits_are_counted_by_reason() {
        let feed = feed();
        let exit = |status, cause| event("api", EventKind::Exited { status, uptime_ms: 1, cause });
        feed.take(
            vec![
                exit(ExitStatus::Code(3), None),
                exit(ExitStatus::Code(4), None),
                exit(ExitStatus::Signal(15), Some(StopCause::Operator)),
            ],
            false,
        );
        let exits: Vec<_> = feed.exits().into_iter().map(|((name, reason), count)| (name, reason, count)).collect();
        assert_eq!(exits, [("api".to_owned(), "failure", 2), ("api".to_owned(), "operator", 1)]);
        feed.keep_exits_of(|_| false);
        assert!(feed.exits().is_empty());
    }
}
