//! Profiles: what an environment changes, as data.

mod keys;

use std::ops::Range;

use crate::base::sort::SortExt;
use crate::config::Value;

use crate::base::diagnostic::{Diagnostic, SourceText};
use crate::config::document::{Document, Leaf};
use crate::config::path::KeyPath;

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

impl Op {
    /// The word of the format.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Unset => "unset",
            Self::Rebase => "rebase",
            Self::Require(_) => "require",
            Self::Forbid(_) => "forbid",
            Self::Set => "set",
            Self::Default => "default",
            Self::AppendArgs => "append_args",
            Self::Append => "append",
            Self::Prepend => "prepend",
            Self::Scale => "scale",
            Self::Rename => "rename",
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
            if let Err(error) = keys::read(&mut profile, leaf) {
                found.push(error.diagnostic(document.shown(), leaf));
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
        profile.rules.order_by_key(order);
        if found.is_empty() { Ok(profile) } else { Err(found) }
    }

    fn rule(&mut self, op: Op, path: KeyPath, leaf: &Leaf) {
        self.rules.push(Rule::of(op, path, leaf));
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
        let known = keys::KEYS.iter().any(|(name, _)| *name == first);
        if !known && seen.insert(first.to_owned()) {
            let header = document.sections[leaf.section].header.clone();
            let place = Leaf { span: header.unwrap_or(leaf.statement.clone()), ..leaf.clone() };
            found.push(keys::unknown(first).diagnostic(document.shown(), &place));
        }
    }
    found
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
