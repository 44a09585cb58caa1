//! Resolving: what the expansions of a value become, whatever names mean and values are.
//!
//! Definitions are templates themselves and are resolved in turn, each once. What comes from elsewhere (the surroundings,
//! secrets) is data and is never looked into. Words are resolved only when they are needed.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;
use std::rc::Rc;

use super::diagnostic::SourceText;
use super::template::{self, Action, DEEPEST, Expansion, Operator, Part, Reference, Space, Template};
use super::trouble::{Reason, Trouble};

/// The longest result, in bytes.
pub const LARGEST: usize = 1 << 20;

/// All results of a file together, in bytes.
pub const LARGEST_ALL: usize = 16 << 20;

/// The most expansions of a file.
pub const MOST: usize = 10_000;

/// A closing brace that closes nothing: the definition, and where in its text.
pub type Stray = (usize, usize);

/// What a text of a definition becomes.
pub type Resolve<'r, V> = &'r mut dyn FnMut(&str) -> Result<V, Trouble>;

/// A resolved value.
pub trait Value: Clone {
    /// A text.
    fn text(text: String) -> Self;

    /// How it stands inside of a text; none if it is not one value.
    fn inside(&self) -> Option<Cow<'_, str>>;

    /// A secret went into it.
    fn is_secret(&self) -> bool {
        false
    }

    /// The same, and a secret went into it.
    #[must_use]
    fn hidden(self) -> Self {
        self
    }
}

/// What a reference leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found<V> {
    /// A definition, to be resolved by itself.
    Definition(usize),
    /// A value that is taken as it is.
    Data(V),
    /// Nothing of that name.
    Unset,
    /// Only the surroundings know it, and they do not count.
    Hermetic,
    /// It must not be asked for here, default or not.
    Refused(Reason),
}

/// What names mean. Definitions are called by numbers that the implementation chooses.
pub trait Lookup {
    /// What values are.
    type Value: Value;

    /// What a reference means, seen from a definition.
    fn find(&self, reference: &Reference, from: usize) -> Found<Self::Value>;

    /// What may have been meant by a reference that leads to nothing. Asked only for a message.
    fn near(&self, reference: &Reference) -> Option<String>;

    /// The value of a definition; `resolve` tells what each of its texts becomes.
    ///
    /// # Errors
    ///
    /// As `resolve`, and for what cannot be had; the way is filled in by the resolver.
    fn value(&self, id: usize, resolve: Resolve<Self::Value>) -> Result<Self::Value, Trouble>;

    /// Whether a name that means nothing and has no default is empty, and no mistake.
    fn lets_unset_pass(&self) -> bool {
        false
    }

    /// How messages call a definition.
    fn name(&self, id: usize) -> String;

    /// Where a part of a definition's text stands.
    fn place(&self, id: usize, part: &Range<usize>) -> Option<(&SourceText, Range<usize>)>;
}

/// Resolves definitions, each once.
pub struct Resolver<'a, L: Lookup> {
    lookup: &'a L,
    known: HashMap<usize, Result<Rc<L::Value>, Trouble>>,
    /// What is being resolved now, and where in each.
    way: Vec<(usize, Range<usize>)>,
    count: usize,
    bytes: usize,
    /// Closing braces that close nothing, in what was resolved so far.
    pub strays: Vec<Stray>,
    /// What meant nothing and was let pass.
    pub passed: Vec<Trouble>,
}

impl<'a, L: Lookup> Resolver<'a, L> {
    /// Nothing is resolved yet.
    #[must_use]
    pub fn new(lookup: &'a L) -> Self {
        Self {
            lookup,
            known: HashMap::new(),
            way: Vec::new(),
            count: 0,
            bytes: 0,
            strays: Vec::new(),
            passed: Vec::new(),
        }
    }

    /// The value of a definition.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong on the way, with the way.
    pub fn value(&mut self, id: usize) -> Result<Rc<L::Value>, Trouble> {
        if let Some(known) = self.known.get(&id) {
            return known.clone();
        }
        if let Some(begin) = self.way.iter().position(|(on_the_way, _)| *on_the_way == id) {
            let names = self.way[begin..].iter().map(|(id, _)| *id).chain([id]);
            let names = names.map(|id| self.lookup.name(id)).collect();
            return Err(self.trouble(Reason::Cycle(names), String::new()));
        }
        if self.way.len() >= DEEPEST {
            return Err(self.trouble(Reason::Depth, String::new()));
        }
        self.way.push((id, 0..0));
        let lookup = self.lookup;
        let value = lookup.value(id, &mut |text| self.text(id, text)).map(Rc::new).map_err(|mut trouble| {
            if trouble.way.is_empty() {
                trouble.way.clone_from(&self.way);
            }
            trouble
        });
        self.way.pop();
        // What lies on a cycle is judged again for each way into it.
        if !matches!(&value, Err(Trouble { reason: Reason::Cycle(_) | Reason::Depth, .. })) || self.way.is_empty() {
            self.known.insert(id, value.clone());
        }
        value
    }

