//! Why a process is as it is: how it ended, what may have caused that, and what happened before.

mod cause;

use std::time::Duration;

use super::deeds::{self, Deed};
use super::ends;
use super::logs::{self, LogError, Source, Stream};
use super::schedule;
use super::store::Process;
use crate::base::time::{Span, Timestamp};
use crate::supervise::meta::{How, State};
use crate::sys::paths::Paths;
use crate::sys::process;

/// What is found out about a process.
#[derive(Debug, Clone, Default)]
pub struct Diagnosis {
    /// How it is, in a sentence.
    pub verdict: String,
    /// What may have caused it, likeliest first.
    pub causes: Vec<Cause>,
    /// What happened, oldest first.
    pub timeline: Vec<Event>,
    /// Its last words on both streams.
    pub last_lines: Vec<String>,
}

/// A possible cause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// What it is.
    pub what: String,
    /// What to do about it.
    pub advice: Option<String>,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// When.
    pub at: Timestamp,
    /// What.
    pub what: String,
}

/// How many of its last lines count.
const LAST: usize = 10;

/// Finds out why a process is as it is. Looks only.
///
/// # Errors
///
/// Fails if a log is there and cannot be read.
pub fn diagnose(process: &Process, paths: &Paths, now: Timestamp) -> Result<Diagnosis, LogError> {
    let deeds: Vec<Deed> = deeds::latest(paths).into_iter().filter(|deed| deed.is_about(process)).collect();
    let last_lines = last_lines(process)?;
    let asked = asked(process, &deeds);
    let mut causes = Vec::new();
    if !process.is_running() || process.meta.last_exit.is_some() {
        causes = cause::find(process, asked.as_ref(), &last_lines);
    }
    let verdict = verdict(process, asked.as_ref(), now);
    Ok(Diagnosis { verdict, causes, timeline: timeline(process, &deeds), last_lines })
}

/// Who had us end the last life.
enum Asked<'a> {
    /// This command.
    Command(&'a Deed),
    /// Somebody of ours, in words.
    Words(String),
}

impl Asked<'_> {
    /// As a cause.
    fn sentence(&self) -> String {
        match self {
            Self::Command(deed) => format!("{} asked for it: `{}`", deed.who, deed.command),
            Self::Words(words) => words.clone(),
        }
    }
}

fn asked<'a>(process: &Process, deeds: &'a [Deed]) -> Option<Asked<'a>> {
    let exit = process.meta.last_exit.as_ref()?;
    let command = deeds.iter().rev().find(|deed| deed.ended(process));
    command.map(Asked::Command).or_else(|| ends::why_ended(process, exit).map(Asked::Words))
}

