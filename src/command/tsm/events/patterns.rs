//! `tsm patterns`

use super::{EventArgs, NO_EVENTS};
use crate::base::fault::Fault;
use crate::command::{Command, Cx, Effect};
use crate::report::{Cell, Report, Table, Tone, Value};
use crate::tsm::events::sessions;

/// Show what those who use a process usually do
///
/// For each: the hour of the day with the most events, what is done most, and on what.
#[derive(Debug, clap::Args)]
pub struct Patterns {
    #[command(flatten)]
    subject: EventArgs,
    /// Only this one
    user: Option<String>,
}

impl Command for Patterns {
    const NAME: &'static str = "tsm patterns";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLES: &'static [&'static str] = &["tsm patterns api", "tsm patterns api ann"];

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let mut table = Table::new(&[
            ("user", "USER"),
            ("sessions", "SESSIONS"),
            ("events", "EVENTS"),
            ("hour", "HOUR"),
            ("does", "DOES"),
            ("on", "ON"),
        ])
        .when_empty(NO_EVENTS);
        let habits = sessions::usage_patterns(&self.subject.events(cx, None)?, &cx.console.zone());
        for habit in habits.into_iter().filter(|it| self.user.as_ref().is_none_or(|user| *user == it.user)) {
            let hour = habit.hour.map_or("-".to_owned(), |hour| format!("{hour:02}:00"));
            table.row(vec![
                Cell::from(habit.user).tone(Tone::Strong),
                habit.sessions.into(),
                habit.events.into(),
                Cell::from(habit.hour).text(hour),
                Value::from(habit.does).into(),
                Value::from(habit.on).into(),
            ]);
        }
        Ok(Report::of(table))
    }
}
