//! `tsm clicks`

use super::{EventArgs, millis};
use crate::base::fault::Fault;
use crate::command::{Command, Cx, Effect};
use crate::report::{Cell, Report, Table, Tone, Value};
use crate::tsm::events::usage;

/// Show clicks that followed another one of the same session within two seconds
///
/// Clicks that follow so soon mean that the user saw no answer, or was a program.
#[derive(Debug, clap::Args)]
pub struct Clicks {
    #[command(flatten)]
    subject: EventArgs,
}

impl Command for Clicks {
    const NAME: &'static str = "tsm clicks";
    const ALIASES: &'static [&'static str] = &["tsm click-timing"];
    const EFFECT: Effect = Effect::Read;
    const EXAMPLES: &'static [&'static str] = &["tsm clicks api"];

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let mut table = Table::new(&[("session", "SESSION"), ("time", "TIME"), ("gap", "GAP"), ("target", "ON")])
            .when_empty(NO_RAPID);
        for click in usage::rapid_clicks(&self.subject.events(cx, None)?) {
            let session = Some(click.session).filter(|session| !session.is_empty());
            table.row(vec![
                Cell::from(session).tone(Tone::Strong),
                click.at.into(),
                Cell::from(click.gap).text(millis(click.gap)),
                Value::from(click.target).into(),
            ]);
        }
        Ok(Report::of(table))
    }
}

/// Shown where there are none.
const NO_RAPID: &str = "No rapid clicks.";
