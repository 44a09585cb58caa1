//! `tkm deploy service`

use crate::base::environment::EnvName;
use crate::base::fault::Fault;
use crate::command::argument::DeclaredService;
use crate::command::org::deploy::{self, DeployOptions, Named, PlanFiles};
use crate::command::stated_default::StatedDefault;
use crate::command::{Command, Cx, Effect, Prepared};

/// Deploy the services of an environment to its hosts, or one of them alone
///
/// In the same transaction as `org deploy`. With the name of a service that one alone may change: a host on which another would be
/// changed or restarted too refuses it before anything is switched, and says which. Without a name it is `org deploy`.
#[derive(Debug, clap::Args)]
pub struct DeployService {
    /// The environment
    env: EnvName,
    /// The service that alone may change
    #[arg(if_not_given = "all")]
    service: Option<DeclaredService>,
    #[command(flatten)]
    options: DeployOptions,
    #[command(flatten)]
    plan_files: PlanFiles,
}

impl Command for DeployService {
    const NAME: &'static str = "tkm deploy service";
    const EFFECT: Effect = Effect::Write;
    const EXAMPLES: &'static [&'static str] = &["tkm deploy service prod", "tkm deploy service prod web"];

    fn effect(&self) -> Effect {
        if self.plan_files.is_written() { Effect::Read } else { self.options.effect() }
    }

    fn prepare(self, cx: &mut Cx) -> Result<Prepared, Fault> {
        let service = self.service.as_ref().map(|service| service.0.as_str());
        deploy::prepare(cx, &Named { env: Some(&self.env), service }, self.options, &self.plan_files)
    }
}
