//! `tkm audit`

use super::context::{find, not_initialized};
use crate::base::fault::Fault;
use crate::command::{Command, Cx, Effect};
use crate::report::{Report, Table};
use crate::tkm::{audit, check};

/// Check keys and hosts: ages, modes, algorithms, pins, ways in, and the record
///
/// Without a connection; `tkm test` logs in. Exit code 3 if there is anything.
#[derive(Debug, clap::Args)]
pub struct Audit {}

impl Command for Audit {
    const NAME: &'static str = "tkm audit";
    const ALIASES: &'static [&'static str] = &["tkm doctor"];
    const EFFECT: Effect = Effect::Read;
    const EXAMPLES: &'static [&'static str] = &["tkm audit", "tkm audit --json"];

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let Some(store) = find(cx)? else { return Ok(not_initialized()) };
        audit::entries(&store)?;
        let mut table =
            Table::new(&[("about", "ABOUT"), ("what", "WHAT"), ("advice", "ADVICE")]).when_empty("nothing to report");
        for concern in check::concerns(&store, cx.host.now())? {
            table.row(vec![concern.about.into(), concern.what.into(), concern.advice.into()]);
        }
        Ok(Report { check_failed: !table.rows.is_empty(), ..Report::of(table) })
    }
}
