//! `tsm journey`

use super::{EventArgs, NO_EVENTS};
use crate::base::fault::Fault;
use crate::command::{Command, Cx, Effect};
use crate::report::{Cell, Report, Table, Tone, Value};
use crate::tsm::events::sessions;

/// Show the way that each session took, step by step
#[derive(Debug, clap::Args)]
pub struct Journey {
    #[command(flatten)]
    subject: EventArgs,
    /// Only this one
    session: Option<String>,
}

impl Command for Journey {
    const NAME: &'static str = "tsm journey";
    const ALIASES: &'static [&'static str] = &["tsm user-journey"];
    const EFFECT: Effect = Effect::Read;
    const EXAMPLES: &'static [&'static str] = &["tsm journey api", "tsm journey api s-1"];

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let mut table = Table::new(&[
            ("session", "SESSION"),
            ("step", "STEP"),
            ("time", "TIME"),
            ("after", "AFTER"),
            ("event", "EVENT"),
            ("target", "ON"),
            ("error", "ERROR"),
        ])
        .when_empty(NO_EVENTS);
        for step in sessions::journeys(&self.subject.events(cx, None)?, self.session.as_deref()) {
            let tone = if step.is_error { Tone::Bad } else { Tone::Plain };
            table.row(vec![
                Cell::from(step.session).tone(Tone::Strong),
                step.number.into(),
                step.at.into(),
                Value::from(step.after).into(),
                Cell::from(step.event).tone(tone),
                Value::from(step.target).into(),
                Cell::from(step.is_error).tone(tone),
            ]);
        }
        Ok(Report::of(table))
    }
}
