//! Resolving: what the expansions of a value become, whatever names mean and values are.
//!
//! Definitions are templates themselves and are resolved in turn, each once. What comes from elsewhere (variables of the shell,
//! secrets) is data and is never looked into. Words are resolved only when they are needed.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;
use std::rc::Rc;

use super::expand_error::{ExpandError, ExpandErrorKind};
use super::lookup::{Lookup, LookupResult, TemplateValue};
use super::template::{
    self, Expansion, MAX_DEPTH, MAX_EXPANSIONS, MAX_TOTAL_BYTES, MAX_VALUE_BYTES, Namespace, Operator, OperatorKind,
    Reference, Template, TemplatePart,
};

/// An unmatched closing brace: the definition, and where in its text.
pub type UnmatchedBrace = (usize, usize);

/// Resolves definitions, each once.
pub struct Resolver<'a, L: Lookup> {
    lookup: &'a L,
    resolved: HashMap<usize, Result<Rc<L::Value>, ExpandError>>,
    /// What is being resolved now, and where in each.
    stack: Vec<(usize, Range<usize>)>,
    count: usize,
    bytes: usize,
    /// Unmatched closing braces, in what was resolved so far.
    pub unmatched_braces: Vec<UnmatchedBrace>,
    /// Undefined names that were expanded to nothing.
    pub unset_used: Vec<ExpandError>,
}

impl<'a, L: Lookup> Resolver<'a, L> {
    /// Nothing is resolved yet.
    #[must_use]
    pub fn new(lookup: &'a L) -> Self {
        Self {
            lookup,
            resolved: HashMap::new(),
            stack: Vec::new(),
            count: 0,
            bytes: 0,
            unmatched_braces: Vec::new(),
            unset_used: Vec::new(),
        }
    }

    /// The value of a definition.
    ///
    /// # Errors
    ///
    /// The first error, with the chain of definitions that led to it.
    pub fn value(&mut self, id: usize) -> Result<Rc<L::Value>, ExpandError> {
        if let Some(known) = self.resolved.get(&id) {
            return known.clone();
        }
        if let Some(begin) = self.stack.iter().position(|(on_the_way, _)| *on_the_way == id) {
            let names = self.stack[begin..].iter().map(|(id, _)| *id).chain([id]);
            let names = names.map(|id| self.lookup.name(id)).collect();
            return Err(self.error(ExpandErrorKind::Cycle(names), String::new()));
        }
        if self.stack.len() >= MAX_DEPTH {
            return Err(self.error(ExpandErrorKind::Depth, String::new()));
        }
        self.stack.push((id, 0..0));
        let lookup = self.lookup;
        let value = lookup.value(id, &mut |text| self.text(id, text)).map(Rc::new).map_err(|mut trouble| {
            if trouble.chain.is_empty() {
                trouble.chain.clone_from(&self.stack);
            }
            trouble
        });
        self.stack.pop();
        // A value on a cycle is resolved again for each way into it.
        if !matches!(&value, Err(ExpandError { reason: ExpandErrorKind::Cycle(_) | ExpandErrorKind::Depth, .. }))
            || self.stack.is_empty()
        {
            self.resolved.insert(id, value.clone());
        }
        value
    }

    /// One of the texts of a definition.
    fn text(&mut self, id: usize, text: &str) -> Result<L::Value, ExpandError> {
        let template = template::parse(text).map_err(|flawed| {
            self.set_position(&flawed.span);
            self.error(ExpandErrorKind::Flaw(flawed.kind), String::new())
        })?;
        self.unmatched_braces.extend(template.unmatched_braces.iter().map(|at| (id, *at)));
        match template.as_single_expansion() {
            Some(expansion) => self.expansion(expansion),
            None => self.template(&template),
        }
    }

    fn template(&mut self, template: &Template) -> Result<L::Value, ExpandError> {
        let mut text = String::new();
        let mut secret = false;
        for part in &template.parts {
            match part {
                TemplatePart::Literal(literal) => text.push_str(literal),
                TemplatePart::Expansion(expansion) => {
                    let part = self.expansion(expansion)?;
                    let Some(inside) = part.interpolated() else {
                        self.set_position(&expansion.span);
                        return Err(self.error(ExpandErrorKind::Type, expansion.reference.name()));
                    };
                    text.push_str(&inside);
                    secret |= part.is_secret();
                }
            }
            if text.len() > MAX_VALUE_BYTES {
                return Err(self.error(ExpandErrorKind::Size, String::new()));
            }
        }
        let value = L::Value::text(text);
        Ok(if secret { value.into_secret() } else { value })
    }

