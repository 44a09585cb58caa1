//! The first decision of a worker: go on with what an earlier one left, or begin.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::time::Duration;

use crate::disk;

use super::cgroup::Cgroup;
use super::client::Launched;
use super::clock::{self, Moment};
use super::environment::{HOOK, MARK};
use super::exit::{Obituaries, Witness, how};
use super::machine::{Event, Phase, Then};
use super::memory::Kills;
use super::memory_group::MemoryGroup;
use super::meta::{How, State};
use super::output::{ERR, OUT};
use super::proc::{self, Identity, Stat};
use super::sweep::{Found, Ground};
use super::whose::{self, Mark};
use super::wire::Word;
use super::worker::{Child, Worker};

/// How long a killed leftover may take to end before a start goes on without it.
const BURIAL: Duration = Duration::from_millis(500);

/// A recorded back-off is never waited for longer than this, whatever the wall clock did.
const LONGEST_WAIT: Duration = Duration::from_secs(33);

impl Worker {
    /// Does what the record and the machine's processes ask for.
    pub(super) fn wake_up(&mut self) {
        if !self.fresh {
            self.open_logs();
        }
        let then = if self.meta.life.start_follows { Then::Start } else { Then::End };
        let alive = self.find_child();
        if alive {
            self.take_over(then);
        } else {
            self.go_on_without(then);
        }
        if self.hook.is_none() {
            let answer = self.answer.take().unwrap_or(Launched::Ended);
            self.say(Word::Done(answer));
        }
    }

    /// Holds the recorded child, if it lives; else one that was never recorded.
    fn find_child(&mut self) -> bool {
        let recorded = self.meta.identity().and_then(hold);
        if let Some(child) = recorded {
            if self.meta.state == State::Starting && stands_before_the_gate(child.identity.pid) {
                self.end_before_the_gate(&child);
                return false;
            }
            self.child = Some(child);
            return true;
        }
        self.meta.state == State::Starting && !self.fresh && self.find_unrecorded()
    }

    /// A child that waits for a supervisor that is gone will never run its program: it ends, and the start is repeated.
    fn end_before_the_gate(&mut self, child: &Child) {
        let _ = proc::signal(&child.pidfd, libc::SIGKILL, proc::Reach::Process);
        proc::wait_for_end(&child.pidfd, BURIAL);
        self.meta.pid = 0;
    }

    /// A record that says "starting" may be older than the truth: holds the child of this very start, if it runs already, and
    /// ends what an earlier life left.
    fn find_unrecorded(&mut self) -> bool {
        self.ground = Ground::Everywhere;
        let Some(child) = self.child_of_this_start() else {
            self.sweep();
            self.meta.life.former = None;
            return false;
        };
        self.meta.life.start_ticks = child.identity.start_ticks;
        self.meta.pid = child.identity.pid;
        self.child = Some(child);
        true
    }

    /// Only what has the nonce of this start, which was recorded before anything was forked, runs as the user that it was to
    /// run as, and is no older than the start. Anything else may be a stray of another life, or a stranger's.
    fn child_of_this_start(&self) -> Option<Child> {
        let mark = Mark::of(&self.meta).filter(|_| self.meta.life.boot_id == self.boot_id)?;
        let is_it = |found: &&Found| {
            found.leads
                && found.start_ticks >= self.meta.life.start_ticks
                && mark.is_on(found.pid)
                && whose::user_of(found.pid) == Some(self.user())
                && !is_hook(found.pid)
        };
        let found = self.quarry().find();
        hold(found.iter().filter(is_it).min_by_key(|found| found.start_ticks)?.identity())
    }

    /// The child lives.
    fn take_over(&mut self, then: Then) {
        let Some(identity) = self.child.as_ref().map(|child| child.identity) else { return };
        self.ground = self.ground_of(identity);
        self.follow_removed_fifos(identity.pid);
        if let Some(cgroup) = Cgroup::of_child(identity.pid) {
            self.cgroup = Some(cgroup);
        }
        self.answer = Some(Launched::Adopted { pid: identity.pid });
        self.memory_group = MemoryGroup::of_child(identity.pid);
        self.kills_before = Some(Kills::so_far(self.memory_group.as_ref()));
        if self.meta.state == State::Stopping {
            self.step(Event::AdoptedStopping(then));
        } else {
            self.meta.enter(State::Online);
            self.write_pid_file();
            self.step(Event::Adopted);
        }
        self.save();
    }

    /// The child still writes to FIFOs whose names were removed; ours are new ones of the same names. Its own are taken up.
    fn follow_removed_fifos(&mut self, pid: u32) {
        for (stream, (fd, name)) in self.streams.iter_mut().zip([(1, OUT), (2, ERR)]) {
            let path = format!("/proc/{pid}/fd/{fd}");
            let mut removed = self.dir.join(name).into_os_string();
            removed.push(" (deleted)");
            if fs::read_link(&path).is_ok_and(|target| target.as_os_str() == removed) {
                let flags = libc::O_NONBLOCK | libc::O_NOCTTY;
                if let Ok(fifo) = File::options().read(true).write(true).custom_flags(flags).open(&path) {
                    stream.follow(fifo.into());
                }
            }
        }
    }

