//! How a process is used: counts, answer times, clicks.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::kinds::SLOW_RESPONSE;
use super::{ReportedEvent, ReportedKind};
use crate::base::sort::SortExt;
use crate::base::time::Timestamp;

/// What happened in a span of time.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EventUsage {
    /// How many events.
    pub events: usize,
    /// How many of them went wrong.
    pub errors: usize,
    /// How many visits there were.
    pub sessions: usize,
    /// How many of them have not ended.
    pub active_sessions: usize,
    /// Answers that were timed.
    pub responses: Responses,
    /// How often each category and event, the most frequent first.
    pub counts: Vec<EventCount>,
}

/// Answers that were timed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Responses {
    /// How many.
    pub count: usize,
    /// How many took longer than [`SLOW_RESPONSE`].
    pub slow: usize,
    /// How long on average; zero if there were none.
    pub average: Duration,
    /// How long the slowest.
    pub longest: Duration,
}

/// How often an event happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventCount {
    /// Its category.
    pub category: String,
    /// Its name.
    pub event: String,
    /// How often.
    pub count: usize,
    /// How often it went wrong.
    pub errors: usize,
}

/// Counts.
#[must_use]
pub fn usage(events: &[ReportedEvent]) -> EventUsage {
    let mut counts: BTreeMap<(&str, &str), (usize, usize)> = BTreeMap::new();
    let mut responses = Responses::default();
    let mut total = Duration::ZERO;
    let (mut sessions, mut ended) = (BTreeSet::new(), BTreeSet::new());
    for event in events {
        let count = counts.entry((&event.category, &event.name)).or_default();
        count.0 += 1;
        count.1 += usize::from(event.is_error());
        if let Some(time) = event.response_time() {
            responses.count += 1;
            responses.slow += usize::from(time > SLOW_RESPONSE);
            responses.longest = responses.longest.max(time);
            total = total.saturating_add(time);
        }
        if let Some(session) = event.session() {
            if is_end(event) {
                ended.insert(session.clone());
            }
            sessions.insert(session);
        }
    }
    responses.average =
        u32::try_from(responses.count).ok().and_then(|count| total.checked_div(count)).unwrap_or_default();
    let count = |((category, event), (count, errors)): ((&str, &str), (usize, usize))| EventCount {
        category: category.to_owned(),
        event: event.to_owned(),
        count,
        errors,
    };
    let mut counts: Vec<EventCount> = counts.into_iter().map(count).collect();
    counts.order_by_key(|count| Reverse(count.count));
    EventUsage {
        events: events.len(),
        errors: counts.iter().map(|count| count.errors).sum(),
        sessions: sessions.len(),
        active_sessions: sessions.difference(&ended).count(),
        responses,
        counts,
    }
}

/// True if a visit ends with this event.
pub(super) fn is_end(event: &ReportedEvent) -> bool {
    event.category == "SESSION"
        && ["END", "STOP", "CLOSE", "TIMEOUT", "LOGOUT"].iter().any(|word| event.name.contains(word))
}

/// A click, and how soon it came after the one before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RapidClick {
    /// Which visit; empty if the events name none.
    pub session: String,
    /// On what.
    pub target: Option<String>,
    /// When.
    pub at: Timestamp,
    /// How long after the click before it.
    pub gap: Duration,
}

/// Two clicks of a visit that are closer are rapid.
pub const RAPID_INTERVAL: Duration = Duration::from_secs(2);

/// The clicks that came less than [`RAPID_INTERVAL`] after another one of the same visit, in the order of time.
#[must_use]
pub fn rapid_clicks(events: &[ReportedEvent]) -> Vec<RapidClick> {
    let mut last: BTreeMap<String, Timestamp> = BTreeMap::new();
    let mut rapid = Vec::new();
    for (event, at) in in_time(events).filter(|(event, _)| ReportedKind::ClickTracking.matches(event)) {
        let session = event.session().unwrap_or_default();
        if let Some(before) = last.insert(session.clone(), at) {
            let gap = at.since(before);
            if gap < RAPID_INTERVAL {
                rapid.push(RapidClick { session, target: event.target(), at, gap });
            }
        }
    }
    rapid
}

/// A click, and the answer that followed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnsweredClick {
    /// Which visit; empty if the events name none.
    pub session: String,
    /// On what.
    pub target: Option<String>,
    /// When.
    pub at: Timestamp,
    /// The answer: `CATEGORY:EVENT`; none came in time without one.
    pub answer: Option<String>,
    /// How long after the click it came.
    pub took: Option<Duration>,
    /// It took longer than [`SLOW_RESPONSE`].
    pub is_slow: bool,
}

