//! Starting: the process is made, its supervisor launched, and watched until what became of it is known.

mod error;
mod task;

use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use crate::base::name::ProcessName;
use crate::base::time::Timestamp;
use crate::disk;
use crate::supervise::client::{self, ControlCommand, LaunchError, LaunchResult};
use crate::supervise::limits::MemoryMethod;
use crate::supervise::meta::{self, ExitStatus, Meta, ProcessState};
use crate::sys::host::Host;
use crate::sys::paths::Paths;

use super::conflict;
use super::create::{CreateError, Created, create};
use super::launch;
use super::plan::StartPlan;
use super::ports;
use super::progress::{OnProgress, Progress};
use super::readiness::{EXIT_RECORD_TIMEOUT, HealthSource, Readiness, ReadinessWatcher};
use super::schedule;
use super::secrets::{self, Unsealer};

pub(super) use error::tail_text;
pub use error::{AfterDeath, StartError};
pub(super) use task::may_end;

/// What is needed to start.
pub struct StartDeps<'a> {
    /// Where everything is.
    pub paths: &'a Paths,
    /// The surroundings.
    pub host: &'a dyn Host,
    /// Whether to wait for more than the program's start.
    pub wait_for: WaitFor,
    /// Hears what happens meanwhile.
    pub on_progress: &'a mut OnProgress<'a>,
    /// Opens the sealed form of a secrets file.
    pub unseal: &'a Unsealer<'a>,
}

/// How long a start is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitFor {
    /// Until the program runs.
    Spawn,
    /// Until its port answers or it has settled.
    Ready,
    /// Until it has ended, and is not started again by itself.
    Exit,
}

/// A process that runs.
#[derive(Debug)]
pub struct Started {
    /// Its full name.
    pub name: ProcessName,
    /// Its id.
    pub id: u32,
    /// Its pid.
    pub pid: u32,
    /// Its port.
    pub port: Option<u16>,
    /// What was seen of it.
    pub readiness: Readiness,
    /// From the order to the answer.
    pub duration: Duration,
}

/// How many lines of stderr an error shows.
const TAIL_LINES: usize = 10;

/// How soon Ctrl-C is noticed while a pre-start command runs.
const INTERRUPT_POLL_INTERVAL: Duration = Duration::from_millis(50);

/// Carries out a plan. Returns as soon as it is known what became of it.
///
/// # Errors
///
/// Fails if the process cannot be made or its program not be run, and then leaves nothing behind; or if it died before it had
/// settled, and then leaves it with its logs as it ended.
pub fn start(plan: &StartPlan, deps: &mut StartDeps) -> Result<Started, StartError> {
    let begun = Instant::now();
    let plan = &secrets::unseal_secrets(plan, deps.unseal, &mut *deps.on_progress)?;
    let created = create(plan, deps.paths, deps.host)?;
    if let Some(conflict) = &created.guessed_port_conflict {
        (deps.on_progress)(Progress::GuessedPortInUse(conflict.clone()));
    }
    let written = LogOffsets::before(&created);
    if let Some(text) = plan.disagreement(created.port) {
        (deps.on_progress)(Progress::PortMismatch { text });
    }
    let launched = launch_interruptible(&Launch::of(plan, &created, deps.host), deps.host);
    let pid = match handle_launch_result(&created, deps.paths, launched, &written) {
        Ok(pid) => pid,
        Err(error) if error.is_success(plan) => 0,
        Err(error) => return Err(error),
    };
    note_weaker_limit(&created.name, &created.dir, plan.settings.limits.memory_max, deps);
    let watch = readiness_watcher(plan, &created, pid);
    let seen = match deps.wait_for {
        WaitFor::Exit => task::wait_until_exit(&created, deps),
        _ if pid == 0 => Readiness::Ended(ExitStatus::Code(0)),
        WaitFor::Spawn => Readiness::NotChecked,
        WaitFor::Ready => watch.until_ready(deps.host, deps.on_progress),
    };
    let seen = match seen {
        Readiness::Dead => {
            let error = death_error(&created, pid, &written);
            if error.is_success(plan) { Readiness::Ended(ExitStatus::Code(0)) } else { return Err(error) }
        }
        seen => seen,
    };
    register_listening(deps.paths, &created, seen);
    Ok(Started {
        id: created.id,
        pid: pid_now(&created.dir, pid),
        port: created.port,
        readiness: seen,
        duration: begun.elapsed(),
        name: created.name,
    })
}

