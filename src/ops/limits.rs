//! What environments say that their processes may have.

use crate::base::environment::{EnvRef, Tier};
use crate::base::fault::Fault;
use crate::config::document::Document;
use crate::config::path::KeyPath;
use crate::env::project::FILE;
use crate::org::read;
use crate::supervise::limits::Limits;
use crate::supervise::meta::RestartPolicy;
use crate::sys::paths::Paths;
use crate::tsm::terms::Terms;

use super::{OpContext, environments};

/// The keys of `[resources]`, each with its older name, and how many bytes or things one of them is.
const KEYS: [(&str, &str, u64); 3] =
    [("memory_max", "", 1 << 20), ("limit_nofile", "nofile", 1), ("limit_nproc", "nproc", 1)];

/// A number for each of [`KEYS`], where there is one.
type ResourceValues = [Option<i64>; 3];

/// The `[resources]` of the active environment of the active org; where it is silent, those of `tetra.toml` in the working
/// directory.
///
/// # Errors
///
/// Fails if one of the two files exists and cannot be read.
pub fn of_environment(context: &OpContext) -> Result<Limits, Fault> {
    let of_environment = context.environment().map(|env| resources(context.paths, &env)).transpose()?;
    let mut found = of_environment.flatten().unwrap_or_default();
    if found.contains(&None) {
        let project = project(context)?;
        for (value, (key, older, _)) in found.iter_mut().zip(KEYS) {
            *value =
                value.or_else(|| in_project(project.as_ref()?, key)).or_else(|| in_project(project.as_ref()?, older));
        }
    }
    Ok(limits(&found))
}

/// What an environment says about a service that belongs to it. The working directory has no say in that.
///
/// # Errors
///
/// Fails if its file exists and cannot be read.
pub fn terms(paths: &Paths, env: &EnvRef) -> Result<Terms, Fault> {
    let found = resources(paths, env)?;
    let gone = format!("{env} has no file here any more, so its limits are unknown");
    Ok(Terms {
        restart: Some(policy(environments::tier(paths, env))),
        limits: found.as_ref().map(limits).unwrap_or_default(),
        note: found.is_none().then_some(gone),
    })
}

/// On a server what fails is started again; on one's own machine one wants to see it.
#[must_use]
pub fn policy(rung: Tier) -> RestartPolicy {
    match rung {
        Tier::Local => RestartPolicy::Never,
        Tier::Dev | Tier::Staging | Tier::Prod => RestartPolicy::OnFailure,
    }
}

/// What the file of an environment says; none if there is none.
fn resources(paths: &Paths, EnvRef { org, env }: &EnvRef) -> Result<Option<ResourceValues>, Fault> {
    let Some(org) = org else { return Ok(None) };
    let Some(document) = read::document(&paths.environment(org, env), &paths.org(org))? else { return Ok(None) };
    let number = |key: &str| document.leaf(&KeyPath::of(&["resources", key]))?.value.as_integer();
    Ok(Some(KEYS.map(|(key, older, _)| number(key).or_else(|| number(older)))))
}

fn limits(found: &ResourceValues) -> Limits {
    let [memory_max, nofile, nproc] = [0, 1, 2].map(|at| {
        let value = found[at].and_then(|number| u64::try_from(number).ok()).unwrap_or(0);
        value.saturating_mul(KEYS[at].2)
    });
    Limits { memory_max, nofile, nproc }
}

fn project(context: &OpContext) -> Result<Option<Document>, Fault> {
    Ok(Document::read_if_exists(&context.host.cwd().join(FILE), FILE)?)
}

fn in_project(document: &Document, key: &str) -> Option<i64> {
    document.leaf(&KeyPath::of(&["resources", key]))?.value.as_integer()
}
