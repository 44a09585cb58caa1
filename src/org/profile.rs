//! Profiles: what an environment changes, as data.

use std::ops::Range;

use toml::Value;

use super::document::{Document, Leaf};
use super::path::KeyPath;
use crate::base::diagnostic::{Diagnostic, SourceText};
use crate::base::environment::EnvName;
use crate::base::suggest::closest_match;

/// The version of the format.
pub const SCHEMA: i64 = 1;

/// The profiles in the program: name and text.
pub const BUILT_IN: [(&str, &str); 5] = [
    ("server", include_str!("profiles/server.toml")),
    ("user", include_str!("profiles/user.toml")),
    ("dev", include_str!("profiles/dev.toml")),
    ("staging", include_str!("profiles/staging.toml")),
    ("prod", include_str!("profiles/prod.toml")),
];

/// A set of rules.
#[derive(Debug, Clone)]
pub struct Profile {
    /// Its name.
    pub name: String,
    /// Whether it is in the program or in a file.
    pub origin: ProfileOrigin,
    /// Its text, under the name that messages use.
    pub source: SourceText,
    /// The same for messages, without secrets.
    pub redacted_source: SourceText,
    /// The profile whose rules come before, and where it is named.
    pub extends: Option<(String, Range<usize>)>,
    /// Other words for it.
    pub aliases: Vec<String>,
    /// Only there to be extended.
    pub is_abstract: bool,
    /// Keys that hold paths, for `rebase`.
    pub path_keys: Vec<KeyPath>,
    /// In the order in which they are applied.
    pub rules: Vec<Rule>,
}

/// Where a profile is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProfileOrigin {
    /// In the program.
    BuiltIn,
    /// In a file of the operator.
    File,
}

/// One change or condition.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// What is done.
    pub op: Op,
    /// To which keys; may have stars.
    pub path: KeyPath,
    /// With what.
    pub value: Value,
    /// Where the rule is in the profile, in bytes.
    pub span: Range<usize>,
    /// Where its value does.
    pub written: Range<usize>,
}

impl Rule {
    fn of(op: Op, path: KeyPath, leaf: &Leaf) -> Self {
        let (value, span) = (leaf.value.clone(), leaf.key.start..leaf.span.end);
        Self { op, path, value, span, written: leaf.span.clone() }
    }
}

/// What a rule does. Ordered as they are applied within one profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Op {
    /// Removes a key or table.
    Unset,
    /// Replaces the beginning of a path.
    Rebase,
    /// Gives a value.
    Set,
    /// Gives a value where there is none.
    Default,
    /// Adds words to a command.
    AppendArgs,
    /// Adds to the end of a list.
    Append,
    /// Adds to the beginning of a list.
    Prepend,
    /// Multiplies a number.
    Scale,
    /// Moves a value to another key.
    Rename,
    /// Must hold at the end.
    Require(Constraint),
    /// Must not hold at the end.
    Forbid(Constraint),
}

/// A condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Constraint {
    /// Is this value.
    Eq,
    /// Is another value.
    Not,
    /// Is one of these.
    In,
    /// None of its items is one of these.
    NoneOf,
    /// Is at least this.
    Min,
    /// Is at most this.
    Max,
    /// Has at least so many items or characters.
    MinLen,
    /// Is there, or is not.
    Present,
}

const CONSTRAINTS: [(&str, Constraint); 8] = [
    ("eq", Constraint::Eq),
    ("not", Constraint::Not),
    ("in", Constraint::In),
    ("none_of", Constraint::NoneOf),
    ("min", Constraint::Min),
    ("max", Constraint::Max),
    ("min_len", Constraint::MinLen),
    ("present", Constraint::Present),
];

const OPS: [(&str, Op); 7] = [
    ("set", Op::Set),
    ("default", Op::Default),
    ("append_args", Op::AppendArgs),
    ("append", Op::Append),
    ("prepend", Op::Prepend),
    ("scale", Op::Scale),
    ("rename", Op::Rename),
];

