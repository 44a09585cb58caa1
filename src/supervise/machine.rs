//! What to do next: a pure function of where we are and what happened. Time enters as values, so no process is needed to
//! test it; there is no catch-all arm, so a new event does not compile until every phase answers it.

use std::time::Duration;

use super::meta::{ExitStatus, ProcessState, RestartPolicy, RunSpec};

/// A life shorter than this counts towards giving up.
const MIN_STABLE_UPTIME: Duration = Duration::from_secs(1);

/// A life of at least this length forgets the back-off.
const BACKOFF_RESET_UPTIME: Duration = Duration::from_secs(10);

const INITIAL_BACKOFF: Duration = Duration::from_millis(100);
const MAX_BACKOFF: Duration = Duration::from_secs(30);

/// Where a process is, as its supervisor sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Nothing was started yet, or a start is being carried out.
    Idle,
    /// The pre-start command runs.
    RunningHook,
    /// The child runs.
    Running,
    /// The child was asked to end.
    Stopping(AfterStop),
    /// The child, or the pre-start command, was killed.
    Killing(AfterStop),
    /// The child ended on request; what it left behind has the rest of the grace.
    CleaningUp(AfterStop),
    /// The next start waits for its back-off.
    Waiting,
    /// It ended, and the next start waits for its schedule or a change of its files, which the sidecar knows.
    Scheduled,
    /// Nothing is left to do.
    Done,
}

/// What follows a stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AfterStop {
    End,
    Start,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LifecycleEvent {
    /// A first start is due.
    Begin,
    /// The child of an earlier supervisor lives.
    Adopted,
    /// It lives, and was being stopped.
    AdoptedStopping(AfterStop),
    /// An earlier supervisor waited for a back-off.
    AdoptedWaiting,
    /// An earlier supervisor waited for the schedule or the files of the process.
    AdoptedScheduled,
    /// The pre-start command ended.
    HookEnded(ExitStatus),
    /// The program was executed.
    Spawned,
    /// It was not: the `errno` of the step that failed.
    SpawnFailed(i32),
    /// The child ended after so long.
    Exited {
        status: ExitStatus,
        uptime: Duration,
        leftovers: LeftoverState,
    },
    /// What the child had left behind is gone.
    LeftoversGone,
    /// Orders.
    Stop,
    Restart,
    Kill,
    /// The time given with the last action is over.
    Deadline,
}

/// Whether a child that ended left processes behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LeftoverState {
    Absent,
    Present,
}

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LifecycleAction {
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
    TerminateLeftovers,
    /// Kill what was left behind.
    KillLeftovers,
    /// Come back after this time.
    Wait(Duration),
    /// Wait for an order.
    Schedule,
    /// Record this state and end.
    Finish(ProcessState),
}

/// The phase and what decides about the next one.
#[derive(Debug)]
pub(super) struct StateMachine {
    pub(super) phase: Phase,
    /// How often a start was repeated.
    pub(super) restarts: u32,
    /// Exits in a row before a second of life.
    pub(super) rapid_exits: u32,
    /// Restarts in a row without a settled life: the exponent of the back-off.
    pub(super) backoff_exponent: u32,
    /// A start was tried under this machine or the one it continues.
    start_attempted: bool,
    /// The program was executed at least once.
    has_executed: bool,
    policy: RestartPolicy,
    max_rapid_exits: u32,
    has_hook: bool,
    /// What ended by itself is started again by the sidecar.
    starts_again: bool,
    /// It is a task: its success is the end of it.
    oneshot: bool,
}

impl StateMachine {
    /// A machine for what `run` asks, with the counters of the machine it continues.
    pub(super) fn new(run: &RunSpec, hook: &str, restarts: u32, unstable: u32) -> Self {
        Self {
            phase: Phase::Idle,
            restarts,
            rapid_exits: unstable,
            backoff_exponent: unstable,
            start_attempted: false,
            has_executed: false,
            policy: run.restart,
            max_rapid_exits: run.max_restarts,
            has_hook: !hook.is_empty(),
            starts_again: run.monitor.starts_again(),
            oneshot: run.oneshot,
        }
    }

