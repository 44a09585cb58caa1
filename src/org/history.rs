//! The record of versions: one line each, only ever added to, each with the hash of the one before.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::error::OrgError;
use super::read;
use crate::base::time::Timestamp;
use crate::config::read::ReadFileError;
use crate::sys::hash_chain;

/// One version of an environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionEntry {
    /// Counted from 1.
    pub seq: u64,
    /// What operators call it: the time, with a number where two fell into one second.
    pub id: String,
    /// When, in RFC 3339.
    pub at: String,
    /// By whom.
    pub by: String,
    /// How it came to be.
    pub action: VersionAction,
    /// The hash of what it says.
    pub content: String,
    /// The hash of the local.toml it was made from; empty if it was not made here.
    pub source: String,
    /// Its profile.
    pub profile: String,
    /// The commit that was checked out.
    pub commit: Option<String>,
    /// Its copy, in the directory of the record.
    pub file: String,
    /// The hash of the bytes of its copy; none in lines that were written before there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<String>,
    /// For a rollback: the local.toml that was rolled back from.
    pub from: Option<String>,
    /// For a rollback: the content that was rolled back from.
    pub left: Option<String>,
    /// The hash of the line before; empty for the first.
    pub prev: String,
}

/// How a version came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VersionAction {
    /// Generated from local.toml.
    Promote,
    /// An earlier version became the current one again.
    Rollback,
    /// It was there without a line in the record: copied here, or written when the machine stopped.
    Found,
    /// The generated file was edited.
    Edit,
}

impl VersionAction {
    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Promote => "promote",
            Self::Rollback => "rollback",
            Self::Found => "found",
            Self::Edit => "edit",
        }
    }
}

/// All versions, oldest first, and the bytes that say so.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct VersionHistory {
    /// Oldest first.
    pub entries: Vec<VersionEntry>,
    /// Its last line was cut off.
    pub is_truncated: bool,
    text: String,
}

impl VersionHistory {
    /// Reads a record; an empty one if there is none. A last line that was cut off counts as not written.
    ///
    /// # Errors
    ///
    /// Fails if a line is invalid or does not follow the one before.
    pub fn read(path: &Path, tree: &Path) -> Result<Self, OrgError> {
        let text = match read::text(path, tree) {
            Ok(text) => text.unwrap_or_default(),
            Err(OrgError::Read(ReadFileError::NotText { line, .. })) => {
                return Err(OrgError::BrokenHistory { path: path.to_owned(), line, why: "not UTF-8 text" });
            }
            Err(error) => return Err(error),
        };
        let whole = hash_chain::whole_lines(&text);
        let mut record = Self { is_truncated: whole.len() < text.len(), ..Self::default() };
        for (number, line) in whole.lines().enumerate() {
            let broken = |why| OrgError::BrokenHistory { path: path.to_owned(), line: number + 1, why };
            let entry = entry(line).map_err(broken)?;
            if entry.prev != record.last_hash() || entry.seq != number as u64 + 1 {
                return Err(broken("it does not follow the previous line"));
            }
            record.text.push_str(line);
            record.text.push('\n');
            record.entries.push(entry);
        }
        Ok(record)
    }

    /// A record of what can be read of another. Each line follows the one before.
    #[must_use]
    pub fn recover(bytes: &[u8]) -> Self {
        let mut record = Self::default();
        let text = String::from_utf8_lossy(bytes);
        text.lines().filter_map(|line| entry(line).ok()).for_each(|entry| record.push(entry));
        record
    }

    /// Adds a version; its number and the hash of the line before are given here.
    pub fn push(&mut self, mut entry: VersionEntry) {
        entry.seq = self.entries.len() as u64 + 1;
        entry.prev = self.last_hash();
        let line = serde_json::to_string(&entry).expect("texts and numbers can be written");
        self.text.push_str(&line);
        self.text.push('\n');
        self.entries.push(entry);
    }

    /// The bytes of the file.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.text.as_bytes()
    }

    fn last_hash(&self) -> String {
        hash_chain::last_hash(&self.text)
    }

    /// A name for a version of this moment that no other has.
    #[must_use]
    pub fn fresh_id(&self, now: Timestamp) -> String {
        let id = id(now);
        let taken = |id: &str| self.entries.iter().any(|entry| entry.id == id);
        if !taken(&id) {
            return id;
        }
        let numbered = |number: usize| format!("{id}_{number}");
        (2..).map(numbered).find(|id| !taken(id)).unwrap_or(id.clone())
    }

    /// The target of a rollback: the newest version that says something else than the current one and was not rolled back from.
    #[must_use]
    pub fn last_good(&self, current: &str) -> Option<&VersionEntry> {
        let left = |content: &str| self.entries.iter().any(|entry| entry.left.as_deref() == Some(content));
        let good = |entry: &&VersionEntry| {
            entry.content != current
                && !left(&entry.content)
                && matches!(entry.action, VersionAction::Promote | VersionAction::Rollback | VersionAction::Found)
        };
        self.entries.iter().rev().find(good)
    }

    /// The version of a name.
    #[must_use]
    pub fn find(&self, id: &str) -> Option<&VersionEntry> {
        self.entries.iter().rev().find(|entry| entry.id == id)
    }
}

