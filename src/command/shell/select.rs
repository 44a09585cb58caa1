//! `select`

use crate::base::fault::Fault;
use crate::command::argument::ProcessTarget;
use crate::command::{Command, Cx, Effect};
use crate::report::{Choice, Next, Report};
use crate::tsm::resolve::resolve_one;
use crate::tsm::store::Store;

/// Choose the process that tsm commands mean when they are not told
///
/// For this session only. `select -` chooses none.
#[derive(Debug, clap::Args)]
pub struct Select {
    /// Its id, its name, the beginning or a part of it, its pid or port, or `-`
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
            given => Some(resolve_one(given, &Store::open(cx.paths).all()?)?.name.clone()),
        };
        Ok(Report::then(Next::Choose(Choice { process: Some(process), ..Choice::default() })))
    }
}
