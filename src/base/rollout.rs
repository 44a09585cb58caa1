//! How the hosts of an environment are switched, as far as something says so: an option, or a manifest.

use std::fmt;
use std::str::FromStr;

use super::time::HumanDuration;

/// What is said about a rollout; what is not said has a default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RolloutSettings {
    /// How many hosts are switched alone before the others.
    pub canary: Option<usize>,
    /// How many are switched at the same time afterwards.
    pub max_parallel: Option<Share>,
    /// What a host that does not become healthy means for the others.
    pub on_failure: Option<OnFailure>,
    /// How long what runs may take to become healthy.
    pub healthy_deadline: Option<HumanDuration>,
    /// How long it has to stay healthy.
    pub min_healthy_time: Option<HumanDuration>,
}

/// What a host that does not become healthy means for the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnFailure {
    /// All hosts get the old release back.
    RevertAll,
    /// Hosts that are healthy keep the new release; no other host is switched.
    Stop,
    /// Only that host gets the old release back.
    Continue,
}

impl OnFailure {
    const WORDS: [(&'static str, Self); 3] =
        [("revert-all", Self::RevertAll), ("stop", Self::Stop), ("continue", Self::Continue)];
}

impl FromStr for OnFailure {
    type Err = String;

    fn from_str(given: &str) -> Result<Self, String> {
        let known = Self::WORDS.iter().find(|(word, _)| *word == given);
        known.map(|(_, it)| *it).ok_or_else(|| "expected revert-all, stop or continue".to_owned())
    }
}

impl fmt::Display for OnFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = Self::WORDS.iter().find(|(_, it)| it == self).map_or("", |(word, _)| word);
        f.pad(word)
    }
}

/// A number of hosts, or a part of all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Share {
    /// So many.
    Count(usize),
    /// So many of a hundred.
    Percent(usize),
}

impl FromStr for Share {
    type Err = String;

    fn from_str(given: &str) -> Result<Self, String> {
        let (digits, is_percent) = given.strip_suffix('%').map_or((given, false), |digits| (digits, true));
        match digits.parse() {
            Ok(percent @ 1..=100) if is_percent => Ok(Self::Percent(percent)),
            Ok(count @ 1..) if !is_percent => Ok(Self::Count(count)),
            _ => Err("expected a number of hosts, or 1% to 100%".to_owned()),
        }
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => write!(f, "{count}"),
            Self::Percent(percent) => write!(f, "{percent}%"),
        }
    }
}

impl Share {
    /// Of so many hosts; at least one.
    #[must_use]
    pub fn of(self, hosts: usize) -> usize {
        match self {
            Self::Count(count) => count,
            Self::Percent(percent) => (hosts * percent / 100).max(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_at_least_one_host() {
        for (given, hosts, expected) in [("25%", 3, 1), ("25%", 8, 2), ("100%", 3, 3), ("2", 9, 2)] {
            let share: Share = given.parse().expect("one");
            assert_eq!((share.of(hosts), share.to_string()), (expected, given.to_owned()));
        }
        for given in ["0", "0%", "101%", "x", "", "-1", "1.5%"] {
            assert!(given.parse::<Share>().is_err(), "{given}");
        }
    }

    #[test]
    fn a_word_is_what_it_was_read_from() {
        for (word, _) in OnFailure::WORDS {
            assert_eq!(word.parse::<OnFailure>().expect("one").to_string(), word);
        }
        assert!("revert".parse::<OnFailure>().is_err());
    }
}
