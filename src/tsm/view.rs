//! What is true about a process, against what its file says.
//!
//! `meta.json` is written by a supervisor, and supervisors can be killed, machines restarted, files damaged. So every reader
//! derives: the lock says whether somebody supervises, pid and start time and boot id say whether the child still is the child.

use std::time::Duration;

use crate::supervise::meta::{Meta, Restart, State, Status};

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
    /// The child has ended, and supervisors that are stopped (SIGSTOP) do not see it.
    pub stalled: bool,
    /// A restart is due that nobody will make: child and supervisors were killed, or the supervisors in the middle of it.
    pub cut_off: bool,
}

impl View {
    /// Of a process of which nothing can be said.
    pub const UNKNOWN: Self =
        Self { state: State::Unknown, supervised: false, alive: false, stalled: false, cut_off: false };

    /// Nothing can be said of it: neither that it runs nor that it does not. So nothing is done to it.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        self.state == State::Unknown
    }

    /// A child lives, or is due to be started again, and nobody watches: a supervisor has to take over.
    #[must_use]
    pub fn wants_supervisor(&self) -> bool {
        !self.supervised && (self.alive || self.cut_off || matches!(self.state, State::Waiting | State::Scheduled))
    }
}

/// What the record alone cannot know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// Somebody holds the worker lock.
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
pub fn derive(meta: &Meta, facts: Facts) -> View {
    let supervised = facts.supervised;
    if supervised {
        let alive = meta.pid != 0 && matches!(meta.state, State::Starting | State::Online | State::Stopping);
        let stalled = alive && meta.state == State::Online && !facts.child_lives && facts.stopped;
        let state = if stalled { State::Crashed } else { meta.state };
        return View { state, supervised, alive: alive && !stalled, stalled, cut_off: false };
    }
    let alive = facts.this_boot && facts.child_lives;
    let state = match meta.state {
        State::Starting if alive => State::Online,
        State::Starting if meta.pid == 0 && facts.fresh => State::Starting,
        State::Online | State::Stopping if alive => meta.state,
        // The order to stop was given and the child is gone: that is what was wanted.
        State::Stopping => State::Stopped,
        State::Waiting | State::Scheduled if facts.this_boot => meta.state,
        State::Starting | State::Online | State::Waiting | State::Scheduled => State::Crashed,
        State::Stopped | State::Crashed | State::Errored | State::Unknown => meta.state,
    };
    let alive = alive && state.status() == Status::Online;
    let cut_off = facts.this_boot && !alive && is_cut_off(meta);
    View { state, supervised, alive, stalled: false, cut_off }
}

/// True if the record is that of a life whose end would have been followed by another one.
fn is_cut_off(meta: &Meta) -> bool {
    match meta.state {
        State::Online => meta.run.restart != Restart::Never,
        // Whoever starts it for the first time, and is told that it does not run, does not want it later.
        State::Starting => meta.life.starter_pid == 0 && meta.restarts > 0 && meta.run.restart != Restart::Never,
        State::Stopping => meta.life.start_follows,
        State::Waiting | State::Scheduled | State::Stopped | State::Crashed | State::Errored | State::Unknown => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meta(state: State, pid: u32) -> Meta {
        let text = format!(
            r#"{{"tsm_id":0,"name":"api","pid":{pid},"command":"x","cwd":"/","state":"{}"}}"#,
            serde_json::to_value(state).expect("a state").as_str().expect("a word")
        );
        serde_json::from_str(&text).expect("a record")
    }

    const GONE: Facts = Facts { supervised: false, child_lives: false, stopped: false, this_boot: true, fresh: false };

    #[test]
    fn a_supervisor_is_believed() {
        for state in [State::Online, State::Waiting, State::Crashed, State::Stopped, State::Errored] {
            let view = derive(&meta(state, 1), Facts { supervised: true, ..GONE });
            assert_eq!((view.state, view.supervised), (state, true));
        }
    }

    #[test]
    fn a_supervisor_that_is_stopped_is_not_believed_about_a_child_that_ended() {
        let online = meta(State::Online, 1);
        for (child_lives, stopped, state) in
            [(true, true, State::Online), (false, false, State::Online), (false, true, State::Crashed)]
        {
            let view = derive(&online, Facts { supervised: true, child_lives, stopped, ..GONE });
            assert_eq!((view.state, view.stalled), (state, state == State::Crashed));
        }
    }

    #[test]
    fn a_restart_that_nobody_will_make_is_made_up_for() {
        let policy = |restart: Restart| {
            let mut meta = meta(State::Online, 77);
            meta.run.restart = restart;
            derive(&meta, GONE)
        };
        assert!([Restart::Always, Restart::OnFailure].iter().all(|restart| policy(*restart).wants_supervisor()));
        let never = policy(Restart::Never);
        assert_eq!((never.state, never.wants_supervisor()), (State::Crashed, false));
        let mut restarted = meta(State::Stopping, 77);
        restarted.life.start_follows = true;
        assert!(derive(&restarted, GONE).wants_supervisor());
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
