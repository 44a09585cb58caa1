//! What the known keys of an environment hold; those of services aside, which are those of a process. Other keys are the
//! operator's own.

use crate::config::Value;

use super::draft::{Draft, Layer, OVERRIDES, ProfileChain};
use super::known_keys::{TABLES, ValueType, keys};
use super::{alias, shape};
use crate::base::diagnostic::{Diagnostic, SourceText};
use crate::base::suggest::closest_match;
use crate::config::document::{Document, Leaf};
use crate::config::path::KeyPath;

/// Everything that is wrong, and what may be.
#[must_use]
pub fn check(document: &Document) -> Vec<Diagnostic> {
    let keys = keys();
    let mut found: Vec<Diagnostic> =
        document.leaves.iter().filter_map(|leaf| type_error(document, leaf, &keys)).collect();
    found.extend(typos(document, &keys));
    found.extend(shape::shape_errors(document));
    found
}

/// Tables and keys that look like slips of known ones. Others are the operator's own.
fn typos(document: &Document, keys: &[(KeyPath, ValueType)]) -> Vec<Diagnostic> {
    let mut seen = std::collections::BTreeSet::new();
    let mut found = Vec::new();
    for leaf in document.leaves.iter().filter(|leaf| leaf.path.keys().len() > 1) {
        let first = leaf.path.keys()[0].as_str();
        if TABLES.contains(&first) {
            found.extend(key_typo(document, leaf, keys));
        } else if let Some(near) = closest_match(first, TABLES).filter(|_| seen.insert(first.to_owned())) {
            let header = document.sections[leaf.section].header.clone().unwrap_or(leaf.statement.clone());
            let warning = document.shown().warning(format!("unknown table `{first}`"), header, "");
            found.push(warning.help(format!("did you mean `{near}`?")));
        }
    }
    found
}

fn key_typo(document: &Document, leaf: &Leaf, keys: &[(KeyPath, ValueType)]) -> Option<Diagnostic> {
    let around = leaf.path.parent()?;
    let siblings = || keys.iter().filter(|(path, _)| path.parent().is_some_and(|table| around.matches(&table)));
    if alias::canonical(&leaf.path).is_some() || siblings().any(|(path, _)| leaf.path.matches(path)) {
        return None;
    }
    let near = closest_match(leaf.path.last(), siblings().map(|(path, _)| path.last()))?;
    let near_enough = strsim::damerau_levenshtein(near, leaf.path.last()) <= 2;
    let warning = document.shown().warning(format!("unknown key `{}`", leaf.path), leaf.key.clone(), "");
    near_enough.then(|| warning.help(format!("did you mean `{near}`?")))
}

fn type_error(document: &Document, leaf: &Leaf, keys: &[(KeyPath, ValueType)]) -> Option<Diagnostic> {
    if leaf.path.keys()[0] == OVERRIDES {
        return None;
    }
    let today = alias::canonical(&leaf.path);
    let (title, help) = check_type(&leaf.path, today.as_ref().unwrap_or(&leaf.path), &leaf.value, keys)?;
    Some(document.shown().error(title, leaf.span.clone(), "").help(help))
}

/// What is wrong with the values that a promotion gave: those of local.toml were looked at before.
#[must_use]
pub fn check_values(draft: &Draft, chain: &ProfileChain) -> Vec<Diagnostic> {
    let keys = keys();
    let mut found = shape::check_values(draft, chain);
    for (path, cell) in draft.values.iter().filter(|(_, cell)| !cell.changes.is_empty()) {
        let Some((title, help)) = cell.value.as_ref().and_then(|value| check_type(path, path, value, &keys)) else {
            continue;
        };
        let by_hand = cell.changes.iter().rev().find(|step| step.layer != Layer::Variables);
        let wrong = match by_hand.filter(|step| step.layer == Layer::Option) {
            Some(_) => SourceText::new("--set", path.to_string()).error(title, 0..path.to_string().len(), ""),
            None => {
                let (source, span) = draft.location(cell, chain);
                source.error(title, span, "")
            }
        };
        found.push(wrong.help(help));
    }
    found
}

