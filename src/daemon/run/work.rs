//! What the daemon does to processes: begin, patrol, reload, stop. Done in a thread of its own, so that the loop stays awake.

use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::log::Level;
use super::record::DaemonRecord;
use super::wanted::{self, Beginning};
use crate::base::fault::Fault;
use crate::base::time::millis;
use crate::ops::startup::PreparedStartup;
use crate::ops::{OpContext, reconcile, restart, startup};
use crate::supervise::client;
use crate::supervise::clock::file_clock_tick;
use crate::supervise::limits::MemoryMethod;
use crate::supervise::meta::ProcessState;
use crate::supervise::proc;
use crate::tsm::progress::Progress;
use crate::tsm::restart::{RestartOptions, Restarted};
use crate::tsm::start::{StartError, WaitFor};
use crate::tsm::startup::{StartOutcome, StartupError, collect};
use crate::tsm::store::Process;

/// Takes lines for the log.
pub type Say<'a> = dyn FnMut(Level, String) + 'a;

/// Enabled services that could not be started, each with what was logged about it.
pub type Unstarted = BTreeMap<String, String>;

/// As they were started the last time, each in the way of its group.
const AS_RECORDED: RestartOptions = RestartOptions::USUAL;

/// Starts what has to run: what is enabled, then what ran under the daemon before.
///
/// # Errors
///
/// Fails if services or processes cannot be listed. What cannot be started is logged.
pub fn begin(
    context: &OpContext,
    beginning: Beginning,
    previous: Option<&DaemonRecord>,
    unstarted: &mut Unstarted,
    say: &mut Say,
) -> Result<(), Fault> {
    limit_memory_again(&context.processes()?);
    start_enabled(context, beginning, unstarted, say)?;
    let Some(previous) = previous else { return Ok(()) };
    let boot_id = proc::boot_id();
    let all = context.processes()?;
    let ran: Vec<Process> = all.into_iter().filter(|it| wanted::ran_under(it, previous, &boot_id)).collect();
    restart_all(context, &ran, say)
}

/// A daemon that was killed took the limits of control groups back, so that systemd could start this one.
fn limit_memory_again(processes: &[Process]) {
    for process in processes.iter().filter(|process| process.live.alive) {
        if process.meta.run_state.memory_method == MemoryMethod::Group {
            client::limit_again(&process.dir, process.meta.run.limits.memory_max);
        }
    }
}

fn start_enabled(
    context: &OpContext,
    beginning: Beginning,
    unstarted: &mut Unstarted,
    say: &mut Say,
) -> Result<(), Fault> {
    let mut prepared = startup::prepare(context)?;
    if beginning == Beginning::Recovered {
        let boot_id = proc::boot_id();
        let all = context.processes()?;
        let is_settled = |name: &str| {
            let Some(file) = collect::file_of(name, context.paths) else { return false };
            let mut own = all.iter().filter(|process| collect::comes_from(process, &file)).peekable();
            !unstarted.contains_key(name)
                && own.peek().is_some()
                && own.all(|process| wanted::is_settled(process, &boot_id))
        };
        prepared.jobs = wanted::without_settled(std::mem::take(&mut prepared.jobs), is_settled);
    }
    run_start(context, prepared, unstarted, say)
}

/// Starts again what failed to start.
///
/// # Errors
///
/// Fails if services or processes cannot be listed. What cannot be started is logged, if it was not before.
pub fn start_again(context: &OpContext, unstarted: &mut Unstarted, say: &mut Say) -> Result<(), Fault> {
    let mut prepared = startup::prepare(context)?;
    prepared.jobs = wanted::without_settled(std::mem::take(&mut prepared.jobs), |name| !unstarted.contains_key(name));
    run_start(context, prepared, unstarted, say)
}

fn run_start(
    context: &OpContext,
    prepared: PreparedStartup,
    unstarted: &mut Unstarted,
    say: &mut Say,
) -> Result<(), Fault> {
    // What was disabled since is not in the plan any more.
    let before = std::mem::take(unstarted);
    let done = prepared.run(context, &mut |progress: Progress| say(Level::Info, progress.to_string()))?;
    for (name, outcome) in &done.outcomes {
        if let StartOutcome::Failed(error) = outcome {
            let text = full_text(&startup::fault(name, error));
            if before.get(name) != Some(&text) {
                say(Level::Error, format!("failed to start: {text}"));
            }
            if may_start_later(error) {
                unstarted.insert(name.clone(), text);
            }
        } else if before.is_empty() || matches!(outcome, StartOutcome::Started(_)) {
            say_outcome(outcome, say);
        }
    }
    Ok(())
}

/// False for a program that ran and failed: that is a crash, and a crash is looked after by its own rules.
fn may_start_later(error: &StartupError) -> bool {
    let has_run = matches!(error, StartupError::Start(StartError::Died { .. } | StartError::Hook { .. }));
    let is_interrupted =
        matches!(error, StartupError::Interrupted | StartupError::Start(StartError::Interrupted { .. }));
    !has_run && !is_interrupted
}

