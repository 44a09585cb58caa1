//! Many hosts at the same time, at most 32.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::base::sort::SortExt;

/// How many hosts are worked on at the same time. Most of the time is spent on waiting for them.
const AT_ONCE: usize = 32;

/// What goes on is shown again after this, where nothing is said.
const BEAT: Duration = Duration::from_secs(5);

/// How many transitions may wait to be shown.
const QUEUE: usize = 64;

/// Does the same for each, several at a time. The results are in the order of what was given. What the work says is passed on in
/// this thread, with the index of what it is about.
pub fn each<T: Sync, R: Send>(
    all: &[T],
    work: impl Fn(&T, &dyn Fn(&str)) -> R + Sync,
    mut on_text: impl FnMut(usize, &str),
) -> Vec<R> {
    each_saying(all, |one, say| work(one, &|text| say(text.to_owned())), |index, text: String| on_text(index, &text))
}

/// As [`each`], where more than a text is said.
pub fn each_saying<T: Sync, R: Send, S: Send>(
    all: &[T],
    work: impl Fn(&T, &dyn Fn(S)) -> R + Sync,
    mut on_said: impl FnMut(usize, S),
) -> Vec<R> {
    run(all, work, |index, update| {
        if let Update::Said(said) = update {
            on_said(index, said);
        }
    })
}

/// What there is to show of one of many.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Update<S = String> {
    /// The work says so.
    Said(S),
    /// The work has said nothing else for so long, and nothing was said of the others meanwhile.
    Still(Duration),
}

/// As [`each`], and every five seconds in which nothing is said, those that are worked on are shown again.
pub fn each_shown<T: Sync, R: Send>(
    all: &[T],
    work: impl Fn(&T, &dyn Fn(&str)) -> R + Sync,
    on_update: impl FnMut(usize, Update),
) -> Vec<R> {
    run(all, |one, say| work(one, &|text| say(text.to_owned())), on_update)
}

fn run<T: Sync, R: Send, S: Send>(
    all: &[T],
    work: impl Fn(&T, &dyn Fn(S)) -> R + Sync,
    mut on_update: impl FnMut(usize, Update<S>),
) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let results = Mutex::new(Vec::with_capacity(all.len()));
    let (sender, receiver) = mpsc::sync_channel::<(usize, S)>(QUEUE);
    let (next, results, work) = (&next, &results, &work);
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE.min(all.len()) {
            let sender = sender.clone();
            scope.spawn(move || {
                while let index = next.fetch_add(1, Ordering::Relaxed)
                    && let Some(one) = all.get(index)
                {
                    let say = |said: S| {
                        // It can be received until the last of these threads ends.
                        let _ = sender.send((index, said));
                    };
                    let result = work(one, &say);
                    lock(results).push((index, result));
                }
            });
        }
        drop(sender);
        let mut since: Vec<Option<Instant>> = vec![None; all.len()];
        loop {
            match receiver.recv_timeout(BEAT) {
                Ok((index, said)) => {
                    since[index] = Some(Instant::now());
                    on_update(index, Update::Said(said));
                }
                Err(RecvTimeoutError::Timeout) => {
                    let done: Vec<usize> = lock(results).iter().map(|(index, _)| *index).collect();
                    let begun = since.iter().enumerate().filter_map(|(index, since)| Some((index, (*since)?)));
                    begun
                        .filter(|(index, _)| !done.contains(index))
                        .for_each(|(index, since)| on_update(index, Update::Still(since.elapsed())));
                }
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
    });
    let mut results = std::mem::take(&mut *lock(results));
    results.order_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_one_has_its_result_in_its_place() {
        let all: Vec<usize> = (0..100).collect();
        let mut texts = Vec::new();
        let work = |one: &usize, say: &dyn Fn(&str)| {
            say(&one.to_string());
            one * 2
        };
        let results = each(&all, work, |index, text| texts.push((index, text.to_owned())));
        assert_eq!(results, (0..100).map(|one| one * 2).collect::<Vec<_>>());
        texts.sort();
        assert_eq!(texts, (0..100).map(|one| (one, one.to_string())).collect::<Vec<_>>());
        assert_eq!(each(&[] as &[usize], |one, _| *one, |_, _| {}), Vec::<usize>::new());
    }
}
