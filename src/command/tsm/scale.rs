//! `tsm scale`

use super::process_args::{Targets, plan};
use super::restart::add_result as add_started;
use super::stop::add_result as add_deleted;
use crate::base::fault::Fault;
use crate::command::argument::ProcessTarget;
use crate::command::{Command, Cx, Effect, Prepared, Stage};
use crate::ops::scale::{self, PreparedScale, ScaleChange, ScaleResult, TargetCount};
use crate::ops::startup::fault;
use crate::report::{Block, Message, Report};
use crate::tsm::restart::Restarted;
use crate::tsm::startup::StartOutcome;

/// Run more or fewer instances of a process
///
/// New ones are started as the others were, each with the next port or number; what is too much is stopped and removed with its
/// logs, the last ones first. The TSM_INSTANCES of a service stay as they are, and count again at the next `tsm startup`.
#[derive(Debug, clap::Args)]
pub struct Scale {
    /// The group of instances, or one of them; a single process becomes the first of several
    target: ProcessTarget,
    /// How many: 4, or so many more or fewer: +1, -1
    #[arg(value_name = "N|+N|-N", allow_hyphen_values = true)]
    count: TargetCount,
}

impl Command for Scale {
    const NAME: &'static str = "tsm scale";
    const EFFECT: Effect = Effect::Destroy;
    const EXAMPLES: &'static [&'static str] = &["tsm scale api 4", "tsm scale api +1", "tsm scale api -1"];

    fn effect(&self) -> Effect {
        if matches!(self.count, TargetCount::Increase(_)) { Effect::Write } else { Effect::Destroy }
    }

    fn prepare(self, cx: &mut Cx) -> Result<Prepared, Fault> {
        let targets = Targets::find_exact(std::slice::from_ref(&self.target), cx)?;
        let scale = scale::prepare(&cx.operation(), &self.target.0, &targets.processes, targets.known(), self.count)?;
        let effect = if matches!(scale.change, ScaleChange::Delete(_)) { Effect::Destroy } else { Effect::Write };
        let environments = scale.environments.clone();
        Ok(Stage { effect, environments, state: scale, plan: show, run }.ready())
    }
}

fn show(scale: &PreparedScale, _cx: &mut Cx) -> Result<Option<Report>, Fault> {
    Ok(match &scale.change {
        ScaleChange::Start(plans) => Some(Report::of(Block::Text(format!("start {} more instances\n", plans.len())))),
        ScaleChange::Delete(processes) => Some(plan(processes)),
        ScaleChange::None => None,
    })
}

fn run(scale: PreparedScale, cx: &mut Cx) -> Result<Report, Fault> {
    let report = Report::each(Vec::<Message>::new());
    if matches!(scale.change, ScaleChange::None) {
        return Ok(report.note(format!("there are {} already", scale.current)));
    }
    let results = scale.run(&cx.operation(), &mut cx.progress());
    Ok(results.into_iter().fold(report, |mut report, result| match result {
        ScaleResult::Start(_, StartOutcome::Started(it)) => add_started(report, &Restarted::started(it)),
        ScaleResult::Start(name, StartOutcome::Failed(error)) => {
            report.faults.push(fault(&name, &error));
            report
        }
        ScaleResult::Start(_, StartOutcome::AlreadyRunning(_) | StartOutcome::Disabled) => report,
        ScaleResult::Delete(process, result) => add_deleted(report, &process, result, "deleted"),
    }))
}
