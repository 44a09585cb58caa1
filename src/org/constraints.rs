//! What must hold, and what must not, when everything is done.

use crate::config::Value;

use super::draft::{Draft, Layer, OVERRIDES, ProfileChain};
use super::profile::{Constraint, Op, Profile, Rule};
use crate::base::diagnostic::Diagnostic;
use crate::config::path::KeyPath;
use crate::config::secret;
use crate::config::value::same;

/// Every condition of a chain that does not hold.
#[must_use]
pub fn check_constraints(draft: &Draft, chain: &ProfileChain) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for profile in &chain.profiles {
        for rule in &profile.rules {
            let (check, wanted) = match rule.op {
                Op::Require(check) => (check, true),
                Op::Forbid(check) => (check, false),
                _ => continue,
            };
            for path in draft.targets(&rule.path) {
                let value = draft.value(&path);
                // What is not there violates what must hold, and nothing that must not.
                let absent = value.is_none() && check != Constraint::Present;
                let holds = if absent { !wanted } else { holds(check, value, &rule.value) == wanted };
                if !holds {
                    found.push(describe(draft, chain, profile, rule, &path));
                }
            }
        }
    }
    found
}

fn holds(check: Constraint, value: Option<&Value>, wanted: &Value) -> bool {
    let Some(value) = value else { return wanted.as_bool() == Some(false) };
    let among = |item: &Value| wanted.as_array().is_some_and(|all| all.contains(item));
    match check {
        Constraint::Eq => same(value, wanted),
        Constraint::Not => !same(value, wanted),
        Constraint::In => among(value),
        Constraint::NoneOf => match value {
            Value::Array(items) => !items.iter().any(among),
            other => !among(other),
        },
        Constraint::Min => compare(value, wanted).is_some_and(std::cmp::Ordering::is_ge),
        Constraint::Max => compare(value, wanted).is_some_and(std::cmp::Ordering::is_le),
        Constraint::MinLen => {
            let length = value.as_array().map(Vec::len).or_else(|| value.as_str().map(str::len)).unwrap_or(0);
            wanted.as_integer().is_some_and(|wanted| i64::try_from(length).unwrap_or(i64::MAX) >= wanted)
        }
        Constraint::Present => wanted.as_bool() != Some(false),
    }
}

fn compare(value: &Value, wanted: &Value) -> Option<std::cmp::Ordering> {
    match (value, wanted) {
        (Value::Integer(value), Value::Integer(wanted)) => Some(value.cmp(wanted)),
        (Value::Float(value), Value::Float(wanted)) => value.partial_cmp(wanted),
        _ => None,
    }
}

fn describe(draft: &Draft, chain: &ProfileChain, profile: &Profile, rule: &Rule, path: &KeyPath) -> Diagnostic {
    let (word, check) = match rule.op {
        Op::Forbid(check) => ("forbid", check),
        Op::Require(check) => ("require", check),
        _ => ("", Constraint::Eq),
    };
    let title = format!(
        "`{path}` does not meet a rule of the profile `{}`: {word} {} {}",
        profile.name,
        check.word(),
        rule.value
    );
    let cell = draft.values.get(path);
    let now = cell.and_then(|cell| cell.value.as_ref());
    let label = match now {
        None => "not set".to_owned(),
        Some(value) if secret::is_secret(path.last(), value) => "it has another value".to_owned(),
        Some(value) => format!("it is {value}"),
    };
    let last = cell.and_then(|cell| cell.changes.last());
    let from = match last {
        Some(step) => match (step.layer, &step.span) {
            (Layer::Profile(number), Some(span)) => Some((&chain.profiles[number].redacted_source, span.clone())),
            (Layer::Override, Some(span)) => Some((draft.document.shown(), span.clone())),
            _ => None,
        },
        None => None,
    };
    let leaf = cell.and_then(|cell| cell.leaf).map(|leaf| &draft.document.leaves[leaf]);
    let written = leaf.filter(|leaf| leaf.path.keys()[0] != OVERRIDES);
    match (from, written) {
        (Some((source, span)), _) => source.error(title, span, label),
        (None, Some(leaf)) => draft.document.shown().error(title, leaf.span.clone(), label),
        (None, None) => profile.redacted_source.error(title, rule.span.clone(), label),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::document::Document;
    use crate::org::profile::ProfileOrigin;

    fn count(text: &str, rules: &str) -> usize {
        let document = Document::parse("local.toml", text).expect("TOML");
        let rules = Document::parse("p.toml", rules).expect("TOML");
        let chain =
            ProfileChain { profiles: vec![Profile::read("p", ProfileOrigin::File, &rules).expect("a profile")] };
        check_constraints(&Draft::new(&document), &chain).len()
    }

    #[test]
    fn each_condition_holds_or_does_not() {
        for (text, rules, expected) in [
            ("a = true", "[require]\na = { eq = true }", 0),
            ("a = false", "[require]\na = { eq = true }", 1),
            ("", "[require]\na = { eq = true }", 1),
            ("", "[forbid]\na = { eq = true }", 0),
            ("", "[require]\na = { present = false }", 0),
            ("a = 1", "[require]\na = { present = false }", 1),
            ("u = 'root'", "[require]\nu = { not = 'root' }", 1),
            ("l = 'debug'", "[forbid]\nl = { in = ['debug', 'trace'] }", 1),
            ("l = 'warn'", "[forbid]\nl = { in = ['debug', 'trace'] }", 0),
            ("i = ['0.0.0.0/0', '10.0.0.0/8']", "[require]\ni = { none_of = ['0.0.0.0/0'], min_len = 3 }", 2),
            ("d = 89", "[require]\nd = { min = 90, max = 100 }", 1),
            ("[s.a]\nk = 1\n[s.b]\nk = 2", "[require]\n's.*.k' = { eq = 1 }", 1),
        ] {
            assert_eq!(count(text, rules), expected, "{text} / {rules}");
        }
    }
}
