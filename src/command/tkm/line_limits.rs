//! Options for what the lines of keys say on a host.

use crate::tkm::host::{FromPatterns, HostRules};

/// Kept in hosts.toml, so that later lines say the same.
#[derive(Debug, clap::Args)]
pub(super) struct LineLimits {
    /// Addresses that may use the key, as `from=` of authorized_keys; kept for later keys of the host
    #[arg(long, value_name = "PATTERNS")]
    from: Option<FromPatterns>,
    /// Days after which the host no longer accepts a key, counted from when it was made; kept for later keys of the host
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u16).range(1..=3650))]
    expires: Option<u16>,
}

impl LineLimits {
    /// Changes what was given, and nothing else.
    pub(super) fn apply(&self, rules: &mut HostRules) {
        if let Some(from) = &self.from {
            rules.from = Some(from.clone());
        }
        if let Some(days) = self.expires {
            rules.expires_days = Some(days);
        }
    }
}
