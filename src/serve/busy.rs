//! Which connections have an answer under way.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// While it lives, its connection has an answer under way.
pub(super) struct Busy(Arc<AtomicUsize>);

impl Busy {
    /// Counts one more.
    pub(super) fn begin(answers: &Arc<AtomicUsize>) -> Self {
        answers.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(answers))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
