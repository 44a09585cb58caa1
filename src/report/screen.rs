//! A view of things that change, drawn full-screen until the operator leaves it.

use std::fmt;
use std::time::Duration;

use super::{Message, Table};
use crate::base::fault::Fault;
use crate::base::time::Timestamp;

/// What is drawn, and how often it is looked at again.
pub struct Screen {
    /// The pause between two looks.
    pub interval: Duration,
    /// What is looked at.
    pub source: Box<dyn ScreenSource>,
}

/// Things that change.
pub trait ScreenSource {
    /// Looks at them. `chosen` is the name of the thing whose lines are wanted, at most `lines` of them.
    ///
    /// # Errors
    ///
    /// Fails if there is nothing to be seen any more.
    fn snapshot(&mut self, now: Timestamp, chosen: Option<&str>, lines: usize) -> Result<Snapshot, Fault>;
}

/// What was seen at one moment. Every cell that is shown has a text.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// The things, one a row; the column `name` tells which.
    pub table: Table,
    /// What the chosen one said last.
    pub lines: Vec<Message>,
}

impl fmt::Debug for Screen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Screen").field("every", &self.interval).finish_non_exhaustive()
    }
}
