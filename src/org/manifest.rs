//! What holds for a whole organization.

use std::path::Path;

use super::error::OrgError;
use super::variables::Names;
use super::{manifest_keys, read, rollout};
use crate::base::diagnostic::Diagnostic;
use crate::base::environment::EnvName;
use crate::base::rollout::RolloutSettings;
use crate::config::Value;
use crate::config::document::Document;

/// The fields of `manifest.toml` that are honoured here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// What the organization is.
    pub description: String,
    /// How many versions of each environment are kept; at least 2.
    pub retention: usize,
    /// Whether production is asked about before it is generated.
    pub approval: Approval,
    /// How the services of an environment are restarted when it is applied.
    pub rollout: Rollout,
    /// How the hosts of an environment are switched when it is deployed.
    pub hosts: RolloutSettings,
    /// An environment and the one that must be generated from the same local.toml before it.
    pub gates: Vec<(EnvName, EnvName)>,
    /// An environment and the profile that makes it, where that is not the one of its own name.
    pub profiles: Vec<(EnvName, String)>,
    /// Variables without a dot.
    pub variables: Names,
    /// A warning for each key that means nothing.
    pub unknown: Vec<Diagnostic>,
}

/// Whether a promotion must be confirmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Approval {
    /// A question, or `--yes`.
    #[default]
    Required,
    /// No question.
    NotRequired,
}

/// How services are restarted that changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Rollout {
    /// One after the other, instances too, each when the one before is ready.
    #[default]
    Rolling,
    /// All at the same time.
    Recreate,
}

/// How many versions are kept if the manifest does not say.
const RETENTION: usize = 50;

/// What each strategy does.
const STRATEGIES: &str =
    "rolling: one service after the other, each when the one before is ready; recreate: all at once";

impl Default for Manifest {
    fn default() -> Self {
        Self {
            description: String::new(),
            retention: RETENTION,
            approval: Approval::Required,
            rollout: Rollout::Rolling,
            hosts: RolloutSettings::default(),
            gates: Vec::new(),
            profiles: Vec::new(),
            variables: Names::new(),
            unknown: Vec::new(),
        }
    }
}

impl Manifest {
    /// Reads it; the defaults if there is none.
    ///
    /// # Errors
    ///
    /// Fails with everything that is wrong in it.
    pub fn read(path: &Path, tree: &Path) -> Result<Self, OrgError> {
        let Some(document) = read::document(path, tree)? else { return Ok(Self::default()) };
        Self::of(&document).map_err(|found| OrgError::invalid(path, found))
    }

    fn of(document: &Document) -> Result<Self, Vec<Diagnostic>> {
        let mut manifest = Self { unknown: manifest_keys::unknown(document), ..Self::default() };
        let mut found = Vec::new();
        for leaf in &document.leaves {
            let mut wrong = |what: String, help: &str| {
                found.push(document.shown().error(what, leaf.span.clone(), "").help(help));
            };
            let keys: Vec<&str> = leaf.path.keys().iter().map(String::as_str).collect();
            match keys[..] {
                ["organization", "description"] => {
                    leaf.value.as_str().unwrap_or_default().clone_into(&mut manifest.description)
                }
                ["deployment", "history_retention"] => {
                    match leaf.value.as_integer().and_then(|it| usize::try_from(it).ok()) {
                        Some(count) if count >= 2 => manifest.retention = count,
                        _ => wrong(
                            "`deployment.history_retention` must be an integer >= 2".to_owned(),
                            "a rollback needs a previous version",
                        ),
                    }
                }
                ["deployment", "prod_requires_approval"] => match leaf.value.as_bool() {
                    Some(true) => manifest.approval = Approval::Required,
                    Some(false) => manifest.approval = Approval::NotRequired,
                    None => wrong("`deployment.prod_requires_approval` must be a boolean".to_owned(), "write true"),
                },
                ["deployment", "strategy"] => match leaf.value.as_str() {
                    Some("rolling") => manifest.rollout = Rollout::Rolling,
                    Some("recreate") => manifest.rollout = Rollout::Recreate,
                    _ => wrong("`deployment.strategy` must be \"rolling\" or \"recreate\"".to_owned(), STRATEGIES),
                },
                ["rollout", ref keys @ ..] => {
                    if let Err(it) = rollout::set(&mut manifest.hosts, keys, &leaf.value) {
                        wrong(it.what, it.help);
                    }
                }
                ["promotion", env, "after"] => match (env.parse(), leaf.value.as_str().map(str::parse)) {
                    (Ok(env), Some(Ok(after))) => manifest.gates.push((env, after)),
                    _ => wrong("`after` must be the name of an environment".to_owned(), "write after = \"staging\""),
                },
                ["profiles", env] => match (env.parse(), leaf.value.as_str()) {
                    (Ok(env), Some(profile)) => manifest.profiles.push((env, profile.to_owned())),
                    _ => wrong(format!("`profiles.{env}` must be the name of a profile"), "write dev = \"user\""),
                },
                ["environments", env, "readonly"] if leaf.value.as_bool().is_none() => {
                    wrong(format!("`environments.{env}.readonly` must be a boolean"), "write true");
                }
                ["variables", name] => match &leaf.value {
                    Value::String(text) => drop(manifest.variables.insert(name.to_owned(), text.clone())),
                    Value::Array(_) | Value::Table(_) => {
                        wrong(
                            format!("`variables.{name}` must be a string, number, boolean or time"),
                            "write a string or a number",
                        );
                    }
                    other => drop(manifest.variables.insert(name.to_owned(), other.to_string())),
                },
                _ => {}
            }
        }
        if found.is_empty() { Ok(manifest) } else { Err(found) }
    }

