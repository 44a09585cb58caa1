//! `tkm test`

use std::collections::BTreeMap;

use super::context::{find, key_id, not_initialized, on_each};
use crate::base::environment::EnvName;
use crate::base::fault::Fault;
use crate::command::stated_default::{CHOSEN_HOSTS, StatedDefault};
use crate::command::{Command, Cx, Effect};
use crate::report::{Cell, Report, Table, Tone, Value};
use crate::tkm::access;
use crate::tkm::error::TkmError;
use crate::tkm::host::{Host, HostName};
use crate::tkm::lasting::LastingConnections;
use crate::tkm::ssh::Connection;
use crate::tkm::state::{Key, Purpose};
use crate::tkm::store::Store;

/// Log in on hosts with their keys, and show which work
///
/// Each host is tried once, on a connection of its own. Several are tried at the same time.
#[derive(Debug, clap::Args)]
pub struct Test {
    /// The hosts
    #[arg(if_not_given = CHOSEN_HOSTS)]
    hosts: Vec<HostName>,
}

impl Command for Test {
    const NAME: &'static str = "tkm test";
    const ALIASES: &'static [&'static str] = &["tkm preflight", "tkm deploy test"];
    const EFFECT: Effect = Effect::Read;
    const EXAMPLES: &'static [&'static str] = &["tkm test dev", "tkm preflight --json"];

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let Some(store) = find(cx)? else { return Ok(not_initialized()) };
        // What a host lets in now is not what an earlier command was let in with.
        let _ended = LastingConnections::end(&store, cx.host.variables());
        let hosts = chosen(&store, &self.hosts, cx.selection.env.as_ref())?;
        let state = store.state()?;
        let keys: BTreeMap<HostName, Key> = hosts
            .iter()
            .filter_map(|host| {
                let key = state.accepted(&key_id(cx, &host.env, Purpose::Deploy), &host.name)?;
                Some((host.name.clone(), key.clone()))
            })
            .collect();
        let variables = cx.host.variables();
        let results = on_each(cx, &hosts, |host, say| {
            say("logging in");
            let result = log_in(&store, host, keys.get(&host.name), variables);
            say(if result.is_ok() { "ok" } else { "failed" });
            result
        });
        let mut report = Report::default();
        let mut table =
            Table::new(&[("host", "HOST"), ("env", "ENV"), ("user", "USER"), ("ok", "STATE"), ("why", "WHY")])
                .when_empty("no hosts: add one with `tkm host add NAME ADDRESS`");
        for (host, result) in hosts.iter().zip(results) {
            let (user, state, why) = match result {
                Ok(user) => (Value::from(user), Cell::from(true).text("ok").tone(Tone::Good), Value::Null),
                Err(error) => {
                    let why = Value::from(error.to_string());
                    report.faults.push(error.into());
                    (Value::Null, Cell::from(false).text("failed").tone(Tone::Bad), why)
                }
            };
            table.row(vec![host.name.as_str().into(), host.env.as_str().into(), user.into(), state, why.into()]);
        }
        Ok(report.and(table))
    }
}

/// The user that a key logs in as.
fn log_in(
    store: &Store,
    host: &Host,
    key: Option<&Key>,
    variables: &BTreeMap<String, String>,
) -> Result<String, TkmError> {
    let connection = Connection::open(store, host, variables)?;
    let key = key.ok_or_else(|| TkmError::NoKey { env: host.env.to_string() })?;
    access::verify(&connection, &access::login_of(store, key)?)?;
    Ok(connection.route.user)
}

/// The hosts of these names; without names those of an environment, or all.
pub(super) fn chosen(store: &Store, names: &[HostName], env: Option<&EnvName>) -> Result<Vec<Host>, Fault> {
    if names.is_empty() {
        let all = store.hosts()?.into_iter();
        return Ok(all.filter(|host| env.is_none_or(|env| *env == host.env)).collect());
    }
    Ok(names.iter().map(|name| store.host(name)).collect::<Result<_, _>>()?)
}
