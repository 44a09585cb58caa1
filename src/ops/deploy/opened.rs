//! A session with a host: asked, with the name of the host in what fails, and with what is said meanwhile.

use super::saying::Say;
use crate::base::fault::{Fault, FaultKind};
use crate::deploy::wire::{Answer, Ask, Facts, ProgressKind, Said};
use crate::tkm::agent::session::AgentSession;
use crate::tkm::error::TkmError;

/// A session with the name of its host.
pub(super) struct Opened {
    pub(super) host: String,
    pub(super) session: AgentSession,
}

impl Opened {
    /// Looks at the host.
    ///
    /// # Errors
    ///
    /// Fails if the host is lost, what it failed with, or if its agent is of a version that is not known.
    pub(super) fn open(&mut self, look: &Ask) -> Result<Facts, Fault> {
        match self.asked(look, &[], Say::to_none())?.said {
            Said::Facts(facts) => Ok(*facts),
            Said::Failed(failure) => Err(failure.into_fault(&self.host)),
            _ => Err(Fault::new(FaultKind::Failed, format!("{}: it did not say how it is", self.host))),
        }
    }

    /// Asks, and waits for the answer; what the host says before it is said on.
    ///
    /// # Errors
    ///
    /// Fails if the host is lost.
    pub(super) fn ask(&mut self, ask: &Ask, bytes: &[u8], say: Say) -> Result<Answer, Fault> {
        Ok(self.asked(ask, bytes, say).map_err(|error| match error {
            // What it did is not known.
            TkmError::Agent { name, why } => TkmError::Lost { name, why },
            other => other,
        })?)
    }

    fn asked(&mut self, ask: &Ask, bytes: &[u8], say: Say) -> Result<Answer, TkmError> {
        let on_text = |answer: &Answer| {
            let Said::Progress(text) = &answer.said else { return false };
            match answer.progress {
                ProgressKind::State => say.state(text),
                ProgressKind::Note => say.note(text),
                ProgressKind::Beat => {}
            }
            true
        };
        self.session.ask(ask, bytes, on_text)
    }
}
