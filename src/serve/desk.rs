//! What is known of the processes, read and made into answers. In a thread of its own.

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::events::EventFeed;
use super::health::{HealthSnapshot, Scene};
use super::metrics::{self, Exposition};
use super::{ServerIdentity, Views};
use crate::base::fault::{Fault, FaultKind};
use crate::base::time::Timestamp;
use crate::ops::service_health::{self, Judge};
use crate::ops::snapshot::{Measurer, Usage, UsageSampler};
use crate::report::{Block, json};
use crate::sys::host::Host;
use crate::sys::os_host::OsHost;
use crate::sys::paths::Paths;
use crate::tsm::store::{Process, ProcessStore};

/// Usage is measured over this time at least: over less the clock of the kernel is too coarse.
const USAGE_SPAN: Duration = Duration::from_secs(1);

/// What the thread has to look with.
pub(super) struct Desk {
    host: OsHost,
    paths: Paths,
    views: Views,
    identity: Arc<ServerIdentity>,
    /// When the server was started.
    started: Timestamp,
    sampler: UsageSampler,
    usage: Option<(Instant, Rc<Usage>)>,
    measurer: Measurer,
    counters: metrics::Counters,
    events: Arc<EventFeed>,
}

impl Desk {
    pub(super) fn new(paths: Paths, views: Views, identity: Arc<ServerIdentity>, events: Arc<EventFeed>) -> Self {
        let host = OsHost::new();
        let started = host.now();
        let mut sampler = UsageSampler::default();
        // What is measured first is measured against this.
        sampler.sample();
        let (mut measurer, counters) = (Measurer::default(), metrics::Counters::default());
        // What came before each log is looked up once, and not by who asks first. What cannot be listed now is said when it is asked for.
        let _ = measurer.measure(&paths);
        Self { host, paths, views, identity, started, sampler, usage: None, measurer, counters, events }
    }

    fn judge(&self) -> Judge<'_> {
        Judge { now: self.host.now(), own_mark: self.host.variable("TSM_RUN") }
    }

    /// How every service and process is.
    pub(super) fn health(&self) -> Result<HealthSnapshot, Fault> {
        HealthSnapshot::take(&Scene {
            paths: &self.paths,
            variables: self.host.variables(),
            identity: &self.identity,
            judge: self.judge(),
            started: self.started,
        })
    }

    /// The processes in the shape of `tsm list --json`.
    pub(super) fn processes(&mut self) -> Result<String, Fault> {
        let usage = self.usage();
        let processes = ProcessStore::open(&self.paths).all()?;
        Ok(document(&(self.views.list)(&processes, self.host.now(), &usage).into()))
    }

    /// A process in the shape of `tsm info --json`.
    pub(super) fn process(&mut self, name: &str) -> Result<String, Fault> {
        let process = find(&self.paths, name)?;
        let usage = self.usage();
        Ok(document(&(self.views.info)(&process, self.host.now(), &usage)?.into()))
    }

    /// All measurements.
    pub(super) fn metrics(&mut self) -> Result<String, Fault> {
        let begun = Instant::now();
        let all = self.measurer.measure(&self.paths)?;
        self.counters.keep_growing(&all);
        let (judge, variables) = (self.judge(), self.host.variables());
        let processes: Vec<_> = all.iter().map(|it| &it.process).collect();
        let services = service_health::of_enabled(&self.paths, variables, &processes, judge)?;
        self.events.keep_exits_of(|name| all.iter().any(|it| it.process.name.as_str() == name));
        let exits = self.events.exits();
        let exposition =
            Exposition { identity: &self.identity, all: &all, services: &services, exits: &exits, now: judge.now };
        Ok(exposition.text(&self.counters, || begun.elapsed()))
    }

    fn usage(&mut self) -> Rc<Usage> {
        if let Some((at, usage)) = &self.usage
            && at.elapsed() < USAGE_SPAN
        {
            return Rc::clone(usage);
        }
        let usage = Rc::new(self.sampler.sample());
        self.usage = Some((Instant::now(), Rc::clone(&usage)));
        usage
    }
}

/// The process of this name.
pub(super) fn find(paths: &Paths, name: &str) -> Result<Process, Fault> {
    let found = name.parse().ok().and_then(|name| ProcessStore::open(paths).get(&name));
    found.ok_or_else(|| Fault::new(FaultKind::NotFound, format!("no process is called `{name}`")))
}

fn document(block: &Block) -> String {
    let data: Vec<_> = json::block(block).into_iter().collect();
    let mut text = data.first().map(ToString::to_string).unwrap_or_default();
    text.push('\n');
    text
}
