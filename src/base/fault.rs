//! What went wrong, in one shape for every part of the program.

use std::error::Error;
use std::fmt;

use super::diagnostic::Diagnostic;

pub use super::location::Location;

/// The kind of a failure. It alone decides the exit code and the word in `--json`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FaultKind {
    /// What was asked for did not work.
    Failed,
    /// The words given make no sense.
    Usage,
    /// A check says no, or the thing is not initialised.
    CheckFailed,
    /// The guard refused, or `--yes` is missing.
    Refused,
    /// There is no such thing, or more than one.
    NotFound,
    /// Another process holds the lock.
    Locked,
    /// A host or service cannot be reached.
    Unreachable,
    /// The host key is not the pinned one.
    HostKey,
    /// Staging or preflight failed; nothing was changed.
    Preflight,
    /// The health check failed; the change was reverted.
    Reverted,
    /// The revert failed too.
    RevertFailed,
    /// Hosts run different versions.
    Mixed,
    /// The outcome is not known.
    Unknown,
    /// Not allowed to log in.
    Auth,
    /// A `require` or `forbid` of a profile is violated.
    Violated,
    /// A generated file was edited by hand.
    HandEdited,
    /// A secret is missing.
    SecretMissing,
    /// A person has to look first.
    Review,
    /// A private file is open to others.
    UnsafeMode,
    /// The plan is older than what it would change.
    Stale,
    /// A mistake in this program.
    Internal,
    /// Interrupted from the keyboard.
    Interrupted,
    /// Terminated by a signal.
    Terminated,
}

impl FaultKind {
    /// Every kind, in the order of the exit codes.
    pub const ALL: &'static [(Self, u8, &'static str, &'static str)] = &[
        (Self::Failed, 1, "failed", "failed"),
        (Self::Usage, 2, "usage", "invalid usage"),
        (Self::CheckFailed, 3, "no", "a check failed, or not initialised"),
        (Self::Refused, 4, "refused", "refused by the guard, or --yes is missing"),
        (Self::NotFound, 5, "not-found", "not found, or ambiguous"),
        (Self::Locked, 10, "locked", "locked by another process"),
        (Self::Unreachable, 11, "unreachable", "unreachable"),
        (Self::HostKey, 12, "host-key", "host key mismatch"),
        (Self::Preflight, 13, "preflight", "staging or preflight failed, nothing changed"),
        (Self::Reverted, 14, "reverted", "health check failed, reverted"),
        (Self::RevertFailed, 15, "revert-failed", "revert failed"),
        (Self::Mixed, 16, "mixed", "mixed versions"),
        (Self::Unknown, 17, "unknown", "the outcome is unknown"),
        (Self::Auth, 18, "auth", "not allowed to log in"),
        (Self::Violated, 20, "violated", "a require or forbid is violated"),
        (Self::HandEdited, 21, "hand-edited", "a generated file was edited by hand"),
        (Self::SecretMissing, 22, "secret-missing", "a secret is missing"),
        (Self::Review, 23, "review", "review needed"),
        (Self::UnsafeMode, 24, "unsafe-mode", "a private file is open to others"),
        (Self::Stale, 25, "stale", "the plan is stale"),
        (Self::Internal, 70, "bug", "internal error"),
        (Self::Interrupted, 130, "interrupted", "interrupted (Ctrl-C)"),
        (Self::Terminated, 143, "terminated", "terminated (SIGTERM)"),
    ];

    fn row(self) -> &'static (Self, u8, &'static str, &'static str) {
        Self::ALL.iter().find(|row| row.0 == self).expect("a test walks every kind through the table")
    }

    /// The exit code.
    #[must_use]
    pub fn code(self) -> u8 {
        self.row().1
    }

    /// The word that `--json` uses.
    #[must_use]
    pub fn word(self) -> &'static str {
        self.row().2
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// What an error knows beyond its message.
pub trait UserFacingError: Error {
    /// The kind; plain failure unless said otherwise.
    fn kind(&self) -> FaultKind {
        FaultKind::Failed
    }

    /// What to do next.
    fn advice(&self) -> Option<String> {
        None
    }

    /// Where in what the operator wrote.
    fn location(&self) -> Option<Location> {
        None
    }

    /// The process whose end this is about, if it ran or was to run.
    fn ended_process(&self) -> Option<&str> {
        None
    }

    /// Everything that is wrong in a text, if that is the reason.
    fn diagnostics(&self) -> Vec<Diagnostic> {
        Vec::new()
    }
}

