//! `--on @ENV` and `--host NAME`: a command that runs on hosts, and one answer of all of them.
//!
//! The command was parsed here, so that a mistake is found before a host is asked. Each host runs the same words with `--json`,
//! and what comes back is read again and merged.

mod answer;
mod follow;
mod merge;
mod words;

use crate::base::environment::EnvRef;
use crate::base::fault::{Fault, FaultKind};
use crate::command::global::Globals;
use crate::command::host_states::HostStates;
use crate::command::prepared::{Prepared, Stage};
use crate::command::{CommandSpec, Cx, Effect, ParsedCommand};
use crate::ops::fleet::{Fleet, FleetTarget};
use crate::report::Report;
use crate::tkm::error::TkmError;
use crate::tkm::store::Store;

use answer::HostAnswer;

/// Groups whose commands run on hosts.
const GROUPS: [&str; 3] = ["tsm", "daemon", "env"];

/// What changes something and runs there too.
const VERBS: [&str; 10] = [
    "tsm start",
    "tsm stop",
    "tsm restart",
    "tsm reload",
    "tsm scale",
    "tsm signal",
    "tsm delete",
    "tsm kill",
    "tsm enable",
    "tsm disable",
];

/// What only looks and still does not run there: it needs a terminal, or has no end.
const LOCAL: [&str; 7] =
    ["tsm monitor", "tsm tview", "tsm stream", "tsm patrol", "daemon run", "daemon sweep", "daemon logs"];

/// A command that runs on hosts instead of here.
pub struct FleetCommand {
    spec: &'static CommandSpec,
    effect: Effect,
    target: FleetTarget,
    words: Vec<String>,
    output: FleetOutput,
    follows: bool,
}

/// How the answers are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FleetOutput {
    Text { verbose: u8 },
    Json,
}

impl Globals {
    /// The hosts on which a command runs; none if it runs here.
    ///
    /// # Errors
    ///
    /// Fails if they are given in both ways.
    pub fn fleet(&self) -> Result<Option<FleetTarget>, Fault> {
        match (&self.on, &self.hosts[..]) {
            (None, []) => Ok(None),
            (Some(env), []) => Ok(Some(FleetTarget::Env(env.clone()))),
            (None, hosts) => Ok(Some(FleetTarget::Hosts(hosts.to_vec()))),
            (Some(_), _) => Err(Fault::usage("`--on` and `--host` cannot be given together")),
        }
    }
}

/// Whether a command of this name runs on hosts, if what it does is `effect`.
#[must_use]
pub fn is_possible(spec: &CommandSpec, effect: Effect) -> bool {
    let in_group = spec.group().is_some_and(|group| GROUPS.contains(&group));
    in_group && !LOCAL.contains(&spec.name) && (effect == Effect::Read || VERBS.contains(&spec.name))
}

/// The command on hosts; `words` are all that were given.
///
/// # Errors
///
/// Fails if it does not run there.
pub fn on_hosts(
    spec: &'static CommandSpec,
    effect: Effect,
    target: FleetTarget,
    words: &[String],
    globals: &Globals,
) -> Result<FleetCommand, Fault> {
    if !is_possible(spec, effect) {
        return Err(Fault::usage(format!("`{}` does not run on other hosts", spec.name)).with_advice(
            "commands of tsm, daemon and env that look do, and those that start and stop processes; others with `tkm ssh HOST`",
        ));
    }
    if globals.dir.is_some() {
        return Err(Fault::usage("`--dir` names a directory of this machine, and the command runs on others"));
    }
    let output = if globals.output.json { FleetOutput::Json } else { FleetOutput::Text { verbose: globals.verbose } };
    let (words, follows) = words::remote(spec, words, effect);
    Ok(FleetCommand { spec, effect, target, words, output, follows })
}

impl ParsedCommand for FleetCommand {
    fn effect(&self) -> Effect {
        self.effect
    }

    fn prepare(self: Box<Self>, cx: &mut Cx) -> Result<Prepared, Fault> {
        let Some(store) = Store::find(cx.paths)? else {
            let fault = Fault::new(FaultKind::NotFound, "there are no hosts: tkm is not initialized");
            return Err(fault.with_advice("`tkm init`, then `tkm host add NAME ADDRESS`"));
        };
        let fleet = Fleet::find(store, cx.selection.org.as_ref(), &self.target)?;
        if let (FleetTarget::Env(env), []) = (&self.target, fleet.hosts()) {
            return Err(TkmError::NoHosts { env: env.clone() }.into());
        }
        if let Some(host) = fleet.bound().filter(|_| self.effect != Effect::Read || self.follows) {
            let what = if self.follows { "goes on and on" } else { "changes something" };
            let message =
                format!("`{}` {what}, and the key of `{}` is bound to `tetra agent`", self.spec.name, host.name);
            return Err(Fault::new(FaultKind::Refused, message).with_advice(
                "the agent runs tsm list, info, why, stats and logs; use a key of your own for the rest",
            ));
        }
        let environments: Vec<EnvRef> =
            fleet.hosts().iter().map(|host| cx.selection.qualify(host.env.clone())).collect();
        let stage = Stage { effect: self.effect, environments, state: FleetCall { command: *self, fleet }, plan, run };
        Ok(stage.ready())
    }
}

/// A command and the hosts that it runs on.
struct FleetCall {
    command: FleetCommand,
    fleet: Fleet,
}

/// Where it will run.
fn plan(FleetCall { command, fleet }: &FleetCall, _cx: &mut Cx) -> Result<Option<Report>, Fault> {
    let hosts: Vec<&str> = fleet.hosts().iter().map(|host| host.name.as_str()).collect();
    Ok(Some(Report::of(format!("`{}` on {}", command.spec.name, hosts.join(", ")))))
}

fn run(FleetCall { command, fleet }: FleetCall, cx: &mut Cx) -> Result<Report, Fault> {
    if command.follows {
        return follow::follow(&fleet, &command.words, cx.host.variables());
    }
    let names: Vec<String> = fleet.hosts().iter().map(|host| host.name.to_string()).collect();
    let mut states = HostStates::new(&mut *cx.console, cx.host, names.iter().map(String::as_str));
    let results = fleet.ask(&command.words, cx.host.variables(), |index, update| states.show(index, update));
    states.end();
    let answers: Vec<HostAnswer> =
        names.into_iter().zip(results).map(|(host, result)| HostAnswer::of(host, result)).collect();
    Ok(merge::report(answers, command.spec.name, command.output))
}
