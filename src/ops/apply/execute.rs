//! Carrying out a plan: files first, then what runs, in the order of dependencies; everything is put back where a step fails.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use super::backup::Backup;
use super::{ApplyPlan, ApplyRequest, ProcessChange, ServiceChange};
use crate::base::fault::{Fault, FaultKind};
use crate::base::name::ProcessName;
use crate::ops::startup::{self as op_startup, fault};
use crate::ops::{OpContext, restart as op_restart};
use crate::org::manifest::Rollout;
use crate::sys::os_host::OsHost;
use crate::sys::paths::Paths;
use crate::tsm::options::Strategy;
use crate::tsm::progress::{OnProgress, Progress};
use crate::tsm::readiness::Readiness;
use crate::tsm::restart::RestartOptions;
use crate::tsm::service::{Overwrite, Services};
use crate::tsm::start::WaitFor;
use crate::tsm::startup::{StartOutcome, collect};
use crate::tsm::store::{Process, ProcessStore};

/// What came of an apply.
#[derive(Debug, Default)]
pub struct ApplyResult {
    /// What became of processes, in the order in which it happened.
    pub done: Vec<Done>,
}

/// What became of a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Done {
    /// It was restarted.
    Restarted(ProcessName),
    /// It is new.
    Started(ProcessName),
    /// Another one took its place.
    Replaced(ProcessName),
}

impl ApplyPlan {
    /// Writes, links and removes definitions as planned, then restarts and starts what the change concerns, and waits until it is
    /// healthy. Where a step fails, files and processes are put back as they were.
    ///
    /// # Errors
    ///
    /// Fails with [`ApplyPlan::refusal`] before anything is changed; with [`FaultKind::Reverted`] if something did not become
    /// healthy and everything was put back, and with [`FaultKind::RevertFailed`] if that failed too.
    pub fn execute(&self, request: &ApplyRequest, on_progress: &mut OnProgress) -> Result<ApplyResult, Fault> {
        self.refusal().map_or(Ok(()), |refusal| Err(Fault::from(refusal)))?;
        if self.is_done() {
            return Ok(ApplyResult::default());
        }
        let changed = self.services.iter().filter(|service| !service.is_done());
        let backup = Backup::take(request.paths, changed.map(|service| &service.name))?;
        let context = request.context();
        let known = ProcessStore::open(request.paths).names()?;
        // Each step says what it has to say.
        let mut said = BTreeSet::new();
        let mut once = |progress: Progress| match &progress {
            Progress::Note { service: None, text } if !said.insert(text.clone()) => {}
            _ => on_progress(progress),
        };
        let mut rollout = Running {
            plan: self,
            context: &context,
            on_progress: &mut once,
            known,
            done: Vec::new(),
            before: Vec::new(),
        };
        let unit = || self.unit.as_ref().map_or(Ok(()), |unit| unit.write(request.host));
        match self.write(request.paths).and_then(|()| unit()).and_then(|()| rollout.run()) {
            Ok(()) => Ok(ApplyResult { done: rollout.done }),
            Err(why) => Err(rollout.revert(&backup, why)),
        }
    }
}

impl ApplyPlan {
    /// Only writes, links and removes definitions, and leaves alone what runs.
    ///
    /// # Errors
    ///
    /// Fails with [`ApplyPlan::refusal`] before anything is changed, or if a file cannot be written.
    pub fn install(&self, paths: &Paths) -> Result<(), Fault> {
        self.refusal().map_or(Ok(()), |refusal| Err(Fault::from(refusal)))?;
        self.write(paths)
    }

    fn write(&self, paths: &Paths) -> Result<(), Fault> {
        self.services.iter().filter(|service| !service.is_done()).try_for_each(|service| service.write(paths))
    }
}

impl ServiceChange {
    fn write(&self, paths: &Paths) -> Result<(), Fault> {
        let services = Services::open(paths);
        let Some(definition) = &self.definition else { return Ok(services.remove(&self.name)?) };
        if self.action != super::Action::Keep {
            services.save(definition, Overwrite::Existing)?;
        }
        if self.enabled {
            services.enable(&self.name)?;
        } else if services.is_enabled(&self.name) {
            services.disable(&self.name)?;
        }
        Ok(())
    }
}

