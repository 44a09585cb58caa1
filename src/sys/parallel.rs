//! Reading many small files on several processors.

use std::thread;

/// From so many items on it pays.
const THRESHOLD: usize = 100;

/// More threads than this wait for each other in the file system.
const MAX_THREADS: usize = 4;

/// What `read` gives for the items, in their order. It gets parts of them, on threads of their own where there are many items.
pub fn collect<T: Sync, R: Send>(items: &[T], read: impl Fn(&[T]) -> Vec<R> + Sync) -> Vec<R> {
    let threads = thread::available_parallelism().map_or(1, usize::from).min(MAX_THREADS);
    if threads < 2 || items.len() < THRESHOLD {
        return read(items);
    }
    let (read, share) = (&read, items.len().div_ceil(threads));
    let here = nix::sched::sched_getcpu().ok();
    let beside = &|items| {
        pin_to_other_cpu(here);
        read(items)
    };
    thread::scope(|scope| {
        let others = items.chunks(share).skip(1);
        let others: Vec<_> =
            others.map(|items| (items, thread::Builder::new().spawn_scoped(scope, move || beside(items)))).collect();
        let mut all = read(&items[..share]);
        for (items, other) in others {
            // Without another thread one part is read after the other.
            all.extend(other.map_or_else(|_| read(items), |other| other.join().expect("reading does not panic")));
        }
        all
    })
}

/// Makes this thread, which was just begun and ends soon, work beside the one that runs on the processor `other`.
///
/// The kernel begins a thread where its maker runs, and only some milliseconds later looks for a better place. Opening and closing
/// files waits for other threads unless each has a table of descriptors of its own; what was open until now is in both. Where
/// any of this is refused everything goes on as it was.
fn pin_to_other_cpu(other: Option<usize>) {
    let this_thread = nix::unistd::Pid::from_raw(0);
    if let (Some(other), Ok(mut processors)) = (other, nix::sched::sched_getaffinity(this_thread)) {
        let _ = processors.unset(other).and_then(|()| nix::sched::sched_setaffinity(this_thread, &processors));
    }
    let _ = nix::sched::unshare(nix::sched::CloneFlags::CLONE_FILES);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_is_kept_however_many_there_are() {
        for count in [0, 1, THRESHOLD - 1, THRESHOLD, 1001] {
            let items: Vec<usize> = (0..count).collect();
            let doubled =
                collect(&items, |part| part.iter().filter(|item| **item % 3 > 0).map(|item| item * 2).collect());
            let expected: Vec<usize> = (0..count).filter(|item| item % 3 > 0).map(|item| item * 2).collect();
            assert_eq!(doubled, expected, "{count}");
        }
    }
}
