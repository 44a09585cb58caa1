//! `tsm users`

use super::{EventArgs, NO_EVENTS};
use crate::base::fault::Fault;
use crate::command::{Command, Cx, Effect};
use crate::report::{Cell, Report, Table, Tone, Value};
use crate::tsm::events::sessions;

/// Show who uses a process, and who shares an address or a device
///
/// Those who share one may be the same person, or use one account together.
#[derive(Debug, clap::Args)]
pub struct Users {
    #[command(flatten)]
    subject: EventArgs,
}

impl Command for Users {
    const NAME: &'static str = "tsm users";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLES: &'static [&'static str] = &["tsm users api"];

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let mut table = Table::new(&[
            ("user", "USER"),
            ("sessions", "SESSIONS"),
            ("events", "EVENTS"),
            ("addresses", "ADDRESSES"),
            ("devices", "DEVICES"),
            ("shared_with", "SHARED WITH"),
        ])
        .when_empty(NO_EVENTS);
        for user in sessions::users(&self.subject.events(cx, None)?) {
            let shared = if user.shared_with.is_empty() { Tone::Plain } else { Tone::Warn };
            table.row(vec![
                Cell::from(user.user).tone(Tone::Strong),
                user.sessions.into(),
                user.events.into(),
                Value::from(user.addresses).into(),
                Value::from(user.devices).into(),
                Cell::from(Value::from(user.shared_with)).tone(shared),
            ]);
        }
        Ok(Report::of(table))
    }
}
