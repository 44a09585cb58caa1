//! An environment in the making: every value with where it came from.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use crate::config::Value;

use super::profile::{Op, Profile};
use crate::base::diagnostic::SourceText;
use crate::config::document::Document;
use crate::config::path::KeyPath;
use crate::config::value::{same, spelled};

/// What is made of local.toml, layer by layer.
#[derive(Debug, Clone)]
pub struct Draft<'a> {
    /// local.toml.
    pub document: &'a Document,
    /// Every value that is, was or will be there.
    pub values: BTreeMap<KeyPath, ValueState>,
    /// Keys that are new, in the order in which they came.
    pub added: Vec<KeyPath>,
    /// Every table.
    pub tables: BTreeSet<KeyPath>,
}

/// One value and its story.
#[derive(Debug, Clone, PartialEq)]
pub struct ValueState {
    /// What it is now; none if it was removed.
    pub value: Option<Value>,
    /// Which leaf of the document it was.
    pub leaf: Option<usize>,
    /// Its changes, first to last. The value of local.toml is not a change.
    pub changes: Vec<LayerChange>,
}

/// Something that gave a value.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerChange {
    /// The layer.
    pub layer: Layer,
    /// What was done.
    pub operation: Operation,
    /// The value afterwards.
    pub value: Option<Value>,
    /// How it is spelled, if it was written in a file and not computed.
    pub written: Option<String>,
    /// Where it says so, in bytes of the layer's text.
    pub span: Option<Range<usize>>,
}

impl LayerChange {
    /// A value that was computed, or is gone.
    #[must_use]
    pub fn computed(layer: Layer, deed: Operation, value: Option<Value>) -> Self {
        Self { layer, operation: deed, value, written: None, span: None }
    }

    /// The same, set at a place.
    #[must_use]
    pub fn at(self, span: Range<usize>) -> Self {
        Self { span: Some(span), ..self }
    }

    /// The same, spelled so.
    #[must_use]
    pub fn spelled(self, written: Option<String>) -> Self {
        Self { written, ..self }
    }
}

/// Layers that set values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layer {
    /// The profile with this number in the chain.
    Profile(usize),
    /// `[overrides.ENV]` in local.toml.
    Override,
    /// `--set`
    Option,
    /// `${…}`
    Variables,
    /// What every promotion does.
    Promotion,
}

/// What can be done to a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// By a rule of a profile.
    Rule(Op),
    /// A value was given.
    Set,
    /// A key was read under its former name.
    Renamed,
    /// Variables were filled in.
    Expanded,
}

impl Operation {
    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Rule(op) => op.word(),
            Self::Set => "set",
            Self::Renamed => "rename",
            Self::Expanded => "resolve",
        }
    }
}

/// How a value differs from that of local.toml.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiffKind {
    /// It is another.
    Changed,
    /// It is a command that got words.
    FlagAdded,
    /// There was none.
    Added,
    /// There is none any more.
    Removed,
}

impl DiffKind {
    /// The comment behind it.
    #[must_use]
    pub fn comment(self) -> &'static str {
        match self {
            Self::Changed => "Changed",
            Self::FlagAdded => "Flag added",
            Self::Added => "Added",
            Self::Removed => "Removed",
        }
    }
}

/// The table that promotion itself keeps.
pub const METADATA: &str = "metadata";

/// The table of differences between environments.
pub const OVERRIDES: &str = "overrides";

impl<'a> Draft<'a> {
    /// The values of local.toml without its overrides.
    #[must_use]
    pub fn new(document: &'a Document) -> Self {
        let mut draft = Self {
            document,
            values: BTreeMap::new(),
            added: Vec::new(),
            tables: document.tables.keys().cloned().collect(),
        };
        for (number, leaf) in document.leaves.iter().enumerate() {
            let overrides = leaf.path.keys()[0] == OVERRIDES;
            let value = (!overrides).then(|| leaf.value.clone());
            draft.values.insert(leaf.path.clone(), ValueState { value, leaf: Some(number), changes: Vec::new() });
        }
        draft.tables.retain(|path| path.keys().first().is_none_or(|key| key != OVERRIDES));
        draft
    }

    /// The value now.
    #[must_use]
    pub fn value(&self, path: &KeyPath) -> Option<&Value> {
        self.values.get(path)?.value.as_ref()
    }

    /// What local.toml says.
    #[must_use]
    pub fn original(&self, cell: &ValueState) -> Option<&Value> {
        let leaf = &self.document.leaves[cell.leaf?];
        (leaf.path.keys()[0] != OVERRIDES).then_some(&leaf.value)
    }

