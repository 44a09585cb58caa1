//! Restarting: a process that runs gets a restart command, one that does not, or whose definition changed, is started; each is
//! watched until what became of it is known.

mod error;
mod notes;
mod rollout;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, Instant};

use super::change::{self, FieldChange};
use super::control::{Control, ControlError, StopResult, check_known, check_owner};
use super::create;
use super::definition::Definition;
use super::from_record;
use super::options::Strategy;
use super::plan::Environ;
use super::plan::{PlanError, StartPlan};
use super::progress::Progress;
use super::readiness::{EXIT_RECORD_TIMEOUT, HealthSource, Readiness, ReadinessWatcher, STABLE_AFTER};
use super::request::{StartContext, StartRequest};
use super::secrets::are_sealed;
use super::start::{self, StartDeps, Started, WaitFor, may_end};
use super::startup::{self, StartJob, StartOutcome, StartupError, Task};
use super::store::Process;
use crate::base::name::ProcessName;
use crate::base::time::Timestamp;
use crate::supervise::client::ControlCommand;
use crate::supervise::limits::Limits;
use crate::supervise::meta::{ExitStatus, LastExit, Meta, ProcessState};
use crate::sys::process;

use rollout::RollingRestart;

pub use error::RestartError;

/// A process that came up again.
#[derive(Debug)]
pub struct Restarted {
    /// Its id.
    pub id: u32,
    /// Its name.
    pub name: ProcessName,
    /// Its new pid.
    pub pid: u32,
    /// Its port.
    pub port: Option<u16>,
    /// How often it was started again so far.
    pub restarts: u32,
    /// It ran before.
    pub was_running: bool,
    /// What was seen of it.
    pub readiness: Readiness,
    /// What is different about it.
    pub changes: Vec<FieldChange>,
}

impl Restarted {
    /// A process that was started, and did not run before.
    #[must_use]
    pub fn started(it: Started) -> Self {
        let Started { name, id, pid, port, readiness: seen, .. } = it;
        Self { id, name, pid, port, restarts: 0, was_running: false, readiness: seen, changes: Vec::new() }
    }
}

/// How processes are restarted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RestartOptions {
    /// How the instances of one group are; none to do as each group says.
    pub strategy: Option<Strategy>,
    /// Whose variables they get.
    pub environ: Environ,
    /// What they may have; none for what their definitions and environments say. For taking a change back.
    pub limits: Option<Limits>,
}

impl RestartOptions {
    /// As each group says, with the variables of the last start and the limits of now.
    pub const USUAL: Self = Self { strategy: None, environ: Environ::Recorded, limits: None };
}

/// How long a restarted process may take to come up, beyond the time it is given to end.
const START_TIMEOUT: Duration = Duration::from_secs(30);

/// So many are restarted at the same time.
const MAX_CONCURRENT: usize = 32;

/// What is to be done with a process.
struct RestartPlan<'a> {
    process: &'a Process,
    plan: StartPlan,
    changes: Vec<FieldChange>,
}

/// The bytes on stderr before an order.
type StderrOffset = u64;

type RestartResult = Result<Restarted, RestartError>;

