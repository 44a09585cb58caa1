//! `tkm deploy list`

use super::context::{find, key_id, not_initialized};
use crate::base::environment::EnvName;
use crate::base::fault::Fault;
use crate::command::{Command, Cx, Effect};
use crate::env::project::{self, Project};
use crate::report::{Cell, Report, Table, Tone, Value};
use crate::tkm::pins;
use crate::tkm::state::Purpose;

/// List the environments that can be deployed: their servers, variables and state
#[derive(Debug, clap::Args)]
pub struct DeployList {}

impl Command for DeployList {
    const NAME: &'static str = "tkm deploy list";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLES: &'static [&'static str] = &["tkm deploy list", "tkm deploy list --json"];

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let Some(store) = find(cx)? else { return Ok(not_initialized()) };
        let (state, hosts, known_hosts) = (store.state()?, store.hosts()?, store.pins()?);
        let project = Project::open(cx.host.cwd())?;
        let mut table =
            Table::new(&[("env", "ENV"), ("server", "SERVER"), ("variables", "VARIABLES"), ("state", "STATE")])
                .when_empty("no servers: add one with `tkm host add dev ADDRESS`");
        for host in hosts {
            let is_pinned = !pins::pinned(&known_hosts, &host.name).is_empty();
            let is_installed = state.is_let_in(&key_id(cx, &host.env, Purpose::Deploy), &host.name);
            let (word, tone) = match (is_pinned, is_installed) {
                (false, _) => ("not pinned", Tone::Warn),
                (true, false) => ("no key", Tone::Warn),
                (true, true) => ("ready", Tone::Good),
            };
            table.row(vec![
                host.env.as_str().into(),
                host.name.as_str().into(),
                variables(&project, &host.env)?.into(),
                Cell::from(word).tone(tone),
            ]);
        }
        Ok(Report::of(table))
    }
}

/// How many variables the env file of the project has; null without one.
fn variables(project: &Project, env: &EnvName) -> Result<Value, Fault> {
    if !project.file(env).exists() {
        return Ok(Value::Null);
    }
    Ok(project::read_file(project, env)?.len().into())
}
