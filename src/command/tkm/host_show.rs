//! `tkm host show`

use super::context::{find, not_initialized};
use crate::base::fault::Fault;
use crate::command::{Command, Cx, Effect};
use crate::report::{Fields, Report, Value};
use crate::tkm::host::HostName;
use crate::tkm::pins;

/// Show a host: its address, pins, and the keys that it accepts
#[derive(Debug, clap::Args)]
pub struct HostShow {
    /// The host
    host: HostName,
}

impl Command for HostShow {
    const NAME: &'static str = "tkm host show";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLES: &'static [&'static str] = &["tkm host show dev"];

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let Some(store) = find(cx)? else { return Ok(not_initialized()) };
        let host = store.host(&self.host)?;
        let state = store.state()?;
        let pinned = pins::pinned(&store.pins()?, &host.name);
        let pinned: Vec<String> = pinned.into_iter().map(|key| key.fingerprint.to_string()).collect();
        let keys = state.keys.iter().filter(|key| key.hosts.contains(&host.name));
        let keys: Vec<String> = keys.map(|key| key.fingerprint.clone()).collect();
        let break_glass = state.break_glass.get(&host.name).map(String::as_str);
        Ok(Report::each([Fields::default()
            .with("host", host.name.as_str())
            .with("env", host.env.as_str())
            .with("address", host.address.to_string())
            .with("pins", Value::from(pinned))
            .with("keys", Value::from(keys))
            .with("break_glass", Value::from(break_glass))]))
    }
}
