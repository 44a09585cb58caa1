//! `tsm triggers`

use crate::base::fault::Fault;
use crate::base::line;
use crate::base::redact;
use crate::command::{Command, Cx, Effect};
use crate::report::{Cell, Report, Table, Tone};
use crate::tsm::events::trigger;

/// List triggers: what runs when a process reports an event
///
/// The rules are in `tsm/config/triggers.conf`, one a line: PATTERN|COMMAND|DESCRIPTION|ENABLED. A pattern is a known kind of
/// events (API_ERROR, SESSION_START, …) or a regular expression for the line. {TOKEN}, {DATA}, {TIMESTAMP}, {PROCESS} and
/// {SESSION} in an argument of the command are replaced by what the event says; no shell is involved. The event is also on its standard
/// input, as JSON. `tsm monitor NAME --triggers` puts the rules to work.
#[derive(Debug, clap::Args)]
pub struct Triggers {}

impl Command for Triggers {
    const NAME: &'static str = "tsm triggers";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLES: &'static [&'static str] = &["tsm triggers"];

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let path = cx.paths.triggers();
        let mut table = Table::new(&[
            ("line", "LINE"),
            ("pattern", "PATTERN"),
            ("command", "COMMAND"),
            ("description", "DESCRIPTION"),
            ("enabled", "ENABLED"),
        ])
        .when_empty(format!("No triggers found in {}", path.display()));
        for trigger in trigger::read(&path)? {
            let tone = if trigger.enabled { Tone::Good } else { Tone::Dim };
            table.row(vec![
                trigger.line.into(),
                trigger.pattern.into(),
                line::join(redact::redact(&trigger.command)).into(),
                redact::text(&trigger.description).into(),
                Cell::from(trigger.enabled).tone(tone),
            ]);
        }
        Ok(Report::of(table))
    }
}
