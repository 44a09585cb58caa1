//! From local.toml to an environment. Pure: nothing is read or written here.

use toml::Value;

use super::document::Document;
use super::draft::{Chain, Deed, Draft, Layer, METADATA, OVERRIDES, Step};
use super::error::OrgError;
use super::header::{self, Header};
use super::path::KeyPath;
use super::profile::{self, Op, Origin};
use super::render::{Annotate, render};
use super::variables::{self, Names};
use super::{alias, apply, condition, schema};
use crate::base::diagnostic::{Diagnostic, Severity};
use crate::base::environment::EnvName;
use crate::base::fault::Kind;
use crate::base::name::OrgName;

/// What an environment is made of.
#[derive(Debug, Clone)]
pub struct Recipe<'a> {
    /// The organization.
    pub org: &'a OrgName,
    /// The environment.
    pub env: &'a EnvName,
    /// local.toml.
    pub local: &'a Document,
    /// The profile with those that it extends.
    pub chain: &'a Chain,
    /// `--set`
    pub options: &'a [(KeyPath, Value)],
    /// Variables without a dot.
    pub names: &'a Names,
    /// The operator's home folder.
    pub home: Option<&'a str>,
}

/// Who generates, when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamp {
    /// RFC 3339.
    pub at: String,
    /// The operator.
    pub by: String,
    /// The commit that is checked out where local.toml is.
    pub commit: Option<String>,
}

/// An environment that could be written.
#[derive(Debug)]
pub struct Made<'a> {
    /// Every value with its story.
    pub draft: Draft<'a>,
    /// Of what it says; metadata aside.
    pub content: String,
    /// The hash of local.toml.
    pub source: String,
    /// The hash of the chain.
    pub rules: String,
    /// What is worth a look.
    pub warnings: Vec<Diagnostic>,
}

impl Recipe<'_> {
    /// Makes the environment.
    ///
    /// # Errors
    ///
    /// Fails with everything that is wrong in local.toml or in the profile, or that violates a condition.
    pub fn make(&self) -> Result<Made<'_>, OrgError> {
        if self.env.as_str() == "local" {
            return Err(OrgError::PromotedLocal);
        }
        let path = std::path::Path::new(&self.local.source.name);
        let mut found: Vec<Diagnostic> = schema::check(self.local);
        found.retain(|it| it.severity == Severity::Error);
        found.extend(alias::both(self.local));
        refuse(path, found)?;
        let mut draft = Draft::new(self.local);
        alias::rename(&mut draft);
        self.environment(&mut draft);
        apply::profiles(&mut draft, self.chain, self.home).map_err(|found| OrgError::wrong(path, found))?;
        let overrides = self.overrides()?;
        overrides.into_iter().for_each(|(path, step)| draft.give(&path, step));
        for (path, value) in self.options {
            let step = Step { layer: Layer::Option, deed: Deed::Set, value: Some(value.clone()), span: None };
            draft.give(path, step);
        }
        refuse(path, collisions(&draft, self.chain))?;
        let warnings =
            variables::fill(&mut draft, self.chain, self.names).map_err(|found| OrgError::wrong(path, found))?;
        let misfits = schema::given(&draft, self.chain);
        if !misfits.is_empty() {
            let what = format!("`@{}` would get values that make no sense", self.env);
            return Err(OrgError::Wrong { what, found: misfits, kind: Kind::Failed });
        }
        let violated = condition::violated(&draft, self.chain);
        if !violated.is_empty() {
            let count = violated.len();
            let what = format!(
                "`@{}` would break {} of its profile",
                self.env,
                if count == 1 { "a rule".to_owned() } else { format!("{count} rules") }
            );
            return Err(OrgError::Wrong { what, found: violated, kind: Kind::Violated });
        }
        Ok(Made {
            content: content(&draft),
            source: header::hash(self.local.source.text.as_bytes()),
            rules: rules_hash(self.chain),
            draft,
            warnings,
        })
    }

    /// What every promotion says about the environment itself.
    fn environment(&self, draft: &mut Draft) {
        let path = KeyPath::of(&["environment", "name"]);
        let value = Value::String(self.env.to_string());
        if draft.value(&path) != Some(&value) {
            draft.give(&path, Step { layer: Layer::Promotion, deed: Deed::Set, value: Some(value), span: None });
        }
    }

    /// What local.toml itself wants otherwise for this environment.
    fn overrides(&self) -> Result<Vec<(KeyPath, Step)>, OrgError> {
        let mut steps = Vec::new();
        for leaf in self.local.leaves.iter().filter(|leaf| leaf.path.keys()[0] == OVERRIDES) {
            let named = leaf.path.keys().get(1);
            let ours = named.and_then(|name| name.parse::<EnvName>().ok()).as_ref() == Some(self.env)
                || named.is_some_and(|name| self.chain.own().aliases.contains(name));
            if !ours || leaf.path.keys().len() < 3 {
                continue;
            }
            let Some(path) = profile::inner(&leaf.path.keys()[2..]) else { continue };
            let path = alias::today(&path).unwrap_or(path);
            let span = Some(leaf.key.start..leaf.span.end);
            steps.push((path, Step { layer: Layer::Override, deed: Deed::Set, value: Some(leaf.value.clone()), span }));
        }
        Ok(steps)
    }

    /// The whole text of the environment.
    #[must_use]
    pub fn text(&self, made: &Made, stamp: &Stamp, annotate: Annotate) -> String {
        let mut draft = made.draft.clone();
        let options: Vec<Value> =
            self.options.iter().map(|(path, value)| Value::String(format!("{path}={value}"))).collect();
        let text = |text: &str| Value::String(text.to_owned());
        let metadata = [
            ("environment", Some(text(self.env.as_str()))),
            ("generated_from", Some(text("local.toml"))),
            ("promoted_at", Some(text(&stamp.at))),
            ("promoted_by", Some(text(&stamp.by))),
            ("commit", stamp.commit.as_deref().map(text)),
            ("set", (!options.is_empty()).then_some(Value::Array(options))),
        ];
        for (key, value) in metadata {
            let path = KeyPath::of(&[METADATA, key]);
            if draft.value(&path) != value.as_ref() {
                draft.give(&path, Step { layer: Layer::Promotion, deed: Deed::Set, value, span: None });
            }
        }
        let own = self.chain.own();
        let origin = if own.origin == Origin::BuiltIn { "builtin" } else { "file" };
        let header = Header {
            org: self.org.to_string(),
            env: self.env.to_string(),
            profile: format!("{}({origin})", own.name),
            source: made.source.clone(),
            rules: made.rules.clone(),
            at: stamp.at.clone(),
            by: stamp.by.clone(),
            commit: stamp.commit.clone(),
            body: String::new(),
        };
        header::with_header(header, &render(&draft, annotate))
    }
}

