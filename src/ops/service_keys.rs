//! What the keys below `[services.NAME]` mean: the same as in a `.tsm` file.

use std::path::{Path, PathBuf};

use crate::base::diagnostic::Diagnostic;
use crate::base::home;
use crate::base::suggest::closest_match;
use crate::config::Value as Toml;
use crate::config::document::{Document, Leaf};
use crate::config::path::KeyPath;
use crate::org::draft::{OVERRIDES, ProfileChain};
use crate::org::error::OrgError;
use crate::org::profile::{self, Op, Rule};
use crate::sys::paths::Paths;
use crate::tsm::definition::Definition;
use crate::tsm::definition::keys::{DefinitionKey, keys};
use crate::tsm::options::value::{OptionType, RawOptionValue};

/// Keys that only an environment has, with what to write: one is about the link, one about the promotion.
const ENVIRONMENT_KEYS: [(&str, &str); 2] =
    [("enabled", "true or false"), ("env_flag", "true, false, or another flag: \"--stage\"")];

/// The table of variables: `export` lines.
const EXPORT: &str = "export";

/// What is wrong with a key or its value.
struct KeyProblem {
    title: String,
    help: String,
    at: ProblemPlace,
}

/// What is marked.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ProblemPlace {
    Key,
    Value,
}

/// Every key of a service that means nothing, and every value that is invalid.
pub fn check(document: &Document) -> Vec<Diagnostic> {
    let shown = document.shown();
    let wrong = |leaf: &Leaf| {
        let found = find_problem(&within(&leaf.path)?, &leaf.value)?;
        let span = if found.at == ProblemPlace::Key { leaf.key.clone() } else { leaf.span.clone() };
        Some(shown.error(found.title, span, "").help(found.help))
    };
    document.leaves.iter().filter_map(wrong).collect()
}

/// The same for what profiles give.
pub fn check_profiles(chain: &ProfileChain) -> Vec<Diagnostic> {
    let gives = |rule: &&Rule| matches!(rule.op, Op::Set | Op::Default);
    let mut found = Vec::new();
    for profile in &chain.profiles {
        for rule in profile.rules.iter().filter(gives) {
            if let Some(wrong) = find_problem(&rule.path, &rule.value) {
                found.push(profile.redacted_source.error(wrong.title, rule.span.clone(), "").help(wrong.help));
            }
        }
    }
    found
}

/// Refuses a file in which something was found.
pub fn refuse(path: &Path, found: Vec<Diagnostic>) -> Result<(), OrgError> {
    if found.is_empty() { Ok(()) } else { Err(OrgError::invalid(path, found)) }
}

/// What is wrong with a value that is given on the command line; none if nothing is.
pub fn problem_with(path: &KeyPath, value: &Toml) -> Option<(String, String)> {
    find_problem(path, value).map(|found| (found.title, found.help))
}

/// The key that a leaf is about: that of an override is the one it overrides.
fn within(path: &KeyPath) -> Option<KeyPath> {
    match path.keys() {
        [first, _, rest @ ..] if first == OVERRIDES => profile::inner(rest),
        _ => Some(path.clone()),
    }
}

fn find_problem(path: &KeyPath, value: &Toml) -> Option<KeyProblem> {
    let [first, _, key, rest @ ..] = path.keys() else { return None };
    if first != "services" {
        return None;
    }
    let wrong = |at, title: String, help: String| Some(KeyProblem { title, help, at });
    if key == EXPORT && rest.len() == 1 {
        let title = format!("`{path}` must be a string, number, boolean or time");
        return if plain(value).is_some() {
            None
        } else {
            wrong(ProblemPlace::Value, title, "write K = \"value\"".to_owned())
        };
    }
    let known = DefinitionKey::of_toml(key);
    let of_environments = ENVIRONMENT_KEYS.iter().find(|(name, _)| name == key);
    if known.is_none() && of_environments.is_none() {
        let all = names();
        let help = match closest_match(key, all.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("the keys of a service are {}", all.join(", ")),
        };
        return wrong(ProblemPlace::Key, format!("unknown key `{path}` of a service"), help);
    }
    if !rest.is_empty() {
        let table = path.parent().unwrap_or_default();
        return wrong(ProblemPlace::Key, format!("`{table}` must be a value, not a table"), format!("write {key} = …"));
    }
    // What is filled in later is looked at then.
    if value.as_str().is_some_and(|text| text.contains("${")) {
        return None;
    }
    let wants = match (known, of_environments) {
        (Some(key), _) => refused(key, value)?,
        (None, Some(("enabled", wants))) => (!value.is_bool()).then_some(*wants)?,
        (None, _) => (!value.is_bool() && !value.is_str()).then_some(of_environments?.1)?,
    };
    wrong(ProblemPlace::Value, format!("invalid value for `{path}`"), format!("expected {wants}"))
}

