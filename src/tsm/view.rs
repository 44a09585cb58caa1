//! What is true about a process, against what its file says.
//!
//! `meta.json` is written by a supervisor, and supervisors can be killed, machines restarted, files damaged. So every reader
//! derives: the lock says whether somebody supervises, pid and start time and boot id say whether the child still is the child.

use std::time::Duration;

use crate::supervise::meta::{Meta, State};

/// How long after the record was written a start without pid and without supervisor counts as going on.
pub const START_GRACE: Duration = Duration::from_secs(5);

/// What is true now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct View {
    /// The state, derived.
    pub state: State,
    /// Somebody holds the worker lock.
    pub supervised: bool,
    /// The child lives. Taken from the record where a supervisor vouches for it.
    pub alive: bool,
}

impl View {
    /// A child lives, or is due to be started again, and nobody watches: a supervisor has to take over.
    #[must_use]
    pub fn wants_supervisor(&self) -> bool {
        !self.supervised && (self.alive || self.state == State::Waiting)
    }
}

/// What the record alone cannot know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// Somebody holds the worker lock.
    pub supervised: bool,
    /// The pid of the record is alive and has its start time.
    pub child_lives: bool,
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
pub fn derive(meta: &Meta, facts: Facts) -> View {
    let supervised = facts.supervised;
    if supervised {
        let alive = meta.pid != 0 && matches!(meta.state, State::Starting | State::Online | State::Stopping);
        return View { state: meta.state, supervised, alive };
    }
    let alive = facts.this_boot && facts.child_lives;
    let state = match meta.state {
        State::Starting if alive => State::Online,
        State::Starting if meta.pid == 0 && facts.fresh => State::Starting,
        State::Online | State::Stopping if alive => meta.state,
        // The order to stop was given and the child is gone: that is what was wanted.
        State::Stopping => State::Stopped,
        State::Waiting if facts.this_boot => State::Waiting,
        State::Starting | State::Online | State::Waiting => State::Crashed,
        State::Stopped | State::Crashed | State::Errored => meta.state,
    };
    View { state, supervised, alive: alive && state.status() == crate::supervise::meta::Status::Online }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::supervise::meta::Status;

    fn meta(state: State, pid: u32) -> Meta {
        let text = format!(
            r#"{{"tsm_id":0,"name":"api","pid":{pid},"command":"x","cwd":"/","state":"{}"}}"#,
            serde_json::to_value(state).expect("a state").as_str().expect("a word")
        );
        serde_json::from_str(&text).expect("a record")
    }

    const GONE: Facts = Facts { supervised: false, child_lives: false, this_boot: true, fresh: false };

    #[test]
    fn a_supervisor_is_believed() {
        for state in [State::Online, State::Waiting, State::Crashed, State::Stopped, State::Errored] {
            let view = derive(&meta(state, 1), Facts { supervised: true, ..GONE });
            assert_eq!((view.state, view.supervised), (state, true));
        }
    }

    #[test]
    fn recorded_online_without_supervisor_and_child_is_crashed() {
        let view = derive(&meta(State::Online, 77), GONE);
        assert_eq!((view.state, view.state.status(), view.alive), (State::Crashed, Status::Crashed, false));
    }

    #[test]
    fn a_living_child_without_supervisor_is_online_and_wants_one() {
        let view = derive(&meta(State::Online, 77), Facts { child_lives: true, ..GONE });
        assert_eq!(view.state, State::Online);
        assert!(view.wants_supervisor());
    }

    #[test]
    fn after_a_reboot_a_stale_online_is_crashed_even_if_the_pid_is_taken_again() {
        let view = derive(&meta(State::Online, 77), Facts { child_lives: true, this_boot: false, ..GONE });
        assert_eq!((view.state, view.wants_supervisor()), (State::Crashed, false));
    }

    #[test]
    fn a_start_is_given_a_moment_to_find_its_supervisor() {
        assert_eq!(derive(&meta(State::Starting, 0), Facts { fresh: true, ..GONE }).state, State::Starting);
        assert_eq!(derive(&meta(State::Starting, 0), GONE).state, State::Crashed);
    }

    #[test]
    fn a_restart_that_nobody_will_make_wants_a_supervisor_in_this_boot_and_is_a_crash_after_it() {
        let view = derive(&meta(State::Waiting, 0), GONE);
        assert_eq!((view.state, view.wants_supervisor()), (State::Waiting, true));
        let view = derive(&meta(State::Waiting, 0), Facts { this_boot: false, ..GONE });
        assert_eq!((view.state, view.wants_supervisor()), (State::Crashed, false));
    }

    #[test]
    fn what_was_being_stopped_and_is_gone_is_stopped() {
        assert_eq!(derive(&meta(State::Stopping, 77), GONE).state, State::Stopped);
    }

    #[test]
    fn what_ended_stays_ended_though_its_last_pid_may_live_again() {
        for state in [State::Stopped, State::Crashed, State::Errored] {
            let view = derive(&meta(state, 77), Facts { child_lives: true, ..GONE });
            assert_eq!((view.state, view.alive), (state, false));
        }
    }
}