    /// Takes note of what happened and says what to do.
    pub(super) fn step(&mut self, event: LifecycleEvent) -> LifecycleAction {
        match event {
            LifecycleEvent::Begin => self.start(),
            LifecycleEvent::Adopted => self.resume(Phase::Running, LifecycleAction::Nothing),
            LifecycleEvent::AdoptedStopping(then) => self.resume(Phase::Stopping(then), LifecycleAction::Terminate),
            LifecycleEvent::AdoptedWaiting => self.resume(Phase::Waiting, LifecycleAction::Nothing),
            LifecycleEvent::AdoptedScheduled => self.resume(Phase::Scheduled, LifecycleAction::Nothing),
            LifecycleEvent::HookEnded(how) => self.hook_ended(how),
            LifecycleEvent::Spawned => self.spawned(),
            LifecycleEvent::SpawnFailed(errno) => self.spawn_failed(errno),
            LifecycleEvent::Exited { status: how, uptime: lived, leftovers: rest } => self.exited(how, lived, rest),
            LifecycleEvent::LeftoversGone => self.leftovers_gone(),
            LifecycleEvent::Stop => self.stop(AfterStop::End),
            LifecycleEvent::Restart => self.stop(AfterStop::Start),
            LifecycleEvent::Kill => self.kill(),
            LifecycleEvent::Deadline => self.deadline(),
        }
    }

    fn resume(&mut self, phase: Phase, action: LifecycleAction) -> LifecycleAction {
        self.resume_at(phase);
        action
    }

    /// Goes on where an earlier supervisor was.
    pub(super) fn resume_at(&mut self, phase: Phase) {
        self.start_attempted = true;
        self.has_executed = true;
        self.phase = phase;
    }

    fn start(&mut self) -> LifecycleAction {
        if self.start_attempted {
            self.restarts = self.restarts.saturating_add(1);
        }
        self.start_attempted = true;
        if self.has_hook {
            self.set_phase(Phase::RunningHook, LifecycleAction::Hook)
        } else {
            self.set_phase(Phase::Idle, LifecycleAction::Spawn)
        }
    }

    fn hook_ended(&mut self, how: ExitStatus) -> LifecycleAction {
        match self.phase {
            Phase::RunningHook if how.is_success() => self.set_phase(Phase::Idle, LifecycleAction::Spawn),
            Phase::RunningHook if self.has_executed => self.apply_restart_policy(how, Duration::ZERO),
            Phase::RunningHook => self.finish(ProcessState::Crashed),
            Phase::Killing(then) => self.continue_after_stop(then),
            Phase::Idle
            | Phase::Running
            | Phase::Stopping(_)
            | Phase::CleaningUp(_)
            | Phase::Waiting
            | Phase::Scheduled
            | Phase::Done => LifecycleAction::Nothing,
        }
    }

    fn spawned(&mut self) -> LifecycleAction {
        match self.phase {
            Phase::Idle => {
                self.has_executed = true;
                self.set_phase(Phase::Running, LifecycleAction::Nothing)
            }
            Phase::RunningHook
            | Phase::Running
            | Phase::Stopping(_)
            | Phase::Killing(_)
            | Phase::CleaningUp(_)
            | Phase::Waiting
            | Phase::Scheduled
            | Phase::Done => LifecycleAction::Nothing,
        }
    }

    fn spawn_failed(&mut self, errno: i32) -> LifecycleAction {
        match self.phase {
            Phase::Idle | Phase::RunningHook if self.has_executed || is_transient(errno) => {
                self.apply_restart_policy(ExitStatus::NotRun(errno), Duration::ZERO)
            }
            Phase::Idle | Phase::RunningHook => self.finish(ProcessState::Crashed),
            Phase::Running
            | Phase::Stopping(_)
            | Phase::Killing(_)
            | Phase::CleaningUp(_)
            | Phase::Waiting
            | Phase::Scheduled
            | Phase::Done => LifecycleAction::Nothing,
        }
    }

