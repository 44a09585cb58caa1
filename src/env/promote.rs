//! From one environment to the next: every variable is resolved anew, kept, derived or put before a person. Secrets never move.

use std::collections::BTreeMap;

use crate::base::environment::{EnvName, Tier};
use crate::base::redact;

use super::compare::KeyValue;
use super::generate::Generated;

/// What is known about both sides.
#[derive(Debug, Clone, Copy)]
pub struct PromotionPair<'a> {
    /// Where it comes from.
    pub from: &'a EnvName,
    /// Where it goes.
    pub to: &'a EnvName,
    /// The variables of the one side.
    pub source_values: &'a [KeyValue],
    /// What the source says for the other side.
    pub source: Option<&'a Generated>,
    /// What the other side has now.
    pub target_values: &'a [KeyValue],
    /// The secrets of the other side.
    pub secrets: &'a BTreeMap<String, String>,
    /// Variables that a person looked at and lets pass.
    pub accepted: &'a [String],
    /// How careful to be on the other side.
    pub tier: Option<Tier>,
}

/// What becomes of a variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PromotionAction {
    /// The source says it for the other side.
    Resolved,
    /// The other side has a value of its own.
    Kept,
    /// It follows from the value on this side.
    Derived,
    /// A person let it pass as it is.
    Accepted,
    /// It is for finding errors, and stays behind.
    Dropped,
    /// A secret of the other side.
    Secret,
    /// A secret that the other side does not have.
    Missing,
    /// A person has to look at it.
    Review,
}

impl PromotionAction {
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
pub struct PromotionStep {
    /// Its name.
    pub key: String,
    /// What becomes of it.
    pub action: PromotionAction,
    /// On this side.
    pub before: Option<String>,
    /// On the other side; none if it is dropped or missing.
    pub after: Option<String>,
    /// It may not be shown.
    pub secret: bool,
}

/// What becomes of every variable: in the order of this side, then what only the source of the other side has.
#[must_use]
pub fn plan_steps(sides: &PromotionPair) -> Vec<PromotionStep> {
    let source = |key: &str| sides.source?.variables.iter().find(|variable| variable.key == key);
    let mut steps = Vec::new();
    for (key, before) in sides.source_values {
        let known = source(key);
        let secret = known.map_or_else(|| redact::is_secret_name(key), |variable| variable.secret);
        let (action, after) = match known {
            Some(variable) => match &variable.value {
                Some(value) => (PromotionAction::Resolved, Some(value.clone())),
                None => (PromotionAction::Missing, None),
            },
            None if secret => from_secret(sides, key),
            None => copied(sides, key, before),
        };
        steps.push(PromotionStep { key: key.clone(), action, before: Some(before.clone()), after, secret });
    }
    let only_there = sides.source.iter().flat_map(|source| &source.variables);
    for variable in only_there.filter(|variable| !sides.source_values.iter().any(|(key, _)| *key == variable.key)) {
        let action = if variable.value.is_some() { PromotionAction::Resolved } else { PromotionAction::Missing };
        let (key, after) = (variable.key.clone(), variable.value.clone());
        steps.push(PromotionStep { key, action, before: None, after, secret: variable.secret });
    }
    steps
}

fn from_secret(sides: &PromotionPair, key: &str) -> (PromotionAction, Option<String>) {
    match sides.secrets.get(key) {
        Some(value) => (PromotionAction::Secret, Some(value.clone())),
        None => (PromotionAction::Missing, None),
    }
}

fn copied(sides: &PromotionPair, key: &str, value: &str) -> (PromotionAction, Option<String>) {
    if let Some((_, own)) = sides.target_values.iter().find(|(name, _)| name == key) {
        return (PromotionAction::Kept, Some(own.clone()));
    }
    if is_for_debugging(key, value) && matches!(sides.tier, Some(Tier::Staging | Tier::Prod)) {
        return (PromotionAction::Dropped, None);
    }
    let derived = derive(key, value, sides.from, sides.to);
    if derived != value {
        return (PromotionAction::Derived, Some(derived));
    }
    let accepted = sides.accepted.iter().any(|accepted| accepted == key || accepted == "all");
    (if accepted { PromotionAction::Accepted } else { PromotionAction::Review }, Some(derived))
}

fn is_for_debugging(key: &str, value: &str) -> bool {
    let level = key.ends_with("LOG_LEVEL") && matches!(value.to_ascii_lowercase().as_str(), "debug" | "trace");
    level || key.split('_').any(|word| word == "DEBUG")
}

/// What a value of one environment is in another, as far as that follows from it.
#[must_use]
pub fn derive(key: &str, value: &str, from: &EnvName, to: &EnvName) -> String {
    let names = |env: &EnvName| {
        let long = match env.tier() {
            Some(Tier::Local | Tier::Dev) => "development",
            Some(Tier::Prod) => "production",
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
    let host = if to.tier() == Some(Tier::Prod) { String::new() } else { format!("{to_short}.") };
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
            assert_eq!(derive(key, value, &env("dev"), &env(to)), expected, "{key}={value} to {to}");
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
        let sides = PromotionPair {
            from: &from,
            to: &to,
            source_values: &here,
            source: None,
            target_values: &[pair(("OWN", "2"))],
            secrets: &secrets,
            accepted: &["SIZE".to_owned()],
            tier: to.tier(),
        };
        let found: Vec<(String, &str, Option<String>)> =
            plan_steps(&sides).into_iter().map(|step| (step.key, step.action.word(), step.after)).collect();
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
