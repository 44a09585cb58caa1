//! `daemon disable`

use super::{Change, UnitArgs, no_note};
use crate::base::fault::Fault;
use crate::command::{Command, Cx, Effect, Prepared};

/// Do not start a unit at boot any more
///
/// What runs goes on running; `daemon stop` ends it.
#[derive(Debug, clap::Args)]
pub struct Disable {
    #[command(flatten)]
    unit: UnitArgs,
}

impl Command for Disable {
    const NAME: &'static str = "daemon disable";
    const EFFECT: Effect = Effect::Write;
    const EXAMPLES: &'static [&'static str] = &["tsm daemon disable", "tsm daemon disable @dev"];

    fn prepare(self, cx: &mut Cx) -> Result<Prepared, Fault> {
        let change = Change { words: &["disable"], done: "disabled", note: no_note };
        change.prepare(&self.unit, Self::EFFECT, cx)
    }
}
