//! `tsm ranges`

use super::processes;
use crate::base::fault::Fault;
use crate::command::{Command, Cx, Effect};
use crate::report::{Cell, Report, Table, Tone};
use crate::tsm::ports::ranges::RANGES;
use crate::tsm::ports::status;

/// Show the ranges from which ports are given out
#[derive(Debug, clap::Args)]
pub struct Ranges {}

impl Command for Ranges {
    const NAME: &'static str = "tsm ranges";
    const ALIASES: &'static [&'static str] = &["tsm ports ranges"];
    const EFFECT: Effect = Effect::Read;
    const EXAMPLES: &'static [&'static str] = &["tsm ranges"];

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let accounts = status::declared(cx.paths, &processes(cx)?)?;
        let mut table = Table::new(&[("name", "NAME"), ("from", "FROM"), ("to", "TO"), ("declared", "DECLARED")]);
        for range in RANGES {
            let declared = accounts.iter().filter(|account| range.contains(account.claim.port)).count();
            let name = Cell::from(range.name).tone(Tone::Strong);
            table.row(vec![name, range.from.into(), range.to.into(), declared.into()]);
        }
        Ok(Report::of(table))
    }
}
