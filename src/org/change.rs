//! Promotions and rollbacks: first a plan, then the deed.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use toml::Value;

use super::difference::{Row, against, between};
use super::document::Document;
use super::draft::{Chain, Draft};
use super::error::OrgError;
use super::header::{self, State};
use super::history::{self, Action, Entry};
use super::keep::Lost;
use super::path::KeyPath;
use super::promote::Stamp;
use super::render::Annotate;
use super::setting::Setting;
use super::store::{Current, Store, content_of};
use super::versions::{Author, Version};
use super::workbench::{Common, Workbench};
use super::{keep, profile, store};
use crate::base::diagnostic::Diagnostic;
use crate::base::environment::EnvName;
use crate::base::fault::Kind;
use crate::sys::file::{self, Access};

/// What is asked of a promotion.
#[derive(Debug, Clone)]
pub struct Wish {
    /// The environments, in this order.
    pub envs: Vec<EnvName>,
    /// `--set`
    pub options: Vec<Setting>,
    /// Whether changed lines say so.
    pub annotate: Annotate,
    /// What becomes of edits in generated files.
    pub edits: Edits,
    /// What was rolled back from may come again.
    pub again: Again,
}

/// What becomes of edits in generated files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edits {
    /// Nothing is done.
    Refuse,
    /// A copy is kept in the history.
    Discard,
    /// They are written into local.toml.
    Keep,
}

/// Whether the local.toml that was rolled back from may be promoted again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Again {
    /// No.
    Refuse,
    /// It is meant.
    Allow,
}

/// One environment that could be written.
#[derive(Debug, Clone)]
pub struct Planned {
    /// The environment.
    pub env: EnvName,
    /// Its file.
    pub path: PathBuf,
    /// What would be written.
    pub text: String,
    /// The hash of what it says.
    pub content: String,
    /// Every key that differs.
    pub rows: Vec<Row>,
    /// What is there now.
    pub there: Option<Document>,
    /// Nothing has to be written.
    pub up_to_date: bool,
    /// What is worth a look.
    pub warnings: Vec<Diagnostic>,
}

/// A promotion and who carries it out.
#[derive(Debug, Clone, Copy)]
pub struct Promotion<'a> {
    /// The organization.
    pub store: &'a Store<'a>,
    /// What is asked for.
    pub wish: &'a Wish,
    /// By whom, when.
    pub author: Author<'a>,
    /// The operator's home directory.
    pub home: Option<&'a str>,
    /// What must not be written.
    pub guard: Guard,
}

/// A secret in a text: where, and what is said about it.
pub type Leak = (Range<usize>, Diagnostic);

/// What tells secrets that stand in the open.
#[derive(Debug, Clone, Copy)]
pub struct Guard {
    /// Everything in a text of that name that must not be written, with its place.
    pub find: fn(&str, &str) -> Vec<Leak>,
    /// The words in a line that let it pass.
    pub allow: &'static str,
}

/// What a promotion would do.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The environments, in their order.
    pub planned: Vec<Planned>,
    /// local.toml with the edits of generated files, if they are kept.
    pub local: Option<Rc<Document>>,
    /// Edits that are not in what would be written.
    pub lost: Vec<Lost>,
}

