//! Resolving: what the expansions of a value become.
//!
//! Values of variables and paths are templates themselves and are resolved in turn, each once. What comes from the surroundings
//! and from secrets is data and is never looked into. Words are resolved only when they are needed.

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;
use std::rc::Rc;

use crate::base::diagnostic::Diagnostic;
use crate::base::fault;

use super::scope::{Found, Kind, Raw, Scope};
use super::template::{self, Action, DEEPEST, Expansion, Flaw, Operator, Part, Space, Template};

/// The longest result, in bytes.
pub const LARGEST: usize = 1 << 20;

/// All results of a file together, in bytes.
pub const LARGEST_ALL: usize = 16 << 20;

/// The most expansions of a file.
pub const MOST: usize = 10_000;

/// A resolved value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Value {
    /// Its text.
    pub text: String,
    /// Its kind; text unless the whole value is one typed thing.
    pub kind: Kind,
    /// A secret went into it.
    pub secret: bool,
}

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

/// A closing brace that closes nothing: the definition, and where in its text.
pub type Stray = (usize, usize);

/// Resolves the definitions of a scope, each once.
pub struct Resolver<'a> {
    scope: &'a Scope,
    known: HashMap<usize, Result<Rc<Value>, Trouble>>,
    /// What is being resolved now, and where in each.
    way: Vec<(usize, Range<usize>)>,
    count: usize,
    bytes: usize,
    /// Closing braces that close nothing, in what was resolved so far.
    pub strays: Vec<Stray>,
}

impl<'a> Resolver<'a> {
    /// Nothing is resolved yet.
    #[must_use]
    pub fn new(scope: &'a Scope) -> Self {
        Self { scope, known: HashMap::new(), way: Vec::new(), count: 0, bytes: 0, strays: Vec::new() }
    }

    /// The value of a definition.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong on the way, with the way.
    pub fn value(&mut self, id: usize) -> Result<Rc<Value>, Trouble> {
        if let Some(known) = self.known.get(&id) {
            return known.clone();
        }
        if let Some(begin) = self.way.iter().position(|(on_the_way, _)| *on_the_way == id) {
            let names = self.way[begin..].iter().map(|(id, _)| *id).chain([id]);
            let names = names.map(|id| self.scope.definitions[id].name.clone()).collect();
            return Err(self.trouble(Reason::Cycle(names), String::new()));
        }
        if self.way.len() >= DEEPEST {
            return Err(self.trouble(Reason::Depth, String::new()));
        }
        self.way.push((id, 0..0));
        let value = self.resolve(id).map(Rc::new);
        self.way.pop();
        // What lies on a cycle is judged again for each way into it.
        if !matches!(&value, Err(Trouble { reason: Reason::Cycle(_) | Reason::Depth, .. })) || self.way.is_empty() {
            self.known.insert(id, value.clone());
        }
        value
    }

    fn resolve(&mut self, id: usize) -> Result<Value, Trouble> {
        let scope = self.scope;
        let plain = |text: &str, kind| Ok(Value { text: text.to_owned(), kind, secret: false });
        match &scope.definitions[id].value {
            Raw::Plain(kind, text) => plain(text, *kind),
            Raw::Several(text) => plain(text, Kind::Several),
            Raw::Secret(name) => match scope.injected(name) {
                Found::Secret(text) => Ok(Value { text, kind: Kind::Text, secret: true }),
                _ => Err(self.trouble(Reason::SecretMissing(name.clone()), name.clone())),
            },
            Raw::Text(text) => {
                let template = template::parse(text).map_err(|flawed| {
                    self.at(&flawed.span);
                    self.trouble(Reason::Flaw(flawed.flaw), String::new())
                })?;
                self.strays.extend(template.strays.iter().map(|at| (id, *at)));
                match template.whole() {
                    Some(expansion) => Ok(self.expansion(expansion)?),
                    None => self.text(&template),
                }
            }
        }
    }

