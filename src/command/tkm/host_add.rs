//! `tkm host add`

use super::context::{find, not_initialized, record_host};
use crate::base::environment::{EnvName, EnvRef, Tier};
use crate::base::fault::Fault;
use crate::command::{Command, Cx, Effect};
use crate::report::{Message, Question, Report, UserAnswer};
use crate::tkm::error::TkmError;
use crate::tkm::host::{Address, Host, HostName, HostRules};
use crate::tkm::host_key::{self, Evidence};
use crate::tkm::key::{Fingerprint, PublicKey};
use crate::tkm::ssh::Connection;
use crate::tkm::{client_config, pins};

/// Add a host, and pin its key
///
/// The key is looked at and pinned if its fingerprint is given, if ~/.ssh/known_hosts has it for this address, or if the end of
/// the fingerprint is typed. Nothing is sent to a host before.
#[derive(Debug, clap::Args)]
pub struct HostAdd {
    /// What it is called; `dev`, `staging` and `prod` are hosts of those environments unless --env says otherwise, others need it
    host: HostName,
    /// HOST or USER@HOST:PORT, IPv6 with a port in brackets; HOST may be a name of ~/.ssh/config
    address: Address,
    /// The fingerprint of its key, as `ssh-keygen -l` on the host shows it
    #[arg(long, value_name = "SHA256:…")]
    fingerprint: Option<Fingerprint>,
}

impl Command for HostAdd {
    const NAME: &'static str = "tkm host add";
    const EFFECT: Effect = Effect::Write;
    const EXAMPLES: &'static [&'static str] =
        &["tkm host add dev 10.0.0.5", "tkm host add web1 root@10.0.0.6:2222 --env staging"];

    fn environments(&self, cx: &mut Cx) -> Result<Vec<EnvRef>, Fault> {
        Ok(vec![cx.selection.qualify(self.env(cx)?)])
    }

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let Some(store) = find(cx)? else { return Ok(not_initialized()) };
        let env = self.env(cx)?;
        let host = Host { name: self.host, address: self.address, env, rules: HostRules::default() };
        let known = store.hosts()?.into_iter().find(|known| known.name == host.name);
        let is_pinned = !pins::pinned(&store.pins()?, &host.name).is_empty();
        if known.as_ref().is_some_and(|known| is_pinned || *known != host) {
            return Err(TkmError::HostExists(host.name).into());
        }
        let variables = cx.host.variables();
        let connection = Connection::unpinned(&store, &host, variables)?;
        let key = connection.offered_key()?;
        let evidence = match host_key::evidence(&connection, &key, self.fingerprint.as_ref())? {
            Some(evidence) => evidence,
            None => ask(cx, &connection, &key)?,
        };
        let _lock = store.lock()?;
        let mut hosts = store.hosts()?;
        hosts.retain(|known| known.name != host.name);
        hosts.push(host.clone());
        store.write_pins(&pins::replace(&store.pins()?, &host.name, &key))?;
        store.write_hosts(&hosts)?;
        client_config::write(&store, cx.selection.org.as_ref(), cx.host.variables())?;
        record_host(cx, &store, "host-add", &host.name)?;
        let text =
            format!("added the host {} of {}, pinned {} by {}", host.name, host.env, key.fingerprint, evidence.word());
        let message = Message::new(text)
            .with("host", host.name.as_str())
            .with("env", host.env.as_str())
            .with("address", host.address.to_string())
            .with("fingerprint", key.fingerprint.as_str())
            .with("evidence", evidence.word());
        Ok(Report::of(message).note(format!("next: `tkm bootstrap {}`", host.name)))
    }
}

impl HostAdd {
    fn env(&self, cx: &Cx) -> Result<EnvName, Fault> {
        let named =
            self.host.as_str().parse::<EnvName>().ok().filter(|env| env.tier().is_some_and(|it| it > Tier::Local));
        let is_local = |env: &EnvName| env.tier() == Some(Tier::Local);
        let remote = |env: Option<&EnvName>| env.filter(|env| !is_local(env)).cloned();
        // An option says more than the name, and the name more than what the session is in.
        let chosen = match cx.env_option {
            Some(env) => remote(Some(env)),
            None => named.or_else(|| remote(cx.selection.env.as_ref())),
        };
        chosen.ok_or_else(|| {
            let why = match &cx.selection.env {
                Some(env) => format!("`{env}` is this machine, and has no hosts: no other environment is given for"),
                None => "no environment is given for".to_owned(),
            };
            Fault::usage(format!("{why} `{}`", self.host))
                .with_advice(format!("add it: `tkm host add {} {} --env dev`", self.host, self.address))
        })
    }
}

/// Shows a key and has the end of its fingerprint typed.
pub(super) fn ask(cx: &mut Cx, connection: &Connection, key: &PublicKey) -> Result<Evidence, Fault> {
    if !cx.console.is_interactive() {
        return Err(host_key::unconfirmed(connection, key).into());
    }
    cx.console.note(&host_key::randomart(key, connection.variables));
    let text = format!(
        "{} shows the key {}. Compare it with the host's own, and type its last six characters",
        connection.host.name, key.fingerprint
    );
    match cx.console.ask(&Question { text, expected: Some(key.fingerprint.tail().to_owned()) }) {
        UserAnswer::Yes => Ok(Evidence::Typed),
        UserAnswer::No | UserAnswer::NotInteractive => Err(host_key::unconfirmed(connection, key).into()),
    }
}
