//! `org deploy rollback`

use std::collections::BTreeMap;

use super::fresh::Fresh;
use super::options::DeployOptions;
use super::stage::{DeployStage, Wanted};
use super::status::target;
use crate::base::environment::EnvName;
use crate::base::fault::{Fault, FaultKind};
use crate::command::org::context::affected_envs;
use crate::command::stated_default::{CHOSEN_ENV, StatedDefault};
use crate::command::{Command, Cx, Effect, Prepared};
use crate::deploy::release::{Payload, ReleaseId};
use crate::deploy::wire::{Ask, Said};

/// Deploy a release again that the hosts of an environment still have
///
/// In the same way as any deploy. What local.toml says is not changed: the next deploy brings it again. Env files and secrets on the
/// hosts stay as they are: a secret that was replaced does not come back.
#[derive(Debug, clap::Args)]
pub struct DeployRollback {
    /// The release
    #[arg(value_name = "RELEASE", if_not_given = "the one before")]
    release: Option<ReleaseId>,
    /// The environment
    #[arg(long, value_name = "@ENV", if_not_given = CHOSEN_ENV)]
    env: Option<EnvName>,
    #[command(flatten)]
    options: DeployOptions,
}

impl Command for DeployRollback {
    const NAME: &'static str = "org deploy rollback";
    const EFFECT: Effect = Effect::Write;
    const EXAMPLES: &'static [&'static str] =
        &["org deploy rollback --env @dev", "org deploy rollback 20261120T103045Z-1a2b3c4d --env @dev --plan"];

    fn effect(&self) -> Effect {
        self.options.effect()
    }

    fn prepare(self, cx: &mut Cx) -> Result<Prepared, Fault> {
        let environments = affected_envs(cx, self.env.as_ref())?;
        let target = target(cx, self.env.as_ref(), &self.options.hosts)?;
        let mut found = None;
        for (host, asked) in target.ask(cx, &Ask::Release { rid: self.release.clone() }) {
            let Said::Manifest(manifest) = asked?.1 else { continue };
            let known = found.get_or_insert_with(|| manifest.clone());
            if known.rid() != manifest.rid() {
                let why = format!("{} had {} before, and another host {}", host.name, manifest.rid(), known.rid());
                return Err(
                    Fault::new(FaultKind::NotFound, why).with_advice("name the release: `org deploy rollback RELEASE`")
                );
            }
        }
        let manifest = *found.ok_or_else(|| Fault::new(FaultKind::NotFound, "no host has it"))?;
        let payload = Payload { manifest, blobs: BTreeMap::new() };
        let wanted = Wanted {
            promotion: None,
            payload,
            notes: vec!["env files and secrets stay as they are on the hosts".to_owned()],
            options: self.options,
            environments,
            fresh: Fresh::default(),
            given: None,
            written: None,
        };
        DeployStage::look(cx, target, wanted)
    }
}
