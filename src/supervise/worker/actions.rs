//! What the machine asks for, carried out: starting, ending, sweeping, recording.

use std::fs;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use super::leftovers::Leftovers;
use super::{Child, Hook, StopReason, Worker};
use crate::supervise::clock::{self, MonotonicTime};
use crate::supervise::events::EventKind;
use crate::supervise::exit_status::shell_exit_code;
use crate::supervise::machine::{LeftoverState, LifecycleAction, LifecycleEvent, Phase};
use crate::supervise::meta::{ExitStatus, ProcessState};
use crate::supervise::oom::OomCounter;
use crate::supervise::proc::ProcessIdentity;
use crate::supervise::protocol::StartupMessage;
use crate::supervise::protocol::{HOOK_TIMEOUT, LaunchResult};
use crate::supervise::spawn::{self, GatedChild, SpawnError, SpawnKind, SpawnSpec};
use crate::supervise::sweep::Search;

/// A SIGKILL is repeated after this time: a process that is still there is new, or hangs in the kernel.
const KILL_RETRY_INTERVAL: Duration = Duration::from_secs(1);

impl Worker {
    /// Carries out an action, and those that follow from it at once.
    pub(super) fn execute(&mut self, first: LifecycleAction) {
        let mut next = Some(first);
        while let Some(action) = next.take() {
            let event = match action {
                LifecycleAction::Nothing => None,
                // Without its directory nothing can be started, and no command can be sent any more.
                LifecycleAction::Hook
                | LifecycleAction::Spawn
                | LifecycleAction::Wait(_)
                | LifecycleAction::Schedule
                    if is_removed() =>
                {
                    self.finish(ProcessState::Crashed);
                    None
                }
                LifecycleAction::Hook => self.run_hook(),
                LifecycleAction::Spawn => Some(self.spawn()),
                LifecycleAction::Terminate => self.terminate(),
                LifecycleAction::Kill => self.kill(),
                LifecycleAction::TerminateLeftovers => self.terminate_leftovers(),
                LifecycleAction::KillLeftovers => self.kill_leftovers(),
                LifecycleAction::Wait(span) => self.wait_before_start(span),
                LifecycleAction::Schedule => {
                    self.current.deadline_at = None;
                    self.clear_running_state();
                    self.record.meta.set_state(ProcessState::Scheduled);
                    self.record.announce(EventKind::Scheduled);
                    self.save();
                    None
                }
                LifecycleAction::Finish(state) => {
                    self.finish(state);
                    None
                }
            };
            next = event.map(|event| self.machine.step(event));
        }
    }

    fn run_hook(&mut self) -> Option<LifecycleEvent> {
        self.begin_run();
        match spawn::prepare(&self.spawn_spec(SpawnKind::Hook)).and_then(|newborn| {
            let pid = newborn.pid;
            self.move_to_cgroup(pid);
            newborn
                .release(self.record.meta.run_state.memory_method)
                .confirm()
                .map(|pidfd| (pid, pidfd))
                .inspect_err(|_| spawn::reap(pid))
        }) {
            Ok((pid, pidfd)) => {
                self.current.hook = Some(Hook { pid, pidfd, started_at: MonotonicTime::now() });
                self.current.deadline_at = Some(MonotonicTime::now().plus(HOOK_TIMEOUT));
                self.pipes.send_startup_message(StartupMessage::HookRunning);
                None
            }
            Err(failure) => Some(self.spawn_failed(failure)),
        }
    }

    /// The pre-start command ended. What it left behind belongs to the life that follows, if one does.
    pub(super) fn hook_ended(&mut self, how: ExitStatus) {
        let Some(hook) = self.current.hook.take() else { return };
        self.current.deadline_at = None;
        let end = if how.is_success() { how } else { ExitStatus::Hook(shell_exit_code(how)) };
        if !how.is_success() {
            self.sweep();
        }
        // One that was killed by an order is not a failed start.
        if let (ExitStatus::Hook(code), Phase::RunningHook) = (end, self.machine.phase) {
            self.record_exit(end, MonotonicTime::now().duration_since(hook.started_at));
            self.record.meta.run_state.start_error = format!("the pre-start command failed with exit code {code}");
            self.current.launch_result = Some(LaunchResult::HookFailed { code });
        }
        self.step(LifecycleEvent::HookEnded(end));
        if self.current.hook.is_none() {
            let answer = self.current.launch_result.take().unwrap_or(LaunchResult::Ended);
            self.pipes.send_startup_message(StartupMessage::Done(answer));
        }
    }

