//! `org deploy freeze`

use super::status::target;
use super::target::operator;
use crate::base::environment::{EnvName, EnvRef};
use crate::base::fault::Fault;
use crate::command::org::context::affected_envs;
use crate::command::stated_default::{CHOSEN_ENV, StatedDefault};
use crate::command::{Command, Cx, Effect};
use crate::deploy::wire::Ask;
use crate::report::{Message, Report};
use crate::tkm::host::HostName;

/// The longest reason, in characters.
const MAX_REASON: usize = 500;

/// Let no deploy begin on the hosts of an environment
#[derive(Debug, clap::Args)]
pub struct DeployFreeze {
    /// Why
    reason: String,
    /// The environment
    #[arg(if_not_given = CHOSEN_ENV)]
    env: Option<EnvName>,
    /// Only these hosts
    #[arg(long, value_name = "HOST", value_delimiter = ',')]
    hosts: Vec<HostName>,
}

impl Command for DeployFreeze {
    const NAME: &'static str = "org deploy freeze";
    const EFFECT: Effect = Effect::Write;
    const EXAMPLES: &'static [&'static str] = &["org deploy freeze 'the database is being moved' @dev"];

    fn environments(&self, cx: &mut Cx) -> Result<Vec<EnvRef>, Fault> {
        affected_envs(cx, self.env.as_ref())
    }

    fn plan(&self, cx: &mut Cx) -> Result<Option<Report>, Fault> {
        Ok(Some(target(cx, self.env.as_ref(), &self.hosts)?.plan()))
    }

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let why = self.reason.trim().to_owned();
        if why.is_empty() || why.chars().count() > MAX_REASON || why.chars().any(char::is_control) {
            return Err(Fault::usage(format!("invalid reason: expected one line of at most {MAX_REASON} characters")));
        }
        set(cx, Hosts { env: self.env.as_ref(), hosts: &self.hosts }, Some(why))
    }
}

/// Which hosts.
pub(super) struct Hosts<'a> {
    pub env: Option<&'a EnvName>,
    pub hosts: &'a [HostName],
}

/// Freezes hosts, or lets deploys begin again without a reason.
pub(super) fn set(cx: &mut Cx, of: Hosts, why: Option<String>) -> Result<Report, Fault> {
    let target = target(cx, of.env, of.hosts)?;
    let word = if why.is_some() { "froze" } else { "unfroze" };
    let by = operator(cx);
    let (mut messages, mut faults) = (Vec::new(), Vec::new());
    for (host, asked) in target.ask(cx, &Ask::Freeze { by, why }) {
        match asked {
            Ok(_) => messages.push(
                Message::new(format!("{word} {}", host.name)).with("host", host.name.as_str()).with("action", word),
            ),
            Err(fault) => faults.push(fault),
        }
    }
    Ok(Report { faults, ..Report::each(messages) })
}
