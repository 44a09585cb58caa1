//! The first decision of a worker: go on with what an earlier one left, or begin.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::time::Duration;

use crate::disk;

use super::{Child, Worker};
use crate::supervise::cgroup::Cgroup;
use crate::supervise::clock::{self, MonotonicTime};
use crate::supervise::environment::{HOOK_VAR, RUN_MARKER_VAR};
use crate::supervise::exit_status::{ExitReports, ForeignExit, from_wait_status};
use crate::supervise::log_writer::{ERR, OUT};
use crate::supervise::machine::{AfterStop, LifecycleEvent, Phase};
use crate::supervise::memory_cgroup::MemoryCgroup;
use crate::supervise::meta::{ExitStatus, ProcessState};
use crate::supervise::oom::OomCounter;
use crate::supervise::ownership::{self, RunMarker};
use crate::supervise::proc::{self, ProcStat, ProcessIdentity};
use crate::supervise::protocol::LaunchResult;
use crate::supervise::protocol::StartupMessage;
use crate::supervise::sweep::{Search, Stray};
use crate::supervise::systemd_unit;

/// How long a killed leftover may take to end before a start goes on without it.
const KILL_TIMEOUT: Duration = Duration::from_millis(500);

/// A recorded back-off is never waited for longer than this, whatever the wall clock did.
const MAX_BACKOFF_WAIT: Duration = Duration::from_secs(33);

/// Between two tries to hold a process that lives.
const HANDLE_RETRY_INTERVAL: Duration = Duration::from_millis(20);

impl Worker {
    /// Does what the record and the machine's processes ask for.
    pub(super) fn recover_or_start(&mut self) {
        if !self.current.is_first_start {
            self.pipes.open_logs();
        }
        let then = if self.record.meta.run_state.start_pending { AfterStop::Start } else { AfterStop::End };
        let alive = self.find_child();
        if alive {
            self.adopt(then);
        } else {
            self.continue_without_child(then);
        }
        if self.current.hook.is_none() {
            let answer = self.current.launch_result.take().unwrap_or(LaunchResult::Ended);
            self.pipes.send_startup_message(StartupMessage::Done(answer));
        }
    }

    /// Holds the recorded child, if it lives; else one that was never recorded.
    fn find_child(&mut self) -> bool {
        let recorded = self.record.meta.identity().and_then(open_child);
        if let Some(child) = recorded {
            if self.record.meta.state == ProcessState::Starting && is_gated(child.identity.pid) {
                self.kill_gated_child(&child);
                return false;
            }
            self.current.child = Some(child);
            return true;
        }
        self.record.meta.state == ProcessState::Starting && !self.current.is_first_start && self.find_unrecorded()
    }

    /// A child that waits for a supervisor that is gone will never run its program: it ends, and the start is repeated.
    fn kill_gated_child(&mut self, child: &Child) {
        let _ = proc::signal(&child.pidfd, libc::SIGKILL, proc::SignalTarget::Process);
        proc::wait_for_end(&child.pidfd, KILL_TIMEOUT);
        self.record.meta.pid = 0;
    }

    /// A record that says "starting" may be older than the truth: holds the child of this very start, if it runs already, and
    /// ends what an earlier life left.
    fn find_unrecorded(&mut self) -> bool {
        self.current.search = Search::AllProcesses;
        let Some(child) = self.child_of_this_start() else {
            self.sweep();
            self.record.meta.run_state.previous = None;
            return false;
        };
        self.record.meta.run_state.start_ticks = child.identity.start_ticks;
        self.record.meta.pid = child.identity.pid;
        self.current.child = Some(child);
        true
    }

