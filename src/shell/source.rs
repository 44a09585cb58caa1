//! Sources of commands and locations in them.

use std::ops::Range;

use crate::base::fault::{Fault, Location};
use crate::report::Console;

use super::history::redact_line;
use super::outcome::LineOutcome;

/// The kind of source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScriptOrigin {
    /// Typed at the prompt.
    Prompt,
    /// After `-c`.
    Option,
    /// A script, by the name it was called with.
    File(String),
    /// Standard input.
    Stdin,
    /// The words of a command line, already split.
    Words,
    /// The line of an alias or of `watch`.
    Nested {
        /// What runs it.
        name: String,
        /// True if that was typed at the prompt.
        is_typed: bool,
    },
}

impl ScriptOrigin {
    /// The name in `file:line:col`.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Prompt => "prompt",
            Self::Option => "-c",
            Self::File(name) | Self::Nested { name, .. } => name,
            Self::Stdin => "stdin",
            Self::Words => "",
        }
    }

    /// True for a line of the prompt, also where an alias or `watch` runs it.
    #[must_use]
    pub fn is_typed(&self) -> bool {
        matches!(self, Self::Prompt | Self::Nested { is_typed: true, .. })
    }

    /// The line of an alias or of `watch`; what runs it says whether that was typed ([`Self::within`]).
    #[must_use]
    pub(super) fn nested(name: &str) -> Self {
        Self::Nested { name: name.to_owned(), is_typed: false }
    }

    /// The same inside of a line from elsewhere.
    #[must_use]
    pub(super) fn within(&self, outer: &Self) -> Self {
        match self {
            Self::Nested { name, .. } => Self::Nested { name: name.clone(), is_typed: outer.is_typed() },
            other => other.clone(),
        }
    }

    /// True for sources with lines that are not visible while they run.
    #[must_use]
    pub fn is_script(&self) -> bool {
        matches!(self, Self::File(_) | Self::Stdin)
    }
}

/// A text of commands.
#[derive(Debug, Clone, Copy)]
pub struct ScriptText<'a> {
    /// Where it comes from.
    pub origin: &'a ScriptOrigin,
    /// The text.
    pub text: &'a str,
    /// The number of its first line.
    pub first_line: usize,
}

impl ScriptText<'_> {
    /// The location of a span. A line with a secret is shown with it masked and underlined as a whole.
    #[must_use]
    pub fn location(&self, span: &Range<usize>) -> Option<Location> {
        if *self.origin == ScriptOrigin::Words {
            return None;
        }
        let mut place = Location::of(self.origin.name(), self.text, span, self.first_line);
        let shown = redact_line(&place.text).unwrap_or_default();
        if shown != place.text {
            let begin = shown.len() - shown.trim_start().len();
            (place.column, place.width) = (begin + 1, shown.trim().chars().count());
            place.text = shown;
        }
        Some(place)
    }
}

/// Which faults get a location.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum LocationPolicy {
    /// All: in a script it is not visible otherwise which line failed.
    All,
    /// Only those about one word.
    Words,
}

/// The statement that is being run, and its position.
#[derive(Clone, Copy)]
pub(super) struct Position<'a> {
    pub source: ScriptText<'a>,
    pub policy: LocationPolicy,
    pub statement: &'a Range<usize>,
}

impl Position<'_> {
    /// Shows a fault with the location of a span, or of the statement.
    pub(super) fn report_fault(
        &self,
        console: &mut dyn Console,
        fault: Fault,
        span: Option<&Range<usize>>,
    ) -> LineOutcome {
        let fault = match self.location(span) {
            Some(location) => fault.at(location),
            None => fault,
        };
        console.error(&fault);
        LineOutcome::of(fault.kind)
    }

    /// The location of a span, or of the statement if all faults get one.
    pub(super) fn location(&self, span: Option<&Range<usize>>) -> Option<Location> {
        match span {
            Some(span) => self.source.location(span),
            None if self.policy == LocationPolicy::All => self.source.location(self.statement),
            None => None,
        }
    }
}