const OTHERS: [&str; 11] = [
    "schema",
    "name",
    "description",
    "abstract",
    "aliases",
    "extends",
    "path_keys",
    "rebase",
    "unset",
    "require",
    "forbid",
];

impl Op {
    /// The word of the format.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Unset => "unset",
            Self::Rebase => "rebase",
            Self::Require(_) => "require",
            Self::Forbid(_) => "forbid",
            other => OPS.iter().find(|(_, op)| *op == other).map_or("", |(word, _)| word),
        }
    }
}

impl Constraint {
    /// The word of the format.
    #[must_use]
    pub fn word(self) -> &'static str {
        CONSTRAINTS.iter().find(|(_, check)| *check == self).map_or("", |(word, _)| word)
    }
}

impl Profile {
    /// The built-in profile of a name.
    #[must_use]
    pub fn built_in(name: &str) -> Option<Self> {
        let (name, text) = BUILT_IN.iter().find(|(known, _)| *known == name)?;
        let document = Document::parse(&format!("builtin:{name}"), text).expect("a test reads every built-in profile");
        Some(Self::read(name, ProfileOrigin::BuiltIn, &document).expect("a test reads every built-in profile"))
    }

    /// Reads a profile.
    ///
    /// # Errors
    ///
    /// Fails with everything that is invalid in it.
    pub fn read(name: &str, origin: ProfileOrigin, document: &Document) -> Result<Self, Vec<Diagnostic>> {
        let mut profile = Self {
            name: name.to_owned(),
            origin,
            source: document.source.clone(),
            redacted_source: document.shown().clone(),
            extends: None,
            aliases: Vec::new(),
            is_abstract: false,
            path_keys: Vec::new(),
            rules: Vec::new(),
        };
        let mut found = Vec::new();
        for leaf in &document.leaves {
            if let Err(wrong) = profile.read_leaf(leaf) {
                found.push(*wrong);
            }
        }
        found.extend(unknown_tables(document));
        let order = |rule: &Rule| {
            let generic = matches!(rule.op, Op::Set | Op::Default).then(|| usize::MAX - rule.path.wildcard_count());
            (
                if matches!(rule.op, Op::Require(_) | Op::Forbid(_)) { Op::Require(Constraint::Eq) } else { rule.op },
                generic,
            )
        };
        profile.rules.sort_by_key(order);
        if found.is_empty() { Ok(profile) } else { Err(found) }
    }