fn say_outcome(outcome: &StartOutcome, say: &mut Say) {
    match outcome {
        StartOutcome::Started(it) => {
            let port = it.port.map_or(String::new(), |port| format!(", port {port}"));
            let (level, ready) = match it.readiness.is_ready() {
                true => (Level::Info, ""),
                false => (Level::Warning, ", not ready"),
            };
            say(level, format!("started {} ({}), PID {}{port}{ready}", it.name, it.id, it.pid));
        }
        StartOutcome::AlreadyRunning(process) => {
            let is = if process.state == ProcessState::Scheduled { "is scheduled" } else { "runs" };
            say(Level::Info, format!("{} {is} already", process.name));
        }
        StartOutcome::Disabled | StartOutcome::Failed(_) => {}
    }
}

fn say_fault(fault: &Fault, action: &str, say: &mut Say) {
    say(Level::Error, format!("failed to {action}: {}", full_text(fault)));
}

/// A fault in one line, with the place in a file that it is about.
pub fn full_text(fault: &Fault) -> String {
    let mut text = fault.in_full();
    if let Some(first) = fault.diagnostics.first() {
        text.push_str(&format!(": {}", first.title));
    }
    if let Some(at) = &fault.at {
        text.push_str(&format!(" ({at})"));
    }
    text
}

/// Restarts or starts processes as their definitions have them now.
fn restart_all(context: &OpContext, processes: &[Process], say: &mut Say) -> Result<(), Fault> {
    if processes.is_empty() {
        return Ok(());
    }
    let note = &mut |progress: Progress| say(Level::Info, progress.to_string());
    let results = restart::restart(context, processes, AS_RECORDED, WaitFor::Ready, note)?;
    for result in results {
        match result {
            Ok(Restarted { name, id, pid, was_running, .. }) => {
                let word = if was_running { "restarted" } else { "started" };
                say(Level::Info, format!("{word} {name} ({id}), PID {pid}"));
            }
            Err(error) => say_fault(&Fault::from(error), "start", say),
        }
    }
    Ok(())
}

/// Reads the definitions again: restarts what runs and is defined differently now, and starts what is enabled and does not run.
///
/// # Errors
///
/// Fails if services or processes cannot be listed. What cannot be started is logged.
pub fn reload(context: &OpContext, unstarted: &mut Unstarted, say: &mut Say) -> Result<(), Fault> {
    let all = context.processes()?;
    let mut changed = Vec::new();
    {
        let start = context.start_context(&all)?;
        for process in all.iter().filter(|process| process.is_running() && !process.meta.run.service.is_empty()) {
            match crate::tsm::restart::changes(process, &start) {
                Ok(changes) if !changes.is_empty() => {
                    let changes: Vec<String> = changes.iter().map(ToString::to_string).collect();
                    say(Level::Info, format!("{} is defined differently now: {}", process.name, changes.join(", ")));
                    changed.push(process.clone());
                }
                Ok(_) if reads_changed_file(process) => {
                    say(Level::Info, format!("the variables of {} were changed", process.name));
                    changed.push(process.clone());
                }
                Ok(_) => {}
                Err(error) => say_fault(&Fault::from(error), "read the definition", say),
            }
        }
    }
    restart_all(context, &changed, say)?;
    start_enabled(context, Beginning::Recovered, unstarted, say)
}

/// True if a file with variables of the process was changed after its start, or so shortly before that their times do not say it.
fn reads_changed_file(process: &Process) -> bool {
    let meta = &process.meta;
    let tick = millis(file_clock_tick());
    let files = meta.env_files().into_iter().map(|file| file.path).chain([meta.run.secrets_file.as_str()]);
    let is_later = |changed: u64| changed.saturating_add(tick) >= meta.run_state.started_ms;
    files.filter(|path| !path.is_empty()).any(|path| last_change(Path::new(path)).is_some_and(is_later))
}

/// When a path last got another content, in milliseconds since 1970: its file was written, or a link on the way leads elsewhere since.
fn last_change(path: &Path) -> Option<u64> {
    let changed = |found: Metadata| u64::try_from(found.ctime() * 1000 + found.ctime_nsec() / 1_000_000).ok();
    let links = path.ancestors().filter_map(|it| fs::symlink_metadata(it).ok()).filter(Metadata::is_symlink);
    links.chain(fs::metadata(path).ok()).filter_map(changed).max()
}

/// One round: supervisors for what lost its own, enabled services that crashed, files of dead processes.
///
/// # Errors
///
/// Fails if the processes cannot be listed.
pub fn patrol(context: &OpContext, say: &mut Say) -> Result<(), Fault> {
    let mut processes = context.processes()?;
    let round = reconcile::run(context, &mut processes, &mut |_| {});
    for name in &round.supervised {
        say(Level::Warning, format!("{name} lost its supervisor and has a new one"));
    }
    for name in &round.restarted {
        say(Level::Info, format!("{name} had crashed and runs again"));
    }
    for path in &round.removed {
        say(Level::Info, format!("removed `{}`, which nothing needs any more", path.display()));
    }
    for fault in &round.faults {
        say_fault(fault, "patrol", say);
    }
    Ok(())
}
