//! What the active environment says that its processes may have.

use crate::base::fault::Fault;
use crate::command::Cx;
use crate::env::document::{Document, DocumentError};
use crate::env::project::FILE;
use crate::env::read::ReadError;
use crate::env::scope::Raw;
use crate::org::path::KeyPath;
use crate::org::read;
use crate::supervise::limits::Limits;

/// The keys of `[resources]`, each with its older name, and how many bytes or things one of them is.
const KEYS: [(&str, &str, u64); 3] =
    [("memory_max", "", 1 << 20), ("limit_nofile", "nofile", 1), ("limit_nproc", "nproc", 1)];

/// The `[resources]` of the active environment of the active org; where it is silent, those of `tetra.toml` in the working
/// directory.
pub(super) fn of_environment(cx: &Cx) -> Result<Limits, Fault> {
    let mut found = [None; 3];
    if let (Some(org), Some(env)) = (&cx.selection.org, &cx.selection.env) {
        let document = read::document(&cx.paths.environment(org, env), &cx.paths.org(org))?;
        let number = |key: &str| document.as_ref()?.leaf(&KeyPath::of(&["resources", key]))?.value.as_integer();
        found = KEYS.map(|(key, older, _)| number(key).or_else(|| number(older)));
    }
    if found.contains(&None) {
        let project = project(cx)?;
        for (value, (key, older, _)) in found.iter_mut().zip(KEYS) {
            *value =
                value.or_else(|| in_project(project.as_ref()?, key)).or_else(|| in_project(project.as_ref()?, older));
        }
    }
    let [memory_max, nofile, nproc] = [0, 1, 2].map(|at| {
        let value = found[at].and_then(|number| u64::try_from(number).ok()).unwrap_or(0);
        value.saturating_mul(KEYS[at].2)
    });
    Ok(Limits { memory_max, nofile, nproc })
}

fn project(cx: &Cx) -> Result<Option<Document>, Fault> {
    match Document::read(&cx.host.cwd().join(FILE), FILE) {
        Ok(document) => Ok(Some(document)),
        Err(DocumentError::Read(ReadError::File(error))) if error.is_not_found() => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn in_project(document: &Document, key: &str) -> Option<i64> {
    let entry = document.entries.iter().find(|entry| entry.path == ["resources", key])?;
    match &entry.value {
        Raw::Plain(_, number) => number.parse().ok(),
        Raw::Text(_) | Raw::Secret(_) | Raw::Several(_) => None,
    }
}
