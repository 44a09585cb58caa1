//! Where a text of commands comes from, and so how places in it are called.

use std::ops::Range;

use crate::base::fault::Place;

use super::history::without_secrets;

/// The way in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Typed at the prompt.
    Prompt,
    /// After `-c`.
    Option,
    /// A script, as the operator calls it.
    File(String),
    /// The standard input.
    Input,
    /// Words of a command line, split by somebody else.
    Words,
    /// A line with a name of its own, or one that is repeated.
    Inner(String),
}

impl Origin {
    /// The name in `file:line:col`.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Prompt => "prompt",
            Self::Option => "-c",
            Self::File(name) | Self::Inner(name) => name,
            Self::Input => "stdin",
            Self::Words => "",
        }
    }

    /// True for texts of which one does not see which line is being run.
    #[must_use]
    pub fn is_script(&self) -> bool {
        matches!(self, Self::File(_) | Self::Input)
    }
}

/// A text of commands.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// Where it comes from.
    pub origin: &'a Origin,
    /// The text.
    pub text: &'a str,
    /// The number of its first line.
    pub first_line: usize,
}

impl Source<'_> {
    /// The place of a span of it. A line with a secret is shown without it and marked as a whole.
    #[must_use]
    pub fn place(&self, span: &Range<usize>) -> Option<Place> {
        if *self.origin == Origin::Words {
            return None;
        }
        let mut place = Place::of(self.origin.name(), self.text, span, self.first_line);
        let shown = without_secrets(&place.text).unwrap_or_default();
        if shown != place.text {
            let begin = shown.len() - shown.trim_start().len();
            (place.column, place.width) = (begin + 1, shown.trim().chars().count());
            place.text = shown;
        }
        Some(place)
    }
}
