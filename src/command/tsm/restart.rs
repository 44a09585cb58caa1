//! `tsm restart`

use super::process_args::{ProcessArgs, Targets};
use crate::base::fault::Fault;
use crate::base::name::ProcessName;
use crate::base::time::{HumanDuration, Timestamp};
use crate::command::{Command, Cx, Effect, Prepared, Stage};
use crate::ops;
use crate::report::{Message, Report, Tone, Value};
use crate::supervise::meta::ProcessState;
use crate::tsm::exit_text;
use crate::tsm::instances::group_of;
use crate::tsm::plan::Environ;
use crate::tsm::readiness::{NOT_REPORTED, Readiness};
use crate::tsm::restart::{RestartError, RestartOptions, Restarted};
use crate::tsm::start::WaitFor;
use crate::tsm::store::Process;

/// Restart processes and wait until they are up
///
/// They keep their ids and logs. A process of a service is started by its definition as it is now, and what changed is said; what
/// cannot be started so is refused before anything is stopped. Env files are read again. Instances follow one after the other, the
/// next when the one before is ready, unless their TSM_STRATEGY is recreate. What does not run is started, but `*` and the name of
/// a group leave alone what was stopped.
#[derive(Debug, clap::Args)]
pub struct Restart {
    #[command(flatten)]
    processes: ProcessArgs,
    /// Do not wait until they have settled or their ports answer
    #[arg(long)]
    no_wait: bool,
    #[command(flatten)]
    environ: EnvironArgs,
}

/// Whose variables processes get that are restarted.
#[derive(Debug, clap::Args)]
pub(super) struct EnvironArgs {
    /// Give them the variables of this shell instead of those of their last start
    #[arg(long)]
    update_env: bool,
}

impl EnvironArgs {
    pub(super) fn environ(&self) -> Environ {
        if self.update_env { Environ::Operator } else { Environ::Recorded }
    }
}

/// A restart of known processes.
pub(super) struct RestartStage {
    pub(super) targets: Targets,
    pub(super) options: RestartOptions,
    pub(super) wait_for: WaitFor,
}

impl Command for Restart {
    const NAME: &'static str = "tsm restart";
    const EFFECT: Effect = Effect::Write;
    const EXAMPLES: &'static [&'static str] = &["tsm restart 0", "tsm restart api web", "tsm restart *"];

    fn prepare(self, cx: &mut Cx) -> Result<Prepared, Fault> {
        let mut targets = self.processes.find_exact(cx)?;
        set_stopped_aside(&mut targets, &self.processes);
        let wait_for = if self.no_wait { WaitFor::Spawn } else { WaitFor::Ready };
        let options = RestartOptions { environ: self.environ.environ(), ..RestartOptions::USUAL };
        Ok(RestartStage { targets, options, wait_for }.stage())
    }
}

/// Leaves alone what was stopped on purpose and is meant by `*` or the name of its group only.
fn set_stopped_aside(targets: &mut Targets, args: &ProcessArgs) {
    let rests = |process: &Process| matches!(process.live.state, ProcessState::Stopped | ProcessState::Scheduled);
    let is_named = |process: &Process| {
        let id = process.id().map(|id| id.to_string());
        args.targets.iter().any(|word| word.0 == process.name.as_str() || Some(&word.0) == id.as_ref())
    };
    let every = targets.processes.clone();
    let running: Vec<String> = every.iter().filter(|it| !rests(it)).map(|it| group_of(it, &every)).collect();
    let all = targets.all;
    targets.set_aside(|process| {
        let group = group_of(process, &every);
        let beside = all || !group.is_empty() && running.contains(&group);
        !rests(process) || !beside || is_named(process)
    });
}

impl RestartStage {
    /// A command that restarts them, once the guard has seen them.
    pub(super) fn stage(self) -> Prepared {
        let (effect, environments) = (self.targets.effect(Effect::Write), self.targets.environments());
        let plan = |it: &Self, _: &mut Cx| Ok(Some(it.targets.plan()));
        Stage { effect, environments, state: self, plan, run: Self::run }.ready()
    }

    fn run(mut self, cx: &mut Cx) -> Result<Report, Fault> {
        self.targets.reconcile(cx);
        let report = self.targets.report();
        let report = restart_all(report, &self.targets.processes, self.options, self.wait_for, cx)?;
        Ok(note_skipped(report, &self.targets.skipped, cx.host.now()))
    }
}