    fn exited(&mut self, how: ExitStatus, lived: Duration, rest: LeftoverState) -> LifecycleAction {
        match (self.phase, rest) {
            (Phase::Running, _) => self.apply_restart_policy(how, lived),
            (Phase::Stopping(then), LeftoverState::Present) => {
                self.set_phase(Phase::CleaningUp(then), LifecycleAction::TerminateLeftovers)
            }
            (Phase::Stopping(then), LeftoverState::Absent) | (Phase::Killing(then), _) => {
                self.continue_after_stop(then)
            }
            (
                Phase::Idle
                | Phase::RunningHook
                | Phase::CleaningUp(_)
                | Phase::Waiting
                | Phase::Scheduled
                | Phase::Done,
                _,
            ) => LifecycleAction::Nothing,
        }
    }

    fn leftovers_gone(&mut self) -> LifecycleAction {
        match self.phase {
            Phase::CleaningUp(then) => self.continue_after_stop(then),
            Phase::Idle
            | Phase::RunningHook
            | Phase::Running
            | Phase::Stopping(_)
            | Phase::Killing(_)
            | Phase::Waiting
            | Phase::Scheduled
            | Phase::Done => LifecycleAction::Nothing,
        }
    }

    fn stop(&mut self, then: AfterStop) -> LifecycleAction {
        match self.phase {
            Phase::Idle | Phase::Waiting | Phase::Scheduled => self.continue_after_stop(then),
            Phase::RunningHook => self.set_phase(Phase::Killing(then), LifecycleAction::Kill),
            Phase::Running => self.set_phase(Phase::Stopping(then), LifecycleAction::Terminate),
            Phase::Stopping(_) => self.set_phase(Phase::Stopping(then), LifecycleAction::Nothing),
            Phase::Killing(_) => self.set_phase(Phase::Killing(then), LifecycleAction::Nothing),
            Phase::CleaningUp(_) => self.set_phase(Phase::CleaningUp(then), LifecycleAction::Nothing),
            Phase::Done => LifecycleAction::Nothing,
        }
    }

    fn kill(&mut self) -> LifecycleAction {
        match self.phase {
            Phase::Idle | Phase::Waiting | Phase::Scheduled => self.finish(ProcessState::Stopped),
            Phase::RunningHook | Phase::Running | Phase::Stopping(_) | Phase::Killing(_) => {
                self.set_phase(Phase::Killing(AfterStop::End), LifecycleAction::Kill)
            }
            Phase::CleaningUp(_) => self.set_phase(Phase::CleaningUp(AfterStop::End), LifecycleAction::KillLeftovers),
            Phase::Done => LifecycleAction::Nothing,
        }
    }

    fn deadline(&mut self) -> LifecycleAction {
        match self.phase {
            Phase::RunningHook | Phase::Killing(_) => LifecycleAction::Kill,
            Phase::Stopping(then) => self.set_phase(Phase::Killing(then), LifecycleAction::Kill),
            Phase::CleaningUp(_) => LifecycleAction::KillLeftovers,
            Phase::Waiting => self.start(),
            Phase::Idle | Phase::Running | Phase::Scheduled | Phase::Done => LifecycleAction::Nothing,
        }
    }

    /// A life ended by itself.
    fn apply_restart_policy(&mut self, how: ExitStatus, lived: Duration) -> LifecycleAction {
        self.rapid_exits = if lived < MIN_STABLE_UPTIME { self.rapid_exits.saturating_add(1) } else { 0 };
        if lived >= BACKOFF_RESET_UPTIME {
            self.backoff_exponent = 0;
        }
        let again = match self.policy {
            RestartPolicy::Never => false,
            RestartPolicy::OnFailure => !how.is_success(),
            RestartPolicy::Always => !(self.oneshot && how.is_success()),
        };
        if !again {
            return self.schedule_or_finish(if how.is_success() {
                ProcessState::Stopped
            } else {
                ProcessState::Crashed
            });
        }
        if self.max_rapid_exits != 0 && self.rapid_exits >= self.max_rapid_exits {
            return self.schedule_or_finish(ProcessState::Errored);
        }
        let delay = backoff_delay(self.backoff_exponent);
        self.backoff_exponent = self.backoff_exponent.saturating_add(1);
        if delay.is_zero() { self.start() } else { self.set_phase(Phase::Waiting, LifecycleAction::Wait(delay)) }
    }

