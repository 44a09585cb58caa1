//! How long systemd lets a unit take to stop.

use std::time::Duration;

use crate::sys::host::Host;
use crate::sys::systemctl::Manager;
use crate::sys::systemctl::Systemctl;

/// What the units of tetra have, where systemd cannot be asked.
const DEFAULT: Duration = Duration::from_secs(30);

/// The time that is left for the end of the daemon itself, at least.
const MARGIN: Duration = Duration::from_secs(3);

/// No stop takes longer, whatever a unit allows.
const LONGEST: Duration = Duration::from_secs(600);

/// How long the stop of all services may take within the limit of the unit.
#[must_use]
pub fn stop_limit(unit_limit: Option<Duration>) -> Duration {
    let limit = unit_limit.unwrap_or(DEFAULT).min(LONGEST);
    // Of a short time half of it.
    limit.saturating_sub(MARGIN.max(limit / 10)).max(limit / 2)
}

/// Asks systemd for `TimeoutStopSec=` of a unit; none where it does not answer.
#[must_use]
pub fn ask_unit(host: &dyn Host, unit: &str, manager: Manager) -> Option<Duration> {
    parse(Systemctl { host, manager }.properties(unit, &["TimeoutStopUSec"]).get("TimeoutStopUSec")?)
}

/// A time as systemd shows it: `1min 30s`, `infinity`.
fn parse(text: &str) -> Option<Duration> {
    if text == "infinity" {
        return Some(LONGEST);
    }
    let mut sum = Duration::ZERO;
    for word in text.split_whitespace() {
        let unit = word.trim_start_matches(|letter: char| letter.is_ascii_digit() || letter == '.');
        let number: f64 = word[..word.len() - unit.len()].parse().ok()?;
        let seconds = match unit {
            "us" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "min" => 60.0,
            "h" => 3600.0,
            "d" => 86_400.0,
            "w" => 604_800.0,
            "month" => 2_629_800.0,
            "y" => 31_557_600.0,
            _ => return None,
        };
        sum += Duration::try_from_secs_f64(number * seconds).ok()?;
    }
    (!sum.is_zero()).then_some(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_systemd_are_understood() {
        for (text, expected) in [
            ("30s", Some(30_000)),
            ("1min 30s", Some(90_000)),
            ("2.500s", Some(2500)),
            ("500ms", Some(500)),
            ("infinity", Some(600_000)),
            ("", None),
            ("soon", None),
            ("5 parsecs", None),
        ] {
            assert_eq!(parse(text), expected.map(Duration::from_millis), "{text}");
        }
    }

    #[test]
    fn the_stop_is_over_before_systemd_loses_its_patience() {
        for (unit, expected) in [(Some(30), 27), (Some(90), 81), (Some(5), 2), (None, 27), (Some(100_000), 540)] {
            assert_eq!(stop_limit(unit.map(Duration::from_secs)).as_secs(), expected, "{unit:?}");
        }
    }
}