/// A failure on its way to the operator: kind, cause, advice and place.
///
/// It does not implement [`Error`] itself, so that `?` turns every error that can [`UserFacingError`] into one.
#[derive(Debug)]
pub struct Fault {
    /// Decides the exit code.
    pub kind: FaultKind,
    /// The message and, as sources, its causes.
    pub error: Box<dyn Error + Send + Sync>,
    /// What to do next.
    pub advice: Option<String>,
    /// Where in what the operator wrote.
    pub at: Option<Box<Location>>,
    /// Everything that is wrong in a text, each with its place.
    pub diagnostics: Vec<Diagnostic>,
    /// The process whose end this is about.
    pub ended_process: Option<String>,
}

impl Fault {
    /// A fault that has only a message.
    pub fn new(kind: FaultKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            error: message.into().into(),
            advice: None,
            at: None,
            diagnostics: Vec::new(),
            ended_process: None,
        }
    }

    /// Wrong usage.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(FaultKind::Usage, message)
    }

    /// What is only possible at a terminal.
    pub fn needs_terminal(what: &str) -> Self {
        Self::new(FaultKind::Failed, format!("{what} needs a terminal"))
    }

    /// Adds everything that is wrong in a text; the first of it is the place, unless one is known already.
    #[must_use]
    pub fn with_diagnostics(mut self, diagnostics: Vec<Diagnostic>) -> Self {
        self.at = self.at.or_else(|| diagnostics.first().and_then(Diagnostic::location).map(Box::new));
        self.diagnostics.extend(diagnostics);
        self
    }

    /// Adds what to do next.
    #[must_use]
    pub fn with_advice(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }

    /// Adds the place, unless a closer one is known already.
    #[must_use]
    pub fn at(mut self, place: Location) -> Self {
        self.at.get_or_insert_with(|| Box::new(place));
        self
    }

    /// The same without what a text must not show, as `redacted` says where it is.
    #[must_use]
    pub fn without_secrets(self, redacted: impl Fn(&str) -> Option<String>) -> Self {
        let texts: Vec<String> = std::iter::once(self.to_string()).chain(self.causes()).collect();
        let advice = self.advice.map(|it| redacted(&it).unwrap_or(it));
        if texts.iter().all(|it| redacted(it).is_none()) {
            return Self { advice, ..self };
        }
        let chain = texts.into_iter().rev().fold(None, |source: Option<Box<RedactedError>>, text| {
            Some(Box::new(RedactedError { message: redacted(&text).unwrap_or(text), source }))
        });
        let error = chain.map_or(self.error, |it| it);
        Self { error, advice, ..self }
    }

    /// The causes below the message, outermost first.
    #[must_use]
    pub fn causes(&self) -> Vec<String> {
        let mut causes = Vec::new();
        let mut next = self.error.source();
        while let Some(cause) = next {
            causes.push(cause.to_string());
            next = cause.source();
        }
        causes
    }

    /// The message, its causes and the first thing that is wrong in a text, as one text.
    #[must_use]
    pub fn in_full(&self) -> String {
        let first = self.diagnostics.first().map(|it| match it.location() {
            Some(place) => format!("{place}: {}", it.title),
            None => it.title.clone(),
        });
        std::iter::once(self.to_string()).chain(self.causes()).chain(first).collect::<Vec<_>>().join(": ")
    }
}

/// An error of which only its texts are left.
#[derive(Debug)]
struct RedactedError {
    message: String,
    source: Option<Box<RedactedError>>,
}

impl fmt::Display for RedactedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for RedactedError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|it| it as _)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl<E: UserFacingError + Send + Sync + 'static> From<E> for Fault {
    fn from(error: E) -> Self {
        let (kind, advice, diagnostics) = (error.kind(), error.advice(), error.diagnostics());
        let at = error.location().map(Box::new);
        let ended_process = error.ended_process().map(str::to_owned);
        Self { kind, advice, at, error: Box::new(error), diagnostics: Vec::new(), ended_process }
            .with_diagnostics(diagnostics)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_counted_in_lines_and_characters() {
        let text = "one\nä bc d\nthree";
        let place = Location::of("f", text, &(7..9), 10);
        assert_eq!((place.to_string().as_str(), place.width, place.text.as_str()), ("f:11:3", 2, "ä bc d"));
        let end = Location::of("f", text, &(text.len()..text.len()), 1);
        assert_eq!((end.line, end.column, end.width), (3, 6, 1));
        assert_eq!(Location::of("f", text, &(0..99), 1).width, 3, "only the first line is marked");
        assert_eq!(Location::of("f", "", &(0..0), 1).column, 1);
    }

    #[test]
    fn every_kind_has_a_code_of_its_own() {
        let mut codes: Vec<u8> = FaultKind::ALL.iter().map(|row| row.0.code()).collect();
        let all = codes.len();
        codes.dedup();
        assert_eq!(codes.len(), all, "codes are sorted and unique");
        // `Terminated` is the last variant: the table holds every one.
        assert_eq!(FaultKind::ALL.len(), FaultKind::Terminated as usize + 1);
    }
}