    fn continue_after_stop(&mut self, then: AfterStop) -> LifecycleAction {
        match then {
            AfterStop::End => self.finish(ProcessState::Stopped),
            AfterStop::Start => {
                // An operator's restart is a fresh beginning for the back-off.
                self.backoff_exponent = 0;
                self.rapid_exits = 0;
                self.start()
            }
        }
    }

    /// Nothing more is due by itself, before the sidecar says so if it will.
    fn schedule_or_finish(&mut self, state: ProcessState) -> LifecycleAction {
        if self.starts_again { self.set_phase(Phase::Scheduled, LifecycleAction::Schedule) } else { self.finish(state) }
    }

    fn finish(&mut self, state: ProcessState) -> LifecycleAction {
        self.set_phase(Phase::Done, LifecycleAction::Finish(state))
    }

    fn set_phase(&mut self, phase: Phase, action: LifecycleAction) -> LifecycleAction {
        self.phase = phase;
        action
    }
}

/// The pause before the restart that follows `streak` others: none, 100 ms, 200 ms, … 30 s.
fn backoff_delay(streak: u32) -> Duration {
    match streak {
        0 => Duration::ZERO,
        n => INITIAL_BACKOFF.saturating_mul(1 << (n - 1).min(16)).min(MAX_BACKOFF),
    }
}

