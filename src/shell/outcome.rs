//! The result of a line.

use crate::base::fault::FaultKind;

/// The result of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LineOutcome {
    /// The exit code.
    pub code: u8,
    /// What the session does next.
    pub then: Then,
}

/// What a session does after a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Then {
    /// Go on with the next line.
    #[default]
    Continue,
    /// End: `exit`.
    Exit,
    /// End: the reader of the output is gone.
    ReaderGone,
    /// Start the prompt. The program does that, after the line: a prompt is never inside of another line.
    StartPrompt,
}

impl LineOutcome {
    /// The reader of the output is gone: not a failure, but nothing further is run.
    pub(super) const BROKEN_PIPE: Self = Self { code: 0, then: Then::ReaderGone };

    /// The outcome of a fault.
    #[must_use]
    pub fn of(kind: FaultKind) -> Self {
        Self::with_code(kind.code())
    }

    /// An exit code; the session goes on.
    #[must_use]
    pub fn with_code(code: u8) -> Self {
        Self { code, then: Then::Continue }
    }

    /// True if the session ends.
    #[must_use]
    pub fn exits(self) -> bool {
        matches!(self.then, Then::Exit | Then::ReaderGone)
    }

    /// Redirected output whose reader ended early does not end the session.
    pub(super) fn ignoring_broken_pipe(self) -> Self {
        if self.then == Then::ReaderGone { Self::with_code(self.code) } else { self }
    }
}