impl Promotion<'_> {
    /// Plans it. Everything that could be wrong is found here, before anything is written.
    ///
    /// # Errors
    ///
    /// Fails with what is wrong, or with what has to be looked at first.
    pub fn plan(&self) -> Result<Plan, OrgError> {
        let mut common = Common::read(self.store, self.home)?;
        let mut edited = Vec::new();
        if self.wish.edits == Edits::Keep {
            for env in &self.wish.envs {
                let Some(carried) = keep::into_local(self.store, &common, env)? else { continue };
                common.local = Rc::new(carried.local);
                edited.push((env, carried.edits));
            }
        }
        let mut planned: Vec<Planned> = Vec::new();
        for env in &self.wish.envs {
            if !planned.iter().any(|it| it.env == *env) {
                planned.push(self.one(&common, env)?);
            }
        }
        let lost = planned.iter().flat_map(|one| {
            let edits = edited.iter().filter(|(env, _)| **env == one.env).flat_map(|(_, edits)| edits);
            keep::lost(one, edits)
        });
        let lost = lost.collect();
        let local = (!edited.is_empty()).then_some(common.local);
        if let Some(local) = &local {
            let found = (self.guard.find)(&local.source.name, &local.source.text);
            self.refuse("local.toml", found.into_iter().map(|(_, wrong)| wrong).collect())?;
        }
        Ok(Plan { planned, local, lost })
    }

    fn one(&self, common: &Common, env: &EnvName) -> Result<Planned, OrgError> {
        let (store, wish) = (self.store, self.wish);
        let stamp = Stamp { at: history::at(self.author.now), by: self.author.by.to_owned(), commit: store.commit() };
        let bench = Workbench::open(store, common, (env, &wish.options))?;
        let recipe = bench.recipe();
        let made = recipe.make()?;
        let current = store.current(env)?;
        look_at(store, env, (current.as_ref(), wish))?;
        if let Some(after) = common.manifest.gate(env) {
            let same = |it: &Current| matches!(&it.state, State::Intact(header) if header.source == made.source);
            let before = wish.envs.iter().take_while(|it| *it != env).any(|it| it == after);
            if !before && !store.current(after)?.as_ref().is_some_and(same) {
                return Err(OrgError::Gate { env: env.clone(), after: after.clone() });
            }
        }
        if wish.again == Again::Refuse {
            turned_away(store, env, &made.source)?;
        }
        // A file that is no TOML any more is replaced as a whole.
        let there = current.as_ref().and_then(|it| Document::parse(&it.path.display().to_string(), &it.text).ok());
        let intact = matches!(current.as_ref().map(|it| &it.state), Some(State::Intact(header)) if header::belongs(header, store.org(), env));
        let same = there.as_ref().is_some_and(|it| header::content(it) == made.content);
        let (path, text) = (store.environment(env), recipe.text(&made, &stamp, wish.annotate)?);
        self.watch(&path, &text, (&made.draft, &bench.chain))?;
        Ok(Planned {
            path,
            text,
            rows: against(&made, &bench.chain, there.as_ref()),
            content: made.content,
            warnings: made.warnings,
            there,
            up_to_date: intact && same,
            env: env.clone(),
        })
    }

    /// Refuses what would be written with a secret in it, unless the line that it comes from lets it pass.
    fn watch(&self, path: &Path, text: &str, (draft, chain): (&Draft, &Chain)) -> Result<(), OrgError> {
        let name = path.display().to_string();
        let found = (self.guard.find)(&name, text);
        if found.is_empty() {
            return Ok(());
        }
        let document = Document::parse(&name, text).ok();
        let is_let_pass = |span: &Range<usize>| {
            let mut leaves = document.iter().flat_map(|it| &it.leaves);
            let leaf = leaves.find(|leaf| leaf.span.start <= span.start && span.end <= leaf.span.end);
            let cell = leaf.and_then(|leaf| draft.cells.get(&leaf.path));
            cell.is_some_and(|cell| draft.line(cell, chain).contains(self.guard.allow))
        };
        let left = found.into_iter().filter(|(span, _)| !is_let_pass(span));
        self.refuse(&name, left.map(|(_, wrong)| wrong).collect())
    }

    fn refuse(&self, name: &str, found: Vec<Diagnostic>) -> Result<(), OrgError> {
        if found.is_empty() {
            return Ok(());
        }
        let what = format!("secrets would stand in the open in {name}; nothing was written");
        Err(OrgError::Wrong { what, found, kind: Kind::No })
    }

    /// Carries it out. Gives the line of the record for each environment that was written.
    ///
    /// # Errors
    ///
    /// As [`Self::plan`], and if something cannot be written.
    pub fn carry_out(&self) -> Result<(Plan, Vec<Option<Entry>>), OrgError> {
        let _lock = self.store.lock()?;
        let plan = self.plan()?;
        if let Some(local) = &plan.local {
            let path = self.store.environment(&store::local());
            file::write(&path, local.source.text.as_bytes(), Access::Shared)?;
        }
        let mut entries = Vec::new();
        for planned in &plan.planned {
            if planned.up_to_date {
                entries.push(None);
                continue;
            }
            let (text, content) = (planned.text.clone(), planned.content.clone());
            let version = Version { text, content, action: Action::Promote, left: None };
            entries.push(Some(self.store.publish(&planned.env, version, self.author)?));
        }
        Ok((plan, entries))
    }
}

/// Refuses to overwrite what somebody edited.
fn look_at(store: &Store, env: &EnvName, (current, wish): (Option<&Current>, &Wish)) -> Result<(), OrgError> {
    let Some(Current { path, text, state }) = current else { return Ok(()) };
    if wish.edits == Edits::Discard {
        return Ok(());
    }
    match state {
        State::Intact(header) if header::belongs(header, store.org(), env) => return Ok(()),
        State::Edited(header) if header::belongs(header, store.org(), env) => {}
        _ => return Err(OrgError::Foreign { path: path.clone(), env: env.clone() }),
    }
    if wish.edits == Edits::Keep {
        return Ok(());
    }
    let lines = keep::told(keep::edits(store, env, text));
    Err(OrgError::HandEdited { path: path.clone(), env: env.clone(), changes: lines })
}

