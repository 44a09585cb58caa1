//! `select`

use crate::base::fault::Fault;
use crate::command::argument::ProcessTarget;
use crate::command::{Command, Cx, Effect};
use crate::report::{FollowUp, Report, SelectionChange};
use crate::tsm::resolve::resolve_one;
use crate::tsm::store::ProcessStore;

/// Select the default process of tsm commands
///
/// For this session only. `select -` clears the selection.
#[derive(Debug, clap::Args)]
pub struct Select {
    /// The id, the name, a prefix or a part of it, the PID or port, or `-`
    #[arg(value_name = "PROCESS|-")]
    pub process: ProcessTarget,
}

impl Command for Select {
    const NAME: &'static str = "select";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLES: &'static [&'static str] = &["select -"];

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let process = match self.process.0.as_str() {
            "-" => None,
            given => Some(resolve_one(given, &ProcessStore::open(cx.paths).all()?)?.name.clone()),
        };
        Ok(Report::then(FollowUp::ChangeSelection(SelectionChange {
            process: Some(process),
            ..SelectionChange::default()
        })))
    }
}
