//! Why a process is as it is: how it ended, what may have caused that, and what happened before.

mod cause;

use super::audit_log::{self, AuditEntry};
use super::exit_text;
use super::logs::{self, LogError, LogSource, StreamKind};
use super::schedule;
use super::store::Process;
use crate::base::redact;
use crate::base::sort::SortExt;
use crate::base::time::{HumanDuration, Timestamp};
use crate::supervise::meta::{ExitStatus, ProcessState};
use crate::sys::paths::Paths;
use crate::sys::process;

/// What is found out about a process.
#[derive(Debug, Clone, Default)]
pub struct Diagnosis {
    /// How it is, in a sentence.
    pub verdict: String,
    /// What may have caused it, likeliest first.
    pub causes: Vec<PossibleCause>,
    /// What happened, oldest first.
    pub timeline: Vec<TimelineEvent>,
    /// Its last words on both streams.
    pub last_lines: Vec<String>,
}

/// A possible cause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PossibleCause {
    /// What it is.
    pub what: String,
    /// What to do about it.
    pub advice: Option<String>,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimelineEvent {
    /// When.
    pub at: Timestamp,
    /// What.
    pub what: String,
}

/// How many of its last lines count.
const TAIL_LINES: usize = 10;

/// Finds out why a process is as it is. Looks only.
///
/// # Errors
///
/// Fails if a log is there and cannot be read.
pub fn diagnose(process: &Process, paths: &Paths, now: Timestamp) -> Result<Diagnosis, LogError> {
    let deeds: Vec<AuditEntry> = audit_log::latest(paths).into_iter().filter(|deed| deed.concerns(process)).collect();
    let last_lines = last_lines(process)?;
    let asked = stop_requester(process, &deeds);
    let mut causes = Vec::new();
    if !process.is_running() || process.meta.last_exit.is_some() {
        causes = cause::find(process, asked.as_ref(), &last_lines);
    }
    let verdict = verdict(process, asked.as_ref(), now);
    Ok(Diagnosis { verdict, causes, timeline: timeline(process, &deeds), last_lines })
}

/// Who had us end the last life.
enum StopRequester<'a> {
    /// This command.
    Command(&'a AuditEntry),
    /// The operator or command, in words.
    Words(String),
}

impl StopRequester<'_> {
    /// As a cause.
    fn sentence(&self) -> String {
        match self {
            Self::Command(deed) => format!("requested by {}: `{}`", deed.user, deed.command),
            Self::Words(words) => words.clone(),
        }
    }
}

fn stop_requester<'a>(process: &Process, deeds: &'a [AuditEntry]) -> Option<StopRequester<'a>> {
    let exit = process.meta.last_exit.as_ref()?;
    let command = deeds.iter().rev().find(|deed| deed.ended(process));
    command.map(StopRequester::Command).or_else(|| exit_text::why_ended(process, exit).map(StopRequester::Words))
}

fn verdict(process: &Process, asked: Option<&StopRequester>, now: Timestamp) -> String {
    let (name, meta) = (&process.name, &process.meta);
    let ended = meta.last_exit.as_ref().map(|exit| exit_text::describe_end(exit, now));
    let ended = ended.unwrap_or_else(|| "exit status unknown".to_owned());
    if let Some(damage) = &process.record_error {
        return format!("the state of `{name}` is unknown: {damage}");
    }
    if process.live.stalled {
        return format!("`{name}` has ended; its supervisor is suspended (SIGSTOP) and has not noticed");
    }
    match process.live.state {
        ProcessState::Unknown => {
            format!("the state of `{name}` is unknown: {}", process.unknown.as_deref().unwrap_or_default())
        }
        ProcessState::Online | ProcessState::Starting | ProcessState::Stopping => {
            let up = process.uptime(now).map_or_else(String::new, |up| format!(" for {}", HumanDuration(up)));
            match &meta.last_exit {
                Some(_) => format!("`{name}` is running{up}; its previous run ended: {ended}"),
                None => format!("`{name}` is running{up}"),
            }
        }
        ProcessState::Stopped => match asked {
            Some(StopRequester::Command(deed)) => {
                format!("`{name}` was stopped by {} with `{}`: {ended}", deed.user, deed.command)
            }
            Some(StopRequester::Words(words)) => format!("`{name}` was stopped ({words}): {ended}"),
            None if process.has_succeeded() => format!("`{name}` is a task and has succeeded: {ended}"),
            None if meta.last_exit.as_ref().is_some_and(|exit| exit.status.is_success()) => {
                format!("`{name}` exited successfully: {ended}")
            }
            None => format!("`{name}` was stopped: {ended}"),
        },
        ProcessState::Scheduled => {
            let next = schedule::next_run(&meta.run.monitor, now).unwrap_or_else(|| "by its schedule".to_owned());
            format!("`{name}` ended by itself and runs again {next}; its last run ended: {ended}")
        }
        ProcessState::Waiting => {
            let next = HumanDuration(Timestamp(meta.run_state.next_start_ms).since(now));
            format!("`{name}` crashed ({ended}) and restarts in {next}")
        }
        ProcessState::Errored => {
            let exits = meta.unstable_restarts;
            format!("`{name}` is errored after {exits} exits in a row, each within a second of its start: {ended}")
        }
        ProcessState::Crashed if meta.state != ProcessState::Crashed => {
            let other_boot = !meta.run_state.boot_id.is_empty() && meta.run_state.boot_id != process::boot_id();
            match other_boot {
                true => format!("`{name}` was running when the machine went down and was not started after the boot"),
                false => format!("`{name}` ended while its supervisor was not running (it was killed too)"),
            }
        }
        ProcessState::Crashed => format!("`{name}` crashed: {ended}"),
    }
}