    fn text(&mut self, template: &Template) -> Result<Value, Trouble> {
        let mut value = Value { text: String::new(), kind: Kind::Text, secret: false };
        for part in &template.parts {
            match part {
                Part::Literal(text) => value.text.push_str(text),
                Part::Expansion(expansion) => {
                    let part = self.expansion(expansion)?;
                    if part.kind == Kind::Several {
                        self.at(&expansion.span);
                        return Err(self.trouble(Reason::Type, expansion.reference.name()));
                    }
                    value.text.push_str(&part.text);
                    value.secret |= part.secret;
                }
            }
            if value.text.len() > LARGEST {
                return Err(self.trouble(Reason::Size, String::new()));
            }
        }
        Ok(value)
    }

    fn expansion(&mut self, expansion: &Expansion) -> Result<Value, Trouble> {
        self.at(&expansion.span);
        self.count += 1;
        let name = || expansion.reference.name();
        if self.count > MOST {
            return Err(self.trouble(Reason::Size, name()));
        }
        let from = self.way.last().map_or(usize::MAX, |(id, _)| *id);
        let found = self.scope.find(&expansion.reference, from);
        let data = |text, secret| Some(Value { text, kind: Kind::Text, secret });
        let set = match &found {
            Found::Definition(id) => Some(self.value(*id)?.as_ref().clone()),
            Found::Data(text) => data(text.clone(), false),
            Found::Secret(text) => data(text.clone(), true),
            Found::Unset(_) | Found::Hermetic => None,
        };
        let value = match (&expansion.operation, set) {
            (None, Some(value)) => value,
            (None, None) => {
                let reason = match (found, expansion.reference.space) {
                    (Found::Hermetic, _) => Reason::Hermetic,
                    (_, Some(Space::Secret)) => Reason::SecretMissing(expansion.reference.path.join(".")),
                    (Found::Unset(near), Some(Space::Infra | Space::Host)) => Reason::NoSuchPath(near),
                    (Found::Unset(near), _) if expansion.reference.path.len() > 1 => Reason::NoSuchPath(near),
                    (Found::Unset(near), _) => Reason::Unset(near),
                    _ => Reason::Unset(None),
                };
                return Err(self.trouble(reason, name()));
            }
            (Some((operator, word)), set) => self.operation(*operator, word, set, expansion)?,
        };
        self.bytes += value.text.len();
        if value.text.len() > LARGEST || self.bytes > LARGEST_ALL {
            self.at(&expansion.span);
            return Err(self.trouble(Reason::Size, name()));
        }
        Ok(value)
    }

    fn operation(
        &mut self,
        operator: Operator,
        word: &Template,
        set: Option<Value>,
        expansion: &Expansion,
    ) -> Result<Value, Trouble> {
        let set = set.filter(|value| !(operator.empty_is_unset && value.text.is_empty()));
        match (operator.action, set) {
            (Action::Default | Action::Require, Some(value)) => Ok(value),
            (Action::Default, None) | (Action::Instead, Some(_)) => self.text(word),
            (Action::Instead, None) => Ok(Value { text: String::new(), kind: Kind::Text, secret: false }),
            (Action::Require, None) => {
                let message = self.text(word)?.text;
                self.at(&expansion.span);
                Err(self.trouble(Reason::Required(message), expansion.reference.name()))
            }
        }
    }

    fn at(&mut self, span: &Range<usize>) {
        if let Some((_, place)) = self.way.last_mut() {
            *place = span.clone();
        }
    }

    fn trouble(&self, reason: Reason, name: String) -> Trouble {
        Trouble { reason, name, way: self.way.clone() }
    }
}

impl Trouble {
    /// Where it is wrong, how that was reached, and what to do about it. Nothing of a secret is in it.
    #[must_use]
    pub fn diagnostic(&self, scope: &Scope) -> Diagnostic {
        let mut places = self.way.iter().rev().filter_map(|(id, part)| Some((*id, scope.place(*id, part)?)));
        let Some((_, (source, span))) = places.next() else {
            return crate::base::diagnostic::SourceText::new("value", "").error(self.to_string(), 0..0, "");
        };
        let label = if let Reason::Cycle(_) = self.reason { "here it begins again".to_owned() } else { String::new() };
        let mut diagnostic = scope.sources[source].error(format!("{self} ({})", self.reason.code()), span, label);
        for (id, (other, span)) in places {
            if other == source {
                diagnostic = diagnostic.and(span, format!("needed by `{}`", scope.definitions[id].name));
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
        }
    }
}