    /// Only what has the nonce of this start, which was recorded before anything was forked, runs as the user that it was to
    /// run as, and is not older than the start. Anything else may be a stray of another life, or a stranger's.
    fn child_of_this_start(&self) -> Option<Child> {
        let mark =
            RunMarker::of(&self.record.meta).filter(|_| self.record.meta.run_state.boot_id == self.record.boot_id)?;
        let is_it = |found: &&Stray| {
            found.is_session_leader
                && found.start_ticks >= self.record.meta.run_state.start_ticks
                && mark.is_set_on(found.pid)
                && ownership::user_of(found.pid) == Some(self.record.run_uid())
                && !is_hook(found.pid)
        };
        let found = self.sweep_scope().find_strays();
        open_child(found.iter().filter(is_it).min_by_key(|found| found.start_ticks)?.identity())
    }

    /// The child lives.
    fn adopt(&mut self, then: AfterStop) {
        let Some(identity) = self.current.child.as_ref().map(|child| child.identity) else { return };
        self.current.search = self.search_for(identity);
        self.switch_to_removed_fifos(identity.pid);
        if let Some(cgroup) = Cgroup::of_child(identity.pid) {
            self.current.cgroup = Some(cgroup);
        }
        self.current.launch_result = Some(LaunchResult::Adopted { pid: identity.pid });
        self.current.memory_cgroup = MemoryCgroup::of_child(identity.pid);
        self.current.oom_before = Some(OomCounter::current(self.current.memory_cgroup.as_ref()));
        if self.record.meta.state == ProcessState::Stopping {
            self.step(LifecycleEvent::AdoptedStopping(then));
        } else {
            self.record.meta.set_state(ProcessState::Online);
            self.record.write_pid_file();
            self.step(LifecycleEvent::Adopted);
        }
        self.save();
    }

    /// The child still writes to FIFOs whose names were removed; ours are new ones of the same names. Its own are taken up.
    fn switch_to_removed_fifos(&mut self, pid: u32) {
        for (stream, (fd, name)) in self.pipes.streams.iter_mut().zip([(1, OUT), (2, ERR)]) {
            let path = format!("/proc/{pid}/fd/{fd}");
            let mut removed = self.record.dir.join(name).into_os_string();
            removed.push(" (deleted)");
            if fs::read_link(&path).is_ok_and(|target| target.as_os_str() == removed) {
                let flags = libc::O_NONBLOCK | libc::O_NOCTTY;
                if let Ok(fifo) = File::options().read(true).write(true).custom_flags(flags).open(&path) {
                    stream.switch_fifo(fifo.into());
                }
            }
        }
    }

    /// All that a guard saw the birth of stays below it.
    fn search_for(&self, child: ProcessIdentity) -> Search {
        let top = ProcStat::of(self.guarding.tree_root).map_or(u64::MAX, |stat| stat.start_ticks);
        let saw = child.start_ticks > top
            || child.start_ticks == top && self.guarding.previous_guard == self.guarding.tree_root;
        if saw { Search::Tree } else { Search::AllProcesses }
    }

    /// No child lives.
    fn continue_without_child(&mut self, then: AfterStop) {
        let this_boot = self.record.meta.run_state.boot_id == self.record.boot_id;
        match self.record.meta.state {
            ProcessState::Stopped | ProcessState::Crashed | ProcessState::Errored | ProcessState::Unknown => {
                self.stop_reason = Some(super::StopReason::Finished);
            }
            ProcessState::Starting => self.step(LifecycleEvent::Begin),
            ProcessState::Waiting if this_boot => {
                let left = self.record.meta.run_state.next_start_ms.saturating_sub(clock::unix_ms());
                self.step(LifecycleEvent::AdoptedWaiting);
                self.current.deadline_at =
                    Some(MonotonicTime::now().plus(Duration::from_millis(left).min(MAX_BACKOFF_WAIT)));
                self.save();
            }
            ProcessState::Scheduled if this_boot => {
                self.step(LifecycleEvent::AdoptedScheduled);
                self.save();
            }
            ProcessState::Online if this_boot => self.resume_after_exit(Phase::Running),
            ProcessState::Stopping if this_boot && self.record.meta.pid == 0 => self.resume_cleanup(then),
            ProcessState::Stopping if this_boot => self.resume_after_exit(Phase::Stopping(then)),
            // Another boot: nothing of this life is left, and a start is not for us to decide.
            ProcessState::Waiting | ProcessState::Scheduled | ProcessState::Online | ProcessState::Stopping => {
                self.record.meta.last_exit = self.record.meta.unseen_exit().or(self.record.meta.last_exit.take());
                self.finish(ProcessState::Crashed)
            }
        }
    }

