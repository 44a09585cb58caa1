//! A plan as a file: what was found on each host and what would be deployed there, to be deployed later exactly so, or not at all.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::carried;
use super::target::DeployTarget;
use crate::base::environment::EnvRef;
use crate::base::fault::{Fault, FaultKind};
use crate::base::time::{Timestamp, millis};
use crate::command::Cx;
use crate::deploy::release::{ContentHash, Drift, Payload, ReleaseId};
use crate::deploy::wire::{Facts, ServiceDrift};
use crate::disk;
use crate::ops::deploy::member::{Member, Patience};
use crate::ops::deploy::rollout::{Fleet, Rollout};
use crate::sys::file::{self, Access, FileError};
use crate::tkm::host::HostName;

/// The version of these files.
const VERSION: u32 = 1;

/// A plan as a file, and a file as a plan.
#[derive(Debug, Default, clap::Args)]
pub(in crate::command) struct PlanFiles {
    /// Write the plan to a file, for --plan-in; nothing is deployed
    #[arg(long, value_name = "FILE")]
    plan_out: Option<PathBuf>,
    /// Deploy exactly what a file of --plan-out says; refused if anything is not as it was then
    #[arg(long, value_name = "FILE", conflicts_with_all = ["plan_out", "plan", "hosts", "canary", "max_parallel", "on_failure",
          "healthy_deadline", "min_healthy_time", "skip_unreachable", "bootstrap"])]
    plan_in: Option<PathBuf>,
}

impl PlanFiles {
    /// True if a plan is written and nothing is deployed.
    pub(in crate::command) fn is_written(&self) -> bool {
        self.plan_out.is_some()
    }

    /// Where the plan is written to.
    pub(super) fn target(&self, cx: &Cx) -> Option<PathBuf> {
        self.plan_out.as_ref().map(|path| cx.host.cwd().join(path))
    }

    /// The plan that is deployed.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be read, or is of another version.
    pub(super) fn source(&self, cx: &Cx) -> Result<Option<PlanFile>, Fault> {
        self.plan_in.as_ref().map(|path| PlanFile::read(&cx.host.cwd().join(path))).transpose()
    }
}

/// What a plan says.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PlanFile {
    version: u32,
    /// `ORG/ENV`
    environment: String,
    /// When it was made, in milliseconds since 1970; also the time of the release and of its promotion.
    at_ms: u64,
    /// Who made it: the author of the promotion.
    pub by: String,
    release: ReleaseId,
    content: ContentHash,
    rollout: PlannedRollout,
    /// Env files and secrets, each with the first digits of a digest.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    carried: BTreeMap<String, String>,
    hosts: Vec<PlannedHost>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PlannedRollout {
    canary: usize,
    max_parallel: usize,
    on_failure: String,
    healthy_deadline_ms: u64,
    min_healthy_time_ms: u64,
}

/// A host as it was looked at.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PlannedHost {
    host: String,
    current: Option<ReleaseId>,
    drift: Vec<Drift>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    services: Vec<ServiceDrift>,
    /// As those of the plan.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    carried: BTreeMap<String, String>,
}

/// A plan that is to be written.
pub(super) struct WrittenPlan {
    pub path: PathBuf,
    pub by: String,
    pub at: Timestamp,
}

/// What a plan is made of.
pub(super) struct Planned<'a> {
    pub target: &'a DeployTarget,
    pub written: &'a WrittenPlan,
    pub payload: &'a Payload,
    pub rollout: Rollout,
    pub fleet: &'a Fleet,
}

impl PlanFile {
    /// Of what was looked at.
    pub(super) fn of(planned: &Planned) -> Self {
        let Planned { target, written, payload, rollout, fleet } = *planned;
        Self {
            version: VERSION,
            environment: target.env.to_string(),
            at_ms: written.at.0,
            by: written.by.clone(),
            release: payload.manifest.rid().clone(),
            content: payload.manifest.content(),
            rollout: PlannedRollout {
                canary: rollout.canary,
                max_parallel: rollout.max_parallel,
                on_failure: rollout.on_failure.to_string(),
                healthy_deadline_ms: millis(rollout.patience.healthy_deadline),
                min_healthy_time_ms: millis(rollout.patience.min_healthy_time),
            },
            carried: carried::digests(target),
            hosts: fleet.members().map(|member| host(target, &member)).collect(),
        }
    }

