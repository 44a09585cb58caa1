//! How hosts are deployed to, in words.

use std::str::FromStr;
use std::time::Duration;

use crate::base::environment::{EnvName, Tier};
use crate::base::time::HumanDuration;
use crate::command::Effect;
use crate::ops::deploy::member::Patience;
use crate::ops::deploy::rollout::{OnFailure, Rollout};
use crate::tkm::host::HostName;

/// The longest that a host is waited for.
const MAX_PATIENCE: Duration = Duration::from_secs(1200);

/// How hosts are deployed to.
#[derive(Debug, clap::Args)]
pub(in crate::command) struct DeployOptions {
    /// Show what would be deployed, and change nothing
    #[arg(long, visible_alias = "dry-run")]
    pub(super) plan: bool,
    /// With --plan: end with 2 if something would be deployed
    #[arg(long, requires = "plan")]
    pub(super) exit_code: bool,
    /// Only these hosts
    #[arg(long, value_name = "HOST", value_delimiter = ',')]
    pub(super) hosts: Vec<HostName>,
    /// How many hosts are switched alone before the others
    #[arg(long, value_name = "N", default_value_t = 1)]
    canary: usize,
    /// How many hosts are switched at the same time after that: a number, or a part of all
    #[arg(long, value_name = "N|P%", default_value = "25%")]
    max_parallel: Share,
    /// What a host that does not become healthy means for the others; default: revert-all for prod, else stop
    #[arg(long, value_name = "WHAT")]
    on_failure: Option<FailureWord>,
    /// How long what runs may take to become healthy
    #[arg(long, value_name = "TIME", default_value = "60s")]
    healthy_deadline: HumanDuration,
    /// How long it has to stay healthy
    #[arg(long, value_name = "TIME", default_value = "10s")]
    min_healthy_time: HumanDuration,
    /// Install the key on hosts that have none yet, with the keys that you use already; asked without it, at a terminal
    #[arg(long)]
    pub(super) bootstrap: bool,
    /// Deploy over a release whose files were changed on a host
    #[arg(long)]
    pub(super) accept_drift: bool,
    /// Deploy to the other hosts where some cannot be reached
    #[arg(long)]
    pub(super) skip_unreachable: bool,
}

/// What a host that does not become healthy means for the others.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum FailureWord {
    /// All get the old release back
    RevertAll,
    /// Those that are healthy keep the new one, and no other is switched
    Stop,
    /// The others go on
    Continue,
}

/// A number of hosts, or a part of all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Share {
    Count(usize),
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

impl Share {
    /// At least one.
    fn of(self, hosts: usize) -> usize {
        match self {
            Self::Count(count) => count,
            Self::Percent(percent) => (hosts * percent / 100).max(1),
        }
    }
}

impl DeployOptions {
    /// What these very options do.
    pub(in crate::command) fn effect(&self) -> Effect {
        if self.plan { Effect::Read } else { Effect::Write }
    }

    /// For so many hosts of an environment.
    pub(super) fn rollout(&self, env: &EnvName, hosts: usize) -> Rollout {
        let on_failure = match self.on_failure {
            Some(FailureWord::RevertAll) => OnFailure::RevertAll,
            Some(FailureWord::Stop) => OnFailure::Stop,
            Some(FailureWord::Continue) => OnFailure::Continue,
            None if env.tier() == Some(Tier::Prod) => OnFailure::RevertAll,
            None => OnFailure::Stop,
        };
        let patience = Patience {
            healthy_deadline: self.healthy_deadline.0.min(MAX_PATIENCE),
            min_healthy_time: self.min_healthy_time.0.min(MAX_PATIENCE),
        };
        Rollout { canary: self.canary, max_parallel: self.max_parallel.of(hosts), on_failure, patience }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_at_least_one_host() {
        for (given, hosts, expected) in [("25%", 3, 1), ("25%", 8, 2), ("100%", 3, 3), ("2", 9, 2)] {
            assert_eq!(given.parse::<Share>().map(|share| share.of(hosts)), Ok(expected), "{given}");
        }
        for given in ["0", "0%", "101%", "x", "", "-1", "1.5%"] {
            assert!(given.parse::<Share>().is_err(), "{given}");
        }
    }
}
