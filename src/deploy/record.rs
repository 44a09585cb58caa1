//! A deploy as a host keeps it: where it is, who began it, and what is put back.

use serde::{Deserialize, Serialize};

use super::carried::{Carried, Digests};
use super::machine::State;
use super::release::ReleaseId;

/// The version of records, lines of the journal and the file of the lock.
pub const VERSION: u32 = 1;

/// Who deploys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// `USER@MACHINE`.
    pub by: String,
    /// The pid of the deployer there.
    pub pid: u32,
    /// The deploy.
    pub txid: String,
    /// Since when, in milliseconds since 1970, by the clock of the host.
    #[serde(default)]
    pub since_ms: u64,
}

/// What was there before a deploy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Before {
    /// Nothing of the environment.
    Absent,
    /// An environment file that no deploy put there: its text.
    File(String),
    /// A release.
    Release(ReleaseId),
}

/// A deploy on this host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// [`VERSION`].
    pub version: u32,
    /// The deploy; the same on all of its hosts.
    pub txid: String,
    /// The environment.
    pub env: String,
    /// The release that it brings.
    pub rid: ReleaseId,
    /// Who deploys.
    pub by: String,
    /// Where it is.
    pub state: State,
    /// What is put back.
    pub before: Before,
    /// The processes of the environment that ran then.
    #[serde(default)]
    pub ran: Vec<String>,
    /// Those that were stopped then, and are again where it does not stay.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stopped: Vec<String>,
    /// When the state began, in milliseconds since 1970.
    pub at_ms: u64,
    /// Why it did not stay, if it did not.
    pub why: Option<String>,
    /// An operator let deploys begin again though the old release could not be put back.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub let_be: bool,
    /// What is beside the release, once it stays.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub carried: Vec<(Carried, Digests)>,
}

impl Record {
    /// True if the old release could not be put back: no other deploy begins until it is, or an operator lets it be.
    #[must_use]
    pub fn is_stuck(&self) -> bool {
        self.state == State::RevertFailed && !self.let_be
    }
}

/// Why no deploy may begin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Freeze {
    /// What was said.
    pub why: String,
    /// By whom.
    pub by: String,
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
}

/// A step, as a line of the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalLine {
    /// [`VERSION`].
    pub version: u32,
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
    /// The deploy.
    pub txid: String,
    /// The release that it brings.
    pub rid: ReleaseId,
    /// Where it was.
    pub from: State,
    /// Where it is from then on.
    pub to: State,
    /// Why, for what does not go on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// True for what may be the name of a deploy: it becomes a part of file names.
#[must_use]
pub fn is_txid(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_a_deploy_is_no_path() {
        assert!(is_txid("20261120T103045Z-1a2b3c4d"));
        for text in ["", "../x", "a/b", "a.json", &"x".repeat(65)] {
            assert!(!is_txid(text), "{text}");
        }
    }
}
