//! Promotions, planned and executed, and new profiles.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::diff::{DiffRow, diff_with_current};
use super::draft::{Draft, ProfileChain};
use super::error::OrgError;
use super::hand_edits::LostEdit;
use super::header::{self, GeneratedFileState};
use super::history::{self, VersionAction, VersionEntry};
use super::inputs::{PromotionInputs, SharedInputs};
use super::promote::Stamp;
use super::render::Annotate;
use super::set_option::SetOption;
use super::store::{Current, OrgStore};
use super::versions::{Author, NewVersion};
use super::{hand_edits, profile, store};
use crate::base::diagnostic::Diagnostic;
use crate::base::environment::EnvName;
use crate::base::fault::FaultKind;
use crate::config::Value;
use crate::config::document::Document;
use crate::config::path::KeyPath;
use crate::sys::file::{self, Access};

/// What is asked of a promotion.
#[derive(Debug, Clone)]
pub struct PromoteOptions {
    /// The environments, in this order.
    pub envs: Vec<EnvName>,
    /// `--set`
    pub options: Vec<SetOption>,
    /// Whether changed lines say so.
    pub annotate: Annotate,
    /// What becomes of edits in generated files.
    pub hand_edits: HandEdits,
    /// What was rolled back from may come again.
    pub after_rollback: AfterRollback,
}

/// What becomes of edits in generated files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HandEdits {
    /// Nothing is done.
    Refuse,
    /// A copy is kept in the history.
    Discard,
    /// They are written into local.toml.
    Keep,
}

/// Whether the local.toml that was rolled back from may be promoted again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterRollback {
    /// No.
    Refuse,
    /// It is meant.
    Allow,
}

/// One environment that could be written.
#[derive(Debug, Clone)]
pub struct PlannedEnv {
    /// The environment.
    pub env: EnvName,
    /// Its file.
    pub path: PathBuf,
    /// What would be written.
    pub text: String,
    /// The hash of what it says.
    pub content: String,
    /// Every key that differs.
    pub rows: Vec<DiffRow>,
    /// What is there now.
    pub current: Option<Document>,
    /// The same as text, valid or not.
    pub current_text: Option<String>,
    /// Nothing has to be written.
    pub up_to_date: bool,
    /// Warnings.
    pub warnings: Vec<Diagnostic>,
}

/// A promotion and who carries it out.
#[derive(Debug, Clone, Copy)]
pub struct Promotion<'a> {
    /// The organization.
    pub store: &'a OrgStore<'a>,
    /// What is asked for.
    pub options: &'a PromoteOptions,
    /// By whom, when.
    pub author: Author<'a>,
    /// The operator's home directory.
    pub home: Option<&'a str>,
    /// What must not be written.
    pub guard: SecretGuard,
    /// Whether an edit of a key can be kept as an override: a later promotion would refuse an unknown key.
    pub accepts: fn(&KeyPath, &Value) -> bool,
}

/// A secret in a text: its place and the message.
pub type Leak = (Range<usize>, Diagnostic);

/// Finds secrets in plain text.
#[derive(Debug, Clone, Copy)]
pub struct SecretGuard {
    /// Everything in a text of that name that must not be written, with its place.
    pub find: fn(&str, &str) -> Vec<Leak>,
    /// The words in a line that let it pass.
    pub allow: &'static str,
}

/// What a promotion would do.
#[derive(Debug, Clone)]
pub struct PromotionPlan {
    /// The environments, in their order.
    pub planned: Vec<PlannedEnv>,
    /// local.toml as it was read.
    pub source: Rc<Document>,
    /// local.toml with the edits of generated files, if they are kept.
    pub local: Option<Rc<Document>>,
    /// Edits that are not in what would be written.
    pub lost: Vec<LostEdit>,
}

