//! What processes are and use at one moment: for the monitor, lists, and whatever exports measurements.

use std::collections::{HashMap, HashSet};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime};
use std::{fs, io};

use crate::base::fault::Fault;
use crate::base::name::ProcessName;
use crate::supervise::rotation;
use crate::sys::host::Host;
use crate::sys::parallel;
use crate::sys::paths::Paths;
use crate::sys::process::ProcessTable;
use crate::sys::usage::descriptors;
use crate::tsm::resolve::{self, Precision};
use crate::tsm::sidecar::health::HealthState;
use crate::tsm::store::{Process, ProcessStore};

/// What process trees use: memory now, and CPU since the measurement before.
#[derive(Debug)]
pub struct Usage {
    before: Option<(Rc<ProcessTable>, Duration)>,
    now: Rc<ProcessTable>,
}

impl Usage {
    /// Measures over a span; shorter if it is interrupted.
    #[must_use]
    pub fn measure(host: &dyn Host, over: Duration) -> Self {
        let mut sampler = UsageSampler::default();
        sampler.sample();
        let _ = host.sleep(over);
        sampler.sample()
    }

    /// Percent of one processor for `pid` and its descendants, to one decimal; none without an earlier measurement.
    #[must_use]
    pub fn cpu_percent(&self, pid: u32) -> Option<f64> {
        let (before, span) = self.before.as_ref()?;
        Some((self.now.cpu_since(before, pid, *span) * 10.0).round() / 10.0)
    }

    /// Resident bytes of `pid` and its descendants.
    #[must_use]
    pub fn memory_bytes(&self, pid: u32) -> u64 {
        self.now.resident(pid)
    }
}

/// Measures again and again, each time against the time before.
#[derive(Debug, Default)]
pub struct UsageSampler {
    previous: Option<(Rc<ProcessTable>, Instant)>,
}

impl UsageSampler {
    /// Measures.
    pub fn sample(&mut self) -> Usage {
        let (now, at) = (Rc::new(ProcessTable::snapshot()), Instant::now());
        let span = |then: Instant| at.duration_since(then).max(Duration::from_millis(1));
        let before = self.previous.replace((Rc::clone(&now), at)).map(|(table, then)| (table, span(then)));
        Usage { before, now }
    }
}

/// A process and what it uses.
#[derive(Debug)]
pub struct ProcessSample {
    /// The process.
    pub process: Process,
    /// Percent of one processor for its tree since the snapshot before; none for the first one, or if it does not run.
    pub cpu_percent: Option<f64>,
    /// Resident bytes of its tree; none if it does not run.
    pub memory_bytes: Option<u64>,
}

/// Takes snapshots of processes.
#[derive(Debug)]
pub struct Sampler {
    store: ProcessStore,
    usage: UsageSampler,
}

impl Sampler {
    /// A sampler for the processes below `paths`.
    #[must_use]
    pub fn open(paths: &Paths) -> Self {
        Self { store: ProcessStore::open(paths), usage: UsageSampler::default() }
    }

    /// Measures only, so that the next snapshot has CPU values.
    pub fn begin(&mut self) {
        self.usage.sample();
    }

    /// The processes that the words mean now; all without one.
    ///
    /// # Errors
    ///
    /// Fails if the processes cannot be listed, or if no word means one.
    pub fn snapshot(&mut self, words: &[String]) -> Result<Vec<ProcessSample>, Fault> {
        let all = self.store.all()?;
        let chosen = if words.is_empty() { all } else { named(words, &all)? };
        let usage = self.usage.sample();
        let sample = |process: Process| {
            let pid = process.pid();
            let cpu_percent = pid.and_then(|pid| usage.cpu_percent(pid));
            ProcessSample { cpu_percent, memory_bytes: pid.map(|pid| usage.memory_bytes(pid)), process }
        };
        Ok(chosen.into_iter().map(sample).collect())
    }
}

/// What a process has used since it was started, and what its logs hold: for counters that only grow.
#[derive(Debug)]
pub struct Measurement {
    /// The process.
    pub process: Process,
    /// What is known of its health.
    pub health: Option<HealthState>,
    /// How many processes are in its tree; 0 if it does not run.
    pub tree: usize,
    /// Processor time of the tree, with that of what it has waited for.
    pub cpu: Duration,
    /// Resident bytes of the tree.
    pub memory_bytes: u64,
    /// Threads of the tree.
    pub threads: u64,
    /// Open descriptors of the tree; none where they may not be counted.
    pub descriptors: Option<u64>,
    /// How many bytes its standard output and standard error had so far; none where a log cannot be read.
    pub log_bytes: [Option<u64>; 2],
}

