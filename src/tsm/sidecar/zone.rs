//! Time zones by name, for schedules.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp as Instant;
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
    #[must_use]
    pub fn next(&self, schedule: &Schedule, now: Timestamp) -> Option<Timestamp> {
        let due = schedule.next(self.wall_clock(now))?;
        let due = self.zone.to_timestamp(due).ok()?;
        u64::try_from(due.as_millisecond()).ok().map(Timestamp)
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
    fn what_is_no_zone_is_refused() {
        for given in ["", "Nowhere/Land", "../../etc/passwd", "/etc/localtime", "a b"] {
            assert!(given.parse::<Zone>().is_err(), "{given:?}");
        }
        assert_eq!(Zone::named_or_local("Nowhere/Land").name, Zone::local().name);
    }
}
