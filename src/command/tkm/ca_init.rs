//! `tkm ca init`

use super::context::{actor, find, find_store, host_plan, key_id, not_initialized, on_each};
use super::passphrase::{Wish, of_new_key};
use crate::base::environment::{EnvName, EnvRef, Tier};
use crate::base::fault::Fault;
use crate::command::{Command, Cx, Effect};
use crate::report::{Cell, Report, Table, Tone, Value};
use crate::tkm::access::{self, Installation};
use crate::tkm::audit::{self, AuditEvent};
use crate::tkm::authority::{self, Authority};
use crate::tkm::error::TkmError;
use crate::tkm::host::Host;
use crate::tkm::keygen::{self, NewKey};
use crate::tkm::lasting::LastingConnections;
use crate::tkm::ssh::Connection;
use crate::tkm::state::{KeyId, Purpose};
use crate::tkm::store::Store;

/// Make a key that signs certificates for an environment, and have its hosts let them in
///
/// A line with `cert-authority` goes into authorized_keys of each host that accepts the key of the environment; sshd_config stays.
/// A certificate of ten minutes is tried on a fresh connection, and the file is put back if it is refused. Later hosts get the line
/// by `tkm bootstrap`. Again, it goes on with hosts that have not got it.
#[derive(Debug, clap::Args)]
pub struct CaInit {
    /// The environment
    env: EnvName,
    /// Make the key without a passphrase, also for prod
    #[arg(long)]
    no_passphrase: bool,
}

impl Command for CaInit {
    const NAME: &'static str = "tkm ca init";
    const EFFECT: Effect = Effect::Write;
    const EXAMPLES: &'static [&'static str] = &["tkm ca init dev", "tkm ca init prod --no-passphrase"];

    fn environments(&self, cx: &mut Cx) -> Result<Vec<EnvRef>, Fault> {
        Ok(vec![cx.selection.qualify(self.env.clone())])
    }

    fn plan(&self, cx: &mut Cx) -> Result<Option<Report>, Fault> {
        let store = find_store(cx)?;
        let (state, hosts) = (store.state()?, store.hosts()?);
        let id = key_id(cx, &self.env, Purpose::Deploy);
        let is_meant = |host: &&Host| state.let_in(&host.name).any(|key| key.is_of(&id));
        Ok(Some(host_plan(hosts.iter().filter(is_meant))))
    }

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let Some(store) = find(cx)? else { return Ok(not_initialized()) };
        if self.env.tier() == Some(Tier::Local) {
            return Err(Fault::usage("`local` is this machine, and needs no key"));
        }
        let id = key_id(cx, &self.env, Purpose::Deploy);
        let _lock = LastingConnections::lock(&store, cx.host.variables())?;
        let made = self.make(cx, &store, &id)?;
        let state = store.state()?;
        let found = Authority::find(&state, &id)?;
        let authority = found.ok_or_else(|| TkmError::NoAuthority { env: self.env.to_string() })?;
        let mut hosts = store.hosts()?;
        hosts.retain(|host| state.let_in(&host.name).any(|key| key.is_of(&id)));
        let (variables, now) = (cx.host.variables(), cx.host.now());
        let results = on_each(cx, &hosts, |host, say| {
            say("adding the line, and trying a certificate");
            let connection = Connection::open(&store, host, variables).map(Connection::shared);
            let result = connection.and_then(|connection| {
                let key = state.let_in(&host.name).find(|key| key.is_of(&id)).unwrap_or(authority.trial);
                authority.trust(&connection, now, &access::login_of(&store, key)?)
            });
            say(if result.is_ok() { "trusted" } else { "failed" });
            result
        });
        let fingerprint = &authority.key.fingerprint;
        let results = hosts.iter().zip(results).map(|(host, result)| {
            let done = result?;
            authority::written(&store, actor(cx), &host.name, fingerprint).map(|()| done)
        });
        let report = table(&hosts, results);
        Ok(report
            .note(format!("{made} the key that signs for {}: {fingerprint}", self.env))
            .note(format!("next: `tkm ca sign {}`", self.env)))
    }
}

impl CaInit {
    /// Makes the key unless there is one; the word for what was done.
    fn make(&self, cx: &Cx, store: &Store, id: &KeyId) -> Result<&'static str, Fault> {
        let mut state = store.state()?;
        if state.active(id).is_none() {
            return Err(TkmError::NoKey { env: self.env.to_string() }.into());
        }
        let authority = id.authority();
        if state.active(&authority).is_some() {
            return Ok("kept");
        }
        let wish = if self.no_passphrase { Wish::Never } else { Wish::AsUsual };
        let passphrase = of_new_key(cx, &self.env, wish, &format!("tkm ca init {}", self.env))?;
        let new = NewKey { id: &authority, passphrase, algorithm: "ed25519", expires: None };
        let key = keygen::generate(store, cx.host, actor(cx), &new)?;
        let fingerprint = key.fingerprint.clone();
        state.keys.push(key);
        store.write_state(&state)?;
        audit::record(store, actor(cx), AuditEvent { event: "ca-init", host: None, key: Some(&fingerprint) })?;
        Ok("generated")
    }
}

fn table(hosts: &[Host], results: impl Iterator<Item = Result<Installation, TkmError>>) -> Report {
    let mut report = Report::default();
    let columns = [("host", "HOST"), ("env", "ENV"), ("state", "STATE"), ("why", "WHY")];
    let mut table =
        Table::new(&columns).when_empty("no host accepts the key of the environment yet: `tkm bootstrap HOST`");
    for (host, result) in hosts.iter().zip(results) {
        let (state, why) = match result {
            Ok(Installation::Added) => (Cell::from("trusted").tone(Tone::Good), Value::Null),
            Ok(Installation::Present) => (Cell::from("unchanged").tone(Tone::Dim), Value::Null),
            Err(error) => {
                let why = Value::from(error.to_string());
                report.faults.push(error.into());
                (Cell::from("failed").tone(Tone::Bad), why)
            }
        };
        table.row(vec![host.name.as_str().into(), host.env.as_str().into(), state, why.into()]);
    }
    report.and(table)
}
