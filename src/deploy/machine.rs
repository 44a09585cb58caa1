//! The states of a deploy on one host, and what leads from one to the next: pure, as the supervisor's.
//!
//! ```text
//! NEW → LOCKED → PREFLIGHT → STAGING → STAGED → ARMED → SWITCHED → APPLIED → HEALTHY → COMMITTED
//!          └──────────┴─────────┴────────┴────────┤        └──────────┴─────────┴──────────┤
//!                                                 └→ ABORTED                               └→ REVERTING → REVERTED | REVERT_FAILED
//! ```
//!
//! A state is written down before its work begins. So in ARMED `current` is certainly the old release, in SWITCHED it may be
//! either; what is put back from there on is put back whatever was done. COMMITTED is left only while its deployer is there and
//! another host does not keep the release.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Where a deploy is on a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum State {
    /// Nothing was done.
    New,
    /// No other deploy acts here.
    Locked,
    /// The host is being checked.
    Preflight,
    /// Bytes are being received.
    Staging,
    /// The release is there and verified.
    Staged,
    /// The host puts the old release back by itself unless it is asked for something else.
    Armed,
    /// `current` is being switched.
    Switched,
    /// The release was applied: what changed was restarted.
    Applied,
    /// What runs is well.
    Healthy,
    /// It stays.
    Committed,
    /// It was given up before anything changed.
    Aborted,
    /// The old release is being put back.
    Reverting,
    /// The old release runs.
    Reverted,
    /// Putting the old release back failed.
    RevertFailed,
}

/// What happens in a deploy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// The work of the next state begins: NEW → … → APPLIED, in this order.
    Advance(State),
    /// The checks of health hold.
    Prove,
    /// The deployer came again on a connection of its own, and wants it to stay.
    Commit,
    /// A step failed, the deployer is gone, the time is up, the host was started again, or an operator says so.
    GiveUp,
    /// Another host does not keep it, and all are to have the same.
    Undo,
    /// The old release runs.
    PutBack,
    /// The old release could not be put back.
    Stuck,
}

/// What a step asks for, after it was written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Duty {
    /// The work of the state.
    Work,
    /// Nothing more: it has ended.
    Nothing,
    /// Partial files go; what runs was not touched.
    Discard,
    /// The old release is put back.
    Revert,
}

/// A step that there is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a deploy that is {from} cannot become {to}")]
pub struct NoSuchStep {
    /// Where it is.
    pub from: State,
    /// What was asked for.
    pub to: State,
}

/// The way to a release that stays.
const FORWARD: [State; 10] = [
    State::New,
    State::Locked,
    State::Preflight,
    State::Staging,
    State::Staged,
    State::Armed,
    State::Switched,
    State::Applied,
    State::Healthy,
    State::Committed,
];

/// Where an event leads.
///
/// # Errors
///
/// Fails if nothing leads there; nothing is done then. Giving up what has ended is no failure: it stays as it ended.
pub fn step(from: State, event: Event) -> Result<(State, Duty), NoSuchStep> {
    let forward = |to: State, duty: Duty| {
        let is_next = FORWARD.windows(2).any(|pair| pair == [from, to]);
        if is_next { Ok((to, duty)) } else { Err(NoSuchStep { from, to }) }
    };
    match (event, from) {
        (Event::Advance(to), _) if to <= State::Applied => forward(to, Duty::Work),
        (Event::Advance(to), _) => Err(NoSuchStep { from, to }),
        (Event::Prove, _) => forward(State::Healthy, Duty::Nothing),
        (Event::Commit, _) => forward(State::Committed, Duty::Nothing),
        (Event::GiveUp, State::Committed | State::Aborted | State::Reverted | State::RevertFailed) => {
            Ok((from, Duty::Nothing))
        }
        (Event::GiveUp, _) if from >= State::Switched => Ok((State::Reverting, Duty::Revert)),
        (Event::GiveUp, _) => Ok((State::Aborted, Duty::Discard)),
        (Event::Undo, State::Committed) => Ok((State::Reverting, Duty::Revert)),
        (Event::Undo, _) => Err(NoSuchStep { from, to: State::Reverting }),
        (Event::PutBack, State::Reverting | State::RevertFailed) => Ok((State::Reverted, Duty::Nothing)),
        (Event::PutBack, _) => Err(NoSuchStep { from, to: State::Reverted }),
        (Event::Stuck, State::Reverting | State::RevertFailed) => Ok((State::RevertFailed, Duty::Nothing)),
        (Event::Stuck, _) => Err(NoSuchStep { from, to: State::RevertFailed }),
    }
}

