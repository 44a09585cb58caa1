//! The state of the session that the parts of the editor read.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Bound, Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::prompt::ContextPrompt;
use crate::command::complete::{CandidateSource, DiskSource, NameFit, NameKind};
use crate::report::theme::Theme;

/// A snapshot of the session for completion, highlighting and hints; replaced before every prompt.
#[derive(Debug, Clone)]
pub struct SharedSnapshot(Arc<Mutex<Snapshot>>);

/// The state of the session at its last prompt.
#[derive(Debug)]
pub struct Snapshot {
    source: DiskSource,
    /// The theme.
    pub theme: Theme,
    /// The prompt that is shown; none before the first.
    pub prompt: Option<ContextPrompt>,
    /// The names of each kind that was asked for, read once for each prompt: highlighting asks at every key.
    names: BTreeMap<NameKind, BTreeSet<String>>,
    /// The menus that are open below the line.
    pub(super) open_menus: usize,
}

impl SharedSnapshot {
    /// A snapshot of this state.
    #[must_use]
    pub fn new(source: DiskSource) -> Self {
        let names = BTreeMap::new();
        Self(Arc::new(Mutex::new(Snapshot { source, theme: Theme::default(), prompt: None, names, open_menus: 0 })))
    }

    /// The current state. The lock of a thread that panicked is taken over.
    pub fn lock(&self) -> MutexGuard<'_, Snapshot> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Replaces the state.
    pub(super) fn replace(&self, source: DiskSource, theme: Theme, prompt: ContextPrompt) {
        *self.lock() = Snapshot { source, theme, prompt: Some(prompt), names: BTreeMap::new(), open_menus: 0 };
    }
}

impl Snapshot {
    /// True for a name, or the beginning of one, that existed when one of its kind was first asked for at this prompt.
    pub(super) fn is_name(&mut self, kind: NameKind, name: &str, fit: NameFit) -> bool {
        let source = &self.source;
        let names = self.names.entry(kind).or_insert_with(|| source.names(kind).into_iter().collect());
        match fit {
            NameFit::Whole => names.contains(name),
            NameFit::Beginning => {
                let from = (Bound::Included(name), Bound::Unbounded);
                names.range::<str, _>(from).next().is_some_and(|known| known.starts_with(name))
            }
        }
    }
}

impl Deref for Snapshot {
    type Target = DiskSource;

    fn deref(&self) -> &DiskSource {
        &self.source
    }
}

impl DerefMut for Snapshot {
    fn deref_mut(&mut self) -> &mut DiskSource {
        &mut self.source
    }
}

#[cfg(test)]
impl Default for SharedSnapshot {
    fn default() -> Self {
        let nowhere = std::path::PathBuf::from("/nonexistent");
        Self::new(DiskSource {
            paths: crate::sys::paths::Paths::under(&nowhere),
            selection: crate::command::Selection::default(),
            cwd: nowhere.clone(),
            home: nowhere,
            aliases: Vec::new(),
            abbreviations: Vec::new(),
            programs: String::new(),
            variables: Vec::new(),
        })
    }
}