impl Promotion<'_> {
    /// Plans it. Everything that could be wrong is found here, before anything is written.
    ///
    /// # Errors
    ///
    /// Fails with what is wrong, or with what has to be looked at first.
    pub fn plan(&self) -> Result<PromotionPlan, OrgError> {
        let mut common = SharedInputs::read(self.store, self.home)?;
        let source = Rc::clone(&common.local);
        let mut edited = Vec::new();
        if self.options.hand_edits == HandEdits::Keep {
            for env in &self.options.envs {
                let Some(carried) = hand_edits::merge_into_local(self.store, &common, env, self.accepts)? else {
                    continue;
                };
                common.local = Rc::new(carried.local);
                edited.push((env, carried.edits));
            }
        }
        let mut planned: Vec<PlannedEnv> = Vec::new();
        for env in &self.options.envs {
            if !planned.iter().any(|it| it.env == *env) {
                planned.push(self.plan_env(&common, env)?);
            }
        }
        let lost = planned.iter().flat_map(|one| {
            let edits = edited.iter().filter(|(env, _)| **env == one.env).flat_map(|(_, edits)| edits);
            hand_edits::lost_edits(&one.env, &one.text, edits)
        });
        let lost = lost.collect();
        let local = (!edited.is_empty()).then_some(common.local);
        if let Some(local) = &local {
            let found = (self.guard.find)(&local.source.name, &local.source.text);
            self.fail_if_any("local.toml", found.into_iter().map(|(_, wrong)| wrong).collect())?;
        }
        Ok(PromotionPlan { planned, source, local, lost })
    }

    fn plan_env(&self, common: &SharedInputs, env: &EnvName) -> Result<PlannedEnv, OrgError> {
        let (store, wish) = (self.store, self.options);
        let stamp =
            Stamp { at: history::at(self.author.now), by: self.author.by.to_owned(), commit: store.head_commit() };
        let bench = PromotionInputs::open(store, common, env, &wish.options)?;
        let recipe = bench.promotion();
        let made = recipe.run()?;
        let current = store.current(env)?;
        let rolled_back_from = rolled_back_from(store, env, &made.source)?;
        check_hand_edits(store, env, current.as_ref(), wish, rolled_back_from.is_some())?;
        if let Some(after) = common.manifest.gate(env) {
            let same =
                |it: &Current| matches!(&it.state, GeneratedFileState::Intact(header) if header.source == made.source);
            let before = wish.envs.iter().take_while(|it| *it != env).any(|it| it == after);
            if !before && !store.current(after)?.as_ref().is_some_and(same) {
                return Err(OrgError::Gate { env: env.clone(), after: after.clone() });
            }
        }
        if let Some(last) = rolled_back_from.filter(|_| wish.after_rollback == AfterRollback::Refuse) {
            let edited = wish.hand_edits == HandEdits::Discard
                && current.as_ref().is_some_and(|it| matches!(it.state, GeneratedFileState::Edited(_)));
            return Err(OrgError::RolledBack { env: env.clone(), when: last.at, by: last.by, edited });
        }
        // A file that is not valid TOML any more is replaced as a whole.
        let there = current.as_ref().and_then(|it| Document::parse(&it.path.display().to_string(), &it.text).ok());
        let intact = matches!(current.as_ref().map(|it| &it.state), Some(GeneratedFileState::Intact(header)) if header::matches(header, store.org(), env));
        let same = there.as_ref().is_some_and(|it| header::content(it) == made.content);
        let (path, text) = (store.environment_path(env), recipe.text(&made, &stamp, wish.annotate)?);
        self.check_secrets(&path, &text, &made.draft, &bench.chain)?;
        Ok(PlannedEnv {
            path,
            text,
            rows: diff_with_current(&made, &bench.chain, there.as_ref()),
            content: made.content,
            warnings: made.warnings,
            current: there,
            current_text: current.map(|it| it.text),
            up_to_date: intact && same,
            env: env.clone(),
        })
    }

    /// Refuses what would be written with a secret in it, unless the line that it comes from lets it pass.
    fn check_secrets(&self, path: &Path, text: &str, draft: &Draft, chain: &ProfileChain) -> Result<(), OrgError> {
        let name = path.display().to_string();
        let found = (self.guard.find)(&name, text);
        if found.is_empty() {
            return Ok(());
        }
        let document = Document::parse(&name, text).ok();
        let is_let_pass = |span: &Range<usize>| {
            let mut leaves = document.iter().flat_map(|it| &it.leaves);
            let leaf = leaves.find(|leaf| leaf.span.start <= span.start && span.end <= leaf.span.end);
            let cell = leaf.and_then(|leaf| draft.values.get(&leaf.path));
            cell.is_some_and(|cell| draft.line(cell, chain).contains(self.guard.allow))
        };
        let left = found.into_iter().filter(|(span, _)| !is_let_pass(span));
        self.fail_if_any(&name, left.map(|(_, wrong)| wrong).collect())
    }

    fn fail_if_any(&self, name: &str, found: Vec<Diagnostic>) -> Result<(), OrgError> {
        if found.is_empty() {
            return Ok(());
        }
        let what = format!("secrets would be written in plain text to {name}; nothing was written");
        Err(OrgError::Invalid { what, found, kind: FaultKind::CheckFailed })
    }

    /// Carries a plan out. Gives it with the line of the record for each environment that was written.
    ///
    /// # Errors
    ///
    /// Fails if the plan does not fit any more, and if something cannot be written.
    pub fn execute(&self, plan: PromotionPlan) -> Result<(PromotionPlan, Vec<Option<VersionEntry>>), OrgError> {
        let _lock = self.store.lock()?;
        let plan = self.renewed(plan)?;
        if let Some(local) = &plan.local {
            let path = self.store.environment_path(&store::local_env());
            file::write(&path, local.source.text.as_bytes(), Access::Shared)?;
        }
        let mut entries = Vec::new();
        for planned in &plan.planned {
            if planned.up_to_date {
                entries.push(None);
                continue;
            }
            let (text, content) = (planned.text.clone(), planned.content.clone());
            let version = NewVersion { text, content, action: VersionAction::Promote, rejected: None };
            entries.push(Some(self.store.publish(&planned.env, version, self.author)?));
        }
        Ok((plan, entries))
    }

    /// The plan if its files are as they were; else a new one, if it would write the same values.
    fn renewed(&self, plan: PromotionPlan) -> Result<PromotionPlan, OrgError> {
        let mut is_current = *self.store.local_text()?.1 == *plan.source.source.text;
        for planned in &plan.planned {
            is_current &= self.store.current(&planned.env)?.map(|it| it.text) == planned.current_text;
        }
        if is_current {
            return Ok(plan);
        }
        let renewed = self.plan()?;
        let same = plan.planned.iter().map(|it| &it.content).eq(renewed.planned.iter().map(|it| &it.content));
        if same { Ok(renewed) } else { Err(OrgError::Stale { what: "local.toml or an environment" }) }
    }
}