    fn begin_run(&mut self) {
        self.current.deadline_at = None;
        self.record.meta.set_state(ProcessState::Starting);
        self.record.meta.pid = 0;
        self.record.meta.run_state.next_start_ms = 0;
        self.record.meta.run_state.start_pending = false;
        self.record.meta.run_state.previous = None;
        self.record.meta.run_state.ended_by = None;
        self.current.last_signal = None;
        self.record.meta.run_state.nonce = nonce();
        self.record.meta.run_state.start_ticks = clock::ticks();
        self.record.boot_id.clone_into(&mut self.record.meta.run_state.boot_id);
        self.current.search = Search::Tree;
        self.current.leftovers = Leftovers::default();
        self.limit_memory();
        // Before anything is forked: what this start leaves is recognized by the nonce.
        self.save();
    }

    fn spawn(&mut self) -> LifecycleEvent {
        if self.record.meta.prehook.is_empty() {
            self.begin_run();
        }
        match spawn::prepare(&self.spawn_spec(SpawnKind::Service)) {
            Ok(newborn) => self.release(newborn),
            Err(failure) => self.spawn_failed(failure),
        }
    }

    fn spawn_spec(&self, program: SpawnKind) -> SpawnSpec<'_> {
        let [out, err] = &self.pipes.streams;
        SpawnSpec {
            dir: &self.record.dir,
            meta: &self.record.meta,
            kind: program,
            outputs: [out.fifo.as_fd(), err.fifo.as_fd()],
            cgroup: self.current.cgroup.as_ref(),
            role_lock: self.guarding.role_lock.as_fd(),
        }
    }

    /// Records the child, then lets it run.
    fn release(&mut self, newborn: GatedChild) -> LifecycleEvent {
        let pid = newborn.pid;
        let start_ticks = ProcessIdentity::of(pid).map_or(0, |identity| identity.start_ticks);
        self.record.meta.pid = pid;
        self.record.meta.run_state.start_ticks = start_ticks;
        self.record.meta.run_state.started_ms = clock::unix_ms();
        self.record.meta.start_time = self.record.meta.run_state.started_ms / 1000;
        self.move_to_cgroup(pid);
        self.save();
        let released = newborn.release(self.record.meta.run_state.memory_method);
        // All this while the program is being executed.
        if std::mem::take(&mut self.current.is_first_start) {
            self.pipes.open_logs();
        }
        self.record.write_pid_file();
        self.current.oom_before = Some(OomCounter::current(self.current.memory_cgroup.as_ref()));
        match released.confirm() {
            Ok(pidfd) => {
                let identity = ProcessIdentity { pid, start_ticks };
                let started_at = MonotonicTime::now();
                self.current.child = Some(Child { identity, pidfd, started_at, foreign_exit: None, shares_unit: true });
                self.record.meta.set_state(ProcessState::Online);
                self.record.meta.run_state.start_error.clear();
                self.record.announce(EventKind::Started { restarts: self.machine.restarts });
                self.save();
                self.current.launch_result = Some(LaunchResult::Spawned { pid });
                LifecycleEvent::Spawned
            }
            Err(failure) => {
                spawn::reap(pid);
                self.spawn_failed(failure)
            }
        }
    }

    fn spawn_failed(&mut self, failure: SpawnError) -> LifecycleEvent {
        self.record.meta.pid = 0;
        self.record_exit(ExitStatus::NotRun(failure.errno), Duration::ZERO);
        self.record.meta.run_state.start_error = failure.message;
        self.current.launch_result = Some(LaunchResult::NotRun { errno: failure.errno, step: failure.step });
        LifecycleEvent::SpawnFailed(failure.errno)
    }

    fn terminate(&mut self) -> Option<LifecycleEvent> {
        self.enter_stopping();
        self.save();
        self.current.leftovers.terminated_at = Some(clock::ticks());
        // Systemd has sent it to all processes of a unit that it stops.
        if !self.guarding.unit_stopping || self.record.meta.run.stop_signal != libc::SIGTERM {
            self.current.signal_group(self.record.meta.run.stop_signal);
        }
        // A stopped process would never see it.
        self.current.signal_group(libc::SIGCONT);
        self.start_grace_period();
        None
    }

    fn enter_stopping(&mut self) {
        if self.record.meta.state != ProcessState::Stopping {
            self.record.meta.set_state(ProcessState::Stopping);
            self.record.announce(EventKind::Stopping);
        }
    }

    fn kill(&mut self) -> Option<LifecycleEvent> {
        self.enter_stopping();
        self.save();
        self.current.signal_group(libc::SIGKILL);
        self.current.deadline_at = Some(MonotonicTime::now().plus(KILL_RETRY_INTERVAL));
        None
    }

    /// The child ended: sweeps what it left, or sees whether there is something that deserves the rest of the grace.
    pub(super) fn child_ended(&mut self, how: ExitStatus) {
        self.expect_unit_stop(how);
        let Some(child) = self.current.child.take() else { return };
        let lived = MonotonicTime::now().duration_since(child.started_at);
        let rest = if matches!(self.machine.phase, Phase::Stopping(_)) {
            self.check_leftovers()
        } else {
            self.sweep_leftovers()
        };
        self.record_exit(how, lived);
        self.step(LifecycleEvent::Exited { status: how, uptime: lived, leftovers: rest });
        self.current.launch_result = None;
    }

    /// Whether something was left that deserves the rest of the grace.
    pub(super) fn check_leftovers(&mut self) -> LeftoverState {
        if !self.sweep_scope().find_strays().is_empty() {
            // It is given what is left of the grace, or all of it after a death of ours.
            if self.current.deadline_at.is_none() {
                self.start_grace_period();
            }
            return LeftoverState::Present;
        }
        self.drain();
        LeftoverState::Absent
    }

    /// Leaves nothing.
    pub(super) fn sweep_leftovers(&mut self) -> LeftoverState {
        self.sweep();
        self.drain();
        LeftoverState::Absent
    }

    pub(super) fn start_grace_period(&mut self) {
        self.current.deadline_at =
            Some(MonotonicTime::now().plus(Duration::from_millis(self.record.meta.run.kill_timeout_ms)));
    }

    fn wait_before_start(&mut self, span: Duration) -> Option<LifecycleEvent> {
        let span = span.mul_f64(jitter());
        self.clear_running_state();
        self.record.meta.set_state(ProcessState::Waiting);
        let delay_ms = u64::try_from(span.as_millis()).unwrap_or(0);
        self.record.meta.run_state.next_start_ms = clock::unix_ms() + delay_ms;
        self.record.announce(EventKind::Restarting { delay_ms });
        self.save();
        self.current.deadline_at = Some(MonotonicTime::now().plus(span));
        None
    }

    /// Records the last state and ends.
    pub(super) fn finish(&mut self, state: ProcessState) {
        self.current.deadline_at = None;
        self.drain();
        for stream in &mut self.pipes.streams {
            // Only what the log refused is left; it is lost.
            stream.discard();
        }
        self.record_discarded();
        self.clear_running_state();
        if let Some(cgroup) = &self.current.cgroup {
            cgroup.remove();
        }
        if let Some(group) = &self.current.memory_cgroup {
            group.remove();
        }
        self.record.meta.run_state.start_pending = false;
        self.record.meta.set_state(state);
        self.record.announce_end(state);
        self.save();
        let answer = self.current.launch_result.take().unwrap_or(LaunchResult::Ended);
        self.pipes.send_startup_message(StartupMessage::Done(answer));
        self.stop_reason = Some(StopReason::Finished);
    }

    fn clear_running_state(&mut self) {
        self.record.meta.pid = 0;
        let _ = fs::remove_file(self.record.pid_file());
    }
}

/// The working directory, which is the process directory, was removed.
fn is_removed() -> bool {
    fs::metadata(".").is_ok_and(|directory| directory.nlink() == 0)
}

/// Sixteen hexadecimal digits that no other life has.
fn nonce() -> String {
    format!("{:016x}", random())
}

/// Between 0.9 and 1.1, so that many that died together do not come back together.
fn jitter() -> f64 {
    0.9 + 0.2 * (random() >> 11) as f64 / (1u64 << 53) as f64
}

fn random() -> u64 {
    let mut bytes = [0u8; 8];
    // SAFETY: the buffer is ours and as long as said. A short answer, before the kernel's pool is ready, is as unique.
    unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), bytes.len(), 0) };
    u64::from_ne_bytes(bytes)
}