fn refuse(path: &std::path::Path, found: Vec<Diagnostic>) -> Result<(), OrgError> {
    if found.is_empty() { Ok(()) } else { Err(OrgError::wrong(path, found)) }
}

/// As [`header::content`] of the text would be.
fn content(draft: &Draft) -> String {
    let mut lines: Vec<String> = draft
        .cells
        .iter()
        .filter(|(path, _)| path.keys()[0] != METADATA)
        .filter_map(|(path, cell)| Some(format!("{path}\t{}\n", cell.value.as_ref()?)))
        .collect();
    lines.sort();
    header::hash(lines.concat().as_bytes())
}

/// The hash of a chain of profiles.
#[must_use]
pub fn rules_hash(chain: &Chain) -> String {
    let texts: Vec<String> = chain.profiles.iter().map(|it| format!("{}\n{}\n", it.name, it.source.text)).collect();
    header::hash(texts.concat().as_bytes())
}

/// New keys below something that is no table.
fn collisions(draft: &Draft, chain: &Chain) -> Vec<Diagnostic> {
    let mut found: Vec<Diagnostic> = Vec::new();
    for path in &draft.added {
        let mut outer = path.parent();
        while let Some(table) = outer {
            if let Some(leaf) = draft.cells.get(&table).filter(|cell| cell.value.is_some()).and_then(|cell| cell.leaf) {
                let leaf = &draft.document.leaves[leaf];
                let title = format!("`{table}` is no table");
                if !found.iter().any(|it| it.title == title) {
                    let help = format!("`{path}` belongs below it; write [{table}]");
                    found.push(draft.document.shown().error(title, leaf.span.clone(), "a value").help(help));
                }
            }
            outer = table.parent();
        }
        if let Some(wrong) = over_a_table(draft, chain, path) {
            found.push(wrong);
        }
    }
    found
}

/// A value given to what is a table in local.toml.
fn over_a_table(draft: &Draft, chain: &Chain, path: &KeyPath) -> Option<Diagnostic> {
    let cell = draft.cells.get(path).filter(|cell| cell.value.is_some())?;
    if !draft.document.tables.contains_key(path) {
        return None;
    }
    let step = cell.steps.last()?;
    let title = format!("`{path}` is a table and cannot become a value");
    Some(match (step.layer, step.span.clone()) {
        (Layer::Profile(number), Some(span)) => chain.profiles[number].shown.error(title, span, ""),
        (_, Some(span)) => draft.document.shown().error(title, span, ""),
        (_, None) => draft.document.shown().error(title, 0..0, "").help("look at --set"),
    })
}

/// True for rules that change values.
#[must_use]
pub fn changes_values(op: Op) -> bool {
    !matches!(op, Op::Require(_) | Op::Forbid(_))
}