/// Refuses to overwrite edits.
fn check_hand_edits(
    store: &OrgStore,
    env: &EnvName,
    current: Option<&Current>,
    wish: &PromoteOptions,
    rolled_back: bool,
) -> Result<(), OrgError> {
    let Some(Current { path, text, state }) = current else { return Ok(()) };
    if wish.hand_edits == HandEdits::Discard {
        return Ok(());
    }
    match state {
        GeneratedFileState::Intact(header) if header::matches(header, store.org(), env) => return Ok(()),
        GeneratedFileState::Edited(header) if header::matches(header, store.org(), env) => {}
        _ => return Err(OrgError::NotGenerated { path: path.clone(), env: env.clone() }),
    }
    if wish.hand_edits == HandEdits::Keep {
        return Ok(());
    }
    let lines = hand_edits::describe(hand_edits::edits(store, env, text));
    Err(OrgError::HandEdited { path: path.clone(), env: env.clone(), changes: lines, rolled_back })
}

/// The rollback from this local.toml, if that came last.
fn rolled_back_from(store: &OrgStore, env: &EnvName, source: &str) -> Result<Option<VersionEntry>, OrgError> {
    let last = store.record(env)?.entries.pop();
    Ok(last.filter(|last| last.action == VersionAction::Rollback && last.from.as_deref() == Some(source)))
}

/// Writes a new profile that extends another.
///
/// # Errors
///
/// Fails if there is one already, or if the other cannot be extended.
pub fn new_profile(store: &OrgStore, env: &EnvName, extends: &str) -> Result<PathBuf, OrgError> {
    let path = store.profile_path(env);
    if path.exists() || profile::BUILT_IN.iter().any(|(name, _)| *name == env.as_str()) && extends == env.as_str() {
        return Err(OrgError::AlreadyExists { path });
    }
    store.profile(extends)?;
    let _lock = store.lock()?;
    if let Some(directory) = path.parent() {
        file::create_dir(directory)?;
        file::remove_stale_temporaries(directory);
    }
    let text = format!(
        "# What @{env} has otherwise than {extends}. `tsm org profile show {env}` shows all rules.\n\
         schema = 1\nname = \"{env}\"\nextends = \"{extends}\"\n\n\
         [set]\n\"services.*.env_file\" = \"env/{env}.env\"\n\"daemon.unit\" = \"tetra-{env}.service\"\n\n\
         [append_args]\n\"services.*.command\" = [\"--env\", \"{env}\"]\n"
    );
    file::write(&path, text.as_bytes(), Access::Shared)?;
    Ok(path)
}
