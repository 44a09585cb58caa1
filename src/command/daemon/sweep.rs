//! `daemon sweep`

use crate::base::environment::EnvName;
use crate::base::fault::{Fault, FaultKind};
use crate::command::{Command, Cx, Effect};
use crate::daemon::run::sweep;
use crate::daemon::temporary_files;
use crate::report::Report;

/// End what is left in the unit after a stop of its daemon: what the unit executes as ExecStopPost
///
/// After a daemon that was killed nothing is ended, because its services go on and the next daemon finds them.
#[derive(Debug, clap::Args)]
#[command(hide = true)]
pub struct Sweep {
    /// The environment
    #[arg(value_name = "@ENV")]
    env: EnvName,
}

impl Command for Sweep {
    const NAME: &'static str = "daemon sweep";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLES: &'static [&'static str] = &["daemon sweep @dev"];

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let Some(result) = cx.host.variable("SERVICE_RESULT").map(str::to_owned) else {
            let why = "`daemon sweep` is for `ExecStopPost=` of a unit: SERVICE_RESULT is not set";
            return Err(Fault::new(FaultKind::Failed, why));
        };
        let context = crate::ops::OpContext { env: Some(&self.env), ..cx.operation() };
        let console = &mut *cx.console;
        sweep::sweep(&context, &result, &mut |level, text| console.note(&format!("{}{text}", level.prefix())))?;
        if result == "success" {
            temporary_files::clear(cx.host)?;
        }
        Ok(Report::default())
    }
}
