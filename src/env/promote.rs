//! From one environment to the next: every variable is resolved anew, kept, derived or put before a person. Secrets never move.

use std::collections::BTreeMap;

use crate::base::environment::{EnvName, Rung};
use crate::base::redact;

use super::compare::Pair;
use super::generate::Generated;

/// What is known about both sides.
#[derive(Debug, Clone, Copy)]
pub struct Sides<'a> {
    /// Where it comes from.
    pub from: &'a EnvName,
    /// Where it goes.
    pub to: &'a EnvName,
    /// The variables of the one side.
    pub here: &'a [Pair],
    /// What the source says for the other side.
    pub source: Option<&'a Generated>,
    /// What the other side has now.
    pub there: &'a [Pair],
    /// The secrets of the other side.
    pub secrets: &'a BTreeMap<String, String>,
    /// Variables that a person looked at and lets pass.
    pub accepted: &'a [String],
    /// How careful to be on the other side.
    pub rung: Option<Rung>,
}

/// What becomes of a variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// The source says it for the other side.
    Resolved,
    /// The other side has a value of its own.
    Kept,
    /// It follows from the value on this side.
    Derived,
    /// A person let it pass as it is.
    Accepted,
    /// It is for finding mistakes, and stays behind.
    Dropped,
    /// A secret of the other side.
    Secret,
    /// A secret that the other side does not have.
    Missing,
    /// A person has to look at it.
    Review,
}

impl Action {
    /// Its word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Resolved => "resolved",
            Self::Kept => "kept",
            Self::Derived => "derived",
            Self::Accepted => "accepted",
            Self::Dropped => "dropped",
            Self::Secret => "secret",
            Self::Missing => "missing",
            Self::Review => "review",
        }
    }
}

/// One variable on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Its name.
    pub key: String,
    /// What becomes of it.
    pub action: Action,
    /// On this side.
    pub before: Option<String>,
    /// On the other side; none if it is dropped or missing.
    pub after: Option<String>,
    /// It may not be shown.
    pub secret: bool,
}

/// What becomes of every variable: in the order of this side, then what only the source of the other side has.
#[must_use]
pub fn steps(sides: &Sides) -> Vec<Step> {
    let source = |key: &str| sides.source?.variables.iter().find(|variable| variable.key == key);
    let mut steps = Vec::new();
    for (key, before) in sides.here {
        let known = source(key);
        let secret = known.map_or_else(|| redact::is_secret_name(key), |variable| variable.secret);
        let (action, after) = match known {
            Some(variable) => match &variable.value {
                Some(value) => (Action::Resolved, Some(value.clone())),
                None => (Action::Missing, None),
            },
            None if secret => injected(sides, key),
            None => carried(sides, key, before),
        };
        steps.push(Step { key: key.clone(), action, before: Some(before.clone()), after, secret });
    }
    let only_there = sides.source.iter().flat_map(|source| &source.variables);
    for variable in only_there.filter(|variable| !sides.here.iter().any(|(key, _)| *key == variable.key)) {
        let action = if variable.value.is_some() { Action::Resolved } else { Action::Missing };
        let (key, after) = (variable.key.clone(), variable.value.clone());
        steps.push(Step { key, action, before: None, after, secret: variable.secret });
    }
    steps
}

fn injected(sides: &Sides, key: &str) -> (Action, Option<String>) {
    match sides.secrets.get(key) {
        Some(value) => (Action::Secret, Some(value.clone())),
        None => (Action::Missing, None),
    }
}

fn carried(sides: &Sides, key: &str, value: &str) -> (Action, Option<String>) {
    if let Some((_, own)) = sides.there.iter().find(|(name, _)| name == key) {
        return (Action::Kept, Some(own.clone()));
    }
    if is_for_debugging(key, value) && matches!(sides.rung, Some(Rung::Staging | Rung::Prod)) {
        return (Action::Dropped, None);
    }
    let derived = derive(key, value, (sides.from, sides.to));
    if derived != value {
        return (Action::Derived, Some(derived));
    }
    let accepted = sides.accepted.iter().any(|accepted| accepted == key || accepted == "all");
    (if accepted { Action::Accepted } else { Action::Review }, Some(derived))
}

fn is_for_debugging(key: &str, value: &str) -> bool {
    let level = key.ends_with("LOG_LEVEL") && matches!(value.to_ascii_lowercase().as_str(), "debug" | "trace");
    level || key.split('_').any(|word| word == "DEBUG")
}

