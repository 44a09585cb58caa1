//! `tsm doctor orphans`

use crate::base::fault::Fault;
use crate::command::tsm::ports::list::truncate_command;
use crate::command::{Command, Cx, Effect};
use crate::report::{Cell, Report, Table, Tone, Value};
use crate::tsm::doctor::orphans::{self, OrphanKind};
use crate::tsm::store::ProcessStore;

/// List processes that run and are not managed
///
/// `lost` were started by tsm, and no record knows them any more; `stranger` are interpreters (node, python, …) that tsm never
/// started. `tsm kill --pid` ends one.
#[derive(Debug, clap::Args)]
pub struct Orphans {}

impl Command for Orphans {
    const NAME: &'static str = "tsm doctor orphans";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLES: &'static [&'static str] = &["tsm doctor orphans", "tsm doctor orphans --json"];

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let all = ProcessStore::open(cx.paths).all()?;
        let mut table = Table::new(&[
            ("pid", "PID"),
            ("kind", "KIND"),
            ("type", "TYPE"),
            ("ports", "PORTS"),
            ("parent", "PARENT"),
            ("command", "COMMAND"),
        ])
        .when_empty("No orphans.");
        for orphan in orphans::find(cx.paths, &all) {
            let tone = if orphan.kind == OrphanKind::Unrecorded { Tone::Bad } else { Tone::Plain };
            let words: Vec<String> = orphan.ports.iter().map(ToString::to_string).collect();
            let text = if words.is_empty() { "-".to_owned() } else { words.join(", ") };
            table.row(vec![
                orphan.pid.into(),
                Cell::from(orphan.kind.as_str()).tone(tone),
                orphan.program.into(),
                Cell::from(Value::List(orphan.ports.into_iter().map(Value::from).collect())).text(text),
                orphan.parent.into(),
                truncate_command(orphan.command.as_str().into()),
            ]);
        }
        Ok(Report::of(table))
    }
}
