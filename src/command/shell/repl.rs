//! `tsm repl`

use crate::base::fault::Fault;
use crate::command::{Command, Cx, Effect};
use crate::report::{FollowUp, Report};

/// Start the prompt
///
/// The same as `tetra` on a terminal.
#[derive(Debug, clap::Args)]
pub struct Repl {}

impl Command for Repl {
    const NAME: &'static str = "repl";
    const ALIASES: &'static [&'static str] = &["tsm repl"];
    const EFFECT: Effect = Effect::Read;
    const EXAMPLES: &'static [&'static str] = &[];

    fn run(self, _cx: &mut Cx) -> Result<Report, Fault> {
        Ok(Report::then(FollowUp::StartPrompt))
    }
}
