//! What to do next: a pure function of where we are and what happened. Time enters as values, so no process is needed to
//! test it; there is no catch-all arm, so a new event does not compile until every phase answers it.

use std::time::Duration;

use super::meta::{How, Restart, Run, State};

/// A life shorter than this counts towards giving up.
const STABLE: Duration = Duration::from_secs(1);

/// A life of at least this length forgets the back-off.
const SETTLED: Duration = Duration::from_secs(10);

const FIRST_DELAY: Duration = Duration::from_millis(100);
const LONGEST_DELAY: Duration = Duration::from_secs(30);

/// Where a process is, as its supervisor sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Nothing was started yet, or a start is being carried out.
    Idle,
    /// The pre-start command runs.
    Hooking,
    /// The child runs.
    Up,
    /// The child was asked to end.
    Stopping(Then),
    /// The child, or the pre-start command, was killed.
    Killing(Then),
    /// The child ended on request; what it left behind has the rest of the grace.
    Lingering(Then),
    /// The next start waits for its back-off.
    Waiting,
    /// It ended, and the next start waits for its hour, which somebody else knows.
    Scheduled,
    /// Nothing is left to do.
    Over,
}

/// What follows a stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    End,
    Start,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event {
    /// A first start is due.
    Begin,
    /// The child of an earlier supervisor lives.
    Adopted,
    /// It lives, and was being stopped.
    AdoptedStopping(Then),
    /// An earlier supervisor waited for a back-off.
    AdoptedWaiting,
    /// An earlier supervisor waited for the hour of the process.
    AdoptedScheduled,
    /// The pre-start command ended.
    HookEnded(How),
    /// The program was executed.
    Spawned,
    /// It was not: the `errno` of the step that failed.
    NotRun(i32),
    /// The child ended after so long.
    Exited {
        how: How,
        lived: Duration,
        rest: Rest,
    },
    /// What the child had left behind is gone.
    RestGone,
    /// Orders.
    Stop,
    Restart,
    Kill,
    /// The time given with the last action is over.
    Deadline,
}

/// Whether a child that ended left processes behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rest {
    Nothing,
    Some,
}

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Nothing,
    /// Run the pre-start command.
    Hook,
    /// Start the child.
    Spawn,
    /// Ask the child's group to end, and count the grace.
    Terminate,
    /// Kill the child's group, or the pre-start command's.
    Kill,
    /// Ask what was left behind to end; the grace goes on.
    TerminateRest,
    /// Kill what was left behind.
    KillRest,
    /// Come back after this time.
    Wait(Duration),
    /// Wait for an order.
    Schedule,
    /// Record this state and end.
    Finish(State),
}

/// The phase and what decides about the next one.
#[derive(Debug)]
pub(super) struct Machine {
    pub(super) phase: Phase,
    /// How often a start was repeated.
    pub(super) restarts: u32,
    /// Exits in a row before a second of life.
    pub(super) unstable: u32,
    /// Restarts in a row without a settled life: the exponent of the back-off.
    pub(super) streak: u32,
    /// A start was tried under this machine or the one it continues.
    begun: bool,
    /// The program was executed at least once.
    ran: bool,
    policy: Restart,
    max_unstable: u32,
    has_hook: bool,
    /// What ended by itself has an hour at which it is started again.
    has_hour: bool,
    /// It is a task: its success is the end of it.
    oneshot: bool,
}

impl Machine {
    /// A machine for what `run` asks, with the counters of the machine it continues.
    pub(super) fn new(run: &Run, has_hook: bool, restarts: u32, unstable: u32) -> Self {
        Self {
            phase: Phase::Idle,
            restarts,
            unstable,
            streak: unstable,
            begun: false,
            ran: false,
            policy: run.restart,
            max_unstable: run.max_restarts,
            has_hook,
            has_hour: !run.care.cron.is_empty(),
            oneshot: run.oneshot,
        }
    }

