//! `tkm deploy env`

use crate::base::environment::EnvName;
use crate::base::fault::Fault;
use crate::command::org::deploy::{self, DeployOptions, Named, PlanFiles};
use crate::command::{Command, Cx, Effect, Prepared};

/// Deploy an environment to its hosts: `org deploy` by another name
///
/// An environment and its services are one release, so `tkm deploy all ENV` does the same; what did not change is not restarted.
#[derive(Debug, clap::Args)]
pub struct DeployEnv {
    /// The environment
    env: EnvName,
    #[command(flatten)]
    options: DeployOptions,
    #[command(flatten)]
    plan_files: PlanFiles,
}

impl Command for DeployEnv {
    const NAME: &'static str = "tkm deploy env";
    const ALIASES: &'static [&'static str] = &["tkm deploy all"];
    const EFFECT: Effect = Effect::Write;
    const EXAMPLES: &'static [&'static str] = &["tkm deploy env staging", "tkm deploy env dev --plan"];

    fn effect(&self) -> Effect {
        if self.plan_files.is_written() { Effect::Read } else { self.options.effect() }
    }

    fn prepare(self, cx: &mut Cx) -> Result<Prepared, Fault> {
        deploy::prepare(cx, &Named { env: Some(&self.env), service: None }, self.options, &self.plan_files)
    }
}
