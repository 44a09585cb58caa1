//! Expressions.

use std::rc::Rc;

use super::{MAX_DEPTH, Parsed, Parser, TOO_DEEP};
use crate::tsm::import::ecosystem::program::syntax::{
    Expression, Function, IfNothing, Item, Node, Property, Statement, Target,
};
use crate::tsm::import::ecosystem::program::token::JsTokenKind;
use crate::tsm::import::ecosystem::program::value::number_text;

/// How many operators, members and calls may follow each other in one expression.
const MAX_CHAIN: usize = 400;

/// Operators by how weakly they bind, the weakest first.
const OPERATORS: [&[&str]; 7] = [
    &["||", "??"],
    &["&&"],
    &["===", "!==", "==", "!="],
    &["<", ">", "<=", ">="],
    &["+", "-"],
    &["*", "/", "%"],
    &["**"],
];

impl Parser<'_> {
    pub(super) fn expression(&mut self) -> Parsed<Node> {
        self.depth += 1;
        let read = if self.depth > MAX_DEPTH { Err(self.unread(TOO_DEEP)) } else { self.choice() };
        self.depth -= 1;
        read
    }

    fn choice(&mut self) -> Parsed<Node> {
        if let Some(function) = self.arrow()? {
            return Ok(function);
        }
        let condition = self.binary(0)?;
        if !self.skip("?") {
            return Ok(condition);
        }
        let yes = self.expression()?;
        self.expect(":")?;
        let no = self.expression()?;
        Ok(Node { at: condition.at, kind: Expression::Choice(Box::new([condition, yes, no])) })
    }

    fn binary(&mut self, level: usize) -> Parsed<Node> {
        let Some(operators) = OPERATORS.get(level) else { return self.unary() };
        let (mut left, mut links) = (self.binary(level + 1)?, 0);
        while let JsTokenKind::Sign(sign) = *self.kind()
            && operators.contains(&sign)
        {
            self.check_chain(&mut links)?;
            self.next += 1;
            let right = self.binary(level + 1)?;
            left = Node { at: left.at, kind: Expression::Binary(sign, Box::new(left), Box::new(right)) };
        }
        Ok(left)
    }

    fn unary(&mut self) -> Parsed<Node> {
        let at = self.token().at;
        let mut signs = Vec::new();
        while let JsTokenKind::Sign(sign @ ("!" | "-" | "+")) = *self.kind() {
            self.next += 1;
            signs.push(sign);
        }
        let value = self.members()?;
        Ok(signs
            .into_iter()
            .rev()
            .fold(value, |value, sign| Node { at, kind: Expression::Unary(sign, Box::new(value)) }))
    }

    /// A value and what is taken from it: members, and what it gives when it is called.
    fn members(&mut self) -> Parsed<Node> {
        let (mut value, mut links) = (self.primary()?, 0);
        loop {
            self.check_chain(&mut links)?;
            let at = value.at;
            let key_at = self.token().at;
            let kind = if self.skip(".") {
                let key = Node { at: key_at, kind: Expression::Text(self.name()?) };
                Expression::Member(Box::new(value), Box::new(key), IfNothing::Fail)
            } else if self.skip("?.") {
                let key = Node { at: key_at, kind: Expression::Text(self.name()?) };
                Expression::Member(Box::new(value), Box::new(key), IfNothing::Nothing)
            } else if self.is_sign("[") && !self.token().begins_line {
                self.next += 1;
                let key = self.expression()?;
                self.expect("]")?;
                Expression::Member(Box::new(value), Box::new(key), IfNothing::Fail)
            } else if self.is_sign("(") && !self.token().begins_line {
                self.next += 1;
                Expression::Call(Box::new(value), self.items(")")?)
            } else {
                return Ok(value);
            };
            value = Node { at, kind };
        }
    }

    fn check_chain(&self, links: &mut usize) -> Parsed<()> {
        *links += 1;
        if *links > MAX_CHAIN { Err(self.unread(TOO_DEEP)) } else { Ok(()) }
    }

    fn items(&mut self, end: &str) -> Parsed<Vec<Item>> {
        let mut items = Vec::new();
        while !self.skip(end) {
            items.push(if self.skip("...") { Item::Spread(self.expression()?) } else { Item::One(self.expression()?) });
            if !self.skip(",") {
                self.expect(end)?;
                break;
            }
        }
        Ok(items)
    }

    pub(super) fn primary(&mut self) -> Parsed<Node> {
        let at = self.token().at;
        let kind = match self.kind().clone() {
            JsTokenKind::Text(text) | JsTokenKind::Pattern(text) => Expression::Text(text),
            JsTokenKind::Number(number) => Expression::Number(number),
            JsTokenKind::Template(texts, expressions) => {
                let nodes = expressions.into_iter().map(|(begin, end)| self.inside(begin, end));
                Expression::Template(texts, nodes.collect::<Parsed<_>>()?)
            }
            JsTokenKind::Name(name) => match name.as_str() {
                "undefined" => Expression::Undefined,
                "null" => Expression::Null,
                "true" => Expression::Bool(true),
                "false" => Expression::Bool(false),
                "function" | "class" | "async" | "await" | "new" | "typeof" | "delete" | "void" | "yield" => {
                    return Err(self.unread(&format!("`{name}` is not evaluated")));
                }
                _ => Expression::Name(name),
            },
            JsTokenKind::Sign("(") => {
                self.next += 1;
                let inner = self.expression()?;
                self.expect(")")?;
                return Ok(inner);
            }
            JsTokenKind::Sign("[") => {
                self.next += 1;
                return Ok(Node { at, kind: Expression::Array(self.items("]")?) });
            }
            JsTokenKind::Sign("{") => {
                self.next += 1;
                return Ok(Node { at, kind: Expression::Object(self.properties()?) });
            }
            JsTokenKind::Sign(sign) => return Err(self.unread(&format!("unexpected `{sign}`"))),
            JsTokenKind::End => return Err(self.unread("unexpected end")),
        };
        self.next += 1;
        Ok(Node { at, kind })
    }

    /// The expression within a template.
    fn inside(&self, begin: usize, end: usize) -> Parsed<Node> {
        let mut inner = Parser { depth: self.depth, ..Parser::new(self.text, begin, end)? };
        let value = inner.expression()?;
        if inner.kind() == &JsTokenKind::End { Ok(value) } else { Err(inner.unread("expected `}`")) }
    }

    fn properties(&mut self) -> Parsed<Vec<Property>> {
        let mut properties = Vec::new();
        while !self.skip("}") {
            properties.push(if self.skip("...") { Property::Spread(self.expression()?) } else { self.pair()? });
            if !self.skip(",") {
                self.expect("}")?;
                break;
            }
        }
        Ok(properties)
    }

    fn pair(&mut self) -> Parsed<Property> {
        let at = self.token().at;
        let named = if let JsTokenKind::Name(name) = self.kind() { Some(name.clone()) } else { None };
        let key = match (self.kind().clone(), &named) {
            (_, Some(name)) => Expression::Text(name.clone()),
            (JsTokenKind::Text(text), _) => Expression::Text(text),
            (JsTokenKind::Number(number), _) => Expression::Text(number_text(number)),
            (JsTokenKind::Sign("["), _) => {
                self.next += 1;
                let key = self.expression()?;
                if !self.is_sign("]") {
                    return Err(self.unread("expected `]`"));
                }
                key.kind
            }
            _ => return Err(self.unread("expected a key")),
        };
        self.next += 1;
        let key = Node { at, kind: key };
        match named {
            Some(name) if self.is_sign(",") || self.is_sign("}") => {
                Ok(Property::Pair(key, Node { at, kind: Expression::Name(name) }))
            }
            _ if self.skip(":") => Ok(Property::Pair(key, self.expression()?)),
            _ => Err(self.unread("a method is not evaluated")),
        }
    }

    /// `x => …`, `(x, { y }) => …`; nothing if it is none.
    fn arrow(&mut self) -> Parsed<Option<Node>> {
        let (begin, at) = (self.next, self.token().at);
        let single = matches!((self.kind(), self.peek(1)), (JsTokenKind::Name(_), JsTokenKind::Sign("=>")));
        let parameters = if single { vec![Target::Name(self.name()?)] } else { self.parameters().unwrap_or_default() };
        if !self.skip("=>") {
            self.next = begin;
            return Ok(None);
        }
        let body = if self.skip("{") {
            let mut body = Vec::new();
            while !self.skip("}") {
                if !self.skip(";") {
                    body.extend(self.statement()?);
                }
            }
            body
        } else {
            vec![Statement::Return(self.expression()?)]
        };
        Ok(Some(Node { at, kind: Expression::Function(Rc::new(Function { parameters, body })) }))
    }

    fn parameters(&mut self) -> Option<Vec<Target>> {
        let mut parameters = Vec::new();
        if !self.skip("(") {
            return None;
        }
        while !self.skip(")") {
            parameters.push(self.target().ok()?);
            if !self.skip(",") {
                self.expect(")").ok()?;
                break;
            }
        }
        Some(parameters)
    }
}
