//! What a program is made of.

use std::rc::Rc;

/// An expression and where it begins, in bytes.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) at: usize,
    pub(super) kind: Expression,
}

#[derive(Debug)]
pub(super) enum Expression {
    Undefined,
    Null,
    Bool(bool),
    Number(f64),
    Text(String),
    Template(Vec<String>, Vec<Node>),
    Name(String),
    Array(Vec<Item>),
    Object(Vec<Property>),
    /// `a.b`, `a['b']`; `a?.b` is nothing where `a` is.
    Member(Box<Node>, Box<Node>, IfNothing),
    Call(Box<Node>, Vec<Item>),
    Unary(&'static str, Box<Node>),
    Binary(&'static str, Box<Node>, Box<Node>),
    Choice(Box<[Node; 3]>),
    Function(Rc<Function>),
}

/// What becomes of a member of nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum IfNothing {
    Fail,
    Nothing,
}

/// An item of a list or an argument; `...x` means the items of `x`.
#[derive(Debug)]
pub(super) enum Item {
    One(Node),
    Spread(Node),
}

#[derive(Debug)]
pub(super) enum Property {
    Pair(Node, Node),
    Spread(Node),
}

/// What a value is bound to.
#[derive(Debug)]
pub(super) enum Target {
    Name(String),
    /// Each key, what its value is bound to, and its value where it has none.
    Keys(Vec<(String, Target, Option<Node>)>),
}

impl Target {
    /// The names that it binds.
    pub(super) fn names(&self) -> Vec<&str> {
        match self {
            Self::Name(name) => vec![name],
            Self::Keys(keys) => keys.iter().flat_map(|(_, target, _)| target.names()).collect(),
        }
    }
}

#[derive(Debug)]
pub(super) struct Function {
    pub(super) parameters: Vec<Target>,
    pub(super) body: Vec<Statement>,
}

#[derive(Debug)]
pub(super) enum Statement {
    Bind(Target, Node),
    /// `module.exports.KEY = …`; without a key all of it.
    Export(Option<String>, Node),
    Return(Node),
    Run(Node),
    /// What is not read binds a name; its use is where the evaluation ends.
    Opaque(String, Unread),
}

/// What cannot be read or evaluated, and where it begins in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::tsm::import) struct Unread {
    pub(in crate::tsm::import) at: usize,
    pub(in crate::tsm::import) what: String,
}

pub(super) fn unread<T>(at: usize, what: impl Into<String>) -> Result<T, Unread> {
    Err(Unread { at, what: what.into() })
}
