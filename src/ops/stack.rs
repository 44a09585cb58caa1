//! Starting and stopping the services of a stack together.

use std::path::PathBuf;

use crate::base::environment::EnvRef;
use crate::base::fault::Fault;
use crate::base::name::ServiceName;
use crate::tsm::control::{ControlError, StopResult};
use crate::tsm::progress::OnProgress;
use crate::tsm::restart::{RestartError, RestartOptions, Restarted};
use crate::tsm::stack::{self, Stack};
use crate::tsm::start::WaitFor;
use crate::tsm::startup::{StartJob, StartOutcome, collect};
use crate::tsm::store::Process;

use super::stop_order::{is_up, stop_levels};
use super::{OpContext, restart, startup};

/// A stack with its processes, as they were when it was read.
#[derive(Debug)]
pub struct StackState {
    /// Its name and services.
    pub stack: Stack,
    /// The processes that come from its services, or name the stack themselves.
    pub processes: Vec<Process>,
    jobs: Vec<StartJob>,
    /// The environments that a start or stop touches.
    pub environments: Vec<EnvRef>,
    /// The definitions of its services.
    files: Vec<PathBuf>,
}

/// What came of the start of a stack.
#[derive(Debug)]
pub struct StackStart {
    /// For each service.
    pub outcomes: Vec<(String, StartOutcome)>,
    /// For each process that comes from no service.
    pub restarted: Vec<(Process, Result<Restarted, RestartError>)>,
}

/// What came of the stop of each process.
pub type StackStop = Vec<(Process, Result<StopResult, ControlError>)>;

/// All stacks, each with the number of its processes that run.
///
/// # Errors
///
/// Fails if the files of the stacks or the processes cannot be read.
pub fn list(context: &OpContext) -> Result<Vec<(Stack, usize)>, Fault> {
    let all = context.processes()?;
    let stacks = stack::all(context.paths, context.host.variables(), &all)?;
    let count = |stack: Stack| {
        let files = files(&stack, context);
        let running = all.iter().filter(|it| is_member(it, &stack, &files) && it.is_running()).count();
        (stack, running)
    };
    Ok(stacks.into_iter().map(count).collect())
}

/// Reads a stack. Changes nothing.
///
/// # Errors
///
/// Fails if no stack has that name, or if its files or the processes cannot be read.
pub fn find(context: &OpContext, name: &str) -> Result<StackState, Fault> {
    let mut processes = context.processes()?;
    let stack = stack::find(name, context.paths, context.host.variables(), &processes)?;
    let mut environments = collect::environments(&stack.services, &context.unlimited(&processes));
    let files = files(&stack, context);
    processes.retain(|process| is_member(process, &stack, &files));
    environments.extend(processes.iter().flat_map(Process::environments));
    Ok(StackState { stack, processes, jobs: Vec::new(), environments, files })
}

fn files(stack: &Stack, context: &OpContext) -> Vec<PathBuf> {
    stack.services.iter().filter_map(|name| file(name, context)).collect()
}

fn file(name: &str, context: &OpContext) -> Option<PathBuf> {
    context.paths.service(&name.parse::<ServiceName>().ok()?).canonicalize().ok()
}

fn is_member(process: &Process, stack: &Stack, files: &[PathBuf]) -> bool {
    process.meta.run.stack == stack.name || files.iter().any(|file| collect::comes_from(process, file))
}

impl StackState {
    /// Plans the start of its services.
    ///
    /// # Errors
    ///
    /// Fails if the processes or the limits of the active environment cannot be read.
    pub fn plan_start(&mut self, context: &OpContext) -> Result<(), Fault> {
        let all = context.processes()?;
        self.jobs = collect::named(&self.stack.services, &context.start_context(&all)?);
        Ok(())
    }

    /// What a start does with each of its services and what they depend on, in order; empty until it is planned.
    #[must_use]
    pub fn jobs(&self) -> &[StartJob] {
        &self.jobs
    }

    /// The processes that come from none of its services.
    pub fn own(&self) -> impl Iterator<Item = &Process> {
        self.processes.iter().filter(|process| !self.files.iter().any(|file| collect::comes_from(process, file)))
    }

    /// The processes that come from one of its services.
    pub fn of_service(&self, service: &str, context: &OpContext) -> Vec<&Process> {
        let Some(file) = file(service, context) else { return Vec::new() };
        self.processes.iter().filter(|process| collect::comes_from(process, &file)).collect()
    }

    /// Starts what was planned, then processes that do not run and come from no service.
    ///
    /// # Errors
    ///
    /// Fails if the processes cannot be read.
    pub fn start(mut self, context: &OpContext, on_progress: &mut OnProgress) -> Result<StackStart, Fault> {
        let jobs = std::mem::take(&mut self.jobs);
        let outcomes = startup::start_all(context, jobs, WaitFor::Ready, on_progress);
        let own: Vec<Process> = self.own().filter(|it| !it.is_running() && !it.is_scheduled()).cloned().collect();
        if own.is_empty() {
            return Ok(StackStart { outcomes, restarted: Vec::new() });
        }
        let options = RestartOptions::USUAL;
        let results = restart::restart(context, &own, options, WaitFor::Ready, on_progress)?;
        Ok(StackStart { outcomes, restarted: own.into_iter().zip(results).collect() })
    }

    /// Stops its processes, what others need after them; what does not need each other at the same time. An interruption leaves what
    /// was not asked to end yet: it may still be needed.
    pub fn stop(mut self, context: &OpContext) -> StackStop {
        context.with_control(|control| {
            control.reconcile(&mut self.processes);
            let mut results: Vec<_> = self.processes.iter().map(|_| None).collect();
            for level in stop_levels(context, &self.processes) {
                let members: Vec<&Process> = level.iter().map(|at| &self.processes[*at]).collect();
                let answers = if (control.interrupted)() { not_asked(&members) } else { control.stop(&members) };
                level.into_iter().zip(answers).for_each(|(at, answer)| results[at] = Some(answer));
            }
            self.processes.into_iter().zip(results).filter_map(|(process, result)| Some((process, result?))).collect()
        })
    }
}

/// The answers for processes that an interruption came before.
fn not_asked(processes: &[&Process]) -> Vec<Result<StopResult, ControlError>> {
    let answer = |process: &&Process| {
        if is_up(process) {
            return Err(ControlError::NotAsked { name: process.name.clone() });
        }
        Ok(StopResult::WasNotRunning { state: process.live.state })
    };
    processes.iter().map(answer).collect()
}
