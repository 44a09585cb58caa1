//! Who uses a process: visits, people, their habits and their ways.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::tz::TimeZone;

use super::ReportedEvent;
use super::usage::{in_time, is_end};
use crate::base::sort::SortExt;
use crate::base::time::Timestamp;

/// A visit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportedSession {
    /// Its name.
    pub session: String,
    /// Who it was, if anybody said so.
    pub user: Option<String>,
    /// Its first event.
    pub started_at: Timestamp,
    /// Its last event so far.
    pub last: Timestamp,
    /// It ended.
    pub has_ended: bool,
    /// How many events.
    pub events: usize,
    /// How many of them went wrong.
    pub errors: usize,
    /// What was done, in order, without repetition.
    pub did: Vec<String>,
}

impl ReportedSession {
    /// From its first to its last event.
    #[must_use]
    pub fn duration(&self) -> Duration {
        self.last.since(self.started_at)
    }
}

/// The visits, in the order of their beginnings.
#[must_use]
pub fn sessions(events: &[ReportedEvent]) -> Vec<ReportedSession> {
    let mut all: Vec<ReportedSession> = Vec::new();
    let mut known: BTreeMap<String, usize> = BTreeMap::new();
    for (event, at) in in_time(events) {
        let Some(session) = event.session() else { continue };
        let place = *known.entry(session.clone()).or_insert_with(|| {
            all.push(ReportedSession {
                session,
                user: None,
                started_at: at,
                last: at,
                has_ended: false,
                events: 0,
                errors: 0,
                did: Vec::new(),
            });
            all.len() - 1
        });
        let visit = &mut all[place];
        visit.last = at;
        visit.user = visit.user.take().or_else(|| event.user());
        visit.events += 1;
        visit.errors += usize::from(event.is_error());
        visit.has_ended = is_end(event);
        let title = event.title();
        if !visit.did.contains(&title) {
            visit.did.push(title);
        }
    }
    all
}

/// A visitor.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct User {
    /// Their name.
    pub user: String,
    /// How many visits.
    pub sessions: usize,
    /// How many events.
    pub events: usize,
    /// Their addresses.
    pub addresses: Vec<String>,
    /// Their devices.
    pub devices: Vec<String>,
    /// Others with one of these addresses or devices: perhaps the same person, perhaps a shared account.
    pub shared_with: Vec<String>,
}

/// Those who are named, by name.
#[must_use]
pub fn users(events: &[ReportedEvent]) -> Vec<User> {
    type Seen = (BTreeSet<String>, BTreeSet<String>, BTreeSet<String>, usize);
    let owner = owners(events);
    let mut all: BTreeMap<String, Seen> = BTreeMap::new();
    for event in events {
        let Some(user) = user_of(event, &owner) else { continue };
        let (sessions, addresses, devices, count) = all.entry(user).or_default();
        sessions.extend(event.session());
        addresses.extend(event.address());
        devices.extend(event.device());
        *count += 1;
    }
    let shares = |one: &Seen, other: &Seen| !one.1.is_disjoint(&other.1) || !one.2.is_disjoint(&other.2);
    let user = |(name, seen): (&String, &Seen)| User {
        user: name.clone(),
        sessions: seen.0.len(),
        events: seen.3,
        addresses: seen.1.iter().cloned().collect(),
        devices: seen.2.iter().cloned().collect(),
        shared_with: all
            .iter()
            .filter(|(other, its)| *other != name && shares(seen, its))
            .map(|it| it.0.clone())
            .collect(),
    };
    all.iter().map(user).collect()
}

/// What a visitor usually does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsagePattern {
    /// Who.
    pub user: String,
    /// How many events.
    pub events: usize,
    /// How many visits.
    pub sessions: usize,
    /// The hour of the day with the most events.
    pub hour: Option<u8>,
    /// What is done most, at most three.
    pub does: Vec<String>,
    /// On what, at most three.
    pub on: Vec<String>,
}

/// The habits of those who are named, by name; the hours are those of `zone`.
#[must_use]
pub fn usage_patterns(events: &[ReportedEvent], zone: &TimeZone) -> Vec<UsagePattern> {
    let owner = owners(events);
    let mut own: BTreeMap<String, Vec<&ReportedEvent>> = BTreeMap::new();
    for event in events {
        if let Some(user) = user_of(event, &owner) {
            own.entry(user).or_default().push(event);
        }
    }
    let hour = |event: &&ReportedEvent| {
        let point = jiff::Timestamp::from_millisecond(i64::try_from(event.at?.0).ok()?).ok()?;
        u8::try_from(point.to_zoned(zone.clone()).hour()).ok()
    };
    let habits = |(user, events): (String, Vec<&ReportedEvent>)| UsagePattern {
        user,
        events: events.len(),
        sessions: events.iter().filter_map(|event| event.session()).collect::<BTreeSet<_>>().len(),
        hour: most_common(events.iter().filter_map(hour)).into_iter().next(),
        does: most_common(events.iter().map(|event| event.title())),
        on: most_common(events.iter().filter_map(|event| event.target())),
    };
    own.into_iter().map(habits).collect()
}

