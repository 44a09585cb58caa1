//! The processes that the prompt shows.

use std::sync::{Arc, Mutex, PoisonError};

use crate::ops::process_feed::ProcessOverview;

/// The processes as last seen; replaced while the prompt is shown, so that looking never holds it back.
#[derive(Debug, Clone, Default)]
pub struct SharedOverview(Arc<Mutex<ProcessOverview>>);

impl SharedOverview {
    /// Replaces what was seen.
    pub fn set(&self, overview: ProcessOverview) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = overview;
    }

    /// Looks at what was seen last.
    pub(super) fn with<T>(&self, look: impl FnOnce(&ProcessOverview) -> T) -> T {
        look(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
