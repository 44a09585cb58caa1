//! What is true about a process, against what its file says.
//!
//! `meta.json` is written by a supervisor, and supervisors can be killed, machines restarted, files damaged. So every reader
//! derives: the lock says whether a supervisor runs, pid and start time and boot id say whether the child still is the child.

use std::time::Duration;

use crate::supervise::meta::{Meta, ProcessState, ProcessStatus, RestartPolicy};

/// How long after the record was written a start without pid and without supervisor counts as going on.
pub const START_GRACE: Duration = Duration::from_secs(5);

/// What is true now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LiveState {
    /// The state, derived.
    pub state: ProcessState,
    /// The worker lock is held.
    pub supervised: bool,
    /// The child lives. Taken from the record where a supervisor vouches for it.
    pub alive: bool,
    /// The child has ended, and supervisors that are stopped (SIGSTOP) do not see it.
    pub stalled: bool,
    /// A restart is due that no supervisor will make: child and supervisors were killed, or the supervisors in the middle of it.
    pub cut_off: bool,
}

impl LiveState {
    /// Of a process of which nothing can be said.
    pub const UNKNOWN: Self =
        Self { state: ProcessState::Unknown, supervised: false, alive: false, stalled: false, cut_off: false };

    /// Nothing can be said of it: neither that it runs nor that it does not. So nothing is done to it.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        self.state == ProcessState::Unknown
    }

    /// A child lives, or is due to be started again, and no supervisor runs: one has to take over.
    #[must_use]
    pub fn needs_supervisor(&self) -> bool {
        !self.supervised
            && (self.alive || self.cut_off || matches!(self.state, ProcessState::Waiting | ProcessState::Scheduled))
    }
}

/// What the record alone cannot know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Observed {
    /// The worker lock is held.
    pub supervised: bool,
    /// The pid of the record is alive and has its start time.
    pub child_lives: bool,
    /// Guard or worker were stopped by a signal.
    pub stopped: bool,
    /// The record is of this boot.
    pub this_boot: bool,
    /// The record was written less than [`START_GRACE`] ago.
    pub fresh: bool,
}

/// Derives the truth.
///
/// A supervisor knows best. Without one, what is recorded as running runs only if the very same process lives, and a record of
/// another boot describes processes that are gone.
#[must_use]
pub fn derive(meta: &Meta, facts: Observed) -> LiveState {
    let supervised = facts.supervised;
    if supervised {
        let alive = meta.pid != 0
            && matches!(meta.state, ProcessState::Starting | ProcessState::Online | ProcessState::Stopping);
        let stalled = alive && meta.state == ProcessState::Online && !facts.child_lives && facts.stopped;
        let state = if stalled { ProcessState::Crashed } else { meta.state };
        return LiveState { state, supervised, alive: alive && !stalled, stalled, cut_off: false };
    }
    let alive = facts.this_boot && facts.child_lives;
    let state = match meta.state {
        ProcessState::Starting if alive => ProcessState::Online,
        ProcessState::Starting if meta.pid == 0 && facts.fresh => ProcessState::Starting,
        ProcessState::Online | ProcessState::Stopping if alive => meta.state,
        // The stop was ordered and the child is gone: that is the wanted result.
        ProcessState::Stopping => ProcessState::Stopped,
        ProcessState::Waiting | ProcessState::Scheduled if facts.this_boot => meta.state,
        ProcessState::Starting | ProcessState::Online | ProcessState::Waiting | ProcessState::Scheduled => {
            ProcessState::Crashed
        }
        ProcessState::Stopped | ProcessState::Crashed | ProcessState::Errored | ProcessState::Unknown => meta.state,
    };
    let alive = alive && state.status() == ProcessStatus::Online;
    let cut_off = facts.this_boot && !alive && is_cut_off(meta);
    LiveState { state, supervised, alive, stalled: false, cut_off }
}

