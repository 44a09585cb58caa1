//! What a program says, as far as that can be seen without running it.

use std::rc::Rc;

use super::known::{self, Surroundings};
use super::syntax::{Expression, Function, IfNothing, Item, Node, Property, Statement, Target, Unread, unread};
use super::value::{Evaluated, JsScope, JsValue};

/// How much a program may do: each value that is made counts.
const MAX_STEPS: usize = 200_000;

/// How deep calls may be within each other.
const MAX_CALLS: usize = 12;

pub(super) struct Evaluator<'p> {
    pub(super) surroundings: Surroundings<'p>,
    steps: usize,
    calls: usize,
}

impl<'p> Evaluator<'p> {
    pub(super) fn new(surroundings: Surroundings<'p>) -> Self {
        Self { surroundings, steps: 0, calls: 0 }
    }

    /// What the statements of a module export.
    pub(super) fn module(&mut self, statements: &[Statement]) -> Evaluated {
        let scope = JsScope::default();
        let mut exported: Option<JsValue> = None;
        for statement in statements {
            match statement {
                Statement::Export(None, value) => exported = Some(self.value(value, &scope)?),
                Statement::Export(Some(key), value) => {
                    let value = self.value(value, &scope)?;
                    match exported.get_or_insert_with(|| JsValue::Object(Vec::new())) {
                        JsValue::Object(pairs) => JsValue::insert(pairs, key.clone(), value),
                        _ => return unread(0, "its exports are not an object"),
                    }
                }
                other => _ = self.statement(other, &scope)?,
            }
        }
        exported.map_or_else(|| unread(0, "it exports nothing: no `module.exports =` and no `export default`"), Ok)
    }

    /// What a statement returns, if it does.
    fn statement(&mut self, statement: &Statement, scope: &JsScope) -> Result<Option<JsValue>, Unread> {
        match statement {
            Statement::Bind(target, value) => {
                // Only what is used has to be known.
                let value = self.value(value, scope);
                self.bind(target, value, scope);
            }
            Statement::Opaque(name, why) => scope.bind(name.clone(), Err(why.clone())),
            Statement::Run(node) => _ = self.value(node, scope)?,
            Statement::Return(node) => return self.value(node, scope).map(Some),
            Statement::Export(_, node) => return unread(node.at, "an export within a function"),
        }
        Ok(None)
    }

    fn bind(&mut self, target: &Target, value: Evaluated, scope: &JsScope) {
        match (target, value) {
            (Target::Name(name), value) => scope.bind(name.clone(), value),
            (Target::Keys(keys), Ok(value)) => {
                for (key, target, default) in keys {
                    let member = known::member(&mut self.surroundings, &value, key, 0);
                    let member = match (member, default) {
                        (Ok(JsValue::Undefined), Some(default)) => self.value(default, scope),
                        (member, _) => member,
                    };
                    self.bind(target, member, scope);
                }
            }
            (target, Err(why)) => {
                target.names().into_iter().for_each(|name| scope.bind(name.to_owned(), Err(why.clone())));
            }
        }
    }

    /// Counts what is made.
    pub(super) fn spend(&mut self, at: usize, steps: usize) -> Result<(), Unread> {
        self.steps = self.steps.saturating_add(steps.max(1));
        if self.steps > MAX_STEPS { unread(at, "it does too much") } else { Ok(()) }
    }