/// Paths that the operator of a server cannot rely on: in a home directory that is not that of the user it runs as.
#[must_use]
pub fn check_home_paths(draft: &Draft, chain: &ProfileChain) -> Vec<Diagnostic> {
    let user = draft.value(&KeyPath::of(&["deployment", "user"])).and_then(Value::as_str).unwrap_or("root");
    if user == "root" {
        return Vec::new();
    }
    let mut own = vec![format!("/home/{user}/"), format!("/Users/{user}/")];
    // `~` in local.toml is the home directory of the user who is named there.
    if draft.document.text_at(&["deployment", "user"]) == Some(user) {
        own.push("~/".to_owned());
    }
    let is_foreign = |text: &str| {
        let below = format!("{text}/");
        ["~/", "/root/", "/home/", "/Users/"].iter().any(|home| below.starts_with(home))
            && !own.iter().any(|own| below.starts_with(own.as_str()))
    };
    let patterns: Vec<&KeyPath> = chain.profiles.iter().flat_map(|profile| &profile.path_keys).collect();
    let mut found = Vec::new();
    for (path, cell) in draft.values.iter().filter(|(path, _)| patterns.iter().any(|pattern| path.matches(pattern))) {
        if cell.value.as_ref().and_then(Value::as_str).is_some_and(is_foreign) {
            let (source, span) = draft.location(cell, chain);
            let title = format!("`{path}` is in a home directory, but the environment runs as `{user}`");
            found.push(source.error(title, span, "").help("use a directory below /opt, /srv or /var/lib"));
        }
    }
    found
}

/// What a key should hold and does not, and what to write. `called` is its name in messages.
fn check_type(
    called: &KeyPath,
    path: &KeyPath,
    value: &Value,
    keys: &[(KeyPath, ValueType)],
) -> Option<(String, String)> {
    let last = called.last();
    let fits = |(pattern, _): &&(KeyPath, ValueType)| {
        (pattern.last() == path.last() || pattern.last() == "*") && path.matches(pattern)
    };
    let (_, holds) = keys.iter().find(fits)?;
    // What is filled in later is looked at then.
    if value.as_str().is_some_and(|text| text.contains("${")) {
        return None;
    }
    let texts = |value: &Value| value.as_array().is_some_and(|all| all.iter().all(Value::is_str));
    let (fits, wanted, help) = match holds {
        ValueType::String => (value.is_str(), "a string", format!("write {last} = \"…\"")),
        ValueType::Strings => (texts(value), "an array of strings", format!("write {last} = [\"…\"]")),
        ValueType::Boolean => (value.is_bool(), "a boolean", format!("write {last} = true")),
        ValueType::Number => {
            (value.as_integer().is_some_and(|it| it >= 0), "an integer >= 0", format!("write {last} = 1024"))
        }
        ValueType::Port => {
            let fits = value.as_integer().is_some_and(|it| (1..=65535).contains(&it));
            (fits, "a port from 1 to 65535", format!("write {last} = 4444"))
        }
        ValueType::OneOf(words) => {
            let fits = value.as_str().is_some_and(|it| words.contains(&it));
            (fits, "one of the known values", format!("expected one of: {}", words.join(", ")))
        }
    };
    (!fits).then(|| (format!("`{called}` must be {wanted}"), help))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn titles(text: &str) -> Vec<String> {
        check(&Document::parse("f", text).expect("TOML")).into_iter().map(|it| it.title).collect()
    }

    #[test]
    fn every_wrong_type_is_found() {
        let text = "[ports]\nweb = 70000\n[logging]\nlevel = 'loud'\n\
                    [resources]\nnofile = -1\n[security]\ninternal_cidrs = 'all'\n[own]\nthing = 1\n\
                    [environment]\nreadonly = 'yes'\n";
        assert_eq!(
            titles(text),
            [
                "`ports.web` must be a port from 1 to 65535",
                "`logging.level` must be one of the known values",
                "`resources.nofile` must be an integer >= 0",
                "`security.internal_cidrs` must be an array of strings",
                "`environment.readonly` must be a boolean"
            ]
        );
    }

    #[test]
    fn a_slip_in_a_table_is_worth_a_word() {
        assert_eq!(titles("[loging]\nlevel = 'x'\nformat = 'y'\n"), ["unknown table `loging`"]);
        assert_eq!(titles("[monitoring]\nenabeld = 1\nmine = 2\n"), ["unknown key `monitoring.enabeld`"]);
        assert_eq!(titles("[environment]\nread-only = true\n"), ["unknown key `environment.read-only`"]);
        assert_eq!(titles("[ports]\nweb = \"${ports.api}\"\n"), Vec::<String>::new());
    }
}
