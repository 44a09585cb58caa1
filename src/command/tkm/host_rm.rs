//! `tkm host rm`

use super::context::{environments_of, find, find_store, host_plan, not_initialized, record_host};
use crate::base::environment::EnvRef;
use crate::base::fault::{Fault, FaultKind};
use crate::command::{Command, Cx, Effect};
use crate::report::{Message, Report};
use crate::tkm::host::HostName;
use crate::tkm::lasting::LastingConnections;
use crate::tkm::{client_config, pins, revoke};

/// Remove a host from the list, with its pin
///
/// Nothing is changed on the host: the keys that it accepts stay. One that may still let in a revoked key is not removed.
#[derive(Debug, clap::Args)]
pub struct HostRm {
    /// The host
    host: HostName,
    /// The host does not exist any more: forget also that it may let in revoked keys
    #[arg(long)]
    gone: bool,
}

impl Command for HostRm {
    const NAME: &'static str = "tkm host rm";
    const ALIASES: &'static [&'static str] = &["tkm host remove"];
    const EFFECT: Effect = Effect::Destroy;
    const EXAMPLES: &'static [&'static str] = &["tkm host rm dev", "tkm host rm web1 --gone"];

    fn environments(&self, cx: &mut Cx) -> Result<Vec<EnvRef>, Fault> {
        environments_of(cx, &self.host)
    }

    fn plan(&self, cx: &mut Cx) -> Result<Option<Report>, Fault> {
        let store = find_store(cx)?;
        Ok(Some(host_plan([&store.host(&self.host)?])))
    }

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let Some(store) = find(cx)? else { return Ok(not_initialized()) };
        let _lock = LastingConnections::lock(&store, cx.host.variables())?;
        let host = store.host(&self.host)?;
        let mut state = store.state()?;
        let pending = revoke::pending(&state).filter(|key| key.hosts.contains(&host.name)).count();
        if pending > 0 && !self.gone {
            let message = format!("`{}` may still let in revoked keys: {pending}", host.name);
            return Err(Fault::new(FaultKind::Refused, message).with_advice(
                "`tkm revoke --resume` takes them away; if the host does not exist any more, add `--gone`",
            ));
        }
        let accepts = state.keys.iter().filter(|key| key.hosts.contains(&host.name)).count();
        state.keys.iter_mut().for_each(|key| key.hosts.retain(|name| *name != host.name));
        state.break_glass.remove(&host.name);
        store.write_state(&state)?;
        store.write_pins(&pins::forget(&store.pins()?, &host.name))?;
        store.write_hosts(&store.hosts()?.into_iter().filter(|other| other.name != host.name).collect::<Vec<_>>())?;
        client_config::write(&store, cx.selection.org.as_ref(), cx.host.variables())?;
        record_host(cx, &store, "host-remove", &host.name)?;
        let report =
            Report::of(Message::new(format!("removed the host {}", host.name)).with("host", host.name.as_str()));
        Ok(match accepts {
            0 => report,
            _ => report.note(format!(
                "{} still accepts {accepts} of these keys; its authorized_keys was not changed",
                host.name
            )),
        })
    }
}