/// An answer that comes later belongs to something else.
pub const RESPONSE_WINDOW: Duration = Duration::from_secs(5);

/// Every click with the first answer of the interface in the same visit.
#[must_use]
pub fn answered_clicks(events: &[ReportedEvent]) -> Vec<AnsweredClick> {
    let all: Vec<(&ReportedEvent, Timestamp)> = in_time(events).collect();
    let clicks = all.iter().enumerate().filter(|(_, (event, _))| ReportedKind::ClickTracking.matches(event));
    let answered = clicks.map(|(number, (click, at))| {
        let session = click.session();
        let later = all[number + 1..].iter().take_while(|(_, then)| then.since(*at) <= RESPONSE_WINDOW);
        let answer = later.clone().find(|(event, _)| event.category == "API" && event.session() == session);
        let took = answer.map(|(_, then)| then.since(*at));
        AnsweredClick {
            session: session.unwrap_or_default(),
            target: click.target(),
            at: *at,
            answer: answer.map(|(event, _)| event.title()),
            took,
            is_slow: took.is_some_and(|took| took > SLOW_RESPONSE),
        }
    });
    answered.collect()
}

/// The events that have a time, in its order.
pub(super) fn in_time(events: &[ReportedEvent]) -> impl Iterator<Item = (&ReportedEvent, Timestamp)> {
    let mut all: Vec<(&ReportedEvent, Timestamp)> =
        events.iter().filter_map(|event| Some((event, event.at?))).collect();
    all.order_by_key(|(_, at)| *at);
    all.into_iter()
}

#[cfg(test)]
mod tests {
    use super::super::tests::event;
    use super::*;

    fn events(lines: &[(u64, &str, &str)]) -> Vec<ReportedEvent> {
        let of = |(ms, title, data): &(u64, &str, &str)| {
            event(&format!("TETRA:{title} {{\"ts\":{}{data}}}", 1_795_176_000_000 + ms))
        };
        lines.iter().map(of).collect()
    }

    #[test]
    fn counts_errors_sessions_and_answer_times() {
        let usage = usage(&events(&[
            (0, "SESSION:START", ",\"session\":\"a\""),
            (1, "SESSION:START", ",\"session\":\"b\""),
            (2, "API:REQUEST", ",\"session\":\"a\",\"responseTime\":100"),
            (3, "API:REQUEST", ",\"session\":\"a\",\"responseTime\":1900,\"status\":500"),
            (4, "SESSION:END", ",\"session\":\"a\""),
        ]));
        assert_eq!((usage.events, usage.errors, usage.sessions, usage.active_sessions), (5, 1, 2, 1));
        let Responses { count, slow, average, longest } = usage.responses;
        assert_eq!((count, slow, average.as_millis(), longest.as_millis()), (2, 1, 1000, 1900));
        let counts: Vec<_> = usage.counts.iter().map(|it| (it.event.as_str(), it.count, it.errors)).collect();
        assert_eq!(counts, [("REQUEST", 2, 1), ("START", 2, 0), ("END", 1, 0)]);
        assert_eq!(super::usage(&[]), EventUsage::default());
    }

    #[test]
    fn clicks_are_rapid_within_two_seconds_of_the_same_visit() {
        let clicks = rapid_clicks(&events(&[
            (0, "UI:CLICK", ",\"session\":\"a\",\"element\":\"buy\""),
            (500, "UI:CLICK", ",\"session\":\"b\""),
            (1999, "UI:CLICK", ",\"session\":\"a\",\"element\":\"buy\""),
            (3999, "UI:CLICK", ",\"session\":\"a\""),
        ]));
        let seen: Vec<_> = clicks.iter().map(|it| (it.session.as_str(), it.gap.as_millis())).collect();
        assert_eq!(seen, [("a", 1999)]);
    }

    #[test]
    fn a_click_is_answered_by_its_own_visit_within_five_seconds() {
        let clicks = answered_clicks(&events(&[
            (0, "UI:CLICK", ",\"session\":\"a\""),
            (10, "API:REQUEST", ",\"session\":\"b\""),
            (1200, "API:REQUEST", ",\"session\":\"a\""),
            (2000, "UI:CLICK", ",\"session\":\"b\""),
            (7001, "API:REQUEST", ",\"session\":\"b\""),
        ]));
        let seen: Vec<_> = clicks.iter().map(|it| (it.took.map(|took| took.as_millis()), it.is_slow)).collect();
        assert_eq!(seen, [(Some(1200), true), (None, false)]);
    }
}