/// Measures all processes again and again.
#[derive(Debug, Default)]
pub struct Measurer {
    /// Both logs of each process.
    logs: HashMap<ProcessName, [Option<LogLength>; 2]>,
}

impl Measurer {
    /// Measures.
    ///
    /// # Errors
    ///
    /// Fails if the processes cannot be listed.
    pub fn measure(&mut self, paths: &Paths) -> Result<Vec<Measurement>, Fault> {
        let processes = ProcessStore::open(paths).all()?;
        let table = ProcessTable::snapshot_without(&supervisors(&processes));
        let one = |process: &Process| {
            let before = self.logs.get(&process.name).copied().unwrap_or_default();
            let [out, err] = [(process.out_log(), before[0]), (process.err_log(), before[1])];
            let logs = [out, err].map(|(log, before)| LogLength::of(&log, before).ok());
            (measured(process.clone(), &table, logs), logs)
        };
        let all = parallel::collect(&processes, |part| part.iter().map(one).collect());
        self.logs = all.iter().map(|(it, logs)| (it.process.name.clone(), *logs)).collect();
        Ok(all.into_iter().map(|(it, _)| it).collect())
    }
}

/// The supervisors of processes, two each, which are in the tree of none of them.
fn supervisors(processes: &[Process]) -> HashSet<u32> {
    let supervised = processes.iter().filter(|process| process.live.supervised);
    supervised.flat_map(|it| [it.meta.run_state.guard_pid, it.meta.run_state.worker_pid]).collect()
}

/// How much a stream had so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct LogLength {
    /// Inode and birth of the file that is written now; none if there is none.
    file: Option<(u64, Option<SystemTime>)>,
    /// What came before that file: a rotation makes another one.
    position: u64,
    /// What is in it.
    length: u64,
}

impl LogLength {
    /// Looks at a log. What came before the file is looked up only if it is another one than `before`.
    fn of(log: &Path, before: Option<Self>) -> io::Result<Self> {
        let (file, length) = match fs::metadata(log) {
            Ok(found) => (Some((found.ino(), found.created().ok())), found.len()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => (None, 0),
            Err(error) => return Err(error),
        };
        let known = before.filter(|before| file.is_some() && before.file == file && before.length <= length);
        let position = known.map_or_else(|| rotation::position(log, 0), |before| Ok(before.position))?;
        Ok(Self { file, position, length })
    }
}

fn measured(process: Process, table: &ProcessTable, logs: [Option<LogLength>; 2]) -> Measurement {
    let tree: Vec<_> = process.pid().map(|pid| table.tree(pid)).unwrap_or_default();
    let sum = |one: Option<u64>, two: Option<u64>| Some(one? + two?);
    Measurement {
        health: process.health(),
        tree: tree.len(),
        cpu: process.pid().map(|pid| table.cpu_time(pid)).unwrap_or_default(),
        memory_bytes: tree.iter().map(|stat| stat.resident).sum(),
        threads: tree.iter().map(|stat| stat.threads).sum(),
        descriptors: tree.iter().map(|stat| descriptors(stat.pid)).fold(Some(0), sum),
        log_bytes: logs.map(|log| log.map(|log| log.position + log.length)),
        process,
    }
}

fn named(words: &[String], all: &[Process]) -> Result<Vec<Process>, Fault> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let mut resolved = resolve::resolve(&words, all, Precision::Partial);
    if resolved.processes.is_empty() && !resolved.missing.is_empty() {
        return Err(resolved.missing.remove(0).into());
    }
    Ok(resolved.processes.into_iter().cloned().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_counts_all_that_was_written_also_after_a_rotation_and_a_cut() {
        let dir = tempfile::tempdir().expect("a directory");
        let log = dir.path().join("current.out");
        let mut before = None;
        let mut length = || {
            before = Some(LogLength::of(&log, before).expect("readable"));
            before.map(|log| log.position + log.length)
        };
        assert_eq!(length(), Some(0));
        fs::write(&log, "12345").expect("written");
        assert_eq!([length(), length()], [Some(5); 2]);
        rotation::rotate(&log, 3).expect("rotated");
        assert_eq!(length(), Some(5));
        fs::write(&log, "123").expect("written");
        assert_eq!([length(), length()], [Some(8); 2]);
        fs::write(&log, "").expect("cut");
        assert_eq!(length(), Some(5));
    }
}