/// The logs of a process and how much was in them before its start.
#[derive(Debug)]
pub(super) struct LogOffsets {
    out: (PathBuf, u64),
    err: (PathBuf, u64),
}

impl LogOffsets {
    pub(super) fn before(created: &Created) -> Self {
        let log = |name: &str| {
            let path = created.dir.join(name);
            let length = std::fs::metadata(&path).map_or(0, |file| file.len());
            (path, length)
        };
        Self { out: log("current.out"), err: log("current.err") }
    }

    /// The last lines of stderr since.
    fn errors(&self) -> Vec<String> {
        tail(&self.err.0, self.err.1)
    }

    /// The last lines of stdout and stderr since: a pre-start command says on either why it failed.
    fn lines(&self) -> Vec<String> {
        let mut lines = tail(&self.out.0, self.out.1);
        lines.extend(self.errors());
        lines
    }
}

/// What is expected of a process that runs now.
pub(super) fn readiness_watcher(plan: &StartPlan, created: &Created, pid: u32) -> ReadinessWatcher {
    let explicit = plan.port.as_ref().is_some_and(|choice| choice.source.is_claim());
    // Where another process has the guessed port, a response on it says nothing.
    let port = created.port.filter(|_| created.guessed_port_conflict.is_none());
    let health = HealthSource::of(&plan.settings.monitor);
    ReadinessWatcher { pid, port, explicit, dir: created.dir.clone(), health, until_end: false }
}

/// Says it if the memory of a process that was started is not limited as it was asked for: `most` bytes, 0 without a limit.
pub(super) fn note_weaker_limit(name: &ProcessName, dir: &Path, most: u64, deps: &mut StartDeps) {
    if most > 0 && record(dir).is_some_and(|meta| meta.run_state.memory_method == MemoryMethod::Data) {
        let lingers = launch::memory_needs_linger().then(|| deps.host.user().to_owned());
        (deps.on_progress)(Progress::WeakerMemoryLimit { name: name.to_string(), most, lingers });
    }
}

/// A port that was only guessed is reserved for the process once it listens there.
pub(super) fn register_listening(paths: &Paths, created: &Created, seen: Readiness) {
    if let Some(port) = created.port.filter(|_| seen == Readiness::Listening) {
        // Where that cannot be written, the socket itself keeps others away.
        let _ = ports::register(paths, created.name.as_str(), port);
    }
}

/// What is started for a process: its supervisor, and before it a sidecar if it needs one.
#[derive(Debug, Clone)]
pub(super) struct Launch {
    pub(super) program: PathBuf,
    pub(super) dir: PathBuf,
    name: ProcessName,
    /// In bytes; 0 if there is no limit.
    memory_max: u64,
    pub(super) with_sidecar: bool,
    /// There is a pre-start command, which may take minutes.
    has_pre_start: bool,
}

impl Launch {
    pub(super) fn of(plan: &StartPlan, created: &Created, host: &dyn Host) -> Self {
        let attended = !plan.settings.monitor.is_empty();
        let hooked = !plan.pre_hook.is_empty();
        let (name, memory_max) = (created.name.clone(), plan.settings.limits.memory_max);
        Self {
            program: host.program().to_owned(),
            dir: created.dir.clone(),
            name,
            memory_max,
            with_sidecar: attended,
            has_pre_start: hooked,
        }
    }