    /// Takes note of what happened and says what to do.
    pub(super) fn step(&mut self, event: Event) -> Action {
        match event {
            Event::Begin => self.start(),
            Event::Adopted => self.resume(Phase::Up, Action::Nothing),
            Event::AdoptedStopping(then) => self.resume(Phase::Stopping(then), Action::Terminate),
            Event::AdoptedWaiting => self.resume(Phase::Waiting, Action::Nothing),
            Event::AdoptedScheduled => self.resume(Phase::Scheduled, Action::Nothing),
            Event::HookEnded(how) => self.hook_ended(how),
            Event::Spawned => self.spawned(),
            Event::NotRun(errno) => self.not_run(errno),
            Event::Exited { how, lived, rest } => self.exited(how, lived, rest),
            Event::RestGone => self.rest_gone(),
            Event::Stop => self.stop(Then::End),
            Event::Restart => self.stop(Then::Start),
            Event::Kill => self.kill(),
            Event::Deadline => self.deadline(),
        }
    }

    fn resume(&mut self, phase: Phase, action: Action) -> Action {
        self.resume_at(phase);
        action
    }

    /// Goes on where an earlier supervisor was.
    pub(super) fn resume_at(&mut self, phase: Phase) {
        self.begun = true;
        self.ran = true;
        self.phase = phase;
    }

    fn start(&mut self) -> Action {
        if self.begun {
            self.restarts = self.restarts.saturating_add(1);
        }
        self.begun = true;
        if self.has_hook { self.enter(Phase::Hooking, Action::Hook) } else { self.enter(Phase::Idle, Action::Spawn) }
    }

    fn hook_ended(&mut self, how: How) -> Action {
        match self.phase {
            Phase::Hooking if how.is_success() => self.enter(Phase::Idle, Action::Spawn),
            Phase::Hooking if self.ran => self.ended(how, Duration::ZERO),
            Phase::Hooking => self.finish(State::Crashed),
            Phase::Killing(then) => self.follow(then),
            Phase::Idle
            | Phase::Up
            | Phase::Stopping(_)
            | Phase::Lingering(_)
            | Phase::Waiting
            | Phase::Scheduled
            | Phase::Over => Action::Nothing,
        }
    }

    fn spawned(&mut self) -> Action {
        match self.phase {
            Phase::Idle => {
                self.ran = true;
                self.enter(Phase::Up, Action::Nothing)
            }
            Phase::Hooking
            | Phase::Up
            | Phase::Stopping(_)
            | Phase::Killing(_)
            | Phase::Lingering(_)
            | Phase::Waiting
            | Phase::Scheduled
            | Phase::Over => Action::Nothing,
        }
    }

    fn not_run(&mut self, errno: i32) -> Action {
        match self.phase {
            Phase::Idle | Phase::Hooking if self.ran || is_passing(errno) => {
                self.ended(How::NotRun(errno), Duration::ZERO)
            }
            Phase::Idle | Phase::Hooking => self.finish(State::Crashed),
            Phase::Up
            | Phase::Stopping(_)
            | Phase::Killing(_)
            | Phase::Lingering(_)
            | Phase::Waiting
            | Phase::Scheduled
            | Phase::Over => Action::Nothing,
        }
    }

    fn exited(&mut self, how: How, lived: Duration, rest: Rest) -> Action {
        match (self.phase, rest) {
            (Phase::Up, _) => self.ended(how, lived),
            (Phase::Stopping(then), Rest::Some) => self.enter(Phase::Lingering(then), Action::TerminateRest),
            (Phase::Stopping(then), Rest::Nothing) | (Phase::Killing(then), _) => self.follow(then),
            (
                Phase::Idle | Phase::Hooking | Phase::Lingering(_) | Phase::Waiting | Phase::Scheduled | Phase::Over,
                _,
            ) => Action::Nothing,
        }
    }

