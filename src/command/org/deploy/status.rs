//! `org deploy status`

use super::drift;
use super::stage::name;
use super::target::DeployTarget;
use crate::base::environment::{EnvName, EnvRef};
use crate::base::fault::Fault;
use crate::base::time::Timestamp;
use crate::command::org::context::{environment, organization};
use crate::command::stated_default::{CHOSEN_ENV, StatedDefault};
use crate::command::{Command, Cx, Effect};
use crate::deploy::machine::State;
use crate::deploy::record::Record;
use crate::deploy::release::ReleaseId;
use crate::deploy::wire::{Ask, Facts};
use crate::ops::deploy::frozen;
use crate::report::{Cell, Report, Table, Tone, Value};
use crate::tkm::host::HostName;

/// Show which release each host of an environment has, and its last deploy
///
/// All hosts are asked at the same time. One that does not answer is a row. One that has another release than the one that was
/// committed last is stale; a line says what brings it there. DRIFT counts what was changed on the host since, and lines name it.
#[derive(Debug, clap::Args)]
pub struct DeployStatus {
    /// The environment
    #[arg(if_not_given = CHOSEN_ENV)]
    env: Option<EnvName>,
    /// Only these hosts
    #[arg(long, value_name = "HOST", value_delimiter = ',')]
    hosts: Vec<HostName>,
}

impl Command for DeployStatus {
    const NAME: &'static str = "org deploy status";
    const ALIASES: &'static [&'static str] = &["tkm deploy status"];
    const EFFECT: Effect = Effect::Read;
    const EXAMPLES: &'static [&'static str] = &["org deploy status @dev", "org deploy status @dev --json"];

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let target = target(cx, self.env.as_ref(), &self.hosts)?;
        let mut table = Table::new(&[
            ("host", "HOST"),
            ("release", "RELEASE"),
            ("previous", "PREVIOUS"),
            ("drift", "DRIFT"),
            ("deploy", "DEPLOY"),
            ("state", "STATE"),
            ("at", "AT"),
            ("why", "WHY"),
        ]);
        let mut report = Report::default();
        let answers = target.ask(cx, &Ask::History);
        let newest = newest(answers.iter().filter_map(|(_, asked)| Some(&asked.as_ref().ok()?.0)));
        let (mut stale, mut remarks) = (Vec::new(), Vec::new());
        for (host, asked) in answers {
            let host_name = host.name.clone();
            let host = Cell::from(host.name.as_str()).tone(Tone::Strong);
            let facts = match asked {
                Ok((facts, _)) => facts,
                Err(fault) => {
                    let why = Value::from(fault.to_string());
                    let none = || Cell::from(Value::Null);
                    let state = Cell::from("unreachable").tone(Tone::Bad);
                    table.row(vec![host, none(), none(), none(), none(), state, none(), why.into()]);
                    report.faults.push(fault);
                    continue;
                }
            };
            let last = facts.last.as_ref();
            if is_stale(&facts, newest.as_ref()) {
                stale.push(host_name.to_string());
            }
            let why = why(&facts, newest.as_ref());
            if facts.freeze.is_some() {
                let is_stuck = last.is_some_and(Record::is_stuck);
                remarks.push(format!("{host_name}: {}", frozen::way_out(target.env.env.as_str(), is_stuck)));
            }
            remarks.extend(drift::remarks(&target.env.env, &host_name, &facts));
            table.row(vec![
                host,
                name(facts.current.as_ref()).into(),
                name(facts.previous.as_ref()).into(),
                drift::count(&facts).into(),
                Value::from(last.map(|last| last.txid.clone())).into(),
                last.map_or(Cell::from(Value::Null), state),
                last.map_or(Value::Null, |last| Value::from(Timestamp(last.at_ms))).into(),
                Value::from(why).into(),
            ]);
        }
        let report = remarks.into_iter().fold(report.and(table), Report::note);
        Ok(match newest.filter(|_| !stale.is_empty()) {
            Some(newest) => {
                let (hosts, env) = (stale.join(","), &target.env.env);
                report.note(format!(
                    "other hosts have {newest}: `org deploy @{env} --hosts {hosts}` deploys what they lack"
                ))
            }
            None => report,
        })
    }
}

fn is_stale(facts: &Facts, newest: Option<&ReleaseId>) -> bool {
    newest.is_some() && facts.current.as_ref() != newest && facts.freeze.is_none() && facts.holder.is_none()
}

fn why(facts: &Facts, newest: Option<&ReleaseId>) -> Option<String> {
    let last = facts.last.as_ref().and_then(|last| last.why.clone());
    match (&facts.freeze, &facts.holder) {
        (Some(freeze), _) => Some(format!("frozen by {}: {}", freeze.by, freeze.why)),
        (None, Some(holder)) => Some(format!("{} deploys", holder.by)),
        (None, None) if is_stale(facts, newest) => {
            Some(format!("stale{}", last.map(|why| format!(": {why}")).unwrap_or_default()))
        }
        (None, None) => last,
    }
}

/// The release that was committed last, on whichever host. Names of deploys begin with the time of their deployer.
fn newest<'a>(hosts: impl Iterator<Item = &'a Facts>) -> Option<ReleaseId> {
    let committed = hosts.filter_map(|facts| {
        let last = facts.last.as_ref().filter(|last| last.state == State::Committed)?;
        (facts.current.as_ref() == Some(&last.rid)).then_some(last)
    });
    committed.max_by(|one, other| one.txid.cmp(&other.txid)).map(|last| last.rid.clone())
}

/// The hosts of an environment that are asked.
pub(super) fn target(cx: &Cx, env: Option<&EnvName>, hosts: &[HostName]) -> Result<DeployTarget, Fault> {
    let env = EnvRef { org: Some(organization(cx)?), env: environment(cx, env)? };
    DeployTarget::find(cx, env, hosts)
}

/// The state of a deploy, by how good it is.
pub(super) fn state(record: &Record) -> Cell {
    let tone = match record.state {
        State::Committed => Tone::Good,
        State::RevertFailed => Tone::Bad,
        _ => Tone::Warn,
    };
    Cell::from(record.state.word()).tone(tone)
}
