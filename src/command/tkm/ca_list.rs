//! `tkm ca list`

use super::context::{find, not_initialized};
use crate::base::fault::Fault;
use crate::base::time::Timestamp;
use crate::command::{Command, Cx, Effect};
use crate::report::{Cell, Report, Table, Tone, Value};
use crate::tkm::state::Certificate;

/// List the certificates that were made on this machine
///
/// Those that ended more than 30 days ago are left out; `tkm log` has them all.
#[derive(Debug, clap::Args)]
pub struct CaList {}

impl Command for CaList {
    const NAME: &'static str = "tkm ca list";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLES: &'static [&'static str] = &["tkm ca list", "tkm ca list --json"];

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let Some(store) = find(cx)? else { return Ok(not_initialized()) };
        let mut table = Table::new(&[
            ("serial", "SERIAL"),
            ("env", "ENV"),
            ("state", "STATE"),
            ("expires", "EXPIRES"),
            ("identity", "IDENTITY"),
            ("key", "KEY"),
            ("file", "FILE"),
        ])
        .when_empty("no certificates: make one with `tkm ca sign ENV`");
        let state = store.state()?;
        for certificate in &state.certificates {
            let signer = state.keys.iter().find(|key| key.fingerprint == certificate.authority);
            let (word, tone) = state_of(certificate, cx.host.now());
            table.row(vec![
                certificate.serial.into(),
                Value::from(signer.map(|key| key.env.as_str())).into(),
                Cell::from(word).tone(tone),
                Timestamp(certificate.expires).into(),
                certificate.identity.as_str().into(),
                certificate.key.as_str().into(),
                Value::from(certificate.file.as_deref()).into(),
            ]);
        }
        Ok(Report::of(table))
    }
}

fn state_of(certificate: &Certificate, now: Timestamp) -> (&'static str, Tone) {
    match certificate {
        Certificate { is_revoked: true, .. } => ("revoked", Tone::Bad),
        _ if certificate.expires <= now.0 => ("expired", Tone::Dim),
        _ => ("valid", Tone::Good),
    }
}