    fn read_leaf(&mut self, leaf: &Leaf) -> Result<(), Box<Diagnostic>> {
        let source = self.redacted_source.clone();
        let wrong = |what: &str, label: &str| Box::new(source.error(what, leaf.span.clone(), label));
        let words = |value: &Value| -> Option<Vec<String>> {
            value.as_array()?.iter().map(|it| it.as_str().map(str::to_owned)).collect()
        };
        let first = leaf.path.keys()[0].as_str();
        match (first, leaf.path.keys().len()) {
            ("schema", 1) if leaf.value.as_integer() != Some(SCHEMA) => {
                return Err(Box::new(wrong("unknown profile schema", "").help("write schema = 1")));
            }
            ("schema" | "name" | "description", 1) => {}
            ("aliases", 1) => {
                self.aliases = words(&leaf.value).ok_or_else(|| wrong("`aliases` must be an array of strings", ""))?;
                if let Some(alias) = self.aliases.iter().find(|alias| alias.parse::<EnvName>().is_err()) {
                    return Err(wrong(&format!("invalid environment name `{alias}`"), ""));
                }
            }
            ("abstract", 1) => {
                self.is_abstract = leaf.value.as_bool().ok_or_else(|| wrong("`abstract` must be a boolean", ""))?;
            }
            ("extends", 1) => {
                let name = leaf
                    .value
                    .as_str()
                    .ok_or_else(|| wrong("`extends` must be a string", "a profile extends one other profile"))?;
                self.extends = Some((name.to_owned(), leaf.span.clone()));
            }
            ("path_keys", 1) => {
                let words = words(&leaf.value).ok_or_else(|| wrong("`path_keys` must be an array of keys", ""))?;
                self.path_keys = words
                    .iter()
                    .map(|word| word.parse())
                    .collect::<Result<_, _>>()
                    .map_err(|error: super::path::InvalidPath| wrong(&error.to_string(), ""))?;
            }
            ("rebase", 1) => self.rebase(leaf).ok_or_else(|| {
                wrong("`rebase` must be an array of tables with `from` and `to`", "")
                    .help("write [{ from = \"~\", to = \"/root\" }]")
            })?,
            ("unset", 1) => {
                for word in words(&leaf.value).ok_or_else(|| wrong("`unset` must be an array of keys", ""))? {
                    let path = word.parse().map_err(|error: super::path::InvalidPath| wrong(&error.to_string(), ""))?;
                    self.rule(Op::Unset, path, leaf);
                }
            }
            (word, 1) => return Err(Box::new(unknown(&source, word, &leaf.statement))),
            ("require" | "forbid", 2) => {
                return Err(wrong("expected a condition", "").help("write { eq = true }").into());
            }
            ("require" | "forbid", count) => {
                let word = leaf.path.last();
                let check = CONSTRAINTS.iter().find(|(known, _)| *known == word).map(|(_, check)| *check);
                let known = CONSTRAINTS.map(|(word, _)| word).join(", ");
                let check = check.ok_or_else(|| {
                    source
                        .error(format!("unknown condition `{word}`"), leaf.key.clone(), "")
                        .help(format!("expected one of: {known}"))
                })?;
                let path = inner(&leaf.path.keys()[1..count - 1]).ok_or_else(|| wrong("invalid key", ""))?;
                self.rule(if first == "require" { Op::Require(check) } else { Op::Forbid(check) }, path, leaf);
            }
            ("scale", count) if count > 2 => {
                let path = inner(&leaf.path.keys()[1..count - 1]).ok_or_else(|| wrong("invalid key", ""))?;
                let part = Value::Table([(leaf.path.last().to_owned(), leaf.value.clone())].into_iter().collect());
                match self.rules.iter_mut().find(|rule| rule.op == Op::Scale && rule.path == path) {
                    Some(Rule { value: Value::Table(table), .. }) => {
                        table.insert(leaf.path.last().to_owned(), leaf.value.clone());
                    }
                    _ => {
                        self.rules.push(Rule { value: part, ..Rule::of(Op::Scale, path, leaf) });
                    }
                }
            }
            (word, _) => {
                let op = OPS.iter().find(|(known, _)| *known == word).map(|(_, op)| *op);
                // Said once for the whole table.
                let Some(op) = op else { return Ok(()) };
                let path = inner(&leaf.path.keys()[1..]).ok_or_else(|| wrong("invalid key", ""))?;
                if matches!(op, Op::Append | Op::Prepend | Op::AppendArgs) && !leaf.value.is_array() {
                    return Err(wrong(&format!("`{word}` must be an array"), "not an array")
                        .help("write [\"--env\", \"dev\"]")
                        .into());
                }
                if op == Op::Rename {
                    let to = leaf.value.as_str().and_then(|to| to.parse::<KeyPath>().ok());
                    let to = to
                        .ok_or_else(|| wrong("`rename` must be the new key", "not a key").help("write \"own.name\""))?;
                    if to.wildcard_count() > path.wildcard_count() {
                        return Err(wrong("the new key has more `*` than the old one", ""));
                    }
                }
                self.rule(op, path, leaf);
            }
        }
        Ok(())
    }

    fn rule(&mut self, op: Op, path: KeyPath, leaf: &Leaf) {
        self.rules.push(Rule::of(op, path, leaf));
    }

