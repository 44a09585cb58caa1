//! What process trees use: processor, memory, threads, descriptors, disks. Sums over everything that a process started.

use std::path::Path;
use std::time::Duration;

use super::name::without_port;
use super::stack::Stack;
use super::store::Process;
use crate::base::name::ProcessName;
use crate::base::sort::SortExt;
use crate::sys::process::ProcessTable;
use crate::sys::usage::ResourceUsage;

/// What one process tree uses.
#[derive(Debug, Clone, PartialEq)]
pub struct Stats {
    /// The process.
    pub name: ProcessName,
    /// Its id.
    pub id: Option<u32>,
    /// Its group: the name without the port and without the number of an instance.
    pub group: String,
    /// The service that it came from; empty if none.
    pub service: String,
    /// The stack that it was started in; empty if none.
    pub stack: String,
    /// The pid at the root of the tree.
    pub pid: u32,
    /// What the tree uses.
    pub load: ResourceTotals,
}

/// Sums over processes.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ResourceTotals {
    /// How many processes.
    pub processes: usize,
    /// Percent of one processor over the time that was measured.
    pub cpu: f64,
    /// Resident bytes.
    pub memory: u64,
    /// Bytes read from disks in a second.
    pub read_rate: Option<u64>,
    /// Bytes written to disks in a second.
    pub write_rate: Option<u64>,
    /// The rest.
    pub usage: ResourceUsage,
}

/// One look at all processes and at the disks' bytes of those that are managed.
#[derive(Debug, Clone)]
pub struct StatsSnapshot {
    census: ProcessTable,
    usages: Vec<(u32, ResourceUsage)>,
}

impl StatsSnapshot {
    /// Looks now.
    #[must_use]
    pub fn take(processes: &[Process]) -> Self {
        let census = ProcessTable::snapshot();
        let usage = |pid: u32| {
            census.tree(pid).iter().fold(ResourceUsage::default(), |sum, it| sum.plus(ResourceUsage::of(it.pid)))
        };
        let usages = processes.iter().filter_map(Process::pid).map(|pid| (pid, usage(pid))).collect();
        Self { census, usages }
    }

    fn usage(&self, pid: u32) -> ResourceUsage {
        self.usages.iter().find(|(known, _)| *known == pid).map(|(_, usage)| *usage).unwrap_or_default()
    }
}

/// What runs, with what it used between two looks, `span` apart.
#[must_use]
pub fn between(before: &StatsSnapshot, after: &StatsSnapshot, span: Duration, processes: &[Process]) -> Vec<Stats> {
    let rate = |now: Option<u64>, then: Option<u64>| {
        let more = now?.saturating_sub(then?);
        Some((more as f64 / span.as_secs_f64().max(0.001)) as u64)
    };
    let stats = |process: &Process| {
        let pid = process.pid()?;
        let (then, now) = (before.usage(pid), after.usage(pid));
        let load = ResourceTotals {
            processes: after.census.tree(pid).len(),
            cpu: (after.census.cpu_since(&before.census, pid, span) * 10.0).round() / 10.0,
            memory: after.census.resident(pid),
            read_rate: rate(now.read, then.read),
            write_rate: rate(now.written, then.written),
            usage: now,
        };
        let service = Path::new(&process.meta.run.service).file_stem().unwrap_or_default();
        let service = service.to_string_lossy().into_owned();
        let (name, stack) = (process.name.clone(), process.meta.run.stack.clone());
        Some(Stats { name, id: process.id(), group: group(process), service, stack, pid, load })
    };
    processes.iter().filter_map(stats).collect()
}

/// The sums of each group, by name, with how many of it run.
#[must_use]
pub fn by_group(stats: &[Stats]) -> Vec<(String, usize, ResourceTotals)> {
    sums(stats.iter().map(|it| (it.group.as_str(), it)))
}

/// The sums of each stack, by name, with how many of it run. A process of several stacks counts in each, one of none nowhere.
#[must_use]
pub fn by_stack(stats: &[Stats], stacks: &[Stack]) -> Vec<(String, usize, ResourceTotals)> {
    sums(stacks.iter().flat_map(|stack| {
        let members = stats.iter().filter(|it| stack.services.contains(&it.service) || it.stack == stack.name);
        members.map(|it| (stack.name.as_str(), it))
    }))
}

fn sums<'a>(members: impl Iterator<Item = (&'a str, &'a Stats)>) -> Vec<(String, usize, ResourceTotals)> {
    let mut sums: Vec<(String, usize, ResourceTotals)> = Vec::new();
    for (name, it) in members {
        match sums.iter_mut().find(|(known, ..)| known == name) {
            Some((_, count, load)) => (*count, *load) = (*count + 1, load.plus(it.load)),
            None => sums.push((name.to_owned(), 1, it.load)),
        }
    }
    sums.order_by(|a, b| a.0.cmp(&b.0));
    sums
}

impl ResourceTotals {
    fn plus(self, other: Self) -> Self {
        let sum = |one: Option<u64>, two: Option<u64>| one.zip(two).map(|(one, two)| one + two).or(one).or(two);
        Self {
            processes: self.processes + other.processes,
            cpu: ((self.cpu + other.cpu) * 10.0).round() / 10.0,
            memory: self.memory + other.memory,
            read_rate: sum(self.read_rate, other.read_rate),
            write_rate: sum(self.write_rate, other.write_rate),
            usage: self.usage.plus(other.usage),
        }
    }
}

/// The group that it was started in; else `api-3001` and `api-2` belong to `api`.
fn group(process: &Process) -> String {
    let recorded = &process.meta.run.group;
    if !recorded.is_empty() {
        return recorded.clone();
    }
    let name = process.name.as_str();
    let name = process.meta.port.map_or(name, |port| without_port(name, port));
    match name.rsplit_once('-') {
        Some((base, number)) if !base.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()) => base.to_owned(),
        _ => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_the_sum_of_its_members() {
        let stats = |name: &str, group: &str, cpu: f64| Stats {
            name: name.parse().expect("a name"),
            id: None,
            group: group.to_owned(),
            service: group.to_owned(),
            stack: String::new(),
            pid: 1,
            load: ResourceTotals { processes: 2, cpu, memory: 10, read_rate: Some(1), ..ResourceTotals::default() },
        };
        let groups = by_group(&[stats("web-1", "web", 0.1), stats("api", "api", 5.0), stats("web-2", "web", 0.2)]);
        assert_eq!(groups.iter().map(|it| it.0.as_str()).collect::<Vec<_>>(), ["api", "web"]);
        let (_, count, load) = &groups[1];
        assert_eq!((*count, load.processes, load.memory, load.read_rate), (2, 4, 20, Some(2)));
        assert!((load.cpu - 0.3).abs() < 0.001);
        let stack = |name: &str, services: [&str; 2]| Stack {
            name: name.to_owned(),
            services: services.map(str::to_owned).into(),
        };
        let stats = [stats("web-1", "web", 0.1), stats("api", "api", 5.0), stats("other", "other", 1.0)];
        let sums = by_stack(&stats, &[stack("shop", ["web", "api"]), stack("all", ["api", "gone"])]);
        let counts: Vec<_> = sums.iter().map(|(name, count, _)| (name.as_str(), *count)).collect();
        assert_eq!(counts, [("all", 1), ("shop", 2)]);
    }
}