    /// All that a guard saw the birth of stays below it.
    fn ground_of(&self, child: Identity) -> Ground {
        let top = Stat::of(self.top).map_or(u64::MAX, |stat| stat.start_ticks);
        let saw = child.start_ticks > top || child.start_ticks == top && self.guard_before == self.top;
        if saw { Ground::Tree } else { Ground::Everywhere }
    }

    /// No child lives.
    fn go_on_without(&mut self, then: Then) {
        let this_boot = self.meta.life.boot_id == self.boot_id;
        match self.meta.state {
            State::Stopped | State::Crashed | State::Errored | State::Unknown => {
                self.end = Some(super::worker::End::Finished);
            }
            State::Starting => self.step(Event::Begin),
            State::Waiting if this_boot => {
                let left = self.meta.life.next_start_ms.saturating_sub(clock::unix_ms());
                self.step(Event::AdoptedWaiting);
                self.due = Some(Moment::now().after(Duration::from_millis(left).min(LONGEST_WAIT)));
                self.save();
            }
            State::Scheduled if this_boot => {
                self.step(Event::AdoptedScheduled);
                self.save();
            }
            State::Online if this_boot => self.resume_dead(Phase::Up),
            State::Stopping if this_boot && self.meta.pid == 0 => self.resume_lingering(then),
            State::Stopping if this_boot => self.resume_dead(Phase::Stopping(then)),
            // Another boot: nothing of this life is left, and a start is for somebody else to decide.
            State::Waiting | State::Scheduled | State::Online | State::Stopping => self.finish(State::Crashed),
        }
    }

    /// The child ended while nobody looked, or while the worker was being replaced.
    fn resume_dead(&mut self, phase: Phase) {
        self.ground = Ground::Everywhere;
        self.machine.resume_at(phase);
        let started_ms = self.meta.life.started_ms;
        let known = self.meta.last_exit.as_ref().filter(|exit| exit.at_ms >= started_ms);
        let (how, lived) = match known {
            Some(exit) => (exit.how, Duration::from_millis(exit.lived_ms)),
            None => {
                let how = last_word(self.meta.pid, self.meta.life.start_ticks, &mut self.obituaries);
                let lived = Duration::from_millis(clock::unix_ms().saturating_sub(started_ms));
                self.record_exit(how, lived);
                (how, lived)
            }
        };
        let rest = if matches!(phase, Phase::Stopping(_)) { self.see_rest() } else { self.sweep_rest() };
        self.step(Event::Exited { how, lived, rest });
    }

    /// What is to be stopped, and of which nothing but what it left may live.
    fn resume_lingering(&mut self, then: Then) {
        self.ground = Ground::Everywhere;
        self.machine.resume_at(Phase::Lingering(then));
        self.give_grace();
        self.look_for_leftovers();
    }
}

/// How a process ended that was dead before we could hold it.
fn last_word(pid: u32, start_ticks: u64, obituaries: &mut Obituaries) -> How {
    let told = obituaries.status_of(pid);
    let zombie = || Stat::of(pid).filter(|stat| stat.start_ticks == start_ticks && stat.wait_status != 0);
    told.or_else(|| zombie().map(|stat| stat.wait_status)).map_or(How::Unknown, how)
}

/// Holds the process with this identity, if it lives: first the handle, then the comparison, so that no pid is mistaken.
fn hold(identity: Identity) -> Option<Child> {
    let pidfd = proc::handle(identity.pid).ok()?;
    if !proc::is_alive(&identity) {
        return None;
    }
    let born = Moment::from_ticks(identity.start_ticks);
    let mine = Stat::of(identity.pid).is_some_and(|stat| stat.parent == std::process::id());
    let witness = (!mine).then(|| Witness::of(identity.pid));
    Some(Child { identity, pidfd, born, witness })
}

/// True for a forked child that has not executed its program: it has no mark yet.
fn stands_before_the_gate(pid: u32) -> bool {
    fs::read(format!("/proc/{pid}/environ")).is_ok_and(|environ| !contains_mark(&environ))
}

fn contains_mark(environ: &[u8]) -> bool {
    environ.split(|byte| *byte == 0).any(|setting| setting.starts_with(MARK.as_bytes()))
}

fn is_hook(pid: u32) -> bool {
    proc::environment_of(pid, HOOK).is_some()
}

/// Writes a small file in one step.
pub(super) fn replace(name: &str, text: &str) -> io::Result<()> {
    let fresh = format!(".{name}.new");
    disk::own().create(0o600).truncate().open(&fresh)?.write_all(text.as_bytes())?;
    fs::rename(&fresh, name)
}
