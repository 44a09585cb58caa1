//! What `/proc` reports about a process. Looks only; signals are sent elsewhere.
//!
//! A process that ends while it is looked at is not an error: every question answers `None` or less.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io;
use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use std::os::unix::fs::MetadataExt;

use nix::sys::resource::{Resource, getrlimit};

use super::parallel;
use crate::base::redact;
use crate::disk;

/// What `/proc/PID/stat` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessStat {
    /// The process.
    pub pid: u32,
    /// The name of its program, at most 15 bytes.
    pub comm: String,
    /// The state letter: `R`, `S`, `D`, `Z`, …
    pub state: char,
    /// Its parent.
    pub ppid: u32,
    /// Its process group.
    pub pgrp: u32,
    /// Its session.
    pub session: u32,
    /// Processor time so far, user and system, in clock ticks.
    pub cpu_ticks: u64,
    /// The same of its children that have ended and were waited for, and of theirs.
    pub reaped_ticks: u64,
    /// Its threads.
    pub threads: u64,
    /// When it was started, in clock ticks since boot. With pid and boot id it is the identity of the process.
    pub start_ticks: u64,
    /// Resident memory in bytes.
    pub resident: u64,
}

impl ProcessStat {
    /// Stopped by a signal.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.state == 'T'
    }

    /// Runs or waits for a processor, or waits for the disk.
    #[must_use]
    pub fn is_blocked(&self) -> bool {
        matches!(self.state, 'R' | 'D')
    }

    /// False for what is dead but not yet collected.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        !matches!(self.state, 'Z' | 'X' | 'x')
    }
}

/// How long a process waited for a processor since it was started; `None` where the kernel does not count it.
#[must_use]
pub fn run_delay(pid: u32) -> Option<Duration> {
    let text = fs::read_to_string(format!("/proc/{pid}/schedstat")).ok()?;
    text.split_ascii_whitespace().nth(1)?.parse().ok().map(Duration::from_nanos)
}

/// The pids of the children of a process.
#[must_use]
pub fn children(pid: u32) -> Vec<u32> {
    let Ok(tasks) = fs::read_dir(format!("/proc/{pid}/task")) else { return Vec::new() };
    let tids = tasks.flatten().filter_map(|task| task.file_name().into_string().ok());
    let lists = tids.filter_map(|tid| fs::read_to_string(format!("/proc/{pid}/task/{tid}/children")).ok());
    lists
        .flat_map(|list| list.split_ascii_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>())
        .collect()
}

/// Looks at one process; `None` if there is none.
#[must_use]
pub fn stat(pid: u32) -> Option<ProcessStat> {
    parse_stat(&String::from_utf8_lossy(&disk::proc_stat(pid).ok()?))
}

/// True if `pid` is alive and is the very process that was started at `start_ticks` of this boot.
#[must_use]
pub fn is_same(pid: u32, start_ticks: u64) -> bool {
    pid != 0 && stat(pid).is_some_and(|stat| stat.is_alive() && stat.start_ticks == start_ticks)
}

/// The same, where it must be known: `None` says that it cannot be seen, for lack of descriptors for example.
#[must_use]
pub fn try_is_same(pid: u32, start_ticks: u64) -> Option<bool> {
    match disk::proc_stat(pid) {
        Ok(text) => Some(pid != 0 && matches_start(&text, start_ticks)),
        Err(error) if error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(libc::ESRCH) => {
            // Where no process can be seen, this one cannot be either.
            Path::new("/proc/self/stat").exists().then_some(false)
        }
        Err(_) => None,
    }
}

fn matches_start(text: &[u8], start_ticks: u64) -> bool {
    parse_stat(&String::from_utf8_lossy(text)).is_some_and(|stat| stat.is_alive() && stat.start_ticks == start_ticks)
}

/// The words a process was started with; none for kernel threads and zombies.
#[must_use]
pub fn argv(pid: u32) -> Vec<String> {
    let raw = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let raw = raw.strip_suffix(b"\0").unwrap_or(&raw);
    if raw.is_empty() {
        return Vec::new();
    }
    raw.split(|byte| *byte == 0).map(|word| String::from_utf8_lossy(word).into_owned()).collect()
}

