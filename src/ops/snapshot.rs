//! What processes are and use at one moment: for the monitor, lists, and whatever exports measurements.

use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::base::fault::Fault;
use crate::sys::host::Host;
use crate::sys::paths::Paths;
use crate::sys::process::ProcessTable;
use crate::tsm::resolve::{self, Precision};
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

fn named(words: &[String], all: &[Process]) -> Result<Vec<Process>, Fault> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let mut resolved = resolve::resolve(&words, all, Precision::Partial);
    if resolved.processes.is_empty() && !resolved.missing.is_empty() {
        return Err(resolved.missing.remove(0).into());
    }
    Ok(resolved.processes.into_iter().cloned().collect())
}
