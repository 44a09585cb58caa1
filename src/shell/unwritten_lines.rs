//! The lines of the prompt that the history has not got yet.

use std::sync::{Arc, Mutex, PoisonError};

use crate::sys::history::HistoryEntry;

/// The lines that are not written yet, latest first, for a search and for `history`; all copies share them.
#[derive(Debug, Clone, Default)]
pub struct UnwrittenLines(Arc<Mutex<Vec<HistoryEntry>>>);

impl UnwrittenLines {
    /// Looks at them.
    pub(super) fn with<T>(&self, look: impl FnOnce(&[HistoryEntry]) -> T) -> T {
        look(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// They are these from now on.
    pub(super) fn set(&self, lines: Vec<HistoryEntry>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = lines;
    }
}