    /// The keys that mean nothing, each in a line with its place.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let line = |it: &Diagnostic| {
            let place = it.location().map(|place| format!("{place}: ")).unwrap_or_default();
            let help = it.help.as_ref().map(|help| format!("; {help}")).unwrap_or_default();
            format!("warning: {place}{}{help}", it.title)
        };
        self.unknown.iter().map(line).collect()
    }

    /// The environment that must come before.
    #[must_use]
    pub fn gate(&self, env: &EnvName) -> Option<&EnvName> {
        self.gates.iter().find(|(gated, _)| gated == env).map(|(_, after)| after)
    }

    /// The profile that makes an environment, if it is chosen here.
    #[must_use]
    pub fn profile(&self, env: &EnvName) -> Option<&str> {
        self.profiles.iter().find(|(made, _)| made == env).map(|(_, profile)| profile.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rollout::{OnFailure, Share};
    use crate::base::time::HumanDuration;

    fn of(text: &str) -> Result<Manifest, usize> {
        Manifest::of(&Document::parse("manifest.toml", text).expect("TOML")).map_err(|found| found.len())
    }

    #[test]
    fn its_fields_are_honoured_and_the_rest_is_the_operators() {
        let manifest = of("[organization]\ndescription = 'x'\n[deployment]\nhistory_retention = 3\nprod_requires_approval = false\n\
                           strategy = 'rolling'\n[promotion]\nprod = { after = 'stage' }\n[profiles]\ndevelopment = 'user'\n[variables]\nPORT = 80\nHOST = 'h'\n")
            .expect("it is right");
        assert_eq!((manifest.retention, manifest.approval), (3, Approval::NotRequired));
        assert_eq!(manifest.gate(&"production".parse().expect("a name")).map(EnvName::as_str), Some("staging"));
        assert_eq!(manifest.profile(&"dev".parse().expect("a name")), Some("user"));
        assert_eq!(manifest.variables.len(), 2);
        assert_eq!(of(""), Ok(Manifest::default()));
    }

    #[test]
    fn a_key_that_means_nothing_is_named_with_what_was_meant() {
        for (text, expected) in [
            (
                "[promotionn]\nprod = { after = 'staging' }\n",
                "1:1: unknown table `promotionn`; did you mean `promotion`?",
            ),
            (
                "[environments.prod]\nreadnly = true\n",
                "2:1: unknown key `environments.prod.readnly`; did you mean `readonly`?",
            ),
            ("[environment.prod]\nreadonly = true\n", "1:1: unknown table `environment`; did you mean `environments`?"),
            (
                "[promotion]\nprod = 'staging'\n",
                "2:1: unknown key `promotion.prod`; write prod = { after = \"staging\" }",
            ),
            (
                "[environments.prod]\nlocked = true\n",
                "2:1: unknown key `environments.prod.locked`; the key of `[environments.NAME]` is readonly",
            ),
            ("readonly = true\n", "1:1: unknown key `readonly`; the key of `[environments.NAME]` is readonly"),
            ("[deployment]\nstratgy = 'rolling'\n", "2:1: unknown key `deployment.stratgy`; did you mean `strategy`?"),
            ("[organization]\nnmae = 'x'\n", "2:1: unknown key `organization.nmae`; did you mean `name`?"),
            (
                "[secrets.recipient]\nme = 'age1'\n",
                "2:1: unknown key `secrets.recipient.me`; did you mean `recipients`?",
            ),
        ] {
            let warnings = of(text).expect("nothing is refused for it").warnings();
            assert_eq!(warnings, [format!("warning: manifest.toml:{expected}")], "{text}");
        }
        // What is not like a key of tetra is the operator's own.
        let own = "owner = 'ops'\n[organization]\nname = 'acme'\nurl = 'x'\n[contact]\nmail = 'x'\n[secrets.recipients]\nme = 'age1'\n";
        assert_eq!(of(own).expect("it is right").warnings(), [""; 0]);
    }

    #[test]
    fn what_is_wrong_is_found_all_at_once() {
        let text = "[deployment]\nhistory_retention = 1\nprod_requires_approval = 'yes'\n[promotion.prod]\nafter = 3\n[profiles]\ndev = 1\n[variables]\na = [1]\n[environments.prod]\nreadonly = 'yes'\n";
        assert_eq!(of(text), Err(6));
    }

    #[test]
    fn a_rollout_has_no_unknown_keys() {
        let text = "[rollout]\ncanary = 0\nmax_parallel = '50%'\non_failure = 'revert-all'\n\
                    healthy_deadline = '2m'\nmin_healthy_time = '1s'\n";
        let hosts = of(text).expect("it is right").hosts;
        assert_eq!((hosts.canary, hosts.max_parallel), (Some(0), Some(Share::Percent(50))));
        assert_eq!(hosts.on_failure, Some(OnFailure::RevertAll));
        let seconds = |span: Option<HumanDuration>| span.map(|span| span.0.as_secs());
        assert_eq!((seconds(hosts.healthy_deadline), seconds(hosts.min_healthy_time)), (Some(120), Some(1)));
        assert_eq!(of("[rollout]\nmax_parallel = 3\n").expect("right").hosts.max_parallel, Some(Share::Count(3)));
        for text in [
            "canary = -1",
            "max_parallel = 0",
            "on_failure = 'x'",
            "healthy_deadline = 500",
            "min_healthy_time = 1",
            "pause = '10s'",
            "a.b = 1",
        ] {
            assert_eq!(of(&format!("[rollout]\n{text}\n")), Err(1), "{text}");
        }
        assert_eq!(of("rollout = 3\n"), Err(1));
    }
}
