//! `tsm ports validate`

use super::processes;
use crate::base::fault::Fault;
use crate::command::findings;
use crate::command::{Command, Cx, Effect};
use crate::report::Report;
use crate::tsm::doctor::ports;

/// Check the registry: invalid lines, duplicate ports, lines that contradict the processes
///
/// Exit code 3 if something is wrong. `tsm doctor reconcile --fix` puts it in step.
#[derive(Debug, clap::Args)]
pub struct Validate {}

impl Command for Validate {
    const NAME: &'static str = "tsm ports validate";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLES: &'static [&'static str] = &["tsm ports validate"];

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        Ok(findings::report(&ports::registry(cx.paths, &processes(cx)?)?, findings::FindingFilter::All))
    }
}
