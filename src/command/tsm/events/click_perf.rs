//! `tsm click-perf`

use super::{EventArgs, NO_EVENTS, millis};
use crate::base::fault::Fault;
use crate::command::{Command, Cx, Effect};
use crate::report::{Cell, Report, Table, Tone, Value};
use crate::tsm::events::usage;

/// Show how soon each click was answered
///
/// The answer is the first API event of the same session within five seconds; one that takes longer than a second is slow.
#[derive(Debug, clap::Args)]
pub struct ClickPerf {
    #[command(flatten)]
    subject: EventArgs,
}

impl Command for ClickPerf {
    const NAME: &'static str = "tsm click-perf";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLES: &'static [&'static str] = &["tsm click-perf api"];

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let mut table = Table::new(&[
            ("session", "SESSION"),
            ("time", "TIME"),
            ("target", "ON"),
            ("answer", "ANSWER"),
            ("took", "TOOK"),
            ("slow", "SLOW"),
        ])
        .when_empty(NO_EVENTS);
        for click in usage::answered_clicks(&self.subject.events(cx, None)?) {
            let session = Some(click.session).filter(|session| !session.is_empty());
            let tone = if click.is_slow { Tone::Bad } else { Tone::Plain };
            table.row(vec![
                Cell::from(session).tone(Tone::Strong),
                click.at.into(),
                Value::from(click.target).into(),
                Value::from(click.answer).into(),
                Cell::from(Value::from(click.took)).text(click.took.map_or("-".to_owned(), millis)).tone(tone),
                Cell::from(click.is_slow).tone(tone),
            ]);
        }
        Ok(Report::of(table))
    }
}
