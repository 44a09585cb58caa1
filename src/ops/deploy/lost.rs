//! Putting back what was begun on a host, also on one that was lost: what came of it there is found out over another connection.

use std::time::{Duration, Instant};

use super::give_up;
use super::halt::Will;
use super::member::{Member, Reach};
use super::saying::Say;
use super::verdict::without_host;
use crate::base::fault::{Fault, FaultKind};
use crate::base::time::Timestamp;
use crate::deploy::machine::State;
use crate::deploy::record::Record;
use crate::deploy::wire::{Ask, Said};
use crate::org::history;

/// How often a host that was lost is looked for again, and how long is waited before each time: by then its watcher has seen that
/// the deployer is gone.
const SEARCHES: [Duration; 3] = [Duration::from_secs(2), Duration::from_secs(3), Duration::from_secs(5)];

/// What came of a deploy on a host that was lost.
enum Found {
    /// The host knows nothing of it.
    NotBegun,
    /// This.
    Record(Box<Record>),
}

impl Member {
    /// Has the host put back what was begun, and finds out what came of it; also where the connection was lost, and where it was
    /// committed and that is not final.
    pub fn give_up(&mut self, reach: &Reach, txid: &str, why: &Fault, say: Say) {
        let was_committed = self.state == State::Committed;
        if self.state == State::New || (self.state.has_ended() && !was_committed) {
            return;
        }
        let give_up = Ask::GiveUp { txid: txid.to_owned(), why: why.to_string() };
        let ask = if was_committed { Ask::Undo { why: why.to_string() } } else { give_up.clone() };
        let found = match self.ask(&ask, &[], say) {
            Ok(Said::History(records)) => records.into_iter().next().map(|it| Found::Record(Box::new(it))),
            _ => self.search(reach, &give_up, say),
        };
        match found {
            // Nothing was begun there, which is as if it had ended so.
            Some(Found::NotBegun) => self.state = State::Aborted,
            Some(Found::Record(record)) => {
                self.state = record.state;
                if record.is_stuck() {
                    let stuck = give_up::outcome(&record);
                    let why = format!("{}: {}", self.host.name, stuck.error);
                    self.fault = Some(Fault { advice: stuck.advice, ..Fault::new(stuck.kind, why) });
                }
            }
            None => {
                let (name, why) = (&self.host.name, why.to_string());
                let why = format!("{name}: {}; lost after {}", without_host(name.as_str(), &why), self.state);
                self.fault = Some(Fault::new(FaultKind::Unknown, why).with_advice(format!(
                    "the host puts the old release back by itself{}, unless it was committed; `tsm org deploy status` asks it",
                    self.decides_by(),
                )));
                self.state = if was_committed { State::Reverting } else { self.state };
            }
        }
    }

    /// `, by 2026-11-20T10:42:10Z of its clock at the latest`
    fn decides_by(&self) -> String {
        let at = |decides: Instant| Timestamp(self.facts.now_ms).after(decides - self.seen);
        self.decides.map_or_else(String::new, |it| format!(", by {} of its clock at the latest", history::at(at(it))))
    }

    /// Looks for a host that was lost, and has it put back what its agent left; what it did by itself meanwhile stays so.
    fn search(&mut self, reach: &Reach, give_up: &Ask, say: Say) -> Option<Found> {
        for pause in SEARCHES {
            say.state("lost; looking for it again");
            reach.halt.pause(pause, reach.halt.will());
            if reach.halt.will() == Will::Leave {
                return None;
            }
            let Ok((mut found, _)) = self.again(reach) else { continue };
            match found.ask(give_up, &[], say).map(|answer| answer.said) {
                Ok(Said::History(records)) => {
                    let Some(record) = records.into_iter().next() else { continue };
                    say.state(record.state.word());
                    return Some(Found::Record(Box::new(record)));
                }
                Ok(Said::Failed(failure)) if failure.kind == FaultKind::NotFound.word() => {
                    return Some(Found::NotBegun);
                }
                _ => {}
            }
        }
        None
    }
}
