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
    /// End: `exit` with a code, which counts whatever failed before.
    ExitWithCode,
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
        matches!(self.then, Then::Exit | Then::ExitWithCode | Then::ReaderGone)
    }

    /// What the lines up to another one result in: the code is that of the first failure, or the one that `exit` was given.
    #[must_use]
    pub(super) fn followed_by(self, next: Self) -> Self {
        let is_first = self.code == 0 || next.then == Then::ExitWithCode;
        Self { code: if is_first { next.code } else { self.code }, then: next.then }
    }

    /// Redirected output whose reader ended early does not end the session.
    pub(super) fn ignoring_broken_pipe(self) -> Self {
        if self.then == Then::ReaderGone { Self::with_code(self.code) } else { self }
    }
}