/// Refuses the local.toml that was rolled back from.
fn turned_away(store: &Store, env: &EnvName, source: &str) -> Result<(), OrgError> {
    let record = store.record(env)?;
    match record.entries.last() {
        Some(last) if last.action == Action::Rollback && last.from.as_deref() == Some(source) => {
            Err(OrgError::RolledBack { env: env.clone(), when: last.at.clone(), by: last.by.clone() })
        }
        _ => Ok(()),
    }
}

/// A key, what it was, what it is.
pub type Changed = (KeyPath, Option<Value>, Option<Value>);

/// What a version says otherwise than the current file: the key, then, and now.
///
/// # Errors
///
/// Fails if there is no such version, if its copy is gone or was changed, or if there is no current file.
pub fn against_version(store: &Store, env: &EnvName, id: &str) -> Result<Vec<Changed>, OrgError> {
    let current = store.current(env)?;
    let current = current.ok_or_else(|| OrgError::NoEnvironment { org: store.org().clone(), env: env.clone() })?;
    let record = store.record(env)?;
    let missing = || OrgError::NoVersion { what: format!("`@{env}` has no version {id}"), env: env.clone() };
    let then = store.version(env, record.find(id).ok_or_else(missing)?)?;
    let parse = |text: &str| Document::parse("", text).map_err(|found| OrgError::wrong(&current.path, found));
    Ok(between(&parse(&then)?, &parse(&current.text)?))
}

/// A version that could become the current one again.
#[derive(Debug, Clone)]
pub struct Return {
    /// Where it leads.
    pub to: Entry,
    /// Its bytes.
    pub text: String,
    /// Every key that differs: now, and then.
    pub changes: Vec<Changed>,
    /// The source and content that are turned away from.
    left: (String, String),
}

/// Where a rollback leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Goal<'a> {
    /// To the last version that says something else and was not turned away from.
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
/// Fails if there is nothing to go back to, or if somebody edited the generated file.
pub fn plan_return(store: &Store, env: &EnvName, to: Goal) -> Result<Return, OrgError> {
    let current = store.current(env)?;
    let Some(current) = current else {
        return Err(OrgError::NoEnvironment { org: store.org().clone(), env: env.clone() });
    };
    if current.state == State::Foreign {
        return Err(OrgError::Foreign { path: current.path, env: env.clone() });
    }
    let (State::Intact(header), Some(content)) = (&current.state, content_of(&current.text)) else {
        let lines = keep::told(keep::edits(store, env, &current.text));
        return Err(OrgError::HandEdited { path: current.path, env: env.clone(), changes: lines });
    };
    let record = store.record(env)?;
    let missing = |what: String| OrgError::NoVersion { what, env: env.clone() };
    let entry = match to {
        Goal::Version(id) => record.find(id).ok_or_else(|| missing(format!("`@{env}` has no version {id}")))?,
        Goal::Steps(count) => {
            let before = record.entries.len().checked_sub(count + 1).and_then(|at| record.entries.get(at));
            before.ok_or_else(|| missing(format!("`@{env}` has no {count} versions before this one")))?
        }
        Goal::LastGood => record
            .last_good(&content)
            .ok_or_else(|| missing(format!("`@{env}` has no good version before this one")))?,
    };
    if entry.content == content {
        return Err(missing(format!("the version {} is the current one", entry.id)));
    }
    let text = store.version(env, entry)?;
    let parse = |text: &str| Document::parse("", text).map_err(|found| OrgError::wrong(&current.path, found));
    let changes = between(&parse(&current.text)?, &parse(&text)?);
    Ok(Return { to: entry.clone(), text, changes, left: (header.source.clone(), content) })
}

/// Carries a rollback out: the old content becomes a new version.
///
/// # Errors
///
/// As [`plan_return`], and if something cannot be written.
pub fn go_back(store: &Store, (env, to): (&EnvName, Goal), author: Author) -> Result<(Return, Entry), OrgError> {
    let _lock = store.lock()?;
    let back = plan_return(store, env, to)?;
    let version = Version {
        text: back.text.clone(),
        content: back.to.content.clone(),
        action: Action::Rollback,
        left: Some(back.left.clone()),
    };
    let entry = store.publish(env, version, author)?;
    Ok((back, entry))
}

/// Writes a new profile that extends another.
///
/// # Errors
///
/// Fails if there is one already, or if the other cannot be extended.
pub fn new_profile(store: &Store, (env, extends): (&EnvName, &str)) -> Result<PathBuf, OrgError> {
    let path = store.profile_file(env);
    if path.exists() || profile::BUILT_IN.iter().any(|(name, _)| *name == env.as_str()) && extends == env.as_str() {
        return Err(OrgError::Exists { path });
    }
    store.profile(extends)?;
    let _lock = store.lock()?;
    if let Some(folder) = path.parent() {
        file::folder(folder)?;
        file::sweep(folder);
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