    /// Writes it, for its owner alone.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be written.
    pub(super) fn write(&self, path: &Path) -> Result<(), Fault> {
        let json =
            serde_json::to_string_pretty(self).map_err(|error| Fault::new(FaultKind::Failed, error.to_string()))?;
        Ok(file::write(path, format!("{json}\n").as_bytes(), Access::Private)?)
    }

    fn read(path: &Path) -> Result<Self, Fault> {
        let text = disk::read_to_string(path).map_err(|source| {
            let is_missing = source.kind() == std::io::ErrorKind::NotFound;
            let fault = Fault::from(FileError::io("read", path)(source));
            if is_missing { Fault { kind: FaultKind::NotFound, ..fault } } else { fault }
        })?;
        let refused = |why: String| Fault::new(FaultKind::Usage, format!("`{}` is not a plan: {why}", path.display()));
        let value: serde_json::Value = serde_json::from_str(&text).map_err(|error| refused(error.to_string()))?;
        match value["version"].as_u64() {
            Some(version) if version == u64::from(VERSION) => {
                serde_json::from_value(value).map_err(|error| refused(error.to_string()))
            }
            Some(version) => {
                Err(refused(format!("it has version {version}, and this program reads version {VERSION}")))
            }
            None => Err(refused("it has no `version`".to_owned())),
        }
    }

    /// The environment.
    ///
    /// # Errors
    ///
    /// Fails if it is not the name of one, with its organization.
    pub(super) fn env(&self) -> Result<EnvRef, Fault> {
        let env: Option<EnvRef> = self.environment.parse().ok();
        let env = env.filter(|env| env.org.is_some());
        env.ok_or_else(|| Fault::usage(format!("`{}` in the plan is not ORG/ENV", self.environment)))
    }

    /// When it was made.
    pub(super) fn at(&self) -> Timestamp {
        Timestamp(self.at_ms)
    }

    /// Its hosts.
    ///
    /// # Errors
    ///
    /// Fails if one is not the name of a host.
    pub(super) fn hosts(&self) -> Result<Vec<HostName>, Fault> {
        let parse = |it: &PlannedHost| it.host.parse().map_err(|error| Fault::usage(format!("the plan: {error}")));
        self.hosts.iter().map(parse).collect()
    }

    /// How its hosts are switched.
    ///
    /// # Errors
    ///
    /// Fails if it is invalid.
    pub(super) fn rollout(&self) -> Result<Rollout, Fault> {
        let PlannedRollout { canary, max_parallel, .. } = self.rollout;
        let on_failure = self.rollout.on_failure.parse().map_err(|why| Fault::usage(format!("the plan: {why}")))?;
        let patience = Patience {
            healthy_deadline: std::time::Duration::from_millis(self.rollout.healthy_deadline_ms),
            min_healthy_time: std::time::Duration::from_millis(self.rollout.min_healthy_time_ms),
        };
        Ok(Rollout { canary, max_parallel, on_failure, patience })
    }

    /// Whether all is as it was when it was made.
    ///
    /// # Errors
    ///
    /// Fails with exit code 25 and what is not.
    pub(super) fn check(&self, target: &DeployTarget, payload: &Payload, fleet: &Fleet) -> Result<(), Fault> {
        let stale = |why: String| Err(Fault::new(FaultKind::Stale, why).with_advice("plan it again"));
        if payload.manifest.content() != self.content || carried::digests(target) != self.carried {
            return stale("what would be deployed is not what the plan says: it changed on this machine".to_owned());
        }
        if fleet.members().count() != self.hosts.len() {
            return stale("a host of the plan has no key any more".to_owned());
        }
        for (member, planned) in fleet.members().zip(&self.hosts) {
            let found = host(target, &member);
            let name = |rid: &Option<ReleaseId>| rid.as_ref().map_or("no release", ReleaseId::as_str).to_owned();
            if found.current != planned.current {
                let (now, then) = (name(&found.current), name(&planned.current));
                return stale(format!("{}: the plan was made for {then}, and {now} is current", found.host));
            }
            if found != *planned {
                return stale(format!(
                    "{}: files of its release, env files, secrets or services changed since the plan was made",
                    found.host
                ));
            }
        }
        Ok(())
    }
}

fn host(target: &DeployTarget, member: &Member) -> PlannedHost {
    let Facts { current, drift, services, .. } = &member.facts;
    let carried = carried::found_digests(target, &member.facts);
    let (current, drift, services) = (current.clone(), drift.clone(), services.clone());
    PlannedHost { host: member.host.name.to_string(), current, drift, services, carried }
}
