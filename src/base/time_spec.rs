//! A moment in the past as people write it.

use std::str::FromStr;

use jiff::civil;
use jiff::tz::TimeZone;

use super::time::{HumanDuration, Timestamp, millis};

/// A moment: a span back from now (`10m`), the beginning of `today` or `yesterday`, a time of day (`14:05`, `14:05:10`; the last
/// one there was), a date with or without a time (`2026-11-20`, `2026-11-20 14:05`), or RFC 3339 (`2026-11-20T14:05:00Z`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TimeSpec {
    /// So long before now.
    Ago(HumanDuration),
    /// A time of day of the operator's.
    Clock(civil::Time),
    /// The beginning of the day before.
    Yesterday,
    /// A date and time of the operator's.
    Civil(civil::DateTime),
    /// A point in time.
    At(Timestamp),
}

/// An invalid moment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid time `{0}`: expected 10m, 14:05, `2026-11-20 14:05` or 2026-11-20T14:05:00Z")]
pub struct InvalidTimeSpec(pub String);

impl FromStr for TimeSpec {
    type Err = InvalidTimeSpec;

    fn from_str(given: &str) -> Result<Self, InvalidTimeSpec> {
        let given = given.trim();
        match given {
            "today" => return Ok(Self::Clock(civil::Time::midnight())),
            "yesterday" => return Ok(Self::Yesterday),
            _ => {}
        }
        if let Ok(span) = given.parse() {
            return Ok(Self::Ago(span));
        }
        if let Ok(point) = given.parse::<jiff::Timestamp>() {
            let millis = u64::try_from(point.as_millisecond()).map_err(|_| InvalidTimeSpec(given.to_owned()))?;
            return Ok(Self::At(Timestamp(millis)));
        }
        if given.contains('-') {
            return given.parse().map(Self::Civil).map_err(|_| InvalidTimeSpec(given.to_owned()));
        }
        // Two numbers at least: `12` alone may be an hour, or so many minutes.
        let time = Some(given).filter(|given| given.contains(':')).and_then(|given| given.parse().ok());
        time.map(Self::Clock).ok_or_else(|| InvalidTimeSpec(given.to_owned()))
    }
}

impl TimeSpec {
    /// The point in time that is meant now, in this zone.
    #[must_use]
    pub fn resolve(&self, now: Timestamp, zone: &TimeZone) -> Timestamp {
        match self {
            Self::Ago(span) => Timestamp(now.0.saturating_sub(millis(span.0))),
            Self::At(point) => *point,
            Self::Civil(civil) => to_timestamp(*civil, zone).unwrap_or_default(),
            Self::Clock(time) => {
                let of = |date: civil::Date| to_timestamp(date.to_datetime(*time), zone);
                let last = date_of(now, zone).and_then(of).filter(|point| *point <= now);
                last.or_else(|| of(day_before(now, zone)?)).unwrap_or(now)
            }
            Self::Yesterday => {
                let midnight = |date: civil::Date| to_timestamp(date.to_datetime(civil::Time::midnight()), zone);
                day_before(now, zone).and_then(midnight).unwrap_or(now)
            }
        }
    }
}

fn date_of(now: Timestamp, zone: &TimeZone) -> Option<civil::Date> {
    let now = jiff::Timestamp::from_millisecond(i64::try_from(now.0).ok()?).ok()?;
    Some(now.to_zoned(zone.clone()).date())
}

fn day_before(now: Timestamp, zone: &TimeZone) -> Option<civil::Date> {
    date_of(now, zone)?.yesterday().ok()
}

fn to_timestamp(civil: civil::DateTime, zone: &TimeZone) -> Option<Timestamp> {
    let millis = civil.to_zoned(zone.clone()).ok()?.timestamp().as_millisecond();
    u64::try_from(millis).ok().map(Timestamp)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_moments_as_people_write_them() {
        let now = Timestamp(1_795_176_000_000); // 2026-11-20 12:00:00 UTC
        let minutes = |from: i64| Timestamp((1_795_176_000_000 + from * 60_000) as u64);
        for (given, wanted) in [
            ("10m", minutes(-10)),
            ("1h30m", minutes(-90)),
            ("11:55", minutes(-5)),
            ("11:55:30", Timestamp(1_795_176_000_000 - 270_000)),
            ("12:00", now),
            ("12:01", minutes(1 - 24 * 60)),
            ("today", minutes(-12 * 60)),
            ("yesterday", minutes(-36 * 60)),
            ("2026-11-20", minutes(-12 * 60)),
            ("2026-11-20 11:00", minutes(-60)),
            ("2026-11-20T11:00", minutes(-60)),
            ("2026-11-20T12:00:00+01:00", minutes(-60)),
            ("2026-11-20T11:30:00Z", minutes(-30)),
        ] {
            let moment: TimeSpec = given.parse().unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(moment.resolve(now, &TimeZone::UTC), wanted, "{given}");
        }
        for given in ["", "noon", "25:00", "2026-13-01", "tomorrow"] {
            assert!(given.parse::<TimeSpec>().is_err(), "{given}");
        }
    }

    #[test]
    fn local_times_are_of_the_zone() {
        let zone = TimeZone::fixed(jiff::tz::offset(2));
        let now = Timestamp(1_795_176_000_000);
        let moment: TimeSpec = "13:30".parse().expect("a moment");
        assert_eq!(moment.resolve(now, &zone), Timestamp(1_795_176_000_000 - 30 * 60_000));
    }
}
