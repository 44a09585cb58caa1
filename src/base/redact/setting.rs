//! What is set behind `secrets set` and its like: a place, a name, a value.

use std::ops::Range;

use super::name::{self, Weight, weight};
use super::word::is_reference;

/// `secrets set [ENV] NAME [VALUE]`, and `vault kv put PATH NAME=VALUE`
#[derive(Default)]
pub(super) struct Setting {
    pub place: bool,
    pub name: bool,
    /// What was taken for the name may be a place, which comes first in a line of tetra.
    pub may_be_place: bool,
    /// It is a line of tetra.
    pub is_own: bool,
}

/// Options of those who keep secrets, with a value that is none.
pub(super) const OF_SETTINGS: [&str; 19] = [
    "--org",
    "--env",
    "--app",
    "-a",
    "--repo",
    "-R",
    "--dir",
    "--project",
    "--config",
    "--vault-name",
    "--name",
    "--color",
    "-n",
    "--remote",
    "-r",
    "-i",
    "--id",
    "--file",
    "--identity",
];

impl Setting {
    /// The part of an operand that is the value.
    pub(super) fn feed(&mut self, text: &str) -> Option<Range<usize>> {
        if let Some((name, value)) = text.split_once('=').filter(|(name, _)| name::is_plain(name)) {
            self.name = true;
            return Some(name.len() + 1..text.len()).filter(|_| !value.is_empty() && !is_reference(value));
        }
        // A password may be of capitals too, so only what is called like a secret is its name.
        if std::mem::take(&mut self.may_be_place) && is_variable(text) && says_secret(text) {
            return None;
        }
        if self.name {
            return Some(0..text.len()).filter(|all| !all.is_empty());
        }
        let is_name = self.place || !text.chars().any(|c| c.is_ascii_lowercase());
        self.may_be_place = is_name && !self.place && self.is_own && !says_secret(text);
        (self.place, self.name) = (true, is_name);
        None
    }
}

/// `API_KEY`, as all names of variables are written.
fn is_variable(text: &str) -> bool {
    let is_part = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    text.starts_with(|c: char| c.is_ascii_uppercase()) && text.chars().all(is_part)
}

/// Rather the name of a secret than that of a place.
fn says_secret(text: &str) -> bool {
    text.contains('_') || weight(text) != Weight::None
}
