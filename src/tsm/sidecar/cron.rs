//! When something is due: five fields as cron has them, minute to weekday, or six with the second before them.

use std::fmt;
use std::str::FromStr;

use jiff::ToSpan;
use jiff::civil::{Date, DateTime, time};

/// A schedule: minute, hour, day of the month, month, weekday; a sixth field before them is the second.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    text: String,
    seconds: u64,
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    weekdays: u64,
    /// Both days and weekdays are named: then either is enough, as cron has it.
    day_or_weekday: bool,
}

/// A text that is not a schedule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSchedule {
    /// It is not written as one.
    #[error(
        "invalid schedule `{0}`: expected five fields such as `0 4 * * *` or `*/15 9-17 * * mon-fri`, or six with the second first"
    )]
    Syntax(String),
    /// It is never due, such as on the 31st of February.
    #[error("invalid schedule `{0}`: no date is ever due")]
    Never(String),
}

const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// Words for whole schedules.
const NICKNAMES: [(&str, &str); 7] = [
    ("@hourly", "0 * * * *"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@weekly", "0 0 * * 0"),
    ("@monthly", "0 0 1 * *"),
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
];

impl FromStr for Schedule {
    type Err = InvalidSchedule;

    fn from_str(given: &str) -> Result<Self, InvalidSchedule> {
        let schedule = parse(given.trim()).ok_or_else(|| InvalidSchedule::Syntax(given.to_owned()))?;
        let comes = schedule.next(Date::constant(2024, 1, 1).at(0, 0, 0, 0)).is_some();
        if comes { Ok(schedule) } else { Err(InvalidSchedule::Never(given.to_owned())) }
    }
}

fn parse(given: &str) -> Option<Schedule> {
    let text = NICKNAMES.iter().find(|(word, _)| *word == given).map_or(given, |(_, text)| text);
    let fields: Vec<&str> = text.split_ascii_whitespace().collect();
    let (second, fields) = match fields[..] {
        [second, ref fields @ ..] if fields.len() == 5 => (second, fields),
        ref fields => ("0", fields),
    };
    let [minute, hour, day, month, weekday] = *fields else { return None };
    let weekdays = field(weekday, 0, 7, &WEEKDAYS, 0)?;
    Some(Schedule {
        text: given.to_owned(),
        seconds: field(second, 0, 59, &[], 0)?,
        minutes: field(minute, 0, 59, &[], 0)?,
        hours: field(hour, 0, 23, &[], 0)?,
        days: field(day, 1, 31, &[], 0)?,
        months: field(month, 1, 12, &MONTHS, 1)?,
        // Sunday is 0 and 7.
        weekdays: (weekdays | weekdays >> 7) & 0x7f,
        day_or_weekday: !day.starts_with('*') && !weekday.starts_with('*'),
    })
}

/// The numbers of a field as bits. `names` stand for the numbers from `first` on.
fn field(text: &str, low: u32, high: u32, names: &[&str], first: u32) -> Option<u64> {
    let number = |word: &str| -> Option<u32> {
        let named = names.iter().position(|name| name.eq_ignore_ascii_case(word));
        let number = match named {
            Some(at) => u32::try_from(at).ok()? + first,
            None => word.bytes().all(|byte| byte.is_ascii_digit()).then(|| word.parse().ok())??,
        };
        (low..=high).contains(&number).then_some(number)
    };
    let mut bits = 0;
    for part in text.split(',') {
        let (range, step) = part.split_once('/').map_or((part, None), |(range, step)| (range, Some(step)));
        let step = step.map_or(Some(1), |step| step.parse().ok().filter(|step| (1..=high).contains(step)))?;
        let (from, to) = match range.split_once('-') {
            _ if range == "*" => (low, high),
            Some((from, to)) => (number(from)?, number(to)?),
            // `5/15` goes on to the end.
            None if part.contains('/') => (number(range)?, high),
            None => (number(range)?, number(range)?),
        };
        if from > to {
            return None;
        }
        (from..=to).step_by(step as usize).for_each(|number| bits |= 1u64 << number);
    }
    Some(bits)
}

/// The 29th of February may be eight years away.
const MAX_DAYS: usize = 366 * 9;

impl Schedule {
    /// The first second after `after` that is due, if there is one within nine years.
    #[must_use]
    pub fn next(&self, after: DateTime) -> Option<DateTime> {
        let begin = after.with().subsec_nanosecond(0).build().ok()?.checked_add(1.second()).ok()?;
        let mut day = begin.date();
        let mut from = begin.time();
        for _ in 0..MAX_DAYS {
            if self.is_day(day) {
                let first = i32::from(from.hour()) * 60 + i32::from(from.minute());
                for at in (first..24 * 60).filter(|at| has(self.hours, at / 60) && has(self.minutes, at % 60)) {
                    let from = if at == first { i32::from(from.second()) } else { 0 };
                    if let Some(second) = (from..60).find(|second| has(self.seconds, *second)) {
                        let number = |number: i32| i8::try_from(number).ok();
                        return Some(day.at(number(at / 60)?, number(at % 60)?, number(second)?, 0));
                    }
                }
            }
            day = day.tomorrow().ok()?;
            from = time(0, 0, 0, 0);
        }
        None
    }

    /// True if it does not name hours: then it goes on through an hour that a clock shows twice.
    pub(super) fn is_every_hour(&self) -> bool {
        self.hours == (1 << 24) - 1
    }

    fn is_day(&self, day: Date) -> bool {
        let weekday = day.weekday().to_sunday_zero_offset();
        let (by_day, by_weekday) = (has(self.days, day.day().into()), has(self.weekdays, weekday.into()));
        let fits = if self.day_or_weekday { by_day || by_weekday } else { by_day && by_weekday };
        fits && has(self.months, day.month().into())
    }
}

fn has(bits: u64, number: i32) -> bool {
    bits >> number & 1 == 1
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(schedule: &str, after: &str) -> String {
        let schedule: Schedule = schedule.parse().expect(schedule);
        schedule.next(after.parse().expect("a time")).expect("it comes").to_string()
    }

    #[test]
    fn the_next_time_is_the_first_that_fits() {
        // 2026-11-20 is a Friday.
        for (schedule, expected) in [
            ("* * * * *", "2026-11-20T12:01:00"),
            ("0 4 * * *", "2026-11-21T04:00:00"),
            ("0 12 * * *", "2026-11-21T12:00:00"),
            ("*/15 * * * *", "2026-11-20T12:15:00"),
            ("5/20 * * * *", "2026-11-20T12:05:00"),
            ("30 9-17 * * mon-fri", "2026-11-20T12:30:00"),
            ("0 9 * * Mon", "2026-11-23T09:00:00"),
            ("0 0 * * 7", "2026-11-22T00:00:00"),
            ("0 0 1 jan *", "2027-01-01T00:00:00"),
            ("0 0 29 2 *", "2028-02-29T00:00:00"),
            ("0 0 13 * fri", "2026-11-27T00:00:00"),
            ("1,2,3 0 * * *", "2026-11-21T00:01:00"),
            ("@monthly", "2026-12-01T00:00:00"),
            ("@annually", "2027-01-01T00:00:00"),
            ("* * * * * *", "2026-11-20T12:00:31"),
            ("*/20 * * * * *", "2026-11-20T12:00:40"),
            ("15,30 * * * * *", "2026-11-20T12:01:15"),
            ("59 59 23 * * *", "2026-11-20T23:59:59"),
            ("30 0 4 * * *", "2026-11-21T04:00:30"),
        ] {
            assert_eq!(next(schedule, "2026-11-20T12:00:30"), expected, "{schedule}");
        }
    }

    #[test]
    fn what_is_not_a_schedule_or_never_comes_is_refused() {
        for given in [
            "",
            "* * * *",
            "60 * * * * *",
            "* * * * * * *",
            "60 * * * *",
            "* 24 * * *",
            "* * 0 * *",
            "* * * 13 *",
            "* * * * 8",
            "5-1 * * * *",
            "*/0 * * * *",
            "a * * * *",
            "@never",
            "-1 * * * *",
            "*/99999999999 * * * *",
        ] {
            assert!(matches!(given.parse::<Schedule>(), Err(InvalidSchedule::Syntax(_))), "{given:?}");
        }
        for given in ["0 0 31 2 *", "0 0 30 feb *", "0 0 31 4,6,9,11 *"] {
            assert!(matches!(given.parse::<Schedule>(), Err(InvalidSchedule::Never(_))), "{given:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_is_too_odd(text in "[0-9*/,@ a-z-]{0,24}") {
            if let Ok(schedule) = text.parse::<Schedule>() {
                proptest::prop_assert_eq!(schedule.to_string().parse(), Ok(schedule));
            }
        }
    }
}
