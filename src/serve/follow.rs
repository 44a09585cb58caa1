//! Followers of something that goes on, and the form in which it is sent to them (server-sent events).

use hyper::body::Bytes;
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// So many pieces may wait for a follower that reads slower than they come. Then it is cut off, and may come back for the rest.
const QUEUE: usize = 128;

/// What begins every stream: how long to wait before coming back, in milliseconds.
const GREETING: &str = "retry: 1000\n\n";

/// Keeps a connection open through proxies, and detects clients that have disconnected.
pub(super) const KEEP_ALIVE: Bytes = Bytes::from_static(b": still here\n\n");

/// One piece: an event with its id, of a kind of its own or the usual one. `data` is one line.
pub(super) fn frame(kind: Option<&str>, id: Option<&str>, data: &str) -> String {
    let kind = kind.map(|kind| format!("event: {kind}\n")).unwrap_or_default();
    let id = id.map(|id| format!("id: {id}\n")).unwrap_or_default();
    format!("{kind}{id}data: {data}\n\n")
}

/// The ends of a stream; what a new follower has missed goes first.
pub(super) fn open(missed: &str) -> (Sender<Bytes>, Receiver<Bytes>) {
    let (sender, receiver) = channel(QUEUE);
    // The queue is empty, so there is room.
    let _ = sender.try_send(Bytes::from(format!("{GREETING}{missed}")));
    (sender, receiver)
}

/// Sends a piece to all; those that are gone or too slow are dropped.
pub(super) fn send_to_all(followers: &mut Vec<Sender<Bytes>>, piece: &Bytes) {
    followers.retain(|follower| follower.try_send(piece.clone()).is_ok());
}
