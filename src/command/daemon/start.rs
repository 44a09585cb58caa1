//! `daemon start`

use super::{Change, UnitArgs, no_note};
use crate::base::fault::Fault;
use crate::command::{Command, Cx, Effect, Prepared};

/// Start a unit, and with it the enabled services
///
/// Returns when the daemon says that it is ready: when its services are, or when their time is up.
#[derive(Debug, clap::Args)]
pub struct Start {
    #[command(flatten)]
    unit: UnitArgs,
}

impl Command for Start {
    const NAME: &'static str = "daemon start";
    const EFFECT: Effect = Effect::Write;
    const EXAMPLES: &'static [&'static str] = &["tsm daemon start", "tsm daemon start @dev"];

    fn prepare(self, cx: &mut Cx) -> Result<Prepared, Fault> {
        let change = Change { words: &["start"], done: "started", note: no_note };
        change.prepare(&self.unit, Self::EFFECT, cx)
    }
}
