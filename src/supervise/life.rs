//! What the machine asks for, carried out: starting, ending, sweeping, recording.

use std::fs;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use super::adopt::replace;
use super::client::{HOOK_LIMIT, Launched};
use super::clock::{self, Moment};
use super::exit::shell_code;
use super::leftovers::Leftovers;
use super::machine::{Action, Event, Phase, Rest};
use super::memory::Kills;
use super::meta::{How, State};
use super::proc::{self, Identity, Reach};
use super::spawn::{self, Birth, Failure, Newborn, Program};
use super::sweep::Ground;
use super::wire::Word;
use super::worker::{Child, End, Hook, Worker};

/// A SIGKILL is repeated after this time: whoever still is there was not there before, or hangs in the kernel.
const KILL_AGAIN: Duration = Duration::from_secs(1);

impl Worker {
    /// Carries out an action, and those that follow from it at once.
    pub(super) fn act(&mut self, first: Action) {
        let mut next = Some(first);
        while let Some(action) = next.take() {
            let event = match action {
                Action::Nothing => None,
                // Without its folder nothing can be started, and nobody could give an order any more.
                Action::Hook | Action::Spawn | Action::Wait(_) | Action::Schedule if is_removed() => {
                    self.finish(State::Crashed);
                    None
                }
                Action::Hook => self.run_hook(),
                Action::Spawn => Some(self.spawn()),
                Action::Terminate => self.terminate(),
                Action::Kill => self.kill(),
                Action::TerminateRest => self.terminate_rest(),
                Action::KillRest => self.kill_rest(),
                Action::Wait(span) => self.wait_before_start(span),
                Action::Schedule => {
                    self.due = None;
                    self.nothing_runs();
                    self.meta.enter(State::Scheduled);
                    self.save();
                    None
                }
                Action::Finish(state) => {
                    self.finish(state);
                    None
                }
            };
            next = event.map(|event| self.machine.step(event));
        }
    }

    fn run_hook(&mut self) -> Option<Event> {
        self.begin_life();
        match spawn::prepare(&self.birth(Program::Hook)).and_then(|newborn| {
            let pid = newborn.pid;
            self.take_into_group(pid);
            newborn
                .release(self.meta.life.memory_by)
                .confirm()
                .map(|pidfd| (pid, pidfd))
                .inspect_err(|_| spawn::bury(pid))
        }) {
            Ok((pid, pidfd)) => {
                self.hook = Some(Hook { pid, pidfd, born: Moment::now() });
                self.due = Some(Moment::now().after(HOOK_LIMIT));
                self.say(Word::Hooking);
                None
            }
            Err(failure) => Some(self.not_run(failure)),
        }
    }

    /// The pre-start command ended. What it left behind belongs to the life that follows, if one does.
    pub(super) fn hook_ended(&mut self, how: How) {
        let Some(hook) = self.hook.take() else { return };
        self.due = None;
        let end = if how.is_success() { how } else { How::Hook(shell_code(how)) };
        if !how.is_success() {
            self.sweep();
        }
        // One that was killed by an order is no failed start.
        if let (How::Hook(code), Phase::Hooking) = (end, self.machine.phase) {
            self.record_exit(end, Moment::now().since(hook.born));
            self.meta.life.start_error = format!("the pre-start command failed with exit code {code}");
            self.answer = Some(Launched::HookFailed { code });
        }
        self.step(Event::HookEnded(end));
        if self.hook.is_none() {
            let answer = self.answer.take().unwrap_or(Launched::Ended);
            self.say(Word::Done(answer));
        }
    }

    fn begin_life(&mut self) {
        self.due = None;
        self.meta.enter(State::Starting);
        self.meta.pid = 0;
        self.meta.life.next_start_ms = 0;
        self.meta.life.start_follows = false;
        self.meta.life.former = None;
        self.meta.life.ended_by = None;
        self.signalled = None;
        self.meta.life.nonce = nonce();
        self.meta.life.start_ticks = clock::ticks();
        self.boot_id.clone_into(&mut self.meta.life.boot_id);
        self.ground = Ground::Tree;
        self.leftovers = Leftovers::default();
        self.limit_memory();
        // Before anything is forked: whoever looks for what this start left knows it by the nonce.
        self.save();
    }

    fn spawn(&mut self) -> Event {
        if self.meta.prehook.is_empty() {
            self.begin_life();
        }
        match spawn::prepare(&self.birth(Program::Service)) {
            Ok(newborn) => self.release(newborn),
            Err(failure) => self.not_run(failure),
        }
    }