impl State {
    /// True if nothing more happens by itself.
    #[must_use]
    pub fn has_ended(self) -> bool {
        matches!(self, Self::Committed | Self::Aborted | Self::Reverted | Self::RevertFailed)
    }

    /// The word, as in the journal.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::New => "NEW",
            Self::Locked => "LOCKED",
            Self::Preflight => "PREFLIGHT",
            Self::Staging => "STAGING",
            Self::Staged => "STAGED",
            Self::Armed => "ARMED",
            Self::Switched => "SWITCHED",
            Self::Applied => "APPLIED",
            Self::Healthy => "HEALTHY",
            Self::Committed => "COMMITTED",
            Self::Aborted => "ABORTED",
            Self::Reverting => "REVERTING",
            Self::Reverted => "REVERTED",
            Self::RevertFailed => "REVERT_FAILED",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [State; 14] = [
        State::New,
        State::Locked,
        State::Preflight,
        State::Staging,
        State::Staged,
        State::Armed,
        State::Switched,
        State::Applied,
        State::Healthy,
        State::Committed,
        State::Aborted,
        State::Reverting,
        State::Reverted,
        State::RevertFailed,
    ];

    fn events() -> impl Iterator<Item = Event> {
        let others = [Event::Prove, Event::Commit, Event::GiveUp, Event::PutBack, Event::Stuck];
        ALL.into_iter().map(Event::Advance).chain(others)
    }

    #[test]
    fn every_state_meets_every_event() {
        for from in ALL {
            for event in events() {
                let place = ALL.iter().position(|state| *state == from).expect("one of all");
                let next = ALL.get(place + 1).copied().filter(|_| from < State::Committed);
                let expected = match event {
                    Event::Advance(to) if next == Some(to) && to <= State::Applied => Some((to, Duty::Work)),
                    Event::Prove if from == State::Applied => Some((State::Healthy, Duty::Nothing)),
                    Event::Commit if from == State::Healthy => Some((State::Committed, Duty::Nothing)),
                    Event::Undo if from == State::Committed => Some((State::Reverting, Duty::Revert)),
                    Event::GiveUp if from.has_ended() => Some((from, Duty::Nothing)),
                    Event::GiveUp if from < State::Switched => Some((State::Aborted, Duty::Discard)),
                    Event::GiveUp => Some((State::Reverting, Duty::Revert)),
                    Event::PutBack if matches!(from, State::Reverting | State::RevertFailed) => {
                        Some((State::Reverted, Duty::Nothing))
                    }
                    Event::Stuck if matches!(from, State::Reverting | State::RevertFailed) => {
                        Some((State::RevertFailed, Duty::Nothing))
                    }
                    _ => None,
                };
                assert_eq!(step(from, event).ok(), expected, "{from} {event:?}");
            }
        }
    }

    #[test]
    fn from_everywhere_one_of_two_versions_is_reached() {
        for from in ALL {
            let (given_up, duty) = step(from, Event::GiveUp).expect("always possible");
            let end =
                if duty == Duty::Revert { step(given_up, Event::PutBack).expect("reverting").0 } else { given_up };
            assert!(end.has_ended(), "{from} ends as {end}");
            assert_eq!(step(end, Event::GiveUp), Ok((end, Duty::Nothing)), "giving up twice is once");
        }
    }

    #[test]
    fn a_word_is_what_is_written() {
        for state in ALL {
            assert_eq!(serde_json::to_value(state).ok(), Some(state.word().into()));
        }
    }
}
