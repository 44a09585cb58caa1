//! `tsm analytics`

use super::{EventArgs, NO_EVENTS};
use crate::base::fault::Fault;
use crate::base::time::HumanDuration;
use crate::command::stated_default::StatedDefault;
use crate::command::{Command, Cx, Effect};
use crate::report::{Cell, Fields, Report, Tone, Value};
use crate::tsm::events::usage::{self, EventCount, EventUsage};

/// Count what a process reports: events, errors, answer times, active sessions
///
/// Answers that take longer than a second are slow. A session is active until an event of it says that it ended.
#[derive(Debug, clap::Args)]
pub struct Analytics {
    #[command(flatten)]
    subject: EventArgs,
    /// How far back: 1h, 24h, 7d
    #[arg(value_name = "WINDOW", conflicts_with = "since", if_not_given = DAY)]
    window: Option<HumanDuration>,
}

/// How far back without a word about it.
const DAY: HumanDuration = HumanDuration(std::time::Duration::from_secs(24 * 60 * 60));

impl Command for Analytics {
    const NAME: &'static str = "tsm analytics";
    const ALIASES: &'static [&'static str] = &["tsm dashboard"];
    const EFFECT: Effect = Effect::Read;
    const EXAMPLES: &'static [&'static str] = &["tsm analytics api", "tsm dashboard api 1h"];

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let usage = usage::usage(&self.subject.events(cx, self.window.or(Some(DAY)))?);
        let report = Report::of(fields(&usage));
        Ok(if usage.events == 0 { report.note(NO_EVENTS) } else { report })
    }
}

fn fields(usage: &EventUsage) -> Fields {
    let responses = usage.responses;
    let timed = responses.count > 0;
    let millis = |time: std::time::Duration| {
        let value = if timed { Value::Float(time.as_secs_f64()) } else { Value::Null };
        Cell::from(value).text(if timed { format!("{} ms", time.as_millis()) } else { "-".to_owned() })
    };
    let errors = Cell::from(usage.errors).tone(if usage.errors > 0 { Tone::Bad } else { Tone::Plain });
    let count = |count: &EventCount| {
        Value::Record(vec![
            ("category".to_owned(), count.category.as_str().into()),
            ("event".to_owned(), count.event.as_str().into()),
            ("count".to_owned(), count.count.into()),
            ("errors".to_owned(), count.errors.into()),
        ])
    };
    let mut fields = Fields::default()
        .with("events", usage.events)
        .with("errors", errors)
        .with("sessions", usage.sessions)
        .with("active_sessions", usage.active_sessions)
        .with("responses", responses.count)
        .with("average_response", millis(responses.average))
        .with("longest_response", millis(responses.longest))
        .with("slow_responses", responses.slow);
    for it in &usage.counts {
        let errors = if it.errors > 0 { format!(" (errors: {})", it.errors) } else { String::new() };
        let cell = Cell::from(it.count).text(format!("{}{errors}", it.count));
        fields = fields.text_only(format!("{}:{}", it.category, it.event), cell);
    }
    fields.json_only("counts", Value::List(usage.counts.iter().map(count).collect()))
}
