//! Time zones by name, for schedules.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp as Instant;
use jiff::ToSpan;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

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
    /// What is due in an hour that is left out in spring runs as much later. What is due in an hour that comes twice in autumn runs
    /// the first time only, unless the schedule names no hours.
    #[must_use]
    pub fn next(&self, schedule: &Schedule, now: Timestamp) -> Option<Timestamp> {
        let begin = instant(now);
        let mut wall = schedule.next(self.wall_clock(now))?;
        let due = loop {
            let first = self.zone.to_timestamp(wall).ok()?;
            if first > begin {
                break first;
            }
            // The first of two is over: the clock was set back since.
            if schedule.is_every_hour() {
                break self.zone.to_ambiguous_timestamp(wall).later().ok()?;
            }
            wall = schedule.next(wall)?;
        };
        let again = self.again(schedule, begin).filter(|again| *again < due);
        u64::try_from(again.unwrap_or(due).as_millisecond()).ok().map(Timestamp)
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

    #[test]
    fn what_is_not_a_zone_is_refused() {
        for given in ["", "Nowhere/Land", "../../etc/passwd", "/etc/localtime", "a b"] {
            assert!(given.parse::<Zone>().is_err(), "{given:?}");
        }
        assert_eq!(Zone::named_or_local("Nowhere/Land").name, Zone::local().name);
    }
}