/// What a value of one environment is in another, as far as that follows from it.
#[must_use]
pub fn derive(key: &str, value: &str, (from, to): (&EnvName, &EnvName)) -> String {
    let names = |env: &EnvName| {
        let long = match env.rung() {
            Some(Rung::Local | Rung::Dev) => "development",
            Some(Rung::Prod) => "production",
            _ => env.as_str(),
        };
        (env.as_str().to_owned(), long.to_owned())
    };
    let ((short, long), (to_short, to_long)) = (names(from), names(to));
    if key == "NODE_ENV" {
        return to_long;
    }
    if key == "TETRA_ENV" {
        return to_short;
    }
    let is_name = key.ends_with("ENV") || key.ends_with("ENVIRONMENT") || key == "USER" || key.ends_with("_USER");
    if is_name && value == short {
        return to_short;
    }
    if is_name && value == long {
        return to_long;
    }
    let value = value.replace(&format!("/home/{short}/"), &format!("/home/{to_short}/"));
    let host = if to.rung() == Some(Rung::Prod) { String::new() } else { format!("{to_short}.") };
    replace_label(&value, &format!("{short}."), &host)
}

/// Replaces the first label of host names.
fn replace_label(text: &str, label: &str, with: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(label) {
        let (before, after) = (&rest[..at], &rest[at + label.len()..]);
        let is_inside = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '/');
        let glued = before.ends_with(is_inside) || (before.is_empty() && out.ends_with(is_inside));
        let begins = !glued || before.ends_with("://");
        // A host has another label behind; a file name like `dev.env` has its ending there.
        let host: String = after.chars().take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-')).collect();
        let is_host = host.contains('.') && !host.starts_with('.');
        out.push_str(before);
        out.push_str(if begins && is_host { with } else { label });
        rest = after;
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(name: &str) -> EnvName {
        name.parse().expect("a name")
    }

    #[test]
    fn what_follows_from_a_value() {
        for (key, value, to, expected) in [
            ("NODE_ENV", "development", "staging", "staging"),
            ("NODE_ENV", "development", "prod", "production"),
            ("TETRA_ENV", "dev", "prod", "prod"),
            ("APP_ENV", "dev", "staging", "staging"),
            ("USER", "dev", "prod", "prod"),
            ("DOMAIN_NAME", "dev.pixeljam.com", "staging", "staging.pixeljam.com"),
            ("DOMAIN_NAME", "dev.pixeljam.com", "prod", "pixeljam.com"),
            ("URL", "https://dev.pixeljam.com/x?y=dev.pixeljam.com", "prod", "https://pixeljam.com/x?y=pixeljam.com"),
            ("PD_DIR", "/home/dev/pd", "staging", "/home/staging/pd"),
            ("X", "webdev.pixeljam.com", "prod", "webdev.pixeljam.com"),
            ("X", "env/dev.env", "prod", "env/dev.env"),
            ("PORT", "8000", "prod", "8000"),
        ] {
            assert_eq!(derive(key, value, (&env("dev"), &env(to))), expected, "{key}={value} to {to}");
        }
    }

    #[test]
    fn secrets_stay_and_literals_are_put_before_a_person() {
        let pair = |(key, value): (&str, &str)| (key.to_owned(), value.to_owned());
        let here = [
            ("NODE_ENV", "development"),
            ("API_KEY", "of dev"),
            ("DB_PASSWORD", "of dev"),
            ("DEBUG", "1"),
            ("LOG_LEVEL", "debug"),
            ("COLOR", "red"),
            ("SIZE", "1"),
            ("OWN", "1"),
        ]
        .map(pair);
        let secrets = [pair(("API_KEY", "of staging"))].into_iter().collect();
        let (from, to) = (env("dev"), env("staging"));
        let sides = Sides {
            from: &from,
            to: &to,
            here: &here,
            source: None,
            there: &[pair(("OWN", "2"))],
            secrets: &secrets,
            accepted: &["SIZE".to_owned()],
            rung: to.rung(),
        };
        let found: Vec<(String, &str, Option<String>)> =
            steps(&sides).into_iter().map(|step| (step.key, step.action.word(), step.after)).collect();
        let expected = [
            ("NODE_ENV", "derived", Some("staging")),
            ("API_KEY", "secret", Some("of staging")),
            ("DB_PASSWORD", "missing", None),
            ("DEBUG", "dropped", None),
            ("LOG_LEVEL", "dropped", None),
            ("COLOR", "review", Some("red")),
            ("SIZE", "accepted", Some("1")),
            ("OWN", "kept", Some("2")),
        ];
        assert_eq!(found, expected.map(|(key, action, after)| (key.to_owned(), action, after.map(str::to_owned))));
    }
}
