//! What was changed on a host since it was deployed to: files of the release, env files and secrets, services.

use super::carried;
use super::target::DeployTarget;
use crate::base::environment::{EnvName, Tier};
use crate::base::fault::{Fault, FaultKind};
use crate::deploy::release::{Drift, DriftKind};
use crate::deploy::wire::{Facts, ServiceDrift, ServiceDriftKind};
use crate::ops::deploy::member::Member;
use crate::tkm::host::HostName;

/// How much of it there is.
pub(super) fn count(facts: &Facts) -> usize {
    facts.drift.len() + facts.services.len() + carried::drifted(facts).count()
}

/// Each of it, in words.
pub(super) fn remarks(env: &EnvName, host: &HostName, facts: &Facts) -> Vec<String> {
    let carried = carried::drifted(facts).map(|it| {
        let what = if it.found.is_none() { "was removed" } else { "was changed" };
        format!("{} {what} there since it was deployed", it.what.name(env))
    });
    let all = facts.drift.iter().map(of_release).chain(carried).chain(facts.services.iter().map(of_service));
    all.map(|what| format!("{host}: {what}")).collect()
}

/// What was changed on a host of prod is not replaced unseen.
///
/// # Errors
///
/// Fails with exit code 23 and what was changed.
pub(super) fn refuse(target: &DeployTarget, tier: Tier, member: &Member) -> Result<(), Fault> {
    let (env, facts) = (&target.env.env, &member.facts);
    if tier != Tier::Prod {
        return Ok(());
    }
    let why = match (carried::replaced(target, facts), facts.services.first()) {
        _ if !facts.drift.is_empty() => "files of the release were changed there".to_owned(),
        (Some(name), _) => format!("{name} there is not as a deploy left it"),
        (None, Some(service)) => of_service(service),
        (None, None) => return Ok(()),
    };
    let why = format!("{}: {why}", member.host.name);
    let advice = format!("`tsm org deploy @{env} --plan` shows them; --accept-drift deploys over them");
    Err(Fault::new(FaultKind::Review, why).with_advice(advice))
}

/// `environments/dev.toml was changed in the release`
fn of_release(drift: &Drift) -> String {
    let what = match drift.kind {
        DriftKind::Missing => "was removed from the release",
        DriftKind::Added => "was added to the release",
        DriftKind::Changed => "was changed in the release",
        DriftKind::Mode => "has other permissions than in the release",
    };
    format!("{} {what}", drift.path)
}

/// `web was stopped there since it was deployed`
fn of_service(drift: &ServiceDrift) -> String {
    let name = &drift.service;
    match drift.kind {
        ServiceDriftKind::Changed => format!("services-available/{name}.tsm there is not what the release says"),
        ServiceDriftKind::Removed => format!("services-available/{name}.tsm was removed there since it was deployed"),
        ServiceDriftKind::Disabled => format!("{name} was disabled there since it was deployed"),
        ServiceDriftKind::Enabled => format!("{name} was enabled there since it was deployed"),
        ServiceDriftKind::Stopped => format!("{name} was stopped there since it was deployed"),
        ServiceDriftKind::Absent => format!("{name} has no process there, and should run"),
    }
}