/// What to write instead, if a value is invalid.
fn refused(key: DefinitionKey, value: &Toml) -> Option<&'static str> {
    let Some(values) = values(key.value_type, value) else { return Some(key.expected) };
    let given = RawOptionValue { values: &values, list: value.is_array(), dir: Path::new("/") };
    key.read(&mut Definition::default(), &given).err()
}

/// The usual names of all keys.
fn names() -> Vec<&'static str> {
    let usual = keys().filter_map(|key| key.toml.first().copied());
    usual.chain(ENVIRONMENT_KEYS.map(|(name, _)| name)).chain([EXPORT]).collect()
}

/// A value as a `.tsm` file would have it; none if it is of another kind.
fn values(holds: OptionType, value: &Toml) -> Option<Vec<String>> {
    match (holds, value) {
        (
            OptionType::Text
            | OptionType::Path
            | OptionType::Opaque
            | OptionType::NumberOrText
            | OptionType::Texts
            | OptionType::Paths,
            Toml::String(text),
        ) => Some(vec![text.clone()]),
        (OptionType::Flag, Toml::Boolean(yes)) => Some(vec![yes.to_string()]),
        (OptionType::Number | OptionType::NumberOrText, Toml::Integer(number)) => Some(vec![number.to_string()]),
        (OptionType::Texts | OptionType::Paths, Toml::Array(items)) => {
            items.iter().map(|item| item.as_str().map(str::to_owned)).collect()
        }
        _ => None,
    }
}

/// A value as a variable has it.
fn plain(value: &Toml) -> Option<String> {
    match value {
        Toml::String(text) => Some(text.clone()),
        Toml::Integer(number) => Some(number.to_string()),
        Toml::Float(number) => Some(number.to_string()),
        Toml::Boolean(yes) => Some(yes.to_string()),
        Toml::Datetime(_) | Toml::Array(_) | Toml::Table(_) => None,
    }
}

/// The definition that an environment has of a service. Its paths begin in `directory`, and `~` is `home`. What [`check`] finds is
/// passed over.
pub fn definition(document: &Document, name: &str, dir: &Path, home: Option<&str>) -> Definition {
    let mut definition = Definition { name: name.to_owned(), cwd: dir.to_owned(), ..Definition::default() };
    for leaf in &document.leaves {
        let key = match leaf.path.keys() {
            [first, service, key] if first == "services" && service == name => DefinitionKey::of_toml(key),
            [first, service, export, variable] if first == "services" && service == name && export == EXPORT => {
                definition.exports.extend(plain(&leaf.value).map(|value| (variable.clone(), value)));
                continue;
            }
            _ => continue,
        };
        let Some((key, mut values)) = key.and_then(|key| Some((key, values(key.value_type, &leaf.value)?))) else {
            continue;
        };
        // Here no quotes keep a `~` as it is, so it has its meaning in every key.
        if key.value_type != OptionType::Opaque {
            values.iter_mut().for_each(|value| *value = home::expand(value, home));
        }
        let given = RawOptionValue { values: &values, list: leaf.value.is_array(), dir };
        // A refused value was reported before.
        let _ = key.read(&mut definition, &given);
    }
    definition.complete();
    definition
}

