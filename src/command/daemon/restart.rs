//! `daemon restart`

use super::{Change, UnitArgs, no_note};
use crate::base::fault::Fault;
use crate::command::{Command, Cx, Effect, Prepared};

/// Stop and start a unit with all its services
///
/// A unit that was changed on disk is read again first.
#[derive(Debug, clap::Args)]
pub struct Restart {
    #[command(flatten)]
    unit: UnitArgs,
}

impl Command for Restart {
    const NAME: &'static str = "daemon restart";
    const EFFECT: Effect = Effect::Write;
    const EXAMPLES: &'static [&'static str] = &["tsm daemon restart", "tsm daemon restart @dev"];

    fn prepare(self, cx: &mut Cx) -> Result<Prepared, Fault> {
        let change = Change { words: &["restart"], done: "restarted", note: no_note };
        change.prepare(&self.unit, Self::EFFECT, cx)
    }
}
