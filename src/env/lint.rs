//! What is wrong with an env file.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use crate::base::diagnostic::{Diagnostic, SourceText};
use crate::base::dotenv;
use crate::base::redact;
use crate::config::expand::Resolver;

use super::project::{EnvPlan, PlannedLine};
use crate::config::mask;
use crate::config::patterns;

/// What programs of such a project usually need.
const USUAL: [&str; 3] = ["NODE_ENV", "PORT", "TETRA_ENV"];

/// An env file and what it is measured by.
#[derive(Debug, Clone, Copy)]
pub struct LintInput<'a> {
    /// How messages call the file.
    pub name: &'a str,
    /// The environment that it is for.
    pub env: &'a str,
    /// Its text.
    pub text: &'a str,
    /// Its settings with their places.
    pub entries: &'a [dotenv::SpannedEnvVar],
    /// Where it should come from, if that is known.
    pub plan: Option<&'a EnvPlan>,
    /// The values of other environments: name of the environment, variable, value.
    pub others: &'a [(String, String, String)],
}

/// Everything that is wrong or worth a look, in the order of the file.
#[must_use]
pub fn lint(subject: &LintInput) -> Vec<Diagnostic> {
    let mut found = check_values(subject);
    found.extend(missing_secret_markers(subject));
    found.extend(against_plan(subject));
    for key in USUAL {
        let planned = subject.plan.is_some_and(|plan| keys(plan).any(|(planned, _)| planned == key));
        if !planned && !has_key(subject, key) {
            let title = format!("`{key}` is not set in {}", subject.name);
            found.push(Diagnostic { labels: Vec::new(), ..source(subject).warning(title, 0..0, "") });
        }
    }
    found
}

fn source(subject: &LintInput) -> SourceText {
    SourceText::new(subject.name, mask::env_values(subject.text))
}

fn has_key(subject: &LintInput, key: &str) -> bool {
    subject.entries.iter().any(|entry| entry.variable.key == key)
}

fn check_values(subject: &LintInput) -> Vec<Diagnostic> {
    let source = source(subject);
    let mut first: HashMap<&str, &Range<usize>> = HashMap::new();
    let mut found = Vec::new();
    for entry in subject.entries {
        let (key, value) = (entry.variable.key.as_str(), entry.variable.value.as_str());
        if let Some(before) = first.insert(key, &entry.span) {
            let twice = source.error(format!("`{key}` is set twice"), entry.span.clone(), "this one is used");
            found.push(twice.with_label(before.clone(), "first set here").help("remove one of them"));
        }
        let mut say = |title: String, help: &str| {
            found.push(source.error(title, entry.value.clone(), "").help(help.to_owned()));
        };
        if patterns::is_placeholder(value) {
            say(
                format!("`{key}` is still a placeholder"),
                &format!("set it, or run `tetra secrets set {} {key}` and init again", subject.env),
            );
        } else if value.contains("${") && !is_intentional(subject, key, value) {
            say(format!("`{key}` contains an unresolved expansion"), "define it in tetra.toml and init again");
        } else if is_unbalanced(value) {
            say(format!("`{key}` contains an unmatched `}}`"), "it is the rest of a broken expansion");
        } else if is_port(key) && value.parse::<u16>().map_or(true, |port| port == 0) {
            say(format!("`{key}` is not a valid port"), "write a number from 1 to 65535");
        }
        if redact::is_secret_name(key)
            && value.len() >= mask::MIN_SECRET_LENGTH
            && let Some((env, other, _)) = subject.others.iter().find(|(_, _, known)| known == value)
        {
            let title = format!("`{key}` is the same secret as `{other}` of {env}");
            found.push(source.warning(title, entry.value.clone(), "").help("each environment has secrets of its own"));
        }
    }
    found
}

/// The source says so: dollars may be for themselves.
fn is_intentional(subject: &LintInput, key: &str, value: &str) -> bool {
    let Some(plan) = subject.plan else { return false };
    let mut known = keys(plan).filter(|(planned, _)| *planned == key);
    known.any(|(_, id)| Resolver::new(&plan.scope).value(id).is_ok_and(|meant| meant.text == value))
}

fn is_port(key: &str) -> bool {
    key == "PORT" || key.ends_with("_PORT")
}

/// More closing braces than opening ones at some point.
fn is_unbalanced(value: &str) -> bool {
    let mut open = 0_u32;
    value.chars().any(|c| match c {
        '{' => {
            open += 1;
            false
        }
        '}' if open == 0 => true,
        '}' => {
            open -= 1;
            false
        }
        _ => false,
    })
}

