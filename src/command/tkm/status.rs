//! `tkm status`

use super::context::{find, key_id, not_initialized};
use crate::base::environment::EnvName;
use crate::base::fault::Fault;
use crate::base::time::Timestamp;
use crate::command::stated_default::StatedDefault;
use crate::command::{Command, Cx, Effect};
use crate::report::{Cell, Report, Table, Tone, Value};
use crate::tkm::state::{Key, Purpose};
use crate::tkm::{pins, revoke};

/// Show for each environment its key, its hosts, and what is missing
#[derive(Debug, clap::Args)]
pub struct Status {
    /// The environment
    #[arg(if_not_given = "all")]
    env: Option<EnvName>,
}

impl Command for Status {
    const NAME: &'static str = "tkm status";
    const ALIASES: &'static [&'static str] = &["tkm inspect"];
    const EFFECT: Effect = Effect::Read;
    const EXAMPLES: &'static [&'static str] = &["tkm status", "tkm status dev --json"];

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let Some(store) = find(cx)? else { return Ok(not_initialized()) };
        let (state, hosts, known_hosts) = (store.state()?, store.hosts()?, store.pins()?);
        let mut envs: Vec<EnvName> = ["dev", "staging", "prod"].iter().filter_map(|env| env.parse().ok()).collect();
        let others: Vec<EnvName> = hosts
            .iter()
            .map(|host| host.env.clone())
            .chain(state.keys.iter().filter_map(|key| key.env.parse().ok()))
            .collect();
        for env in others {
            if !envs.contains(&env) {
                envs.push(env);
            }
        }
        let mut table = Table::new(&[
            ("env", "ENV"),
            ("key", "KEY"),
            ("hosts", "HOSTS"),
            ("pinned", "PINNED"),
            ("installed", "INSTALLED"),
            ("pending", "PENDING"),
            ("certificate", "CERTIFICATE UNTIL"),
            ("next", "NEXT"),
        ]);
        for env in envs.into_iter().filter(|env| self.env.as_ref().is_none_or(|wanted| wanted == env)) {
            let id = key_id(cx, &env, Purpose::Deploy);
            let key = state.active(&id);
            let own: Vec<_> = hosts.iter().filter(|host| host.env == env).collect();
            let unpinned = own.iter().find(|host| pins::pinned(&known_hosts, &host.name).is_empty());
            let signer = state.active(&id.authority());
            let lets_in = |key: Option<&Key>, name| key.is_some_and(|key| key.hosts.contains(name));
            let is_installed = |name| state.is_let_in(&id, name);
            let ends = signer.and_then(|key| Some(state.certificate_of(key)?.1.expires));
            let is_signed = ends.is_some_and(|at| at > cx.host.now().0);
            let certified_only = own.iter().any(|host| lets_in(signer, &host.name) && !lets_in(key, &host.name));
            let missing = own.iter().find(|host| !is_installed(&host.name));
            let accepts_revoked = |key: &&Key| key.env == env.as_str();
            let pending: usize = revoke::pending(&state).filter(accepts_revoked).map(|key| key.hosts.len()).sum();
            let next = match (key, own.is_empty(), unpinned, missing) {
                _ if pending > 0 => Some("tkm revoke --resume".to_owned()),
                (None, ..) => Some(format!("tkm generate {env}")),
                (_, true, ..) => Some(format!("tkm host add {env} ADDRESS")),
                (_, _, Some(host), _) => Some(pins::first_add_line(host)),
                _ if state.outgoing(&id).is_some() => Some(format!("tkm rotate @{env} --resume")),
                _ if certified_only && !is_signed => Some(format!("tkm ca sign {env}")),
                (.., Some(host)) => Some(format!("tkm bootstrap {}", host.name)),
                _ => None,
            };
            let pinned = own.iter().filter(|host| !pins::pinned(&known_hosts, &host.name).is_empty()).count();
            table.row(vec![
                env.as_str().into(),
                Value::from(key.map(|key| key.fingerprint.as_str())).into(),
                own.len().into(),
                pinned.into(),
                own.iter().filter(|host| is_installed(&host.name)).count().into(),
                pending.into(),
                Value::from(ends.map(Timestamp)).into(),
                Cell::from(Value::from(next)).tone(Tone::Warn),
            ]);
        }
        Ok(Report::of(table))
    }
}
