//! `tkm revoke`

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Mutex;

use super::context::{actor, find, find_store, not_initialized, on_each};
use super::target::{Choice, DEFAULT_PURPOSE, KeySelector, KeyTarget, Wanted, accepting, choose};
use crate::base::environment::EnvRef;
use crate::base::fault::{Fault, FaultKind};
use crate::base::plural::pluralize;
use crate::command::stated_default::StatedDefault;
use crate::command::{Command, Cx, Effect};
use crate::report::{Cell, Report, Table, Tone, Value};
use crate::tkm::error::TkmError;
use crate::tkm::host::{Host, HostName};
use crate::tkm::krl::KrlHosts;
use crate::tkm::lasting::LastingConnections;
use crate::tkm::login::Login;
use crate::tkm::revoke::{self, Extent, Revocation};
use crate::tkm::ssh::Connection;
use crate::tkm::state::Purpose;
use crate::tkm::store::Store;
use crate::tkm::{access, client_config};

/// Take a key away from its hosts, for good
///
/// Its lines leave authorized_keys of every host, by a login with another key that is tried before and after. The key goes on the
/// list of revoked keys in the store, and on that of a host whose sshd reads `tetra_revoked_keys`. Hosts that are down stay
/// pending: --resume ends it. For hosts that are named, the key is taken away there, and used on elsewhere.
#[derive(Debug, clap::Args)]
pub struct Revoke {
    /// `@ENV`, hosts, or `all`
    #[arg(value_name = "@ENV|HOST|all")]
    targets: Vec<KeyTarget>,
    /// Which key: `deploy`, `admin`, `test`, or a fingerprint
    #[arg(long, value_name = "KIND|SHA256:…", if_not_given = Purpose::from(DEFAULT_PURPOSE).word())]
    key: Option<KeySelector>,
    /// A private key that the hosts accept, to log in with
    #[arg(long, value_name = "FILE")]
    identity: Option<PathBuf>,
    /// Go on with hosts that were not reached
    #[arg(long, conflicts_with_all = ["targets", "key"])]
    resume: bool,
}

impl Command for Revoke {
    const NAME: &'static str = "tkm revoke";
    const EFFECT: Effect = Effect::Destroy;
    const EXAMPLES: &'static [&'static str] = &[
        "tkm revoke @dev",
        "tkm revoke web1 --identity ~/.ssh/id_ed25519",
        "tkm revoke --key SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU",
        "tkm revoke --resume",
    ];

    fn environments(&self, cx: &mut Cx) -> Result<Vec<EnvRef>, Fault> {
        let Some(store) = find(cx)? else { return Ok(Vec::new()) };
        let envs = self.choice(cx, &store)?.keys.into_iter().map(|key| key.env.parse());
        Ok(envs.map(|env| env.map(|env| cx.selection.qualify(env))).collect::<Result<_, _>>()?)
    }

    fn plan(&self, cx: &mut Cx) -> Result<Option<Report>, Fault> {
        let store = find_store(cx)?;
        let Choice { keys, hosts, extent } = self.choice(cx, &store)?;
        let mut table = Table::new(&[("key", "KEY"), ("env", "ENV"), ("for", "FOR"), ("hosts", "HOSTS")]);
        for key in &keys {
            let of_key = accepting(&store.state()?, hosts.clone(), std::slice::from_ref(key));
            let names: Vec<String> = of_key.iter().map(|host| host.name.to_string()).collect();
            table.row(vec![
                key.fingerprint.as_str().into(),
                key.env.as_str().into(),
                key.purpose.word().into(),
                Value::from(names).into(),
            ]);
        }
        let what = match extent {
            Extent::Everywhere => "revoked for good",
            Extent::Hosts => "taken away from these hosts, and used on elsewhere",
        };
        let (keys, hosts) = (pluralize(keys.len(), "key"), pluralize(hosts.len(), "host"));
        Ok(Some(Report::of(table).note(format!("{keys} on {hosts}: {what}"))))
    }

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let Some(store) = find(cx)? else { return Ok(not_initialized()) };
        let variables = cx.host.variables();
        let given = match &self.identity {
            Some(path) => access::login_with(&cx.host.cwd().join(path), variables)?,
            None => Login::Operator,
        };
        let _lock = LastingConnections::lock(&store, cx.host.variables())?;
        let Choice { keys, hosts, extent } = self.choice(cx, &store)?;
        let revocation = Revocation { store: &store, keys, extent, actor: actor(cx), turn: Mutex::new(()) };
        let mut ways = on_each(cx, &hosts, |host, say| {
            say("looking for another way in");
            let connection = Connection::open(&store, host, variables)?.shared();
            let way = revocation.other_way(&connection, &given)?;
            Ok((connection, way))
        });
        if let Some(fault) = last_way_in(&hosts, &ways) {
            return Err(fault);
        }
        // Which key is meant is to be said before anything is changed.
        let is_open = |way: &Result<_, TkmError>| matches!(way, Err(TkmError::SeveralKeys { .. }));
        if let Some(at) = ways.iter().position(is_open)
            && let Err(error) = ways.swap_remove(at)
        {
            return Err(error.into());
        }
        revocation.begin(variables)?;
        let found: BTreeMap<&HostName, &(Connection, Login)> =
            hosts.iter().zip(&ways).filter_map(|(host, way)| Some((&host.name, way.as_ref().ok()?))).collect();
        let done = on_each(cx, &hosts, |host, say| {
            let Some((connection, by)) = found.get(&host.name) else {
                say("failed");
                return None;
            };
            say("removing the key, and trying the other way in");
            let result = revocation.run(connection, by);
            say(if result.is_ok() { extent.gone() } else { "failed" });
            Some(result)
        });
        let results = ways.into_iter().zip(done).filter_map(|(way, done)| match way {
            Ok(_) => done,
            Err(error) => Some(Err(error)),
        });
        let results: Vec<Result<KrlHosts, TkmError>> = results.collect();
        client_config::write(&store, cx.selection.org.as_ref(), cx.host.variables())?;
        Ok(notes(&store, &revocation, table(extent, &hosts, results))?)
    }
}

