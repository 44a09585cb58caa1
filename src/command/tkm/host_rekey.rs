//! `tkm host rekey`

use super::context::{environments_of, find, find_store, host_plan, not_initialized, record_host};
use crate::base::environment::EnvRef;
use crate::base::fault::Fault;
use crate::command::{Command, Cx, Effect};
use crate::report::{Message, Report};
use crate::tkm::host::HostName;
use crate::tkm::host_key;
use crate::tkm::key::Fingerprint;
use crate::tkm::lasting::LastingConnections;
use crate::tkm::pins;
use crate::tkm::ssh::Connection;

/// Pin the new key of a host whose key was replaced
///
/// The old key is revoked: the host is not accepted with it again.
#[derive(Debug, clap::Args)]
pub struct HostRekey {
    /// The host
    host: HostName,
    /// The fingerprint of the new key, as the host itself shows it
    #[arg(long, value_name = "SHA256:…")]
    fingerprint: Fingerprint,
}

impl Command for HostRekey {
    const NAME: &'static str = "tkm host rekey";
    const EFFECT: Effect = Effect::Write;
    const EXAMPLES: &'static [&'static str] =
        &["tkm host rekey dev --fingerprint SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU"];

    fn environments(&self, cx: &mut Cx) -> Result<Vec<EnvRef>, Fault> {
        environments_of(cx, &self.host)
    }

    fn plan(&self, cx: &mut Cx) -> Result<Option<Report>, Fault> {
        let store = find_store(cx)?;
        Ok(Some(host_plan([&store.host(&self.host)?])))
    }

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let Some(store) = find(cx)? else { return Ok(not_initialized()) };
        let host = store.host(&self.host)?;
        let connection = Connection::unpinned(&store, &host, cx.host.variables())?;
        let key = connection.offered_key()?;
        host_key::evidence(&connection, &key, Some(&self.fingerprint))?;
        let _lock = LastingConnections::lock(&store, cx.host.variables())?;
        let before = store.pins()?;
        let old: Vec<String> = pins::pinned(&before, &host.name)
            .into_iter()
            .filter(|old| old.body() != key.body())
            .map(|old| old.fingerprint.to_string())
            .collect();
        store.write_pins(&pins::replace(&before, &host.name, &key))?;
        record_host(cx, &store, "host-rekey", &host.name)?;
        let message = Message::new(format!("pinned {} for {}", key.fingerprint, host.name))
            .with("host", host.name.as_str())
            .with("fingerprint", key.fingerprint.as_str())
            .with("revoked", old.clone());
        let report = Report::of(message);
        Ok(if old.is_empty() { report } else { report.note(format!("revoked {}", old.join(", "))) })
    }
}
