//! The loop of the daemon: waits for what comes first, and has it done.

use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use super::DaemonEnd;
use super::launcher::Launcher;
use super::log::{DaemonLog, Level};
use super::record::{DaemonRecord, DaemonState, StoppedProcess};
use super::status::Overview;
use super::wanted::Beginning;
use super::worker::{DaemonWorker, Job, WorkerMessage};
use crate::base::plural::pluralize;
use crate::ops::stop_order::is_up;
use crate::supervise::events::{Event, EventKind, EventReader};
use crate::sys::host::Host;
use crate::sys::notify::{ServiceManager, monotonic_line};
use crate::sys::paths::Paths;
use crate::sys::{code_pages, poll, signal};
use crate::tsm::launch::request::LaunchKind;
use crate::tsm::store::{Process, ProcessStore};

/// The pause between two maintenance rounds: events say what happens, so a round only finds supervisors that were killed.
const PATROL_INTERVAL: Duration = Duration::from_secs(60);

/// The same while something waits to be started: what it waits for sends no event.
const RETRY_INTERVAL: Duration = Duration::from_secs(30);

/// A crash brings the next round forward, but no round is sooner after another.
const SHORTEST_INTERVAL: Duration = Duration::from_secs(10);

/// Events within this time are looked at together.
const EVENT_DELAY: Duration = Duration::from_millis(250);

/// A job that takes longer hangs, and the loop gives no more signs of life.
const LONGEST_JOB: Duration = Duration::from_secs(900);

/// How long systemd is to wait beyond each sign of life while all is being started or stopped.
const EXTENSION: &str = "EXTEND_TIMEOUT_USEC=30000000";

/// The pause between two of these messages.
const EXTENSION_INTERVAL: Duration = Duration::from_secs(10);

/// How far the daemon is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LoopPhase {
    Starting,
    Running,
    Reloading,
    Stopping,
}

/// The daemon with all it has.
pub(super) struct Daemon<'a> {
    pub(super) paths: &'a Paths,
    pub(super) host: &'a dyn Host,
    pub(super) manager: ServiceManager,
    pub(super) log: DaemonLog,
    pub(super) record: DaemonRecord,
    pub(super) worker: DaemonWorker,
    pub(super) launcher: Launcher,
    pub(super) events: EventReader,
    /// Readable for each SIGHUP.
    pub(super) hangups: Option<File>,
    /// The definitions are to be read again.
    pub(super) is_hung_up: bool,
    pub(super) stop_limit: Duration,
}

/// When what is due.
#[derive(Debug)]
struct Timers {
    /// A sign of life.
    alive: Option<Instant>,
    patrol: Instant,
    last_patrol: Instant,
    /// A look at all processes.
    look: Option<Instant>,
    /// The end of a stop, whatever the worker does.
    give_up: Option<Instant>,
}