/// Where relative paths of an environment begin: in `deployment.tetra_src`, if that is a directory here, else in `TETRA_DIR`.
#[must_use]
pub fn source_directory(document: &Document, paths: &Paths, home: Option<&str>) -> PathBuf {
    let source = document.text_at(&["deployment", "tetra_src"]).map(|text| PathBuf::from(home::expand(text, home)));
    source.filter(|path| path.is_dir()).unwrap_or_else(|| paths.home().to_owned())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// A value of each key: below `[services.NAME]`, and in a `.tsm` file.
    const VALUES: &[(&str, &str, &str)] = &[
        ("command", "'serve $PORT'", "'serve $PORT'"),
        ("cwd", "'sub'", "sub"),
        ("working_dir", "'/abs'", "/abs"),
        ("description", "'for all'", "'for all'"),
        ("port", "8080", "8080"),
        ("port", "'8000+'", "8000+"),
        ("port", "'none'", "none"),
        ("env_file", "'~/x.env'", "~/x.env"),
        ("env_file", "'a b.env'", "'a b.env'"),
        ("env_file", "['a.env', '-b.env']", "(a.env -b.env)"),
        ("env", "'A=1'", "'A=1'"),
        ("pre_command", "'echo $A'", "'echo $A'"),
        ("autostart", "false", "false"),
        ("depends_on", "['db', 'cache']", "(db cache)"),
        ("deps", "'db'", "db"),
        ("stack", "'shop'", "shop"),
        ("group", "'shop'", "shop"),
        ("instances", "4", "4"),
        ("args", "['-x', 'a b']", "(-x 'a b')"),
        ("restart", "'always'", "always"),
        ("auto_restart", "false", "false"),
        ("max_restarts", "3", "3"),
        ("kill_timeout", "'3s'", "3s"),
        ("log_size", "'1M'", "1M"),
        ("log_keep", "2", "2"),
        ("user", "'www'", "www"),
        ("memory_max", "'300M'", "300M"),
        ("limit_nofile", "99", "99"),
        ("limit_nproc", "98", "98"),
        ("health", "'http://localhost:$PORT/'", "'http://localhost:$PORT/'"),
        ("health_check", "'exec:true'", "exec:true"),
        ("health_interval", "'1s'", "1s"),
        ("health_timeout", "'1s'", "1s"),
        ("health_threshold", "2", "2"),
        ("health_grace", "'1s'", "1s"),
        ("health_restart", "true", "true"),
        ("notify", "true", "true"),
        ("watch", "['src', 'a b']", "(src 'a b')"),
        ("watch_ignore", "'*.log *.tmp'", "'*.log *.tmp'"),
        ("ignore", "['*.log']", "('*.log')"),
        ("cron", "'0 4 * * *'", "'0 4 * * *'"),
        ("cron_tz", "'UTC'", "UTC"),
        ("stop_signal", "'SIGINT'", "SIGINT"),
        ("type", "'oneshot'", "oneshot"),
        ("strategy", "'recreate'", "recreate"),
        ("max_memory", "'300M'", "300M"),
    ];

    fn document(text: &str) -> Document {
        Document::parse("f", text).expect("TOML")
    }

    #[test]
    fn every_key_means_in_toml_what_it_means_in_a_definition() {
        let variables = BTreeMap::from([("HOME".to_owned(), "/home/u".to_owned())]);
        let directory = Path::new("/srv/app");
        for (toml, value, written) in VALUES {
            let key = DefinitionKey::of_toml(toml).unwrap_or_else(|| panic!("{toml} is not a key"));
            let run = if *toml == "command" { "" } else { "command = 'x'\n" };
            let text = format!("[services.web]\n{run}{toml} = {value}\n");
            let document = document(&text);
            assert!(check(&document).is_empty(), "{text}: {:?}", check(&document));
            let of_toml = definition(&document, "web", directory, Some("/home/u"));
            let run = if *toml == "command" { "" } else { "TSM_COMMAND=x\n" };
            let text = format!("{run}{}={written}\n", key.tsm);
            let file = directory.join("web.tsm");
            let of_tsm = Definition::parse(&text, &file, &variables).unwrap_or_else(|it| panic!("{text}: {it}"));
            assert_eq!(Definition { file: file.clone(), ..of_toml }, of_tsm, "{toml}");
            let plain = Definition::parse("TSM_COMMAND=x\n", &file, &variables).expect("a definition");
            assert_ne!(of_tsm, plain, "{toml} means something");
        }
        for name in keys().flat_map(|key| key.toml) {
            assert!(VALUES.iter().any(|(known, ..)| known == name), "{name} is shown here");
        }
    }

    #[test]
    fn what_means_nothing_is_reported_wherever_it_is_given() {
        for (text, title, help) in [
            (
                "[services.web]\nhelth = 'x'\n",
                "unknown key `services.web.helth` of a service",
                "did you mean `health`?",
            ),
            ("[overrides.prod]\nservices.web.crn = 'x'\n", "unknown key `services.web.crn` of a service", "`cron`"),
            ("[services.web]\ncron = 'now'\n", "invalid value for `services.web.cron`", "five fields"),
            (
                "[services.web]\nauto_restart = 'yes'\n",
                "invalid value for `services.web.auto_restart`",
                "true or false",
            ),
            ("[services.web]\ninstances = '4'\n", "invalid value for `services.web.instances`", "an integer"),
            ("[services.web]\nenabled = 1\n", "invalid value for `services.web.enabled`", "true or false"),
            ("[services.web]\nenv_flag = 1\n", "invalid value for `services.web.env_flag`", "another flag"),
            ("[services.web.health]\nurl = 'x'\n", "`services.web.health` must be a value, not a table", "health = …"),
            ("[services.web.export]\nA = [1]\n", "`services.web.export.A` must be a string", "K = "),
        ] {
            let found = check(&document(text));
            let [one] = &found[..] else { panic!("{text}: {found:?}") };
            assert!(one.title.starts_with(title), "{text}: {}", one.title);
            assert!(one.help.as_ref().is_some_and(|it| it.contains(help)), "{text}: {:?}", one.help);
        }
        let fine = "[services.web]\nenabled = false\nenv_flag = '--stage'\nhealth = 'http://localhost:${ports.web}/'\n\
                    [services.web.export]\nA = 1\n[other]\nhelth = 1\n";
        assert!(check(&document(fine)).is_empty());
    }
}
