//! Replacing supervisors in place: children keep running, with their pids and every byte they write.

use std::time::Duration;

use super::control::{Control, ControlError};
use super::store::Process;
use crate::supervise::recovery;

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Upgraded {
    /// Another program supervises now.
    Replaced,
    /// It was this program already.
    Current,
}

/// How long a supervisor may take. One that runs a pre-start command waits for its end.
const SUPERVISOR_TIMEOUT: Duration = Duration::from_secs(10);

impl Control<'_> {
    /// True when this very program supervises the process.
    #[must_use]
    pub fn is_current(&self, process: &Process) -> bool {
        recovery::runs_program(&process.dir, self.program)
    }

    /// Puts this program in the place of every supervisor that is another one, all at the same time. The answers are in the
    /// order of the processes.
    pub fn upgrade(&self, processes: &[&Process]) -> Vec<Result<Upgraded, ControlError>> {
        let begin = |process: &&Process| {
            if self.is_current(process) {
                return Ok(Upgraded::Current);
            }
            super::control::check_owner(process)?;
            let replaced = recovery::upgrade(&process.dir, self.program).map(|()| Upgraded::Replaced);
            replaced.map_err(|source| ControlError::Send { name: process.name.clone(), source })
        };
        let begun: Vec<_> = processes.iter().map(begin).collect();
        let finish = |(process, begun): (&&Process, Result<Upgraded, ControlError>)| match begun? {
            Upgraded::Current => Ok(Upgraded::Current),
            Upgraded::Replaced => self.wait_for_successor(process).map(|()| Upgraded::Replaced),
        };
        processes.iter().zip(begun).map(finish).collect()
    }

    /// A new worker has written its record, and its guard is this program; or none is needed any more.
    fn wait_for_successor(&self, process: &Process) -> Result<(), ControlError> {
        let before = process.meta.run_state.worker_pid;
        let changed = self.wait_until(process, SUPERVISOR_TIMEOUT, |meta| {
            meta.state.is_final()
                || meta.run_state.worker_pid != before && recovery::runs_program(&process.dir, self.program)
        });
        match changed {
            Err(ControlError::NotEnded { .. }) => Err(ControlError::NotReplaced { name: process.name.clone() }),
            changed => changed.map(drop),
        }
    }
}
