//! `tkm list`

use super::context::{find, not_initialized};
use crate::base::fault::Fault;
use crate::base::time::Timestamp;
use crate::command::{Command, Cx, Effect};
use crate::report::{Cell, Report, Table, Tone, Value};
use crate::tkm::host::HostName;
use crate::tkm::state::{Key, KeyStatus};

/// List the keys of this machine
#[derive(Debug, clap::Args)]
pub struct List {}

impl Command for List {
    const NAME: &'static str = "tkm list";
    const ALIASES: &'static [&'static str] = &["tkm ls"];
    const EFFECT: Effect = Effect::Read;
    const EXAMPLES: &'static [&'static str] = &["tkm list", "tkm list --json"];

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let Some(store) = find(cx)? else { return Ok(not_initialized()) };
        let mut table = Table::new(&[
            ("org", "ORG"),
            ("env", "ENV"),
            ("purpose", "FOR"),
            ("status", "STATUS"),
            ("fingerprint", "FINGERPRINT"),
            ("created", "CREATED"),
            ("expires", "EXPIRES"),
            ("hosts", "HOSTS"),
        ])
        .when_empty("no keys: make one with `tkm generate ENV`");
        for key in store.state()?.keys {
            table.row(cells(&key, cx.host.now()));
        }
        Ok(Report::of(table))
    }
}

fn cells(key: &Key, now: Timestamp) -> Vec<Cell> {
    let tone = match key.status {
        KeyStatus::Active if key.has_expired(now) => Tone::Bad,
        KeyStatus::Active => Tone::Good,
        KeyStatus::Grace => Tone::Warn,
        KeyStatus::Retired | KeyStatus::Revoked => Tone::Dim,
    };
    vec![
        key.org.as_deref().map_or(Value::Null, Into::into).into(),
        key.env.as_str().into(),
        key.purpose.word().into(),
        Cell::from(key.status.word()).tone(tone),
        key.fingerprint.as_str().into(),
        Timestamp(key.created).into(),
        Value::from(key.expires.map(Timestamp)).into(),
        key.hosts.iter().map(HostName::to_string).collect::<Vec<_>>().into(),
    ]
}
