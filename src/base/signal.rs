//! Signals by name and number.

use std::fmt;
use std::str::FromStr;

use super::fault::{FaultKind, UserFacingError};

/// A signal of Linux on the usual machines, 1 to 64.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signal(i32);

/// A text that names no signal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid signal `{}`: expected a name such as TERM or SIGTERM, or a number from 1 to 64", .0.escape_debug())]
pub struct InvalidSignal(pub String);

impl UserFacingError for InvalidSignal {
    fn kind(&self) -> FaultKind {
        FaultKind::Usage
    }

    fn advice(&self) -> Option<String> {
        Some("`kill -l` lists them".to_owned())
    }
}

/// The names without `SIG`, by number.
const NAMES: [&str; 32] = [
    "", "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE", "ALRM",
    "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH",
    "IO", "PWR", "SYS",
];

/// Other names of the same.
const ALIASES: [(&str, i32); 4] = [("CLD", 17), ("POLL", 29), ("IOT", 6), ("UNUSED", 31)];

/// The first and the last real-time signal that the C library leaves to programs.
const REAL_TIME: (i32, i32) = (34, 64);

impl Signal {
    /// The signal with this number; none if there is no such signal.
    #[must_use]
    pub fn from_number(number: i32) -> Option<Self> {
        // The C library keeps 32 and 33 for itself.
        ((1..=31).contains(&number) || (REAL_TIME.0..=REAL_TIME.1).contains(&number)).then_some(Self(number))
    }

    /// Those with a name of their own.
    pub fn standard() -> impl Iterator<Item = Self> {
        (1..=31).map(Self)
    }

    /// Its number.
    #[must_use]
    pub fn number(self) -> i32 {
        self.0
    }

    /// False for STOP and CONT. By any other a process ends, or may end in a handler of its own, as Apache does by WINCH.
    #[must_use]
    pub fn can_terminate(self) -> bool {
        !matches!(self.0, 18 | 19)
    }
}

impl FromStr for Signal {
    type Err = InvalidSignal;

    fn from_str(given: &str) -> Result<Self, InvalidSignal> {
        let invalid = || InvalidSignal(given.to_owned());
        if given.bytes().all(|byte| byte.is_ascii_digit()) {
            return given.parse().ok().and_then(Self::from_number).ok_or_else(invalid);
        }
        let upper = given.to_ascii_uppercase();
        let name = upper.strip_prefix("SIG").unwrap_or(&upper);
        let number = NAMES.iter().position(|known| *known == name && !name.is_empty());
        let number = number.and_then(|number| i32::try_from(number).ok());
        let other = || ALIASES.iter().find(|(known, _)| *known == name).map(|(_, number)| *number);
        number.or_else(other).or_else(|| real_time(name)).and_then(Self::from_number).ok_or_else(invalid)
    }
}

/// `RTMIN`, `RTMIN+3`, `RTMAX-1`.
fn real_time(name: &str) -> Option<i32> {
    let offset = |rest: &str, sign: char| match rest {
        "" => Some(0),
        rest => rest.strip_prefix(sign)?.parse::<u8>().ok().map(i32::from),
    };
    let number = match (name.strip_prefix("RTMIN"), name.strip_prefix("RTMAX")) {
        (Some(rest), _) => REAL_TIME.0 + offset(rest, '+')?,
        (_, Some(rest)) => REAL_TIME.1 - offset(rest, '-')?,
        _ => return None,
    };
    (REAL_TIME.0..=REAL_TIME.1).contains(&number).then_some(number)
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match usize::try_from(self.0).ok().and_then(|at| NAMES.get(at)).filter(|name| !name.is_empty()) {
            Some(name) => write!(f, "SIG{name}"),
            None => write!(f, "SIGRTMIN+{}", self.0 - REAL_TIME.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_signal_but_stop_and_cont_may_end_a_process() {
        let refused: Vec<String> =
            Signal::standard().filter(|it| !it.can_terminate()).map(|it| it.to_string()).collect();
        assert_eq!(refused, ["SIGCONT", "SIGSTOP"]);
    }

    #[test]
    fn names_and_numbers_mean_the_same_and_come_back() {
        for (given, number) in
            [("TERM", 15), ("SIGINT", 2), ("sigusr1", 10), ("9", 9), ("RTMIN+3", 37), ("SIGRTMAX", 64), ("cld", 17)]
        {
            assert_eq!(given.parse::<Signal>().map(Signal::number), Ok(number), "{given}");
        }
        for number in (1..=31).chain(34..=64) {
            let signal = Signal::from_number(number).expect("a signal");
            assert_eq!(signal.to_string().parse(), Ok(signal));
        }
        for given in ["", "SIG", "0", "-1", "32", "65", "TERMINATE", "RTMIN+99", "RTMAX+1", "99999999999"] {
            assert!(given.parse::<Signal>().is_err(), "{given}");
        }
    }
}
