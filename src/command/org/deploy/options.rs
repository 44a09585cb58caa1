//! How hosts are deployed to, in words.

use std::fmt::Display;
use std::time::Duration;

use crate::base::environment::Tier;
use crate::base::fault::Fault;
use crate::base::rollout::{OnFailure, RolloutSettings, Share};
use crate::base::time::HumanDuration;
use crate::command::Effect;
use crate::command::stated_default::StatedDefault;
use crate::ops::deploy::member::Patience;
use crate::ops::deploy::rollout::Rollout;
use crate::tkm::host::HostName;

/// The longest that a host is waited for.
const MAX_PATIENCE: Duration = Duration::from_secs(1200);

/// The longest that other deploys are waited for.
const MAX_WAIT: Duration = Duration::from_secs(24 * 3600);

/// What neither an option nor the manifest says.
const DEFAULT_CANARY: usize = 1;
const DEFAULT_SHARE: Share = Share::Percent(25);
const DEFAULT_DEADLINE: HumanDuration = HumanDuration(Duration::from_secs(60));
const DEFAULT_HEALTHY: HumanDuration = HumanDuration(Duration::from_secs(10));

/// How long `--wait` waits.
const DEFAULT_WAIT: &str = "10m";

/// The manifest comes before the default.
fn of_manifest(default: impl Display) -> String {
    format!("that of the manifest, else {default}")
}

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
    #[arg(long, value_name = "N", if_not_given = of_manifest(DEFAULT_CANARY))]
    canary: Option<usize>,
    /// How many hosts are switched at the same time after that, a number or a part of all
    #[arg(long, value_name = "N|P%", if_not_given = of_manifest(DEFAULT_SHARE))]
    max_parallel: Option<Share>,
    /// What a host that does not become healthy means for the others
    #[arg(long, value_name = "WHAT", if_not_given = of_manifest(format_args!("{} for prod, {} elsewhere", OnFailure::RevertAll, OnFailure::Stop)))]
    on_failure: Option<FailureWord>,
    /// How long what runs may take to become healthy
    #[arg(long, value_name = "TIME", if_not_given = of_manifest(DEFAULT_DEADLINE))]
    healthy_deadline: Option<HumanDuration>,
    /// How long it has to stay healthy
    #[arg(long, value_name = "TIME", if_not_given = of_manifest(DEFAULT_HEALTHY))]
    min_healthy_time: Option<HumanDuration>,
    /// Install the key on hosts that have none yet, with the keys that you use already
    #[arg(long, if_not_given = "asked at a terminal")]
    pub(super) bootstrap: bool,
    /// Deploy over what was changed on a host: files of a release, env files, secrets, services
    #[arg(long)]
    pub(super) accept_drift: bool,
    /// Deploy to the other hosts where some cannot be reached
    #[arg(long)]
    pub(super) skip_unreachable: bool,
    /// Where another deploy acts on a host, or it is frozen: wait for so long
    #[arg(long, value_name = "TIME", num_args = 0..=1, require_equals = true, default_missing_value = DEFAULT_WAIT, if_not_given = format_args!("{DEFAULT_WAIT} for --wait alone"))]
    wait: Option<HumanDuration>,
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

impl From<FailureWord> for OnFailure {
    fn from(word: FailureWord) -> Self {
        match word {
            FailureWord::RevertAll => Self::RevertAll,
            FailureWord::Stop => Self::Stop,
            FailureWord::Continue => Self::Continue,
        }
    }
}

/// How hosts are switched, and what says so.
pub(super) struct ChosenRollout {
    pub rollout: Rollout,
    /// `canary 1 (default), max-parallel 50% (manifest.toml), …`
    pub origins: String,
}

/// What is said about each setting, the strongest first: an option, the manifest, the default.
#[derive(Default)]
struct Origins(Vec<String>);

impl Origins {
    fn pick<T: Display>(&mut self, setting: &str, said: [Option<T>; 2], default: T) -> T {
        let [option, manifest] = said;
        let (value, from) = match (option, manifest) {
            (Some(value), _) => (value, "option"),
            (None, Some(value)) => (value, "manifest.toml"),
            (None, None) => (default, "default"),
        };
        self.0.push(format!("{setting} {value} ({from})"));
        value
    }
}

impl DeployOptions {
    /// What these very options do.
    pub(in crate::command) fn effect(&self) -> Effect {
        if self.plan { Effect::Read } else { Effect::Write }
    }

    /// How long other deploys are waited for.
    ///
    /// # Errors
    ///
    /// Fails if that is longer than a day.
    pub(super) fn wait(&self) -> Result<Option<Duration>, Fault> {
        self.wait.map(|it| it.within("--wait", Duration::ZERO..=MAX_WAIT)).transpose()
    }

    /// For so many hosts of such an environment; what no option says, the manifest says.
    ///
    /// # Errors
    ///
    /// Fails if a time is longer than hosts are waited for.
    pub(super) fn rollout(&self, manifest: &RolloutSettings, tier: Tier, hosts: usize) -> Result<ChosenRollout, Fault> {
        let mut origins = Origins::default();
        let canary = origins.pick("canary", [self.canary, manifest.canary], DEFAULT_CANARY);
        let share = origins.pick("max-parallel", [self.max_parallel, manifest.max_parallel], DEFAULT_SHARE);
        let usual = if tier == Tier::Prod { OnFailure::RevertAll } else { OnFailure::Stop };
        let on_failure = origins.pick("on-failure", [self.on_failure.map(OnFailure::from), manifest.on_failure], usual);
        let mut time = |setting: &str, said: [Option<HumanDuration>; 2], usual: HumanDuration| {
            let time = origins.pick(setting, said, usual);
            time.within(&format!("--{setting}"), Duration::ZERO..=MAX_PATIENCE)
        };
        let patience = Patience {
            healthy_deadline: time(
                "healthy-deadline",
                [self.healthy_deadline, manifest.healthy_deadline],
                DEFAULT_DEADLINE,
            )?,
            min_healthy_time: time(
                "min-healthy-time",
                [self.min_healthy_time, manifest.min_healthy_time],
                DEFAULT_HEALTHY,
            )?,
        };
        let rollout = Rollout { canary, max_parallel: share.of(hosts), on_failure, patience };
        Ok(ChosenRollout { rollout, origins: origins.0.join(", ") })
    }
}
