//! Where a value is in TOML: `services."web-api".command`, and patterns of it: `services.*.command`.

use std::fmt;
use std::str::FromStr;

use crate::base::fault::{FaultKind, UserFacingError};

/// The place of a value: its keys from the outside in. Items of arrays of tables are called by their number.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct KeyPath(Vec<String>);

/// An invalid path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid key `{}`", given.escape_debug())]
pub struct InvalidPath {
    /// What was given.
    pub given: String,
}

impl UserFacingError for InvalidPath {
    fn kind(&self) -> FaultKind {
        FaultKind::Usage
    }

    fn advice(&self) -> Option<String> {
        Some("separate keys with dots, and quote a key that contains a dot: `services.\"a.b\".command`".to_owned())
    }
}

impl KeyPath {
    /// The path of these keys.
    #[must_use]
    pub fn new(keys: Vec<String>) -> Self {
        Self(keys)
    }

    /// The path of fixed keys.
    #[must_use]
    pub fn of(keys: &[&str]) -> Self {
        Self(keys.iter().map(|key| (*key).to_owned()).collect())
    }

    /// The keys.
    #[must_use]
    pub fn keys(&self) -> &[String] {
        &self.0
    }

    /// The path one key deeper.
    #[must_use]
    pub fn join(&self, key: &str) -> Self {
        let mut keys = self.0.clone();
        keys.push(key.to_owned());
        Self(keys)
    }

    /// The path around it; none for the root.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        Some(Self(self.0.split_last()?.1.to_vec()))
    }

    /// The innermost key; empty for the root.
    #[must_use]
    pub fn last(&self) -> &str {
        self.0.last().map_or("", String::as_str)
    }

    /// The path without its first keys.
    #[must_use]
    pub fn suffix(&self, first: usize) -> Self {
        Self(self.0.get(first..).unwrap_or_default().to_vec())
    }

    /// The keys as TOML writes them; a `*` is a key as any other.
    #[must_use]
    pub fn to_toml(&self) -> String {
        self.0.iter().map(|key| quoted(key)).collect::<Vec<_>>().join(".")
    }

    /// True if it is inside of `outer`, or is it.
    #[must_use]
    pub fn is_within(&self, outer: &Self) -> bool {
        self.0.starts_with(&outer.0)
    }

    /// True if a pattern fits: `*` means exactly one key.
    #[must_use]
    pub fn matches(&self, pattern: &Self) -> bool {
        self.0.len() == pattern.0.len()
            && self.0.iter().zip(&pattern.0).all(|(key, wanted)| wanted == "*" || wanted == key)
    }

    /// True if a pattern fits it, or a table around it.
    #[must_use]
    pub fn is_below(&self, pattern: &Self) -> bool {
        let depth = pattern.0.len();
        self.0.len() >= depth && Self(self.0[..depth].to_vec()).matches(pattern)
    }

    /// Where a path goes that `from` fits: each `*` of `to` is the key that matches one of `from`, in their order; none if there
    /// are too few.
    #[must_use]
    pub fn replace_prefix(&self, from: &Self, to: &Self) -> Option<Self> {
        let mut keys = self.0.iter().zip(&from.0).filter(|(_, wanted)| *wanted == "*").map(|(key, _)| key);
        let moved = to.0.iter().map(|key| if key == "*" { keys.next().cloned() } else { Some(key.clone()) });
        moved.collect::<Option<_>>().map(Self)
    }

    /// How many keys are `*`.
    #[must_use]
    pub fn wildcard_count(&self) -> usize {
        self.0.iter().filter(|key| *key == "*").count()
    }
}

impl fmt::Display for KeyPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, key) in self.0.iter().enumerate() {
            if number > 0 {
                f.write_str(".")?;
            }
            if key == "*" { f.write_str("*")? } else { f.write_str(&quoted(key))? }
        }
        Ok(())
    }
}

/// A key as TOML writes it.
#[must_use]
pub fn quoted(key: &str) -> String {
    toml_edit::Key::new(key).display_repr().into_owned()
}

impl FromStr for KeyPath {
    type Err = InvalidPath;

    fn from_str(given: &str) -> Result<Self, InvalidPath> {
        let bad = || InvalidPath { given: given.to_owned() };
        let mut keys = Vec::new();
        let mut rest = given;
        loop {
            let end = match rest.chars().next() {
                Some(quote @ ('"' | '\'')) => rest[1..].find(quote).map(|at| at + 2).ok_or_else(bad)?,
                _ => rest.find('.').unwrap_or(rest.len()),
            };
            let (word, after) = rest.split_at(end);
            keys.push(if word == "*" { word.to_owned() } else { key(word).ok_or_else(bad)? });
            match after.strip_prefix('.') {
                Some(next) => rest = next,
                None if after.is_empty() => return Ok(Self(keys)),
                None => return Err(bad()),
            }
        }
    }
}

fn key(word: &str) -> Option<String> {
    let keys = toml_edit::Key::parse(word).ok()?;
    (keys.len() == 1).then(|| keys[0].get().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> KeyPath {
        text.parse().expect("it is a path")
    }

    #[test]
    fn reads_what_it_writes() {
        for text in
            ["a", "services.tetra.command", "services.\"a.b\".x", "services.*.env_file", "hosts.0.name", "\"ä\".b"]
        {
            assert_eq!(path(text).to_string(), text);
        }
        assert_eq!(path("a.'b c'").keys(), ["a", "b c"]);
    }

    #[test]
    fn refuses_what_is_not_a_path() {
        for text in ["", ".", "a.", ".a", "a..b", "a b", "\"a", "a.\"b\"c"] {
            assert!(text.parse::<KeyPath>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_star_is_exactly_one_key() {
        assert!(path("services.web.command").matches(&path("services.*.command")));
        assert!(!path("services.command").matches(&path("services.*.command")));
        assert!(!path("services.a.b.command").matches(&path("services.*.command")));
    }
}