    fn expansion(&mut self, expansion: &Expansion) -> Result<L::Value, ExpandError> {
        self.set_position(&expansion.span);
        self.count += 1;
        let name = || expansion.reference.name();
        if self.count > MAX_EXPANSIONS {
            return Err(self.error(ExpandErrorKind::Size, name()));
        }
        let from = self.stack.last().map_or(usize::MAX, |(id, _)| *id);
        let found = self.lookup.find(&expansion.reference, from);
        let hermetic = matches!(found, LookupResult::Hermetic);
        let set = match found {
            LookupResult::Definition(id) => Some(self.value(id)?.as_ref().clone()),
            LookupResult::Data(value) => Some(value),
            LookupResult::Unset | LookupResult::Hermetic => None,
            LookupResult::Refused(reason) => return Err(self.error(reason, name())),
        };
        let value = match (&expansion.operation, set) {
            (None, Some(value)) => value,
            (None, None) if hermetic => return Err(self.error(ExpandErrorKind::Hermetic, name())),
            (None, None) => self.expand_unset(&expansion.reference)?,
            (Some((operator, word)), set) => self.operation(*operator, word, set, expansion)?,
        };
        let length = value.interpolated().map_or(0, |text| text.len());
        self.bytes += length;
        if length > MAX_VALUE_BYTES || self.bytes > MAX_TOTAL_BYTES {
            self.set_position(&expansion.span);
            return Err(self.error(ExpandErrorKind::Size, name()));
        }
        Ok(value)
    }

    fn operation(
        &mut self,
        operator: Operator,
        word: &Template,
        set: Option<L::Value>,
        expansion: &Expansion,
    ) -> Result<L::Value, ExpandError> {
        let is_empty = |value: &L::Value| value.interpolated().is_some_and(|text| text.is_empty());
        let set = set.filter(|value| !(operator.empty_is_unset && is_empty(value)));
        match (operator.kind, set) {
            (OperatorKind::Default | OperatorKind::Require, Some(value)) => Ok(value),
            (OperatorKind::Default, None) | (OperatorKind::Alternative, Some(_)) => self.template(word),
            (OperatorKind::Alternative, None) => Ok(L::Value::text(String::new())),
            (OperatorKind::Require, None) => {
                let message = self.template(word)?;
                let shown = message.interpolated().filter(|_| !message.is_secret());
                let message = shown.map(Cow::into_owned).unwrap_or_default();
                self.set_position(&expansion.span);
                Err(self.error(ExpandErrorKind::Required(message), expansion.reference.name()))
            }
        }
    }

    /// A name that means nothing and has no default.
    fn expand_unset(&mut self, reference: &Reference) -> Result<L::Value, ExpandError> {
        let trouble = self.error(self.unset_kind(reference), reference.name());
        let passes = matches!(trouble.reason, ExpandErrorKind::Unset(_) | ExpandErrorKind::NoSuchPath(_))
            && self.lookup.allows_unset();
        if !passes {
            return Err(trouble);
        }
        self.unset_used.push(trouble);
        Ok(L::Value::text(String::new()))
    }

    /// Why there is nothing of a name.
    fn unset_kind(&self, reference: &Reference) -> ExpandErrorKind {
        let near = || self.lookup.suggest(reference);
        match reference.namespace {
            Some(Namespace::Secret) => ExpandErrorKind::SecretMissing(reference.path.join(".")),
            Some(Namespace::Infra | Namespace::Host) => ExpandErrorKind::NoSuchPath(near()),
            _ if reference.path.len() > 1 => ExpandErrorKind::NoSuchPath(near()),
            _ => ExpandErrorKind::Unset(near()),
        }
    }

    fn set_position(&mut self, span: &Range<usize>) {
        if let Some((_, place)) = self.stack.last_mut() {
            *place = span.clone();
        }
    }

    fn error(&self, reason: ExpandErrorKind, name: String) -> ExpandError {
        ExpandError { reason, name, chain: self.stack.clone() }
    }
}