fn verdict(process: &Process, asked: Option<&Asked>, now: Timestamp) -> String {
    let (name, meta) = (&process.name, &process.meta);
    let ended = meta.last_exit.as_ref().map(|exit| {
        let (ago, lived) = (now.since(Timestamp(exit.at_ms)), Duration::from_millis(exit.lived_ms));
        format!("{} after {}, {} ago", ends::in_words(exit.how), Span(lived), Span(ago))
    });
    let ended = ended.unwrap_or_else(|| "how is not known".to_owned());
    if let Some(damage) = &process.damage {
        return format!("`{name}` is not known any more: {damage}");
    }
    if process.view.stalled {
        return format!("`{name}` has ended, and its supervisor, which is stopped (SIGSTOP), has not seen it");
    }
    match process.view.state {
        State::Unknown => format!("`{name}` is not known: {}", process.unknown.as_deref().unwrap_or_default()),
        State::Online | State::Starting | State::Stopping => {
            let up = process.uptime(now).map_or_else(String::new, |up| format!(" for {}", Span(up)));
            match &meta.last_exit {
                Some(_) => format!("`{name}` runs{up}; its life before ended: {ended}"),
                None => format!("`{name}` runs{up}"),
            }
        }
        State::Stopped => match asked {
            Some(Asked::Command(deed)) => {
                format!("`{name}` was stopped by {} with `{}`: {ended}", deed.who, deed.command)
            }
            Some(Asked::Words(words)) => format!("`{name}` was stopped ({words}): {ended}"),
            None if process.has_succeeded() => format!("`{name}` is a task and succeeded: {ended}"),
            None if meta.last_exit.as_ref().is_some_and(|exit| exit.how.is_success()) => {
                format!("`{name}` ended by itself, with success: {ended}")
            }
            None => format!("`{name}` was stopped: {ended}"),
        },
        State::Scheduled => {
            let next = schedule::in_words(process, now).map(|next| format!(", next at {next}")).unwrap_or_default();
            format!("`{name}` is scheduled{next}; its last run ended: {ended}")
        }
        State::Waiting => {
            let next = Span(Timestamp(meta.life.next_start_ms).since(now));
            format!("`{name}` crashed ({ended}) and is started again in {next}")
        }
        State::Errored => {
            let exits = meta.unstable_restarts;
            format!("`{name}` was given up after {exits} exits in a row, each within a second of its start: {ended}")
        }
        State::Crashed if meta.state != State::Crashed => {
            let other_boot = !meta.life.boot_id.is_empty() && meta.life.boot_id != process::boot_id();
            match other_boot {
                true => format!("`{name}` ran when the machine went down, and was not started after the boot"),
                false => format!("`{name}` ended while nobody watched it: its supervisor was killed too"),
            }
        }
        State::Crashed => format!("`{name}` crashed: {ended}"),
    }
}

fn timeline(process: &Process, deeds: &[Deed]) -> Vec<Event> {
    let meta = &process.meta;
    let mut events: Vec<Event> = deeds
        .iter()
        .map(|deed| {
            let failed = if deed.code == 0 { String::new() } else { format!(" (exit code {})", deed.code) };
            Event { at: deed.at, what: format!("{}: {}{failed}", deed.who, deed.command) }
        })
        .collect();
    if let Some(exit) = &meta.last_exit {
        let began = exit.at_ms.saturating_sub(exit.lived_ms);
        // The record of a life that is over may still be that of the start.
        if exit.lived_ms > 0 && began.abs_diff(meta.life.started_ms) > 1000 {
            events.push(Event { at: Timestamp(began), what: "the last life began".to_owned() });
        }
        let why = ends::why_ended(process, exit).map(|why| format!(" ({why})")).unwrap_or_default();
        events.push(Event { at: Timestamp(exit.at_ms), what: format!("it ended: {}{why}", ends::told(exit)) });
    }
    if meta.life.started_ms > 0 {
        let times = if meta.restarts > 0 { format!(" (restart {})", meta.restarts) } else { String::new() };
        events.push(Event { at: Timestamp(meta.life.started_ms), what: format!("it was started{times}") });
    }
    if process.view.state == State::Waiting && meta.life.next_start_ms > 0 {
        events.push(Event { at: Timestamp(meta.life.next_start_ms), what: "its next start is due".to_owned() });
    }
    if let Some(boot) = process::boot_ms().filter(|boot| *boot > meta.life.started_ms && meta.life.started_ms > 0) {
        events.push(Event { at: Timestamp(boot), what: "the machine was started".to_owned() });
    }
    events.sort_by_key(|event| event.at);
    events
}

fn last_lines(process: &Process) -> Result<Vec<String>, LogError> {
    let source = |stream, log| Source { process: process.name.clone(), stream, log };
    let sources = [source(Stream::Out, process.out_log()), source(Stream::Err, process.err_log())];
    let lines = logs::select(&sources, &logs::Query::last(LAST))?;
    Ok(lines.iter().map(|line| shortened(&String::from_utf8_lossy(&line.bytes))).collect())
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
fn is_failure(how: How) -> bool {
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
