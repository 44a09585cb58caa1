//! One maintenance round: supervisors for processes that lost theirs, services that crashed, files of dead processes.

use std::path::{Path, PathBuf};

use crate::base::fault::Fault;
use crate::base::name::ProcessName;
use crate::supervise::meta::{ProcessState, ProcessStatus};
use crate::sys::paths::Paths;
use crate::tsm::doctor::fix::apply_fix;
use crate::tsm::doctor::{DoctorContext, Fix, supervisors};
use crate::tsm::progress::OnProgress;
use crate::tsm::restart::RestartOptions;
use crate::tsm::start::{StartDeps, WaitFor};
use crate::tsm::store::Process;

use super::{OpContext, secrets};

/// What one round did.
#[derive(Debug, Default)]
pub struct MaintenanceRound {
    /// How many processes were looked at.
    pub checked: usize,
    /// Processes that have a supervisor again.
    pub supervised: Vec<ProcessName>,
    /// Services that crashed and run again.
    pub restarted: Vec<ProcessName>,
    /// Files and directories of dead processes that were removed.
    pub removed: Vec<PathBuf>,
    /// Processes that crashed and were left as they are.
    pub crashed: Vec<ProcessName>,
    /// What failed.
    pub faults: Vec<Fault>,
}

/// The processes that a round would restart: they crashed, and come from an enabled service. What was given up after too many
/// restarts is left to the operator.
pub fn to_restart<'a>(processes: &'a [Process], paths: &'a Paths) -> impl Iterator<Item = &'a Process> {
    processes.iter().filter(|process| {
        process.live.state == ProcessState::Crashed && process.record_error.is_none() && is_enabled(process, paths)
    })
}

fn is_enabled(process: &Process, paths: &Paths) -> bool {
    let definition = Path::new(&process.meta.run.service);
    let link = definition.file_name().map(|name| paths.services_enabled().join(name));
    link.and_then(|link| link.canonicalize().ok()).is_some_and(|target| target == definition)
}

/// Makes one round over all processes.
#[must_use]
pub fn run(context: &OpContext, processes: &mut [Process], on_progress: &mut OnProgress) -> MaintenanceRound {
    let mut round = MaintenanceRound { checked: processes.len(), ..MaintenanceRound::default() };
    round.supervise(context, processes);
    round.remove_stale(context, processes);
    round.restart_crashed(context, processes, on_progress);
    let is_restarted = |process: &Process| round.restarted.contains(&process.name);
    let crashed = processes.iter().filter(|it| it.status() == ProcessStatus::Crashed && !is_restarted(it));
    round.crashed = crashed.map(|process| process.name.clone()).collect();
    round
}

impl MaintenanceRound {
    fn supervise(&mut self, context: &OpContext, processes: &mut [Process]) {
        let lost = processes.iter().filter(|process| process.live.needs_supervisor());
        let lost: Vec<ProcessName> = lost.map(|process| process.name.clone()).collect();
        context.with_control(|control| control.reconcile(processes));
        let found = processes.iter().filter(|it| it.live.supervised && lost.contains(&it.name));
        self.supervised = found.map(|process| process.name.clone()).collect();
    }

    fn remove_stale(&mut self, context: &OpContext, processes: &[Process]) {
        let now = context.host.now();
        let doctor = DoctorContext { paths: context.paths, processes, now, units: &[], ask: &|_| None };
        let fixes: Vec<Fix> = supervisors::stale(&doctor).into_iter().filter_map(|finding| finding.with_fix).collect();
        for fix in &fixes {
            match (context.with_control(|control| apply_fix(fix, control)), fix) {
                (Ok(_), Fix::Remove(path)) => self.removed.push(path.clone()),
                (Ok(_), _) => {}
                (Err(error), _) => self.faults.push(error.into()),
            }
        }
    }

    fn restart_crashed(&mut self, context: &OpContext, processes: &[Process], on_progress: &mut OnProgress) {
        let crashed: Vec<&Process> = to_restart(processes, context.paths).collect();
        let unseal = secrets::unsealer(context.paths, context.host);
        let (paths, host) = (context.paths, context.host);
        let mut deps = StartDeps { paths, host, wait_for: WaitFor::Ready, on_progress, unseal: &unseal };
        let options = RestartOptions::USUAL;
        let start = context.unlimited(processes);
        let results = context.with_control(|control| control.restart(&crashed, &start, options, &mut deps));
        for (process, result) in crashed.iter().zip(results) {
            match result {
                Ok(_) => self.restarted.push(process.name.clone()),
                Err(error) => self.faults.push(error.into()),
            }
        }
    }
}
