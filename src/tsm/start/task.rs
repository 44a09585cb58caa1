//! Tasks: what ends by itself, and whose end is what was wanted.

use std::time::Duration;

use super::{StartError, Starter, record};
use crate::supervise::meta::{How, Run, State};
use crate::tsm::create::Created;
use crate::tsm::plan::StartPlan;
use crate::tsm::watch::Seen;

/// The pause between two looks.
const STEP: Duration = Duration::from_millis(20);

/// True for what may end by itself: a task, or what has an hour at which it is started again.
pub(in crate::tsm) fn may_end(run: &Run) -> bool {
    run.oneshot || !run.care.cron.is_empty()
}

/// Waits until nothing more is due by itself, however long that takes.
pub(super) fn until_it_ends(created: &Created, starter: &mut Starter) -> Seen {
    loop {
        let Some(meta) = record(&created.dir) else { return Seen::Ended(How::Unknown) };
        if meta.state.is_final() || meta.state == State::Scheduled {
            return Seen::Ended(meta.last_exit.map_or(How::Unknown, |exit| exit.how));
        }
        if !starter.host.pause(STEP) {
            return Seen::Interrupted;
        }
    }
}

impl StartError {
    /// True if all that happened is that a task has ended with success.
    pub(in crate::tsm) fn ended_well(&self, plan: &StartPlan) -> bool {
        matches!(self, Self::Died { how, .. } if how.is_success())
            && (plan.kept.oneshot || !plan.kept.care.cron.is_empty())
    }
}
