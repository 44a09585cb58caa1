//! The format of services, from the table of its keys: as a topic and as a commented template.

use crate::tsm::definition::keys::{DefinitionKey, keys};
use crate::tsm::options::OPTIONS;
use crate::tsm::options::table::ServiceOption;

/// An example of the value of a key.
fn example(key: &DefinitionKey) -> String {
    let own = match key.tsm {
        "TSM_NAME" => TEMPLATE_NAME,
        "TSM_COMMAND" => TEMPLATE_COMMAND,
        "TSM_CWD" => "/srv/web",
        "TSM_DESCRIPTION" => "the shop",
        "TSM_PORT" => "3000",
        "TSM_ENV" => "NODE_ENV=production",
        "TSM_ENVIRONMENT" => "acme/prod",
        "TSM_PRE_COMMAND" => "npm ci",
        "TSM_AUTOSTART" => "true",
        "TSM_GROUP" => "shop",
        "TSM_INSTANCES" => "2",
        "TSM_ARGS" => "--verbose",
        "TSM_RESTART_ON_FAILURE" => "true",
        _ => "",
    };
    if !own.is_empty() {
        return own.to_owned();
    }
    OPTIONS.iter().find(|option| option.tsm == key.tsm).map(|option| option.example.join(" ")).unwrap_or_default()
}

/// What a key is for, its default included.
fn meaning(key: &DefinitionKey) -> String {
    let option = OPTIONS.iter().find(|option| option.tsm == key.tsm);
    option.map_or_else(|| own_meaning(key).to_owned(), ServiceOption::full_help)
}

/// What a key is for that is none of the options of a process.
fn own_meaning(key: &DefinitionKey) -> &'static str {
    match key.tsm {
        "TSM_NAME" => "What it is called; without it as its file",
        "TSM_COMMAND" => "The program with its arguments",
        "TSM_CWD" => "Where it runs; without it in the directory of its file",
        "TSM_DESCRIPTION" => "What it is for",
        "TSM_PORT" => "The port it has to get, exported as PORT",
        "TSM_ENV" => "Variables of the process",
        "TSM_ENVIRONMENT" => "The environment that it belongs to",
        "TSM_PRE_COMMAND" => "Has to succeed before the program is run",
        "TSM_AUTOSTART" => "If false, it is started at boot only where another service needs it",
        "TSM_GROUP" => "The same as TSM_STACK, in older files",
        "TSM_INSTANCES" => "How many of it: ports from TSM_PORT on, or names with numbers",
        "TSM_ARGS" => "Further arguments of the program",
        "TSM_RESTART_ON_FAILURE" => "The same as TSM_RESTART=on-failure, in older files",
        _ => "",
    }
}

/// One key, as a comment and a line.
fn lines(key: &DefinitionKey) -> String {
    let meaning = meaning(key);
    let about = if meaning.is_empty() { String::new() } else { format!("# {meaning}\n") };
    let value = shlex::try_quote(&example(key)).map(std::borrow::Cow::into_owned).unwrap_or_default();
    format!("{about}# {}\n#{}={value}\n\n", key.expected, key.tsm)
}

/// Keys that are there for files of others, and say again what another key says.
const OLDER: [&str; 2] = ["TSM_GROUP", "TSM_RESTART_ON_FAILURE"];

/// The name of the service in the template.
pub const TEMPLATE_NAME: &str = "web";

/// Its command.
pub const TEMPLATE_COMMAND: &str = "node server.js";

/// A service with every key, all but two commented out.
#[must_use]
pub fn template() -> String {
    let mut text = format!(
        "# A service of tetra. Save it as tsm/services-available/{TEMPLATE_NAME}.tsm, or start it where it is:\n\
         # tsm start ./{TEMPLATE_NAME}.tsm\n\n\
         TSM_NAME={TEMPLATE_NAME}\n\
         TSM_COMMAND='{TEMPLATE_COMMAND}'\n\n\
         # Variables of the process:\n\
         #export NODE_ENV=production\n\n"
    );
    for key in keys().filter(|key| !matches!(key.tsm, "TSM_NAME" | "TSM_COMMAND") && !OLDER.contains(&key.tsm)) {
        text.push_str(&lines(&key));
    }
    text.trim_end().to_owned() + "\n"
}

/// The topic.
pub(super) fn topic() -> String {
    let mut text = "A service is a file NAME.tsm with lines KEY=VALUE, quoted as in a shell, and `export` lines for variables of the\n\
                    process. Nothing in it is executed. `tsm save` writes one, `tsm save --template` shows one with every key.\n\n\
                    \x20 tsm save web --port 3000 node server.js\n\
                    \x20 tsm start web\n\
                    \x20 tsm enable web\n\
                    \x20 tsm show web\n\
                    \x20 tsm up web\n\n\
                    Keys, each with the name that it has below [services.NAME] of local.toml:\n\n"
        .to_owned();
    let width = keys().map(|key| key.tsm.len()).max().unwrap_or(0);
    for key in keys() {
        let toml = key.toml.first().map(|name| format!(" ({name})")).unwrap_or_default();
        let meaning = meaning(&key);
        let meaning = if meaning.is_empty() { String::new() } else { format!("; {}", first_lower(&meaning)) };
        text.push_str(&format!("  {:width$}{toml}  {}{meaning}\n", key.tsm, key.expected));
    }
    text
}

fn first_lower(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::tsm::definition::Definition;

    #[test]
    fn the_template_is_a_service_also_with_every_key() {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("web.tsm");
        let plain = template();
        let whole: String = plain
            .lines()
            .map(|line| match line.strip_prefix('#') {
                Some(key) if key.starts_with("TSM_") || key.starts_with("export ") => format!("{key}\n"),
                _ => format!("{line}\n"),
            })
            .collect();
        for text in [&plain, &whole] {
            std::fs::write(&file, text).expect("written");
            let read = Definition::read(&file, &BTreeMap::new()).unwrap_or_else(|error| panic!("{error}\n{text}"));
            assert!(read.name == "web" && read.command.starts_with("node server.js"), "{}", read.command);
        }
        for key in keys().filter(|key| !OLDER.contains(&key.tsm)) {
            assert!(!meaning(&key).is_empty(), "{} says what it is for", key.tsm);
            assert!(plain.contains(&format!("{}=", key.tsm)), "{}", key.tsm);
        }
    }
}