    pub(super) fn value(&mut self, node: &Node, scope: &JsScope) -> Evaluated {
        self.spend(node.at, 1)?;
        let at = node.at;
        Ok(match &node.kind {
            Expression::Undefined => JsValue::Undefined,
            Expression::Null => JsValue::Null,
            Expression::Bool(yes) => JsValue::Bool(*yes),
            Expression::Number(number) => JsValue::Number(*number),
            Expression::Text(text) => JsValue::Text(text.clone()),
            Expression::Template(texts, nodes) => self.template(texts, nodes, scope)?,
            Expression::Name(name) => match scope.get(name) {
                Some(value) => self.counted(value?, at)?,
                None if known::NAMES.contains(&name.as_str()) => known::global(self.surroundings.dir, name),
                None => return unread(at, format!("`{name}` is not evaluated")),
            },
            Expression::Array(items) => JsValue::List(self.items(items, scope)?),
            Expression::Object(properties) => self.object(properties, scope)?,
            Expression::Member(inner, key, nothing) => {
                let inner = self.value(inner, scope)?;
                if *nothing == IfNothing::Nothing && inner.is_nothing() {
                    return Ok(JsValue::Undefined);
                }
                let key_value = self.value(key, scope)?;
                let Some(text) = key_value.text() else { return unread(key.at, "not a key that can be seen") };
                known::member(&mut self.surroundings, &inner, &text, at)?
            }
            Expression::Call(function, arguments) => self.call(function, arguments, scope)?,
            Expression::Unary(sign, inner) => {
                let value = self.value(inner, scope)?;
                match *sign {
                    "!" => JsValue::Bool(!value.is_true()),
                    "-" => JsValue::Number(-value.number()),
                    _ => JsValue::Number(value.number()),
                }
            }
            Expression::Binary(sign, left, right) => self.binary(sign, left, right, scope)?,
            Expression::Choice(parts) => {
                let [condition, yes, no] = &**parts;
                let chosen = if self.value(condition, scope)?.is_true() { yes } else { no };
                self.value(chosen, scope)?
            }
            Expression::Function(function) => JsValue::Function(Rc::clone(function), scope.clone()),
        })
    }

    /// A copy of a value costs as much as the value.
    fn counted(&mut self, value: JsValue, at: usize) -> Evaluated {
        let size = match &value {
            JsValue::Text(text) => text.len() / 64,
            JsValue::List(items) => items.len(),
            JsValue::Object(pairs) => pairs.len(),
            _ => 1,
        };
        self.spend(at, size)?;
        Ok(value)
    }

    fn template(&mut self, texts: &[String], nodes: &[Node], scope: &JsScope) -> Evaluated {
        let mut all = texts.first().cloned().unwrap_or_default();
        for (node, text) in nodes.iter().zip(texts.iter().skip(1)) {
            let value = self.value(node, scope)?;
            let Some(shown) = value.text() else { return unread(node.at, "not a text") };
            self.spend(node.at, shown.len() / 64)?;
            all.push_str(&shown);
            all.push_str(text);
        }
        Ok(JsValue::Text(all))
    }

    pub(super) fn items(&mut self, items: &[Item], scope: &JsScope) -> Result<Vec<JsValue>, Unread> {
        let mut all = Vec::new();
        for item in items {
            match item {
                Item::One(node) => all.push(self.value(node, scope)?),
                Item::Spread(node) => match self.value(node, scope)? {
                    JsValue::List(more) => all.extend(more),
                    _ => return unread(node.at, "not a list"),
                },
            }
        }
        Ok(all)
    }

    fn object(&mut self, properties: &[Property], scope: &JsScope) -> Evaluated {
        let mut pairs = Vec::new();
        for property in properties {
            match property {
                Property::Pair(key, node) => {
                    let Some(key) = self.value(key, scope)?.text() else { return unread(key.at, "not a key") };
                    let value = match known::passed_on(node, &key) {
                        Some(value) => value,
                        None => self.value(node, scope)?,
                    };
                    JsValue::insert(&mut pairs, key, value);
                }
                Property::Spread(node) => match self.value(node, scope)? {
                    JsValue::Object(more) => {
                        self.spend(node.at, more.len())?;
                        more.into_iter().for_each(|(key, value)| JsValue::insert(&mut pairs, key, value));
                    }
                    // `...(x && {…})`
                    JsValue::Undefined | JsValue::Null | JsValue::Bool(_) => {}
                    // They are the variables of the start anyway.
                    JsValue::Known(name) if name == "process.env" => {}
                    _ => return unread(node.at, "not an object"),
                },
            }
        }
        Ok(JsValue::Object(pairs))
    }

