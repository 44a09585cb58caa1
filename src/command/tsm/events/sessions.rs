//! `tsm sessions`

use std::collections::BTreeSet;
use std::str::FromStr;
use std::time::Duration;

use super::{EventArgs, NO_EVENTS};
use crate::base::fault::Fault;
use crate::base::time::HumanDuration;
use crate::command::stated_default::StatedDefault;
use crate::command::{Command, Cx, Effect};
use crate::report::{Cell, Fields, Report, Table, Tone, Value};
use crate::tsm::events::sessions::{self, ReportedSession};

/// Show the sessions that a process reports
///
/// A session is active until an event of it says that it ended.
#[derive(Debug, clap::Args)]
pub struct Sessions {
    #[command(flatten)]
    subject: EventArgs,
    /// How far back (1h, 24h, 7d), and `summary` for all sessions in numbers
    #[arg(value_name = "WINDOW|summary|detailed", num_args = 0..=2, if_not_given = "everything")]
    how: Vec<SessionsOption>,
}

/// A word about what is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::command) enum SessionsOption {
    /// So far back.
    Window(HumanDuration),
    /// All sessions in numbers.
    Summary,
    /// Each session.
    Detailed,
}

/// A word that says nothing about sessions.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is neither a span of time nor `summary` or `detailed`; --json prints JSON")]
pub(in crate::command) struct InvalidSessionsOption(String);

impl FromStr for SessionsOption {
    type Err = InvalidSessionsOption;

    fn from_str(given: &str) -> Result<Self, InvalidSessionsOption> {
        match given {
            "summary" => Ok(Self::Summary),
            "detailed" => Ok(Self::Detailed),
            given => given.parse().map(Self::Window).map_err(|_| InvalidSessionsOption(given.to_owned())),
        }
    }
}

impl Command for Sessions {
    const NAME: &'static str = "tsm sessions";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLES: &'static [&'static str] = &["tsm sessions api", "tsm sessions api 24h summary"];

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let window = self.how.iter().find_map(|how| match how {
            SessionsOption::Window(span) => Some(*span),
            SessionsOption::Summary | SessionsOption::Detailed => None,
        });
        let sessions = sessions::sessions(&self.subject.events(cx, window)?);
        let in_numbers = self.how.contains(&SessionsOption::Summary);
        Ok(if in_numbers { Report::of(summary(&sessions)) } else { Report::of(table(sessions)) })
    }
}

fn summary(sessions: &[ReportedSession]) -> Fields {
    let active = sessions.iter().filter(|session| !session.has_ended).count();
    let users: BTreeSet<_> = sessions.iter().filter_map(|session| session.user.as_ref()).collect();
    let total: Duration = sessions.iter().map(ReportedSession::duration).sum();
    let average = u32::try_from(sessions.len()).ok().and_then(|count| total.checked_div(count));
    Fields::default()
        .with("sessions", sessions.len())
        .with("active", active)
        .with("users", users.len())
        .with("events", sessions.iter().map(|session| session.events).sum::<usize>())
        .with("errors", sessions.iter().map(|session| session.errors).sum::<usize>())
        .with("average_duration", Value::from(average))
}

fn table(sessions: Vec<ReportedSession>) -> Table {
    let mut table = Table::new(&[
        ("session", "SESSION"),
        ("user", "USER"),
        ("state", "STATE"),
        ("began", "BEGAN"),
        ("duration", "DURATION"),
        ("events", "EVENTS"),
        ("errors", "ERRORS"),
        ("did", "DID"),
    ])
    .when_empty(NO_EVENTS);
    for session in sessions {
        let lasted = session.duration();
        let (state, tone) = if session.has_ended { ("ended", Tone::Dim) } else { ("active", Tone::Good) };
        table.row(vec![
            Cell::from(session.session).tone(Tone::Strong),
            Value::from(session.user).into(),
            Cell::from(state).tone(tone),
            session.started_at.into(),
            lasted.into(),
            session.events.into(),
            Cell::from(session.errors).tone(if session.errors > 0 { Tone::Bad } else { Tone::Plain }),
            Value::from(session.did).into(),
        ]);
    }
    table
}
