//! Why a value cannot be resolved: in words, with the chain of definitions that led to it and what to do next.

use std::fmt;
use std::ops::Range;

use super::template::{MAX_DEPTH, MAX_EXPANSIONS, MAX_VALUE_BYTES, TemplateErrorKind};

/// Why a value cannot be resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExpandErrorKind {
    /// The text is invalid.
    Flaw(TemplateErrorKind),
    /// Nothing of that name, and no default. What may have been meant.
    Unset(Option<String>),
    /// No such path in the file. What may have been meant.
    NoSuchPath(Option<String>),
    /// `?` says why.
    Required(String),
    /// It refers to itself: the names of the cycle.
    Cycle(Vec<String>),
    /// Too many steps from one value to the next.
    Depth,
    /// The result is too long, or there are too many.
    Size,
    /// An array or table inside a text.
    Type,
    /// It is a variable of the shell, which is not used.
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

/// A value that cannot be resolved, with the chain of definitions that led to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpandError {
    /// Why.
    pub reason: ExpandErrorKind,
    /// What the expansion refers to.
    pub name: String,
    /// The chain of definitions and the place in each, innermost last; never empty.
    pub chain: Vec<(usize, Range<usize>)>,
}

impl ExpandError {
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
                "add the `}`; a word cannot contain a single brace, put it into a variable".to_owned()
            }
            ExpandErrorKind::Flaw(TemplateErrorKind::InvalidName) => {
                "a name consists of letters, digits and `_`; put other keys in double quotes".to_owned()
            }
            ExpandErrorKind::Flaw(TemplateErrorKind::InvalidOperator) => {
                "an operator is one of :- - :? ? :+ +".to_owned()
            }
            ExpandErrorKind::Flaw(TemplateErrorKind::EmptyName) => {
                "write the name, or `$${` for the two characters themselves".to_owned()
            }
            ExpandErrorKind::Flaw(TemplateErrorKind::TooDeep) | ExpandErrorKind::Depth => {
                format!("at most {MAX_DEPTH} levels")
            }
            ExpandErrorKind::Cycle(_) => "give one of them a literal value".to_owned(),
            ExpandErrorKind::Size => {
                format!("at most {MAX_VALUE_BYTES} bytes a value and {MAX_EXPANSIONS} expansions a file")
            }
            ExpandErrorKind::Type => "refer to one of its values".to_owned(),
            ExpandErrorKind::Hermetic => {
                format!("define `{name}` in the file: variables of the shell are not used here")
            }
            ExpandErrorKind::SecretMissing(key) => format!("store it with `secrets set ENV {key}`"),
            ExpandErrorKind::SecretInToml => {
                "secrets are stored in secrets/*.env only; a service gets them when it is started".to_owned()
            }
            ExpandErrorKind::Required(_) => return None,
        })
    }
}

impl fmt::Display for ExpandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.name;
        match &self.reason {
            ExpandErrorKind::Flaw(TemplateErrorKind::Unterminated) => f.write_str("unclosed `${`"),
            ExpandErrorKind::Flaw(TemplateErrorKind::EmptyName) => f.write_str("missing name between the braces"),
            ExpandErrorKind::Flaw(TemplateErrorKind::InvalidName) => f.write_str("invalid name"),
            ExpandErrorKind::Flaw(TemplateErrorKind::InvalidOperator) => f.write_str("invalid operator"),
            ExpandErrorKind::Flaw(TemplateErrorKind::TooDeep) => f.write_str("expansions nested too deeply"),
            ExpandErrorKind::Unset(_) => write!(f, "`{name}` is not set"),
            ExpandErrorKind::NoSuchPath(_) => write!(f, "`{name}` does not exist"),
            ExpandErrorKind::Required(message) if message.is_empty() => write!(f, "`{name}` is required"),
            ExpandErrorKind::Required(message) => write!(f, "`{name}` is required: {message}"),
            ExpandErrorKind::Cycle(names) => write!(f, "the value refers to itself: {}", names.join(" -> ")),
            ExpandErrorKind::Depth => f.write_str("too many levels of references"),
            ExpandErrorKind::Size => f.write_str("the result is too large"),
            ExpandErrorKind::Type => write!(f, "`{name}` is an array or a table and cannot be part of a string"),
            ExpandErrorKind::Hermetic => write!(f, "`{name}` is only a variable of the shell, which is not used here"),
            ExpandErrorKind::SecretMissing(key) => write!(f, "the secret `{key}` is missing"),
            ExpandErrorKind::SecretInToml => f.write_str("a secret cannot be written into TOML"),
        }
    }
}
