//! Many hosts at the same time, at most 32.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError, mpsc};

/// How many hosts are worked on at the same time. Most of the time is spent on waiting for them.
const AT_ONCE: usize = 32;

/// How many transitions may wait to be shown.
const QUEUE: usize = 64;

/// Does the same for each, several at a time. The results are in the order of what was given. What the work says is passed on in
/// this thread, with the index of what it is about.
pub fn each<T: Sync, R: Send>(
    all: &[T],
    work: impl Fn(&T, &dyn Fn(&str)) -> R + Sync,
    mut on_text: impl FnMut(usize, &str),
) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let results = Mutex::new(Vec::with_capacity(all.len()));
    let (sender, receiver) = mpsc::sync_channel::<(usize, String)>(QUEUE);
    let (next, results, work) = (&next, &results, &work);
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE.min(all.len()) {
            let sender = sender.clone();
            scope.spawn(move || {
                while let index = next.fetch_add(1, Ordering::Relaxed)
                    && let Some(one) = all.get(index)
                {
                    let say = |text: &str| {
                        // It can be received until the last of these threads ends.
                        let _ = sender.send((index, text.to_owned()));
                    };
                    let result = work(one, &say);
                    results.lock().unwrap_or_else(PoisonError::into_inner).push((index, result));
                }
            });
        }
        drop(sender);
        while let Ok((index, text)) = receiver.recv() {
            on_text(index, &text);
        }
    });
    let mut results = std::mem::take(&mut *results.lock().unwrap_or_else(PoisonError::into_inner));
    results.sort_unstable_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
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
