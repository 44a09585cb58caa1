//! What is wrong with a text, as a value: what, where, why, what next. Shown like a compiler shows it.

use std::ops::Range;
use std::sync::Arc;

use super::location::Location;

/// One error in a text file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// What is wrong; lower case, one line.
    pub title: String,
    /// How bad it is.
    pub severity: Severity,
    /// The file, or how else to call the text.
    pub file: String,
    /// The whole text that the spans point into. Shared by all that was found in it.
    pub source: Arc<str>,
    /// The places; the first one is where it is wrong, further ones say what it has to do with.
    pub labels: Vec<Label>,
    /// What to do next.
    pub help: Option<String>,
}

/// How bad something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Worth a look; nothing is refused for it.
    Warning,
    /// Keeps the work from being done.
    Error,
}

/// A marked part of the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// In bytes of the source.
    pub span: Range<usize>,
    /// What is said about it; may be empty.
    pub text: String,
}

/// A text and how it is called, to point into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceText {
    /// The file, or how else to call the text.
    pub name: String,
    /// The text.
    pub text: Arc<str>,
}

impl SourceText {
    /// A text with its name.
    pub fn new(name: impl Into<String>, text: impl Into<Arc<str>>) -> Self {
        Self { name: name.into(), text: text.into() }
    }

    /// A mistake at `span` (in bytes).
    pub fn error(&self, title: impl Into<String>, span: Range<usize>, label: impl Into<String>) -> Diagnostic {
        Diagnostic {
            title: title.into(),
            severity: Severity::Error,
            file: self.name.clone(),
            source: Arc::clone(&self.text),
            labels: vec![Label { span, text: label.into() }],
            help: None,
        }
    }

    /// Something at `span` (in bytes) that is worth a look.
    pub fn warning(&self, title: impl Into<String>, span: Range<usize>, label: impl Into<String>) -> Diagnostic {
        Diagnostic { severity: Severity::Warning, ..self.error(title, span, label) }
    }

    /// The place of `span` (in bytes).
    #[must_use]
    pub fn location(&self, span: &Range<usize>) -> Location {
        Location::of(&self.name, &self.text, span, 1)
    }
}

impl Diagnostic {
    /// Adds a further place.
    #[must_use]
    pub fn with_label(mut self, span: Range<usize>, text: impl Into<String>) -> Self {
        self.labels.push(Label { span, text: text.into() });
        self
    }

    /// Adds what to do next.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The place of a label.
    #[must_use]
    pub fn location_of(&self, label: &Label) -> Location {
        Location::of(&self.file, &self.source, &label.span, 1)
    }

    /// Where it is wrong; none if nothing is marked.
    #[must_use]
    pub fn location(&self) -> Option<Location> {
        self.labels.first().map(|label| self.location_of(label))
    }
}
