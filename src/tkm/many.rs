//! Many hosts at the same time, at most eight.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How many hosts are worked on at the same time.
const AT_ONCE: usize = 8;

/// Does the same for each, several at a time. The results are in the order of what was given.
pub fn each<T: Sync, R: Send>(all: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let results = Mutex::new(Vec::with_capacity(all.len()));
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE.min(all.len()) {
            scope.spawn(|| {
                while let index = next.fetch_add(1, Ordering::Relaxed)
                    && let Some(one) = all.get(index)
                {
                    let result = work(one);
                    results.lock().unwrap_or_else(PoisonError::into_inner).push((index, result));
                }
            });
        }
    });
    let mut results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    results.sort_unstable_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_one_has_its_result_in_its_place() {
        let all: Vec<usize> = (0..50).collect();
        assert_eq!(each(&all, |one| one * 2), (0..50).map(|one| one * 2).collect::<Vec<_>>());
        assert_eq!(each(&[] as &[usize], |one| *one), Vec::<usize>::new());
    }
}
