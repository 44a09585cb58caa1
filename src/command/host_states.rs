//! Where each of several hosts is, shown while they are worked on.

use crate::report::{Console, TargetState};
use crate::sys::host::Host;
use crate::tkm::many::Update;

/// Shows where each host is: after each step, and again where nothing is said.
pub(super) struct HostStates<'a> {
    console: &'a mut dyn Console,
    clock: &'a dyn Host,
    targets: Vec<TargetState>,
}

impl<'a> HostStates<'a> {
    /// Of hosts with these names.
    pub(super) fn new<'n>(
        console: &'a mut dyn Console,
        clock: &'a dyn Host,
        names: impl Iterator<Item = &'n str>,
    ) -> Self {
        let targets = names.map(|name| TargetState::waiting(name, clock.now())).collect();
        Self { console, clock, targets }
    }

    /// Shows what there is of the host with an index.
    pub(super) fn show(&mut self, index: usize, update: Update) {
        let now = self.clock.now();
        match update {
            Update::Said(text) => self.targets[index].is_now(&text, now),
            Update::Still(how_long) => self.targets[index].is_still(how_long, now),
        }
        self.console.progress(&self.targets, Some(index));
    }

    /// The result follows.
    pub(super) fn end(self) {
        self.console.end_progress();
    }
}
