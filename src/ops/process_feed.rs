//! The processes as they are, without asking again and again: a thread that sleeps until something happens to one of them.
//!
//! It is woken by the events of supervisors, by changes of the directories of processes and deploys, and by
//! [`ProcessFeed::refresh`]. Between two looks there is a pause, so that a process that ends again and again costs no more than
//! a few looks a second.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::PathBuf;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::base::control;
use crate::base::environment::EnvRef;
use crate::base::time::Timestamp;
use crate::ops::answers::Answers;
use crate::ops::deploy;
use crate::ops::deploy::glance::{DeployGlance, DeployLooker};
use crate::supervise::events::{Event, EventKind, EventReader};
use crate::supervise::meta::{ExitStatus, ProcessState};
use crate::sys::dir_watch::DirWatcher;
use crate::sys::paths::Paths;
use crate::sys::{poll, signal};
use crate::tsm::exit_text;
use crate::tsm::store::{Process, ProcessStore};

/// The pause after a look.
const PAUSE: Duration = Duration::from_millis(100);

/// The longest wait; after it the wait is repeated.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 60 * 60);

/// The same is not said again of the same process within this time.
const QUIET_TIME: Duration = Duration::from_secs(60);

/// How many processes are remembered for that.
const MAX_REMEMBERED: usize = 1000;

/// How many processes run, and how many ended with a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ProcessCounts {
    /// Running, starting or being stopped.
    pub up: usize,
    /// Crashed, given up, or waiting to be started again after a failure.
    pub failed: usize,
}

/// The state of one process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProcessGlance {
    /// Its name, as in `tsm list`.
    pub state: &'static str,
    /// It ended with a failure.
    pub has_failed: bool,
}

/// All processes in short.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ProcessOverview {
    all: ProcessCounts,
    by_environment: BTreeMap<EnvRef, ProcessCounts>,
    states: BTreeMap<String, ProcessGlance>,
    /// The deploys.
    pub deploys: DeployGlance,
}

impl ProcessOverview {
    /// The processes of an environment; all without one.
    #[must_use]
    pub fn counts(&self, env: Option<&EnvRef>) -> ProcessCounts {
        env.map_or(self.all, |env| self.by_environment.get(env).copied().unwrap_or_default())
    }

    /// The state of the process of this name.
    #[must_use]
    pub fn state(&self, name: &str) -> Option<ProcessGlance> {
        self.states.get(name).copied()
    }

    fn of(processes: &[Process]) -> Self {
        let mut overview = Self::default();
        for process in processes {
            let state = process.live.state;
            let has_failed = matches!(state, ProcessState::Crashed | ProcessState::Errored | ProcessState::Waiting);
            let is_up = process.is_running() && !has_failed;
            let own = ProcessCounts { up: usize::from(is_up), failed: usize::from(has_failed) };
            overview.all.add(own);
            if let Some(env) = process.environment() {
                overview.by_environment.entry(env).or_default().add(own);
            }
            overview.states.insert(process.name.to_string(), ProcessGlance { state: state.as_str(), has_failed });
        }
        overview
    }
}

impl ProcessCounts {
    fn add(&mut self, other: Self) {
        self.up += other.up;
        self.failed += other.failed;
    }
}

/// What a look found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ProcessNews {
    /// All processes.
    pub overview: ProcessOverview,
    /// What an operator should know of.
    pub notices: Vec<Notice>,
}

/// What an operator should know of, in a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// The line.
    pub text: String,
    /// The process that it is about, and when it happened; none for a deploy.
    pub about: Option<(String, Timestamp)>,
}

/// The thread that looks. It ends when this is dropped.
#[derive(Debug)]
pub struct ProcessFeed {
    wake: Option<PipeWriter>,
    thread: Option<JoinHandle<()>>,
}

impl ProcessFeed {
    /// Starts to look; `publish` gets the first look and every one that differs or has notices. It must not wait.
    ///
    /// # Errors
    ///
    /// Fails if no thread or pipe can be made.
    pub fn start(
        paths: Paths,
        answers: Answers,
        publish: impl FnMut(ProcessNews) + Send + 'static,
    ) -> io::Result<Self> {
        let (woken, wake) = io::pipe()?;
        let thread = std::thread::Builder::new().name("processes".to_owned()).spawn(move || {
            // Signals are for the thread that works: they end its waiting.
            signal::block_in_this_thread();
            Looker::new(paths, answers, woken, publish).run();
        })?;
        Ok(Self { wake: Some(wake), thread: Some(thread) })
    }

