//! `tsm doctor env`

use crate::base::fault::Fault;
use crate::command::argument::FilePath;
use crate::command::findings::{self, FindingFilter};
use crate::command::{Command, Cx, Effect};
use crate::report::Report;
use crate::tsm::doctor::environment;

/// Check an env file: readable, well formed, PORT and NODE_ENV, placeholders, permissions
///
/// It is read, never executed. Exit code 3 if something is wrong.
#[derive(Debug, clap::Args)]
pub struct CheckEnv {
    /// The file
    #[arg(default_value = "env/local.env")]
    file: FilePath,
}

impl Command for CheckEnv {
    const NAME: &'static str = "tsm doctor env";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLES: &'static [&'static str] = &["tsm doctor env", "tsm doctor env env/dev.env"];

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        Ok(findings::report(&environment::check(&cx.host.cwd().join(&self.file.0)), FindingFilter::All))
    }
}
