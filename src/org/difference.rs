//! What differs, value by value, and who wanted it so.

use std::collections::BTreeSet;

use toml::Value;

use super::document::Document;
use super::draft::{Chain, Deed, Difference, Draft, Layer, METADATA, OVERRIDES, Step};
use super::path::KeyPath;
use super::profile::{Origin, Profile};
use super::promote::Made;
use super::value::both_same;

/// One key that is not the same everywhere.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The key.
    pub path: KeyPath,
    /// What local.toml says.
    pub local: Option<Value>,
    /// What a promotion would write.
    pub promoted: Option<Value>,
    /// What is written now.
    pub there: Option<Value>,
    /// How the promotion changes local.toml here; none if it does not.
    pub how: Option<Difference>,
    /// Who gave the value last.
    pub by: Option<Source>,
}

impl Row {
    /// True if what is written now is not what a promotion would write.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        !both_same(self.there.as_ref(), self.promoted.as_ref())
    }
}

/// Who gave a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// What it is called.
    pub layer: String,
    /// Its file and line, if it has one.
    pub at: Option<(String, usize)>,
}

/// One chapter of the story of a value.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    /// Who.
    pub source: Source,
    /// What was done.
    pub deed: Deed,
    /// The value afterwards.
    pub value: Option<Value>,
}

/// Every key that a promotion changes, or that is not there as it would be.
#[must_use]
pub fn against(made: &Made, chain: &Chain, there: Option<&Document>) -> Vec<Row> {
    let draft = &made.draft;
    let known = |document: &Document| document.leaves.iter().map(|leaf| leaf.path.clone()).collect::<Vec<_>>();
    let mut paths: BTreeSet<KeyPath> = draft.cells.keys().cloned().collect();
    paths.extend(there.map(known).unwrap_or_default());
    paths.retain(|path| ![METADATA, OVERRIDES].contains(&path.keys()[0].as_str()));
    let row = |path: KeyPath| {
        let cell = draft.cells.get(&path);
        let row = Row {
            local: cell.and_then(|cell| draft.before(cell)).cloned(),
            promoted: cell.and_then(|cell| cell.value.clone()),
            there: there.and_then(|it| it.leaf(&path)).map(|leaf| leaf.value.clone()),
            how: cell.and_then(|cell| draft.difference(cell)),
            by: cell.and_then(|cell| cell.steps.last()).map(|step| source(step, draft.document, chain)),
            path,
        };
        let stale = there.is_some() && row.is_stale();
        (row.how.is_some() || stale).then_some(row)
    };
    let place = |row: &Row| draft.cells.get(&row.path).and_then(|cell| cell.leaf).unwrap_or(usize::MAX);
    let mut rows: Vec<Row> = paths.into_iter().filter_map(row).collect();
    rows.sort_by_key(place);
    rows
}

/// Every key that is not the same in two files: key, value in the first, value in the second.
#[must_use]
pub fn between(one: &Document, other: &Document) -> Vec<(KeyPath, Option<Value>, Option<Value>)> {
    let mut found = Vec::new();
    let ours = |path: &KeyPath| ![METADATA, OVERRIDES].contains(&path.keys()[0].as_str());
    for leaf in one.leaves.iter().filter(|leaf| ours(&leaf.path)) {
        let there = other.leaf(&leaf.path).map(|leaf| leaf.value.clone());
        if !both_same(there.as_ref(), Some(&leaf.value)) {
            found.push((leaf.path.clone(), Some(leaf.value.clone()), there));
        }
    }
    for leaf in other.leaves.iter().filter(|leaf| ours(&leaf.path) && one.leaf(&leaf.path).is_none()) {
        found.push((leaf.path.clone(), None, Some(leaf.value.clone())));
    }
    found
}

/// The story of a value, first chapter first; none if there is no such key.
#[must_use]
pub fn story(draft: &Draft, chain: &Chain, path: &KeyPath) -> Option<Vec<Told>> {
    let cell = draft.cells.get(path)?;
    let mut told = Vec::new();
    if let (Some(value), Some(leaf)) = (draft.before(cell), cell.leaf) {
        let at = draft.document.leaves[leaf].key.start;
        let source = Source { layer: "local.toml".to_owned(), at: Some(local_at(draft.document, at)) };
        told.push(Told { source, deed: Deed::Set, value: Some(value.clone()) });
    }
    for step in &cell.steps {
        told.push(Told { source: source(step, draft.document, chain), deed: step.deed, value: step.value.clone() });
    }
    (!told.is_empty()).then_some(told)
}

fn source(step: &Step, document: &Document, chain: &Chain) -> Source {
    match step.layer {
        Layer::Profile(number) => {
            let profile = &chain.profiles[number];
            let at =
                step.span.as_ref().map(|span| (profile.source.name.clone(), line(&profile.source.text, span.start)));
            Source { layer: called(profile), at }
        }
        Layer::Override => {
            let at = step.span.as_ref().map(|span| local_at(document, span.start));
            Source { layer: "overrides".to_owned(), at }
        }
        Layer::Option => Source { layer: "--set".to_owned(), at: None },
        Layer::Variables => Source { layer: "variables".to_owned(), at: None },
        Layer::Promotion => Source { layer: "promote".to_owned(), at: None },
    }
}

/// How a profile is called in reports.
#[must_use]
pub fn called(profile: &Profile) -> String {
    match profile.origin {
        Origin::BuiltIn => format!("{} (built-in)", profile.name),
        Origin::File => profile.name.clone(),
    }
}

fn local_at(document: &Document, at: usize) -> (String, usize) {
    (document.source.name.clone(), document.line(at))
}

fn line(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}