    /// The child ended unobserved, or while the worker was being replaced.
    fn resume_after_exit(&mut self, phase: Phase) {
        self.current.search = Search::AllProcesses;
        self.machine.resume_at(phase);
        let started_ms = self.record.meta.run_state.started_ms;
        let known = self.record.meta.last_exit.as_ref().filter(|exit| exit.at_ms >= started_ms);
        let (how, lived) = match known {
            Some(exit) => (exit.status, Duration::from_millis(exit.uptime_ms)),
            None => {
                let how = final_status(
                    self.record.meta.pid,
                    self.record.meta.run_state.start_ticks,
                    &mut self.pipes.exit_reports,
                );
                let lived = Duration::from_millis(clock::unix_ms().saturating_sub(started_ms));
                self.record_exit(how, lived);
                (how, lived)
            }
        };
        let rest = if matches!(phase, Phase::Stopping(_)) { self.check_leftovers() } else { self.sweep_leftovers() };
        self.step(LifecycleEvent::Exited { status: how, uptime: lived, leftovers: rest });
    }

    /// What is to be stopped, and of which nothing but what it left may live.
    fn resume_cleanup(&mut self, then: AfterStop) {
        self.current.search = Search::AllProcesses;
        self.machine.resume_at(Phase::CleaningUp(then));
        self.start_grace_period();
        self.check_for_leftovers();
    }
}

/// How a process ended that was dead before we could hold it.
fn final_status(pid: u32, start_ticks: u64, obituaries: &mut ExitReports) -> ExitStatus {
    let recorded = obituaries.status_of(pid);
    let zombie = || ProcStat::of(pid).filter(|stat| stat.start_ticks == start_ticks && stat.wait_status != 0);
    recorded.or_else(|| zombie().map(|stat| stat.wait_status)).map_or(ExitStatus::Unknown, from_wait_status)
}

/// Holds the process with this identity, if it lives: first the handle, then the comparison, so that no pid is mistaken.
fn open_child(identity: ProcessIdentity) -> Option<Child> {
    let pidfd = loop {
        match proc::find_pidfd(identity.pid) {
            Ok(found) => break found?,
            // One that lives and cannot be held would be taken for dead, and started a second time. That ends with the process.
            Err(_) if proc::is_alive(&identity) => clock::sleep(HANDLE_RETRY_INTERVAL),
            Err(_) => return None,
        }
    };
    if !proc::is_alive(&identity) {
        return None;
    }
    let born = MonotonicTime::from_ticks(identity.start_ticks);
    let mine = ProcStat::of(identity.pid).is_some_and(|stat| stat.parent == std::process::id());
    let witness = (!mine).then(|| ForeignExit::of(identity.pid));
    let shares_unit = systemd_unit::is_shared_with(identity.pid);
    Some(Child { identity, pidfd, started_at: born, foreign_exit: witness, shares_unit })
}

/// True for a forked child that has not executed its program: it has no mark yet.
fn is_gated(pid: u32) -> bool {
    fs::read(format!("/proc/{pid}/environ")).is_ok_and(|environ| !contains_marker(&environ))
}

fn contains_marker(environ: &[u8]) -> bool {
    environ.split(|byte| *byte == 0).any(|setting| setting.starts_with(RUN_MARKER_VAR.as_bytes()))
}

fn is_hook(pid: u32) -> bool {
    proc::variable_of(pid, HOOK_VAR).is_some()
}

/// Writes a small file in one step.
pub(super) fn write_atomically(name: &str, text: &str) -> io::Result<()> {
    let fresh = format!(".{name}.new");
    disk::own_file().create(0o600).truncate().open(&fresh)?.write_all(text.as_bytes())?;
    fs::rename(&fresh, name)
}