/// Lines that say that a secret was missing when the file was made.
fn missing_secret_markers(subject: &LintInput) -> Vec<Diagnostic> {
    let source = source(subject);
    let mut found = Vec::new();
    let mut at = 0;
    for line in subject.text.split_inclusive('\n') {
        if let Some(what) = line.strip_prefix("# MISSING ") {
            let key = what.split_whitespace().next().unwrap_or_default();
            let secret = what.split_once("(secret ").and_then(|(_, rest)| rest.split_once(')')).map_or(key, |it| it.0);
            let span = at..at + line.trim_end().len();
            let help = format!("`tetra secrets set {} {secret}`, then init again", subject.env);
            found.push(source.error(format!("`{key}` is missing: the secret does not exist"), span, "").help(help));
        }
        at += line.len();
    }
    found
}

fn keys(plan: &EnvPlan) -> impl Iterator<Item = (&str, usize)> {
    plan.lines.iter().filter_map(|line| match line {
        PlannedLine::Variable(key, id) => Some((key.as_str(), *id)),
        PlannedLine::Verbatim(_) => None,
    })
}

fn against_plan(subject: &LintInput) -> Vec<Diagnostic> {
    let Some(plan) = subject.plan else { return Vec::new() };
    let marks = subject.text.lines().filter_map(|line| line.strip_prefix("# MISSING ")?.split_whitespace().next());
    let there: HashSet<&str> = subject.entries.iter().map(|entry| entry.variable.key.as_str()).chain(marks).collect();
    let planned: HashSet<&str> = keys(plan).map(|(key, _)| key).collect();
    let mut found = Vec::new();
    for (key, id) in keys(plan) {
        if !there.contains(key) {
            let definition = &plan.scope.definitions[id];
            let title = format!("`{key}` is missing in {}", subject.name);
            let origin = &plan.scope.sources[definition.source];
            let missing = origin.error(title, definition.span.clone(), "defined here");
            found.push(missing.help("init the environment again"));
        }
    }
    for entry in subject.entries {
        if !planned.contains(entry.variable.key.as_str()) {
            let title = format!("`{}` is not in {}", entry.variable.key, plan.from);
            found.push(source(subject).warning(title, entry.span.clone(), ""));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advice_names_the_environment() {
        let text = "KEY=CHANGE_ME\n# MISSING B (secret C)\n";
        let entries = dotenv::entries(text).expect("well formed");
        let found = lint(&LintInput { name: "env/x.env", env: "x", text, entries: &entries, plan: None, others: &[] });
        let said = format!("{found:?}");
        for line in ["tetra secrets set x KEY`", "tetra secrets set x C`"] {
            assert!(said.contains(line), "{said}");
        }
    }

    fn titles(text: &str) -> Vec<String> {
        let entries = dotenv::entries(text).expect("well formed");
        let others = [("dev".to_owned(), "KEY".to_owned(), "s3cr3t-value".to_owned())];
        let subject = LintInput { name: "env/x.env", env: "x", text, entries: &entries, plan: None, others: &others };
        let found = lint(&subject);
        assert!(!format!("{found:?}").contains("s3cr3t"), "{found:?}");
        found.into_iter().map(|it| it.title).filter(|title| !title.contains("is not set")).collect()
    }

    #[test]
    fn the_marks_of_broken_resolution_are_found() {
        assert_eq!(titles("PORT=\"}/8000}\""), ["`PORT` contains an unmatched `}`"]);
        assert_eq!(titles("D=\"staging.}/x.com}\""), ["`D` contains an unmatched `}`"]);
        assert_eq!(titles("J='{\"a\":{}}'"), [""; 0]);
        assert_eq!(titles("D='a${X}'"), ["`D` contains an unresolved expansion"]);
        assert_eq!(titles("A=1\nA=2"), ["`A` is set twice"]);
        assert_eq!(
            titles("PORT=http\nDB_PORT=0\nWEB_PORT=80"),
            ["`PORT` is not a valid port", "`DB_PORT` is not a valid port"]
        );
        assert_eq!(titles("K=your_key_here"), ["`K` is still a placeholder"]);
        assert_eq!(titles("# MISSING K (secret DEV_K)"), ["`K` is missing: the secret does not exist"]);
        assert_eq!(titles("API_KEY=s3cr3t-value"), ["`API_KEY` is the same secret as `KEY` of dev"]);
    }

    #[test]
    fn what_is_usual_and_absent_is_a_warning() {
        let subject = LintInput { name: "x", env: "x", text: "PORT=1", entries: &[], plan: None, others: &[] };
        assert_eq!(lint(&subject).len(), 3);
    }
}