impl Control<'_> {
    /// Restarts processes by their definitions as they are now, and waits until each is up. What did not run is started. Instances
    /// of a group follow one after the other where their strategy says so, and after one that is not ready no more do; all else is
    /// done at the same time, within bounds. What cannot be started as it is defined now is refused before anything is stopped.
    /// The answers are in the order of the processes.
    pub fn restart(
        &self,
        processes: &[&Process],
        context: &StartContext,
        options: RestartOptions,
        deps: &mut StartDeps,
    ) -> Vec<RestartResult> {
        let mut answers: Vec<Option<RestartResult>> = Vec::new();
        let mut renewals = BTreeMap::new();
        let mut said = BTreeSet::new();
        for (index, process) in processes.iter().enumerate() {
            match plan_restart(process, context, options) {
                Ok(mut renewal) => {
                    renewal.changes.extend(notes::find_program_again(process, &mut renewal.plan, context));
                    for text in notes::about(process, &renewal.plan).into_iter().filter(|it| said.insert(it.clone())) {
                        (deps.on_progress)(Progress::Note { service: None, text });
                    }
                    renewals.insert(index, renewal);
                    answers.push(None);
                }
                Err(error) => answers.push(Some(Err(error))),
            }
        }
        let mut rollout = RollingRestart::new(processes, context, options);
        for (index, answer) in answers.iter().enumerate() {
            if let Some(answer) = answer {
                rollout.note(index, answer);
            }
        }
        for wave in rollout.waves() {
            let mut go = Vec::new();
            for index in wave.into_iter().filter(|index| renewals.contains_key(index)) {
                match rollout.failed_before(index) {
                    Some(before) => {
                        let name = processes[index].name.clone();
                        answers[index] = Some(Err(RestartError::Skipped { name, before }));
                    }
                    None => go.push(index),
                }
            }
            for batch in go.chunks(MAX_CONCURRENT) {
                let some: Vec<(usize, RestartPlan)> =
                    batch.iter().filter_map(|index| Some((*index, renewals.remove(index)?))).collect();
                for (index, answer) in self.restart_batch(some, deps) {
                    rollout.note(index, &answer);
                    answers[index] = Some(answer);
                }
            }
        }
        answers.into_iter().map(|answer| answer.expect("each process is in one wave, or refused before")).collect()
    }

    fn restart_batch(
        &self,
        renewals: Vec<(usize, RestartPlan)>,
        starter: &mut StartDeps,
    ) -> Vec<(usize, RestartResult)> {
        let mut answers = Vec::new();
        let (mut ordered, mut ending, mut starting) = (Vec::new(), Vec::new(), Vec::new());
        for (index, renewal) in renewals {
            let process = renewal.process;
            let written = std::fs::metadata(process.err_log()).map_or(0, |file| file.len());
            if process.live.state.is_final() && !process.live.stalled {
                // Its supervisor, if there still is one, is about to end and takes no more orders.
                match self.wait_unsupervised(process, START_TIMEOUT) {
                    Ok(()) => starting.push((index, renewal)),
                    Err(error) => answers.push((index, Err(error.into()))),
                }
            } else if !renewal.changes.is_empty() || are_sealed(&renewal.plan, starter.unseal) {
                ending.push((index, renewal));
            } else {
                match self.send_order(process, ControlCommand::Restart) {
                    Ok(true) => ordered.push((index, renewal, written)),
                    Ok(false) => starting.push((index, renewal)),
                    Err(error) => answers.push((index, Err(error.into()))),
                }
            }
        }
        let processes: Vec<&Process> = ending.iter().map(|(_, renewal)| renewal.process).collect();
        let ended = self.stop(&processes);
        for ((index, renewal), ended) in ending.into_iter().zip(ended) {
            match ended {
                Ok(StopResult::Stopped { .. } | StopResult::WasNotRunning { .. }) => starting.push((index, renewal)),
                Err(error) => answers.push((index, Err(error.into()))),
            }
        }
        answers.extend(start_stopped(starting, starter));
        for (index, renewal, written) in ordered {
            answers.push((index, self.wait_for_next_run(renewal.process, written, starter)));
        }
        answers
    }

    /// Waits for the new life of a process and watches its beginning.
    fn wait_for_next_run(&self, process: &Process, written: StderrOffset, starter: &mut StartDeps) -> RestartResult {
        let name = || process.name.clone();
        self.wait_for_ack(process, ControlCommand::Restart)?;
        let mut meta = self.run_after(process, &process.meta)?;
        let mut seen = watch_run(process, &meta, starter);
        let mut end = (seen == Readiness::Dead).then(|| self.end_of(process, &meta));
        if end.iter().flatten().any(|exit| exit.origin.is_some()) {
            // It had come up by itself when the order was read, and the order ended it.
            meta = self.run_after(process, &meta)?;
            seen = watch_run(process, &meta, starter);
            end = (seen == Readiness::Dead).then(|| self.end_of(process, &meta));
        }
        if let Some(end) = end {
            let how = end.map_or(ExitStatus::Unknown, |exit| exit.status);
            if !how.is_success() || !may_end(&meta.run) {
                let tail = start::tail(&process.err_log(), written);
                return Err(RestartError::Died { name: name(), how, tail, next: start::after_death(&process.dir) });
            }
            seen = Readiness::Ended(how);
        }
        start::note_weaker_limit(&process.name, &process.dir, meta.run.limits.memory_max, starter);
        let (id, port, restarts) = (meta.tsm_id, meta.port, meta.restarts);
        Ok(Restarted {
            id,
            name: name(),
            pid: start::pid_now(&process.dir, meta.pid),
            port,
            restarts,
            was_running: true,
            readiness: seen,
            changes: Vec::new(),
        })
    }

    /// The life of a process after one that is known, once it runs.
    fn run_after(&self, process: &Process, known: &Meta) -> Result<Meta, RestartError> {
        let name = || process.name.clone();
        let patience = Duration::from_millis(process.meta.run.kill_timeout_ms) + START_TIMEOUT;
        let old = &known.run_state;
        let meta = self.wait_until(process, patience, |meta| is_next_run(meta, old.started_ms, &old.nonce))?;
        let lost = || ControlError::NoRecord { name: name(), why: "the process was deleted".to_owned() };
        let meta = meta.ok_or_else(lost)?;
        if !meta.run_state.start_error.is_empty() {
            let next = start::after_death(&process.dir);
            return Err(RestartError::NotRun { name: name(), why: meta.run_state.start_error, next });
        }
        if meta.state == ProcessState::Stopped && meta.run_state.nonce == old.nonce {
            return Err(RestartError::Stopped { name: name() });
        }
        Ok(meta)
    }

    /// How the life of `meta` ended, once that is written down.
    fn end_of(&self, process: &Process, meta: &Meta) -> Option<LastExit> {
        if let Some(exit) = meta.last_exit.as_ref().filter(|_| meta.state != ProcessState::Online) {
            return Some(exit.clone());
        }
        let ended = |now: &Meta| now.pid != meta.pid || now.run_state.nonce != meta.run_state.nonce;
        let now = self.wait_until(process, EXIT_RECORD_TIMEOUT, ended).ok().flatten();
        now.and_then(|now| now.last_exit)
    }
}

