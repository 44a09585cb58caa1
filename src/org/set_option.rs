//! `--set KEY=VALUE`.

use crate::config::Value;

use crate::config::document::Document;
use crate::config::path::{InvalidPath, KeyPath};
use crate::config::value::spelled;

/// A value that was given on the command line.
#[derive(Debug, Clone, PartialEq)]
pub struct SetOption {
    /// Its keys.
    pub path: KeyPath,
    /// What it is.
    pub value: Value,
    /// As TOML writes it; a value that was given as TOML is written as it was given.
    pub written: String,
}

impl std::fmt::Display for SetOption {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}={}", self.path, self.written)
    }
}

/// `KEY=VALUE`: a value as TOML writes it, or else a text. Braces give several values.
///
/// # Errors
///
/// Fails if there is no `=`, the key is invalid, or there is nothing between braces.
pub fn parse_set_options(given: &str) -> Result<Vec<SetOption>, InvalidPath> {
    let bad = || InvalidPath { given: given.to_owned() };
    let (key, text) = given.split_once('=').ok_or_else(bad)?;
    let path: KeyPath = key.trim().parse()?;
    let document = spelled(text).and_then(|it| Document::parse("", &format!("v = {it}\n")).ok());
    let Some(document) = document else {
        let value = Value::String(text.to_owned());
        return Ok(vec![SetOption { path, written: value.to_string(), value }]);
    };
    let written = |leaf: &crate::config::document::Leaf| document.source.text[leaf.span.clone()].to_owned();
    let inside = |keys: &[String]| KeyPath::new(path.keys().iter().chain(&keys[1..]).cloned().collect());
    let leaves = document.leaves.iter();
    let all = leaves.map(|leaf| SetOption {
        path: inside(leaf.path.keys()),
        value: leaf.value.clone(),
        written: written(leaf),
    });
    let all: Vec<SetOption> = all.collect();
    if all.is_empty() { Err(bad()) } else { Ok(all) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_is_a_value_or_a_text_and_stays_as_it_was_spelled() {
        for (text, expected) in [
            ("a.b=1", "a.b=1"),
            ("a = true", "a=true"),
            ("a=hello world", "a=\"hello world\""),
            ("a=[1, 2]", "a=[1, 2]"),
            ("a=\"x=y\"", "a=\"x=y\""),
            ("a=", "a=\"\""),
            ("a=1 # x", "a=\"1 # x\""),
            ("a=1.10", "a=1.10"),
            ("a=0x1F", "a=0x1F"),
            ("a=1_000", "a=1_000"),
            ("a=1.10.0", "a=\"1.10.0\""),
            ("a={ b = 1, c.d = 'x' }", "a.b=1 a.c.d='x'"),
        ] {
            let all: Vec<String> =
                parse_set_options(text).expect("it is one").iter().map(SetOption::to_string).collect();
            assert_eq!(all.join(" "), expected, "{text}");
        }
        for text in ["a", "=1", "a={}"] {
            assert!(parse_set_options(text).is_err(), "{text}");
        }
    }
}
