//! How long is waited for a supervisor: only time counts in which it could have done something.
//!
//! On a machine under load a supervisor waits for a processor, and so does the command that waits for it. Wall time would say that
//! the supervisor hangs.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::POLL_INTERVAL;
use crate::supervise::meta;
use crate::sys::process;
use crate::tsm::store::Process;

/// However busy the machine is, no wait is longer than so many times its limit.
const MAX_FACTOR: u32 = 20;

/// A limited wait for the supervisor of one process.
#[derive(Debug)]
pub(super) struct StopPatience<'a> {
    process: &'a Process,
    left: Duration,
    last: Instant,
    /// Nothing was looked at before the first wait.
    seen: Option<Activity>,
}

/// What a supervisor did until now.
#[derive(Debug, PartialEq, Eq)]
struct Activity {
    pids: [u32; 2],
    /// How long both of them, and a worker that follows, waited for a processor, in all.
    run_delay: Duration,
    /// One of these waits for a processor or the disk.
    is_blocked: bool,
}

impl Activity {
    fn of(process: &Process) -> Self {
        let life = meta::read(&process.dir).ok().flatten().map(|meta| meta.run_state).unwrap_or_default();
        let pids = [life.guard_pid, life.worker_pid];
        let all = with_successor(pids);
        let is_blocked = |pid: u32| process::stat(pid).is_some_and(|stat| stat.is_blocked());
        Self {
            pids,
            run_delay: all.iter().filter_map(|pid| process::run_delay(*pid)).sum(),
            is_blocked: all.iter().any(|pid| is_blocked(*pid)),
        }
    }
}

/// A guard and its worker, and what else the guard started: a worker that has not written its record yet may wait for the disk to
/// take it.
fn with_successor([guard, worker]: [u32; 2]) -> BTreeSet<u32> {
    [guard, worker].into_iter().chain(process::children(guard)).collect()
}

impl<'a> StopPatience<'a> {
    pub(super) fn new(process: &'a Process, limit: Duration) -> Self {
        Self { process, left: limit, last: Instant::now() + limit * MAX_FACTOR, seen: None }
    }

    /// Until when to wait before the next look.
    pub(super) fn next(&self) -> Instant {
        Instant::now() + self.left.min(POLL_INTERVAL)
    }

    /// Takes note that such a wait was in vain. False if the limit is reached.
    pub(super) fn goes_on(&mut self) -> bool {
        let wait = self.left.min(POLL_INTERVAL);
        let now = Activity::of(self.process);
        let used = self.seen.as_ref().map_or(wait, |before| time_used(before, &now, wait));
        self.left = self.left.saturating_sub(used);
        self.seen = Some(now);
        !self.left.is_zero() && Instant::now() < self.last
    }
}

/// How much of a wait of this length the supervisor had for itself. Another supervisor has all of it before it.
fn time_used(before: &Activity, now: &Activity, wait: Duration) -> Duration {
    if now.is_blocked || before.pids != now.pids {
        return Duration::ZERO;
    }
    wait.saturating_sub(now.run_delay.saturating_sub(before.run_delay))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_that_is_in_no_record_yet_is_looked_at_too() {
        let mut worker = std::process::Command::new("sleep").arg("600").spawn().expect("sleep is there");
        let guard = process::own_pid();
        assert!(with_successor([guard, 1]).is_superset(&[guard, 1, worker.id()].into()));
        worker.kill().and_then(|()| worker.wait()).expect("ours");
    }

    #[test]
    fn only_time_counts_in_which_the_supervisor_could_run() {
        let at = |pid: u32, delay_ms: u64, is_blocked| Activity {
            pids: [1, pid],
            run_delay: Duration::from_millis(delay_ms),
            is_blocked,
        };
        let wait = Duration::from_millis(100);
        for (before, now, used) in [
            (at(2, 5, false), at(2, 5, false), 100),
            (at(2, 5, false), at(2, 65, false), 40),
            (at(2, 5, false), at(2, 900, false), 0),
            (at(2, 5, false), at(2, 5, true), 0),
            (at(2, 5, false), at(3, 0, false), 0),
        ] {
            assert_eq!(time_used(&before, &now, wait), Duration::from_millis(used), "{before:?} {now:?}");
        }
    }
}
