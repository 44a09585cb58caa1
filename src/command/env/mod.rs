//! `env`: env files of a project and what they are made of.

pub mod diff;
pub mod init;
pub mod list;
pub mod promote;
pub mod show;
pub mod status;
pub mod templates;
pub mod toml_show;
pub mod toml_validate;
pub mod validate;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::Cx;
use super::secrets;
use crate::base::diagnostic::Diagnostic;
use crate::base::environment::{EnvName, Tier};
use crate::base::fault::{Fault, FaultKind};
use crate::base::plural::pluralize;
use crate::config::document::Document;
use crate::config::mask::Masker;
use crate::env::compare::KeyValue;
use crate::env::generate::{self, Generated};
use crate::env::project::{self, Project};
use crate::env::scope::{ProcessEnv, ScopeInputs};
use crate::org::error::OrgError;
use crate::org::inputs;
use crate::org::store::OrgStore;
use crate::report::Report;

/// The project in the working directory.
fn open(cx: &Cx) -> Result<Project, Fault> {
    Ok(Project::open(cx.host.cwd())?)
}

/// What a project may know of the world when it is resolved for an environment.
fn scope_inputs(cx: &mut Cx, env: &EnvName) -> Result<ScopeInputs, Fault> {
    let secrets = secrets::values(cx, env)?;
    scope_inputs_with(cx, env, secrets)
}

/// The same for what only shows: secrets that no key here opens count as missing.
fn scope_inputs_if_unsealed(cx: &mut Cx, env: &EnvName) -> Result<ScopeInputs, Fault> {
    let secrets = secrets::values_if_unsealed(cx, env)?.unwrap_or_default();
    scope_inputs_with(cx, env, secrets)
}

/// Reports the environments whose secrets are treated as missing because no key here opens them.
fn note_sealed(cx: &mut Cx, envs: &[&EnvName]) -> Result<(), Fault> {
    for env in envs {
        if secrets::values_if_unsealed(cx, env)?.is_none() {
            cx.console.note(&format!("the secrets of {env} are sealed and no key here opens them: treated as missing"));
        }
    }
    Ok(())
}

fn scope_inputs_with(cx: &Cx, env: &EnvName, secrets: BTreeMap<String, String>) -> Result<ScopeInputs, Fault> {
    let mut built_in = BTreeMap::from([
        ("TETRA_SRC".to_owned(), cx.paths.source().display().to_string()),
        ("TETRA_DIR".to_owned(), cx.paths.home().display().to_string()),
    ]);
    if let Some(org) = &cx.selection.org {
        built_in.insert("TETRA_ORG".to_owned(), org.to_string());
    }
    let surroundings = ProcessEnv::of(tier(cx, env)?);
    Ok(ScopeInputs {
        built_in,
        secrets,
        process: cx.host.variables().clone(),
        process_env: surroundings,
        ..ScopeInputs::default()
    })
}

/// How careful to be in an environment. One of the operator's own is as its profile is, with those that it extends; without a
/// profile nothing is known of it.
fn tier(cx: &Cx, env: &EnvName) -> Result<Option<Tier>, Fault> {
    let Some(org) = cx.selection.org.as_ref().filter(|org| env.tier().is_none() && cx.paths.org(org).is_dir()) else {
        return Ok(env.tier());
    };
    match OrgStore::open(cx.paths, org)?.chain(env) {
        Ok(chain) => Ok(inputs::tier(&chain)),
        Err(OrgError::NoProfile { name, .. }) if name == env.as_str() => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// What the source says for an environment.
fn generate_env(cx: &mut Cx, project: &Project, env: &EnvName) -> Result<Generated, Fault> {
    let around = scope_inputs(cx, env)?;
    let plan = project.plan(env, around)?;
    Ok(generate::generate(&plan, env)?)
}

/// The variables of an env file.
fn pairs(project: &Project, env: &EnvName) -> Result<Vec<KeyValue>, Fault> {
    let settings = project::read_file(project, env)?;
    Ok(settings.into_iter().map(|setting| (setting.key, setting.value)).collect())
}

/// The variables that were resolved; those whose secret is missing are left out.
fn resolved(generated: &Generated) -> Vec<KeyValue> {
    let known = generated.variables.iter().filter_map(|it| Some((it.key.clone(), it.value.clone()?)));
    known.collect()
}

/// What covers the secrets of environments: their values, and every variable that the source fills with one.
fn masker(cx: &mut Cx, project: &Project, envs: &[&EnvName]) -> Result<Masker, Fault> {
    let mut values = BTreeMap::new();
    let mut keys = Vec::new();
    for env in envs {
        let around = scope_inputs_if_unsealed(cx, env)?;
        values.extend(around.secrets.clone());
        // A source that cannot be resolved says nothing about what is there.
        if let Ok(Ok(generated)) = project.plan(env, around).map(|plan| generate::generate(&plan, env)) {
            keys.extend(generated.variables.into_iter().filter(|it| it.secret).map(|it| it.key));
        }
    }
    Ok(Masker::new(&values).with_keys(keys))
}

/// `tetra.toml`, which a command cannot do without.
fn document(project: Project) -> Result<Document, Fault> {
    project.document.ok_or_else(|| {
        Fault::new(FaultKind::NotFound, format!("{} does not exist", project::FILE))
            .with_advice(format!("looked in {}", project.dir.display()))
    })
}

/// Says each warning in a line.
fn note_all(cx: &mut Cx, warnings: &[Diagnostic]) {
    for warning in warnings {
        let place = warning.location().map(|place| format!("{place}: ")).unwrap_or_default();
        cx.console.note(&format!("warning: {place}{}", warning.title));
    }
}

/// Adds a fault if secrets are missing. What was written says where.
fn with_missing(mut report: Report, env: &EnvName, missing: Vec<Diagnostic>) -> Report {
    if !missing.is_empty() {
        let (count, is) = (pluralize(missing.len(), "secret"), if missing.len() == 1 { "is" } else { "are" });
        let fault = Fault::new(FaultKind::SecretMissing, format!("{count} of {env} {is} missing; see the file"));
        report.faults.push(fault.with_diagnostics(missing));
    }
    report
}

/// A path as people write it: below the working directory without it.
fn short_path(cx: &Cx, path: &Path) -> String {
    path.strip_prefix(cx.host.cwd()).map_or_else(|_| path.to_owned(), Path::to_owned).display().to_string()
}

/// Where files of the project's environments are.
fn project_dir(project: &Project) -> PathBuf {
    project.dir.join(project::DIR_NAME)
}
