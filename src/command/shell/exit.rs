//! `exit`

use crate::base::fault::Fault;
use crate::command::stated_default::StatedDefault;
use crate::command::{Command, Cx, Effect};
use crate::report::{FollowUp, Report};

/// Leave the session
///
/// The rest of a script is not run. Started processes keep running.
#[derive(Debug, clap::Args)]
pub struct Exit {
    /// The exit code of the session, from 0 to 255
    #[arg(allow_negative_numbers = true, if_not_given = "0, or that of the first failure with `set keep-going on`")]
    pub code: Option<u8>,
}

impl Command for Exit {
    const NAME: &'static str = "exit";
    const ALIASES: &'static [&'static str] = &["quit", "q"];
    const EFFECT: Effect = Effect::Read;
    const EXAMPLES: &'static [&'static str] = &["exit", "exit 3"];

    fn run(self, _cx: &mut Cx) -> Result<Report, Fault> {
        Ok(Report::then(FollowUp::Exit(self.code)))
    }
}
