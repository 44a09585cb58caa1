//! What the commands of this group have in common: which organization is meant, how values and places are shown.

use std::path::Path;

use crate::base::environment::{EnvName, EnvRef};
use crate::base::fault::{Fault, Kind};
use crate::base::name::OrgName;
use crate::base::redact;
use crate::command::Cx;
use crate::org::Value as Toml;
use crate::org::difference::Source;
use crate::org::path::KeyPath;
use crate::org::store::Store;
use crate::org::workbench::rung;
use crate::report::{Cell, Value};

/// The organization that is meant.
///
/// # Errors
///
/// Fails if none is chosen.
pub(super) fn organization(cx: &Cx) -> Result<OrgName, Fault> {
    cx.selection.org.clone().ok_or_else(|| {
        Fault::new(Kind::No, "no organization set")
            .advise("`export TETRA_ORG=NAME` or `tsm org use NAME` chooses one, `tsm org init NAME` makes one")
    })
}

/// The operator's home folder.
pub(super) fn home<'a>(cx: &'a Cx) -> Option<&'a str> {
    cx.host.variable("HOME")
}

/// The environment that is meant: the one that was named, by whatever name, or the chosen one.
///
/// # Errors
///
/// Fails if none is.
pub(super) fn environment(cx: &Cx, named: Option<&EnvName>) -> Result<EnvName, Fault> {
    let word = named.or(cx.selection.env.as_ref()).ok_or_else(|| {
        Fault::usage("which environment?").advise("name one: `@dev`, or choose it for the session: `use @dev`")
    })?;
    Ok(match cx.selection.org.as_ref().map(|org| Store::open(cx.paths, org)) {
        Some(Ok(store)) => store.meant(word),
        _ => word.clone(),
    })
}

/// What an environment counts as for the guard: an own one that has no file yet is as its profile says.
///
/// # Errors
///
/// Fails if there is neither a file nor a profile.
pub(super) fn guarded(cx: &Cx, org: &OrgName, env: &EnvName) -> Result<EnvName, Fault> {
    let store = Store::open(cx.paths, org)?;
    let env = &store.meant(env);
    if env.rung().is_some() || store.environment(env).exists() {
        return Ok(env.clone());
    }
    let of = rung(&store.chain(env)?);
    Ok(of.and_then(|rung| rung.to_string().parse().ok()).unwrap_or_else(|| env.clone()))
}

/// What a command touches that is about one environment, the chosen one if none is named.
///
/// # Errors
///
/// As [`environment`] and [`guarded`].
pub(super) fn touched(cx: &Cx, named: Option<&EnvName>) -> Result<Vec<EnvRef>, Fault> {
    let env = environment(cx, named)?;
    Ok(vec![cx.selection.within(guarded(cx, &organization(cx)?, &env)?)])
}

/// A value for a report. What looks like a secret is masked for people and programs alike.
pub(super) fn value(path: &KeyPath, it: Option<&Toml>) -> Cell {
    let Some(it) = it else { return Value::Nothing.into() };
    let shows = match it {
        Toml::String(text) => redact::text(text) != *text,
        Toml::Array(items) => {
            let words: Vec<&str> = items.iter().filter_map(Toml::as_str).collect();
            redact::redact(&words) != words
        }
        _ => false,
    };
    if shows || redact::is_secret_name(path.last()) {
        return Cell::from(redact::MASK);
    }
    Cell::from(plain(it)).text(it.to_string())
}

fn plain(it: &Toml) -> Value {
    match it {
        Toml::String(text) => Value::Text(text.clone()),
        Toml::Integer(number) => Value::Int(*number),
        Toml::Float(number) => Value::Float(*number),
        Toml::Boolean(truth) => Value::Bool(*truth),
        Toml::Datetime(time) => Value::Text(time.to_string()),
        Toml::Array(items) => Value::List(items.iter().map(plain).collect()),
        Toml::Table(table) => Value::Record(table.iter().map(|(key, value)| (key.clone(), plain(value))).collect()),
    }
}

/// Who gave a value, with file and line.
pub(super) fn by(source: Option<&Source>) -> Cell {
    let Some(source) = source else { return Value::Nothing.into() };
    let at = source.at.as_ref().map(|(file, line)| format!("{}:{line}", short(file)));
    match at {
        Some(at) if at.starts_with("builtin:") => Cell::from(at),
        Some(at) => Cell::from(at),
        None => Cell::from(source.layer.as_str()),
    }
}

/// A file by its last folder and name, which is enough within one organization.
fn short(file: &str) -> String {
    let path = Path::new(file);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    match path.parent().and_then(Path::file_name) {
        Some(folder) => format!("{}/{name}", folder.to_string_lossy()),
        None => name.into_owned(),
    }
}

/// The first characters of a hash.
pub(super) fn brief(hash: &str) -> String {
    hash.chars().take(8).collect()
}

/// `1 value`, `3 values`.
pub(super) fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
