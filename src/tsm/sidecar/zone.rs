//! Time zones by name, for schedules.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp as Instant;
use jiff::ToSpan;
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};

use crate::base::time::Timestamp;
use crate::disk;

use super::cron::Schedule;

/// A time zone that this machine knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone {
    name: String,
    zone: TimeZone,
}

/// A text that names no time zone of this machine.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown time zone `{}`: expected a name such as UTC or Europe/Berlin", .0.escape_debug())]
pub struct InvalidZone(pub String);

/// Where the machine keeps its own.
const LOCAL: &str = "/etc/localtime";

impl FromStr for Zone {
    type Err = InvalidZone;

    fn from_str(given: &str) -> Result<Self, InvalidZone> {
        let name = given.trim();
        let zone = match name {
            // Known without any file.
            "UTC" => Ok(TimeZone::UTC),
            name => TimeZone::get(name),
        };
        zone.map(|zone| Self { name: name.to_owned(), zone }).map_err(|_| InvalidZone(given.to_owned()))
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl Zone {
    /// The zone of this name; that of the machine without a name, or where the name is not known any more.
    #[must_use]
    pub fn named_or_local(name: &str) -> Self {
        name.parse().unwrap_or_else(|_| Self::local())
    }

    /// The zone of this machine.
    #[must_use]
    pub fn local() -> Self {
        let zone = disk::read(LOCAL).ok().and_then(|bytes| TimeZone::tzif("local", &bytes).ok());
        let target = std::fs::read_link(LOCAL).unwrap_or_default();
        let target = target.to_string_lossy();
        let name = target.split_once("zoneinfo/").map_or("local time", |(_, name)| name);
        match zone {
            Some(zone) => Self { name: name.to_owned(), zone },
            None => Self { name: "UTC".to_owned(), zone: TimeZone::UTC },
        }
    }

    /// What a clock on the wall shows there.
    #[must_use]
    pub fn wall_clock(&self, now: Timestamp) -> DateTime {
        self.zone.to_datetime(instant(now))
    }

    /// When `schedule` is due next after `now`.
    ///
    /// What is due at a time that a clock leaves out runs as much later as it leaves out. What is due at a time that comes twice runs
    /// the first time only. A schedule that names no hours goes on as the time does: it has nothing to make up for, and runs both times.
    #[must_use]
    pub fn next(&self, schedule: &Schedule, now: Timestamp) -> Option<Timestamp> {
        let begin = instant(now);
        let due = [self.shown(schedule, begin), self.left_out(schedule, begin), self.again(schedule, begin)];
        u64::try_from(due.into_iter().flatten().min()?.as_millisecond()).ok().map(Timestamp)
    }

    /// The first time that is due and that a clock shows.
    fn shown(&self, schedule: &Schedule, now: Instant) -> Option<Instant> {
        let mut wall = schedule.next(self.zone.to_datetime(now))?;
        loop {
            let time = self.zone.to_ambiguous_timestamp(wall);
            if !matches!(time.offset(), AmbiguousOffset::Gap { .. }) {
                let first = time.earlier().ok()?;
                if first > now {
                    return Some(first);
                }
                // The first of two is over: the clock was set back since.
                if schedule.is_every_hour() {
                    return time.later().ok();
                }
            }
            wall = schedule.next(wall)?;
        }
    }

    /// The first time that is due and that no clock shows, because it is set forward.
    fn left_out(&self, schedule: &Schedule, now: Instant) -> Option<Instant> {
        // What was left out longer ago is over.
        let last = self
            .zone
            .preceding(now + 1.second())
            .next()
            .filter(|last| now.duration_since(last.timestamp()).as_hours() < 24);
        [last, self.zone.following(now).next()].into_iter().flatten().find_map(|change| {
            let change = change.timestamp();
            let (before, after) = (self.zone.to_datetime(change - 1.second()), self.zone.to_datetime(change));
            let mut wall = schedule.next(before).filter(|_| !schedule.is_every_hour())?;
            while wall < after {
                let due = self.zone.to_ambiguous_timestamp(wall).later().ok()?;
                if due > now {
                    return Some(due);
                }
                wall = schedule.next(wall)?;
            }
            None
        })
    }

    /// The first time that is due after the clock is next set back, if the schedule names no hours.
    fn again(&self, schedule: &Schedule, now: Instant) -> Option<Instant> {
        if !schedule.is_every_hour() {
            return None;
        }
        let change = self.zone.following(now).next()?.timestamp();
        let (before, after) = (self.zone.to_datetime(change - 1.second()), self.zone.to_datetime(change));
        if after > before {
            return None;
        }
        self.zone.to_ambiguous_timestamp(schedule.next(after - 1.second())?).later().ok()
    }
}

fn instant(time: Timestamp) -> Instant {
    i64::try_from(time.0).ok().and_then(|millis| Instant::from_millisecond(millis).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-20T12:00:00Z
    const NOON: Timestamp = Timestamp(1_795_176_000_000);

    #[test]
    fn an_hour_is_that_of_the_zone() {
        let east = Zone { name: "east".to_owned(), zone: TimeZone::posix("<+03>-3").expect("a zone") };
        let schedule: Schedule = "0 16 * * *".parse().expect("a schedule");
        assert_eq!(east.wall_clock(NOON).hour(), 15);
        assert_eq!(east.next(&schedule, NOON), Some(Timestamp(NOON.0 + 3_600_000)));
        let utc: Zone = "UTC".parse().expect("always known");
        assert_eq!(utc.next(&schedule, NOON), Some(Timestamp(NOON.0 + 4 * 3_600_000)));
    }

    #[test]
    fn an_hour_that_is_left_out_or_comes_twice_is_met_once() {
        // Set forward at 02:00 on 2026-03-29 and back at 03:00 on 2026-10-25.
        let zone = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").expect("a zone");
        let zone = Zone { name: "Europe/Berlin".to_owned(), zone };
        let at = |text: &str| {
            let time: Instant = text.parse().expect("a time");
            Timestamp(u64::try_from(time.as_millisecond()).expect("after 1970"))
        };
        for (schedule, now, next) in [
            // 02:30 does not exist, and runs at 03:30.
            ("30 2 * * *", "2026-03-29T00:59:00Z", "2026-03-29T01:30:00Z"),
            ("30 2 * * *", "2026-03-29T01:30:00Z", "2026-03-30T00:30:00Z"),
            ("*/15 * * * *", "2026-03-29T00:50:00Z", "2026-03-29T01:00:00Z"),
            // 02:30 comes twice, and runs the first time.
            ("30 2 * * *", "2026-10-25T00:10:00Z", "2026-10-25T00:30:00Z"),
            ("30 2 * * *", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"),
            ("30 2 * * *", "2026-10-25T01:10:00Z", "2026-10-26T01:30:00Z"),
            // What names no hours goes on all the time.
            ("*/15 * * * *", "2026-10-25T00:45:00Z", "2026-10-25T01:00:00Z"),
            ("*/15 * * * *", "2026-10-25T01:00:00Z", "2026-10-25T01:15:00Z"),
            ("*/15 * * * *", "2026-10-25T01:45:00Z", "2026-10-25T02:00:00Z"),
            ("30 * * * *", "2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"),
            ("*/20 * * * * *", "2026-10-25T00:59:50Z", "2026-10-25T01:00:00Z"),
        ] {
            let schedule: Schedule = schedule.parse().expect("a schedule");
            assert_eq!(zone.next(&schedule, at(now)), Some(at(next)), "{schedule} after {now}");
        }
    }

    /// Every time that is due from one moment to another.
    fn due(zone: &str, schedule: &str, from: &str, to: &str) -> Vec<String> {
        let zone = Zone { name: String::new(), zone: TimeZone::posix(zone).expect("a zone") };
        let schedule: Schedule = schedule.parse().expect("a schedule");
        let at = |text: &str| text.parse::<Instant>().expect("a time").as_millisecond();
        let at = |text: &str| Timestamp(u64::try_from(at(text)).expect("after 1970"));
        let next = |now: &Timestamp| zone.next(&schedule, *now).filter(|next| *next <= at(to));
        let times = std::iter::successors(next(&at(from)), next);
        times.map(|time| instant(time).to_string()).collect()
    }

    const NEW_YORK: &str = "EST5EDT,M3.2.0,M11.1.0";
    /// Half an hour only: from 02:00 to 02:30, and from 02:00 back to 01:30.
    const LORD_HOWE: &str = "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0";

    #[test]
    fn a_time_that_is_left_out_is_made_up_for_once_whenever_it_is_asked_for() {
        // 02:00 to 03:00 on 2026-03-08.
        for (schedule, from, times) in [
            ("30 2 * * *", "2026-03-08T06:00:00Z", &["2026-03-08T07:30:00Z"][..]),
            // Asked for when the hour was left out already.
            ("30 2 * * *", "2026-03-08T07:00:00Z", &["2026-03-08T07:30:00Z"]),
            ("30 2 * * *", "2026-03-08T07:30:00Z", &[]),
            ("0 3 * * *", "2026-03-08T06:00:00Z", &["2026-03-08T07:00:00Z"]),
            ("*/30 2,3 * * *", "2026-03-08T06:00:00Z", &["2026-03-08T07:00:00Z", "2026-03-08T07:30:00Z"]),
            ("0 * * * *", "2026-03-08T06:00:00Z", &["2026-03-08T07:00:00Z", "2026-03-08T08:00:00Z"]),
        ] {
            assert_eq!(due(NEW_YORK, schedule, from, "2026-03-08T08:00:00Z"), times, "{schedule} after {from}");
        }
        // 02:00 to 02:30 on 2026-10-04, which is 15:30 of the day before in UTC.
        for (schedule, times) in [
            ("10,35 2 * * *", &["2026-10-03T15:35:00Z", "2026-10-03T15:40:00Z"][..]),
            ("45 2 * * *", &["2026-10-03T15:45:00Z"]),
            ("10,35 * * * *", &["2026-10-03T15:05:00Z", "2026-10-03T15:35:00Z"]),
        ] {
            let found = due(LORD_HOWE, schedule, "2026-10-03T14:59:00Z", "2026-10-03T16:00:00Z");
            assert_eq!(found, times, "{schedule}");
        }
    }

    #[test]
    fn a_time_that_comes_twice_is_met_once_unless_no_hour_is_named() {
        // 01:00 to 02:00 on 2026-11-01 comes twice.
        for (schedule, times) in [
            ("30 1 * * *", &["2026-11-01T05:30:00Z"][..]),
            ("0 1,2 * * *", &["2026-11-01T05:00:00Z", "2026-11-01T07:00:00Z"]),
            ("30 * * * *", &["2026-11-01T05:30:00Z", "2026-11-01T06:30:00Z"]),
        ] {
            let found = due(NEW_YORK, schedule, "2026-11-01T04:59:00Z", "2026-11-01T07:00:00Z");
            assert_eq!(found, times, "{schedule}");
        }
        // 01:30 to 02:00 on 2026-04-05 comes twice.
        for (schedule, times) in [
            ("45 1 * * *", &["2026-04-04T14:45:00Z"][..]),
            ("*/20 * * * *", &["2026-04-04T14:40:00Z", "2026-04-04T15:10:00Z", "2026-04-04T15:30:00Z"]),
        ] {
            let found = due(LORD_HOWE, schedule, "2026-04-04T14:30:00Z", "2026-04-04T15:30:00Z");
            assert_eq!(found, times, "{schedule}");
        }
    }

    #[test]
    fn what_is_not_a_zone_is_refused() {
        for given in ["", "Nowhere/Land", "../../etc/passwd", "/etc/localtime", "a b"] {
            assert!(given.parse::<Zone>().is_err(), "{given:?}");
        }
        assert_eq!(Zone::named_or_local("Nowhere/Land").name, Zone::local().name);
    }
}