    /// Makes it look again soon.
    pub fn refresh(&self) {
        if let Some(mut wake) = self.wake.as_ref() {
            // At one byte a prompt and a look at each, the pipe is never full.
            let _ = wake.write(&[0]);
        }
    }
}

impl Drop for ProcessFeed {
    fn drop(&mut self) {
        self.wake = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Looker<P> {
    paths: Paths,
    woken: PipeReader,
    publish: P,
    events: Option<EventReader>,
    watch: Option<DirWatcher>,
    notices: Notices,
    deploys: DeployLooker,
}

impl<P: FnMut(ProcessNews)> Looker<P> {
    fn new(paths: Paths, answers: Answers, woken: PipeReader, publish: P) -> Self {
        Self {
            paths,
            woken,
            publish,
            events: None,
            watch: None,
            notices: Notices { answers, ..Notices::default() },
            deploys: DeployLooker::default(),
        }
    }

    fn run(mut self) {
        let mut last = None;
        loop {
            self.open();
            let mut notices = self.read_events();
            let (deploys, ended) = self.deploys.look(&self.paths);
            notices.extend(ended.into_iter().map(|text| Notice { text, about: None }));
            let all = ProcessStore::open(&self.paths).all();
            let overview = all.map(|all| ProcessOverview { deploys, ..ProcessOverview::of(&all) });
            if let Ok(overview) = overview
                && (!notices.is_empty() || last.as_ref() != Some(&overview))
            {
                last = Some(overview.clone());
                (self.publish)(ProcessNews { overview, notices });
            }
            if !self.wait() {
                return;
            }
        }
    }

    /// Begins to listen once there are processes. Nothing is made in a directory that is not in use.
    fn open(&mut self) {
        let processes = self.paths.processes();
        let has_processes = processes.is_dir();
        // Anew each time, before the look: organizations come and go, and so do the directories of their deploys.
        let mut dirs = deploy::glance::directories(&self.paths);
        dirs.extend(has_processes.then_some(processes));
        self.watch = (!dirs.is_empty()).then(|| DirWatcher::on(dirs.iter().map(PathBuf::as_path)));
        if !has_processes {
            self.events = None;
        } else if self.events.is_none() {
            self.events = EventReader::open(&self.paths.events()).ok();
        }
    }

    fn read_events(&mut self) -> Vec<Notice> {
        let Some(events) = &mut self.events else { return Vec::new() };
        match events.read() {
            Ok(batch) => batch.events.iter().filter_map(|event| self.notices.of(event)).collect(),
            Err(_) => {
                self.events = None;
                Vec::new()
            }
        }
    }

    /// Waits until there is something to look at; false at the end.
    fn wait(&mut self) -> bool {
        // At the end of the session the pipe is closed, which can be read.
        if poll::wait_any(&[self.woken.as_fd()], PAUSE) == [true] {
            return self.was_woken();
        }
        let mut fds: Vec<BorrowedFd> = vec![self.woken.as_fd()];
        fds.extend(self.events.as_ref().map(AsFd::as_fd));
        fds.extend(self.watch.as_ref().and_then(DirWatcher::descriptor));
        let ready = poll::wait_any(&fds, LONGEST_WAIT);
        if ready.first() == Some(&true) { self.was_woken() } else { true }
    }

    fn was_woken(&mut self) -> bool {
        matches!(self.woken.read(&mut [0; 64]), Ok(1..))
    }
}

/// Turns events into lines, each once.
#[derive(Debug, Default)]
struct Notices {
    /// How processes ended that are not given up yet.
    exits: HashMap<String, Exit>,
    said: HashMap<(String, &'static str), Said>,
    answers: Answers,
}

/// A line that was given out.
#[derive(Debug)]
struct Said {
    given_at: Instant,
    happened_at: Timestamp,
    /// The process is started again by itself, as the answer of a command says too.
    goes_on: bool,
}

/// A failure.
#[derive(Debug)]
struct Exit {
    status: ExitStatus,
    /// An event said what was done about it: a later start has other reasons.
    has_follow_up: bool,
}

impl Notices {
    /// An event says what is done about the last failure of a process; how that was, in brackets.
    fn follow_up(&mut self, name: &str) -> String {
        let exit = self.exits.get_mut(name).map(|exit| {
            exit.has_follow_up = true;
            format!(" ({})", exit_text::describe(exit.status))
        });
        exit.unwrap_or_default()
    }

    /// The line for an event; none for what is expected, and for what was just said.
    fn of(&mut self, event: &Event) -> Option<Notice> {
        let name = &event.name;
        let (key, text) = match &event.kind {
            EventKind::Exited { status, cause: None, .. } if !status.is_success() => {
                self.exits.insert(name.clone(), Exit { status: *status, has_follow_up: false });
                return None;
            }
            EventKind::Exited { .. } => {
                self.exits.remove(name);
                return None;
            }
            EventKind::Restarting { .. } if self.exits.contains_key(name) => {
                ("crashed", format!("{name} crashed{}, and is started again", self.follow_up(name)))
            }
            // A first failure has no back-off.
            EventKind::Started { .. } if self.exits.get(name).is_some_and(|it| !it.has_follow_up) => {
                ("crashed", format!("{name} crashed{}, and is started again", self.follow_up(name)))
            }
            EventKind::Scheduled | EventKind::Stopped => {
                self.follow_up(name);
                return None;
            }
            EventKind::Crashed => ("crashed", format!("{name} crashed{}", self.follow_up(name))),
            EventKind::GaveUp => {
                let how = self.follow_up(name);
                ("given up", format!("{name} failed too often{how} and was given up: `tsm why {name}`"))
            }
            EventKind::Unhealthy { reason } => {
                ("unhealthy", format!("{name} is unhealthy: {}", control::visible_input(reason).replace('\n', " ")))
            }
            EventKind::Healthy => ("healthy", format!("{name} is healthy again")),
            _ => return None,
        };
        let now = Instant::now();
        self.said.retain(|_, it| now.duration_since(it.given_at) < QUIET_TIME);
        if self.said.len() >= MAX_REMEMBERED || self.exits.len() >= MAX_REMEMBERED {
            self.said.clear();
            self.exits.clear();
        }
        let happened_at = Timestamp(event.at_ms);
        let goes_on = matches!(event.kind, EventKind::Restarting { .. } | EventKind::Started { .. });
        let said = Said { given_at: now, happened_at, goes_on };
        let known = self.said.insert((name.clone(), key), said);
        // What was the answer of a command is not shown, and so was not said here.
        let is_known = known.is_some_and(|it| it.goes_on || !self.answers.cover(name, it.happened_at));
        (!is_known).then(|| Notice { text, about: Some((name.clone(), happened_at)) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(name: &str, kind: EventKind) -> Event {
        Event { v: 1, at_ms: 0, id: 0, name: name.to_owned(), pid: 1, kind }
    }

    fn exited(status: ExitStatus) -> EventKind {
        EventKind::Exited { status, uptime_ms: 5, cause: None }
    }

    #[test]
    fn a_crash_is_said_once_and_what_is_expected_not_at_all() {
        let mut notices = Notices::default();
        let mut said = |name: &str, kind| notices.of(&event(name, kind)).map(|it| it.text);
        assert_eq!(said("api", EventKind::Started { restarts: 0 }), None);
        assert_eq!(said("api", exited(ExitStatus::Code(3))), None);
        let crashed = said("api", EventKind::Restarting { delay_ms: 100 });
        assert_eq!(crashed.as_deref(), Some("api crashed (exit 3), and is started again"));
        assert_eq!(said("api", exited(ExitStatus::Code(3))), None);
        assert_eq!(said("api", EventKind::Restarting { delay_ms: 200 }), None, "the same again");
        let given_up = said("api", EventKind::GaveUp);
        assert_eq!(given_up.as_deref(), Some("api failed too often (exit 3) and was given up: `tsm why api`"));
        assert_eq!(said("web", EventKind::Crashed).as_deref(), Some("web crashed"), "of another one");
        assert_eq!(said("job", exited(ExitStatus::Code(0))), None);
        assert_eq!(said("job", EventKind::Restarting { delay_ms: 0 }), None);
    }

    #[test]
    fn a_crash_that_is_followed_by_a_start_at_once_is_said() {
        let mut notices = Notices::default();
        let mut said = |name: &str, kind| notices.of(&event(name, kind)).map(|it| it.text);
        assert_eq!(said("api", exited(ExitStatus::Signal(9))), None);
        let crashed = said("api", EventKind::Started { restarts: 1 });
        assert_eq!(crashed.as_deref(), Some("api crashed (SIGKILL), and is started again"));
        // A start by an operator or a schedule, later.
        for (name, after) in [("web", EventKind::Crashed), ("job", EventKind::Scheduled), ("one", EventKind::Stopped)] {
            said(name, exited(ExitStatus::Code(1)));
            said(name, after);
            assert_eq!(said(name, EventKind::Started { restarts: 2 }), None, "{name}");
        }
    }

    #[test]
    fn a_reason_is_one_harmless_line() {
        let reason = "got\n\u{1b}[31m500".to_owned();
        let notice = Notices::default().of(&event("api", EventKind::Unhealthy { reason })).map(|it| it.text);
        assert_eq!(notice.as_deref(), Some("api is unhealthy: got \\u{1b}[31m500"));
    }

    #[test]
    fn what_was_the_answer_of_a_command_counts_as_not_said() {
        let mut notices = Notices::default();
        let answers = notices.answers.clone();
        let mut said = |at_ms, kind| notices.of(&Event { at_ms, ..event("api", kind) }).is_some();
        assert!(said(10, EventKind::Crashed), "the command has not answered yet");
        answers.add("api", Timestamp(5), Timestamp(20));
        assert!(said(30, EventKind::Crashed), "a later one");
        assert!(!said(40, EventKind::Crashed), "the same again");
        assert!(!said(50, exited(ExitStatus::Code(3))));
        answers.add("api", Timestamp(60), Timestamp(80));
        assert!(said(70, EventKind::GaveUp) && said(90, EventKind::GaveUp));
    }

    #[test]
    fn what_is_started_again_as_the_answer_says_is_not_said_of_each_try() {
        let mut notices = Notices::default();
        notices.answers.add("api", Timestamp(5), Timestamp(20));
        let mut said = |at_ms, kind| notices.of(&Event { at_ms, ..event("api", kind) }).is_some();
        assert!(!said(10, exited(ExitStatus::Code(3))));
        assert!(said(10, EventKind::Restarting { delay_ms: 100 }), "the prompt leaves it out");
        assert!(!said(30, exited(ExitStatus::Code(3))));
        assert!(!said(30, EventKind::Restarting { delay_ms: 200 }));
        assert!(said(40, EventKind::GaveUp));
    }

    #[test]
    fn what_appears_is_seen_and_nothing_is_made_without_processes() {
        let home = tempfile::tempdir().expect("a directory");
        let paths = Paths::under(home.path());
        let (sender, news) = std::sync::mpsc::channel();
        let feed = ProcessFeed::start(paths.clone(), Answers::default(), move |news| drop(sender.send(news)))
            .expect("started");
        let patience = Duration::from_secs(30);
        assert_eq!(news.recv_timeout(patience).expect("the first look"), ProcessNews::default());
        assert!(!paths.events().exists());
        let dir = paths.processes().join("api");
        std::fs::create_dir_all(&dir).expect("made");
        std::fs::write(dir.join("meta.json"), record("crashed")).expect("written");
        feed.refresh();
        let seen = news.recv_timeout(patience).expect("a second look").overview;
        assert_eq!(seen.counts(None), ProcessCounts { up: 0, failed: 1 });
        assert_eq!(seen.state("api"), Some(ProcessGlance { state: "crashed", has_failed: true }));
        // From now on changes of the directory are watched.
        std::fs::remove_dir_all(&dir).expect("removed");
        assert_eq!(news.recv_timeout(patience).expect("a third look"), ProcessNews::default());
        drop(feed);
        assert!(!paths.events().exists(), "nothing is left behind");
    }

    fn record(state: &str) -> String {
        format!(
            r#"{{"tsm_id":0,"name":"api","pid":0,"command":"sleep 9","port":"none","cwd":"/","start_time":0,
            "status":"crashed","restarts":0,"unstable_restarts":0,"state":"{state}"}}"#
        )
    }
}