    /// One of the texts of a definition.
    fn text(&mut self, id: usize, text: &str) -> Result<L::Value, Trouble> {
        let template = template::parse(text).map_err(|flawed| {
            self.at(&flawed.span);
            self.trouble(Reason::Flaw(flawed.flaw), String::new())
        })?;
        self.strays.extend(template.strays.iter().map(|at| (id, *at)));
        match template.whole() {
            Some(expansion) => self.expansion(expansion),
            None => self.template(&template),
        }
    }

    fn template(&mut self, template: &Template) -> Result<L::Value, Trouble> {
        let mut text = String::new();
        let mut secret = false;
        for part in &template.parts {
            match part {
                Part::Literal(literal) => text.push_str(literal),
                Part::Expansion(expansion) => {
                    let part = self.expansion(expansion)?;
                    let Some(inside) = part.inside() else {
                        self.at(&expansion.span);
                        return Err(self.trouble(Reason::Type, expansion.reference.name()));
                    };
                    text.push_str(&inside);
                    secret |= part.is_secret();
                }
            }
            if text.len() > LARGEST {
                return Err(self.trouble(Reason::Size, String::new()));
            }
        }
        let value = L::Value::text(text);
        Ok(if secret { value.hidden() } else { value })
    }

    fn expansion(&mut self, expansion: &Expansion) -> Result<L::Value, Trouble> {
        self.at(&expansion.span);
        self.count += 1;
        let name = || expansion.reference.name();
        if self.count > MOST {
            return Err(self.trouble(Reason::Size, name()));
        }
        let from = self.way.last().map_or(usize::MAX, |(id, _)| *id);
        let found = self.lookup.find(&expansion.reference, from);
        let hermetic = matches!(found, Found::Hermetic);
        let set = match found {
            Found::Definition(id) => Some(self.value(id)?.as_ref().clone()),
            Found::Data(value) => Some(value),
            Found::Unset | Found::Hermetic => None,
            Found::Refused(reason) => return Err(self.trouble(reason, name())),
        };
        let value = match (&expansion.operation, set) {
            (None, Some(value)) => value,
            (None, None) if hermetic => return Err(self.trouble(Reason::Hermetic, name())),
            (None, None) => self.nothing(&expansion.reference)?,
            (Some((operator, word)), set) => self.operation((*operator, word), set, expansion)?,
        };
        let length = value.inside().map_or(0, |text| text.len());
        self.bytes += length;
        if length > LARGEST || self.bytes > LARGEST_ALL {
            self.at(&expansion.span);
            return Err(self.trouble(Reason::Size, name()));
        }
        Ok(value)
    }

    fn operation(
        &mut self,
        (operator, word): (Operator, &Template),
        set: Option<L::Value>,
        expansion: &Expansion,
    ) -> Result<L::Value, Trouble> {
        let is_empty = |value: &L::Value| value.inside().is_some_and(|text| text.is_empty());
        let set = set.filter(|value| !(operator.empty_is_unset && is_empty(value)));
        match (operator.action, set) {
            (Action::Default | Action::Require, Some(value)) => Ok(value),
            (Action::Default, None) | (Action::Instead, Some(_)) => self.template(word),
            (Action::Instead, None) => Ok(L::Value::text(String::new())),
            (Action::Require, None) => {
                let message = self.template(word)?;
                let shown = message.inside().filter(|_| !message.is_secret());
                let message = shown.map(Cow::into_owned).unwrap_or_default();
                self.at(&expansion.span);
                Err(self.trouble(Reason::Required(message), expansion.reference.name()))
            }
        }
    }

    /// A name that means nothing and has no default.
    fn nothing(&mut self, reference: &Reference) -> Result<L::Value, Trouble> {
        let trouble = self.trouble(self.missing(reference), reference.name());
        let passes =
            matches!(trouble.reason, Reason::Unset(_) | Reason::NoSuchPath(_)) && self.lookup.lets_unset_pass();
        if !passes {
            return Err(trouble);
        }
        self.passed.push(trouble);
        Ok(L::Value::text(String::new()))
    }

    /// Why there is nothing of a name.
    fn missing(&self, reference: &Reference) -> Reason {
        let near = || self.lookup.near(reference);
        match reference.space {
            Some(Space::Secret) => Reason::SecretMissing(reference.path.join(".")),
            Some(Space::Infra | Space::Host) => Reason::NoSuchPath(near()),
            _ if reference.path.len() > 1 => Reason::NoSuchPath(near()),
            _ => Reason::Unset(near()),
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

/// Where a part of a text stands in what was written for it, which may have quotes and escapes; none where that is unclear.
#[must_use]
pub fn part_of(written: &str, text: &str, part: &Range<usize>) -> Option<Range<usize>> {
    let wanted = text.get(part.clone())?;
    let begin = match written.find(text) {
        Some(begin) if !text.is_empty() => begin + part.start,
        _ => written.find(wanted).filter(|_| !wanted.is_empty())?,
    };
    Some(begin..begin + wanted.len())
}
