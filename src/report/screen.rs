//! The full-screen view as an interface.

use std::fmt;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use super::{Message, Table};
use crate::base::fault::Fault;
use crate::base::time::Timestamp;

/// A source and its refresh interval.
pub struct Screen {
    /// The pause between two refreshes.
    pub interval: Duration,
    /// The source.
    pub source: Box<dyn ScreenSource>,
}

/// A source of snapshots.
pub trait ScreenSource {
    /// Takes a snapshot, with at most `lines` log lines of the row named `chosen`.
    ///
    /// # Errors
    ///
    /// Fails if the source is gone.
    fn snapshot(&mut self, now: Timestamp, chosen: Option<&str>, lines: usize) -> Result<ScreenSnapshot, Fault>;

    /// Readable when something happened that a snapshot would show; none if there is nothing to wait for.
    fn changes(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    /// Makes [`Self::changes`] unreadable until something else happens. Does not wait.
    fn forget_changes(&mut self) {}
}

/// The state at one moment. Every shown cell has a text.
#[derive(Debug, Clone, Default)]
pub struct ScreenSnapshot {
    /// One row for each entry, with a column `name`.
    pub table: Table,
    /// The last log lines of the selected row.
    pub lines: Vec<Message>,
}

impl fmt::Debug for Screen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Screen").field("every", &self.interval).finish_non_exhaustive()
    }
}
