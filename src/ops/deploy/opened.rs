//! A session with a host: asked, with the name of the host in what fails, and with what is said meanwhile.

use super::saying::Say;
use crate::base::fault::{Fault, FaultKind};
use crate::deploy::wire::{Answer, Ask, Facts, ProgressKind, Said};
use crate::tkm::agent::session::AgentSession;

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
    /// Fails if the host is lost, or what it failed with.
    pub(super) fn open(&mut self, look: &Ask) -> Result<Facts, Fault> {
        match self.ask(look, &[], Say::to_none())?.said {
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
        let on_text = |answer: &Answer| {
            let Said::Progress(text) = &answer.said else { return false };
            match answer.progress {
                ProgressKind::State => say.state(text),
                ProgressKind::Note => say.note(text),
                ProgressKind::Beat => {}
            }
            true
        };
        Ok(self.session.ask(ask, bytes, on_text)?)
    }
}
