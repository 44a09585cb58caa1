//! Starting all enabled services, each as soon as what it depends on is ready.

use std::cell::LazyCell;
use std::collections::BTreeSet;
use std::error::Error;
use std::path::PathBuf;
use std::time::Duration;

use crate::base::environment::EnvRef;
use crate::base::fault::{Fault, Location, UserFacingError};
use crate::base::name::ServiceName;
use crate::base::time::Timestamp;
use crate::sys::file::{self, Access};
use crate::tsm::definition::Definition;
use crate::tsm::limits::is_of_environment;
use crate::tsm::progress::{OnProgress, Progress};
use crate::tsm::service::{ServiceSet, Services};
use crate::tsm::start::{StartDeps, WaitFor};
use crate::tsm::startup::{self, StartJob, StartOutcome, StartupError, Task, collect};
use crate::tsm::store::Process;

use super::{OpContext, secrets};

/// A startup that was planned, and not carried out yet.
#[derive(Debug)]
pub struct PreparedStartup {
    processes: Vec<Process>,
    /// In the order in which they are started.
    pub jobs: Vec<StartJob>,
    /// The environments they belong to.
    pub environments: Vec<EnvRef>,
}

/// What came of a startup.
#[derive(Debug)]
pub struct StartupResult {
    /// For each service, in the order of the plan.
    pub outcomes: Vec<(String, StartOutcome)>,
    /// How many came to what.
    pub counts: StartupCounts,
}

/// Plans the start of all enabled services and what they depend on. Changes nothing.
///
/// # Errors
///
/// Fails if the links of the enabled services or the processes cannot be listed.
pub fn prepare(context: &OpContext) -> Result<PreparedStartup, Fault> {
    let processes = context.processes()?;
    let (jobs, environments) = {
        let start = context.start_context(&processes)?;
        (collect::enabled(&start)?, collect::environments(&enabled(context)?, &start))
    };
    Ok(PreparedStartup { processes, jobs, environments })
}

/// The names of the enabled services.
///
/// # Errors
///
/// Fails if their links cannot be listed.
pub fn enabled(context: &OpContext) -> Result<Vec<String>, Fault> {
    let links = Services::open(context.paths).files(ServiceSet::Enabled)?;
    let stem = |link: &PathBuf| link.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    Ok(links.iter().filter_map(stem).collect())
}

/// False for an enabled service with `TSM_AUTOSTART=false`, which is only started if another one needs it.
#[must_use]
pub fn starts_by_itself(context: &OpContext, name: &str) -> bool {
    let file = name.parse().map(|name: ServiceName| context.paths.service(&name));
    let definition = file.ok().and_then(|file| Definition::read(&file, context.host.variables()).ok());
    definition.is_none_or(|definition| definition.autostart != Some(false))
}

impl PreparedStartup {
    /// Gives processes that lost their supervisor a new one, starts the services, and adds a line to the startup log. A service that
    /// was cut off together with its supervisor is started at once: a new supervisor would wait as long as the old one had to.
    ///
    /// # Errors
    ///
    /// Fails if the startup log cannot be written. What could not be started is an outcome.
    pub fn run(mut self, context: &OpContext, on_progress: &mut OnProgress) -> Result<StartupResult, Fault> {
        let started = self.jobs.iter().filter(|job| matches!(job.task, Task::Start(_)));
        // Looked up only where a process has lost its supervisor.
        let files =
            LazyCell::new(|| started.filter_map(|job| collect::file_of(&job.name, context.paths)).collect::<Vec<_>>());
        let is_cut_off = |it: &Process| it.live.needs_supervisor() && !it.live.alive;
        self.processes.retain(|it| !is_cut_off(it) || !files.iter().any(|file| collect::comes_from(it, file)));
        context.with_control(|control| control.reconcile(&mut self.processes));
        let begun = context.host.now();
        let outcomes = start_all(context, self.jobs, WaitFor::Ready, on_progress);
        let counts = StartupCounts::of(&outcomes);
        if !outcomes.is_empty() {
            let line = format!("{} {}\n", at(begun), counts.line(&outcomes, context.host.now().since(begun)));
            file::append(&context.paths.startup_log(), line.as_bytes(), Access::Shared)?;
        }
        Ok(StartupResult { outcomes, counts })
    }
}

