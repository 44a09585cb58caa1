//! `tkm log`

use super::context::{find, not_initialized};
use crate::base::fault::Fault;
use crate::base::time::Timestamp;
use crate::command::{Command, Cx, Effect};
use crate::report::{Report, Table, Value};
use crate::tkm::audit;

/// Show what was done with keys and hosts, and check that the record is whole
#[derive(Debug, clap::Args)]
pub struct Log {
    /// Number of entries to show, the latest
    #[arg(short = 'n', long, value_name = "COUNT", default_value_t = 50)]
    count: usize,
}

impl Command for Log {
    const NAME: &'static str = "tkm log";
    const ALIASES: &'static [&'static str] = &["tkm logs"];
    const EFFECT: Effect = Effect::Read;
    const EXAMPLES: &'static [&'static str] = &["tkm log", "tkm log -n 5 --json"];

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let Some(store) = find(cx)? else { return Ok(not_initialized()) };
        let entries = audit::entries(&store)?;
        let mut table = Table::new(&[
            ("seq", "NO"),
            ("at", "AT"),
            ("by", "BY"),
            ("event", "EVENT"),
            ("host", "HOST"),
            ("key", "KEY"),
        ])
        .when_empty("no entries");
        for entry in entries.iter().skip(entries.len().saturating_sub(self.count)) {
            table.row(vec![
                entry.seq.into(),
                Timestamp(entry.at).into(),
                entry.by.as_str().into(),
                entry.event.as_str().into(),
                Value::from(entry.host.as_deref()).into(),
                Value::from(entry.key.as_deref()).into(),
            ]);
        }
        Ok(Report::of(table))
    }
}
