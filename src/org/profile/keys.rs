//! The keys of a profile, each with the function that reads it.

use super::{CONSTRAINTS, Constraint, Op, Profile, Rule, SCHEMA, inner};
use crate::base::diagnostic::{Diagnostic, SourceText};
use crate::base::environment::EnvName;
use crate::base::fault::UserFacingError;
use crate::base::suggest::closest_match;
use crate::config::Value;
use crate::config::document::Leaf;
use crate::config::path::{InvalidPath, KeyPath};

/// How a key of a profile is read.
pub(super) enum ProfileKey {
    /// `name = …`
    Value(ReadKey),
    /// `[name]`: each value below it.
    Table(ReadKey),
}

pub(super) type ReadKey = fn(&mut Profile, &Leaf) -> Result<(), KeyError>;

/// The keys of a profile.
pub(super) const KEYS: &[(&str, ProfileKey)] = &[
    ("schema", ProfileKey::Value(schema)),
    ("name", ProfileKey::Value(ignored)),
    ("description", ProfileKey::Value(ignored)),
    ("abstract", ProfileKey::Value(is_abstract)),
    ("aliases", ProfileKey::Value(aliases)),
    ("extends", ProfileKey::Value(extends)),
    ("path_keys", ProfileKey::Value(path_keys)),
    ("rebase", ProfileKey::Value(rebase)),
    ("unset", ProfileKey::Value(unset)),
    ("set", ProfileKey::Table(|profile, leaf| value(profile, Op::Set, leaf))),
    ("default", ProfileKey::Table(|profile, leaf| value(profile, Op::Default, leaf))),
    ("append_args", ProfileKey::Table(|profile, leaf| list(profile, Op::AppendArgs, leaf))),
    ("append", ProfileKey::Table(|profile, leaf| list(profile, Op::Append, leaf))),
    ("prepend", ProfileKey::Table(|profile, leaf| list(profile, Op::Prepend, leaf))),
    ("scale", ProfileKey::Table(scale)),
    ("rename", ProfileKey::Table(rename)),
    ("require", ProfileKey::Table(|profile, leaf| constraint(profile, Op::Require, leaf))),
    ("forbid", ProfileKey::Table(|profile, leaf| constraint(profile, Op::Forbid, leaf))),
];

/// An invalid key or value.
#[derive(Debug)]
pub(super) struct KeyError {
    title: String,
    label: &'static str,
    help: Option<String>,
    at: At,
}

/// What an error is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum At {
    Value,
    Key,
    Statement,
}

impl KeyError {
    fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), label: "", help: None, at: At::Value }
    }

    fn help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }

    /// The error at its place in the profile.
    pub(super) fn diagnostic(self, source: &SourceText, leaf: &Leaf) -> Diagnostic {
        let span = match self.at {
            At::Value => &leaf.span,
            At::Key => &leaf.key,
            At::Statement => &leaf.statement,
        };
        let error = source.error(self.title, span.clone(), self.label);
        match self.help {
            Some(help) => error.help(help),
            None => error,
        }
    }
}

impl From<InvalidPath> for KeyError {
    fn from(error: InvalidPath) -> Self {
        let help = error.advice();
        Self { help, ..Self::new(error.to_string()) }
    }
}

fn ignored(_: &mut Profile, _: &Leaf) -> Result<(), KeyError> {
    Ok(())
}

fn schema(_: &mut Profile, leaf: &Leaf) -> Result<(), KeyError> {
    let known = leaf.value.as_integer() == Some(SCHEMA);
    if known { Ok(()) } else { Err(KeyError::new("unknown profile schema").help(format!("write schema = {SCHEMA}"))) }
}

fn is_abstract(profile: &mut Profile, leaf: &Leaf) -> Result<(), KeyError> {
    profile.is_abstract = leaf.value.as_bool().ok_or_else(|| KeyError::new("`abstract` must be a boolean"))?;
    Ok(())
}

fn aliases(profile: &mut Profile, leaf: &Leaf) -> Result<(), KeyError> {
    profile.aliases = strings(leaf, "an array of strings")?;
    match profile.aliases.iter().find_map(|alias| alias.parse::<EnvName>().err()) {
        Some(error) => Err(KeyError::new(error.to_string())),
        None => Ok(()),
    }
}

fn extends(profile: &mut Profile, leaf: &Leaf) -> Result<(), KeyError> {
    let name = leaf.value.as_str().ok_or(KeyError {
        label: "a profile extends one other profile",
        ..KeyError::new("`extends` must be a string")
    })?;
    profile.extends = Some((name.to_owned(), leaf.span.clone()));
    Ok(())
}

fn path_keys(profile: &mut Profile, leaf: &Leaf) -> Result<(), KeyError> {
    let keys = strings(leaf, "an array of keys")?;
    profile.path_keys = keys.iter().map(|key| key.parse()).collect::<Result<_, InvalidPath>>()?;
    Ok(())
}

fn rebase(profile: &mut Profile, leaf: &Leaf) -> Result<(), KeyError> {
    let wrong = || {
        KeyError::new("`rebase` must be an array of tables with `from` and `to`")
            .help("write [{ from = \"~\", to = \"/root\" }]")
    };
    for item in leaf.value.as_array().ok_or_else(wrong)? {
        let part = |key: &str| item.get(key).and_then(Value::as_str);
        part("from").and(part("to")).ok_or_else(wrong)?;
        profile.rules.push(Rule { value: item.clone(), ..Rule::of(Op::Rebase, KeyPath::default(), leaf) });
    }
    Ok(())
}