/// RFC 3339 in UTC with milliseconds, as all logs have it.
fn at(time: Timestamp) -> String {
    let millis = i64::try_from(time.0).unwrap_or_default();
    format!("{:.3}", jiff::Timestamp::from_millisecond(millis).unwrap_or_default())
}

/// Starts services in their order. A task is waited for if another service depends on it.
pub fn start_all(
    context: &OpContext,
    jobs: Vec<StartJob>,
    wait_for: WaitFor,
    on_progress: &mut OnProgress,
) -> Vec<(String, StartOutcome)> {
    let mut said = BTreeSet::new();
    for job in &jobs {
        let Task::Start(plan) = &job.task else { continue };
        for text in &plan.notes {
            let service = (!is_of_environment(text)).then(|| job.name.clone());
            if service.is_some() || said.insert(text) {
                on_progress(Progress::Note { service, text: text.clone() });
            }
        }
    }
    let unseal = secrets::unsealer(context.paths, context.host);
    let (paths, host) = (context.paths, context.host);
    startup::run(jobs, &mut StartDeps { paths, host, wait_for, on_progress, unseal: &unseal })
}

/// Why a service is not ready, with its name and its causes in one line.
#[must_use]
pub fn fault(name: &str, error: &StartupError) -> Fault {
    let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
    let mut fault = Fault::new(error.kind(), format!("{name}: {error}{cause}"));
    fault.advice = error.advice();
    fault.at = place(error).map(Box::new);
    fault.ended_process = error.ended_process().map(str::to_owned);
    fault
}

fn place(error: &StartupError) -> Option<Location> {
    match error {
        StartupError::Definition(error) => error.location(),
        StartupError::Plan(error) => error.location(),
        _ => None,
    }
}

/// How many services came to what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StartupCounts {
    /// Started, ready or not.
    pub started: usize,
    /// Of those: not ready.
    pub not_ready: usize,
    /// Ran before.
    pub running: usize,
    /// Could not be started, or ended.
    pub failed: usize,
}

impl StartupCounts {
    /// Counts.
    #[must_use]
    pub fn of(outcomes: &[(String, StartOutcome)]) -> Self {
        let count = |is: fn(&StartOutcome) -> bool| outcomes.iter().filter(|(_, outcome)| is(outcome)).count();
        Self {
            started: count(|it| matches!(it, StartOutcome::Started(_))),
            not_ready: count(|it| matches!(it, StartOutcome::Started(it) if !it.readiness.is_ready())),
            running: count(|it| matches!(it, StartOutcome::AlreadyRunning(_))),
            failed: count(|it| matches!(it, StartOutcome::Failed(_))),
        }
    }

    /// `2 started (1 not ready), 0 failed, 1 running already`
    #[must_use]
    pub fn in_words(&self) -> String {
        let running = if self.running > 0 { format!(", {} running already", self.running) } else { String::new() };
        let not_ready = if self.not_ready > 0 { format!(" ({} not ready)", self.not_ready) } else { String::new() };
        format!("{} started{not_ready}, {} failed{running}", self.started, self.failed)
    }

    /// The line of the log: counts, time, and what failed.
    fn line(&self, outcomes: &[(String, StartOutcome)], took: Duration) -> String {
        let failed = outcomes.iter().filter(|(_, outcome)| matches!(outcome, StartOutcome::Failed(_)));
        let failed: Vec<&str> = failed.map(|(name, _)| name.as_str()).collect();
        let which = if failed.is_empty() { String::new() } else { format!(": {}", failed.join(" ")) };
        format!("{} in {} ms{which}", self.in_words(), took.as_millis())
    }
}
