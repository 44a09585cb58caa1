//! The state of the session that the parts of the editor read.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::command::complete::DiskSource;

/// A snapshot of the session for completion, highlighting and hints; replaced before every prompt.
#[derive(Debug, Clone)]
pub struct SharedSnapshot(Arc<Mutex<DiskSource>>);

impl SharedSnapshot {
    /// A snapshot of this state.
    #[must_use]
    pub fn new(disk: DiskSource) -> Self {
        Self(Arc::new(Mutex::new(disk)))
    }

    /// The current state. The lock of a thread that panicked is taken over.
    pub fn lock(&self) -> MutexGuard<'_, DiskSource> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
        })
    }
}
