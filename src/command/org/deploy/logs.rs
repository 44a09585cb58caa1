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
    /// The deploy whose steps are shown
    #[arg(value_name = "DEPLOY")]
    txid: Option<String>,
    /// The environment
    #[arg(long, value_name = "@ENV", if_not_given = CHOSEN_ENV)]
    env: Option<EnvName>,
    /// Only these hosts
    #[arg(long, value_name = "HOST", value_delimiter = ',')]
    hosts: Vec<HostName>,
}

impl Command for DeployLogs {
    const NAME: &'static str = "org deploy logs";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLES: &'static [&'static str] =
        &["org deploy logs --env @dev", "org deploy logs 20261120T103045Z-1a2b3c4d --env @dev"];

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let target = target(cx, self.env.as_ref(), &self.hosts)?;
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
        let ask = self.txid.map_or(Ask::History, |txid| Ask::Journal { txid });
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
