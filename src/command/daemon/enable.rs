//! `daemon enable`

use std::path::Path;

use super::{Change, UnitArgs};
use crate::base::fault::Fault;
use crate::command::{Command, Cx, Effect, Prepared};
use crate::ops::unit::InstalledUnit;
use crate::sys::systemctl::Manager;

/// Where systemd notes whose managers run without a login.
const LINGER_DIR: &str = "/var/lib/systemd/linger";

/// Start a unit at boot
///
/// Does not start it now; `daemon start` does. A unit of your own user manager starts at boot only if lingering is on for you:
/// without it your manager runs from your first login to the end of the last one.
#[derive(Debug, clap::Args)]
pub struct Enable {
    #[command(flatten)]
    unit: UnitArgs,
}

impl Command for Enable {
    const NAME: &'static str = "daemon enable";
    const EFFECT: Effect = Effect::Write;
    const EXAMPLES: &'static [&'static str] = &["tsm daemon enable", "tsm daemon enable @dev"];

    fn prepare(self, cx: &mut Cx) -> Result<Prepared, Fault> {
        let change = Change { words: &["enable"], done: "enabled", note: lingering };
        change.prepare(&self.unit, Self::EFFECT, cx)
    }
}

/// What lingering means, where it is needed and off.
fn lingering(unit: &InstalledUnit, cx: &Cx) -> Option<String> {
    let user = cx.host.user();
    let is_needed = unit.manager == Manager::User && !Path::new(LINGER_DIR).join(user).exists();
    is_needed.then(|| {
        format!(
            "lingering is off for `{user}`: the unit starts with your first login and stops with the last one\n\
             to start it at boot and keep it running: `loginctl enable-linger {user}` (root may have to do that)"
        )
    })
}