fn unset(profile: &mut Profile, leaf: &Leaf) -> Result<(), KeyError> {
    for key in strings(leaf, "an array of keys")? {
        profile.rule(Op::Unset, key.parse::<KeyPath>()?, leaf);
    }
    Ok(())
}

fn value(profile: &mut Profile, op: Op, leaf: &Leaf) -> Result<(), KeyError> {
    profile.rule(op, target(&leaf.path.keys()[1..])?, leaf);
    Ok(())
}

fn list(profile: &mut Profile, op: Op, leaf: &Leaf) -> Result<(), KeyError> {
    if leaf.value.is_array() {
        return value(profile, op, leaf);
    }
    let error = KeyError::new(format!("`{}` must be an array", op.word())).help("write [\"--env\", \"dev\"]");
    Err(KeyError { label: "not an array", ..error })
}

fn scale(profile: &mut Profile, leaf: &Leaf) -> Result<(), KeyError> {
    let [_, keys @ .., part] = leaf.path.keys() else { return Ok(()) };
    let path = target(if keys.is_empty() { std::slice::from_ref(part) } else { keys })?;
    if keys.is_empty() {
        profile.rule(Op::Scale, path, leaf);
        return Ok(());
    }
    let known = profile.rules.iter_mut().find(|rule| rule.op == Op::Scale && rule.path == path);
    if let Some(Rule { value: Value::Table(parts), .. }) = known {
        parts.insert(part.clone(), leaf.value.clone());
        return Ok(());
    }
    let parts = [(part.clone(), leaf.value.clone())].into_iter().collect();
    profile.rules.push(Rule { value: Value::Table(parts), ..Rule::of(Op::Scale, path, leaf) });
    Ok(())
}

fn rename(profile: &mut Profile, leaf: &Leaf) -> Result<(), KeyError> {
    let path = target(&leaf.path.keys()[1..])?;
    let to = leaf.value.as_str().and_then(|to| to.parse::<KeyPath>().ok()).ok_or_else(|| KeyError {
        label: "not a key",
        ..KeyError::new("`rename` must be the new key").help("write \"own.name\"")
    })?;
    if to.wildcard_count() > path.wildcard_count() {
        return Err(KeyError::new("the new key has more `*` than the old one"));
    }
    profile.rule(Op::Rename, path, leaf);
    Ok(())
}

fn constraint(profile: &mut Profile, op: fn(Constraint) -> Op, leaf: &Leaf) -> Result<(), KeyError> {
    let [_, keys @ .., word] = leaf.path.keys() else { return Ok(()) };
    if keys.is_empty() {
        return Err(KeyError::new("expected a condition").help("write { eq = true }"));
    }
    let Some((_, constraint)) = CONSTRAINTS.iter().find(|(known, _)| known == word) else {
        let known = CONSTRAINTS.map(|(word, _)| word).join(", ");
        let error = KeyError::new(format!("unknown condition `{word}`")).help(format!("expected one of: {known}"));
        return Err(KeyError { at: At::Key, ..error });
    };
    profile.rule(op(*constraint), target(keys)?, leaf);
    Ok(())
}

/// The strings of an array.
fn strings(leaf: &Leaf, expected: &str) -> Result<Vec<String>, KeyError> {
    let strings = leaf.value.as_array().and_then(|all| all.iter().map(|it| it.as_str().map(str::to_owned)).collect());
    strings.ok_or_else(|| KeyError::new(format!("`{}` must be {expected}", leaf.path.last())))
}

/// What a rule is about.
fn target(keys: &[String]) -> Result<KeyPath, KeyError> {
    inner(keys).ok_or_else(|| KeyError::new("invalid key"))
}

/// Reads one value, by the first of its keys.
pub(super) fn read(profile: &mut Profile, leaf: &Leaf) -> Result<(), KeyError> {
    let first = leaf.path.keys()[0].as_str();
    let known = KEYS.iter().find(|(name, _)| *name == first);
    match (known, leaf.path.keys().len()) {
        (Some((_, ProfileKey::Value(read))), 1) => read(profile, leaf),
        (Some((_, ProfileKey::Table(read))), 2..) => read(profile, leaf),
        (Some((name, ProfileKey::Table(_))), _) => {
            Err(KeyError::new(format!("`{name}` must be a table")).help(format!("write [{name}]")))
        }
        (Some((name, ProfileKey::Value(_))), _) => Err(KeyError::new(format!("`{name}` must not be a table"))),
        (None, 1) => Err(KeyError { at: At::Statement, ..unknown(first) }),
        // Reported once for the whole table.
        (None, _) => Ok(()),
    }
}

/// A key that a profile does not have.
pub(super) fn unknown(first: &str) -> KeyError {
    let known = KEYS.iter().map(|(name, _)| *name);
    KeyError::new(format!("unknown key in a profile: `{first}`")).help(match closest_match(first, known.clone()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("expected one of: {}", known.collect::<Vec<_>>().join(", ")),
    })
}