impl Daemon<'_> {
    /// Serves until the daemon is asked to end.
    pub(super) fn serve(mut self, beginning: Beginning) -> DaemonEnd {
        let how = match beginning {
            Beginning::Fresh => "started",
            Beginning::Recovered => "started after a daemon that was killed",
        };
        self.say(Level::Info, &format!("daemon @{} {how}, PID {}", self.record.environment, self.record.pid));
        self.manager.notify(&["STATUS=starting services", EXTENSION]);
        let now = Instant::now();
        let mut timers =
            Timers { alive: Some(now), patrol: now + PATROL_INTERVAL, last_patrol: now, look: None, give_up: None };
        let mut phase = LoopPhase::Starting;
        loop {
            self.wait(phase, &timers);
            if let Some(end) = self.step(&mut phase, &mut timers) {
                return end;
            }
        }
    }

    fn say(&mut self, level: Level, text: &str) {
        self.log.say(level, text, self.host.now());
    }

    /// Waits for anything, at most until something is due.
    fn wait(&self, phase: LoopPhase, timers: &Timers) {
        let mut fds: Vec<BorrowedFd> = vec![self.worker.as_fd(), self.events.as_fd()];
        fds.extend(self.hangups.as_ref().map(AsFd::as_fd));
        fds.extend(signal::interrupt_fd());
        if phase != LoopPhase::Stopping {
            fds.extend(signal::termination_fd());
        }
        fds.extend(self.launcher.descriptors());
        let patrol = (phase == LoopPhase::Running).then_some(timers.patrol);
        let due = [timers.alive, timers.look, timers.give_up, patrol, self.launcher.due()].into_iter().flatten().min();
        let limit = match due {
            _ if self.is_hung_up && phase == LoopPhase::Running => Duration::ZERO,
            Some(due) => due.saturating_duration_since(Instant::now()),
            None => PATROL_INTERVAL,
        };
        let _ = poll::wait_any(&fds, limit);
    }

    /// Does what there is to do; the end, once it has come.
    fn step(&mut self, phase: &mut LoopPhase, timers: &mut Timers) -> Option<DaemonEnd> {
        let presses = signal::interrupts();
        if *phase == LoopPhase::Stopping && presses > 1 {
            return Some(DaemonEnd::Left(self.still_running()));
        }
        if *phase != LoopPhase::Stopping && (presses > 0 || signal::termination_signal().is_some()) {
            self.begin_stop(timers);
            *phase = LoopPhase::Stopping;
        }
        signal::forget_interrupts();
        // One that comes meanwhile is for later: the definitions may have changed since they were read.
        self.is_hung_up |= self.was_hung_up();
        if self.is_hung_up && *phase == LoopPhase::Running {
            self.is_hung_up = false;
            self.manager.notify(&["RELOADING=1", &monotonic_line(), "STATUS=reading the definitions again"]);
            self.say(Level::Info, "reading the definitions again");
            self.worker.add(Job::Reload);
            *phase = LoopPhase::Reloading;
        }
        for event in self.read_events() {
            self.take_event(&event, timers);
        }
        let refusal = (*phase == LoopPhase::Stopping).then_some("the daemon is being stopped");
        for (kind, name) in self.launcher.serve(refusal) {
            if kind == LaunchKind::Supervisor {
                self.say(Level::Info, &format!("launched {name} on request"));
            }
        }
        for message in self.worker.messages() {
            if let Some(end) = self.take_message(message, phase, timers) {
                return Some(end);
            }
        }
        self.be_on_time(*phase, timers);
        match timers.give_up {
            Some(give_up) if Instant::now() >= give_up => Some(self.end(self.still_running().len())),
            _ => None,
        }
    }

    fn was_hung_up(&mut self) -> bool {
        let mut sink = [0; 64];
        // It does not wait.
        self.hangups.as_mut().is_some_and(|hangups| hangups.read(&mut sink).is_ok_and(|count| count > 0))
    }

    fn read_events(&mut self) -> Vec<Event> {
        self.events.read().map(|batch| batch.events).unwrap_or_default()
    }

    fn take_event(&mut self, event: &Event, timers: &mut Timers) {
        let now = Instant::now();
        timers.look.get_or_insert(now + EVENT_DELAY);
        if let Some((level, text)) = super::event_text::describe(event) {
            self.say(level, &text);
        }
        if event.kind == EventKind::Crashed {
            let soon = (now + EVENT_DELAY).max(timers.last_patrol + SHORTEST_INTERVAL);
            timers.patrol = timers.patrol.min(soon);
        }
    }

    fn take_message(
        &mut self,
        message: WorkerMessage,
        phase: &mut LoopPhase,
        timers: &mut Timers,
    ) -> Option<DaemonEnd> {
        match message {
            WorkerMessage::Say(level, text) => self.say(level, &text),
            WorkerMessage::Stopped(left) => return Some(self.end(left)),
            WorkerMessage::Done(_) if *phase == LoopPhase::Stopping => {}
            WorkerMessage::Done(overview) => {
                let text = overview.as_ref().map_or("the processes cannot be listed".to_owned(), Overview::text);
                let status = format!("STATUS={text}");
                // A look that was under way when the reload was ordered is not its end.
                if *phase == LoopPhase::Reloading && self.worker.busy_since().is_some() {
                    self.manager.notify(&[&status]);
                    return None;
                }
                match *phase {
                    LoopPhase::Starting => {
                        self.say(Level::Info, &format!("ready: {text}"));
                        self.manager.notify(&["READY=1", &status]);
                        timers.patrol = Instant::now() + PATROL_INTERVAL;
                    }
                    LoopPhase::Reloading => {
                        self.say(Level::Info, &format!("read the definitions again: {text}"));
                        self.manager.notify(&["READY=1", &status]);
                    }
                    LoopPhase::Running | LoopPhase::Stopping => self.manager.notify(&[&status]),
                }
                if overview.is_some_and(|it| it.is_tried_again) {
                    timers.patrol = timers.patrol.min(Instant::now() + RETRY_INTERVAL);
                }
                *phase = LoopPhase::Running;
                if self.worker.busy_since().is_none() {
                    // Until the next round only this loop runs.
                    code_pages::release();
                }
            }
        }
        None
    }

    /// Does what is due by now.
    fn be_on_time(&mut self, phase: LoopPhase, timers: &mut Timers) {
        let now = Instant::now();
        let is_patrol_due = phase == LoopPhase::Running && now >= timers.patrol;
        // With each round a sign of life: one timer instead of two.
        if timers.alive.is_some_and(|due| now >= due || is_patrol_due) {
            if self.worker.busy_since().is_none_or(|since| now.duration_since(since) < LONGEST_JOB) {
                let extension = matches!(phase, LoopPhase::Starting).then_some(EXTENSION);
                let lines: Vec<&str> = std::iter::once("WATCHDOG=1").chain(extension).collect();
                self.manager.notify(&lines);
            }
            let watchdog = self.manager.watchdog().map(|limit| limit / 2);
            let starting = (phase == LoopPhase::Starting && self.manager.is_there()).then_some(EXTENSION_INTERVAL);
            timers.alive = watchdog.into_iter().chain(starting).min().map(|pause| now + pause);
        }
        if is_patrol_due {
            self.worker.add(Job::Patrol);
            (timers.last_patrol, timers.patrol, timers.look) = (now, now + PATROL_INTERVAL, None);
        }
        if phase == LoopPhase::Running && timers.look.is_some_and(|due| now >= due) {
            self.worker.add(Job::Look);
            timers.look = None;
        }
    }

    /// Everything that is up, or due to be started again.
    fn up(&self) -> Vec<Process> {
        let all = ProcessStore::open(self.paths).all().unwrap_or_default();
        all.into_iter().filter(is_up).collect()
    }

    fn still_running(&self) -> Vec<String> {
        self.up().into_iter().map(|process| process.name.to_string()).collect()
    }

    fn begin_stop(&mut self, timers: &mut Timers) {
        let deadline = Instant::now() + self.stop_limit;
        timers.give_up = Some(deadline + Duration::from_secs(1));
        self.worker.interrupt();
        let processes = self.up();
        self.record.state = DaemonState::Stopping;
        self.record.stopped = processes.iter().map(StoppedProcess::of).collect();
        let text = format!("stopping {}", pluralize(processes.len(), "process"));
        self.manager.notify(&["STOPPING=1", &format!("STATUS={text}")]);
        self.say(Level::Info, &text);
        self.worker.add(Job::Stop { processes, deadline });
        self.write_record();
    }

    /// A full disk does not keep the daemon from what it is for.
    pub(super) fn write_record(&mut self) {
        if let Err(fault) = self.record.write(self.paths) {
            self.say(Level::Warning, &fault.in_full());
        }
    }

    fn end(&mut self, left: usize) -> DaemonEnd {
        let level = if left == 0 { Level::Info } else { Level::Error };
        let text = match left {
            0 => "stopped".to_owned(),
            left => format!("stopped; {} could not be stopped", pluralize(left, "process")),
        };
        self.say(level, &text);
        // Else the line of a unit that is not active would be that it is being stopped.
        self.manager.notify(&[&format!("STATUS={text}")]);
        self.record.state = DaemonState::Stopped;
        self.write_record();
        DaemonEnd::Stopped(left)
    }
}
