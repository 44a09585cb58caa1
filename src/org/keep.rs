//! Edits of generated files: told, and carried over into local.toml.

use super::change::{Changed, Planned};
use super::difference::between;
use super::document::Document;
use super::draft::{Chain, Deed, Draft, Layer, Step};
use super::error::OrgError;
use super::header::State;
use super::history::Action;
use super::overrides::{self, Kept, Whose};
use super::path::KeyPath;
use super::store::{Current, Store};
use super::value::both_same;
use super::workbench::Common;
use super::{alias, shape};
use crate::base::environment::EnvName;
use crate::base::redact;

/// An edit that is not in what would be written.
#[derive(Debug, Clone, PartialEq)]
pub struct Lost {
    /// The environment whose file was edited.
    pub env: EnvName,
    /// The key.
    pub path: KeyPath,
    /// What became of it.
    pub why: &'static str,
}

/// local.toml with the edits of a generated file.
#[derive(Debug)]
pub struct Carried {
    /// It.
    pub local: Document,
    /// Every edit.
    pub edits: Vec<Changed>,
}

/// What somebody edited in a generated file.
///
/// # Errors
///
/// Fails if it is no TOML any more, or if it is not known what it was.
pub fn edits(store: &Store, env: &EnvName, text: &str) -> Result<Vec<Changed>, OrgError> {
    let path = store.environment(env);
    let edited = Document::parse(&path.display().to_string(), text).map_err(|found| OrgError::wrong(&path, found))?;
    let record = store.record(env)?;
    let last = record.entries.iter().rev().find(|entry| entry.action != Action::Edit);
    let what = || format!("there is no version of `@{env}` from before it was edited");
    let last = last.ok_or_else(|| OrgError::NoVersion { what: what(), env: env.clone() })?;
    let generated = store.version(env, last)?;
    let generated = Document::parse("", &generated).map_err(|found| OrgError::wrong(&path, found))?;
    Ok(between(&generated, &edited))
}

/// Edits as lines for people, without secrets.
#[must_use]
pub fn told(edits: Result<Vec<Changed>, OrgError>) -> Vec<String> {
    let changes = match edits {
        Ok(changes) => changes,
        Err(error) => return vec![format!("what was edited cannot be told: {error}")],
    };
    let shown = |path: &KeyPath, value: &Option<toml::Value>| match value {
        None => "(nothing)".to_owned(),
        Some(_) if redact::is_secret_name(path.last()) => redact::MASK.to_owned(),
        Some(value) => redact::text(&value.to_string()),
    };
    let line = |(path, before, now): &Changed| format!("{path}: {} -> {}", shown(path, before), shown(path, now));
    let lines: Vec<String> = changes.iter().map(line).collect();
    if lines.is_empty() { vec!["no value differs, only how they are written".to_owned()] } else { lines }
}

/// What local.toml becomes with the edits of a generated file; none if it was not edited.
///
/// # Errors
///
/// Fails if it is not known what was edited, or if there is no place for it.
pub fn into_local(store: &Store, common: &Common, env: &EnvName) -> Result<Option<Carried>, OrgError> {
    let Some(Current { path, text, state: State::Edited(_) }) = store.current(env)? else { return Ok(None) };
    let edits = edits(store, env, &text)?;
    let edited = Document::parse(&path.display().to_string(), &text).map_err(|found| OrgError::wrong(&path, found))?;
    let chain = store.chain(env)?;
    let leaves = edits.iter().filter_map(|(path, _, now)| edited.leaf(path).filter(|_| now.is_some()));
    let whose = Whose { env, profile: chain.own() };
    let leaves = leaves.filter(|leaf| has_place(&common.local, &chain, &leaf.path));
    let leaves = leaves.filter(|leaf| whose.obstacle(&common.local, &leaf.path).is_none());
    let kept: Vec<Kept> = leaves.map(|leaf| Kept::of(&edited, leaf)).collect();
    let local = overrides::with(&common.local, whose, &kept)?;
    Ok(Some(Carried { local, edits }))
}

/// True if an override of this key can do its work.
fn has_place(local: &Document, chain: &Chain, path: &KeyPath) -> bool {
    let mut draft = Draft::new(local);
    alias::rename(&mut draft);
    let value = Some(toml::Value::Boolean(true));
    draft.give(path, Step::computed(Layer::Override, Deed::Set, value));
    shape::collisions(&draft, chain).is_empty()
}

/// The edits that are not in what would be written.
pub fn lost<'a>(planned: &Planned, edits: impl Iterator<Item = &'a Changed>) -> Vec<Lost> {
    let Ok(document) = Document::parse("", &planned.text) else { return Vec::new() };
    let made = |path: &KeyPath| document.leaf(path).map(|leaf| &leaf.value);
    let lost = edits.filter(|(path, _, now)| !both_same(made(path), now.as_ref()));
    let told = lost.map(|(path, _, now)| Lost {
        env: planned.env.clone(),
        path: path.clone(),
        why: match (now, made(path)) {
            (None, _) => {
                "it was taken away and is there again: an override gives values, `unset` in a profile takes them"
            }
            (Some(_), None) => "it was added and is gone: there is no place for it in local.toml",
            (Some(_), Some(_)) => "something stronger than an override gives it another value",
        },
    });
    told.collect()
}
