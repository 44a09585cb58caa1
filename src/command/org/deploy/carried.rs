//! Env files and secrets that go with a release: what they are on hosts, and what becomes of them.

use std::collections::BTreeMap;
use std::path::Path;

use super::fresh::Fresh;
use super::target::DeployTarget;
use crate::base::environment::EnvName;
use crate::base::fault::{Fault, FaultKind};
use crate::base::name::ServiceName;
use crate::base::suggest::closest_match;
use crate::command::Cx;
use crate::config::document::Document;
use crate::deploy::carried::{CarriedFile, CarriedState};
use crate::deploy::release::ContentHash;
use crate::deploy::wire::Facts;
use crate::ops::deploy::gather::{self, Gathered, Source};
use crate::ops::deploy::member::Member;
use crate::org::error::OrgError;
use crate::org::services;
use crate::org::store::{OrgStore, local_env};

/// What this machine has of them for the promoted text of an environment.
///
/// # Errors
///
/// Fails if one cannot be carried.
pub(super) fn gathered(
    cx: &Cx,
    store: &OrgStore,
    env: &EnvName,
    text: &str,
    notes: &mut Vec<String>,
) -> Result<Vec<CarriedFile>, Fault> {
    let parse = |path: &Path, text: &str| {
        Document::parse(&path.display().to_string(), text).map_err(|found| OrgError::invalid(path, found))
    };
    let document = parse(&store.environment_path(env), text)?;
    let path = store.environment_path(&local_env());
    let local = store.read(&path)?.map(|it| parse(&path, &it.text)).transpose()?;
    let source =
        Source { paths: cx.paths, host: cx.host, org: store.org(), env, document: &document, local: local.as_ref() };
    let Gathered { files, notes: found } = gather::gather(&source)?;
    notes.extend(found);
    Ok(files)
}

/// A service that the promoted text of an environment declares.
///
/// # Errors
///
/// Fails for another, with those that there are.
pub(super) fn declared_service(env: &EnvName, text: &str, name: &str) -> Result<ServiceName, Fault> {
    let known = Document::parse(env.as_str(), text).map(|document| services::declared_services(&document));
    let known: Vec<String> = known.unwrap_or_default().into_iter().map(|it| it.name).collect();
    let found = known.iter().find(|known| *known == name).and_then(|name| name.parse().ok());
    found.ok_or_else(|| {
        let advice = match closest_match(name, known.iter().map(String::as_str)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("its services are: {}", known.join(", ")),
        };
        Fault::new(FaultKind::NotFound, format!("`{name}` is not a service of {env}")).with_advice(advice)
    })
}

fn state<'a>(facts: &'a Facts, file: &CarriedFile) -> Option<&'a CarriedState> {
    facts.carried.iter().flatten().find(|state| state.what == file.what)
}

fn is_there(facts: &Facts, file: &CarriedFile) -> bool {
    file.is_there(state(facts, file).and_then(|state| state.found.as_ref()))
}

/// True where one is not on a host as it is here.
pub(super) fn differ(target: &DeployTarget, facts: &Facts) -> bool {
    target.carried.iter().any(|file| !is_there(facts, file))
}

/// Those on a host that are not as a deploy left them.
pub(super) fn drifted(facts: &Facts) -> impl Iterator<Item = &CarriedState> {
    facts.carried.iter().flatten().filter(|state| state.has_drifted())
}

/// One that would be replaced, and that no deploy left so.
pub(super) fn replaced(target: &DeployTarget, facts: &Facts) -> Option<String> {
    let is_other = |file: &&CarriedFile| {
        let state = state(facts, file);
        let is_of_deploy = |it: &CarriedState| it.found.is_none() || it.deployed.is_some() && !it.has_drifted();
        !is_there(facts, file) && !state.is_none_or(is_of_deploy)
    };
    target.carried.iter().find(is_other).map(|file| file.what.name(&target.env.env))
}

/// The first digits of a digest of each: enough to see a change, too few to find a value by.
pub(super) fn digests(target: &DeployTarget) -> BTreeMap<String, String> {
    let short = |it: &CarriedFile| short(it.text.as_ref().unwrap_or(&it.digest()));
    target.carried.iter().map(|it| (it.what.name(&target.env.env), short(it))).collect()
}

/// The same as a host has them.
pub(super) fn found_digests(target: &DeployTarget, facts: &Facts) -> BTreeMap<String, String> {
    let digest = |it: &CarriedState| {
        let found = it.found.as_ref()?;
        let digest = found.text.as_ref().or(found.digests.sealed.as_ref())?;
        Some((it.what.name(&target.env.env), short(digest)))
    };
    facts.carried.iter().flatten().filter_map(digest).collect()
}

fn short(digest: &ContentHash) -> String {
    digest.as_str()[..8].to_owned()
}

/// What is to be known of them on a host. Names of settings, and no values.
pub(super) fn remarks(target: &DeployTarget, member: &Member) -> Vec<String> {
    let (host, facts, env) = (&member.host.name, &member.facts, &target.env.env);
    let mut remarks: Vec<String> = old_agent(target, member).into_iter().collect();
    for file in target.carried.iter().filter(|file| !is_there(facts, file)) {
        let found = state(facts, file).and_then(|state| state.found.as_ref());
        let is_of_others = found.is_some() && state(facts, file).is_some_and(|it| it.deployed.is_none());
        let note = if is_of_others { ", and replaces what no deploy put there" } else { "" };
        remarks.push(format!("{host}: {} {}{note}", file.what.name(env), file.changes(found)));
    }
    remarks
}

/// The same of hosts of which nothing is known yet.
pub(super) fn fresh_remarks(target: &DeployTarget, fresh: &Fresh) -> Vec<String> {
    let hosts = fresh.names().collect::<Vec<_>>().join(", ");
    let remark = |it: &CarriedFile| format!("{hosts}: {} goes there{}", it.what.name(&target.env.env), it.sets());
    target.carried.iter().filter(|_| !fresh.is_empty()).map(remark).collect()
}

/// Whether a host takes them.
///
/// # Errors
///
/// Fails if its agent is too old for that.
pub(super) fn check_agent(target: &DeployTarget, member: &Member) -> Result<(), Fault> {
    old_agent(target, member).map_or(Ok(()), |why| {
        Err(Fault::new(FaultKind::Preflight, format!("{why}; nothing was changed"))
            .with_advice(format!("`tkm bootstrap {}` puts the agent of this version there", member.host.name)))
    })
}

fn old_agent(target: &DeployTarget, member: &Member) -> Option<String> {
    let (host, version) = (&member.host.name, &member.facts.version);
    (!target.carried.is_empty() && member.facts.carried.is_none())
        .then(|| format!("{host}: its agent, tetra {version}, takes no env files and secrets"))
}