fn timeline(process: &Process, deeds: &[AuditEntry]) -> Vec<TimelineEvent> {
    let meta = &process.meta;
    let mut events: Vec<TimelineEvent> = deeds
        .iter()
        .map(|deed| {
            let failed = if deed.code == 0 { String::new() } else { format!(" (exit code {})", deed.code) };
            TimelineEvent { at: deed.at, what: format!("{}: {}{failed}", deed.user, deed.command) }
        })
        .collect();
    if let Some(exit) = &meta.last_exit {
        let began = exit.at_ms.saturating_sub(exit.uptime_ms);
        // The record of a life that is over may still be that of the start.
        if exit.uptime_ms > 0 && began.abs_diff(meta.run_state.started_ms) > 1000 {
            events.push(TimelineEvent { at: Timestamp(began), what: "the last run started".to_owned() });
        }
        let why = exit_text::why_ended(process, exit).map(|why| format!(" ({why})")).unwrap_or_default();
        let what = match exit.is_with_machine() {
            true => "the machine booted; the run had ended with it".to_owned(),
            false => format!("ended: {}{why}", exit_text::describe_exit(exit)),
        };
        events.push(TimelineEvent { at: Timestamp(exit.at_ms), what });
    }
    if meta.run_state.started_ms > 0 {
        let times = if meta.restarts > 0 { format!(" (restart {})", meta.restarts) } else { String::new() };
        events.push(TimelineEvent { at: Timestamp(meta.run_state.started_ms), what: format!("started{times}") });
    }
    if process.live.state == ProcessState::Waiting && meta.run_state.next_start_ms > 0 {
        events.push(TimelineEvent { at: Timestamp(meta.run_state.next_start_ms), what: "next start".to_owned() });
    }
    if let Some(boot) =
        process::boot_ms().filter(|boot| *boot > meta.run_state.started_ms && meta.run_state.started_ms > 0)
    {
        events.push(TimelineEvent { at: Timestamp(boot), what: "the machine booted".to_owned() });
    }
    events.order_by_key(|event| event.at);
    events
}

fn last_lines(process: &Process) -> Result<Vec<String>, LogError> {
    let source = |stream, log| LogSource { process: process.name.clone(), stream, log };
    let sources = [source(StreamKind::Out, process.out_log()), source(StreamKind::Err, process.err_log())];
    let lines = logs::select(&sources, &logs::Query::last(TAIL_LINES))?;
    Ok(lines.iter().map(|line| redact::text(&shortened(&String::from_utf8_lossy(&line.bytes)))).collect())
}

/// The longest line that is shown, in characters. `tsm logs` shows it whole.
const LONGEST_LINE: usize = 500;

fn shortened(line: &str) -> String {
    match line.char_indices().nth(LONGEST_LINE) {
        Some((end, _)) => format!("{}… ({} bytes)", &line[..end], line.len()),
        None => line.to_owned(),
    }
}

/// True for an end that was not wished.
fn is_failure(how: ExitStatus) -> bool {
    !how.is_success()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_any_length_is_cut() {
        assert_eq!(shortened("short"), "short");
        let long = shortened(&"é".repeat(100_000));
        assert!(long.chars().count() < LONGEST_LINE + 30 && long.ends_with("… (200000 bytes)"), "{long}");
    }
}