/// True for errors that may be gone at the next try, so that a first start is repeated as its policy says.
fn is_transient(errno: i32) -> bool {
    matches!(errno, libc::EAGAIN | libc::ENOMEM | libc::EMFILE | libc::ENFILE | libc::ETXTBSY)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(policy: RestartPolicy) -> StateMachine {
        StateMachine::new(&RunSpec { restart: policy, max_restarts: 3, ..RunSpec::default() }, "", 0, 0)
    }

    fn up(policy: RestartPolicy) -> StateMachine {
        let mut machine = machine(policy);
        assert_eq!(machine.step(LifecycleEvent::Begin), LifecycleAction::Spawn);
        assert_eq!(machine.step(LifecycleEvent::Spawned), LifecycleAction::Nothing);
        machine
    }

    fn exit(how: ExitStatus, lived_ms: u64) -> LifecycleEvent {
        LifecycleEvent::Exited {
            status: how,
            uptime: Duration::from_millis(lived_ms),
            leftovers: LeftoverState::Absent,
        }
    }

    #[test]
    fn the_policy_decides_what_follows_an_exit() {
        use RestartPolicy::{Always, Never, OnFailure};
        for (policy, how, action) in [
            (Never, ExitStatus::Code(0), LifecycleAction::Finish(ProcessState::Stopped)),
            (Never, ExitStatus::Code(1), LifecycleAction::Finish(ProcessState::Crashed)),
            (Never, ExitStatus::Unknown, LifecycleAction::Finish(ProcessState::Crashed)),
            (OnFailure, ExitStatus::Code(0), LifecycleAction::Finish(ProcessState::Stopped)),
            (OnFailure, ExitStatus::Code(3), LifecycleAction::Spawn),
            (OnFailure, ExitStatus::Signal(9), LifecycleAction::Spawn),
            (OnFailure, ExitStatus::Core(11), LifecycleAction::Spawn),
            (OnFailure, ExitStatus::Unknown, LifecycleAction::Spawn),
            (Always, ExitStatus::Code(0), LifecycleAction::Spawn),
        ] {
            assert_eq!(up(policy).step(exit(how, 2000)), action, "{policy:?} {how:?}");
        }
    }

    #[test]
    fn back_off_doubles_up_to_its_cap_and_a_settled_life_forgets_it() {
        let delays: Vec<u64> = (0..12).map(|n| backoff_delay(n).as_millis() as u64).collect();
        assert_eq!(delays, [0, 100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 30000, 30000]);

        let mut machine = up(RestartPolicy::Always);
        assert_eq!(machine.step(exit(ExitStatus::Code(1), 2000)), LifecycleAction::Spawn);
        machine.step(LifecycleEvent::Spawned);
        assert_eq!(machine.step(exit(ExitStatus::Code(1), 2000)), LifecycleAction::Wait(Duration::from_millis(100)));
        assert_eq!(machine.step(LifecycleEvent::Deadline), LifecycleAction::Spawn);
        machine.step(LifecycleEvent::Spawned);
        assert_eq!(machine.step(exit(ExitStatus::Code(1), 10_000)), LifecycleAction::Spawn);
        assert_eq!(machine.restarts, 3);
    }

    #[test]
    fn gives_up_after_short_lives_in_a_row() {
        let mut machine = up(RestartPolicy::Always);
        assert_eq!(machine.step(exit(ExitStatus::Code(1), 10)), LifecycleAction::Spawn);
        machine.step(LifecycleEvent::Spawned);
        assert_eq!(machine.step(exit(ExitStatus::Code(1), 999)), LifecycleAction::Wait(Duration::from_millis(100)));
        machine.step(LifecycleEvent::Deadline);
        machine.step(LifecycleEvent::Spawned);
        assert_eq!(machine.step(exit(ExitStatus::Code(1), 10)), LifecycleAction::Finish(ProcessState::Errored));

        let mut recovering = up(RestartPolicy::Always);
        recovering.step(exit(ExitStatus::Code(1), 10));
        recovering.step(LifecycleEvent::Spawned);
        recovering.step(exit(ExitStatus::Code(1), 1000));
        assert_eq!(recovering.rapid_exits, 0);
    }

    #[test]
    fn a_stop_that_is_ignored_ends_in_kill() {
        let mut machine = up(RestartPolicy::Always);
        assert_eq!(machine.step(LifecycleEvent::Stop), LifecycleAction::Terminate);
        assert_eq!(machine.step(LifecycleEvent::Deadline), LifecycleAction::Kill);
        assert_eq!(machine.step(exit(ExitStatus::Signal(9), 50)), LifecycleAction::Finish(ProcessState::Stopped));
        assert_eq!(machine.step(LifecycleEvent::Stop), LifecycleAction::Nothing);
    }

    #[test]
    fn what_a_child_leaves_behind_has_the_rest_of_the_grace() {
        let mut machine = up(RestartPolicy::Never);
        machine.step(LifecycleEvent::Stop);
        let left = LifecycleEvent::Exited {
            status: ExitStatus::Code(0),
            uptime: MIN_STABLE_UPTIME,
            leftovers: LeftoverState::Present,
        };
        assert_eq!(machine.step(left), LifecycleAction::TerminateLeftovers);
        assert_eq!(machine.step(LifecycleEvent::Deadline), LifecycleAction::KillLeftovers);
        assert_eq!(machine.step(LifecycleEvent::LeftoversGone), LifecycleAction::Finish(ProcessState::Stopped));
    }

    #[test]
    fn the_last_order_decides_what_follows_a_stop() {
        let mut machine = up(RestartPolicy::Never);
        assert_eq!(machine.step(LifecycleEvent::Restart), LifecycleAction::Terminate);
        assert_eq!(machine.step(LifecycleEvent::Stop), LifecycleAction::Nothing);
        assert_eq!(machine.step(LifecycleEvent::Restart), LifecycleAction::Nothing);
        assert_eq!(machine.step(exit(ExitStatus::Code(0), 50)), LifecycleAction::Spawn);
        assert_eq!(machine.restarts, 1);
    }

    #[test]
    fn orders_work_at_once_while_nothing_runs() {
        let mut waiting = up(RestartPolicy::Always);
        waiting.step(exit(ExitStatus::Code(1), 10));
        waiting.step(LifecycleEvent::Spawned);
        waiting.step(exit(ExitStatus::Code(1), 10));
        assert_eq!(waiting.phase, Phase::Waiting);
        assert_eq!(waiting.step(LifecycleEvent::Restart), LifecycleAction::Spawn);

        let mut hooking = StateMachine::new(&RunSpec::default(), "true", 0, 0);
        assert_eq!(hooking.step(LifecycleEvent::Begin), LifecycleAction::Hook);
        assert_eq!(hooking.step(LifecycleEvent::Stop), LifecycleAction::Kill);
        assert_eq!(
            hooking.step(LifecycleEvent::HookEnded(ExitStatus::Signal(9))),
            LifecycleAction::Finish(ProcessState::Stopped)
        );
    }

    #[test]
    fn a_first_start_that_fails_is_reported_and_not_repeated() {
        for policy in [RestartPolicy::Never, RestartPolicy::Always] {
            let mut absent = machine(policy);
            absent.step(LifecycleEvent::Begin);
            assert_eq!(
                absent.step(LifecycleEvent::SpawnFailed(libc::ENOENT)),
                LifecycleAction::Finish(ProcessState::Crashed)
            );

            let mut hooked = StateMachine::new(&RunSpec { restart: policy, ..RunSpec::default() }, "true", 0, 0);
            hooked.step(LifecycleEvent::Begin);
            assert_eq!(
                hooked.step(LifecycleEvent::HookEnded(ExitStatus::Hook(1))),
                LifecycleAction::Finish(ProcessState::Crashed)
            );
        }
    }

    #[test]
    fn a_later_start_that_fails_is_an_exit_like_others() {
        let mut machine = up(RestartPolicy::Always);
        assert_eq!(machine.step(exit(ExitStatus::Code(1), 20_000)), LifecycleAction::Spawn);
        assert_eq!(
            machine.step(LifecycleEvent::SpawnFailed(libc::ENOENT)),
            LifecycleAction::Wait(Duration::from_millis(100))
        );

        let mut scarce = self::machine(RestartPolicy::Always);
        scarce.step(LifecycleEvent::Begin);
        assert_eq!(scarce.step(LifecycleEvent::SpawnFailed(libc::EAGAIN)), LifecycleAction::Spawn);
    }

    #[test]
    fn goes_on_where_an_earlier_supervisor_was() {
        let mut adopted = machine(RestartPolicy::Never);
        assert_eq!(adopted.step(LifecycleEvent::AdoptedStopping(AfterStop::Start)), LifecycleAction::Terminate);
        assert_eq!(adopted.step(exit(ExitStatus::Code(0), 5)), LifecycleAction::Spawn);

        let mut waiting = machine(RestartPolicy::Always);
        assert_eq!(waiting.step(LifecycleEvent::AdoptedWaiting), LifecycleAction::Nothing);
        assert_eq!(waiting.step(LifecycleEvent::Deadline), LifecycleAction::Spawn);
        assert_eq!(waiting.restarts, 1);
    }

    #[test]
    fn what_ended_by_itself_waits_for_its_hour_and_what_was_stopped_does_not() {
        use super::super::monitor_spec::MonitorSpec;
        let clock = MonitorSpec { cron: "0 4 * * *".to_owned(), ..MonitorSpec::default() };
        let files = MonitorSpec { watch: vec!["/srv/app".to_owned()], ..MonitorSpec::default() };
        let run = |restart, monitor: &MonitorSpec| RunSpec {
            restart,
            max_restarts: 1,
            monitor: monitor.clone(),
            ..RunSpec::default()
        };
        for (restart, how, monitor) in [
            (RestartPolicy::Never, ExitStatus::Code(0), &clock),
            (RestartPolicy::Never, ExitStatus::Code(1), &files),
            (RestartPolicy::OnFailure, ExitStatus::Code(0), &files),
            (RestartPolicy::Always, ExitStatus::Signal(9), &clock),
            (RestartPolicy::Always, ExitStatus::Signal(9), &files),
        ] {
            let mut machine = StateMachine::new(&run(restart, monitor), "", 0, 0);
            machine.step(LifecycleEvent::Begin);
            machine.step(LifecycleEvent::Spawned);
            assert_eq!(machine.step(exit(how, 10)), LifecycleAction::Schedule, "{restart:?} {how:?}");
            assert_eq!(machine.step(LifecycleEvent::Deadline), LifecycleAction::Nothing);
            assert_eq!(machine.step(LifecycleEvent::Restart), LifecycleAction::Spawn);
            machine.step(LifecycleEvent::Spawned);
            machine.step(LifecycleEvent::Stop);
            assert_eq!(machine.step(exit(how, 10)), LifecycleAction::Finish(ProcessState::Stopped));
        }
        let mut adopted = StateMachine::new(&run(RestartPolicy::Never, &files), "", 0, 0);
        assert_eq!(adopted.step(LifecycleEvent::AdoptedScheduled), LifecycleAction::Nothing);
        assert_eq!(adopted.step(LifecycleEvent::Stop), LifecycleAction::Finish(ProcessState::Stopped));
    }

    #[test]
    fn a_task_is_not_repeated_once_it_has_succeeded() {
        let run = RunSpec { restart: RestartPolicy::Always, oneshot: true, ..RunSpec::default() };
        let mut machine = StateMachine::new(&run, "", 0, 0);
        machine.step(LifecycleEvent::Begin);
        machine.step(LifecycleEvent::Spawned);
        assert_eq!(machine.step(exit(ExitStatus::Code(1), 2000)), LifecycleAction::Spawn);
        machine.step(LifecycleEvent::Spawned);
        assert_eq!(machine.step(exit(ExitStatus::Code(0), 2000)), LifecycleAction::Finish(ProcessState::Stopped));
    }

    /// What a world that obeys would answer to an action; `None` when it waits for something else.
    fn answer(action: LifecycleAction, luck: u8) -> Option<LifecycleEvent> {
        let how = if luck.is_multiple_of(2) { ExitStatus::Code(luck % 3) } else { ExitStatus::Signal(9) };
        let lived = Duration::from_millis(u64::from(luck) * 100);
        let rest = if luck.is_multiple_of(5) { LeftoverState::Present } else { LeftoverState::Absent };
        match action {
            LifecycleAction::Nothing | LifecycleAction::Schedule | LifecycleAction::Finish(_) => None,
            LifecycleAction::Hook => Some(LifecycleEvent::HookEnded(if luck.is_multiple_of(4) {
                ExitStatus::Hook(1)
            } else {
                ExitStatus::Code(0)
            })),
            LifecycleAction::Spawn => {
                Some(if luck.is_multiple_of(7) { LifecycleEvent::SpawnFailed(2) } else { LifecycleEvent::Spawned })
            }
            LifecycleAction::Terminate | LifecycleAction::Kill => {
                Some(LifecycleEvent::Exited { status: how, uptime: lived, leftovers: rest })
            }
            LifecycleAction::TerminateLeftovers | LifecycleAction::KillLeftovers => Some(LifecycleEvent::LeftoversGone),
            LifecycleAction::Wait(_) => Some(LifecycleEvent::Deadline),
        }
    }

    proptest::proptest! {
        #[test]
        fn any_history_ends_with_a_stop(
            policy in proptest::sample::select(vec![RestartPolicy::Never, RestartPolicy::OnFailure, RestartPolicy::Always]),
            has_hook: bool,
            lucks in proptest::collection::vec(0u8..120, 0..60),
        ) {
            let run = RunSpec { restart: policy, max_restarts: 5, ..RunSpec::default() };
            let mut machine = StateMachine::new(&run, if has_hook { "true" } else { "" }, 0, 0);
            let mut action = machine.step(LifecycleEvent::Begin);
            for luck in lucks {
                let event = match (answer(action, luck), luck % 6) {
                    (Some(event), 0..4) => event,
                    (_, 4) => LifecycleEvent::Restart,
                    (_, 5) => LifecycleEvent::Exited { status: ExitStatus::Code(1), uptime: MIN_STABLE_UPTIME, leftovers: LeftoverState::Absent },
                    (_, _) => LifecycleEvent::Deadline,
                };
                action = machine.step(event);
                if let LifecycleAction::Finish(_) = action {
                    proptest::prop_assert_eq!(machine.phase, Phase::Done);
                }
            }
            // A world that obeys from now on: nothing is left to do after a few steps.
            let mut last = machine.step(LifecycleEvent::Kill);
            for _ in 0..4 {
                let gone = match machine.phase {
                    Phase::Done => break,
                    Phase::CleaningUp(_) => LifecycleEvent::LeftoversGone,
                    Phase::Killing(_) if has_hook && last == LifecycleAction::Kill => LifecycleEvent::HookEnded(ExitStatus::Signal(9)),
                    _ => LifecycleEvent::Exited { status: ExitStatus::Signal(9), uptime: MIN_STABLE_UPTIME, leftovers: LeftoverState::Absent },
                };
                last = machine.step(gone);
            }
            proptest::prop_assert_eq!(machine.phase, Phase::Done);
            proptest::prop_assert_eq!(machine.step(LifecycleEvent::Deadline), LifecycleAction::Nothing);
        }
    }
}
