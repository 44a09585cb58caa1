//! `tkm host list`

use super::context::{find, key_id, not_initialized};
use crate::base::fault::Fault;
use crate::command::{Command, Cx, Effect};
use crate::report::{Cell, Report, Table, Tone, Value};
use crate::tkm::pins;
use crate::tkm::state::Purpose;

/// List the hosts
#[derive(Debug, clap::Args)]
pub struct HostList {}

impl Command for HostList {
    const NAME: &'static str = "tkm host list";
    const ALIASES: &'static [&'static str] = &["tkm host ls"];
    const EFFECT: Effect = Effect::Read;
    const EXAMPLES: &'static [&'static str] = &["tkm host list", "tkm host list --json"];

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let Some(store) = find(cx)? else { return Ok(not_initialized()) };
        let (state, known_hosts) = (store.state()?, store.pins()?);
        let mut table = Table::new(&[
            ("host", "HOST"),
            ("env", "ENV"),
            ("address", "ADDRESS"),
            ("pin", "PIN"),
            ("installed", "KEY"),
        ])
        .when_empty("no hosts: add one with `tkm host add NAME ADDRESS`");
        for host in store.hosts()? {
            let pin = pins::pinned(&known_hosts, &host.name).into_iter().next().map(|key| key.fingerprint.to_string());
            let installed = state.is_let_in(&key_id(cx, &host.env, Purpose::Deploy), &host.name);
            let pin = match pin {
                Some(pin) => Cell::from(pin),
                None => Cell::from(Value::Null).text("not pinned").tone(Tone::Warn),
            };
            table.row(vec![
                host.name.as_str().into(),
                host.env.as_str().into(),
                host.address.to_string().into(),
                pin,
                Cell::from(installed).text(if installed { "installed" } else { "-" }),
            ]);
        }
        Ok(Report::of(table))
    }
}
