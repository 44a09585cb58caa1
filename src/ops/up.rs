//! Starting what does not run and restarting what does, as a deployment wants it.

use std::collections::BTreeMap;

use crate::base::environment::EnvRef;
use crate::base::fault::Fault;
use crate::tsm::plan::Environ;
use crate::tsm::progress::OnProgress;
use crate::tsm::resolve::{self, Precision};
use crate::tsm::restart::{RestartError, RestartOptions, Restarted};
use crate::tsm::service::Services;
use crate::tsm::start::{Started, WaitFor};
use crate::tsm::startup::{StartJob, StartOutcome, StartupError, Task, collect};
use crate::tsm::store::Process;

use super::stop_order::is_up;
use super::{OpContext, restart, startup};

/// An `up` that was planned, and not carried out yet.
#[derive(Debug)]
pub struct PreparedUp {
    /// All processes.
    all: Vec<Process>,
    /// The services that were named, or are enabled.
    services: Vec<String>,
    /// Processes that were named and are not service.
    pub processes: Vec<Process>,
    /// What is to be done with each service and what it depends on.
    pub jobs: Vec<StartJob>,
    /// The environments it touches.
    pub environments: Vec<EnvRef>,
}

/// What came of one service or process.
#[derive(Debug)]
pub enum UpResult {
    /// It did not run and was started.
    Started(Started),
    /// It ran, and was not restarted because a dependency is not ready.
    Blocked {
        /// The service.
        service: String,
        /// The dependency.
        dependency: String,
    },
    /// A service could not be started.
    NotStarted {
        /// The service.
        service: String,
        /// Why.
        error: StartupError,
    },
    /// It ran and was restarted, or a process that was named was started.
    Restarted(Box<Process>, Result<Restarted, RestartError>),
}

/// Finds out what the names mean (without one: all enabled services) and plans the starts. Changes nothing.
///
/// # Errors
///
/// Fails if a name means neither a service nor a process, or if services or processes cannot be read.
pub fn prepare(context: &OpContext, names: &[String]) -> Result<PreparedUp, Fault> {
    let all = context.processes()?;
    let store = Services::open(context.paths);
    let is_service = |word: &&str| word.parse().is_ok_and(|name| store.find(&name).is_ok());
    let (named, others): (Vec<&str>, Vec<&str>) = names.iter().map(String::as_str).partition(is_service);
    let mut resolved = resolve::resolve(&others, &all, Precision::Exact);
    if !resolved.missing.is_empty() {
        return Err(resolved.missing.remove(0).into());
    }
    let processes: Vec<Process> = resolved.processes.into_iter().cloned().collect();
    let (services, jobs) = {
        let start = context.start_context(&all)?;
        match names {
            [] => (startup::enabled(context)?, collect::enabled(&start)?),
            _ => {
                let services: Vec<String> = named.into_iter().map(str::to_owned).collect();
                let jobs = collect::named(&services, &start);
                (services, jobs)
            }
        }
    };
    let is_member = |it: &&Process| services.iter().any(|name| collect::is_of(it, name, context.paths));
    let touched = all.iter().filter(is_member).chain(&processes);
    let environments = touched.flat_map(Process::environments).collect();
    Ok(PreparedUp { all, services, processes, jobs, environments })
}

impl PreparedUp {
    /// Starts and restarts. Where a dependency fails, what depends on it is not touched.
    ///
    /// # Errors
    ///
    /// Fails if the processes cannot be read any more.
    pub fn run(
        mut self,
        context: &OpContext,
        environ: Environ,
        on_progress: &mut OnProgress,
    ) -> Result<Vec<UpResult>, Fault> {
        context.with_control(|control| control.reconcile(&mut self.all));
        let jobs = std::mem::take(&mut self.jobs);
        let needs: BTreeMap<String, Vec<String>> = jobs.iter().map(|it| (it.name.clone(), it.needs.clone())).collect();
        let (mut results, mut failed, mut restarts) = (Vec::new(), Vec::new(), Vec::<Process>::new());
        for (service, outcome) in startup::start_all(context, jobs, WaitFor::Ready, on_progress) {
            let blocked = needs[&service].iter().find(|need| failed.contains(*need)).cloned();
            match (outcome, blocked) {
                (StartOutcome::Started(it), _) => {
                    if !it.readiness.is_ready() {
                        failed.push(service);
                    }
                    results.push(UpResult::Started(it));
                }
                (StartOutcome::AlreadyRunning(_), Some(dependency)) => {
                    failed.push(service.clone());
                    results.push(UpResult::Blocked { service, dependency });
                }
                (StartOutcome::AlreadyRunning(_), None) => self.add_running(&service, context, &mut restarts),
                (StartOutcome::Failed(error), None) if error.is_waiting() => {
                    self.add_running(&service, context, &mut restarts);
                }
                (StartOutcome::Disabled, _) => {}
                (StartOutcome::Failed(error), _) => {
                    failed.push(service.clone());
                    results.push(UpResult::NotStarted { service, error });
                }
            }
        }
        restarts.append(&mut self.processes);
        let options = RestartOptions { environ, ..RestartOptions::USUAL };
        let restarted = restart::restart(context, &restarts, options, WaitFor::Ready, on_progress)?;
        let restarted = restarts.into_iter().zip(restarted);
        results.extend(restarted.map(|(process, result)| UpResult::Restarted(Box::new(process), result)));
        Ok(results)
    }

    /// True if a service that runs is restarted: it was meant, and is not only depended on.
    #[must_use]
    pub fn restarts(&self, service: &str) -> bool {
        self.services.iter().any(|name| name == service)
    }

    /// True if something that was meant runs already.
    #[must_use]
    pub fn restarts_any(&self) -> bool {
        let restarts = |job: &StartJob| matches!(job.task, Task::Running(_)) && self.restarts(&job.name);
        self.jobs.iter().any(restarts) || self.processes.iter().any(Process::is_running)
    }

    /// Adds the processes of a service that was meant, each once.
    fn add_running(&self, service: &str, context: &OpContext, restarts: &mut Vec<Process>) {
        if !self.restarts(service) {
            return;
        }
        let own = self.all.iter().filter(|it| is_up(it) && collect::is_of(it, service, context.paths));
        for process in own {
            if !restarts.iter().any(|known| known.name == process.name) {
                restarts.push(process.clone());
            }
        }
    }
}
