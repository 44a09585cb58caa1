//! What the machine asks for, carried out: starting, ending, sweeping, recording.

use std::fs;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use super::adopt::write_atomically;
use super::client::{HOOK_TIMEOUT, LaunchResult};
use super::clock::{self, MonotonicTime};
use super::events::EventKind;
use super::exit_status::shell_exit_code;
use super::leftovers::Leftovers;
use super::machine::{LeftoverState, LifecycleAction, LifecycleEvent, Phase};
use super::meta::{ExitStatus, ProcessState};
use super::oom::OomCounter;
use super::proc::{self, ProcessIdentity, SignalTarget};
use super::protocol::StartupMessage;
use super::spawn::{self, GatedChild, SpawnError, SpawnKind, SpawnSpec};
use super::sweep::Search;
use super::worker::{Child, Hook, StopReason, Worker};

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
                    self.deadline_at = None;
                    self.clear_running_state();
                    self.meta.set_state(ProcessState::Scheduled);
                    self.announce(EventKind::Scheduled);
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
                .release(self.meta.run_state.memory_method)
                .confirm()
                .map(|pidfd| (pid, pidfd))
                .inspect_err(|_| spawn::reap(pid))
        }) {
            Ok((pid, pidfd)) => {
                self.hook = Some(Hook { pid, pidfd, started_at: MonotonicTime::now() });
                self.deadline_at = Some(MonotonicTime::now().plus(HOOK_TIMEOUT));
                self.send_startup_message(StartupMessage::HookRunning);
                None
            }
            Err(failure) => Some(self.spawn_failed(failure)),
        }
    }

    /// The pre-start command ended. What it left behind belongs to the life that follows, if one does.
    pub(super) fn hook_ended(&mut self, how: ExitStatus) {
        let Some(hook) = self.hook.take() else { return };
        self.deadline_at = None;
        let end = if how.is_success() { how } else { ExitStatus::Hook(shell_exit_code(how)) };
        if !how.is_success() {
            self.sweep();
        }
        // One that was killed by an order is no failed start.
        if let (ExitStatus::Hook(code), Phase::RunningHook) = (end, self.machine.phase) {
            self.record_exit(end, MonotonicTime::now().duration_since(hook.started_at));
            self.meta.run_state.start_error = format!("the pre-start command failed with exit code {code}");
            self.launch_result = Some(LaunchResult::HookFailed { code });
        }
        self.step(LifecycleEvent::HookEnded(end));
        if self.hook.is_none() {
            let answer = self.launch_result.take().unwrap_or(LaunchResult::Ended);
            self.send_startup_message(StartupMessage::Done(answer));
        }
    }

    fn begin_run(&mut self) {
        self.deadline_at = None;
        self.meta.set_state(ProcessState::Starting);
        self.meta.pid = 0;
        self.meta.run_state.next_start_ms = 0;
        self.meta.run_state.start_pending = false;
        self.meta.run_state.previous = None;
        self.meta.run_state.ended_by = None;
        self.last_signal = None;
        self.meta.run_state.nonce = nonce();
        self.meta.run_state.start_ticks = clock::ticks();
        self.boot_id.clone_into(&mut self.meta.run_state.boot_id);
        self.search = Search::Tree;
        self.leftovers = Leftovers::default();
        self.limit_memory();
        // Before anything is forked: what this start leaves is recognized by the nonce.
        self.save();
    }

    fn spawn(&mut self) -> LifecycleEvent {
        if self.meta.prehook.is_empty() {
            self.begin_run();
        }
        match spawn::prepare(&self.spawn_spec(SpawnKind::Service)) {
            Ok(newborn) => self.release(newborn),
            Err(failure) => self.spawn_failed(failure),
        }
    }

    fn spawn_spec(&self, program: SpawnKind) -> SpawnSpec<'_> {
        let [out, err] = &self.streams;
        SpawnSpec {
            dir: &self.dir,
            meta: &self.meta,
            kind: program,
            outputs: [out.fifo.as_fd(), err.fifo.as_fd()],
            cgroup: self.cgroup.as_ref(),
            role_lock: self.role_lock.as_fd(),
        }
    }

    /// Records the child, then lets it run.
    fn release(&mut self, newborn: GatedChild) -> LifecycleEvent {
        let pid = newborn.pid;
        let start_ticks = ProcessIdentity::of(pid).map_or(0, |identity| identity.start_ticks);
        self.meta.pid = pid;
        self.meta.run_state.start_ticks = start_ticks;
        self.meta.run_state.started_ms = clock::unix_ms();
        self.meta.start_time = self.meta.run_state.started_ms / 1000;
        self.move_to_cgroup(pid);
        self.save();
        let released = newborn.release(self.meta.run_state.memory_method);
        // All this while the program is being executed.
        if std::mem::take(&mut self.is_first_start) {
            self.open_logs();
        }
        self.write_pid_file();
        self.oom_before = Some(OomCounter::current(self.memory_cgroup.as_ref()));
        match released.confirm() {
            Ok(pidfd) => {
                let identity = ProcessIdentity { pid, start_ticks };
                let started_at = MonotonicTime::now();
                self.child = Some(Child { identity, pidfd, started_at, foreign_exit: None, shares_unit: true });
                self.meta.set_state(ProcessState::Online);
                self.meta.run_state.start_error.clear();
                self.announce(EventKind::Started { restarts: self.machine.restarts });
                self.save();
                self.launch_result = Some(LaunchResult::Spawned { pid });
                LifecycleEvent::Spawned
            }
            Err(failure) => {
                spawn::reap(pid);
                self.spawn_failed(failure)
            }
        }
    }

    fn spawn_failed(&mut self, failure: SpawnError) -> LifecycleEvent {
        self.meta.pid = 0;
        self.record_exit(ExitStatus::NotRun(failure.errno), Duration::ZERO);
        self.meta.run_state.start_error = failure.message;
        self.launch_result = Some(LaunchResult::NotRun { errno: failure.errno, step: failure.step });
        LifecycleEvent::SpawnFailed(failure.errno)
    }

    fn terminate(&mut self) -> Option<LifecycleEvent> {
        self.enter_stopping();
        self.save();
        self.leftovers.terminated_at = Some(clock::ticks());
        // Systemd has sent it to all processes of a unit that it stops.
        if !self.unit_stopping || self.meta.run.stop_signal != libc::SIGTERM {
            self.signal_group(self.meta.run.stop_signal);
        }
        // A stopped process would never see it.
        self.signal_group(libc::SIGCONT);
        self.start_grace_period();
        None
    }

    fn enter_stopping(&mut self) {
        if self.meta.state != ProcessState::Stopping {
            self.meta.set_state(ProcessState::Stopping);
            self.announce(EventKind::Stopping);
        }
    }

    fn kill(&mut self) -> Option<LifecycleEvent> {
        self.enter_stopping();
        self.save();
        self.signal_group(libc::SIGKILL);
        self.deadline_at = Some(MonotonicTime::now().plus(KILL_RETRY_INTERVAL));
        None
    }

    fn signal_group(&self, signal: i32) {
        let child = self.child.as_ref().map(|child| (child.identity.pid, &child.pidfd));
        let hook = self.hook.as_ref().map(|hook| (hook.pid, &hook.pidfd));
        let Some((pid, pidfd)) = child.or(hook) else { return };
        if proc::signal(pidfd, signal, SignalTarget::Group).is_err() && !proc::has_ended(pidfd) {
            // A kernel before 6.9 cannot reach a group through a handle. The leader lives, so the number is its.
            let group = i32::try_from(pid).unwrap_or(i32::MAX);
            // SAFETY: sends a signal; touches no memory.
            unsafe { libc::kill(-group, signal) };
        }
    }

    /// The child ended: sweeps what it left, or sees whether there is something that deserves the rest of the grace.
    pub(super) fn child_ended(&mut self, how: ExitStatus) {
        self.expect_unit_stop(how);
        let Some(child) = self.child.take() else { return };
        let lived = MonotonicTime::now().duration_since(child.started_at);
        let rest = if matches!(self.machine.phase, Phase::Stopping(_)) {
            self.check_leftovers()
        } else {
            self.sweep_leftovers()
        };
        self.record_exit(how, lived);
        self.step(LifecycleEvent::Exited { status: how, uptime: lived, leftovers: rest });
        self.launch_result = None;
    }

    /// Whether something was left that deserves the rest of the grace.
    pub(super) fn check_leftovers(&mut self) -> LeftoverState {
        if !self.sweep_scope().find_strays().is_empty() {
            // It is given what is left of the grace, or all of it after a death of ours.
            if self.deadline_at.is_none() {
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
        self.deadline_at = Some(MonotonicTime::now().plus(Duration::from_millis(self.meta.run.kill_timeout_ms)));
    }

    fn wait_before_start(&mut self, span: Duration) -> Option<LifecycleEvent> {
        let span = span.mul_f64(jitter());
        self.clear_running_state();
        self.meta.set_state(ProcessState::Waiting);
        let delay_ms = u64::try_from(span.as_millis()).unwrap_or(0);
        self.meta.run_state.next_start_ms = clock::unix_ms() + delay_ms;
        self.announce(EventKind::Restarting { delay_ms });
        self.save();
        self.deadline_at = Some(MonotonicTime::now().plus(span));
        None
    }

    /// Records the last state and ends.
    pub(super) fn finish(&mut self, state: ProcessState) {
        self.deadline_at = None;
        self.drain();
        for stream in &mut self.streams {
            // Only what the log refused is left; it is lost.
            stream.discard();
        }
        self.record_discarded();
        self.clear_running_state();
        if let Some(cgroup) = &self.cgroup {
            cgroup.remove();
        }
        if let Some(group) = &self.memory_cgroup {
            group.remove();
        }
        self.meta.run_state.start_pending = false;
        self.meta.set_state(state);
        self.announce_end(state);
        self.save();
        let answer = self.launch_result.take().unwrap_or(LaunchResult::Ended);
        self.send_startup_message(StartupMessage::Done(answer));
        self.stop_reason = Some(StopReason::Finished);
    }

    fn clear_running_state(&mut self) {
        self.meta.pid = 0;
        let _ = fs::remove_file(self.pid_file());
    }

    /// `<name>.pid`, for those who look for such a file.
    pub(super) fn write_pid_file(&self) {
        // The record holds the pid as well, and is what counts. No file is better than one with another pid.
        if write_atomically(&self.pid_file(), &format!("{}\n", self.meta.pid)).is_err() {
            let _ = fs::remove_file(self.pid_file());
        }
    }

    fn pid_file(&self) -> String {
        format!("{}.pid", self.meta.name.replace('/', "_"))
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
    // SAFETY: the buffer is ours and as long as said. A short answer, before the kernel's pool is ready, is no less unique.
    unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), bytes.len(), 0) };
    u64::from_ne_bytes(bytes)
}
