//! Where ports are given out: a range of its own for each rung, so that a number tells where it belongs.

use crate::base::environment::{EnvName, Tier};

/// Ports that are given out for one purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// What it is for.
    pub name: &'static str,
    /// The first port.
    pub from: u16,
    /// The last port.
    pub to: u16,
}

/// The ranges, lowest first.
pub const RANGES: [Range; 4] = [
    Range { name: "dev", from: 5000, to: 5999 },
    Range { name: "staging", from: 6000, to: 6999 },
    Range { name: "proxy", from: 7000, to: 7999 },
    Range { name: "prod", from: 8000, to: 8999 },
];

/// Ports that are never given out: well-known servers expect them.
pub const RESERVED: [u16; 6] = [22, 80, 443, 3306, 5432, 5000];

impl Range {
    /// The range of this name; `local` has that of dev.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let name = if name == "local" { "dev" } else { name };
        RANGES.into_iter().find(|range| range.name == name)
    }

    /// The range of an environment; one that is not of the usual ladder has that of dev.
    #[must_use]
    pub fn of(env: Option<&EnvName>) -> Self {
        let [dev, staging, _, prod] = RANGES;
        match env.and_then(EnvName::tier) {
            Some(Tier::Staging) => staging,
            Some(Tier::Prod) => prod,
            Some(Tier::Local | Tier::Dev) | None => dev,
        }
    }

    /// The ports that may be given out.
    pub fn ports(self) -> impl Iterator<Item = u16> {
        (self.from..=self.to).filter(|port| !RESERVED.contains(port))
    }

    /// True if the port lies in it.
    #[must_use]
    pub fn contains(self, port: u16) -> bool {
        (self.from..=self.to).contains(&port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_do_not_overlap_and_reserved_ports_are_skipped() {
        assert!(RANGES.windows(2).all(|pair| pair[0].to < pair[1].from));
        assert_eq!(RANGES[0].ports().next(), Some(5001));
        assert!(!RANGES[0].ports().any(|port| port == 5432));
        assert_eq!(Range::of(Some(&"staging".parse().expect("a name"))).from, 6000);
        assert_eq!(Range::of(None), Range::named("local").expect("dev's"));
    }
}