    fn birth(&self, program: Program) -> Birth<'_> {
        let [out, err] = &self.streams;
        Birth {
            dir: &self.dir,
            meta: &self.meta,
            program,
            outputs: [out.fifo.as_fd(), err.fifo.as_fd()],
            cgroup: self.cgroup.as_ref(),
            seat: self.seat.as_fd(),
        }
    }

    /// Records the child, then lets it run.
    fn release(&mut self, newborn: Newborn) -> Event {
        let pid = newborn.pid;
        let start_ticks = Identity::of(pid).map_or(0, |identity| identity.start_ticks);
        self.meta.pid = pid;
        self.meta.life.start_ticks = start_ticks;
        self.meta.life.started_ms = clock::unix_ms();
        self.meta.start_time = self.meta.life.started_ms / 1000;
        self.take_into_group(pid);
        self.save();
        let released = newborn.release(self.meta.life.memory_by);
        // All this while the program is being executed.
        if std::mem::take(&mut self.fresh) {
            self.open_logs();
        }
        self.write_pid_file();
        self.kills_before = Some(Kills::so_far(self.memory_group.as_ref()));
        match released.confirm() {
            Ok(pidfd) => {
                let identity = Identity { pid, start_ticks };
                self.child = Some(Child { identity, pidfd, born: Moment::now(), witness: None });
                self.meta.enter(State::Online);
                self.meta.life.start_error.clear();
                self.save();
                self.answer = Some(Launched::Spawned { pid });
                Event::Spawned
            }
            Err(failure) => {
                spawn::bury(pid);
                self.not_run(failure)
            }
        }
    }

    fn not_run(&mut self, failure: Failure) -> Event {
        self.meta.pid = 0;
        self.record_exit(How::NotRun(failure.errno), Duration::ZERO);
        self.meta.life.start_error = failure.words;
        self.answer = Some(Launched::NotRun { errno: failure.errno, step: failure.step });
        Event::NotRun(failure.errno)
    }

    fn terminate(&mut self) -> Option<Event> {
        self.meta.enter(State::Stopping);
        self.save();
        self.leftovers.asked_at = Some(clock::ticks());
        self.signal_group(self.meta.run.stop_signal);
        // A stopped process would never see it.
        self.signal_group(libc::SIGCONT);
        self.give_grace();
        None
    }

    fn kill(&mut self) -> Option<Event> {
        self.meta.enter(State::Stopping);
        self.save();
        self.signal_group(libc::SIGKILL);
        self.due = Some(Moment::now().after(KILL_AGAIN));
        None
    }

    fn signal_group(&self, signal: i32) {
        let child = self.child.as_ref().map(|child| (child.identity.pid, &child.pidfd));
        let hook = self.hook.as_ref().map(|hook| (hook.pid, &hook.pidfd));
        let Some((pid, pidfd)) = child.or(hook) else { return };
        if proc::signal(pidfd, signal, Reach::Group).is_err() && !proc::has_ended(pidfd) {
            // A kernel before 6.9 cannot reach a group through a handle. The leader lives, so the number is its.
            let group = i32::try_from(pid).unwrap_or(i32::MAX);
            // SAFETY: sends a signal; touches no memory.
            unsafe { libc::kill(-group, signal) };
        }
    }

    /// The child ended: sweeps what it left, or sees whether there is something that deserves the rest of the grace.
    pub(super) fn child_ended(&mut self, how: How) {
        let Some(child) = self.child.take() else { return };
        let lived = Moment::now().since(child.born);
        let rest = if matches!(self.machine.phase, Phase::Stopping(_)) { self.see_rest() } else { self.sweep_rest() };
        self.record_exit(how, lived);
        self.step(Event::Exited { how, lived, rest });
        self.answer = None;
    }

    /// Whether something was left that deserves the rest of the grace.
    pub(super) fn see_rest(&mut self) -> Rest {
        if !self.quarry().find().is_empty() {
            // It is given what is left of the grace, or all of it after a death of ours.
            if self.due.is_none() {
                self.give_grace();
            }
            return Rest::Some;
        }
        self.drain();
        Rest::Nothing
    }

    /// Leaves nothing.
    pub(super) fn sweep_rest(&mut self) -> Rest {
        self.sweep();
        self.drain();
        Rest::Nothing
    }

    pub(super) fn give_grace(&mut self) {
        self.due = Some(Moment::now().after(Duration::from_millis(self.meta.run.kill_timeout_ms)));
    }

    fn wait_before_start(&mut self, span: Duration) -> Option<Event> {
        let span = span.mul_f64(jitter());
        self.nothing_runs();
        self.meta.enter(State::Waiting);
        self.meta.life.next_start_ms = clock::unix_ms() + u64::try_from(span.as_millis()).unwrap_or(0);
        self.save();
        self.due = Some(Moment::now().after(span));
        None
    }

    /// Records the last state and ends.
    pub(super) fn finish(&mut self, state: State) {
        self.due = None;
        self.drain();
        for stream in &mut self.streams {
            // Only what the log refused is left; nobody will take it any more.
            stream.discard();
        }
        self.note_discarded();
        self.nothing_runs();
        if let Some(cgroup) = &self.cgroup {
            cgroup.remove();
        }
        if let Some(group) = &self.memory_group {
            group.remove();
        }
        self.meta.life.start_follows = false;
        self.meta.enter(state);
        self.save();
        let answer = self.answer.take().unwrap_or(Launched::Ended);
        self.say(Word::Done(answer));
        self.end = Some(End::Finished);
    }

    fn nothing_runs(&mut self) {
        self.meta.pid = 0;
        let _ = fs::remove_file(self.pid_file());
    }

    /// `<name>.pid`, for those who look for such a file.
    pub(super) fn write_pid_file(&self) {
        // The record holds the pid as well, and is what counts. No file is better than one with another pid.
        if replace(&self.pid_file(), &format!("{}\n", self.meta.pid)).is_err() {
            let _ = fs::remove_file(self.pid_file());
        }
    }

    fn pid_file(&self) -> String {
        format!("{}.pid", self.meta.name.replace('/', "_"))
    }
}

/// The working directory, which is the process directory, was removed.
fn is_removed() -> bool {
    fs::metadata(".").is_ok_and(|folder| folder.nlink() == 0)
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