/// The words a process was started with, as one text without its secrets, to be shown; its program's name in brackets if
/// there are none.
#[must_use]
pub fn command_line(pid: u32) -> Option<String> {
    let line = redact::redact(argv(pid)).join(" ").trim_end().to_owned();
    if line.is_empty() { stat(pid).map(|stat| format!("[{}]", stat.comm)) } else { Some(line) }
}

/// When something was started that says `start_ticks`, in milliseconds since 1970; to a second, and after the clock was set
/// only roughly.
#[must_use]
pub fn start_time_ms(start_ticks: u64) -> Option<u64> {
    let text = fs::read_to_string("/proc/stat").ok()?;
    let boot: u64 = text.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()?;
    Some(boot * 1000 + start_ticks * 1000 / ticks_per_second())
}

/// The variables that a process was started with, as bytes; none if we may not see them.
#[must_use]
pub fn variables(pid: u32) -> Vec<(Vec<u8>, Vec<u8>)> {
    let bytes = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    let settings = bytes.split(|byte| *byte == 0).filter_map(|setting| {
        let at = setting.iter().position(|byte| *byte == b'=').filter(|at| *at > 0)?;
        Some((setting[..at].to_vec(), setting[at + 1..].to_vec()))
    });
    settings.collect()
}

/// The memory that a process is answerable for, in bytes: what it shares with others is divided among them.
#[must_use]
pub fn pss(pid: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    line.split_ascii_whitespace().next()?.parse::<u64>().ok().map(|kibibytes| kibibytes * 1024)
}

/// One variable of the environment a process was started with; `None` also where it may not be read.
#[must_use]
pub fn variable(pid: u32, name: &str) -> Option<String> {
    let raw = fs::read(format!("/proc/{pid}/environ")).ok()?;
    raw.split(|byte| *byte == 0).find_map(|entry| {
        let value = entry.strip_prefix(name.as_bytes())?.strip_prefix(b"=")?;
        Some(String::from_utf8_lossy(value).into_owned())
    })
}

/// The environment a process was started with, in its order; `None` where it may not be read.
#[must_use]
pub fn environment(pid: u32) -> Option<Vec<(String, String)>> {
    Some(parse_environ(&fs::read(format!("/proc/{pid}/environ")).ok()?))
}

/// `K=V`, each ended by a NUL; what is not an assignment is left out.
#[must_use]
pub fn parse_environ(raw: &[u8]) -> Vec<(String, String)> {
    let entries = raw.split(|byte| *byte == 0).map(String::from_utf8_lossy);
    entries.filter_map(|entry| entry.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned()))).collect()
}

/// When the machine was started, in milliseconds since 1970, to a second.
#[must_use]
pub fn boot_ms() -> Option<u64> {
    start_time_ms(0)
}

/// The user a process belongs to.
#[must_use]
pub fn owner(pid: u32) -> Option<u32> {
    fs::metadata(format!("/proc/{pid}")).ok().map(|entry| entry.uid())
}

/// The pids of all processes, in no order.
#[must_use]
pub fn all_pids() -> Vec<u32> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect()
}

/// `pid` and its parents up to 1, nearest first.
#[must_use]
pub fn ancestors(pid: u32) -> Vec<u32> {
    let mut line = Vec::new();
    let mut next = pid;
    while next != 0 && !line.contains(&next) {
        line.push(next);
        next = stat(next).map_or(0, |stat| stat.ppid);
    }
    line
}

/// False where there is no `/proc`.
#[must_use]
pub fn is_proc_available() -> bool {
    Path::new("/proc/self").exists()
}

/// This process.
#[must_use]
pub fn own_pid() -> u32 {
    std::process::id()
}

/// The user this program acts as.
#[must_use]
pub fn own_uid() -> u32 {
    nix::unistd::geteuid().as_raw()
}

