//! `daemon stop`

use super::{Change, UnitArgs, no_note};
use crate::base::fault::Fault;
use crate::command::{Command, Cx, Effect, Prepared};

/// Stop a unit and everything that runs in it
///
/// Services are stopped in the reverse order of their dependencies. An enabled unit is started again at the next boot.
#[derive(Debug, clap::Args)]
pub struct Stop {
    #[command(flatten)]
    unit: UnitArgs,
}

impl Command for Stop {
    const NAME: &'static str = "daemon stop";
    const EFFECT: Effect = Effect::Destroy;
    const EXAMPLES: &'static [&'static str] = &["tsm daemon stop", "tsm daemon stop @dev"];

    fn prepare(self, cx: &mut Cx) -> Result<Prepared, Fault> {
        let change = Change { words: &["stop"], done: "stopped", note: no_note };
        change.prepare(&self.unit, Self::EFFECT, cx)
    }
}
