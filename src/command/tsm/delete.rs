//! `tsm delete`

use super::process_args::{Targets, control};
use super::stop::result_message;
use crate::base::environment::EnvRef;
use crate::base::fault::Fault;
use crate::command::argument::ProcessTarget;
use crate::command::{Command, Cx, Effect};
use crate::report::Report;
use crate::tsm::store::Process;

/// Stop processes and remove them with their logs
///
/// Their ids, names and ports are free again. Service definitions stay.
#[derive(Debug, clap::Args)]
pub struct Delete {
    /// Id, name, the beginning or a part of a name, pid or port; `*` or `all` for all; the selected process if left out
    targets: Vec<ProcessTarget>,
}

impl Command for Delete {
    const NAME: &'static str = "tsm delete";
    const ALIASES: &'static [&'static str] = &["tsm del"];
    const EFFECT: Effect = Effect::Destroy;
    const EXAMPLES: &'static [&'static str] = &["tsm delete 0", "tsm del api", "tsm delete *"];

    fn environments(&self, cx: &mut Cx) -> Result<Vec<EnvRef>, Fault> {
        Ok(Targets::find_whole_read_only(&self.targets, cx)?.environments())
    }

    fn plan(&self, cx: &mut Cx) -> Result<Option<Report>, Fault> {
        Ok(Some(Targets::find_whole_read_only(&self.targets, cx)?.plan()))
    }

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let mut targets = Targets::find_whole(&self.targets, cx)?;
        let mut report = targets.report();
        let processes: Vec<&Process> = targets.processes.iter().collect();
        let answers = control(cx, &|| cx.host.interrupted()).delete(&processes);
        for (process, answer) in processes.iter().zip(answers) {
            match answer {
                Ok(ended) => report = report.and(result_message(process, &ended, "deleted")),
                Err(error) => report.faults.push(error.into()),
            }
        }
        Ok(report)
    }
}