/// What is seen of a life as it begins.
fn watch_run(process: &Process, meta: &Meta, starter: &mut StartDeps) -> Readiness {
    match meta.state {
        ProcessState::Online => wait_until_ready(&process.dir, meta, starter),
        _ => Readiness::Dead,
    }
}

/// What would be different about a process if it were started now, with the variables that it has.
///
/// # Errors
///
/// Fails if it could not be started: its definition is gone or cannot be used.
pub fn changes(process: &Process, context: &StartContext) -> Result<Vec<FieldChange>, RestartError> {
    plan_restart(process, context, RestartOptions::USUAL).map(|plan| plan.changes)
}

/// What a restart would change about a process whose definition were this one.
///
/// # Errors
///
/// Fails if it could not be started so; with [`PlanError::Renamed`] if it would have another name.
pub fn changes_by(
    process: &Process,
    definition: Definition,
    context: &StartContext,
) -> Result<Vec<FieldChange>, PlanError> {
    let plan = from_record::plan_by(process, definition, &StartRequest::default(), context)?;
    Ok(change::between(&process.meta, &create::record(&plan, process)))
}

/// How a process will be started, and what is different about that.
fn plan_restart<'a>(
    process: &'a Process,
    context: &StartContext,
    options: RestartOptions,
) -> Result<RestartPlan<'a>, RestartError> {
    check_owner(process)?;
    check_known(process)?;
    if let Some(why) = &process.record_error {
        return Err(ControlError::NoRecord { name: process.name.clone(), why: why.clone() }.into());
    }
    let mut plan = from_record::plan(process, &StartRequest::default(), context)
        .map_err(|source| RestartError::Plan { name: process.name.clone(), source: Box::new(source) })?;
    if let Some(limits) = options.limits {
        plan.settings.limits = limits;
    }
    let mut changes = change::between(&process.meta, &create::record(&plan, process));
    if options.environ == Environ::Operator {
        let (from, to) = (Some("version of the last start".to_owned()), Some("this one".to_owned()));
        changes.push(FieldChange { what: "environment".to_owned(), from, to });
    }
    Ok(RestartPlan { process, plan: StartPlan { environ: options.environ, ..plan }, changes })
}

