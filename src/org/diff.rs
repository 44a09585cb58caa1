//! What differs, value by value, and which layer set it.

use std::collections::BTreeSet;

use crate::base::sort::SortExt;
use crate::config::Value;

use super::draft::{DiffKind, Draft, Layer, LayerChange, METADATA, OVERRIDES, Operation, ProfileChain};
use super::profile::{Profile, ProfileOrigin};
use super::promote::PromotionResult;
use crate::config::document::Document;
use crate::config::path::KeyPath;
use crate::config::value::both_same;

/// One key that is not the same everywhere.
#[derive(Debug, Clone, PartialEq)]
pub struct DiffRow {
    /// The key.
    pub path: KeyPath,
    /// What local.toml says.
    pub local: Option<Value>,
    /// What a promotion would write.
    pub promoted: Option<Value>,
    /// What is written now.
    pub current: Option<Value>,
    /// How the promotion changes local.toml here; none if it does not.
    pub kind: Option<DiffKind>,
    /// The layer that set the value last.
    pub source: Option<ValueSource>,
}

impl DiffRow {
    /// True if what is written now is not what a promotion would write.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        !both_same(self.current.as_ref(), self.promoted.as_ref())
    }
}

/// The layer that set a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValueSource {
    /// Its name.
    pub layer: String,
    /// Its file and line, if it has one.
    pub at: Option<(String, usize)>,
}

/// One chapter of the story of a value.
#[derive(Debug, Clone, PartialEq)]
pub struct Provenance {
    /// The layer.
    pub source: ValueSource,
    /// What was done.
    pub operation: Operation,
    /// The value afterwards.
    pub value: Option<Value>,
}

/// Every key that a promotion changes, or that is not there as it would be.
#[must_use]
pub fn diff_with_current(made: &PromotionResult, chain: &ProfileChain, there: Option<&Document>) -> Vec<DiffRow> {
    let draft = &made.draft;
    let known = |document: &Document| document.leaves.iter().map(|leaf| leaf.path.clone()).collect::<Vec<_>>();
    let mut paths: BTreeSet<KeyPath> = draft.values.keys().cloned().collect();
    paths.extend(there.map(known).unwrap_or_default());
    paths.retain(|path| ![METADATA, OVERRIDES].contains(&path.keys()[0].as_str()));
    let row = |path: KeyPath| {
        let cell = draft.values.get(&path);
        let row = DiffRow {
            local: cell.and_then(|cell| draft.original(cell)).cloned(),
            promoted: cell.and_then(|cell| cell.value.clone()),
            current: there.and_then(|it| it.leaf(&path)).map(|leaf| leaf.value.clone()),
            kind: cell.and_then(|cell| draft.diff_kind(cell)),
            source: cell.and_then(|cell| cell.changes.last()).map(|step| source(step, draft.document, chain)),
            path,
        };
        let stale = there.is_some() && row.is_stale();
        (row.kind.is_some() || stale).then_some(row)
    };
    let place = |row: &DiffRow| draft.values.get(&row.path).and_then(|cell| cell.leaf).unwrap_or(usize::MAX);
    let mut rows: Vec<DiffRow> = paths.into_iter().filter_map(row).collect();
    rows.order_by_key(place);
    rows
}

/// A key whose value differs between two documents.
#[derive(Debug, Clone, PartialEq)]
pub struct ValueChange {
    /// The key.
    pub path: KeyPath,
    /// Its value in the first document, if it is there.
    pub before: Option<Value>,
    /// Its value in the second document, if it is there.
    pub after: Option<Value>,
}

/// Every key that differs between two documents.
#[must_use]
pub fn diff_documents(one: &Document, other: &Document) -> Vec<ValueChange> {
    let mut found = Vec::new();
    let ours = |path: &KeyPath| ![METADATA, OVERRIDES].contains(&path.keys()[0].as_str());
    for leaf in one.leaves.iter().filter(|leaf| ours(&leaf.path)) {
        let there = other.leaf(&leaf.path).map(|leaf| leaf.value.clone());
        if !both_same(there.as_ref(), Some(&leaf.value)) {
            found.push(ValueChange { path: leaf.path.clone(), before: Some(leaf.value.clone()), after: there });
        }
    }
    for leaf in other.leaves.iter().filter(|leaf| ours(&leaf.path) && one.leaf(&leaf.path).is_none()) {
        found.push(ValueChange { path: leaf.path.clone(), before: None, after: Some(leaf.value.clone()) });
    }
    found
}

/// The layers of a value, the first one first; none if there is no such key.
#[must_use]
pub fn provenance(draft: &Draft, chain: &ProfileChain, path: &KeyPath) -> Option<Vec<Provenance>> {
    let cell = draft.values.get(path)?;
    let mut layers = Vec::new();
    if let (Some(value), Some(leaf)) = (draft.original(cell), cell.leaf) {
        let at = draft.document.leaves[leaf].key.start;
        let source = ValueSource { layer: "local.toml".to_owned(), at: Some(local_at(draft.document, at)) };
        layers.push(Provenance { source, operation: Operation::Set, value: Some(value.clone()) });
    }
    for step in &cell.changes {
        layers.push(Provenance {
            source: source(step, draft.document, chain),
            operation: step.operation,
            value: step.value.clone(),
        });
    }
    (!layers.is_empty()).then_some(layers)
}

fn source(step: &LayerChange, document: &Document, chain: &ProfileChain) -> ValueSource {
    match step.layer {
        Layer::Profile(number) => {
            let profile = &chain.profiles[number];
            let at =
                step.span.as_ref().map(|span| (profile.source.name.clone(), line(&profile.source.text, span.start)));
            ValueSource { layer: profile_label(profile), at }
        }
        Layer::Override => {
            let at = step.span.as_ref().map(|span| local_at(document, span.start));
            ValueSource { layer: "overrides".to_owned(), at }
        }
        Layer::Option => ValueSource { layer: "--set".to_owned(), at: None },
        Layer::Variables => ValueSource { layer: "variables".to_owned(), at: None },
        Layer::Promotion => ValueSource { layer: "promote".to_owned(), at: None },
    }
}

/// How a profile is called in reports.
#[must_use]
pub fn profile_label(profile: &Profile) -> String {
    match profile.origin {
        ProfileOrigin::BuiltIn => format!("{} (built-in)", profile.name),
        ProfileOrigin::File => profile.name.clone(),
    }
}

fn local_at(document: &Document, at: usize) -> (String, usize) {
    (document.source.name.clone(), document.line(at))
}

fn line(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}
