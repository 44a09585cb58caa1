//! A view of things that change, drawn full-screen until the operator leaves it.

use std::fmt;
use std::time::Duration;

use super::{Sentence, Table};
use crate::base::fault::Fault;
use crate::base::time::Timestamp;

/// What is drawn, and how often it is looked at again.
pub struct Screen {
    /// The pause between two looks.
    pub every: Duration,
    /// What is looked at.
    pub scene: Box<dyn Scene>,
}

/// Things that change.
pub trait Scene {
    /// Looks at them. `chosen` is the name of the thing whose lines are wanted, at most `lines` of them.
    ///
    /// # Errors
    ///
    /// Fails if there is nothing to be seen any more.
    fn look(&mut self, now: Timestamp, chosen: Option<&str>, lines: usize) -> Result<Picture, Fault>;
}

/// What was seen at one moment. Every cell that is shown has a text.
#[derive(Debug, Clone, Default)]
pub struct Picture {
    /// The things, one a row; the column `name` tells which.
    pub table: Table,
    /// What the chosen one said last.
    pub lines: Vec<Sentence>,
}

impl fmt::Debug for Screen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Screen").field("every", &self.every).finish_non_exhaustive()
    }
}
