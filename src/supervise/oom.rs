//! Whether a killed child had run out of memory.
//!
//! The kernel counts its out-of-memory kills: for each memory control group (v2 and v1), and for the machine. A child that was
//! killed by another process while its group counted one died of it; while only the machine did, it is likely.

use std::fs;
use std::path::PathBuf;

use super::memory_cgroup::MemoryCgroup;
use super::meta::OomVerdict;

/// The kernel's counts at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OomCounter {
    /// In the child's own memory control group, else in the supervisor's, which it is born into; `None` outside of one.
    group: Option<u64>,
    machine: Option<u64>,
}

impl OomCounter {
    /// The counts now, of a child that has a memory group of its own or none.
    pub(super) fn current(own: Option<&MemoryCgroup>) -> Self {
        let counters = match own {
            Some(own) => vec![own.oom_counter_path()],
            None => counters_of(&fs::read_to_string("/proc/self/cgroup").unwrap_or_default()),
        };
        let group = counters.iter().find_map(|path| count(&fs::read_to_string(path).ok()?));
        let machine = fs::read_to_string("/proc/vmstat").ok().and_then(|text| count(&text));
        Self { group, machine }
    }

    /// What the counts say about a child that lived since they were `before` and was killed.
    pub(super) fn verdict_since(self, before: Self) -> Option<OomVerdict> {
        let grew = |now: Option<u64>, then: Option<u64>| now.zip(then).is_some_and(|(now, then)| now > then);
        if grew(self.group, before.group) {
            Some(OomVerdict::Certain)
        } else {
            grew(self.machine, before.machine).then_some(OomVerdict::Likely)
        }
    }
}

/// The files that hold the count of a process's group, by what `/proc/PID/cgroup` says. The outermost group has no limit.
fn counters_of(groups: &str) -> Vec<PathBuf> {
    let inside = |path: &'static str, line: &str, head: &str, file: &str| {
        let group = line.strip_prefix(head)?.trim_start_matches('/');
        (!group.is_empty()).then(|| PathBuf::from(path).join(group).join(file))
    };
    let of = |line: &str| {
        let (_, rest) = line.split_once(':')?;
        inside("/sys/fs/cgroup", rest, ":", "memory.events")
            .or_else(|| inside("/sys/fs/cgroup/memory", rest, "memory:", "memory.oom_control"))
    };
    groups.lines().filter_map(of).collect()
}

/// The number behind `oom_kill`.
fn count(text: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_group_of_both_versions_is_found_and_the_outermost_is_none() {
        let found = counters_of("4:memory:/a/b\n3:cpu:/c\n0::/d.slice\n");
        let paths: Vec<_> = found.iter().map(|path| path.to_str().expect("text")).collect();
        assert_eq!(paths, ["/sys/fs/cgroup/memory/a/b/memory.oom_control", "/sys/fs/cgroup/d.slice/memory.events"]);
        assert!(counters_of("4:memory:/\n0::/\n").is_empty());
    }

    #[test]
    fn a_count_is_read_from_every_kind_of_file() {
        assert_eq!(count("low 0\noom 3\noom_kill 2\n"), Some(2));
        assert_eq!(count("oom_kill_disable 0\nunder_oom 0\noom_kill 1\n"), Some(1));
        assert_eq!(count("nr_free_pages 1\n"), None);
    }

    #[test]
    fn what_did_not_grow_says_nothing() {
        let at = |group, machine| OomCounter { group, machine };
        let before = at(Some(1), Some(5));
        assert_eq!(at(Some(2), Some(6)).verdict_since(before), Some(OomVerdict::Certain));
        assert_eq!(at(Some(1), Some(6)).verdict_since(before), Some(OomVerdict::Likely));
        assert_eq!(at(Some(1), Some(5)).verdict_since(before), None);
        assert_eq!(at(None, None).verdict_since(before), None);
    }
}