/// The three most frequent, the most frequent first.
fn most_common<T: Ord>(of: impl Iterator<Item = T>) -> Vec<T> {
    let mut counts: BTreeMap<T, usize> = BTreeMap::new();
    of.for_each(|it| *counts.entry(it).or_default() += 1);
    let mut counts: Vec<(T, usize)> = counts.into_iter().collect();
    counts.order_by_key(|(_, count)| Reverse(*count));
    counts.into_iter().take(3).map(|(it, _)| it).collect()
}

/// Who a visit belongs to: whom the first of its events names that names anybody.
fn owners(events: &[ReportedEvent]) -> BTreeMap<String, String> {
    let mut owners = BTreeMap::new();
    for (session, user) in events.iter().filter_map(|event| Some((event.session()?, event.user()?))) {
        owners.entry(session).or_insert(user);
    }
    owners
}

fn user_of(event: &ReportedEvent, owners: &BTreeMap<String, String>) -> Option<String> {
    event.user().or_else(|| owners.get(&event.session()?).cloned())
}

/// A step on the way of a visit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JourneyStep {
    /// Which visit.
    pub session: String,
    /// Counted from 1.
    pub number: usize,
    /// When.
    pub at: Timestamp,
    /// How long after the step before; none for the first.
    pub after: Option<Duration>,
    /// `CATEGORY:EVENT`.
    pub event: String,
    /// On what.
    pub target: Option<String>,
    /// It went wrong.
    pub is_error: bool,
}

/// The ways of all visits, or of one, visit by visit.
#[must_use]
pub fn journeys(events: &[ReportedEvent], session: Option<&str>) -> Vec<JourneyStep> {
    let mut ways: BTreeMap<String, Vec<(&ReportedEvent, Timestamp)>> = BTreeMap::new();
    for (event, at) in in_time(events) {
        let of = event.session().filter(|own| session.is_none_or(|session| session == own));
        of.into_iter().for_each(|own| ways.entry(own).or_default().push((event, at)));
    }
    let mut ways: Vec<_> = ways.into_iter().collect();
    ways.order_by_key(|(_, way)| way[0].1);
    let mut steps: Vec<JourneyStep> = Vec::new();
    for (session, way) in ways {
        let mut before = None;
        for (number, (event, at)) in way.into_iter().enumerate() {
            steps.push(JourneyStep {
                session: session.clone(),
                number: number + 1,
                at,
                after: before.map(|before| at.since(before)),
                event: event.title(),
                target: event.target(),
                is_error: event.is_error(),
            });
            before = Some(at);
        }
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::super::tests::event;
    use super::*;

    fn some() -> Vec<ReportedEvent> {
        let line = |minute: u32, title: &str, data: &str| {
            event(&format!("TETRA:{title} {{\"time\":\"2026-11-20T12:{minute:02}:00Z\",{data}}}"))
        };
        vec![
            line(0, "SESSION:START", r#""session":"a","user":"ann","ip":"10.0.0.1""#),
            line(1, "SESSION:START", r#""session":"b","user":"bob","ip":"10.0.0.1","device":"phone""#),
            line(3, "API:ERROR", r#""session":"a","path":"/x""#),
            line(2, "API:HIT", r#""session":"a","path":"/x""#),
            line(4, "SESSION:END", r#""session":"a""#),
            line(5, "API:HIT", r#""user":"cy","device":"desk""#),
        ]
    }

    #[test]
    fn visits_have_a_beginning_an_end_and_an_owner() {
        let visits = sessions(&some());
        let seen: Vec<_> = visits
            .iter()
            .map(|it| {
                (it.session.as_str(), it.user.as_deref(), it.duration().as_secs(), it.has_ended, it.events, it.errors)
            })
            .collect();
        assert_eq!(seen, [("a", Some("ann"), 240, true, 4, 1), ("b", Some("bob"), 0, false, 1, 0)]);
    }

    #[test]
    fn those_with_one_address_are_seen() {
        let users = users(&some());
        let seen: Vec<_> = users.iter().map(|it| (it.user.as_str(), it.events, it.shared_with.concat())).collect();
        assert_eq!(seen, [("ann", 4, "bob".to_owned()), ("bob", 1, "ann".to_owned()), ("cy", 1, String::new())]);
    }

    #[test]
    fn habits_are_what_happens_most() {
        let habits = usage_patterns(&some(), &TimeZone::fixed(jiff::tz::offset(1)));
        assert_eq!((habits[0].hour, habits[0].on.concat(), habits[0].sessions), (Some(13), "/x".to_owned(), 1));
        assert_eq!(habits.len(), 3);
    }

    #[test]
    fn a_journey_is_in_the_order_of_time() {
        let steps = journeys(&some(), Some("a"));
        let seen: Vec<_> = steps.iter().map(|it| (it.number, it.event.as_str(), it.is_error)).collect();
        assert_eq!(
            seen,
            [(1, "SESSION:START", false), (2, "API:HIT", false), (3, "API:ERROR", true), (4, "SESSION:END", false)]
        );
        assert_eq!((steps[0].after, steps[1].after), (None, Some(Duration::from_secs(120))));
        assert_eq!(journeys(&some(), None).len(), 5);
        assert!(journeys(&some(), Some("z")).is_empty());
    }
}