/// True if the record is that of a life whose end would have been followed by another one.
fn is_cut_off(meta: &Meta) -> bool {
    match meta.state {
        ProcessState::Online => meta.run.restart != RestartPolicy::Never,
        // A first start that was reported as failed must not come up later.
        ProcessState::Starting => {
            meta.run_state.starter_pid == 0 && meta.restarts > 0 && meta.run.restart != RestartPolicy::Never
        }
        ProcessState::Stopping => meta.run_state.start_pending,
        ProcessState::Waiting
        | ProcessState::Scheduled
        | ProcessState::Stopped
        | ProcessState::Crashed
        | ProcessState::Errored
        | ProcessState::Unknown => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meta(state: ProcessState, pid: u32) -> Meta {
        let text = format!(
            r#"{{"tsm_id":0,"name":"api","pid":{pid},"command":"x","cwd":"/","state":"{}"}}"#,
            serde_json::to_value(state).expect("a state").as_str().expect("a word")
        );
        serde_json::from_str(&text).expect("a record")
    }

    const GONE: Observed =
        Observed { supervised: false, child_lives: false, stopped: false, this_boot: true, fresh: false };

    #[test]
    fn a_supervisor_is_believed() {
        for state in [
            ProcessState::Online,
            ProcessState::Waiting,
            ProcessState::Crashed,
            ProcessState::Stopped,
            ProcessState::Errored,
        ] {
            let view = derive(&meta(state, 1), Observed { supervised: true, ..GONE });
            assert_eq!((view.state, view.supervised), (state, true));
        }
    }

    #[test]
    fn a_supervisor_that_is_stopped_is_not_believed_about_a_child_that_ended() {
        let online = meta(ProcessState::Online, 1);
        for (child_lives, stopped, state) in [
            (true, true, ProcessState::Online),
            (false, false, ProcessState::Online),
            (false, true, ProcessState::Crashed),
        ] {
            let view = derive(&online, Observed { supervised: true, child_lives, stopped, ..GONE });
            assert_eq!((view.state, view.stalled), (state, state == ProcessState::Crashed));
        }
    }

    #[test]
    fn a_restart_that_was_left_over_is_made_up_for() {
        let policy = |restart: RestartPolicy| {
            let mut meta = meta(ProcessState::Online, 77);
            meta.run.restart = restart;
            derive(&meta, GONE)
        };
        assert!(
            [RestartPolicy::Always, RestartPolicy::OnFailure].iter().all(|restart| policy(*restart).needs_supervisor())
        );
        let never = policy(RestartPolicy::Never);
        assert_eq!((never.state, never.needs_supervisor()), (ProcessState::Crashed, false));
        let mut restarted = meta(ProcessState::Stopping, 77);
        restarted.run_state.start_pending = true;
        assert!(derive(&restarted, GONE).needs_supervisor());
    }

    #[test]
    fn recorded_online_without_supervisor_and_child_is_crashed() {
        let view = derive(&meta(ProcessState::Online, 77), GONE);
        assert_eq!(
            (view.state, view.state.status(), view.alive),
            (ProcessState::Crashed, ProcessStatus::Crashed, false)
        );
    }

    #[test]
    fn a_living_child_without_supervisor_is_online_and_wants_one() {
        let view = derive(&meta(ProcessState::Online, 77), Observed { child_lives: true, ..GONE });
        assert_eq!(view.state, ProcessState::Online);
        assert!(view.needs_supervisor());
    }

    #[test]
    fn after_a_reboot_a_stale_online_is_crashed_even_if_the_pid_is_taken_again() {
        let view = derive(&meta(ProcessState::Online, 77), Observed { child_lives: true, this_boot: false, ..GONE });
        assert_eq!((view.state, view.needs_supervisor()), (ProcessState::Crashed, false));
    }

    #[test]
    fn a_start_is_given_a_moment_to_find_its_supervisor() {
        assert_eq!(
            derive(&meta(ProcessState::Starting, 0), Observed { fresh: true, ..GONE }).state,
            ProcessState::Starting
        );
        assert_eq!(derive(&meta(ProcessState::Starting, 0), GONE).state, ProcessState::Crashed);
    }

    #[test]
    fn a_restart_that_was_left_over_wants_a_supervisor_in_this_boot_and_is_a_crash_after_it() {
        let view = derive(&meta(ProcessState::Waiting, 0), GONE);
        assert_eq!((view.state, view.needs_supervisor()), (ProcessState::Waiting, true));
        let view = derive(&meta(ProcessState::Waiting, 0), Observed { this_boot: false, ..GONE });
        assert_eq!((view.state, view.needs_supervisor()), (ProcessState::Crashed, false));
    }

    #[test]
    fn what_was_being_stopped_and_is_gone_is_stopped() {
        assert_eq!(derive(&meta(ProcessState::Stopping, 77), GONE).state, ProcessState::Stopped);
    }

    #[test]
    fn what_ended_stays_ended_though_its_last_pid_may_live_again() {
        for state in [ProcessState::Stopped, ProcessState::Crashed, ProcessState::Errored] {
            let view = derive(&meta(state, 77), Observed { child_lives: true, ..GONE });
            assert_eq!((view.state, view.alive), (state, false));
        }
    }
}
