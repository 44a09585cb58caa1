//! What is different between two environments. Secrets are compared and not shown.

use std::collections::HashMap;

use crate::config::mask::Masker;

/// What happened to a variable on the way from one side to the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeKind {
    /// Only the other side has it.
    Added,
    /// Only the one side has it.
    Removed,
    /// Both have it with different values.
    Changed,
}

impl ChangeKind {
    /// Its word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Changed => "changed",
        }
    }
}

/// A variable that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VariableDiff {
    /// Its name.
    pub key: String,
    /// What happened.
    pub kind: ChangeKind,
    /// On the one side, as it may be shown.
    pub before: Option<String>,
    /// On the other side, as it may be shown.
    pub after: Option<String>,
}

/// A name and its value.
pub type KeyValue = (String, String);

/// What differs, in the order of the one side, then what only the other has.
#[must_use]
pub fn compare(one: &[KeyValue], other: &[KeyValue], cover: &Masker) -> Vec<VariableDiff> {
    let known = |all: &'_ [KeyValue]| all.iter().cloned().collect::<HashMap<String, String>>();
    let (here, there) = (known(one), known(other));
    let mut differences = Vec::new();
    for (key, before) in one {
        match there.get(key) {
            None => differences.push(difference(key, Some(before), None, cover)),
            Some(after) if after != before => {
                differences.push(difference(key, Some(before), Some(after), cover));
            }
            Some(_) => {}
        }
    }
    for (key, after) in other.iter().filter(|(key, _)| !here.contains_key(key)) {
        differences.push(difference(key, None, Some(after), cover));
    }
    differences
}

fn difference(key: &str, before: Option<&String>, after: Option<&String>, cover: &Masker) -> VariableDiff {
    let shown = |value: &String| {
        let shown = cover.variable(key, value);
        // The length tells two hidden values apart.
        if cover.masks(key) { format!("{shown} ({} characters)", value.chars().count()) } else { shown }
    };
    let change = match (before, after) {
        (None, _) => ChangeKind::Added,
        (_, None) => ChangeKind::Removed,
        _ => ChangeKind::Changed,
    };
    VariableDiff { key: key.to_owned(), kind: change, before: before.map(shown), after: after.map(shown) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_distinguished_by_length_only() {
        let pairs = |all: &[(&str, &str)]| -> Vec<KeyValue> {
            all.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
        };
        let one = pairs(&[("A", "1"), ("B", "2"), ("API_KEY", "xxxx"), ("S", "same")]);
        let other = pairs(&[("S", "same"), ("B", "3"), ("API_KEY", "yyyyyy"), ("C", "4")]);
        let found: Vec<String> = compare(&one, &other, &Masker::default())
            .iter()
            .map(|it| {
                let shown = |value: &Option<String>| value.clone().unwrap_or_default();
                format!("{} {} {} {}", it.kind.word(), it.key, shown(&it.before), shown(&it.after))
            })
            .collect();
        assert_eq!(
            found,
            ["removed A 1 ", "changed B 2 3", "changed API_KEY *** (4 characters) *** (6 characters)", "added C  4"]
        );
    }
}
