//! Work in a thread of its own, while this one shows how far it is and listens to the operator.

use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::Duration;

use super::rollout::OnSaying;
use super::saying::Saying;

/// How much may wait to be shown.
const QUEUE: usize = 64;

/// What comes from work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// It was said of the host with an index.
    Said(usize, Saying),
    /// Nothing new.
    Quiet,
    /// It has ended.
    Over,
}

/// What comes from work, one after the other.
pub struct NewsFeed(Receiver<(usize, Saying)>);

impl NewsFeed {
    /// Waits for what comes next, at most so long.
    #[must_use]
    pub fn next(&self, limit: Duration) -> News {
        match self.0.recv_timeout(limit) {
            Ok((index, saying)) => News::Said(index, saying),
            Err(RecvTimeoutError::Timeout) => News::Quiet,
            Err(RecvTimeoutError::Disconnected) => News::Over,
        }
    }
}

/// Does work in a thread of its own, while `watch` takes what comes from it in this one. What `watch` leaves is dropped.
pub fn watched<R: Send>(work: impl FnOnce(OnSaying) -> R + Send, watch: impl FnOnce(&NewsFeed)) -> R {
    let (sender, receiver) = mpsc::sync_channel(QUEUE);
    std::thread::scope(|scope| {
        let worker = scope.spawn(move || {
            work(&mut |index, saying| {
                let _ = sender.send((index, saying));
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
                    News::Said(index, saying) => seen.push((index, saying)),
                    News::Quiet => {}
                    News::Over => break,
                }
            }
        };
        let said = || Saying::State("x".to_owned());
        let work = |on_saying: OnSaying| {
            (0..200).for_each(|index| on_saying(index, said()));
            7
        };
        assert_eq!(watched(work, watch), 7);
        assert_eq!(seen, (0..200).map(|index| (index, said())).collect::<Vec<_>>());
        assert_eq!(watched(|on_saying: OnSaying| (0..200).for_each(|index| on_saying(index, said())), |_| {}), ());
    }
}