/// A plan whose processes are being restarted.
struct Running<'a, 'p> {
    plan: &'a ApplyPlan,
    context: &'a OpContext<'a>,
    on_progress: &'a mut OnProgress<'p>,
    /// The names of all processes at the beginning.
    known: Vec<ProcessName>,
    done: Vec<Done>,
    /// Processes that were restarted or stopped, as they were before.
    before: Vec<Process>,
}

impl<'a> Running<'a, '_> {
    fn run(&mut self) -> Result<(), Fault> {
        let mut waves: Vec<Vec<&ServiceChange>> = Vec::new();
        let services = self.in_order()?;
        match self.plan.rollout {
            Rollout::Rolling => waves.extend(services.into_iter().map(|service| vec![service])),
            Rollout::Recreate => waves.push(services),
        }
        waves.into_iter().try_for_each(|wave| self.wave(&wave).and_then(|()| self.check_interrupted()))?;
        let replaced = self.before.iter().filter(|it| self.done.contains(&Done::Replaced(it.name.clone())));
        let replaced: Vec<&Process> = replaced.collect();
        // What was stopped and has a successor; a record that cannot be removed harms nothing.
        let _ = self.context.with_control(|control| control.delete(&replaced));
        Ok(())
    }

    /// Fails if Ctrl-C was pressed: also too late for a wait that had its answer, nothing is settled before the end.
    fn check_interrupted(&self) -> Result<(), Fault> {
        let interrupted = self.context.host.interrupted();
        if interrupted { Err(Fault::new(FaultKind::Interrupted, "interrupted")) } else { Ok(()) }
    }

    /// The services whose processes change, each behind those it needs.
    fn in_order(&self) -> Result<Vec<&'a ServiceChange>, Fault> {
        let changed: Vec<&'a ServiceChange> = self.plan.services.iter().filter(|it| !it.run.is_empty()).collect();
        let names: Vec<String> = changed.iter().map(|service| service.name.to_string()).collect();
        let processes = self.context.processes()?;
        let jobs = collect::named(&names, &self.context.start_context(&processes)?);
        let mut sorted: Vec<&'a ServiceChange> = Vec::new();
        for job in &jobs {
            let service = changed.iter().find(|service| service.name.as_str() == job.name);
            sorted.extend(service.filter(|it| !sorted.iter().any(|known| known.name == it.name)));
        }
        Ok(sorted)
    }

    fn wave(&mut self, services: &[&ServiceChange]) -> Result<(), Fault> {
        let changes = || services.iter().flat_map(|service| &service.run.changed);
        let (renamed, same): (Vec<&ProcessChange>, Vec<&ProcessChange>) =
            changes().partition(|change| change.renamed.is_some());
        self.restart(&same)?;
        self.stop(&renamed)?;
        let has_renamed = |service: &ServiceChange| service.run.changed.iter().any(|it| it.renamed.is_some());
        let starting = services.iter().filter(|service| service.run.starts || has_renamed(service));
        let names: Vec<String> = starting.map(|service| service.name.to_string()).collect();
        self.start(&names)
    }

    fn restart(&mut self, changes: &[&ProcessChange]) -> Result<(), Fault> {
        let processes: Vec<Process> = changes.iter().map(|change| change.process.clone()).collect();
        if processes.is_empty() {
            return Ok(());
        }
        let strategy = (self.plan.rollout == Rollout::Recreate).then_some(Strategy::Recreate);
        let options = RestartOptions { strategy, ..RestartOptions::USUAL };
        self.before.extend(processes.iter().cloned());
        let results = op_restart::restart(self.context, &processes, options, WaitFor::Ready, self.on_progress)?;
        for (process, result) in processes.iter().zip(results) {
            let restarted = result.map_err(|error| with_logs(&process.name, error.into()))?;
            self.done.push(Done::Restarted(restarted.name.clone()));
            check_ready(&restarted.name, restarted.readiness)?;
        }
        Ok(())
    }

    /// Stops what gets another name.
    fn stop(&mut self, changes: &[&ProcessChange]) -> Result<(), Fault> {
        let processes: Vec<&Process> = changes.iter().map(|change| &change.process).collect();
        self.before.extend(processes.iter().copied().cloned());
        let results = self.context.with_control(|control| control.stop(&processes));
        for (process, result) in processes.iter().zip(results) {
            result?;
            self.done.push(Done::Replaced(process.name.clone()));
        }
        Ok(())
    }

    fn start(&mut self, names: &[String]) -> Result<(), Fault> {
        if names.is_empty() {
            return Ok(());
        }
        let processes = self.context.processes()?;
        let jobs = collect::named(names, &self.context.start_context(&processes)?);
        let mut failed = None;
        for (name, outcome) in op_startup::start_all(self.context, jobs, WaitFor::Ready, self.on_progress) {
            match outcome {
                StartOutcome::Started(started) => {
                    self.done.push(Done::Started(started.name.clone()));
                    failed = failed.or(check_ready(&started.name, started.readiness).err());
                }
                StartOutcome::AlreadyRunning(_) | StartOutcome::Disabled => {}
                StartOutcome::Failed(error) => failed = failed.or(Some(with_logs(&name, fault(&name, &error)))),
            }
        }
        failed.map_or(Ok(()), Err)
    }

    /// Puts files and processes back; why the plan failed, and whether it is as it was. Ctrl-C, which may be why, does not end it.
    fn revert(&mut self, backup: &Backup, why: Fault) -> Fault {
        let patient = OsHost::for_thread(self.context.host, Arc::default(), |_| true);
        let context = OpContext { host: &patient, ..*self.context };
        let mut failures: Vec<Fault> = Vec::new();
        failures.extend(backup.restore(context.paths).err().map(Fault::from));
        let unit = self.plan.unit.as_ref().map(|unit| unit.restore(self.context.host));
        failures.extend(unit.and_then(Result::err));
        // Also what a failed start left behind.
        let all = context.processes().unwrap_or_default();
        let is_of = |it: &Process| {
            self.plan.services.iter().any(|service| collect::is_of(it, service.name.as_str(), context.paths))
        };
        let new: Vec<&Process> = all.iter().filter(|it| !self.known.contains(&it.name) && is_of(it)).collect();
        let removed = context.with_control(|control| control.delete(&new));
        failures.extend(removed.into_iter().filter_map(Result::err).map(Fault::from));
        let (ran, rested): (Vec<&Process>, Vec<&Process>) = self.before.iter().partition(|it| it.is_running());
        let now = |before: &Process| all.iter().find(|it| it.name == before.name).cloned();
        let rested: Vec<Process> = rested.into_iter().filter_map(now).filter(Process::is_running).collect();
        let stopped = context.with_control(|control| control.stop(&rested.iter().collect::<Vec<_>>()));
        failures.extend(stopped.into_iter().filter_map(Result::err).map(Fault::from));
        for before in ran {
            let Some(process) = now(before) else { continue };
            // The limits that it had are no part of its definition.
            let options = RestartOptions { limits: Some(before.meta.run.limits), ..RestartOptions::USUAL };
            let result = op_restart::restart(&context, &[process], options, WaitFor::Ready, self.on_progress);
            failures.extend(match result.map(|mut all| all.pop()) {
                Ok(Some(Ok(restarted))) => check_ready(&restarted.name, restarted.readiness).err(),
                Ok(Some(Err(error))) => Some(error.into()),
                Ok(None) => None,
                Err(error) => Some(error),
            });
        }
        outcome(&why, &failures)
    }
}

