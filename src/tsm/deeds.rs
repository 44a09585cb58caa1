//! What operators did, read from the log of commands that changed something.

use std::io::{Read, Seek, SeekFrom};

use serde::Deserialize;

use crate::base::line;
use crate::base::time::Timestamp;
use crate::disk;
use crate::sys::paths::Paths;
use crate::tsm::name::without_port;
use crate::tsm::store::Process;

/// One command that changed something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deed {
    /// When it began.
    pub at: Timestamp,
    /// Who did it.
    pub who: String,
    /// The line, without its secrets.
    pub command: String,
    /// Its exit code.
    pub code: u8,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
}

/// A line of the log, as far as it matters here.
#[derive(Deserialize)]
struct Row {
    when: String,
    who: String,
    command: String,
    outcome: Outcome,
    ms: u64,
}

#[derive(Deserialize)]
struct Outcome {
    code: u8,
}

/// So much of the end of the log is read.
const READ: u64 = 1 << 20;

/// The latest deeds, oldest first; none if there is no log or it cannot be read.
#[must_use]
pub fn latest(paths: &Paths) -> Vec<Deed> {
    let Ok(mut log) = disk::own().open(paths.audit()) else { return Vec::new() };
    let length = log.metadata().map_or(0, |found| found.len());
    let mut bytes = Vec::new();
    let read =
        log.seek(SeekFrom::Start(length.saturating_sub(READ))).and_then(|_| log.take(READ).read_to_end(&mut bytes));
    if read.is_err() {
        return Vec::new();
    }
    // The first line may be cut; then it is no JSON.
    String::from_utf8_lossy(&bytes).lines().filter_map(deed).collect()
}

fn deed(row: &str) -> Option<Deed> {
    let row: Row = serde_json::from_str(row).ok()?;
    let when: jiff::Timestamp = row.when.parse().ok()?;
    let at = Timestamp(u64::try_from(when.as_millisecond()).ok()?);
    Some(Deed { at, who: row.who, command: row.command, code: row.outcome.code, took_ms: row.ms })
}

impl Deed {
    /// True if the command names the process, or all, or is the start from which its life comes.
    #[must_use]
    pub fn is_about(&self, process: &Process) -> bool {
        let Ok(line) = line::lex(&self.command) else { return false };
        let words: Vec<&str> = line.statements.iter().flat_map(|it| &it.words).map(|word| word.text.as_str()).collect();
        let Some(at) = words.iter().position(|word| *word == "tsm") else { return false };
        let name = process.name.as_str();
        let short = process.meta.port.map_or(name, |port| without_port(name, port));
        let id = process.id().map(|id| id.to_string());
        let names = |word: &&str| {
            *word == name || *word == short || matches!(*word, "*" | "all") || Some(*word) == id.as_deref()
        };
        let started = process.meta.life.started_ms;
        let lives = self.at.0 <= started && started <= self.at.0 + self.took_ms + 1000;
        match words.get(at + 1) {
            Some(&"start") => lives || words[at + 2..].contains(&name),
            Some(&("stop" | "restart" | "kill" | "delete" | "del")) => words[at + 2..].iter().any(names),
            Some(&"startup") => lives,
            _ => false,
        }
    }

    /// True if the command ends processes.
    #[must_use]
    pub fn ends(&self) -> bool {
        [" stop", " restart", " kill", " delete", " del"]
            .iter()
            .any(|verb| self.command.contains(&format!("tsm{verb}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_of_the_log_is_a_deed() {
        let row = r#"{"when":"2026-11-20T12:00:00.250Z","who":"root","context":{"org":null,"env":null},"command":"tsm stop api","outcome":{"code":0,"kind":null},"ms":12}"#;
        let deed = deed(row).expect("a deed");
        assert_eq!((deed.at, deed.who.as_str(), deed.took_ms), (Timestamp(1_795_176_000_250), "root", 12));
        assert!(deed.ends() && super::deed("half a row\"}").is_none());
    }
}
