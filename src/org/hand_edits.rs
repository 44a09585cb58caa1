//! Edits of generated files: reported, and carried over into local.toml.

use super::diff::{ValueChange, diff_documents};
use super::draft::{Draft, Layer, LayerChange, Operation, ProfileChain};
use super::error::OrgError;
use super::header::GeneratedFileState;
use super::history::VersionAction;
use super::inputs::SharedInputs;
use super::overrides::{self, OverrideScope, OverrideValue};
use super::store::{Current, OrgStore};
use super::{alias, shape};
use crate::base::environment::EnvName;
use crate::base::redact;
use crate::config::Value;
use crate::config::document::Document;
use crate::config::path::KeyPath;
use crate::config::value::both_same;

/// An edit that is not in what would be written.
#[derive(Debug, Clone, PartialEq)]
pub struct LostEdit {
    /// The environment whose file was edited.
    pub env: EnvName,
    /// The key.
    pub path: KeyPath,
    /// What became of it.
    pub why: &'static str,
}

/// local.toml with the edits of a generated file.
#[derive(Debug)]
pub struct MergedLocal {
    /// It.
    pub local: Document,
    /// Every edit.
    pub edits: Vec<ValueChange>,
}

/// Edits of a generated file.
///
/// # Errors
///
/// Fails if it is not valid TOML any more, or if it is not known what it was.
pub fn edits(store: &OrgStore, env: &EnvName, text: &str) -> Result<Vec<ValueChange>, OrgError> {
    let path = store.environment_path(env);
    let edited = Document::parse(&path.display().to_string(), text).map_err(|found| OrgError::invalid(&path, found))?;
    let record = store.record(env)?;
    let last = record.entries.iter().rev().find(|entry| entry.action != VersionAction::Edit);
    let what = || format!("no version of `@{env}` from before the edit is kept");
    let last = last.ok_or_else(|| OrgError::NoVersion { what: what(), env: env.clone() })?;
    let generated = store.version(env, last)?;
    let generated = Document::parse("", &generated).map_err(|found| OrgError::invalid(&path, found))?;
    Ok(diff_documents(&generated, &edited))
}

/// Edits as lines for people, without secrets.
#[must_use]
pub fn describe(edits: Result<Vec<ValueChange>, OrgError>) -> Vec<String> {
    let changes = match edits {
        Ok(changes) => changes,
        Err(error) => return vec![format!("cannot determine what was edited: {error}")],
    };
    let shown = |path: &KeyPath, value: &Option<Value>| match value {
        None => "(nothing)".to_owned(),
        Some(value) => redact::variable(path.last(), &value.to_string()),
    };
    let line =
        |it: &ValueChange| format!("{}: {} -> {}", it.path, shown(&it.path, &it.before), shown(&it.path, &it.after));
    let lines: Vec<String> = changes.iter().map(line).collect();
    if lines.is_empty() { vec!["no value differs, only the formatting".to_owned()] } else { lines }
}

/// What local.toml becomes with the edits of a generated file; none if it was not edited.
///
/// # Errors
///
/// Fails if it is not known what was edited, or if there is no place for it.
pub fn merge_into_local(
    store: &OrgStore,
    common: &SharedInputs,
    env: &EnvName,
    accepts: fn(&KeyPath, &Value) -> bool,
) -> Result<Option<MergedLocal>, OrgError> {
    let Some(Current { path, text, state: GeneratedFileState::Edited(_) }) = store.current(env)? else {
        return Ok(None);
    };
    let edits = edits(store, env, &text)?;
    let edited =
        Document::parse(&path.display().to_string(), &text).map_err(|found| OrgError::invalid(&path, found))?;
    let chain = store.chain(env)?;
    let leaves = edits.iter().filter_map(|edit| edited.leaf(&edit.path).filter(|_| edit.after.is_some()));
    let whose = OverrideScope { env, profile: chain.own() };
    let leaves = leaves.filter(|leaf| accepts(&leaf.path, &leaf.value) && has_place(&common.local, &chain, &leaf.path));
    let leaves = leaves.filter(|leaf| whose.obstacle(&common.local, &leaf.path).is_none());
    let kept: Vec<OverrideValue> = leaves.map(|leaf| OverrideValue::of(&edited, leaf)).collect();
    let local = overrides::write_overrides(&common.local, whose, &kept)?;
    Ok(Some(MergedLocal { local, edits }))
}

/// True if an override of this key can do its work.
fn has_place(local: &Document, chain: &ProfileChain, path: &KeyPath) -> bool {
    let mut draft = Draft::new(local);
    alias::rename(&mut draft);
    let value = Some(Value::Boolean(true));
    draft.set(path, LayerChange::computed(Layer::Override, Operation::Set, value));
    shape::collisions(&draft, chain).is_empty()
}

/// The edits that are not in what would be written.
pub fn lost_edits<'a>(env: &EnvName, text: &str, edits: impl Iterator<Item = &'a ValueChange>) -> Vec<LostEdit> {
    let Ok(document) = Document::parse("", text) else { return Vec::new() };
    let made = |path: &KeyPath| document.leaf(path).map(|leaf| &leaf.value);
    let lost = edits.filter(|edit| !both_same(made(&edit.path), edit.after.as_ref()));
    lost.map(|edit| LostEdit {
        env: env.clone(),
        path: edit.path.clone(),
        why: match (&edit.after, made(&edit.path)) {
            (None, _) => "an override cannot remove a key; use `unset` in a profile",
            (Some(_), None) => "it is an unknown key, or local.toml has no place for it",
            (Some(_), Some(_)) => "a layer above the overrides sets another value",
        },
    })
    .collect()
}
