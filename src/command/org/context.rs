//! What the commands of this group have in common: which organization is meant, how values and places are shown.

use std::path::Path;

use crate::base::environment::{EnvName, EnvRef};
use crate::base::fault::{Fault, FaultKind};
use crate::base::name::OrgName;
use crate::base::redact;
use crate::command::Cx;
use crate::config::Value as Toml;
use crate::config::path::KeyPath;
use crate::config::secret;
use crate::org::diff::ValueSource;
use crate::org::inputs::tier;
use crate::org::store::OrgStore;
use crate::report::{Cell, Value};

/// The organization that is meant.
///
/// # Errors
///
/// Fails if none is chosen.
pub(super) fn organization(cx: &Cx) -> Result<OrgName, Fault> {
    cx.selection.org.clone().ok_or_else(|| {
        Fault::new(FaultKind::CheckFailed, "no organization set").with_advice(
            "choose one with `export TETRA_ORG=NAME` or `tsm org use NAME`, or create one with `tsm org init NAME`",
        )
    })
}

/// The operator's home directory.
pub(super) fn home<'a>(cx: &'a Cx) -> Option<&'a str> {
    cx.host.variable("HOME")
}

/// The environment that is meant: the one that was named, by whatever name, or the chosen one.
///
/// # Errors
///
/// Fails if none is.
pub(super) fn environment(cx: &Cx, named: Option<&EnvName>) -> Result<EnvName, Fault> {
    // Without an organization every command of this group ends with the same exit code.
    organization(cx)?;
    let word = named.or(cx.selection.env.as_ref()).ok_or_else(|| {
        Fault::usage("missing environment").with_advice("pass one: `@dev`, or choose one for the session: `use @dev`")
    })?;
    Ok(match cx.selection.org.as_ref().map(|org| OrgStore::open(cx.paths, org)) {
        Some(Ok(store)) => store.resolve_alias(word),
        _ => word.clone(),
    })
}

/// What an environment counts as for the guard: an own one that has no file yet is as its profile says.
///
/// # Errors
///
/// Fails if there is neither a file nor a profile.
pub(super) fn tier_env(cx: &Cx, org: &OrgName, env: &EnvName) -> Result<EnvName, Fault> {
    let store = OrgStore::open(cx.paths, org)?;
    let env = &store.resolve_alias(env);
    if env.tier().is_some() || store.environment_path(env).exists() {
        return Ok(env.clone());
    }
    let of = tier(&store.chain(env)?);
    Ok(of.and_then(|tier| tier.to_string().parse().ok()).unwrap_or_else(|| env.clone()))
}

/// What a command touches that is about one environment, the chosen one if none is named.
///
/// # Errors
///
/// As [`environment`] and [`tier_env`].
pub(super) fn affected_envs(cx: &Cx, named: Option<&EnvName>) -> Result<Vec<EnvRef>, Fault> {
    let env = environment(cx, named)?;
    Ok(vec![cx.selection.qualify(tier_env(cx, &organization(cx)?, &env)?)])
}

/// A value for a report. What looks like a secret is masked for people and programs alike.
pub(super) fn value(path: &KeyPath, it: Option<&Toml>) -> Cell {
    let Some(it) = it else { return Value::Null.into() };
    if secret::is_secret(path.last(), it) {
        return Cell::from(redact::MASK);
    }
    Cell::from(report_value(it)).text(it.to_string())
}

fn report_value(it: &Toml) -> Value {
    match it {
        Toml::String(text) => Value::Text(text.clone()),
        Toml::Integer(number) => Value::Int(*number),
        Toml::Float(number) => Value::Float(*number),
        Toml::Boolean(truth) => Value::Bool(*truth),
        Toml::Datetime(time) => Value::Text(time.to_string()),
        Toml::Array(items) => Value::List(items.iter().map(report_value).collect()),
        Toml::Table(table) => {
            Value::Record(table.iter().map(|(key, value)| (key.clone(), report_value(value))).collect())
        }
    }
}

/// The layer that set a value, with file and line.
pub(super) fn source_cell(source: Option<&ValueSource>) -> Cell {
    let Some(source) = source else { return Value::Null.into() };
    let at = source.at.as_ref().map(|(file, line)| format!("{}:{line}", short_file(file)));
    match at {
        Some(at) if at.starts_with("builtin:") => Cell::from(at),
        Some(at) => Cell::from(at),
        None => Cell::from(source.layer.as_str()),
    }
}

/// A file by its last directory and name, which is enough within one organization.
fn short_file(file: &str) -> String {
    let path = Path::new(file);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    match path.parent().and_then(Path::file_name) {
        Some(directory) => format!("{}/{name}", directory.to_string_lossy()),
        None => name.into_owned(),
    }
}

/// The first characters of a hash.
pub(super) fn short_hash(hash: &str) -> String {
    hash.chars().take(8).collect()
}
