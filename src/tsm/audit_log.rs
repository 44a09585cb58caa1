//! What operators did, read from the log of commands that changed something.

use std::io::{Read, Seek, SeekFrom};

use serde::Deserialize;

use crate::base::line;
use crate::base::time::Timestamp;
use crate::disk;
use crate::supervise::meta::StopCause;
use crate::sys::paths::Paths;
use crate::tsm::name::without_port;
use crate::tsm::store::Process;

/// One command that changed something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// When it began.
    pub at: Timestamp,
    /// Who did it.
    pub user: String,
    /// The process that did it; 0 in lines of earlier versions.
    pub pid: u32,
    /// The line, without its secrets.
    pub command: String,
    /// Its exit code.
    pub code: u8,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
}

/// A line of the log, as far as it matters here.
#[derive(Deserialize)]
struct AuditRow {
    when: String,
    who: String,
    #[serde(default)]
    pid: u32,
    command: String,
    outcome: AuditOutcome,
    ms: u64,
}

#[derive(Deserialize)]
struct AuditOutcome {
    code: u8,
}

/// So much of the end of the log is read.
const TAIL_BYTES: u64 = 1 << 20;

/// The latest entries, oldest first; none if there is no log or it cannot be read.
#[must_use]
pub fn latest(paths: &Paths) -> Vec<AuditEntry> {
    let Ok(mut log) = disk::own_file().open(paths.audit()) else { return Vec::new() };
    let length = log.metadata().map_or(0, |found| found.len());
    let mut bytes = Vec::new();
    let read = log
        .seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))
        .and_then(|_| log.take(TAIL_BYTES).read_to_end(&mut bytes));
    if read.is_err() {
        return Vec::new();
    }
    // The first line may be cut; then it is no JSON.
    String::from_utf8_lossy(&bytes).lines().filter_map(parse_row).collect()
}

fn parse_row(row: &str) -> Option<AuditEntry> {
    let row: AuditRow = serde_json::from_str(row).ok()?;
    let when: jiff::Timestamp = row.when.parse().ok()?;
    let at = Timestamp(u64::try_from(when.as_millisecond()).ok()?);
    Some(AuditEntry {
        at,
        user: row.who,
        pid: row.pid,
        command: row.command,
        code: row.outcome.code,
        duration_ms: row.ms,
    })
}

/// The verbs that may end processes.
const STOP_COMMANDS: [&str; 13] = [
    "stop", "restart", "reload", "kill", "delete", "del", "scale", "signal", "stack", "up", "deploy", "start",
    "cleanup",
];

/// The verbs that name the processes they are about.
const TARGETED_COMMANDS: [&str; 9] = ["stop", "restart", "reload", "kill", "delete", "del", "scale", "signal", "up"];

/// The options of these verbs whose next word is a value that names no process.
const VALUED_OPTIONS: [&str; 6] = ["--org", "--env", "--dir", "--color", "--port", "--pid"];

impl AuditEntry {
    /// True if the command is about the process: it started the life that goes on, ended the last one, or names it, or all, while
    /// there was this process. Whatever was done before it was made was done to others of its name or id.
    #[must_use]
    pub fn concerns(&self, process: &Process) -> bool {
        self.ends_at().0 >= process.meta.run.created_ms
            && (self.began(process) || self.ended(process) || self.names(process))
    }

    /// True if it ended the last life.
    #[must_use]
    pub fn ended(&self, process: &Process) -> bool {
        let Some(exit) = &process.meta.last_exit else { return false };
        let during = self.at.0 <= exit.at_ms && exit.at_ms <= self.ends_at().0 + 1000;
        if exit.nonce.is_empty() {
            // A record of an earlier version does not say.
            return during && self.is_ending() && self.names(process);
        }
        let Some(origin) = exit.origin.filter(|origin| matches!(origin.cause, StopCause::Operator | StopCause::Signal))
        else {
            return false;
        };
        let sender = origin.pid == self.pid || origin.pid == 0 && self.names(process);
        // All commands of a prompt have its pid: one that had ended before may only have asked for it.
        let may_have_asked = during || self.at.0 <= exit.at_ms && self.may_target(process);
        sender && self.is_ending() && may_have_asked
    }

    /// True if it is a command of `tsm` whose targets may be this process: by name, by pattern, or the selected one.
    fn may_target(&self, process: &Process) -> bool {
        let words = self.words();
        let is_pattern = |word: &String| word.contains(['*', '?', '[']);
        self.names(process) || words.len() == 1 || words.iter().any(is_pattern)
    }

