//! Why a value cannot be resolved: in words, with the way to it and what to do next.

use std::fmt;
use std::ops::Range;

use super::diagnostic::{Diagnostic, SourceText};
use super::expand::{Lookup, MAX_EXPANSIONS, MAX_VALUE_BYTES};
use super::fault;
use super::template::{MAX_DEPTH, TemplateErrorKind};

/// Why a value cannot be resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExpandErrorKind {
    /// The text makes no sense.
    Flaw(TemplateErrorKind),
    /// Nothing of that name, and no default. What may have been meant.
    Unset(Option<String>),
    /// No such path in the file. What may have been meant.
    NoSuchPath(Option<String>),
    /// `?` says why.
    Required(String),
    /// It needs itself: the names on the way.
    Cycle(Vec<String>),
    /// Too many steps from one value to the next.
    Depth,
    /// The result is too long, or there are too many.
    Size,
    /// An array or table inside a text.
    Type,
    /// Only the surroundings know it.
    Hermetic,
    /// There is no such secret.
    SecretMissing(String),
    /// A secret would be written where everybody can read it.
    SecretInToml,
}

impl ExpandErrorKind {
    /// The word under which it is listed.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Flaw(TemplateErrorKind::Unterminated) => "E-UNTERMINATED",
            Self::Flaw(TemplateErrorKind::EmptyName) => "E-EMPTY-NAME",
            Self::Flaw(TemplateErrorKind::InvalidName) => "E-BAD-NAME",
            Self::Flaw(TemplateErrorKind::InvalidOperator) => "E-BAD-OP",
            Self::Flaw(TemplateErrorKind::TooDeep) | Self::Depth => "E-DEPTH",
            Self::Unset(_) => "E-UNSET",
            Self::NoSuchPath(_) => "E-NO-SUCH-PATH",
            Self::Required(_) => "E-REQUIRED",
            Self::Cycle(_) => "E-CYCLE",
            Self::Size => "E-SIZE",
            Self::Type => "E-TYPE",
            Self::Hermetic => "E-HERMETIC",
            Self::SecretMissing(_) => "E-SECRET-MISSING",
            Self::SecretInToml => "E-SECRET-IN-TOML",
        }
    }
}

/// A value that cannot be resolved, with the way to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpandError {
    /// Why.
    pub reason: ExpandErrorKind,
    /// What the expansion refers to.
    pub name: String,
    /// The definitions on the way and where in each, innermost last; never empty.
    pub chain: Vec<(usize, Range<usize>)>,
}

impl ExpandError {
    /// Where it is wrong, how that was reached, and what to do about it. Nothing of a secret is in it.
    #[must_use]
    pub fn diagnostic(&self, lookup: &impl Lookup) -> Diagnostic {
        let mut places = self.chain.iter().rev().filter_map(|(id, part)| Some((*id, lookup.location(*id, part)?)));
        let Some((_, (source, span))) = places.next() else {
            return SourceText::new("value", "").error(self.to_string(), 0..0, "");
        };
        let label =
            if let ExpandErrorKind::Cycle(_) = self.reason { "here it begins again".to_owned() } else { String::new() };
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

    /// What to do next.
    #[must_use]
    pub fn advice(&self) -> Option<String> {
        let name = &self.name;
        Some(match &self.reason {
            ExpandErrorKind::Unset(Some(near)) | ExpandErrorKind::NoSuchPath(Some(near)) => {
                format!("did you mean `${{{near}}}`?")
            }
            ExpandErrorKind::Unset(None) => format!("define `{name}`, or give a default: `${{{name}:-…}}`"),
            ExpandErrorKind::NoSuchPath(None) => format!("add it to the file, or give a default: `${{{name}:-…}}`"),
            ExpandErrorKind::Flaw(TemplateErrorKind::Unterminated) => {
                "add the `}`; a single brace cannot stand in a word, put it into a variable".to_owned()
            }
            ExpandErrorKind::Flaw(TemplateErrorKind::InvalidName) => {
                "a name is letters, digits and `_`, without spaces; other keys stand in double quotes".to_owned()
            }
            ExpandErrorKind::Flaw(TemplateErrorKind::InvalidOperator) => {
                "an operator is one of :- - :? ? :+ +".to_owned()
            }
            ExpandErrorKind::Flaw(TemplateErrorKind::EmptyName) => {
                "write the name, or `$${` for the two characters themselves".to_owned()
            }
            ExpandErrorKind::Flaw(TemplateErrorKind::TooDeep) | ExpandErrorKind::Depth => {
                format!("{MAX_DEPTH} levels are the most")
            }
            ExpandErrorKind::Cycle(_) => "give one of them a value of its own".to_owned(),
            ExpandErrorKind::Size => {
                format!("{MAX_VALUE_BYTES} bytes a value and {MAX_EXPANSIONS} expansions a file are the most")
            }
            ExpandErrorKind::Type => "refer to one of its values".to_owned(),
            ExpandErrorKind::Hermetic => format!("the surroundings do not count here; define `{name}` in the file"),
            ExpandErrorKind::SecretMissing(key) => format!("`secrets set` keeps it: secrets set ENV {key}"),
            ExpandErrorKind::SecretInToml => {
                "secrets stand in secrets/*.env only; a service gets them when it is started".to_owned()
            }
            ExpandErrorKind::Required(_) => return None,
        })
    }

    /// The kind of the failure.
    #[must_use]
    pub fn kind(&self) -> fault::FaultKind {
        if matches!(self.reason, ExpandErrorKind::SecretMissing(_)) {
            fault::FaultKind::SecretMissing
        } else {
            fault::FaultKind::Failed
        }
    }
}

impl fmt::Display for ExpandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.name;
        match &self.reason {
            ExpandErrorKind::Flaw(TemplateErrorKind::Unterminated) => f.write_str("this `${` is not closed"),
            ExpandErrorKind::Flaw(TemplateErrorKind::EmptyName) => f.write_str("there is no name between the braces"),
            ExpandErrorKind::Flaw(TemplateErrorKind::InvalidName) => f.write_str("this is no name"),
            ExpandErrorKind::Flaw(TemplateErrorKind::InvalidOperator) => f.write_str("this is no operator"),
            ExpandErrorKind::Flaw(TemplateErrorKind::TooDeep) => f.write_str("too many expansions stand in each other"),
            ExpandErrorKind::Unset(_) => write!(f, "`{name}` is not set"),
            ExpandErrorKind::NoSuchPath(_) => write!(f, "there is no `{name}`"),
            ExpandErrorKind::Required(message) if message.is_empty() => write!(f, "`{name}` is required"),
            ExpandErrorKind::Required(message) => write!(f, "`{name}` is required: {message}"),
            ExpandErrorKind::Cycle(names) => write!(f, "the value needs itself: {}", names.join(" -> ")),
            ExpandErrorKind::Depth => f.write_str("too many values refer to each other in a row"),
            ExpandErrorKind::Size => f.write_str("the result is too large"),
            ExpandErrorKind::Type => write!(f, "`{name}` is not one value and cannot stand inside a text"),
            ExpandErrorKind::Hermetic => write!(f, "`{name}` is known to the surroundings only"),
            ExpandErrorKind::SecretMissing(key) => write!(f, "the secret `{key}` is missing"),
            ExpandErrorKind::SecretInToml => f.write_str("a secret would be written into TOML"),
        }
    }
}
