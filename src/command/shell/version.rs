//! `version`

use crate::base::fault::Fault;
use crate::command::{Command, Cx, Effect};
use crate::report::{Message, Report};

/// The version of this program.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Show the version of tetra
#[derive(Debug, clap::Args)]
pub struct Version {}

impl Command for Version {
    const NAME: &'static str = "version";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLES: &'static [&'static str] = &["version", "version --json"];

    fn run(self, _cx: &mut Cx) -> Result<Report, Fault> {
        Ok(Report::of(Message::new(format!("tetra {VERSION}")).with("version", VERSION)))
    }
}
