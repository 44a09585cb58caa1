//! `watch`

use crate::base::fault::Fault;
use crate::base::line;
use crate::base::time::HumanDuration;
use crate::command::argument::CommandWord;
use crate::command::{Command, Cx, Effect};
use crate::report::{FollowUp, Report};

/// Run a command again and again
///
/// Ctrl-C ends it. A single argument is run as a line, so that `watch 'tsm list | head'` works.
#[derive(Debug, clap::Args)]
pub struct Watch {
    /// The pause between two runs
    #[arg(short = 'n', long, value_name = "SPAN", default_value = "2s")]
    pub every: HumanDuration,
    /// The number of runs; unlimited without it
    #[arg(short = 'c', long, value_name = "N")]
    pub count: Option<u64>,
    /// The command
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true, value_name = "COMMAND")]
    pub command: Vec<CommandWord>,
}

impl Command for Watch {
    const NAME: &'static str = "watch";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLES: &'static [&'static str] = &["watch -n 10ms -c 2 version"];

    fn run(self, _cx: &mut Cx) -> Result<Report, Fault> {
        let line = match &self.command[..] {
            [line] => line.0.clone(),
            words => line::join(words.iter().map(|word| &word.0)),
        };
        line::lex(&line)?;
        Ok(Report::then(FollowUp::Repeat { line, every: self.every.0, times: self.count, crashes: None }))
    }
}