    /// Starts both and waits for the supervisor's first word. A process never runs unattended that asked for it.
    pub(super) fn run(&self) -> Result<LaunchResult, LaunchError> {
        if self.with_sidecar {
            launch::sidecar(&self.program, &self.dir).map_err(|source| LaunchError::SidecarFailed { source })?;
        }
        launch::supervisor(&self.program, &self.dir, &self.name, self.memory_max)
    }
}

/// What a supervisor's first word means: the pid, or why there is none. What never ran is undone.
pub(super) fn handle_launch_result(
    created: &Created,
    paths: &Paths,
    LaunchOutcome { answer, interrupted }: LaunchOutcome,
    written: &LogOffsets,
) -> Result<u32, StartError> {
    let name = || created.name.clone();
    let failure = match answer {
        // Its pre-start command may have ended before the order came: then the program just began, and is being ended.
        Ok(LaunchResult::Spawned { .. } | LaunchResult::HookFailed { .. } | LaunchResult::Ended) if interrupted => {
            StartError::Interrupted { name: name() }
        }
        Ok(LaunchResult::Spawned { pid } | LaunchResult::Adopted { pid }) => return Ok(pid),
        Ok(LaunchResult::NotRun { errno, step }) => {
            let why = record(&created.dir).map(|meta| meta.run_state.start_error).unwrap_or_default();
            StartError::NotRun { name: name(), step, errno, why }
        }
        Ok(LaunchResult::HookFailed { code }) => StartError::Hook { name: name(), code, tail: written.lines() },
        // It died between its start and our first look.
        Ok(LaunchResult::Ended) => {
            return Err(death_error(created, 0, written));
        }
        Ok(LaunchResult::AlreadySupervised) => return Err(CreateError::Supervised { name: name() }.into()),
        // It may still do its work.
        Err(source @ LaunchError::Timeout { .. }) => return Err(StartError::Launch { name: name(), source }),
        Err(source) => StartError::Launch { name: name(), source },
    };
    if client::wait_unsupervised(&created.dir, Instant::now() + EXIT_RECORD_TIMEOUT).is_ok() {
        created.undo(paths);
    }
    Err(failure)
}

/// What came of a launch.
pub(super) struct LaunchOutcome {
    /// The supervisor's first word.
    pub(super) answer: Result<LaunchResult, LaunchError>,
    /// The operator ended its pre-start command.
    pub(super) interrupted: bool,
}

/// Launches the supervisor. A pre-start command may take minutes: Ctrl-C ends it, and with it the start. Without one the
/// program runs in a moment, Ctrl-C is for the waiting that follows, and no thread is needed for it.
fn launch_interruptible(launch: &Launch, host: &dyn Host) -> LaunchOutcome {
    if !launch.has_pre_start {
        return LaunchOutcome { answer: launch.run(), interrupted: false };
    }
    let (answer, answered) = mpsc::channel();
    let ours = launch.clone();
    let launching = match std::thread::Builder::new().spawn(move || answer.send(ours.run())) {
        Ok(launching) => launching,
        Err(source) => {
            let answer = Err(LaunchError::Execute { exe: launch.program.clone(), source });
            return LaunchOutcome { answer, interrupted: false };
        }
    };
    let mut interrupted = false;
    loop {
        match answered.recv_timeout(INTERRUPT_POLL_INTERVAL) {
            Ok(answer) => {
                // It has said its last word and ends.
                let _ = launching.join();
                return LaunchOutcome { answer, interrupted };
            }
            Err(RecvTimeoutError::Timeout) if host.interrupted() => {
                // Nothing receives it yet, or it was received already: the next time then.
                let _ = client::send(&launch.dir, ControlCommand::Stop);
                interrupted = true;
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                let answer = Err(LaunchError::SupervisorDied { dir: launch.dir.clone() });
                return LaunchOutcome { answer, interrupted };
            }
        }
    }
}