    fn rebase(&mut self, leaf: &Leaf) -> Option<()> {
        for item in leaf.value.as_array()? {
            item.get("from")?.as_str()?;
            item.get("to")?.as_str()?;
            self.rules.push(Rule { value: item.clone(), ..Rule::of(Op::Rebase, KeyPath::default(), leaf) });
        }
        Some(())
    }
}

/// The path that keys stand for: a quoted key with dots is a path of its own.
#[must_use]
pub fn inner(keys: &[String]) -> Option<KeyPath> {
    let mut all = Vec::new();
    for key in keys {
        if key.contains('.') || key == "*" {
            all.extend(key.parse::<KeyPath>().ok()?.keys().iter().cloned());
        } else {
            all.push(key.clone());
        }
    }
    Some(KeyPath::new(all))
}

/// Tables that mean nothing, each once, at their headers.
fn unknown_tables(document: &Document) -> Vec<Diagnostic> {
    let mut seen = std::collections::BTreeSet::new();
    let mut found = Vec::new();
    for leaf in document.leaves.iter().filter(|leaf| leaf.path.keys().len() > 1) {
        let first = leaf.path.keys()[0].as_str();
        let known = OPS.iter().any(|(word, _)| *word == first) || OTHERS.contains(&first);
        if !known && seen.insert(first.to_owned()) {
            let header = document.sections[leaf.section].header.clone();
            found.push(unknown(document.shown(), first, &header.unwrap_or(leaf.statement.clone())));
        }
    }
    found
}

fn unknown(source: &SourceText, first: &str, span: &Range<usize>) -> Diagnostic {
    let known = OPS.iter().map(|(word, _)| *word).chain(OTHERS);
    let found = source.error(format!("unknown key in a profile: `{first}`"), span.clone(), "");
    match closest_match(first, known.clone()) {
        Some(near) => found.help(format!("did you mean `{near}`?")),
        None => found.help(format!("expected one of: {}", known.collect::<Vec<_>>().join(", "))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Profile, Vec<Diagnostic>> {
        Profile::read("p", ProfileOrigin::File, &Document::parse("p.toml", text).expect("it is TOML"))
    }

    #[test]
    fn every_built_in_profile_can_be_read() {
        for (name, _) in BUILT_IN {
            let profile = Profile::built_in(name).expect("it is there");
            assert!(!profile.rules.is_empty() && profile.is_abstract == (name == "server"), "{name}");
        }
    }

    #[test]
    fn rules_come_in_the_order_of_their_application_and_the_special_ones_last() {
        let profile = read(
            "unset = ['a']\n[require]\n'x' = { eq = 1, present = true }\n[append_args]\n'c' = ['-x']\n[set]\n'a.b' = 1\n\
             's.*.k' = 2\n[set.t]\nu = 3\n[scale]\nm = { factor = 2, max = 9 }\n",
        )
        .expect("it is right");
        let shown: Vec<String> = profile.rules.iter().map(|it| format!("{} {}", it.op.word(), it.path)).collect();
        assert_eq!(
            shown,
            ["unset a", "set s.*.k", "set a.b", "set t.u", "append_args c", "scale m", "require x", "require x"]
        );
    }

    #[test]
    fn what_makes_no_sense_is_found_all_at_once() {
        let found = read(
            "schema = 2\nextend = 'x'\nabstract = 'no'\n[sett]\na = 1\n[require]\nb = { equal = 1 }\n[append]\nc = 1\n",
        )
        .expect_err("it is wrong");
        let shown: Vec<&str> = found.iter().map(|it| it.title.as_str()).collect();
        assert_eq!(
            shown,
            [
                "unknown profile schema",
                "unknown key in a profile: `extend`",
                "`abstract` must be a boolean",
                "unknown condition `equal`",
                "`append` must be an array",
                "unknown key in a profile: `sett`"
            ]
        );
        assert_eq!(found[1].help.as_deref(), Some("did you mean `extends`?"));
    }
}