    /// True if it started the life that goes on, or went on last.
    fn began(&self, process: &Process) -> bool {
        let (run, started) = (&process.meta.run, process.meta.run_state.started_ms);
        let during = self.at.0 <= started && started <= self.ends_at().0;
        during && run.started_by != 0 && run.started_by == self.pid
    }

    fn ends_at(&self) -> Timestamp {
        Timestamp(self.at.0 + self.duration_ms)
    }

    fn names(&self, process: &Process) -> bool {
        let name = process.name.as_str();
        let short = process.meta.port.map_or(name, |port| without_port(name, port));
        let (id, group) = (process.id().map(|id| id.to_string()), process.meta.run.group.as_str());
        let names = |word: &String| {
            [name, short, "*", "all"].contains(&word.as_str())
                || Some(word) == id.as_ref()
                || !group.is_empty() && word == group
        };
        // Without its port a name is that of others too, so that only the start counts that made it.
        let created = process.meta.run.created_ms;
        let made = self.at.0 <= created && created <= self.ends_at().0;
        let is_started = |word: &str| word == name || made && (word == short || word == group);
        match self.words().as_slice() {
            [verb, operands @ ..] if verb == "start" => match self.chosen_name() {
                Some(chosen) => is_started(&chosen),
                // A service; what is behind a program is its own.
                None => matches!(operands, [target] if is_started(target)),
            },
            [verb, rest @ ..] => TARGETED_COMMANDS.contains(&verb.as_str()) && rest.iter().any(names),
            [] => false,
        }
    }

    fn is_ending(&self) -> bool {
        let words = self.words();
        let verb = words.first().map(String::as_str);
        verb.is_none_or(|verb| STOP_COMMANDS.contains(&verb))
    }

    /// The verb of `tsm` and its operands, without options and their values, and without what is not a target: a count, a signal.
    /// None for a command of another group.
    fn words(&self) -> Vec<String> {
        let mut operands: Vec<String> = Vec::new();
        let mut is_value = false;
        for word in self.all_words() {
            if !is_value && !word.starts_with('-') {
                operands.push(word.clone());
            }
            is_value = !is_value && VALUED_OPTIONS.contains(&word.as_str());
        }
        let has_one_target = operands.first().is_some_and(|verb| ["scale", "signal"].contains(&verb.as_str()));
        operands.truncate(if has_one_target { 2 } else { operands.len() });
        operands
    }

    /// The value of `--name`.
    fn chosen_name(&self) -> Option<String> {
        let mut words = self.all_words().into_iter().take_while(|word| word != "--");
        words.find_map(|word| word.strip_prefix("--name").map(str::to_owned)).and_then(|rest| match rest.as_str() {
            "" => words.next(),
            rest => rest.strip_prefix('=').map(str::to_owned),
        })
    }

    /// All words behind `tsm`.
    fn all_words(&self) -> Vec<String> {
        let Ok(line) = line::lex(&self.command) else { return Vec::new() };
        let words = line.statements.iter().flat_map(|it| &it.words).map(|word| word.text.clone());
        words.skip_while(|word| word != "tsm").skip(1).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_of_the_log_is_a_deed() {
        let row = r#"{"when":"2026-11-20T12:00:00.250Z","who":"root","context":{"org":null,"env":null},"command":"tsm stop api","outcome":{"code":0,"kind":null},"ms":12}"#;
        let deed = parse_row(row).expect("a deed");
        assert_eq!((deed.at, deed.user.as_str(), deed.duration_ms), (Timestamp(1_795_176_000_250), "root", 12));
        assert!(deed.is_ending() && parse_row("half a row\"}").is_none());
    }

    #[test]
    fn only_targets_name_processes() {
        for (command, words) in [
            ("tsm stop web api", &["stop", "web", "api"][..]),
            ("tsm scale web 1", &["scale", "web"]),
            ("tsm scale --env dev web +1", &["scale", "web"]),
            ("tsm signal web 1", &["signal", "web"]),
            ("tsm stop web --env dev --yes", &["stop", "web"]),
            ("--org acme tsm --env=dev restart 3", &["restart", "3"]),
            ("tsm kill --port 3000 --name web --id 4", &["kill", "web", "4"]),
            ("org apply web", &[]),
        ] {
            let (user, command) = (String::new(), command.to_owned());
            let entry = AuditEntry { at: Timestamp(0), user, pid: 0, command, code: 0, duration_ms: 0 };
            assert_eq!(entry.words(), words, "{}", entry.command);
        }
    }
}
