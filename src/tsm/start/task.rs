//! Tasks: what ends by itself, and whose end is what was wanted.

use std::time::Duration;

use super::{StartDeps, StartError, record};
use crate::supervise::meta::{ExitStatus, ProcessState, RunSpec};
use crate::tsm::create::Created;
use crate::tsm::plan::StartPlan;
use crate::tsm::readiness::Readiness;

/// The pause between two looks.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// True for what may end by itself: a task, or what is started again by a schedule or a change of its files.
pub(in crate::tsm) fn may_end(run: &RunSpec) -> bool {
    run.oneshot || run.monitor.starts_again()
}

/// Waits until nothing more is due by itself, however long that takes.
pub(super) fn wait_until_exit(created: &Created, deps: &mut StartDeps) -> Readiness {
    loop {
        let Some(meta) = record(&created.dir) else { return Readiness::Ended(ExitStatus::Unknown) };
        if meta.state.is_final() || meta.state == ProcessState::Scheduled {
            return Readiness::Ended(meta.last_exit.map_or(ExitStatus::Unknown, |exit| exit.status));
        }
        if !deps.host.sleep(POLL_INTERVAL) {
            return Readiness::Interrupted;
        }
    }
}

impl StartError {
    /// True if all that happened is that what may end by itself has ended with success.
    pub(in crate::tsm) fn is_success(&self, plan: &StartPlan) -> bool {
        matches!(self, Self::Died { how, .. } if how.is_success())
            && (plan.settings.oneshot || plan.settings.monitor.starts_again())
    }
}