/// Restarts processes and adds to the report what became of each.
pub(super) fn restart_all(
    mut report: Report,
    processes: &[Process],
    options: RestartOptions,
    wait_for: WaitFor,
    cx: &mut Cx,
) -> Result<Report, Fault> {
    let results = ops::restart::restart(&cx.operation(), processes, options, wait_for, &mut cx.progress())?;
    for (process, result) in processes.iter().zip(results) {
        report = add_outcome(report, process, result);
    }
    Ok(report)
}

/// Adds what came of a process that was to be restarted.
pub(super) fn add_outcome(mut report: Report, process: &Process, result: Result<Restarted, RestartError>) -> Report {
    match result {
        Ok(restarted) => {
            exit_text::describe_lost_output(process).into_iter().fold(add_result(report, &restarted), Report::note)
        }
        Err(error) => {
            report.faults.push(error.into());
            report
        }
    }
}

fn note_skipped(report: Report, skipped: &[Process], now: Timestamp) -> Report {
    let (crashing, resting): (Vec<&Process>, Vec<&Process>) =
        skipped.iter().partition(|it| matches!(it.live.state, ProcessState::Waiting | ProcessState::Errored));
    let report = crashing.into_iter().fold(report, |report, it| report.note(crashing_text(it, now)));
    match resting.as_slice() {
        [] => report,
        [one] if one.is_scheduled() => report
            .note(format!("{} is scheduled and was not restarted; `tsm restart {}` runs it now", one.name, one.name)),
        [one] => report
            .note(format!("{} is not running and was not restarted; `tsm start {}` starts it", one.name, one.name)),
        more => report.note(format!("{} processes are not running and were not restarted", more.len())),
    }
}

/// What is true of a process that does not run since it keeps crashing.
fn crashing_text(process: &Process, now: Timestamp) -> String {
    let name = &process.name;
    match process.live.state {
        ProcessState::Waiting => {
            let next = HumanDuration(Timestamp(process.meta.run_state.next_start_ms).since(now));
            format!(
                "{name} keeps crashing and was not restarted: it restarts by itself in {next}; `tsm why {name}` shows the cause, \
                 `tsm restart {name}` starts it now"
            )
        }
        _ => format!(
            "{name} kept crashing and does not restart by itself any more; `tsm why {name}` shows the cause, \
             `tsm start {name}` tries again"
        ),
    }
}

/// `started web (0), port 3000`
pub(super) fn done_text(done: &str, name: &ProcessName, id: u32, port: Option<u16>) -> String {
    let port = port.map_or_else(String::new, |port| format!(", port {port}"));
    format!("{done} {name} ({id}){port}")
}

/// Adds what came of a process that was started or restarted.
pub(super) fn add_result(report: Report, risen: &Restarted) -> Report {
    let Restarted { id, name, pid, port, .. } = risen;
    let done = if risen.was_running { "restarted" } else { "started" };
    let text = match risen.readiness {
        Readiness::Ended(how) => {
            format!("{done} {name} ({id}), which ended: {}", exit_text::describe(how))
        }
        _ => done_text(done, name, *id, *port),
    };
    let changes: Vec<String> = risen.changes.iter().map(ToString::to_string).collect();
    let mut report = report.and(
        Message::new(text)
            .tone(Tone::Good)
            .with("id", *id)
            .with("name", name.as_str())
            .with("action", done)
            .with("pid", *pid)
            .with("port", Value::from(*port))
            .with("restarts", risen.restarts)
            .with("changes", Value::from(changes.clone())),
    );
    for change in changes {
        report = report.note(format!("  changed {change}"));
    }
    match (risen.readiness, port) {
        (Readiness::NotListening, Some(port)) => {
            report.note(format!("{name} is running and not listening on port {port} yet"))
        }
        (Readiness::NotHealthy, _) => report.note(format!("{name} is running and not healthy yet")),
        (Readiness::NotReported, _) => report.note(format!("{name} is running and {NOT_REPORTED}")),
        (Readiness::Interrupted, _) => report.note(format!("stopped waiting for {name}; it keeps running")),
        _ => report,
    }
}
