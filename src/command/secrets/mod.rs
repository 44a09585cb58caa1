//! `secrets`: the private values of an organization, a file for each environment.

pub mod doctor;
pub mod edit;
pub mod list;
pub mod rekey;
pub mod rm;
pub mod scan;
pub(super) mod scan_guard;
pub mod seal;
pub mod set;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::Cx;
use crate::base::environment::EnvName;
use crate::base::fault::{Fault, FaultKind, UserFacingError};
use crate::base::name::OrgName;
use crate::env::seal as sealing;
use crate::env::secrets::{self, SecretStore, Secrets};
use crate::ops::environments;
use crate::ops::secrets::default_identities;

/// The secrets of the active organization.
fn store(cx: &Cx) -> Result<SecretStore, Fault> {
    Ok(at(cx, org(cx)?))
}

fn org<'a>(cx: &'a Cx) -> Result<&'a OrgName, Fault> {
    let org = cx.selection.org.as_ref().ok_or_else(|| {
        Fault::new(FaultKind::CheckFailed, "no organization set")
            .with_advice("choose one with --org, TETRA_ORG or `use`, or create one with `org init NAME`")
    })?;
    if !cx.paths.org(org).is_dir() {
        return Err(Fault::new(FaultKind::NotFound, format!("organization `{org}` does not exist"))
            .with_advice(format!("`org init {org}` creates it")));
    }
    Ok(org)
}

fn at(cx: &Cx, org: &OrgName) -> SecretStore {
    SecretStore::new(cx.paths.org(org).join("secrets"))
}

/// Lets an environment pass that there is, or that has secrets already.
fn check_exists(cx: &Cx, store: &SecretStore, env: &EnvName) -> Result<(), Fault> {
    if store.file(env).exists() || store.sealed_path(env).exists() {
        return Ok(());
    }
    environments::check_exists(cx.paths, cx.selection.org.as_ref(), env)
}

/// The values of an environment for other commands; none without an organization. A changed mode is reported.
pub(super) fn values(cx: &mut Cx, env: &EnvName) -> Result<BTreeMap<String, String>, Fault> {
    let Some(org) = cx.selection.org.as_ref() else { return Ok(BTreeMap::new()) };
    let store = at(cx, org);
    Ok(read(cx, &store, env, &[])?.map(|secrets| secrets.values).unwrap_or_default())
}

/// The same for what only shows: none if no key here opens the sealed ones, which must not block everything else.
pub(super) fn values_if_unsealed(cx: &mut Cx, env: &EnvName) -> Result<Option<BTreeMap<String, String>>, Fault> {
    match values(cx, env) {
        Ok(values) => Ok(Some(values)),
        Err(fault) if fault.kind == FaultKind::Auth => Ok(None),
        Err(fault) => Err(fault),
    }
}

/// The secrets of an environment: its file, else its sealed file opened with a key.
fn read(cx: &mut Cx, store: &SecretStore, env: &EnvName, keys: &[PathBuf]) -> Result<Option<Secrets>, Fault> {
    if let Some(found) = store.read(env)? {
        if let Some(notice) = &found.notice {
            cx.console.note(notice);
        }
        return Ok(Some(found));
    }
    match unseal(cx, store, env, keys)? {
        Some(text) => Ok(Some(secrets::parse(&store.sealed_path(env), &text)?)),
        None => Ok(None),
    }
}

/// The text of an environment's file, else that of its sealed file; none if it has neither.
fn text(cx: &mut Cx, store: &SecretStore, env: &EnvName, keys: &[PathBuf]) -> Result<Option<String>, Fault> {
    match store.text(env)? {
        Some((text, notice)) => {
            if let Some(notice) = notice {
                cx.console.note(&notice);
            }
            Ok(Some(text))
        }
        None => unseal(cx, store, env, keys),
    }
}

/// The text of a sealed file; none if there is none.
fn unseal(cx: &Cx, store: &SecretStore, env: &EnvName, keys: &[PathBuf]) -> Result<Option<String>, Fault> {
    Ok(sealing::text(&store.sealed_path(env), &identities(cx, keys))?)
}

/// Where keys that open sealed files are looked for.
fn identities(cx: &Cx, given: &[PathBuf]) -> Vec<PathBuf> {
    if given.is_empty() {
        return default_identities(cx.paths, cx.host);
    }
    given.iter().map(|path| cx.host.cwd().join(path)).collect()
}

/// Writes the secrets of an environment in the forms that it has; a plain file if it has none.
fn save(cx: &mut Cx, store: &SecretStore, env: &EnvName, keys: &[PathBuf], text: &str) -> Result<(), Fault> {
    let (sealed, open) = (store.sealed_path(env).exists(), store.file(env).exists());
    if sealed {
        let other = if open { OtherCopy::Stays } else { OtherCopy::Goes };
        let resealed = reseal(cx, &store.sealed_path(env), keys, text, other)?;
        resealed.write(store, env)?;
    }
    if !sealed || open {
        store.write(&store.file(env), text.as_bytes())?;
    }
    Ok(())
}

/// Makes sure that [`save`] will not refuse, before an operator does work that would be lost.
fn check_can_save(cx: &mut Cx, store: &SecretStore, env: &EnvName, keys: &[PathBuf]) -> Result<(), Fault> {
    if store.sealed_path(env).exists() && !store.file(env).exists() {
        reseal(cx, &store.sealed_path(env), keys, "", OtherCopy::Goes)?;
    }
    Ok(())
}

/// What becomes of the copy that could still be read if no key here opens the sealed one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OtherCopy {
    /// It is removed or written over.
    Goes,
    /// The open file is still there.
    Stays,
}

/// Secrets that are sealed, and not written yet.
struct Resealed {
    bytes: Vec<u8>,
    recipients: Vec<sealing::Recipient>,
}

impl Resealed {
    fn write(&self, store: &SecretStore, env: &EnvName) -> Result<(), Fault> {
        store.write(&store.sealed_path(env), &self.bytes)?;
        Ok(store.write(&recipients_file(store, env), sealing::list(&self.recipients).as_bytes())?)
    }
}

/// Seals a text for all recipients of the manifest. What no key here could open again is refused if no other copy is left, and
/// pointed out otherwise.
fn reseal(cx: &mut Cx, path: &Path, keys: &[PathBuf], text: &str, other: OtherCopy) -> Result<Resealed, Fault> {
    let recipients = sealing::recipients(&manifest(cx)?)?;
    let for_us = sealing::identity(&identities(cx, keys))
        .and_then(|identity| sealing::seal_for_us(path, text, &recipients, &identity));
    let bytes = match for_us {
        Ok(bytes) => bytes,
        Err(error) if other == OtherCopy::Stays && error.kind() == FaultKind::Auth => {
            let bytes = sealing::seal(text, &recipients)?;
            cx.console.note(&format!("{error}; only the unsealed file can be read here"));
            bytes
        }
        Err(error) => return Err(error.into()),
    };
    Ok(Resealed { bytes, recipients })
}

/// The list of those who can open a sealed file.
fn recipients_file(store: &SecretStore, env: &EnvName) -> PathBuf {
    store.directory().join(format!("{env}.recipients"))
}

fn manifest(cx: &Cx) -> Result<PathBuf, Fault> {
    Ok(cx.paths.org(org(cx)?).join("manifest.toml"))
}
