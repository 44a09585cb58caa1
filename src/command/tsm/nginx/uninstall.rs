//! `tsm nginx uninstall`

use super::{find, nginx, process_name, result_report};
use crate::base::environment::EnvRef;
use crate::base::fault::Fault;
use crate::command::argument::SingleProcess;
use crate::command::{Command, Cx, Effect};
use crate::report::{Block, Report};
use crate::tsm::nginx::OverwriteEdited;

/// Remove the nginx site of a process
#[derive(Debug, clap::Args)]
pub struct Uninstall {
    /// The process, also one that is gone
    target: SingleProcess,
    /// Remove a site that was edited by hand
    #[arg(long)]
    force: bool,
}

impl Command for Uninstall {
    const NAME: &'static str = "tsm nginx uninstall";
    const EFFECT: Effect = Effect::Destroy;
    const EXAMPLES: &'static [&'static str] = &["tsm nginx uninstall api"];

    fn environments(&self, cx: &mut Cx) -> Result<Vec<EnvRef>, Fault> {
        // A site may outlive its process.
        Ok(find(&self.target, cx).map(|process| process.environments()).unwrap_or_default())
    }

    fn plan(&self, cx: &mut Cx) -> Result<Option<Report>, Fault> {
        let file = nginx(cx).site(&process_name(&self.target, cx)?)?;
        Ok(Some(Report::of(Block::Text(format!("remove {}\n", file.display())))))
    }

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let process = process_name(&self.target, cx)?;
        let done =
            nginx(cx).uninstall(&process, if self.force { OverwriteEdited::Replace } else { OverwriteEdited::Keep })?;
        let path = done.path.display().to_string();
        Ok(result_report(format!("removed {path}"), &process, "removed", &done))
    }
}