    fn binary(&mut self, sign: &str, left: &Node, right: &Node, scope: &JsScope) -> Evaluated {
        let one = self.value(left, scope)?;
        let decided = match sign {
            "||" => one.is_true(),
            "&&" => !one.is_true(),
            "??" => !one.is_nothing(),
            _ => false,
        };
        if decided {
            return Ok(one);
        }
        let other = self.value(right, scope)?;
        let number = |value: f64| match value.is_nan() {
            true => unread(left.at, "not a number that can be seen"),
            false => Ok(JsValue::Number(value)),
        };
        match sign {
            "||" | "&&" | "??" => Ok(other),
            "===" | "!==" | "==" | "!=" => match one.equals(&other, sign.len() == 3) {
                Some(equal) => Ok(JsValue::Bool(equal == sign.starts_with('='))),
                None => unread(left.at, "they cannot be compared"),
            },
            "+" if matches!((&one, &other), (JsValue::Number(_), JsValue::Number(_))) => {
                number(one.number() + other.number())
            }
            "+" => match (one.text(), other.text()) {
                (Some(one), Some(other)) => {
                    self.spend(left.at, (one.len() + other.len()) / 64)?;
                    Ok(JsValue::Text(one + &other))
                }
                (None, _) => unread(left.at, "not a text"),
                (_, None) => unread(right.at, "not a text"),
            },
            "-" => number(one.number() - other.number()),
            "*" => number(one.number() * other.number()),
            "/" => number(one.number() / other.number()),
            "%" => number(one.number() % other.number()),
            "<" => Ok(JsValue::Bool(one.number() < other.number())),
            ">" => Ok(JsValue::Bool(one.number() > other.number())),
            "<=" => Ok(JsValue::Bool(one.number() <= other.number())),
            ">=" => Ok(JsValue::Bool(one.number() >= other.number())),
            _ => unread(left.at, format!("`{sign}` is not evaluated")),
        }
    }

    fn call(&mut self, function: &Node, arguments: &[Item], scope: &JsScope) -> Evaluated {
        let at = function.at;
        if let Expression::Member(inner, key, _) = &function.kind
            && let Expression::Text(name) = &key.kind
        {
            let inner = self.value(inner, scope)?;
            if !matches!(inner, JsValue::Known(_) | JsValue::Object(_)) {
                let arguments = self.items(arguments, scope)?;
                if let (JsValue::List(items), "map", [JsValue::Function(function, scope)]) =
                    (&inner, name.as_str(), &*arguments)
                {
                    return self.mapped(items, function, scope);
                }
                return known::method(&inner, name, &arguments, key.at);
            }
        }
        let called = self.value(function, scope)?;
        if matches!(&called, JsValue::Known(name) if name.starts_with("console.")) {
            return Ok(JsValue::Undefined);
        }
        let arguments = self.items(arguments, scope)?;
        match called {
            JsValue::Known(name) => {
                let given = known::call(&mut self.surroundings, &name, &arguments, at)?;
                self.counted(given, at)
            }
            JsValue::Function(function, scope) => self.apply(&function, &scope, &arguments, at),
            _ => unread(at, "not a function that is known"),
        }
    }

    fn mapped(&mut self, items: &[JsValue], function: &Function, scope: &JsScope) -> Evaluated {
        let mut made = Vec::new();
        for (at, item) in items.iter().enumerate() {
            #[expect(clippy::cast_precision_loss, reason = "the steps of a program are few")]
            let arguments = [item.clone(), JsValue::Number(at as f64)];
            made.push(self.apply(function, scope, &arguments, 0)?);
        }
        Ok(JsValue::List(made))
    }

    /// What a function of the program gives.
    pub(super) fn apply(
        &mut self,
        function: &Function,
        scope: &JsScope,
        arguments: &[JsValue],
        at: usize,
    ) -> Evaluated {
        if self.calls >= MAX_CALLS {
            return unread(at, "it calls itself");
        }
        self.calls += 1;
        let inner = scope.within();
        for (at, target) in function.parameters.iter().enumerate() {
            self.bind(target, Ok(arguments.get(at).cloned().unwrap_or(JsValue::Undefined)), &inner);
        }
        let mut returned = Ok(JsValue::Undefined);
        for statement in &function.body {
            match self.statement(statement, &inner) {
                Ok(None) => {}
                Ok(Some(value)) => returned = Ok(value),
                Err(why) => returned = Err(why),
            }
            if matches!(statement, Statement::Return(_)) || returned.is_err() {
                break;
            }
        }
        self.calls -= 1;
        returned
    }
}