/// True once the restart is over: another child runs or ran, or there will be none.
fn is_next_run(meta: &Meta, started_ms: u64, nonce: &str) -> bool {
    let another = meta.run_state.nonce != nonce || meta.run_state.started_ms != started_ms;
    match meta.state {
        ProcessState::Starting | ProcessState::Stopping | ProcessState::Unknown => false,
        ProcessState::Online | ProcessState::Waiting | ProcessState::Scheduled => another,
        ProcessState::Stopped | ProcessState::Crashed | ProcessState::Errored => true,
    }
}

/// Watches a new life until it has settled. Of several processes those that are watched later have had their time already.
fn wait_until_ready(dir: &Path, meta: &Meta, deps: &mut StartDeps) -> Readiness {
    let health = HealthSource::of(&meta.run.monitor);
    let explicit = meta.port.is_some() && !meta.run.port_guessed;
    let age = deps.host.now().since(Timestamp(meta.run_state.started_ms));
    let lives = process::is_same(meta.pid, meta.run_state.start_ticks);
    match deps.wait_for {
        _ if !lives => Readiness::Dead,
        WaitFor::Spawn | WaitFor::Exit => Readiness::NotChecked,
        WaitFor::Ready if !explicit && health == HealthSource::None && age >= STABLE_AFTER => Readiness::Stable,
        WaitFor::Ready => {
            let (pid, port, dir) = (meta.pid, meta.port, dir.to_owned());
            let watch = ReadinessWatcher { pid, port, explicit, dir, health, until_end: false };
            let begun = Instant::now().checked_sub(age).unwrap_or_else(Instant::now);
            watch.until_ready_since(begun, deps.host, deps.on_progress)
        }
    }
}

/// Starts processes that do not run, with the same ids and logs.
fn start_stopped(renewals: Vec<(usize, RestartPlan)>, deps: &mut StartDeps) -> Vec<(usize, RestartResult)> {
    let service = |(_, renewal): &(usize, RestartPlan)| StartJob {
        name: renewal.process.name.to_string(),
        needs: Vec::new(),
        task: Task::Start(Box::new(renewal.plan.clone())),
    };
    let services: Vec<StartJob> = renewals.iter().map(service).collect();
    let outcomes = if services.is_empty() { Vec::new() } else { startup::run(services, deps) };
    let answer = |((index, renewal), (_, outcome)): ((usize, RestartPlan), (String, StartOutcome))| {
        let process = renewal.process;
        let name = process.name.clone();
        let answer = match outcome {
            StartOutcome::Started(it) => Ok(Restarted {
                restarts: process.meta.restarts + 1,
                was_running: process.live.alive || process.live.supervised,
                changes: renewal.changes,
                ..Restarted::started(it)
            }),
            StartOutcome::Failed(StartupError::Start(error)) => Err(error.into()),
            StartOutcome::Failed(error) => Err(RestartError::Startup { name, source: Box::new(error) }),
            // Another command was faster.
            StartOutcome::AlreadyRunning(_) | StartOutcome::Disabled => {
                Err(ControlError::StartedMeanwhile { name }.into())
            }
        };
        (index, answer)
    };
    renewals.into_iter().zip(outcomes).map(answer).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meta(state: ProcessState, nonce: &str) -> Meta {
        let record = r#"{"tsm_id":3,"name":"api","pid":9,"command":"x","cwd":"/"}"#;
        let mut meta: Meta = serde_json::from_str(record).expect("a record");
        (meta.state, meta.run_state.nonce) = (state, nonce.to_owned());
        meta
    }

    #[test]
    fn a_restart_is_over_with_the_next_life_or_without_one() {
        for (state, nonce, over) in [
            (ProcessState::Online, "old", false),
            (ProcessState::Stopping, "old", false),
            (ProcessState::Starting, "new", false),
            (ProcessState::Online, "new", true),
            (ProcessState::Waiting, "new", true),
            (ProcessState::Crashed, "old", true),
            (ProcessState::Stopped, "old", true),
        ] {
            assert_eq!(is_next_run(&meta(state, nonce), 0, "old"), over, "{state:?} {nonce}");
        }
    }
}