    fn rest_gone(&mut self) -> Action {
        match self.phase {
            Phase::Lingering(then) => self.follow(then),
            Phase::Idle
            | Phase::Hooking
            | Phase::Up
            | Phase::Stopping(_)
            | Phase::Killing(_)
            | Phase::Waiting
            | Phase::Scheduled
            | Phase::Over => Action::Nothing,
        }
    }

    fn stop(&mut self, then: Then) -> Action {
        match self.phase {
            Phase::Idle | Phase::Waiting | Phase::Scheduled => self.follow(then),
            Phase::Hooking => self.enter(Phase::Killing(then), Action::Kill),
            Phase::Up => self.enter(Phase::Stopping(then), Action::Terminate),
            Phase::Stopping(_) => self.enter(Phase::Stopping(then), Action::Nothing),
            Phase::Killing(_) => self.enter(Phase::Killing(then), Action::Nothing),
            Phase::Lingering(_) => self.enter(Phase::Lingering(then), Action::Nothing),
            Phase::Over => Action::Nothing,
        }
    }

    fn kill(&mut self) -> Action {
        match self.phase {
            Phase::Idle | Phase::Waiting | Phase::Scheduled => self.finish(State::Stopped),
            Phase::Hooking | Phase::Up | Phase::Stopping(_) | Phase::Killing(_) => {
                self.enter(Phase::Killing(Then::End), Action::Kill)
            }
            Phase::Lingering(_) => self.enter(Phase::Lingering(Then::End), Action::KillRest),
            Phase::Over => Action::Nothing,
        }
    }

    fn deadline(&mut self) -> Action {
        match self.phase {
            Phase::Hooking | Phase::Killing(_) => Action::Kill,
            Phase::Stopping(then) => self.enter(Phase::Killing(then), Action::Kill),
            Phase::Lingering(_) => Action::KillRest,
            Phase::Waiting => self.start(),
            Phase::Idle | Phase::Up | Phase::Scheduled | Phase::Over => Action::Nothing,
        }
    }

    /// A life ended by itself.
    fn ended(&mut self, how: How, lived: Duration) -> Action {
        self.unstable = if lived < STABLE { self.unstable.saturating_add(1) } else { 0 };
        if lived >= SETTLED {
            self.streak = 0;
        }
        let again = match self.policy {
            Restart::Never => false,
            Restart::OnFailure => !how.is_success(),
            Restart::Always => !(self.oneshot && how.is_success()),
        };
        if !again {
            return self.rest(if how.is_success() { State::Stopped } else { State::Crashed });
        }
        if self.max_unstable != 0 && self.unstable >= self.max_unstable {
            return self.rest(State::Errored);
        }
        let delay = delay(self.streak);
        self.streak = self.streak.saturating_add(1);
        if delay.is_zero() { self.start() } else { self.enter(Phase::Waiting, Action::Wait(delay)) }
    }

    fn follow(&mut self, then: Then) -> Action {
        match then {
            Then::End => self.finish(State::Stopped),
            Then::Start => {
                // An operator's restart is a fresh beginning for the back-off.
                self.streak = 0;
                self.unstable = 0;
                self.start()
            }
        }
    }

    /// Nothing more is due by itself, before the hour comes if there is one.
    fn rest(&mut self, state: State) -> Action {
        if self.has_hour { self.enter(Phase::Scheduled, Action::Schedule) } else { self.finish(state) }
    }

    fn finish(&mut self, state: State) -> Action {
        self.enter(Phase::Over, Action::Finish(state))
    }

    fn enter(&mut self, phase: Phase, action: Action) -> Action {
        self.phase = phase;
        action
    }
}

/// The pause before the restart that follows `streak` others: none, 100 ms, 200 ms, … 30 s.
fn delay(streak: u32) -> Duration {
    match streak {
        0 => Duration::ZERO,
        n => FIRST_DELAY.saturating_mul(1 << (n - 1).min(16)).min(LONGEST_DELAY),
    }
}

