//! From local.toml to an environment. Pure: nothing is read or written here.

use crate::base::sort::SortExt;
use crate::config::Value;

use super::draft::{Draft, Layer, LayerChange, METADATA, Operation, ProfileChain};
use super::error::OrgError;
use super::header::{self, Header};
use super::overrides::OverrideScope;
use super::profile::ProfileOrigin;
use super::render::{Annotate, render};
use super::set_option::SetOption;
use super::variables::{self, Names};
use super::{alias, apply_profile, constraints, schema, shape};
use crate::base::diagnostic::{Diagnostic, Severity};
use crate::base::environment::EnvName;
use crate::base::fault::FaultKind;
use crate::base::name::OrgName;
use crate::config::document::Document;
use crate::config::path::KeyPath;
use crate::config::value::spelled;

/// What an environment is made of.
#[derive(Debug, Clone)]
pub struct EnvPromotion<'a> {
    /// The organization.
    pub org: &'a OrgName,
    /// The environment.
    pub env: &'a EnvName,
    /// local.toml.
    pub local: &'a Document,
    /// The profile with those that it extends.
    pub chain: &'a ProfileChain,
    /// `--set`
    pub options: &'a [SetOption],
    /// Variables without a dot.
    pub names: &'a Names,
    /// The operator's home directory.
    pub home: Option<&'a str>,
}

/// User and time of the promotion.
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
pub struct PromotionResult<'a> {
    /// Every value with its story.
    pub draft: Draft<'a>,
    /// Of what it says; metadata aside.
    pub content: String,
    /// The hash of local.toml.
    pub source: String,
    /// The hash of the chain.
    pub rules: String,
    /// Warnings.
    pub warnings: Vec<Diagnostic>,
}

impl EnvPromotion<'_> {
    /// Makes the environment.
    ///
    /// # Errors
    ///
    /// Fails with everything that is wrong in local.toml or in the profile, or that violates a condition.
    pub fn run(&self) -> Result<PromotionResult<'_>, OrgError> {
        if self.env.as_str() == "local" {
            return Err(OrgError::PromotedLocal);
        }
        let path = std::path::Path::new(&self.local.source.name);
        let mut found: Vec<Diagnostic> = schema::check(self.local);
        found.retain(|it| it.severity == Severity::Error);
        found.extend(alias::conflicts(self.local));
        fail_if_any(path, found)?;
        let mut draft = Draft::new(self.local);
        alias::rename(&mut draft);
        self.environment(&mut draft);
        apply_profile::profiles(&mut draft, self.chain, self.home).map_err(|found| OrgError::invalid(path, found))?;
        self.overrides().into_iter().for_each(|(path, step)| draft.set(&path, step));
        for SetOption { path, value, written } in self.options {
            let step = LayerChange::computed(Layer::Option, Operation::Set, Some(value.clone()));
            draft.set(path, step.spelled(Some(written.clone())));
        }
        fail_if_any(path, shape::collisions(&draft, self.chain))?;
        let warnings = variables::expand_all(&mut draft, self.chain, self.names)
            .map_err(|found| OrgError::invalid(path, found))?;
        let misfits = schema::check_values(&draft, self.chain);
        if !misfits.is_empty() {
            let what = format!("`@{}` would get invalid values", self.env);
            return Err(OrgError::Invalid { what, found: misfits, kind: FaultKind::Failed });
        }
        let violated = constraints::check_constraints(&draft, self.chain);
        if !violated.is_empty() {
            let count = violated.len();
            let what = format!(
                "`@{}` would violate {} of its profile",
                self.env,
                if count == 1 { "a rule".to_owned() } else { format!("{count} rules") }
            );
            return Err(OrgError::Invalid { what, found: violated, kind: FaultKind::Violated });
        }
        Ok(PromotionResult {
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
            draft.set(&path, LayerChange::computed(Layer::Promotion, Operation::Set, Some(value)));
        }
    }

    /// What local.toml itself wants otherwise for this environment.
    fn overrides(&self) -> Vec<(KeyPath, LayerChange)> {
        let mut steps = Vec::new();
        let whose = OverrideScope { env: self.env, profile: self.chain.own() };
        for leaf in &self.local.leaves {
            let Some(path) = whose.overridden_key(leaf) else { continue };
            let step = LayerChange::computed(Layer::Override, Operation::Set, Some(leaf.value.clone()));
            let written = spelled(&self.local.source.text[leaf.span.clone()]);
            steps.push((path, step.at(leaf.key.start..leaf.span.end).spelled(written)));
        }
        steps
    }

    /// The whole text of the environment.
    ///
    /// # Errors
    ///
    /// Fails if it does not say what was made, which is a bug.
    pub fn text(&self, made: &PromotionResult, stamp: &Stamp, annotate: Annotate) -> Result<String, OrgError> {
        let mut draft = made.draft.clone();
        let options: Vec<Value> = self.options.iter().map(|it| Value::String(it.to_string())).collect();
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
                draft.set(&path, LayerChange::computed(Layer::Promotion, Operation::Set, value));
            }
        }
        let own = self.chain.own();
        let origin = if own.origin == ProfileOrigin::BuiltIn { "builtin" } else { "file" };
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
        match render(&draft, annotate) {
            Ok(text) => Ok(header::with_header(header, &text)),
            Err(keys) => Err(OrgError::RoundTripMismatch { env: self.env.clone(), keys }),
        }
    }
}

fn fail_if_any(path: &std::path::Path, found: Vec<Diagnostic>) -> Result<(), OrgError> {
    if found.is_empty() { Ok(()) } else { Err(OrgError::invalid(path, found)) }
}

/// As [`header::content`] of the text would be.
fn content(draft: &Draft) -> String {
    let mut lines: Vec<String> = draft
        .values
        .iter()
        .filter(|(path, _)| path.keys()[0] != METADATA)
        .filter_map(|(path, cell)| Some(format!("{path}\t{}\n", cell.value.as_ref()?)))
        .collect();
    lines.order();
    header::hash(lines.concat().as_bytes())
}

/// The hash of a chain of profiles.
#[must_use]
pub fn rules_hash(chain: &ProfileChain) -> String {
    let texts: Vec<String> = chain.profiles.iter().map(|it| format!("{}\n{}\n", it.name, it.source.text)).collect();
    header::hash(texts.concat().as_bytes())
}
