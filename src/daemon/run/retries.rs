//! What the daemon failed to start, and tries again at each maintenance round: a port that another program had, a file with an error,
//! a full disk.

use super::record::DaemonRecord;
use super::wanted::Beginning;
use super::work::{self, Say, Unstarted, full_text};
use crate::base::fault::Fault;
use crate::ops::OpContext;

/// What is to be tried again.
#[derive(Debug, Default)]
pub struct Retries {
    unstarted: Unstarted,
    begin: Option<FailedBegin>,
}

/// A beginning that failed as a whole.
#[derive(Debug)]
struct FailedBegin {
    beginning: Beginning,
    previous: Option<DaemonRecord>,
    /// What was logged about it.
    text: String,
}

impl Retries {
    /// Starts what has to run.
    ///
    /// # Errors
    ///
    /// Fails if services or processes cannot be listed, or if the environment cannot be read.
    pub fn begin(
        &mut self,
        context: &OpContext,
        beginning: Beginning,
        previous: Option<DaemonRecord>,
        say: &mut Say,
    ) -> Result<(), Fault> {
        let done = work::begin(context, beginning, previous.as_ref(), &mut self.unstarted, say);
        if let Err(fault) = &done {
            self.begin = Some(FailedBegin { beginning, previous, text: full_text(fault) });
        }
        done
    }

    /// Tries again. What fails as before is not an error.
    ///
    /// # Errors
    ///
    /// Fails as [`Self::begin`].
    pub fn try_again(&mut self, context: &OpContext, say: &mut Say) -> Result<(), Fault> {
        match self.begin.take() {
            Some(failed) => match self.begin(context, failed.beginning, failed.previous, say) {
                Err(fault) if full_text(&fault) == failed.text => Ok(()),
                done => done,
            },
            None if self.unstarted.is_empty() => Ok(()),
            None => work::start_again(context, &mut self.unstarted, say),
        }
    }

    /// Reads the definitions again.
    ///
    /// # Errors
    ///
    /// Fails as [`Self::begin`].
    pub fn reload(&mut self, context: &OpContext, say: &mut Say) -> Result<(), Fault> {
        match self.begin.take() {
            Some(failed) => self.begin(context, failed.beginning, failed.previous, say),
            None => work::reload(context, &mut self.unstarted, say),
        }
    }

    /// Why nothing was started; none if something could be.
    #[must_use]
    pub fn failure(&self) -> Option<&str> {
        self.begin.as_ref().map(|failed| failed.text.as_str())
    }

    /// The services that could not be started.
    pub fn services(&self) -> impl Iterator<Item = &str> {
        self.unstarted.keys().map(String::as_str)
    }
}
