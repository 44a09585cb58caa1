//! Why a value cannot be resolved: in words, with the way to it and what to do next.

use std::fmt;
use std::ops::Range;

use super::diagnostic::{Diagnostic, SourceText};
use super::expand::{LARGEST, Lookup, MOST};
use super::fault;
use super::template::{DEEPEST, Flaw};

/// Why a value cannot be resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// The text makes no sense.
    Flaw(Flaw),
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

impl Reason {
    /// The word under which it is listed.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Flaw(Flaw::Unterminated) => "E-UNTERMINATED",
            Self::Flaw(Flaw::EmptyName) => "E-EMPTY-NAME",
            Self::Flaw(Flaw::BadName) => "E-BAD-NAME",
            Self::Flaw(Flaw::BadOperator) => "E-BAD-OP",
            Self::Flaw(Flaw::TooDeep) | Self::Depth => "E-DEPTH",
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
pub struct Trouble {
    /// Why.
    pub reason: Reason,
    /// What the expansion refers to.
    pub name: String,
    /// The definitions on the way and where in each, innermost last; never empty.
    pub way: Vec<(usize, Range<usize>)>,
}

impl Trouble {
    /// Where it is wrong, how that was reached, and what to do about it. Nothing of a secret is in it.
    #[must_use]
    pub fn diagnostic(&self, lookup: &impl Lookup) -> Diagnostic {
        let mut places = self.way.iter().rev().filter_map(|(id, part)| Some((*id, lookup.place(*id, part)?)));
        let Some((_, (source, span))) = places.next() else {
            return SourceText::new("value", "").error(self.to_string(), 0..0, "");
        };
        let label = if let Reason::Cycle(_) = self.reason { "here it begins again".to_owned() } else { String::new() };
        let mut diagnostic = source.error(format!("{self} ({})", self.reason.code()), span, label);
        for (id, (other, span)) in places {
            if other.name == source.name {
                diagnostic = diagnostic.and(span, format!("needed by `{}`", lookup.name(id)));
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
            Reason::Unset(Some(near)) | Reason::NoSuchPath(Some(near)) => format!("did you mean `${{{near}}}`?"),
            Reason::Unset(None) => format!("define `{name}`, or give a default: `${{{name}:-…}}`"),
            Reason::NoSuchPath(None) => format!("add it to the file, or give a default: `${{{name}:-…}}`"),
            Reason::Flaw(Flaw::Unterminated) => {
                "add the `}`; a single brace cannot stand in a word, put it into a variable".to_owned()
            }
            Reason::Flaw(Flaw::BadName) => {
                "a name is letters, digits and `_`, without spaces; other keys stand in double quotes".to_owned()
            }
            Reason::Flaw(Flaw::BadOperator) => "an operator is one of :- - :? ? :+ +".to_owned(),
            Reason::Flaw(Flaw::EmptyName) => "write the name, or `$${` for the two characters themselves".to_owned(),
            Reason::Flaw(Flaw::TooDeep) | Reason::Depth => format!("{DEEPEST} levels are the most"),
            Reason::Cycle(_) => "give one of them a value of its own".to_owned(),
            Reason::Size => format!("{LARGEST} bytes a value and {MOST} expansions a file are the most"),
            Reason::Type => "refer to one of its values".to_owned(),
            Reason::Hermetic => format!("the surroundings do not count here; define `{name}` in the file"),
            Reason::SecretMissing(key) => format!("`secrets set` keeps it: secrets set ENV {key}"),
            Reason::SecretInToml => {
                "secrets stand in secrets/*.env only; a service gets them when it is started".to_owned()
            }
            Reason::Required(_) => return None,
        })
    }

    /// The kind of the failure.
    #[must_use]
    pub fn kind(&self) -> fault::Kind {
        if matches!(self.reason, Reason::SecretMissing(_)) { fault::Kind::SecretMissing } else { fault::Kind::Failed }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.name;
        match &self.reason {
            Reason::Flaw(Flaw::Unterminated) => f.write_str("this `${` is not closed"),
            Reason::Flaw(Flaw::EmptyName) => f.write_str("there is no name between the braces"),
            Reason::Flaw(Flaw::BadName) => f.write_str("this is no name"),
            Reason::Flaw(Flaw::BadOperator) => f.write_str("this is no operator"),
            Reason::Flaw(Flaw::TooDeep) => f.write_str("too many expansions stand in each other"),
            Reason::Unset(_) => write!(f, "`{name}` is not set"),
            Reason::NoSuchPath(_) => write!(f, "there is no `{name}`"),
            Reason::Required(message) if message.is_empty() => write!(f, "`{name}` is required"),
            Reason::Required(message) => write!(f, "`{name}` is required: {message}"),
            Reason::Cycle(names) => write!(f, "the value needs itself: {}", names.join(" -> ")),
            Reason::Depth => f.write_str("too many values refer to each other in a row"),
            Reason::Size => f.write_str("the result is too large"),
            Reason::Type => write!(f, "`{name}` is not one value and cannot stand inside a text"),
            Reason::Hermetic => write!(f, "`{name}` is known to the surroundings only"),
            Reason::SecretMissing(key) => write!(f, "the secret `{key}` is missing"),
            Reason::SecretInToml => f.write_str("a secret would be written into TOML"),
        }
    }
}
