//! `org deploy logs`

use super::status::{state, target};
use crate::base::environment::EnvName;
use crate::base::fault::Fault;
use crate::base::time::Timestamp;
use crate::command::stated_default::{CHOSEN_ENV, StatedDefault};
use crate::command::{Command, Cx, Effect};
use crate::deploy::wire::{Ask, Said};
use crate::report::{Cell, Report, Table, Tone, Value};
use crate::tkm::host::HostName;

/// Show the deploys of an environment's hosts, or the steps of one
#[derive(Debug, clap::Args)]
pub struct DeployLogs {
    /// The environment; it can be left out before a deploy
    #[arg(value_name = "ENV", if_not_given = CHOSEN_ENV)]
    target: Option<EnvName>,
    /// The deploy whose steps are shown
    #[arg(value_name = "DEPLOY")]
    txid: Option<String>,
    /// The environment, as the first word
    #[arg(long, value_name = "@ENV")]
    env: Option<EnvName>,
    /// Only these hosts
    #[arg(long, value_name = "HOST", value_delimiter = ',')]
    hosts: Vec<HostName>,
}

impl Command for DeployLogs {
    const NAME: &'static str = "org deploy logs";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLES: &'static [&'static str] =
        &["org deploy logs @dev", "org deploy logs @dev 20261120T103045Z-1a2b3c4d"];

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let (env, txid) = meant(self.target, self.txid, self.env)?;
        let target = target(cx, env.as_ref(), &self.hosts)?;
        let mut table = Table::new(&[
            ("host", "HOST"),
            ("at", "AT"),
            ("deploy", "DEPLOY"),
            ("release", "RELEASE"),
            ("state", "STATE"),
            ("by", "BY"),
            ("why", "WHY"),
        ])
        .when_empty("no deploys");
        let mut report = Report::default();
        let ask = txid.map_or(Ask::History, |txid| Ask::Journal { txid });
        for (host, asked) in target.ask(cx, &ask) {
            let host = || Cell::from(host.name.as_str()).tone(Tone::Strong);
            let at = |ms: u64| Cell::from(Value::from(Timestamp(ms)));
            match asked {
                Ok((_, Said::History(records))) => records.iter().for_each(|it| {
                    let (rid, why) = (it.rid.as_str().into(), Value::from(it.why.clone()).into());
                    table.row(vec![
                        host(),
                        at(it.at_ms),
                        it.txid.as_str().into(),
                        rid,
                        state(it),
                        it.by.as_str().into(),
                        why,
                    ]);
                }),
                Ok((_, Said::Journal(lines))) => lines.iter().for_each(|it| {
                    let (rid, why) = (it.rid.as_str().into(), Value::from(it.why.clone()).into());
                    let by = Cell::from(Value::Null);
                    table.row(vec![host(), at(it.at_ms), it.txid.as_str().into(), rid, it.to.word().into(), by, why]);
                }),
                Ok(_) => {}
                Err(fault) => report.faults.push(fault),
            }
        }
        Ok(report.and(table))
    }
}

/// The environment and the deploy. The only word is a deploy if it has the form of one, or if `--env` names the environment.
fn meant(
    first: Option<EnvName>,
    txid: Option<String>,
    env: Option<EnvName>,
) -> Result<(Option<EnvName>, Option<String>), Fault> {
    match (first, txid, env) {
        (Some(first), Some(_), Some(env)) if first != env => {
            Err(Fault::usage(format!("`@{first}` and `--env @{env}` name two environments"))
                .with_advice("leave one out"))
        }
        (Some(first), None, env) if is_deploy(first.as_str()) || env.as_ref().is_some_and(|env| *env != first) => {
            Ok((env, Some(first.to_string())))
        }
        (first, txid, env) => Ok((env.or(first), txid)),
    }
}

/// `20261120T103045Z-1a2b3c4d`
fn is_deploy(word: &str) -> bool {
    word.split_once('T').is_some_and(|(day, _)| day.len() == 8 && day.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_an_environment_unless_it_is_a_deploy() {
        let env = |name: &str| Some(name.parse::<EnvName>().expect("a name"));
        let deploy = "20261120T103045Z-1a2b3c4d";
        let id = || Some(deploy.to_owned());
        for (given, wanted) in [
            ((env("@dev"), None, None), (env("dev"), None)),
            ((env("dev"), id(), None), (env("dev"), id())),
            ((env(deploy), None, None), (None, id())),
            ((env(deploy), None, env("dev")), (env("dev"), id())),
            ((env("x"), None, env("dev")), (env("dev"), Some("x".to_owned()))),
            ((env("dev"), None, env("dev")), (env("dev"), None)),
            ((None, None, None), (None, None)),
        ] {
            let (first, txid, option) = given;
            assert_eq!(meant(first, txid, option).expect("clear"), wanted);
        }
        assert!(meant(env("dev"), id(), env("prod")).is_err());
    }
}
