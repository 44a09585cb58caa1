//! `tsm delete`

use super::process_args::{ProcessArgs, Targets};
use super::stop::add_result;
use crate::base::fault::Fault;
use crate::command::{Command, Cx, Effect, Prepared};
use crate::report::Report;

/// Stop processes and remove them with their logs
///
/// Their ids, names and ports are free again. Service definitions stay.
#[derive(Debug, clap::Args)]
pub struct Delete {
    #[command(flatten)]
    processes: ProcessArgs,
}

impl Command for Delete {
    const NAME: &'static str = "tsm delete";
    const ALIASES: &'static [&'static str] = &["tsm del"];
    const EFFECT: Effect = Effect::Destroy;
    const EXAMPLES: &'static [&'static str] = &["tsm delete 0", "tsm del api", "tsm delete *"];

    fn prepare(self, cx: &mut Cx) -> Result<Prepared, Fault> {
        Ok(self.processes.find_exact(cx)?.stage(Self::EFFECT, delete))
    }
}

fn delete(mut targets: Targets, cx: &mut Cx) -> Result<Report, Fault> {
    targets.reconcile(cx);
    let results = cx.operation().with_control(|control| control.delete(&targets.refs()));
    let report = targets.report();
    let results = targets.processes.iter().zip(results);
    Ok(results.fold(report, |report, (process, result)| add_result(report, process, result, "deleted")))
}