/// What a line says.
fn entry(line: &str) -> Result<VersionEntry, &'static str> {
    let entry: VersionEntry = serde_json::from_str(line).map_err(|_| "invalid entry")?;
    let is_elsewhere = Path::new(&entry.file).components().count() != 1 || entry.file.starts_with('.');
    if is_elsewhere { Err("its file is outside of the history") } else { Ok(entry) }
}

/// `20261120_120000`, in UTC.
#[must_use]
pub fn id(now: Timestamp) -> String {
    zoned(now).map_or_else(|| now.0.to_string(), |time| time.strftime("%Y%m%d_%H%M%S").to_string())
}

/// True for what [`id`] gives, with or without a number.
#[must_use]
pub fn is_id(text: &str) -> bool {
    let mut parts = text.split('_');
    let digits = |part: Option<&str>, length: usize| {
        part.is_some_and(|part| part.len() == length && part.bytes().all(|byte| byte.is_ascii_digit()))
    };
    digits(parts.next(), 8)
        && digits(parts.next(), 6)
        && parts.next().is_none_or(|number| number.parse::<u32>().is_ok())
        && parts.next().is_none()
}

/// RFC 3339 in UTC, in whole seconds.
#[must_use]
pub fn at(now: Timestamp) -> String {
    zoned(now).map_or_else(|| now.0.to_string(), |time| time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
}

/// The time that a text of [`at`] means.
#[must_use]
pub fn time(text: &str) -> Option<Timestamp> {
    let point: jiff::Timestamp = text.parse().ok()?;
    u64::try_from(point.as_millisecond()).ok().map(Timestamp)
}

fn zoned(now: Timestamp) -> Option<jiff::Zoned> {
    let point = jiff::Timestamp::from_millisecond(i64::try_from(now.0).ok()?).ok()?;
    Some(point.to_zoned(jiff::tz::TimeZone::UTC))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(id: &str, content: &str, left: Option<&str>) -> VersionEntry {
        VersionEntry {
            seq: 0,
            id: id.into(),
            at: at(Timestamp(0)),
            by: "me".into(),
            action: if left.is_some() { VersionAction::Rollback } else { VersionAction::Promote },
            content: content.into(),
            source: "s".into(),
            profile: "dev(builtin)".into(),
            commit: None,
            file: format!("dev_{id}.toml"),
            bytes: None,
            from: None,
            left: left.map(str::to_owned),
            prev: String::new(),
        }
    }

    #[test]
    fn each_line_follows_the_one_before() {
        let home = tempfile::tempdir().expect("a directory");
        let path = home.path().join("dev.jsonl");
        let read = || VersionHistory::read(&path, home.path());
        assert_eq!(read().expect("nothing yet"), VersionHistory::default());
        let mut record = VersionHistory::default();
        ["a", "b", "c"].into_iter().for_each(|id| record.push(entry(id, id, None)));
        std::fs::write(&path, record.bytes()).expect("written");
        assert_eq!(read().expect("read"), record);
        let text = String::from_utf8(record.bytes().to_vec()).expect("text");
        let without_second: String =
            text.lines().enumerate().filter(|(n, _)| *n != 1).map(|(_, line)| format!("{line}\n")).collect();
        let up = text.replace("dev_c.toml", "../c.toml");
        for broken in [text.replace("\"b\"", "\"x\""), without_second, text.replace('{', ""), up] {
            std::fs::write(&path, broken).expect("written");
            assert!(matches!(read(), Err(OrgError::BrokenHistory { .. })));
        }
        std::fs::write(&path, &text[..text.len() - 20]).expect("written");
        let torn = read().expect("the last line was cut off");
        assert!(torn.entries.len() == 2 && torn.is_truncated);
        let garbage = [&text.as_bytes()[..text.len() / 2], b"\xff\n", text.as_bytes()].concat();
        std::fs::write(&path, &garbage).expect("written");
        assert!(matches!(read(), Err(OrgError::BrokenHistory { .. })));
        let salvaged = VersionHistory::recover(&garbage);
        std::fs::write(&path, salvaged.bytes()).expect("written");
        let ids: Vec<String> = read().expect("it is whole again").entries.into_iter().map(|it| it.id).collect();
        assert_eq!(ids, ["a", "a", "b", "c"]);
    }

    #[test]
    fn two_versions_of_one_second_have_two_names() {
        let mut record = VersionHistory::default();
        let now = Timestamp(1_795_176_000_000);
        for expected in ["20261120_120000", "20261120_120000_2", "20261120_120000_3"] {
            let id = record.fresh_id(now);
            assert_eq!(id, expected);
            record.push(entry(&id, "c", None));
        }
    }

    #[test]
    fn a_rollback_never_leads_to_what_was_turned_away_from() {
        let mut record = VersionHistory::default();
        for (id, content, left) in [("1", "a", None), ("2", "b", None), ("3", "c", None), ("4", "b", Some("c"))] {
            record.push(entry(id, content, left));
        }
        assert_eq!(record.last_good("b").map(|it| it.id.as_str()), Some("1"));
        assert_eq!(record.last_good("c").map(|it| it.id.as_str()), Some("4"));
        assert_eq!(VersionHistory::default().last_good("a"), None);
    }
}
