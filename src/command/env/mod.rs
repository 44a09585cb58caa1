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
use crate::base::environment::{EnvName, Rung};
use crate::base::fault::{Fault, Kind};
use crate::env::compare::Pair;
use crate::env::document::Document;
use crate::env::generate::{self, Generated};
use crate::env::masked::Cover;
use crate::env::project::{self, Project};
use crate::env::scope::{Around, Surroundings};
use crate::org::error::OrgError;
use crate::org::store::Store;
use crate::org::workbench;
use crate::report::Report;

/// The project in the working directory.
fn open(cx: &Cx) -> Result<Project, Fault> {
    Ok(Project::open(cx.host.cwd())?)
}

/// What a project may know of the world when it is resolved for an environment.
fn around(cx: &mut Cx, env: &EnvName) -> Result<Around, Fault> {
    let secrets = secrets::values(cx, env)?;
    around_with(cx, env, secrets)
}

/// The same for what only shows: secrets that no key here opens count as missing.
fn around_if_open(cx: &mut Cx, env: &EnvName) -> Result<Around, Fault> {
    let secrets = secrets::values_if_open(cx, env)?.unwrap_or_default();
    around_with(cx, env, secrets)
}

/// Says of which environments the secrets count as missing because no key here opens them.
fn note_sealed(cx: &mut Cx, envs: &[&EnvName]) -> Result<(), Fault> {
    for env in envs {
        if secrets::values_if_open(cx, env)?.is_none() {
            cx.console
                .note(&format!("the secrets of {env} are sealed, and no key here opens them: they count as missing"));
        }
    }
    Ok(())
}

fn around_with(cx: &Cx, env: &EnvName, secrets: BTreeMap<String, String>) -> Result<Around, Fault> {
    let mut built_in = BTreeMap::from([
        ("TETRA_SRC".to_owned(), cx.paths.source().display().to_string()),
        ("TETRA_DIR".to_owned(), cx.paths.home().display().to_string()),
    ]);
    if let Some(org) = &cx.selection.org {
        built_in.insert("TETRA_ORG".to_owned(), org.to_string());
    }
    let surroundings = Surroundings::of(rung(cx, env)?);
    Ok(Around { built_in, secrets, process: cx.host.variables().clone(), surroundings, ..Around::default() })
}

/// How careful to be in an environment. One of the operator's own is as its profile is, with those that it extends; without a
/// profile nothing is known of it.
fn rung(cx: &Cx, env: &EnvName) -> Result<Option<Rung>, Fault> {
    let Some(org) = cx.selection.org.as_ref().filter(|org| env.rung().is_none() && cx.paths.org(org).is_dir()) else {
        return Ok(env.rung());
    };
    match Store::open(cx.paths, org)?.chain(env) {
        Ok(chain) => Ok(workbench::rung(&chain)),
        Err(OrgError::NoProfile { name, .. }) if name == env.as_str() => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// What the source says for an environment.
fn generated(cx: &mut Cx, project: &Project, env: &EnvName) -> Result<Generated, Fault> {
    let around = around(cx, env)?;
    let plan = project.plan(env, around)?;
    Ok(generate::generate(&plan, env)?)
}

/// The variables of an env file.
fn pairs(project: &Project, env: &EnvName) -> Result<Vec<Pair>, Fault> {
    let settings = project::read_file(project, env)?;
    Ok(settings.into_iter().map(|setting| (setting.key, setting.value)).collect())
}

/// The variables that were resolved; those whose secret is missing are left out.
fn resolved(generated: &Generated) -> Vec<Pair> {
    let known = generated.variables.iter().filter_map(|it| Some((it.key.clone(), it.value.clone()?)));
    known.collect()
}

/// What covers the secrets of environments: their values, and every variable that the source fills with one.
fn cover(cx: &mut Cx, project: &Project, envs: &[&EnvName]) -> Result<Cover, Fault> {
    let mut values = BTreeMap::new();
    let mut keys = Vec::new();
    for env in envs {
        let around = around_if_open(cx, env)?;
        values.extend(around.secrets.clone());
        // A source that cannot be resolved says nothing about what is there.
        if let Ok(Ok(generated)) = project.plan(env, around).map(|plan| generate::generate(&plan, env)) {
            keys.extend(generated.variables.into_iter().filter(|it| it.secret).map(|it| it.key));
        }
    }
    Ok(Cover::new(&values).hiding(keys))
}

/// `tetra.toml`, which a command cannot do without.
fn document(project: Project) -> Result<Document, Fault> {
    project.document.ok_or_else(|| {
        Fault::new(Kind::NotFound, format!("there is no {} here", project::FILE))
            .advise(format!("looked in {}", project.folder.display()))
    })
}

/// Says each warning in a line.
fn note_all(cx: &mut Cx, warnings: &[Diagnostic]) {
    for warning in warnings {
        let place = warning.place().map(|place| format!("{place}: ")).unwrap_or_default();
        cx.console.note(&format!("warning: {place}{}", warning.title));
    }
}

/// Adds a fault if secrets are missing. What was written says where.
fn with_missing(mut report: Report, env: &EnvName, missing: Vec<Diagnostic>) -> Report {
    if !missing.is_empty() {
        let (count, is) = (counted(missing.len(), "secret"), if missing.len() == 1 { "is" } else { "are" });
        let fault = Fault::new(Kind::SecretMissing, format!("{count} of {env} {is} missing; the file says where"));
        report.faults.push(fault.diagnosed(missing));
    }
    report
}

/// A path as people write it: below the working directory without it.
fn short(cx: &Cx, path: &Path) -> String {
    path.strip_prefix(cx.host.cwd()).map_or_else(|_| path.to_owned(), Path::to_owned).display().to_string()
}

/// Where files of the project's environments are.
fn folder(project: &Project) -> PathBuf {
    project.folder.join(project::FOLDER)
}

/// `1 variable`, `2 variables`.
pub(super) fn counted(count: usize, word: &str) -> String {
    format!("{count} {word}{}", if count == 1 { "" } else { "s" })
}
