//! `tkm ca revoke`

use std::path::PathBuf;

use super::context::{actor, find, find_store, host_plan, not_initialized, on_each};
use crate::base::environment::{EnvName, EnvRef};
use crate::base::fault::{Fault, FaultKind};
use crate::command::stated_default::StatedDefault;
use crate::command::{Command, Cx, Effect};
use crate::report::{Cell, Report, Table, Tone, Value};
use crate::tkm::audit::{self, AuditEvent};
use crate::tkm::error::TkmError;
use crate::tkm::host::Host;
use crate::tkm::krl::{self, KrlEntries, KrlHosts};
use crate::tkm::lasting::LastingConnections;
use crate::tkm::login::Login;
use crate::tkm::ssh::Connection;
use crate::tkm::state::{Key, StoreState};
use crate::tkm::{access, client_config, own_keys, remote};

/// Revoke a certificate before it ends
///
/// It goes on the list of revoked keys in the store, and on that of each host whose sshd reads `tetra_revoked_keys`. Other hosts let
/// it in until it ends; there `tkm revoke --key` with the fingerprint of the key that signed it is what ends it at once. Again, it
/// goes to the hosts that were not reached.
#[derive(Debug, clap::Args)]
pub struct CaRevoke {
    /// Its number, as `tkm ca list` shows it
    serial: u64,
    /// A private key that root of the hosts accepts, to log in with
    #[arg(long, value_name = "FILE", if_not_given = "the keys that you use already")]
    identity: Option<PathBuf>,
}

impl Command for CaRevoke {
    const NAME: &'static str = "tkm ca revoke";
    const EFFECT: Effect = Effect::Destroy;
    const EXAMPLES: &'static [&'static str] =
        &["tkm ca revoke 1795176000000", "tkm ca revoke 1795176000000 --identity ~/.ssh/id_ed25519"];

    fn environments(&self, cx: &mut Cx) -> Result<Vec<EnvRef>, Fault> {
        let Some(store) = find(cx)? else { return Ok(Vec::new()) };
        let env: EnvName = self.authority(&store.state()?)?.env.parse()?;
        Ok(vec![cx.selection.qualify(env)])
    }

    fn plan(&self, cx: &mut Cx) -> Result<Option<Report>, Fault> {
        let store = find_store(cx)?;
        let state = store.state()?;
        let hosts = store.hosts()?;
        let key = self.authority(&state)?;
        Ok(Some(host_plan(hosts.iter().filter(|host| key.hosts.contains(&host.name)))))
    }

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let Some(store) = find(cx)? else { return Ok(not_initialized()) };
        let variables = cx.host.variables();
        let by = match &self.identity {
            Some(path) => access::login_with(&cx.host.cwd().join(path), variables)?,
            None => Login::Operator,
        };
        let _lock = LastingConnections::lock(&store, cx.host.variables())?;
        let mut state = store.state()?;
        let key = self.authority(&state)?.clone();
        let public = key.public_key().ok_or_else(|| TkmError::NoAuthority { env: key.env.clone() })?;
        let entries = KrlEntries::Certificate { authority: public, serial: self.serial };
        krl::add(&store, &entries, variables)?;
        for known in state.certificates.iter_mut().filter(|known| known.serial == self.serial) {
            known.is_revoked = true;
        }
        store.write_state(&state)?;
        client_config::write(&store, cx.selection.org.as_ref(), cx.host.variables())?;
        audit::record(&store, actor(cx), AuditEvent { event: "ca-revoke", host: None, key: Some(&key.fingerprint) })?;
        let mut hosts = store.hosts()?;
        hosts.retain(|host| key.hosts.contains(&host.name));
        let results = on_each(cx, &hosts, |host, say| {
            say("bringing the list of revoked keys");
            let connection = Connection::open(&store, host, variables).map(Connection::shared);
            let result = connection.and_then(|connection| push(&connection, &by, &entries));
            say(result.as_ref().map_or("failed", |list| list.word()));
            result
        });
        let mut report = table(&hosts, results);
        // What a host does not let in is the login that was chosen here, not the key of the environment.
        for fault in report.faults.iter_mut().filter(|fault| fault.kind == FaultKind::Auth) {
            fault.advice = Some(advice(self.serial));
        }
        Ok(report)
    }
}

impl CaRevoke {
    /// The key that signed it.
    fn authority<'a>(&self, state: &'a StoreState) -> Result<&'a Key, TkmError> {
        let certificate = state.certificates.iter().find(|known| known.serial == self.serial);
        let signed_by = |key: &&Key| certificate.is_some_and(|known| known.authority == key.fingerprint);
        state.keys.iter().find(signed_by).ok_or(TkmError::NoSuchCertificate(self.serial))
    }
}

/// The host puts its list back if no login was possible after the change.
fn push(connection: &Connection, by: &Login, entries: &KrlEntries) -> Result<KrlHosts, TkmError> {
    let by = own_keys::settle(connection, by)?;
    let list = krl::push(connection, &by, entries)?;
    if list == KrlHosts::Updated {
        access::verify(connection, &by)?;
        remote::disarm(connection, &by)?;
    }
    Ok(list)
}

fn advice(serial: u64) -> String {
    format!(
        "the certificate is on the list here, and let in there until it ends: `tkm ca revoke {serial} --identity FILE` brings it \
         with a key that root of the host accepts"
    )
}

fn table(hosts: &[Host], results: Vec<Result<KrlHosts, TkmError>>) -> Report {
    let mut report = Report::default();
    let columns = [("host", "HOST"), ("env", "ENV"), ("krl", "KRL"), ("why", "WHY")];
    let mut table = Table::new(&columns).when_empty("no host lets in what its key signs");
    for (host, result) in hosts.iter().zip(results) {
        let (list, why) = match result {
            Ok(KrlHosts::Updated) => (Cell::from(KrlHosts::Updated.word()).tone(Tone::Good), Value::Null),
            Ok(list) => (Cell::from(list.word()).tone(Tone::Warn), "let in until it ends".into()),
            Err(error) => {
                let why = Value::from(error.to_string());
                report.faults.push(error.into());
                (Cell::from("failed").tone(Tone::Bad), why)
            }
        };
        table.row(vec![host.name.as_str().into(), host.env.as_str().into(), list, why.into()]);
    }
    report.and(table)
}