/// What can be said of a process that is dead: the supervisor has to have written it down.
pub(super) fn death_error(created: &Created, pid: u32, written: &LogOffsets) -> StartError {
    let before = created.previous.as_ref().and_then(|meta| meta.last_exit.clone());
    let ended = |meta: Option<&Meta>| {
        meta.is_some_and(|meta| meta.last_exit.is_some() && (meta.last_exit != before || meta.pid != pid))
    };
    let meta = client::wait(&created.dir, Instant::now() + EXIT_RECORD_TIMEOUT, ended).ok().flatten();
    let meta = meta.or_else(|| record(&created.dir));
    let how = meta.as_ref().and_then(|meta| meta.last_exit.as_ref()).map_or(ExitStatus::Unknown, |exit| exit.status);
    let next = meta.as_ref().map_or(AfterDeath::Nothing, next_of);
    let conflict =
        created.port.and_then(|port| conflict::listening_beside(port, &created.dir)).filter(|_| !how.is_success());
    let (name, tail, conflict) = (created.name.clone(), written.errors(), conflict.map(Box::new));
    StartError::Died { name, how, tail, conflict, next }
}

/// What happens to the process of this directory, which has ended.
pub(super) fn after_death(dir: &Path) -> AfterDeath {
    record(dir).as_ref().map_or(AfterDeath::Nothing, next_of)
}

/// What happens to a process that has ended.
fn next_of(meta: &Meta) -> AfterDeath {
    let ended_at = meta.last_exit.as_ref().map_or(Timestamp(0), |exit| Timestamp(exit.at_ms));
    // Its next run may have begun already.
    let scheduled = Some(meta.state).filter(|state| !state.is_final() && *state != ProcessState::Waiting);
    match scheduled.and_then(|_| schedule::next_run(&meta.run.monitor, ended_at)) {
        Some(next) => AfterDeath::Schedule(next),
        None if meta.state.is_final() && meta.run.oneshot => AfterDeath::Task,
        None if meta.state.is_final() || meta.state == ProcessState::Scheduled => AfterDeath::Nothing,
        None => AfterDeath::Restart,
    }
}

/// The pid of a process that had this one when it was started: its clock or a changed file may have restarted it since.
pub(super) fn pid_now(dir: &Path, pid: u32) -> u32 {
    record(dir).map(|meta| meta.pid).filter(|now| *now != 0 && pid != 0).unwrap_or(pid)
}

fn record(dir: &Path) -> Option<Meta> {
    meta::read(dir).ok().flatten()
}

/// The last lines that were written to a log since it had `from` bytes.
pub(super) fn tail(log: &Path, from: u64) -> Vec<String> {
    use std::io::{Read, Seek, SeekFrom};

    /// More is never shown.
    const WINDOW: u64 = 64 * 1024;
    let read = || -> std::io::Result<Vec<u8>> {
        let mut file = disk::own_file().open(log)?;
        let len = file.metadata()?.len();
        // A log that became shorter was rotated: what it holds is new.
        let begin = if len < from { 0 } else { from };
        file.seek(SeekFrom::Start(begin.max(len.saturating_sub(WINDOW))))?;
        let mut bytes = Vec::new();
        file.take(WINDOW).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let bytes = read().unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(TAIL_LINES)..].iter().map(|line| (*line).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tail_is_what_was_written_since_and_ten_lines_at_most() {
        let dir = tempfile::tempdir().expect("a directory");
        let log = dir.path().join("current.err");
        let lines: String = (0..30).map(|n| format!("line {n}\n")).collect();
        std::fs::write(&log, format!("old\n{lines}")).expect("a file");
        let shown = tail(&log, 4);
        assert_eq!((shown.len(), shown[0].as_str(), shown[9].as_str()), (10, "line 20", "line 29"));
        std::fs::write(&log, "old\nnew\n").expect("a file");
        assert_eq!(tail(&log, 4), ["new"]);
        assert_eq!(tail(&log, 100), ["old", "new"], "a rotated log is new");
        assert!(tail(&dir.path().join("none"), 0).is_empty());
    }
}