/// How many open files a process of ours may have at most.
#[must_use]
pub fn fd_limit() -> u64 {
    /// May raise its own limits.
    const CAP_SYS_RESOURCE: u32 = 24;
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let rights = status.lines().find_map(|line| u64::from_str_radix(line.strip_prefix("CapEff:")?.trim(), 16).ok());
    if rights.is_some_and(|rights| rights & (1 << CAP_SYS_RESOURCE) != 0)
        && let Some(most) = fs::read_to_string("/proc/sys/fs/nr_open").ok().and_then(|text| text.trim().parse().ok())
    {
        return most;
    }
    getrlimit(Resource::RLIMIT_NOFILE).map_or(u64::MAX, |(_, hard)| hard)
}

/// The id of this boot; start times of another boot mean nothing. Empty where the kernel does not tell.
#[must_use]
pub fn boot_id() -> &'static str {
    static BOOT: OnceLock<String> = OnceLock::new();
    BOOT.get_or_init(|| fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned())
}

/// All processes at one moment, to ask for trees.
#[derive(Debug, Clone, Default)]
pub struct ProcessTable {
    by_pid: HashMap<u32, ProcessStat>,
    children: HashMap<u32, Vec<u32>>,
}

impl ProcessTable {
    /// Looks at every process once.
    #[must_use]
    pub fn snapshot() -> Self {
        Self::snapshot_without(&HashSet::new())
    }

    /// Looks once at every process but these, and so not at what is only below them.
    #[must_use]
    pub fn snapshot_without(pids: &HashSet<u32>) -> Self {
        let mut wanted = all_pids();
        wanted.retain(|pid| !pids.contains(pid));
        Self::of(parallel::collect(&wanted, |pids| pids.iter().copied().filter_map(stat).collect()))
    }

    fn of(stats: impl IntoIterator<Item = ProcessStat>) -> Self {
        let mut census = Self::default();
        for stat in stats {
            census.children.entry(stat.ppid).or_default().push(stat.pid);
            census.by_pid.insert(stat.pid, stat);
        }
        census
    }

    /// `root` and everything below it; empty if `root` is gone.
    #[must_use]
    pub fn tree(&self, root: u32) -> Vec<&ProcessStat> {
        let mut tree: Vec<&ProcessStat> = self.by_pid.get(&root).into_iter().collect();
        let mut at = 0;
        while at < tree.len() {
            let below = self.children.get(&tree[at].pid).into_iter().flatten();
            tree.extend(below.filter_map(|pid| self.by_pid.get(pid)));
            at += 1;
        }
        tree
    }

    /// Resident memory of `root` and everything below it, in bytes.
    #[must_use]
    pub fn resident(&self, root: u32) -> u64 {
        self.tree(root).iter().map(|stat| stat.resident).sum()
    }

    /// Processor time that `root`, everything below it, and what these have waited for used so far.
    #[must_use]
    pub fn cpu_time(&self, root: u32) -> Duration {
        let ticks: u64 = self.tree(root).iter().map(|stat| stat.cpu_ticks + stat.reaped_ticks).sum();
        Duration::from_millis(ticks.saturating_mul(1000) / ticks_per_second())
    }

    /// Share of one processor that `root` and everything below it used since an `earlier` census, in percent.
    /// A process that is younger than that census counts from its start.
    #[must_use]
    pub fn cpu_since(&self, earlier: &Self, root: u32, span: Duration) -> f64 {
        let used: u64 = self
            .tree(root)
            .iter()
            .map(|now| {
                let before = earlier.by_pid.get(&now.pid).filter(|then| then.start_ticks == now.start_ticks);
                now.cpu_ticks.saturating_sub(before.map_or(0, |then| then.cpu_ticks))
            })
            .sum();
        let seconds = used as f64 / ticks_per_second() as f64;
        100.0 * seconds / span.as_secs_f64().max(0.001)
    }
}

/// Clock ticks of `/proc` in a second.
fn ticks_per_second() -> u64 {
    nix::unistd::sysconf(nix::unistd::SysconfVar::CLK_TCK)
        .ok()
        .flatten()
        .and_then(|ticks| u64::try_from(ticks).ok())
        .unwrap_or(100)
}

