//! What a deployer asks of a host in a session of the agent, and what it answers. Each is one frame; after [`Ask::Put`] and
//! [`Ask::Carry`] come their bytes as they are.

use serde::{Deserialize, Serialize};

use super::carried::{Carried, CarriedState, Form};
use super::machine::State;
use super::record::{Freeze, Holder, JournalLine, Record};
use super::release::{ContentHash, Drift, Manifest, MissingBlob, ReleaseId};
use crate::base::fault::{Fault, FaultKind};

/// The most bytes of a content in one frame.
pub const MAX_PUT: u64 = 1 << 20;

/// The longest that a host waits by itself for a commit, in seconds.
pub const MAX_ARMED: u64 = 3600;

/// What a deployer asks. There is nothing else.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ask {
    /// Which organization is meant. The first of all, and asked again to look again.
    Open {
        /// Its name.
        org: String,
        /// What else is to be looked at than what was carried before.
        #[serde(default)]
        carried: Vec<Carried>,
    },
    /// Begins a deploy: locks, checks the host, and says what has to be sent.
    Begin {
        /// Who deploys, and the deploy.
        holder: Holder,
        /// The release.
        manifest: Manifest,
        /// The release that the plan was made for; the host refuses if it has another.
        planned: Option<ReleaseId>,
    },
    /// A part of a content; as many bytes follow.
    Put {
        /// Which.
        sha256: ContentHash,
        /// How long all of it is.
        size: u64,
        /// Where the part begins.
        offset: u64,
        /// How long it is; at most [`MAX_PUT`].
        length: u64,
    },
    /// What goes with the release; its bytes follow.
    Carry {
        /// What.
        what: Carried,
        /// How it is kept.
        form: Form,
        /// Of its bytes.
        sha256: ContentHash,
        /// How many there are; at most [`MAX_CARRIED`](super::carried::MAX_CARRIED).
        length: u64,
    },
    /// Builds the release, and finds out what applying it would do.
    Stage,
    /// The same, and fails if anything but one service would change.
    StageOnly {
        /// Which.
        service: String,
    },
    /// From now on the host puts the old release back by itself, unless the deploy is committed in time.
    Arm {
        /// How long it waits.
        seconds: u64,
    },
    /// Switches to the release and applies it.
    Switch,
    /// How what runs is.
    Health,
    /// It was well for long enough.
    Prove,
    /// It stays. Asked in a session of its own, to know that the host can still be reached.
    Commit {
        /// The deploy.
        txid: String,
    },
    /// Nothing leads back any more: all hosts keep it.
    Settle,
    /// The old release again, though this host keeps the new one: another does not.
    Undo {
        /// Why.
        why: String,
    },
    /// It does not stay.
    GiveUp {
        /// The deploy.
        txid: String,
        /// Why.
        why: String,
    },
    /// Puts back what has not ended and has no deployer any more.
    Recover,
    /// The deploys of this host.
    History,
    /// The steps of a deploy.
    Journal {
        /// Which.
        txid: String,
    },
    /// Lets no deploy begin; lets them again without a reason.
    Freeze {
        /// Who does it.
        by: String,
        /// Why.
        why: Option<String>,
    },
    /// The manifest of a release that is there; the one before the current one if none is named.
    Release {
        /// Which.
        rid: Option<ReleaseId>,
    },
    /// The deployer is still there. Nothing is answered.
    Beat,
}

impl Ask {
    /// Whether it is a step of a deploy up to its switch: what fails there changes nothing.
    #[must_use]
    pub fn leads_to_switch(&self) -> bool {
        matches!(
            self,
            Self::Begin { .. }
                | Self::Put { .. }
                | Self::Carry { .. }
                | Self::Stage
                | Self::StageOnly { .. }
                | Self::Arm { .. }
                | Self::Switch
        )
    }
}