fn outcome(why: &Fault, failures: &[Fault]) -> Fault {
    let (kind, end) = match failures {
        [] => (FaultKind::Reverted, "everything was put back".to_owned()),
        some => {
            let some: Vec<String> = some.iter().map(Fault::in_full).collect();
            (FaultKind::RevertFailed, format!("and it could not be put back: {}", some.join("; ")))
        }
    };
    let message = format!("the environment was not applied: {}; {end}", why.in_full());
    let advice = why.advice.clone().unwrap_or_else(|| "`tsm list` and `tsm logs NAME` show what happened".to_owned());
    Fault::new(kind, message).with_advice(advice)
}

fn check_ready(name: &ProcessName, readiness: Readiness) -> Result<(), Fault> {
    let what = match readiness {
        ready if ready.is_ready() => return Ok(()),
        Readiness::NotHealthy => "is not healthy",
        Readiness::NotReported => "did not report that it is ready",
        Readiness::NotListening => "does not listen on its port",
        Readiness::Interrupted => "was not waited for any longer",
        _ => "ended",
    };
    Err(with_logs(name, Fault::new(FaultKind::Failed, format!("`{name}` {what}"))))
}

/// Advice that is still true when everything was put back: the process that failed does not exist any more then.
fn with_logs(name: impl fmt::Display, fault: Fault) -> Fault {
    fault.with_advice(format!("`tsm logs {name}` shows its output"))
}
