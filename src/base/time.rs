//! Points in time and spans of it, as values.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use super::fault::Fault;

/// A point in time: milliseconds since 1970 in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// The time between an earlier point and this one; zero if it is not earlier.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// The point that is so much later; the last one there is if that is beyond it.
    #[must_use]
    pub fn after(self, span: Duration) -> Self {
        Self(self.0.saturating_add(millis(span)))
    }
}

/// A span in milliseconds, as records have it; as many as fit for a longer one.
#[must_use]
pub fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// A span as people write it: `500ms`, `10s`, `5m`, `2h`, `3d`, `1h30m`. A bare number is refused, since one means seconds by it and
/// another milliseconds; but `0` is `0` in both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HumanDuration(pub Duration);

/// An invalid span.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidDuration {
    /// It is invalid.
    #[error("invalid duration `{0}`: expected 500ms, 10s, 5m, 2h, 3d or 1h30m")]
    Syntax(String),
    /// A bare number.
    #[error("missing unit in duration `{0}`: write {0}s or {0}ms")]
    NoUnit(String),
}

impl HumanDuration {
    /// A pause between two looks, as watch(1) takes it: a number alone is seconds.
    ///
    /// # Errors
    ///
    /// Fails if it is invalid.
    pub fn of_pause(given: &str) -> Result<Self, InvalidDuration> {
        let is_number = !given.is_empty() && given.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        if is_number { format!("{given}s").parse() } else { given.parse() }
    }

    /// The span, if it is within the limits of an option.
    ///
    /// # Errors
    ///
    /// Fails with the limits if it is beyond them.
    pub fn within(self, option: &str, limits: RangeInclusive<Duration>) -> Result<Duration, Fault> {
        if limits.contains(&self.0) {
            return Ok(self.0);
        }
        let brief = |limit: &Duration| {
            let text = Self(*limit).to_string();
            text.split_once(" 0").map_or(text.clone(), |(unit, _)| unit.to_owned())
        };
        let (least, most) = (brief(limits.start()), brief(limits.end()));
        Err(Fault::usage(format!("invalid value `{self}` for `{option}`: expected {least} to {most}")))
    }
}

impl FromStr for HumanDuration {
    type Err = InvalidDuration;

    fn from_str(given: &str) -> Result<Self, InvalidDuration> {
        let is_number = given.trim().bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        match given.trim().parse::<f64>() {
            Ok(0.0) if is_number => Ok(Self(Duration::ZERO)),
            Ok(_) if is_number => Err(InvalidDuration::NoUnit(given.trim().to_owned())),
            _ => parse_duration(given).map(Self).ok_or_else(|| InvalidDuration::Syntax(given.to_owned())),
        }
    }
}

fn parse_duration(given: &str) -> Option<Duration> {
    let mut rest = given.trim();
    if rest.is_empty() {
        return None;
    }
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let number: f64 = rest[..end].parse().ok()?;
        rest = &rest[end..];
        let end = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let seconds = match rest[..end].trim() {
            "ms" => 0.001,
            "s" | "sec" => 1.0,
            "m" | "min" => 60.0,
            "h" => 3600.0,
            "d" => 86400.0,
            "w" => 604_800.0,
            _ => return None,
        };
        rest = &rest[end..];
        total = total.checked_add(Duration::try_from_secs_f64(number * seconds).ok()?)?;
    }
    Some(total)
}

/// Writes a span with at most two units, the second only if there is some of it: `2d 3h`, `5m 12s`, `5m`, `450ms`.
impl fmt::Display for HumanDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        let (days, hours, minutes) = (seconds / 86400, seconds / 3600 % 24, seconds / 60 % 60);
        let two = |(most, unit): (u64, char), (rest, less): (u64, char)| match rest {
            0 => format!("{most}{unit}"),
            rest => format!("{most}{unit} {rest}{less}"),
        };
        let text = match (days, hours, minutes) {
            (0, 0, 0) if seconds == 0 => format!("{}ms", self.0.as_millis()),
            (0, 0, 0) => format!("{seconds}s"),
            (0, 0, _) => two((minutes, 'm'), (seconds % 60, 's')),
            (0, _, _) => two((hours, 'h'), (minutes, 'm')),
            _ => two((days, 'd'), (hours, 'h')),
        };
        f.pad(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_spans_as_people_write_them() {
        for (given, millis) in [("2", 2000), ("0.5", 500), ("20ms", 20)] {
            assert_eq!(HumanDuration::of_pause(given).map(|span| span.0.as_millis()), Ok(millis), "{given}");
        }
        for (given, millis) in
            [("0", 0), ("10s", 10_000), ("500ms", 500), ("1.5s", 1500), ("1h30m", 5_400_000), ("2d", 172_800_000)]
        {
            assert_eq!(given.parse::<HumanDuration>().map(|span| span.0.as_millis()), Ok(millis), "{given}");
        }
        for given in ["3", "1.5", "99", "3000", " 1600 "] {
            assert_eq!(
                given.parse::<HumanDuration>(),
                Err(InvalidDuration::NoUnit(given.trim().to_owned())),
                "{given}"
            );
        }
        for given in ["", "ten", "5x", "1e400", "-1s", "-1", "1h30", "s"] {
            assert!(given.parse::<HumanDuration>().is_err(), "{given}");
        }
    }

    #[test]
    fn writes_at_most_two_units() {
        for (millis, text) in [
            (450, "450ms"),
            (59_000, "59s"),
            (312_000, "5m 12s"),
            (300_000, "5m"),
            (7_200_000, "2h"),
            (183_600_000, "2d 3h"),
            (86_400_000_000, "1000d"),
        ] {
            assert_eq!(HumanDuration(Duration::from_millis(millis)).to_string(), text);
        }
    }
}