impl Revoke {
    fn choice(&self, cx: &Cx, store: &Store) -> Result<Choice, Fault> {
        if !self.resume {
            return choose(cx, store, Wanted { targets: &self.targets, key: self.key.as_ref() });
        }
        let state = store.state()?;
        let keys: Vec<_> = revoke::pending(&state).cloned().collect();
        if keys.is_empty() {
            let fault = Fault::new(FaultKind::NotFound, "no host is pending: every revoked key is let in nowhere");
            return Err(fault.with_advice("`tkm revoke @ENV` revokes the key of an environment"));
        }
        let hosts = accepting(&state, store.hosts()?, &keys);
        let hosts = hosts.into_iter().filter(|host| keys.iter().any(|key| key.hosts.contains(&host.name))).collect();
        Ok(Choice { keys, hosts, extent: Extent::Everywhere })
    }
}

/// The refusal, if a host that answers would be left without a way in.
fn last_way_in<T>(hosts: &[Host], ways: &[Result<T, TkmError>]) -> Option<Fault> {
    let is_last = |way: &Result<T, TkmError>| matches!(way, Err(TkmError::LastWayIn(_)));
    let names: Vec<String> =
        hosts.iter().zip(ways).filter(|(_, way)| is_last(way)).map(|(host, _)| format!("`{}`", host.name)).collect();
    let env = &hosts.iter().zip(ways).find(|(_, way)| is_last(way))?.0.env;
    let message = format!("no other way to log in works on {}; nothing was changed", names.join(", "));
    Some(Fault::new(FaultKind::Refused, message).with_advice(format!(
        "`tkm rotate @{env} --now` replaces the key, or add `--identity FILE` with a key of yours that is let in"
    )))
}

fn table(extent: Extent, hosts: &[Host], results: Vec<Result<KrlHosts, TkmError>>) -> Report {
    let mut report = Report::default();
    let columns = [("host", "HOST"), ("env", "ENV"), ("state", "STATE"), ("krl", "KRL"), ("why", "WHY")];
    let mut table = Table::new(&columns).when_empty("no host accepts the key");
    let gone = extent.gone();
    let kept = if extent == Extent::Everywhere { "pending" } else { "failed" };
    for (host, result) in hosts.iter().zip(results) {
        let (state, list, why) = match result {
            Ok(list) => (Cell::from(gone).tone(Tone::Good), Value::from(list.word()), Value::Null),
            Err(error) => {
                let why = Value::from(error.to_string());
                report.faults.push(error.into());
                (Cell::from(kept).tone(Tone::Bad), Value::Null, why)
            }
        };
        table.row(vec![host.name.as_str().into(), host.env.as_str().into(), state, list.into(), why.into()]);
    }
    report.and(table)
}

/// What became of the keys, and what is next.
fn notes(store: &Store, revocation: &Revocation, mut report: Report) -> Result<Report, TkmError> {
    let state = store.state()?;
    for gone in &revocation.keys {
        let Some(key) = state.keys.iter().find(|key| key.fingerprint == gone.fingerprint) else { continue };
        let hosts = key.hosts.iter().map(HostName::as_str).collect::<Vec<_>>().join(", ");
        report = report.note(match (revocation.extent, hosts.is_empty()) {
            (Extent::Everywhere, true) => format!("revoked {} of {}", key.fingerprint, key.env),
            (Extent::Everywhere, false) => {
                format!(
                    "revoked {} of {}; next: `tkm revoke --resume`, when {hosts} can be reached",
                    key.fingerprint, key.env
                )
            }
            (Extent::Hosts, true) => {
                format!("no host accepts {} any more; `tkm revoke @{}` revokes it", key.fingerprint, key.env)
            }
            (Extent::Hosts, false) => format!("{} is used on, on {hosts}", key.fingerprint),
        });
    }
    Ok(report)
}
