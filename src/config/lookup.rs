//! What names mean while a value is resolved, and where the values are that have them.

use std::borrow::Cow;
use std::ops::Range;

use super::expand_error::{ExpandError, ExpandErrorKind};
use super::path::KeyPath;
use super::template::{Namespace, Reference};
use crate::base::diagnostic::{Diagnostic, SourceText};
use crate::base::sort::SortExt;
use crate::base::suggest::closest_match;

/// What a text of a definition becomes.
pub type Resolve<'r, V> = &'r mut dyn FnMut(&str) -> Result<V, ExpandError>;

/// A resolved value.
pub trait TemplateValue: Clone {
    /// A text.
    fn text(text: String) -> Self;

    /// Its form inside of a text; none if it is not one value.
    fn interpolated(&self) -> Option<Cow<'_, str>>;

    /// A secret went into it.
    fn is_secret(&self) -> bool {
        false
    }

    /// The same, and a secret went into it.
    #[must_use]
    fn into_secret(self) -> Self {
        self
    }
}

/// The result of a lookup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LookupResult<V> {
    /// A definition, to be resolved by itself.
    Definition(usize),
    /// A value that is taken as it is.
    Data(V),
    /// Nothing of that name.
    Unset,
    /// A variable of the shell, which is not used.
    Hermetic,
    /// It must not be asked for here, default or not.
    Refused(ExpandErrorKind),
}

/// What names mean. Definitions have numbers that the implementation chooses.
pub trait Lookup {
    /// What values are.
    type Value: TemplateValue;

    /// What a reference means, seen from a definition.
    fn find(&self, reference: &Reference, from: usize) -> LookupResult<Self::Value>;

    /// What may have been meant by a reference that does not exist. Used only for a message.
    fn suggest(&self, reference: &Reference) -> Option<String>;

    /// The value of a definition; `resolve` resolves each of its texts.
    ///
    /// # Errors
    ///
    /// As `resolve`, and for what cannot be had; the chain is filled in by the resolver.
    fn value(&self, id: usize, resolve: Resolve<Self::Value>) -> Result<Self::Value, ExpandError>;

    /// Whether a name that means nothing and has no default is empty, instead of an error.
    fn allows_unset(&self) -> bool {
        false
    }

    /// The name of a definition in messages.
    fn name(&self, id: usize) -> String;

    /// Where a part of a definition's text is.
    fn location(&self, id: usize, part: &Range<usize>) -> Option<(&SourceText, Range<usize>)>;
}

impl ExpandError {
    /// Where it is wrong, how that was reached, and what to do about it. Nothing of a secret is in it.
    #[must_use]
    pub fn diagnostic(&self, lookup: &impl Lookup) -> Diagnostic {
        let mut places = self.chain.iter().rev().filter_map(|(id, part)| Some((*id, lookup.location(*id, part)?)));
        let Some((_, (source, span))) = places.next() else {
            return SourceText::new("value", "").error(self.to_string(), 0..0, "");
        };
        let label = if let ExpandErrorKind::Cycle(_) = self.reason {
            "the cycle closes here".to_owned()
        } else {
            String::new()
        };
        let mut diagnostic = source.error(format!("{self} ({})", self.reason.code()), span, label);
        for (id, (other, span)) in places {
            if other.name == source.name {
                diagnostic = diagnostic.with_label(span, format!("needed by `{}`", lookup.name(id)));
            }
        }
        match self.advice() {
            Some(advice) => diagnostic.help(advice),
            None => diagnostic,
        }
    }
}

/// The path of a reference in the file: that of `infra:` and `host:` begins with the name of their table.
#[must_use]
pub fn key_path(reference: &Reference) -> KeyPath {
    let table = match reference.namespace {
        Some(Namespace::Infra) => Some("infrastructure"),
        Some(Namespace::Host) => Some("hosts"),
        _ => None,
    };
    KeyPath::new(table.into_iter().chain(reference.path.iter().copied()).map(str::to_owned).collect())
}

/// The path most like one that does not exist, without quotes.
#[must_use]
pub fn suggest_path<'a>(wanted: &KeyPath, known: impl Iterator<Item = &'a KeyPath>) -> Option<String> {
    let (wanted, mut known) = (wanted.keys().join("."), known.map(|path| path.keys().join(".")).collect::<Vec<_>>());
    known.order();
    closest_match(&wanted, known.iter().map(String::as_str)).filter(|near| *near != wanted).map(str::to_owned)
}

/// Where a part of a value is in its source; the whole value, `span`, where that is unclear.
#[must_use]
pub fn part_of(source: &SourceText, span: &Range<usize>, text: &str, part: &Range<usize>) -> Range<usize> {
    let written = source.text.get(span.clone()).unwrap_or_default();
    let inner = source_range(written, text, part).map(|inner| span.start + inner.start..span.start + inner.end);
    inner.unwrap_or_else(|| span.clone())
}

/// Where a part of a text is in what was written for it, which may have quotes and escapes; none where that is unclear.
fn source_range(written: &str, text: &str, part: &Range<usize>) -> Option<Range<usize>> {
    let wanted = text.get(part.clone())?;
    let begin = match written.find(text) {
        Some(begin) if !text.is_empty() => begin + part.start,
        _ => written.find(wanted).filter(|_| !wanted.is_empty())?,
    };
    Some(begin..begin + wanted.len())
}
