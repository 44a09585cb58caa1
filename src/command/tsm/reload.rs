//! `tsm reload`

use super::process_args::ProcessArgs;
use super::restart::{EnvironArgs, RestartStage};
use crate::base::fault::Fault;
use crate::command::{Command, Cx, Effect, Prepared};
use crate::tsm::options::Strategy;
use crate::tsm::restart::RestartOptions;
use crate::tsm::start::WaitFor;
use crate::tsm::store::Process;

/// Restart instances one after the other, so that the others go on meanwhile
///
/// The next one follows when the one before is ready: its port answers, it is healthy, or it has settled. After the first that is
/// not, the others are left as they are. This holds for every TSM_STRATEGY. A process of a service is started by its definition as it
/// is now. What does not run is left alone.
#[derive(Debug, clap::Args)]
pub struct Reload {
    #[command(flatten)]
    processes: ProcessArgs,
    #[command(flatten)]
    environ: EnvironArgs,
}

impl Command for Reload {
    const NAME: &'static str = "tsm reload";
    const EFFECT: Effect = Effect::Write;
    const EXAMPLES: &'static [&'static str] = &["tsm reload api", "tsm reload *"];

    fn prepare(self, cx: &mut Cx) -> Result<Prepared, Fault> {
        let mut targets = self.processes.find_exact(cx)?;
        targets.set_aside(Process::is_running);
        let options = RestartOptions {
            strategy: Some(Strategy::Rolling),
            environ: self.environ.environ(),
            ..RestartOptions::USUAL
        };
        Ok(RestartStage { targets, options, wait_for: WaitFor::Ready }.stage())
    }
}
