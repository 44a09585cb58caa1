//! A program, read: its statements, and the expressions in them.

mod expression;

use super::syntax::{Expression, Item, Node, Statement, Target, Unread};
use super::token::{JsToken, JsTokenKind, tokens};

/// How deep expressions may be within each other.
const MAX_DEPTH: usize = 40;

const TOO_DEEP: &str = "it is nested too deeply";

type Parsed<T> = Result<T, Unread>;

/// The statements of a program.
pub(super) fn program(text: &str) -> Parsed<Vec<Statement>> {
    let mut parser = Parser::new(text, 0, text.len())?;
    let mut statements = Vec::new();
    while parser.kind() != &JsTokenKind::End {
        if !parser.skip(";") {
            statements.extend(parser.statement()?);
        }
    }
    Ok(statements)
}

pub(super) struct Parser<'t> {
    text: &'t str,
    tokens: Vec<JsToken>,
    next: usize,
    depth: usize,
}

impl<'t> Parser<'t> {
    fn new(text: &'t str, begin: usize, end: usize) -> Parsed<Self> {
        let tokens = tokens(text, begin, end).map_err(|(at, what)| Unread { at, what: what.to_owned() })?;
        Ok(Self { text, tokens, next: 0, depth: 0 })
    }

    fn token(&self) -> &JsToken {
        // The last one is the end, and is never passed.
        &self.tokens[self.next.min(self.tokens.len() - 1)]
    }

    fn kind(&self) -> &JsTokenKind {
        &self.token().kind
    }

    fn peek(&self, ahead: usize) -> &JsTokenKind {
        &self.tokens[(self.next + ahead).min(self.tokens.len() - 1)].kind
    }

    pub(super) fn is_sign(&self, sign: &str) -> bool {
        matches!(self.kind(), JsTokenKind::Sign(found) if *found == sign)
    }

    fn is_name(&self, name: &str) -> bool {
        matches!(self.kind(), JsTokenKind::Name(found) if found == name)
    }

    pub(super) fn skip(&mut self, sign: &str) -> bool {
        let found = self.is_sign(sign);
        self.next += usize::from(found);
        found
    }

    fn skip_name(&mut self, name: &str) -> bool {
        let found = self.is_name(name);
        self.next += usize::from(found);
        found
    }

    fn expect(&mut self, sign: &str) -> Parsed<()> {
        if self.skip(sign) { Ok(()) } else { Err(self.unread(&format!("expected `{sign}`"))) }
    }

    /// What is here cannot be read.
    fn unread(&self, what: &str) -> Unread {
        Unread { at: self.token().at, what: what.to_owned() }
    }

    fn name(&mut self) -> Parsed<String> {
        let JsTokenKind::Name(name) = self.kind().clone() else { return Err(self.unread("expected a name")) };
        self.next += 1;
        Ok(name)
    }

    pub(super) fn statement(&mut self) -> Parsed<Vec<Statement>> {
        let (begin, at) = (self.next, self.token().at);
        let keyword = if let JsTokenKind::Name(name) = self.kind() { name.clone() } else { String::new() };
        let read = match keyword.as_str() {
            "const" | "let" | "var" => self.bindings(),
            "import" if !matches!(self.peek(1), JsTokenKind::Sign("." | "(")) => self.import(),
            "export" if matches!(self.peek(1), JsTokenKind::Name(name) if name == "default") => {
                self.next += 2;
                self.expression().map(|value| vec![Statement::Export(None, value)])
            }
            "function" => Err(self.unread("a function is not evaluated")),
            "return" => {
                self.next += 1;
                self.expression().map(|value| vec![Statement::Return(value)])
            }
            "exports" | "module" => self.export(),
            _ => self.expression().map(|value| vec![Statement::Run(value)]),
        };
        let read = read
            .and_then(|read| if self.is_end() { Ok(read) } else { Err(self.unread("not a value that can be seen")) });
        read.or_else(|why| self.opaque(begin, Unread { at: why.at.max(at), ..why }))
    }

    /// True where a statement may end.
    fn is_end(&self) -> bool {
        self.is_sign(";") || self.is_sign("}") || self.kind() == &JsTokenKind::End || self.token().begins_line
    }

