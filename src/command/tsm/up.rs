//! `tsm up`

use super::process_args::plan as processes_plan;
use super::restart::{EnvironArgs, add_outcome, add_result};
use super::startup;
use crate::base::fault::{Fault, FaultKind};
use crate::command::argument::StartWord;
use crate::command::stated_default::StatedDefault;
use crate::command::{Command, Cx, Effect, Prepared, Stage};
use crate::ops::startup::fault;
use crate::ops::up::{self, PreparedUp, UpResult};
use crate::report::{Message, Report};
use crate::tsm::plan::Environ;
use crate::tsm::restart::Restarted;

/// Start services and processes, or restart those that run
///
/// For a deployment, which can repeat it. What does not run is started, with what its TSM_DEPS need; what runs is restarted by its
/// definition as it is now, instances one after the other. What a service needs and what runs already is left as it is. Where
/// something that is needed fails, what needs it is not touched.
#[derive(Debug, clap::Args)]
pub struct Up {
    /// Services or processes
    #[arg(value_name = "NAME", if_not_given = "all enabled services")]
    names: Vec<StartWord>,
    #[command(flatten)]
    environ: EnvironArgs,
}

/// A planned `up`.
pub(super) struct UpStage {
    pub(super) up: PreparedUp,
    pub(super) environ: Environ,
}

impl Command for Up {
    const NAME: &'static str = "tsm up";
    const EFFECT: Effect = Effect::Write;
    const EXAMPLES: &'static [&'static str] = &["tsm up", "tsm up api worker"];

    fn prepare(self, cx: &mut Cx) -> Result<Prepared, Fault> {
        let names: Vec<String> = self.names.iter().map(|word| word.0.clone()).collect();
        let up = up::prepare(&cx.operation(), &names)?;
        Ok(UpStage { up, environ: self.environ.environ() }.stage().ready())
    }
}

impl UpStage {
    /// A command that carries it out, once the guard has seen it.
    pub(super) fn stage(self) -> Stage<Self> {
        let environments = self.up.environments.clone();
        Stage { effect: Effect::Write, environments, state: self, plan: Self::plan, run: Self::run }
    }

    fn plan(&self, _cx: &mut Cx) -> Result<Option<Report>, Fault> {
        let running = |service: &str| if self.up.restarts(service) { "restarted" } else { "running" };
        let report = startup::preview(&self.up.jobs, running);
        Ok(Some(match self.up.processes.as_slice() {
            [] => report,
            processes => processes_plan(processes).blocks.into_iter().fold(report, Report::and),
        }))
    }

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let results = self.up.run(&cx.operation(), self.environ, &mut cx.progress())?;
        let report = results.into_iter().fold(Report::each(Vec::<Message>::new()), add);
        let is_empty = report.blocks.is_empty() && report.faults.is_empty();
        Ok(if is_empty { report.note("no services are enabled") } else { report })
    }
}

fn add(mut report: Report, result: UpResult) -> Report {
    match result {
        UpResult::Started(it) => return add_result(report, &Restarted::started(it)),
        UpResult::Restarted(process, result) => return add_outcome(report, &process, result),
        UpResult::Blocked { service, dependency } => {
            let words = format!("`{service}` was not restarted: dependency `{dependency}` is not ready");
            report.faults.push(Fault::new(FaultKind::Failed, words));
        }
        UpResult::NotStarted { service, error } => report.faults.push(fault(&service, &error)),
    }
    report
}
