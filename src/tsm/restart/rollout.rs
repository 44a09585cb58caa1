//! The order in which instances are restarted: those of one group follow each other, and none follows one that is not ready.

use std::collections::BTreeMap;

use super::{RestartOptions, RestartResult};
use crate::base::name::ProcessName;
use crate::tsm::instances;
use crate::tsm::options::Strategy;
use crate::tsm::request::StartContext;
use crate::tsm::store::Process;

/// The groups of processes that are restarted, and which of them were given up.
pub(super) struct RollingRestart {
    /// The name of each process, and the group in which it waits for the others; none for one that waits for nothing.
    steps: Vec<(ProcessName, Option<String>)>,
    /// The groups of which an instance was not ready, with its name.
    given_up: BTreeMap<String, ProcessName>,
}

impl RollingRestart {
    pub(super) fn new(processes: &[&Process], context: &StartContext, options: RestartOptions) -> Self {
        let group = |process: &Process| {
            let own = if process.meta.run.recreate { Strategy::Recreate } else { Strategy::Rolling };
            let group = instances::group_of(process, context.processes);
            (!group.is_empty() && options.strategy.unwrap_or(own) == Strategy::Rolling).then_some(group)
        };
        let steps = processes.iter().map(|process| (process.name.clone(), group(process))).collect();
        Self { steps, given_up: BTreeMap::new() }
    }

    /// The processes in waves: those of one group follow each other, all others are in the first.
    pub(super) fn waves(&self) -> Vec<Vec<usize>> {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        let mut waves: Vec<Vec<usize>> = Vec::new();
        for (index, (_, group)) in self.steps.iter().enumerate() {
            let wave = group.as_deref().map_or(0, |group| {
                let count = counts.entry(group).or_default();
                *count += 1;
                *count - 1
            });
            waves.resize_with(waves.len().max(wave + 1), Vec::new);
            waves[wave].push(index);
        }
        waves
    }

    /// The rest of its group stays as it is behind one that is not ready.
    pub(super) fn note(&mut self, index: usize, answer: &RestartResult) {
        let is_ready = answer.as_ref().is_ok_and(|risen| risen.readiness.is_ready());
        if let (name, Some(group)) = &self.steps[index]
            && !is_ready
        {
            self.given_up.entry(group.clone()).or_insert_with(|| name.clone());
        }
    }

    /// The one of its group that was not ready; none if it can go on.
    pub(super) fn failed_before(&self, index: usize) -> Option<ProcessName> {
        self.given_up.get(self.steps[index].1.as_ref()?).cloned()
    }
}