fn page_size() -> u64 {
    nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE)
        .ok()
        .flatten()
        .and_then(|bytes| u64::try_from(bytes).ok())
        .unwrap_or(4096)
}

/// The program's name is in parentheses and may itself contain any of them: the last `)` ends it.
fn parse_stat(text: &str) -> Option<ProcessStat> {
    let (head, rest) = text.rsplit_once(')')?;
    let (pid, comm) = head.split_once('(')?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    let number = |index: usize| fields.get(index)?.parse::<u64>().ok();
    let id = |index: usize| fields.get(index)?.parse::<u32>().ok();
    Some(ProcessStat {
        pid: pid.trim().parse().ok()?,
        comm: comm.to_owned(),
        state: fields.first()?.chars().next()?,
        ppid: id(1)?,
        pgrp: id(2)?,
        session: id(3)?,
        cpu_ticks: number(11)? + number(12)?,
        reaped_ticks: number(13)? + number(14)?,
        threads: number(17)?,
        start_ticks: number(19)?,
        resident: number(21)? * page_size(),
    })
}

/// The directory a process works in; `None` also where it may not be read.
#[must_use]
pub fn cwd(pid: u32) -> Option<std::path::PathBuf> {
    fs::read_link(Path::new("/proc").join(pid.to_string()).join("cwd")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_may_have_parentheses_in_its_name() {
        let line =
            "42 (a) b (c)) S 7 42 40 0 -1 4194560 1 0 0 0 30 12 0 0 20 0 1 0 9000 1000000 25 18446744073709551615";
        let stat = parse_stat(line).expect("a stat line");
        assert_eq!((stat.pid, stat.comm.as_str(), stat.state, stat.ppid), (42, "a) b (c)", 'S', 7));
        assert_eq!((stat.cpu_ticks, stat.start_ticks, stat.resident), (42, 9000, 25 * page_size()));
        assert_eq!((stat.reaped_ticks, stat.threads), (0, 1));
    }

    #[test]
    fn sees_itself() {
        let me = stat(own_pid()).expect("this process");
        assert!(is_same(me.pid, me.start_ticks));
        assert!(!is_same(me.pid, me.start_ticks + 1), "another start time is another process");
        assert!(ancestors(own_pid()).contains(&me.ppid));
        assert!(command_line(own_pid()).is_some_and(|line| !line.is_empty()));
        assert_eq!(argv(own_pid()), std::env::args().collect::<Vec<_>>());
        let started = start_time_ms(me.start_ticks).expect("a boot time");
        let now = std::fs::metadata("/proc/self").and_then(|it| it.modified()).expect("a time");
        let now = now.duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_millis();
        assert!(u128::from(started) < now + 5000 && u128::from(started) + 3_600_000 > now, "{started} {now}");
        assert!(!boot_id().is_empty());
    }

    #[test]
    fn a_tree_has_all_generations_and_no_strangers() {
        let make = |pid, ppid| ProcessStat {
            pid,
            ppid,
            ..parse_stat("1 (x) S 0 1 1 0 -1 0 0 0 0 0 1 1 0 0 20 0 1 0 5 0 1").expect("a line")
        };
        let census = ProcessTable::of([make(1, 0), make(10, 1), make(11, 10), make(12, 11), make(20, 1)]);
        let mut pids: Vec<u32> = census.tree(10).iter().map(|stat| stat.pid).collect();
        pids.sort_unstable();
        assert_eq!(pids, [10, 11, 12]);
        assert_eq!(census.resident(10), 3 * page_size());
        assert!(census.tree(99).is_empty());
    }

    #[test]
    fn processor_time_counts_only_what_came_since() {
        let make = |cpu_ticks| ProcessStat {
            cpu_ticks,
            ..parse_stat("5 (x) S 0 1 1 0 -1 0 0 0 0 0 1 1 0 0 20 0 1 0 5 0 1").expect("a line")
        };
        let (then, now) = (ProcessTable::of([make(1000)]), ProcessTable::of([make(1000 + ticks_per_second())]));
        let percent = now.cpu_since(&then, 5, Duration::from_secs(2));
        assert!((percent - 50.0).abs() < 0.01, "{percent}");
    }
}