    /// A statement that cannot be read binds its names to that, if it does nothing else.
    fn opaque(&mut self, begin: usize, why: Unread) -> Parsed<Vec<Statement>> {
        self.next = begin;
        let bound: Vec<String> = match (self.kind().clone(), self.peek(1).clone()) {
            (JsTokenKind::Name(keyword), JsTokenKind::Name(name))
                if matches!(keyword.as_str(), "const" | "let" | "var" | "function") =>
            {
                vec![name]
            }
            _ => return Err(why),
        };
        let is_function = self.is_name("function");
        let mut depth = 0_usize;
        loop {
            match self.kind() {
                JsTokenKind::End => break,
                JsTokenKind::Sign("(" | "[" | "{") => depth += 1,
                JsTokenKind::Sign(")" | "]" | "}") if depth == 0 => break,
                JsTokenKind::Sign(closing @ (")" | "]" | "}")) => {
                    depth -= 1;
                    if depth == 0 && is_function && *closing == "}" {
                        self.next += 1;
                        break;
                    }
                }
                JsTokenKind::Sign(";") if depth == 0 => break,
                JsTokenKind::Name(name)
                    if depth == 0
                        && self.next > begin
                        && self.token().begins_line
                        && BEGINS.contains(&name.as_str()) =>
                {
                    break;
                }
                _ => {}
            }
            self.next += 1;
        }
        Ok(bound.into_iter().map(|name| Statement::Opaque(name, why.clone())).collect())
    }

    fn bindings(&mut self) -> Parsed<Vec<Statement>> {
        self.next += 1;
        let mut bound = Vec::new();
        loop {
            let target = self.target()?;
            self.expect("=")?;
            bound.push(Statement::Bind(target, self.expression()?));
            if !self.skip(",") {
                return Ok(bound);
            }
        }
    }

    fn target(&mut self) -> Parsed<Target> {
        self.depth += 1;
        let read = if self.depth > MAX_DEPTH { Err(self.unread(TOO_DEEP)) } else { self.target_within() };
        self.depth -= 1;
        read
    }

    fn target_within(&mut self) -> Parsed<Target> {
        if !self.skip("{") {
            return Ok(Target::Name(self.name()?));
        }
        let mut keys = Vec::new();
        while !self.skip("}") {
            let key = self.name()?;
            let target = if self.skip(":") { self.target()? } else { Target::Name(key.clone()) };
            let default = if self.skip("=") { Some(self.expression()?) } else { None };
            keys.push((key, target, default));
            if !self.skip(",") {
                self.expect("}")?;
                break;
            }
        }
        Ok(Target::Keys(keys))
    }

    /// `import x from 'y'` is `const x = require('y')`; so are `import * as x` and `import { x }`.
    fn import(&mut self) -> Parsed<Vec<Statement>> {
        self.next += 1;
        let mut targets = Vec::new();
        while !matches!(self.kind(), JsTokenKind::Text(_)) {
            if self.skip("*") {
                self.next += 1;
                targets.push(Target::Name(self.name()?));
            } else if self.is_sign("{") {
                targets.push(self.imported()?);
            } else {
                targets.push(Target::Name(self.name()?));
            }
            if !self.skip(",") && !self.skip_name("from") {
                return Err(self.unread("expected `from`"));
            }
        }
        let at = self.token().at;
        let JsTokenKind::Text(module) = self.kind().clone() else { return Err(self.unread("expected a module")) };
        self.next += 1;
        if self.skip_name("with") || self.skip_name("assert") {
            self.primary()?;
        }
        let required = || Node {
            at,
            kind: Expression::Call(
                Box::new(Node { at, kind: Expression::Name("require".to_owned()) }),
                vec![Item::One(Node { at, kind: Expression::Text(module.clone()) })],
            ),
        };
        if targets.is_empty() {
            return Ok(vec![Statement::Run(required())]);
        }
        Ok(targets.into_iter().map(|target| Statement::Bind(target, required())).collect())
    }

    /// `{ a, b as c }`
    fn imported(&mut self) -> Parsed<Target> {
        self.expect("{")?;
        let mut keys = Vec::new();
        while !self.skip("}") {
            let key = self.name()?;
            let name = if self.skip_name("as") { self.name()? } else { key.clone() };
            keys.push((key, Target::Name(name), None));
            if !self.skip(",") {
                self.expect("}")?;
                break;
            }
        }
        Ok(Target::Keys(keys))
    }

    /// `module.exports = …`, `exports.key = …`, and `module.exports = exports = …`.
    fn export(&mut self) -> Parsed<Vec<Statement>> {
        let begin = self.next;
        let mut key = None;
        let whole = if self.skip_name("module") {
            self.skip(".") && self.skip_name("exports")
        } else {
            self.skip_name("exports")
        };
        if whole && self.skip(".") {
            key = Some(self.name()?);
        }
        if !whole || !self.skip("=") {
            self.next = begin;
            return self.expression().map(|value| vec![Statement::Run(value)]);
        }
        if matches!(self.kind(), JsTokenKind::Name(name) if name == "exports" || name == "module") {
            return self.export();
        }
        Ok(vec![Statement::Export(key.filter(|key| key != "default"), self.expression()?)])
    }
}

/// Words by which a statement begins, where no sign ends the one before.
const BEGINS: [&str; 10] = ["const", "let", "var", "function", "module", "exports", "export", "import", "if", "for"];