/// True for errors that may be gone at the next try, so that a first start is repeated as its policy says.
fn is_passing(errno: i32) -> bool {
    matches!(errno, libc::EAGAIN | libc::ENOMEM | libc::EMFILE | libc::ENFILE | libc::ETXTBSY)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(policy: Restart) -> Machine {
        Machine::new(&Run { restart: policy, max_restarts: 3, ..Run::default() }, false, 0, 0)
    }

    fn up(policy: Restart) -> Machine {
        let mut machine = machine(policy);
        assert_eq!(machine.step(Event::Begin), Action::Spawn);
        assert_eq!(machine.step(Event::Spawned), Action::Nothing);
        machine
    }

    fn exit(how: How, lived_ms: u64) -> Event {
        Event::Exited { how, lived: Duration::from_millis(lived_ms), rest: Rest::Nothing }
    }

    #[test]
    fn the_policy_decides_what_follows_an_exit() {
        use Restart::{Always, Never, OnFailure};
        for (policy, how, action) in [
            (Never, How::Code(0), Action::Finish(State::Stopped)),
            (Never, How::Code(1), Action::Finish(State::Crashed)),
            (Never, How::Unknown, Action::Finish(State::Crashed)),
            (OnFailure, How::Code(0), Action::Finish(State::Stopped)),
            (OnFailure, How::Code(3), Action::Spawn),
            (OnFailure, How::Signal(9), Action::Spawn),
            (OnFailure, How::Core(11), Action::Spawn),
            (OnFailure, How::Unknown, Action::Spawn),
            (Always, How::Code(0), Action::Spawn),
        ] {
            assert_eq!(up(policy).step(exit(how, 2000)), action, "{policy:?} {how:?}");
        }
    }

    #[test]
    fn back_off_doubles_up_to_its_cap_and_a_settled_life_forgets_it() {
        let delays: Vec<u64> = (0..12).map(|n| delay(n).as_millis() as u64).collect();
        assert_eq!(delays, [0, 100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 30000, 30000]);

        let mut machine = up(Restart::Always);
        assert_eq!(machine.step(exit(How::Code(1), 2000)), Action::Spawn);
        machine.step(Event::Spawned);
        assert_eq!(machine.step(exit(How::Code(1), 2000)), Action::Wait(Duration::from_millis(100)));
        assert_eq!(machine.step(Event::Deadline), Action::Spawn);
        machine.step(Event::Spawned);
        assert_eq!(machine.step(exit(How::Code(1), 10_000)), Action::Spawn);
        assert_eq!(machine.restarts, 3);
    }

    #[test]
    fn gives_up_after_short_lives_in_a_row() {
        let mut machine = up(Restart::Always);
        assert_eq!(machine.step(exit(How::Code(1), 10)), Action::Spawn);
        machine.step(Event::Spawned);
        assert_eq!(machine.step(exit(How::Code(1), 999)), Action::Wait(Duration::from_millis(100)));
        machine.step(Event::Deadline);
        machine.step(Event::Spawned);
        assert_eq!(machine.step(exit(How::Code(1), 10)), Action::Finish(State::Errored));

        let mut recovering = up(Restart::Always);
        recovering.step(exit(How::Code(1), 10));
        recovering.step(Event::Spawned);
        recovering.step(exit(How::Code(1), 1000));
        assert_eq!(recovering.unstable, 0);
    }

    #[test]
    fn a_stop_that_is_ignored_ends_in_kill() {
        let mut machine = up(Restart::Always);
        assert_eq!(machine.step(Event::Stop), Action::Terminate);
        assert_eq!(machine.step(Event::Deadline), Action::Kill);
        assert_eq!(machine.step(exit(How::Signal(9), 50)), Action::Finish(State::Stopped));
        assert_eq!(machine.step(Event::Stop), Action::Nothing);
    }

    #[test]
    fn what_a_child_leaves_behind_has_the_rest_of_the_grace() {
        let mut machine = up(Restart::Never);
        machine.step(Event::Stop);
        let left = Event::Exited { how: How::Code(0), lived: STABLE, rest: Rest::Some };
        assert_eq!(machine.step(left), Action::TerminateRest);
        assert_eq!(machine.step(Event::Deadline), Action::KillRest);
        assert_eq!(machine.step(Event::RestGone), Action::Finish(State::Stopped));
    }

    #[test]
    fn the_last_order_decides_what_follows_a_stop() {
        let mut machine = up(Restart::Never);
        assert_eq!(machine.step(Event::Restart), Action::Terminate);
        assert_eq!(machine.step(Event::Stop), Action::Nothing);
        assert_eq!(machine.step(Event::Restart), Action::Nothing);
        assert_eq!(machine.step(exit(How::Code(0), 50)), Action::Spawn);
        assert_eq!(machine.restarts, 1);
    }

    #[test]
    fn orders_work_at_once_while_nothing_runs() {
        let mut waiting = up(Restart::Always);
        waiting.step(exit(How::Code(1), 10));
        waiting.step(Event::Spawned);
        waiting.step(exit(How::Code(1), 10));
        assert_eq!(waiting.phase, Phase::Waiting);
        assert_eq!(waiting.step(Event::Restart), Action::Spawn);

        let mut hooking = Machine::new(&Run::default(), true, 0, 0);
        assert_eq!(hooking.step(Event::Begin), Action::Hook);
        assert_eq!(hooking.step(Event::Stop), Action::Kill);
        assert_eq!(hooking.step(Event::HookEnded(How::Signal(9))), Action::Finish(State::Stopped));
    }

    #[test]
    fn a_first_start_that_fails_is_reported_and_not_repeated() {
        for policy in [Restart::Never, Restart::Always] {
            let mut absent = machine(policy);
            absent.step(Event::Begin);
            assert_eq!(absent.step(Event::NotRun(libc::ENOENT)), Action::Finish(State::Crashed));

            let mut hooked = Machine::new(&Run { restart: policy, ..Run::default() }, true, 0, 0);
            hooked.step(Event::Begin);
            assert_eq!(hooked.step(Event::HookEnded(How::Hook(1))), Action::Finish(State::Crashed));
        }
    }

    #[test]
    fn a_later_start_that_fails_is_an_exit_like_others() {
        let mut machine = up(Restart::Always);
        assert_eq!(machine.step(exit(How::Code(1), 20_000)), Action::Spawn);
        assert_eq!(machine.step(Event::NotRun(libc::ENOENT)), Action::Wait(Duration::from_millis(100)));

        let mut scarce = self::machine(Restart::Always);
        scarce.step(Event::Begin);
        assert_eq!(scarce.step(Event::NotRun(libc::EAGAIN)), Action::Spawn);
    }

    #[test]
    fn goes_on_where_an_earlier_supervisor_was() {
        let mut adopted = machine(Restart::Never);
        assert_eq!(adopted.step(Event::AdoptedStopping(Then::Start)), Action::Terminate);
        assert_eq!(adopted.step(exit(How::Code(0), 5)), Action::Spawn);

        let mut waiting = machine(Restart::Always);
        assert_eq!(waiting.step(Event::AdoptedWaiting), Action::Nothing);
        assert_eq!(waiting.step(Event::Deadline), Action::Spawn);
        assert_eq!(waiting.restarts, 1);
    }

    #[test]
    fn what_ended_by_itself_waits_for_its_hour_and_what_was_stopped_does_not() {
        let care = super::super::care::Care { cron: "0 4 * * *".to_owned(), ..Default::default() };
        let run = |restart| Run { restart, max_restarts: 1, care: care.clone(), ..Run::default() };
        for (restart, how) in [
            (Restart::Never, How::Code(0)),
            (Restart::Never, How::Code(1)),
            (Restart::OnFailure, How::Code(0)),
            (Restart::Always, How::Signal(9)),
        ] {
            let mut machine = Machine::new(&run(restart), false, 0, 0);
            machine.step(Event::Begin);
            machine.step(Event::Spawned);
            assert_eq!(machine.step(exit(how, 10)), Action::Schedule, "{restart:?} {how:?}");
            assert_eq!(machine.step(Event::Deadline), Action::Nothing);
            assert_eq!(machine.step(Event::Restart), Action::Spawn);
            machine.step(Event::Spawned);
            machine.step(Event::Stop);
            assert_eq!(machine.step(exit(how, 10)), Action::Finish(State::Stopped));
        }
        let mut adopted = Machine::new(&run(Restart::Never), false, 0, 0);
        assert_eq!(adopted.step(Event::AdoptedScheduled), Action::Nothing);
        assert_eq!(adopted.step(Event::Stop), Action::Finish(State::Stopped));
    }

    #[test]
    fn a_task_is_not_repeated_once_it_has_succeeded() {
        let run = Run { restart: Restart::Always, oneshot: true, ..Run::default() };
        let mut machine = Machine::new(&run, false, 0, 0);
        machine.step(Event::Begin);
        machine.step(Event::Spawned);
        assert_eq!(machine.step(exit(How::Code(1), 2000)), Action::Spawn);
        machine.step(Event::Spawned);
        assert_eq!(machine.step(exit(How::Code(0), 2000)), Action::Finish(State::Stopped));
    }

    /// What a world that obeys would answer to an action; `None` when it waits for something else.
    fn answer(action: Action, luck: u8) -> Option<Event> {
        let how = if luck.is_multiple_of(2) { How::Code(luck % 3) } else { How::Signal(9) };
        let lived = Duration::from_millis(u64::from(luck) * 100);
        let rest = if luck.is_multiple_of(5) { Rest::Some } else { Rest::Nothing };
        match action {
            Action::Nothing | Action::Schedule | Action::Finish(_) => None,
            Action::Hook => Some(Event::HookEnded(if luck.is_multiple_of(4) { How::Hook(1) } else { How::Code(0) })),
            Action::Spawn => Some(if luck.is_multiple_of(7) { Event::NotRun(2) } else { Event::Spawned }),
            Action::Terminate | Action::Kill => Some(Event::Exited { how, lived, rest }),
            Action::TerminateRest | Action::KillRest => Some(Event::RestGone),
            Action::Wait(_) => Some(Event::Deadline),
        }
    }

    proptest::proptest! {
        #[test]
        fn any_history_ends_with_a_stop(
            policy in proptest::sample::select(vec![Restart::Never, Restart::OnFailure, Restart::Always]),
            has_hook: bool,
            lucks in proptest::collection::vec(0u8..120, 0..60),
        ) {
            let run = Run { restart: policy, max_restarts: 5, ..Run::default() };
            let mut machine = Machine::new(&run, has_hook, 0, 0);
            let mut action = machine.step(Event::Begin);
            for luck in lucks {
                let event = match (answer(action, luck), luck % 6) {
                    (Some(event), 0..4) => event,
                    (_, 4) => Event::Restart,
                    (_, 5) => Event::Exited { how: How::Code(1), lived: STABLE, rest: Rest::Nothing },
                    (_, _) => Event::Deadline,
                };
                action = machine.step(event);
                if let Action::Finish(_) = action {
                    proptest::prop_assert_eq!(machine.phase, Phase::Over);
                }
            }
            // A world that obeys from now on: nothing is left to do after a few steps.
            let mut last = machine.step(Event::Kill);
            for _ in 0..4 {
                let gone = match machine.phase {
                    Phase::Over => break,
                    Phase::Lingering(_) => Event::RestGone,
                    Phase::Killing(_) if has_hook && last == Action::Kill => Event::HookEnded(How::Signal(9)),
                    _ => Event::Exited { how: How::Signal(9), lived: STABLE, rest: Rest::Nothing },
                };
                last = machine.step(gone);
            }
            proptest::prop_assert_eq!(machine.phase, Phase::Over);
            proptest::prop_assert_eq!(machine.step(Event::Deadline), Action::Nothing);
        }
    }
}