/// An answer.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Answer {
    /// The deploy of this session, and where it is.
    pub deploy: Option<(String, State)>,
    /// What is said.
    pub said: Said,
    /// What [`Said::Progress`] is; nothing for other answers. An older deployer takes each for a state.
    #[serde(default, skip_serializing_if = "ProgressKind::is_state")]
    pub progress: ProgressKind,
}

/// What is said before an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProgressKind {
    /// What is being done.
    #[default]
    State,
    /// Something to be known beside.
    Note,
    /// A sign of life.
    Beat,
}

impl ProgressKind {
    fn is_state(&self) -> bool {
        *self == Self::State
    }
}

/// What a host says.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Said {
    /// It is at work; the answer follows.
    Progress(String),
    /// It is done.
    Done,
    /// How the host is.
    Facts(Box<Facts>),
    /// What has to be sent.
    Missing(Vec<MissingBlob>),
    /// What was done, or would be, in words.
    Changes(Vec<String>),
    /// How what runs is.
    Health(Health),
    /// The deploys of the host, the newest first.
    History(Vec<Record>),
    /// The steps of a deploy, in their order.
    Journal(Vec<JournalLine>),
    /// The manifest of a release.
    Manifest(Box<Manifest>),
    /// It was not done.
    Failed(Failure),
}

/// How a host is, as far as deploys go.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Facts {
    /// The version of its agent.
    pub version: String,
    /// Its clock, in milliseconds since 1970.
    pub now_ms: u64,
    /// The release that is current.
    pub current: Option<ReleaseId>,
    /// The one before.
    pub previous: Option<ReleaseId>,
    /// What the current one holds.
    pub content: Option<ContentHash>,
    /// How the files of the current one differ from its manifest.
    pub drift: Vec<Drift>,
    /// Who deploys now.
    pub holder: Option<Holder>,
    /// Why no deploy may begin.
    pub freeze: Option<Freeze>,
    /// The last deploy.
    pub last: Option<Record>,
    /// Env files and secrets: those that were asked about, and those that were carried before. None of an agent that takes none.
    #[serde(default)]
    pub carried: Option<Vec<CarriedState>>,
    /// How services differ from what the current release says. None of an agent that does not look.
    #[serde(default)]
    pub services: Vec<ServiceDrift>,
}

/// A service that is not as the release says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceDrift {
    /// Its name.
    pub service: String,
    /// How.
    pub kind: ServiceDriftKind,
}

/// How a service is not as the release says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ServiceDriftKind {
    /// Its definition is another one.
    Changed,
    /// Its definition is not there.
    Removed,
    /// It is not started at boot, and should be.
    Disabled,
    /// It is started at boot, and should not be.
    Enabled,
    /// An order stopped it.
    Stopped,
    /// It has no process.
    Absent,
}

/// How what runs is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Health {
    /// All is well.
    Well,
    /// It may become well; why it is not yet.
    NotYet(String),
    /// It does not become well by itself; why.
    Bad(String),
}

/// A failure, as it goes over the wire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The word of its kind.
    pub kind: String,
    /// What happened.
    pub message: String,
    /// What to do.
    pub advice: Option<String>,
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self { kind: fault.kind.word().to_owned(), message: fault.in_full(), advice: fault.advice }
    }
}

impl Failure {
    /// As a fault of this side. A kind that is not known here is a plain failure.
    #[must_use]
    pub fn into_fault(self, host: &str) -> Fault {
        let known = FaultKind::ALL.iter().find(|row| row.2 == self.kind).map(|row| row.0);
        let fault = Fault::new(known.unwrap_or(FaultKind::Failed), format!("{host}: {}", self.message));
        Fault { advice: self.advice, ..fault }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_that_does_not_look_at_services_says_nothing_of_them() {
        let facts = r#"{"version": "0.0.1", "now_ms": 1, "current": null, "previous": null, "content": null, "drift": [],
                        "holder": null, "freeze": null, "last": null}"#;
        let facts: Facts = serde_json::from_str(facts).expect("facts");
        assert!(facts.services.is_empty() && facts.carried.is_none());
    }
}
