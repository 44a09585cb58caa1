//! `org deploy recover`

use super::status::target;
use crate::base::environment::{EnvName, EnvRef};
use crate::base::fault::Fault;
use crate::command::org::context::affected_envs;
use crate::command::stated_default::{CHOSEN_ENV, StatedDefault};
use crate::command::{Command, Cx, Effect};
use crate::deploy::machine::State;
use crate::deploy::wire::{Ask, Said};
use crate::ops::deploy::give_up;
use crate::report::{Message, Report};
use crate::tkm::host::HostName;

/// Put the old release back where a deploy did not end
///
/// Hosts do that by themselves; this does it at once, and again where it failed.
#[derive(Debug, clap::Args)]
pub struct DeployRecover {
    /// The environment
    #[arg(if_not_given = CHOSEN_ENV)]
    env: Option<EnvName>,
    /// Only these hosts
    #[arg(long, value_name = "HOST", value_delimiter = ',')]
    hosts: Vec<HostName>,
}

impl Command for DeployRecover {
    const NAME: &'static str = "org deploy recover";
    const EFFECT: Effect = Effect::Write;
    const EXAMPLES: &'static [&'static str] = &["org deploy recover @dev"];

    fn environments(&self, cx: &mut Cx) -> Result<Vec<EnvRef>, Fault> {
        affected_envs(cx, self.env.as_ref())
    }

    fn plan(&self, cx: &mut Cx) -> Result<Option<Report>, Fault> {
        Ok(Some(target(cx, self.env.as_ref(), &self.hosts)?.plan()))
    }

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let target = target(cx, self.env.as_ref(), &self.hosts)?;
        let (mut messages, mut faults) = (Vec::new(), Vec::new());
        for (host, asked) in target.ask(cx, &Ask::Recover) {
            let records = match asked {
                Ok((_, Said::History(records))) => records,
                Ok(_) => continue,
                Err(fault) => {
                    faults.push(fault);
                    continue;
                }
            };
            let message =
                |text: String, state: &str| Message::new(text).with("host", host.name.as_str()).with("state", state);
            if records.is_empty() {
                messages.push(message(format!("{}: every deploy has ended", host.name), "ended"));
            }
            for record in records {
                let text = format!("{}: {} is {}", host.name, record.txid, record.state);
                if record.state == State::RevertFailed {
                    let fault = give_up::outcome(&record);
                    faults.push(Fault {
                        advice: fault.advice,
                        ..Fault::new(fault.kind, format!("{text}: {}", fault.error))
                    });
                }
                messages.push(message(text, record.state.word()));
            }
        }
        Ok(Report { faults, ..Report::each(messages) })
    }
}
