//! `org deploy unfreeze`

use super::freeze::{self, Hosts};
use super::status::target;
use crate::base::environment::{EnvName, EnvRef};
use crate::base::fault::Fault;
use crate::command::org::context::affected_envs;
use crate::command::stated_default::{CHOSEN_ENV, StatedDefault};
use crate::command::{Command, Cx, Effect};
use crate::report::Report;
use crate::tkm::host::HostName;

/// Let deploys begin again on the hosts of an environment
#[derive(Debug, clap::Args)]
pub struct DeployUnfreeze {
    /// The environment
    #[arg(if_not_given = CHOSEN_ENV)]
    env: Option<EnvName>,
    /// Only these hosts
    #[arg(long, value_name = "HOST", value_delimiter = ',')]
    hosts: Vec<HostName>,
}

impl Command for DeployUnfreeze {
    const NAME: &'static str = "org deploy unfreeze";
    const EFFECT: Effect = Effect::Write;
    const EXAMPLES: &'static [&'static str] = &["org deploy unfreeze @dev"];

    fn environments(&self, cx: &mut Cx) -> Result<Vec<EnvRef>, Fault> {
        affected_envs(cx, self.env.as_ref())
    }

    fn plan(&self, cx: &mut Cx) -> Result<Option<Report>, Fault> {
        Ok(Some(target(cx, self.env.as_ref(), &self.hosts)?.plan()))
    }

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        freeze::set(cx, Hosts { env: self.env.as_ref(), hosts: &self.hosts }, None)
    }
}