    /// Gives a value, and remembers who did.
    pub fn set(&mut self, path: &KeyPath, step: LayerChange) {
        let mut outer = path.parent();
        while let Some(table) = outer.filter(|table| !self.tables.contains(table)) {
            outer = table.parent();
            self.tables.insert(table);
        }
        let added = &mut self.added;
        let cell = self.values.entry(path.clone()).or_insert_with(|| {
            added.push(path.clone());
            ValueState { value: None, leaf: None, changes: Vec::new() }
        });
        cell.value.clone_from(&step.value);
        cell.changes.push(step);
    }

    /// Forgets the tables that a pattern fits, with all that is in them. Their values are given or taken one by one.
    pub fn forget_tables(&mut self, pattern: &KeyPath) {
        self.tables.retain(|table| !table.is_below(pattern));
    }

    /// How a value is spelled.
    #[must_use]
    pub fn written(&self, cell: &ValueState) -> Option<String> {
        let value = cell.value.as_ref()?;
        let spelled = match (cell.changes.last(), cell.leaf) {
            (Some(step), _) => step.written.clone(),
            (None, Some(leaf)) => spelled(&self.document.source.text[self.document.leaves[leaf].span.clone()]),
            (None, None) => None,
        };
        Some(spelled.unwrap_or_else(|| value.to_string()))
    }

    /// The existing keys that a pattern fits.
    #[must_use]
    pub fn keys(&self, pattern: &KeyPath) -> Vec<KeyPath> {
        if pattern.wildcard_count() == 0 {
            return self.value(pattern).map(|_| pattern.clone()).into_iter().collect();
        }
        self.targets(pattern).into_iter().filter(|path| self.value(path).is_some()).collect()
    }

    /// The keys that a pattern means, whether they exist or not: one in each table that fits.
    #[must_use]
    pub fn targets(&self, pattern: &KeyPath) -> Vec<KeyPath> {
        if pattern.wildcard_count() == 0 {
            return vec![pattern.clone()];
        }
        let Some(around) = pattern.parent() else { return Vec::new() };
        let tables: Vec<&KeyPath> = self.tables.iter().filter(|table| table.matches(&around)).collect();
        if pattern.last() != "*" {
            return tables.into_iter().map(|table| table.join(pattern.last())).collect();
        }
        self.values.keys().filter(|path| path.matches(pattern)).cloned().collect()
    }

    /// Where a value was written last: in a profile or in local.toml, as messages show it.
    #[must_use]
    pub fn location<'p>(&'p self, cell: &ValueState, chain: &'p ProfileChain) -> (&'p SourceText, Range<usize>) {
        let local = self.document.shown();
        let last = cell.changes.iter().rev().find_map(|step| Some((step.layer, step.span.clone()?)));
        match (last, cell.leaf) {
            (Some((Layer::Profile(number), span)), _) => (&chain.profiles[number].redacted_source, span),
            (Some((_, span)), _) => (local, span),
            (None, Some(leaf)) => (local, self.document.leaves[leaf].span.clone()),
            (None, None) => (local, 0..0),
        }
    }

    /// The lines in which a value was written last.
    #[must_use]
    pub fn line<'p>(&'p self, cell: &ValueState, chain: &'p ProfileChain) -> &'p str {
        let last = cell.changes.iter().rev().find_map(|step| Some((step.layer, step.span.clone()?)));
        let (text, span) = match (last, cell.leaf) {
            (Some((Layer::Profile(number), span)), _) => (&chain.profiles[number].source.text, span),
            (Some((_, span)), _) => (&self.document.source.text, span),
            (None, Some(leaf)) => (&self.document.source.text, self.document.leaves[leaf].span.clone()),
            (None, None) => return "",
        };
        let start = text[..span.start].rfind('\n').map_or(0, |end| end + 1);
        let end = text[span.end..].find('\n').map_or(text.len(), |end| span.end + end);
        &text[start..end]
    }

    /// How a value differs from that of local.toml; none if it does not.
    #[must_use]
    pub fn diff_kind(&self, cell: &ValueState) -> Option<DiffKind> {
        match (self.original(cell), &cell.value) {
            (None, None) => None,
            (None, Some(_)) => Some(DiffKind::Added),
            (Some(_), None) => Some(DiffKind::Removed),
            (Some(before), Some(now)) if same(before, now) => None,
            _ if cell.changes.iter().all(|step| step.operation == Operation::Rule(Op::AppendArgs)) => {
                Some(DiffKind::FlagAdded)
            }
            _ => Some(DiffKind::Changed),
        }
    }
}

/// What an environment is made of, from the root of its profile to the leaf.
#[derive(Debug, Clone)]
pub struct ProfileChain {
    /// At least one; the last is the environment's own.
    pub profiles: Vec<Profile>,
}

impl ProfileChain {
    /// The environment's own profile.
    #[must_use]
    pub fn own(&self) -> &Profile {
        self.profiles.last().expect("a chain has its own profile at the end")
    }
}
