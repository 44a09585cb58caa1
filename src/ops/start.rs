//! Starting one service, program or process, with what it depends on.

use crate::base::environment::EnvRef;
use crate::base::fault::{Fault, FaultKind};
use crate::tsm::allocate::{Allocation, AllocationError, allocate};
use crate::tsm::instances;
use crate::tsm::plan::{PlanError, StartPlan};
use crate::tsm::planner;
use crate::tsm::process_index::ProcessIndex;
use crate::tsm::progress::{OnProgress, Progress};
use crate::tsm::readiness::Readiness;
use crate::tsm::request::{StartContext, StartRequest, StartTarget};
use crate::tsm::start::{StartDeps, Started, WaitFor};
use crate::tsm::startup::{StartJob, StartOutcome, StartupError, Task, collect};
use crate::tsm::store::ProcessStore;

use super::{OpContext, secrets, startup};

/// A start that was planned, and not carried out yet.
#[derive(Debug)]
pub struct PreparedStart {
    /// What will be started.
    pub plan: StartPlan,
    /// What has to be ready before it, each behind what it depends on.
    dependencies: Vec<StartJob>,
    /// The environments it touches.
    pub environments: Vec<EnvRef>,
}

/// What came of a start.
#[derive(Debug)]
pub enum StartResult {
    /// The one process.
    One(Started),
    /// Several instances, by the name of their group.
    Instances(Vec<(String, StartOutcome)>),
}

/// Finds out what a request means and plans it. Changes nothing.
///
/// # Errors
///
/// Fails for everything that can be known before a start: see [`planner::plan`].
pub fn prepare(context: &OpContext, request: &StartRequest) -> Result<PreparedStart, Fault> {
    // Only a single word can mean a process; for other lines reading all of them would be in vain.
    let mut processes = if request.may_name_process() { context.processes()? } else { Vec::new() };
    let (plan, environments) = {
        let start = context.start_context(&processes)?;
        let target = request.target(&start).map_err(PlanError::from)?;
        let mut environments = environments(&target, request, &start)?;
        let plan = planner::of_target(target, request, &start)?;
        environments.extend(plan.env_files.iter().filter_map(|file| EnvRef::of_env_file(&file.path)));
        (plan, environments)
    };
    if !plan.settings.deps.is_empty() && !request.may_name_process() {
        processes = context.processes()?;
    }
    let dependencies = match plan.settings.deps.as_slice() {
        [] => Vec::new(),
        needs => collect::named(needs, &context.start_context(&processes)?),
    };
    Ok(PreparedStart { plan, dependencies, environments })
}

fn environments(
    target: &StartTarget,
    request: &StartRequest,
    context: &StartContext,
) -> Result<Vec<EnvRef>, PlanError> {
    match target {
        StartTarget::Existing(process) => Ok(process.environments()),
        StartTarget::Service(service) => {
            service.refuse_elsewhere(request, context)?;
            let mut touched = collect::environments(service.deps(), context);
            touched.extend(service.environment());
            Ok(touched)
        }
        StartTarget::Program { .. } => Ok(Vec::new()),
    }
}

impl PreparedStart {
    /// Shows the plan with the name, id and port that it would get now.
    ///
    /// # Errors
    ///
    /// Fails if its name or port is taken.
    pub fn show<R>(
        &self,
        context: &OpContext,
        on_progress: &mut OnProgress,
        show: impl FnOnce(&StartPlan, &Allocation) -> R,
    ) -> Result<R, Fault> {
        let index = ProcessIndex::read(ProcessStore::open(context.paths))?;
        match allocate(&self.plan, &index, &|port| index.conflict(port)) {
            Ok(allocation) => Ok(show(&self.plan, &allocation)),
            Err(error) => {
                if let AllocationError::PortTaken { conflict, .. } = &error {
                    on_progress(Progress::PortInUse((**conflict).clone()));
                }
                Err(error.into())
            }
        }
    }

    /// Starts the dependencies that do not run, then the process or its instances.
    ///
    /// # Errors
    ///
    /// Fails if a dependency is not ready, or if the process cannot be started or ends before it is ready.
    pub fn run(
        self,
        context: &OpContext,
        wait_for: WaitFor,
        on_progress: &mut OnProgress,
    ) -> Result<(StartPlan, StartResult), Fault> {
        let Self { plan, dependencies, .. } = self;
        plan.notes.iter().for_each(|text| on_progress(Progress::Note { service: None, text: text.clone() }));
        start_dependencies(context, dependencies, on_progress)?;
        if plan.instances > 1 {
            let outcomes = start_instances(context, &plan, on_progress)?;
            return Ok((plan, StartResult::Instances(outcomes)));
        }
        let unseal = secrets::unsealer(context.paths, context.host);
        let (paths, host) = (context.paths, context.host);
        let mut deps = StartDeps { paths, host, wait_for, on_progress, unseal: &unseal };
        match crate::tsm::start::start(&plan, &mut deps) {
            Ok(started) => Ok((plan, StartResult::One(started))),
            Err(error) => {
                if let Some(conflict) = error.conflict() {
                    on_progress(Progress::PortInUse(conflict.clone()));
                }
                Err(error.into())
            }
        }
    }
}

/// Starts all instances at the same time.
fn start_instances(
    context: &OpContext,
    plan: &StartPlan,
    on_progress: &mut OnProgress,
) -> Result<Vec<(String, StartOutcome)>, Fault> {
    let name = plan.base.text.clone();
    let job = |one: StartPlan| StartJob {
        name: name.clone(),
        needs: Vec::new(),
        // Its notes were passed on once, for all of them.
        task: Task::Start(Box::new(StartPlan { notes: Vec::new(), ..one })),
    };
    let jobs = instances::plans(plan)?.into_iter().map(job).collect();
    Ok(startup::start_all(context, jobs, WaitFor::Ready, on_progress))
}

/// Starts what a service depends on and what does not run yet; waits for tasks to end.
fn start_dependencies(context: &OpContext, jobs: Vec<StartJob>, on_progress: &mut OnProgress) -> Result<(), Fault> {
    if jobs.is_empty() {
        return Ok(());
    }
    for (name, outcome) in startup::start_all(context, jobs, WaitFor::Exit, on_progress) {
        match outcome {
            StartOutcome::Started(it) if !it.readiness.is_ready() => {
                return Err(Fault::new(FaultKind::Failed, format!("dependency `{name}` started and is not ready"))
                    .with_advice(format!("`tsm logs {}` shows its output", it.name)));
            }
            StartOutcome::Started(it) => on_progress(Progress::DependencyReady {
                pid: Some(it.pid).filter(|_| !matches!(it.readiness, Readiness::Ended(_))),
                name: it.name.to_string(),
                id: it.id,
                port: it.port,
            }),
            StartOutcome::AlreadyRunning(_) | StartOutcome::Disabled => {}
            StartOutcome::Failed(error) => {
                let mut fault = startup::fault(&name, &error);
                if !matches!(error, StartupError::Cycle { .. }) {
                    fault.error = format!("a dependency was not started: {}", fault.error).into();
                }
                return Err(fault);
            }
        }
    }
    Ok(())
}
