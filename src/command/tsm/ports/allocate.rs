//! `tsm ports allocate`

use super::processes;
use super::set::result_message;
use crate::base::environment::{EnvName, EnvRef};
use crate::base::fault::Fault;
use crate::command::argument::{PortName, PortRangeWord};
use crate::command::stated_default::{CHOSEN_ENV, StatedDefault};
use crate::command::{Command, Cx, Effect};
use crate::report::Report;
use crate::tsm::ports::edit;
use crate::tsm::ports::ranges::Range;

/// Reserve the next free port of an environment's range for a name
///
/// A name that has a port in the range keeps it, so this can be run again. `tsm ranges` shows the ranges.
#[derive(Debug, clap::Args)]
pub struct Allocate {
    /// The name
    name: PortName,
    /// The environment, or `proxy`
    #[arg(if_not_given = CHOSEN_ENV)]
    range: Option<PortRangeWord>,
}

impl Command for Allocate {
    const NAME: &'static str = "tsm ports allocate";
    const EFFECT: Effect = Effect::Write;
    const EXAMPLES: &'static [&'static str] = &["tsm ports allocate api", "tsm ports allocate api staging"];

    fn environments(&self, _cx: &mut Cx) -> Result<Vec<EnvRef>, Fault> {
        // What is reserved for another environment's range still is only a line in this registry.
        Ok(Vec::new())
    }

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let range = match self.range {
            Some(PortRangeWord(name)) => match (Range::named(&name), name.parse::<EnvName>()) {
                (Some(range), _) => range,
                (None, Ok(env)) => Range::of(Some(&env)),
                (None, Err(error)) => return Err(Fault::usage(error.to_string())),
            },
            None => Range::of(cx.selection.env.as_ref()),
        };
        let assigned = edit::allocate(cx.paths, &processes(cx)?, &self.name.0, range)?;
        Ok(Report::of(result_message(&self.name.0, assigned)))
    }
}
