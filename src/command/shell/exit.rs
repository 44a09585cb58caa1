//! `exit`

use crate::base::fault::Fault;
use crate::command::{Command, Cx, Effect};
use crate::report::{FollowUp, Report};

/// Leave the session
///
/// The rest of a script is not run. Started processes keep running.
#[derive(Debug, clap::Args)]
pub struct Exit {}

impl Command for Exit {
    const NAME: &'static str = "exit";
    const ALIASES: &'static [&'static str] = &["quit", "q"];
    const EFFECT: Effect = Effect::Read;
    const EXAMPLES: &'static [&'static str] = &["exit"];

    fn run(self, _cx: &mut Cx) -> Result<Report, Fault> {
        Ok(Report::then(FollowUp::Exit))
    }
}
