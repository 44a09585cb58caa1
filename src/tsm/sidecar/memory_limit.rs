//! Memory: what a process and its children use, at intervals.

use std::time::{Duration, Instant};

use crate::supervise::meta::Meta;
use crate::sys::process::{self, ProcessTable};

use super::health::HealthState;
use super::watcher::{Now, RestartReason, Watcher};

/// Between two measurements.
const MEMORY_INTERVAL: Duration = Duration::from_secs(2);

/// Restarts a process that uses too much memory.
pub(super) struct MemoryLimit {
    /// In bytes.
    limit: u64,
    next: Instant,
}

impl MemoryLimit {
    /// None without a limit.
    pub(super) fn new(limit: u64, now: Now) -> Option<Self> {
        (limit > 0).then(|| Self { limit, next: now.at + MEMORY_INTERVAL })
    }
}

impl Watcher for MemoryLimit {
    fn due(&self, now: Now) -> Option<Duration> {
        Some(self.next.saturating_duration_since(now.at))
    }

    fn check(&mut self, meta: &Meta, _: &mut HealthState, now: Now) -> Option<RestartReason> {
        if now.at < self.next {
            return None;
        }
        self.next = now.at + MEMORY_INTERVAL;
        let used = memory(meta.pid, self.limit);
        (used > self.limit).then_some(RestartReason::MemoryLimit(used))
    }
}

/// Bytes of memory of a process and all below it. What several share is counted once, if the plain sum is above `limit`.
fn memory(pid: u32, limit: u64) -> u64 {
    let table = ProcessTable::snapshot();
    let resident = table.resident(pid);
    if resident <= limit {
        return resident;
    }
    let shares = table.tree(pid).into_iter().map(|stat| process::pss(stat.pid).unwrap_or(stat.resident));
    shares.sum()
}
