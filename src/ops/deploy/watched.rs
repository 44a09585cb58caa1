//! Work in a thread of its own, while this one shows how far it is and listens to the operator.

use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::Duration;

use super::rollout::OnText;

/// How many texts may wait to be shown.
const QUEUE: usize = 64;

/// What comes from work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// A text about the host with an index.
    Text(usize, String),
    /// Nothing new.
    Quiet,
    /// It has ended.
    Over,
}

/// What comes from work, one after the other.
pub struct NewsFeed(Receiver<(usize, String)>);

impl NewsFeed {
    /// Waits for what comes next, at most so long.
    #[must_use]
    pub fn next(&self, limit: Duration) -> News {
        match self.0.recv_timeout(limit) {
            Ok((index, text)) => News::Text(index, text),
            Err(RecvTimeoutError::Timeout) => News::Quiet,
            Err(RecvTimeoutError::Disconnected) => News::Over,
        }
    }
}

/// Does work in a thread of its own, while `watch` takes what comes from it in this one. What `watch` leaves is dropped.
pub fn watched<R: Send>(work: impl FnOnce(OnText) -> R + Send, watch: impl FnOnce(&NewsFeed)) -> R {
    let (sender, receiver) = mpsc::sync_channel(QUEUE);
    std::thread::scope(|scope| {
        let worker = scope.spawn(move || {
            work(&mut |index, text| {
                let _ = sender.send((index, text.to_owned()));
            })
        });
        let feed = NewsFeed(receiver);
        watch(&feed);
        drop(feed);
        worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_comes_in_its_order_and_then_the_end() {
        let mut seen = Vec::new();
        let watch = |feed: &NewsFeed| {
            loop {
                match feed.next(Duration::from_secs(60)) {
                    News::Text(index, text) => seen.push((index, text)),
                    News::Quiet => {}
                    News::Over => break,
                }
            }
        };
        let work = |on_text: OnText| {
            (0..200).for_each(|index| on_text(index, "x"));
            7
        };
        assert_eq!(watched(work, watch), 7);
        assert_eq!(seen, (0..200).map(|index| (index, "x".to_owned())).collect::<Vec<_>>());
        assert_eq!(watched(|on_text: OnText| (0..200).for_each(|index| on_text(index, "x")), |_| {}), ());
    }
}
