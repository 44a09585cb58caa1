//! Going back to an earlier version: planned, then executed.

use super::diff::{ValueChange, diff_documents};
use super::error::OrgError;
use super::hand_edits;
use super::header::GeneratedFileState;
use super::history::{VersionAction, VersionEntry};
use super::store::{OrgStore, content_of};
use super::versions::{Author, NewVersion};
use crate::base::environment::EnvName;
use crate::config::document::Document;

/// Every key that differs between a version and the current file.
///
/// # Errors
///
/// Fails if there is no such version, if its copy is gone or was changed, or if there is no current file.
pub fn diff_with_version(store: &OrgStore, env: &EnvName, id: &str) -> Result<Vec<ValueChange>, OrgError> {
    let current = store.current(env)?;
    let current = current.ok_or_else(|| OrgError::NoEnvironment { org: store.org().clone(), env: env.clone() })?;
    let record = store.record(env)?;
    let missing = || OrgError::NoVersion { what: format!("`@{env}` has no version {id}"), env: env.clone() };
    let then = store.version(env, record.find(id).ok_or_else(missing)?)?;
    let parse = |text: &str| Document::parse("", text).map_err(|found| OrgError::invalid(&current.path, found));
    Ok(diff_documents(&parse(&then)?, &parse(&current.text)?))
}

/// A version that could become the current one again.
#[derive(Debug, Clone)]
pub struct RollbackPlan {
    /// Its target.
    pub to: VersionEntry,
    /// Its bytes.
    pub text: String,
    /// Every key that differs: now, and then.
    pub changes: Vec<ValueChange>,
    /// The source and content that are rolled back from.
    rejected: (String, String),
    /// The text that is rolled back from.
    current: String,
}

/// The target of a rollback.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RollbackTarget<'a> {
    /// To the last version that says something else and was not rolled back from.
    LastGood,
    /// To this version.
    Version(&'a str),
    /// So many lines of the record back.
    Steps(usize),
}

/// Plans a rollback.
///
/// # Errors
///
/// Fails if there is nothing to go back to, or if the generated file was edited.
pub fn plan_rollback(store: &OrgStore, env: &EnvName, to: RollbackTarget) -> Result<RollbackPlan, OrgError> {
    let current = store.current(env)?;
    let Some(current) = current else {
        return Err(OrgError::NoEnvironment { org: store.org().clone(), env: env.clone() });
    };
    if current.state == GeneratedFileState::NotOurs {
        return Err(OrgError::NotGenerated { path: current.path, env: env.clone() });
    }
    let (GeneratedFileState::Intact(header), Some(content)) = (&current.state, content_of(&current.text)) else {
        let lines = hand_edits::describe(hand_edits::edits(store, env, &current.text));
        return Err(OrgError::HandEdited { path: current.path, env: env.clone(), changes: lines, rolled_back: false });
    };
    let record = store.record(env)?;
    let missing = |what: String| OrgError::NoVersion { what, env: env.clone() };
    let entry = match to {
        RollbackTarget::Version(id) => {
            record.find(id).ok_or_else(|| missing(format!("`@{env}` has no version {id}")))?
        }
        RollbackTarget::Steps(count) => {
            let before = record.entries.len().checked_sub(count + 1).and_then(|at| record.entries.get(at));
            before.ok_or_else(|| missing(format!("`@{env}` does not have {count} previous versions")))?
        }
        RollbackTarget::LastGood => record
            .last_good(&content)
            .ok_or_else(|| missing(format!("`@{env}` has no previous version to go back to")))?,
    };
    if entry.content == content {
        return Err(missing(format!("version {} is the current one", entry.id)));
    }
    let text = store.version(env, entry)?;
    let parse = |text: &str| Document::parse("", text).map_err(|found| OrgError::invalid(&current.path, found));
    let changes = diff_documents(&parse(&current.text)?, &parse(&text)?);
    let (to, rejected) = (entry.clone(), (header.source.clone(), content));
    Ok(RollbackPlan { to, text, changes, rejected, current: current.text })
}

/// Carries a rollback out: the old content becomes a new version.
///
/// # Errors
///
/// Fails if the environment is not what the plan was made for any more, or if something cannot be written.
pub fn rollback(store: &OrgStore, env: &EnvName, plan: RollbackPlan, author: Author) -> Result<VersionEntry, OrgError> {
    let _lock = store.lock()?;
    if store.current(env)?.is_none_or(|now| now.text != plan.current) {
        return Err(OrgError::Stale { what: "the environment" });
    }
    let RollbackPlan { to, text, rejected, .. } = plan;
    let version = NewVersion { text, content: to.content, action: VersionAction::Rollback, rejected: Some(rejected) };
    store.publish(env, version, author)
}
