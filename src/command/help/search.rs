//! `help search`: where a word is in the help.

use super::TOPICS;
use crate::command::CommandSpec;
use crate::command::context::SETTINGS;
use crate::command::foreign::{Counterpart, VERBS};
use crate::command::registry::COMMANDS;

/// A place where all the words were found; a lesser rank is better.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HelpMatch {
    rank: Rank,
    /// What is typed after `help`, or as it is.
    pub name: String,
    /// The text in which they were found.
    pub text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Name,
    Foreign,
    Topic,
    Summary,
    Option,
    Setting,
    Text,
}

/// Every command, option, topic and setting whose text has each of the words, best first; a command once.
#[must_use]
pub fn search(words: &[&str]) -> Vec<HelpMatch> {
    let words: Vec<String> = words.iter().map(|word| word.to_lowercase()).collect();
    let has = |text: &str| {
        let text = text.to_lowercase();
        words.iter().all(|word| text.contains(word.as_str()))
    };
    let mut found: Vec<HelpMatch> =
        COMMANDS.iter().filter(|it| !it.is_hidden()).filter_map(|it| command(it, &has)).collect();
    for verb in VERBS.iter().filter(|verb| has(verb.word)) {
        let text = match verb.here {
            Counterpart::Line(line) => {
                format!("`{}`", line.replace("{}", "NAME").replace("{1}", "SIGNAL").replace("{2}", "NAME"))
            }
            Counterpart::Text(text) => text.to_owned(),
        };
        found.push(HelpMatch { rank: Rank::Foreign, name: format!("{} ({})", verb.word, verb.of), text });
    }
    for topic in TOPICS.iter().filter(|topic| has(topic.name) || has(topic.summary) || has(&(topic.text)())) {
        found.push(HelpMatch {
            rank: Rank::Topic,
            name: format!("help {}", topic.name),
            text: topic.summary.to_owned(),
        });
    }
    for setting in SETTINGS.iter().filter(|setting| has(&format!("{} {}", setting.name, setting.help))) {
        found.push(HelpMatch { rank: Rank::Setting, name: format!("set {}", setting.name), text: setting.meaning() });
    }
    // Of two names that fit, the one that says less beside it.
    found.sort_by_cached_key(|it| (it.rank, it.name.split(' ').count(), it.name.clone()));
    found.dedup_by(|a, b| a.name == b.name);
    found
}

/// The best place in a command.
fn command(entry: &CommandSpec, has: &dyn Fn(&str) -> bool) -> Option<HelpMatch> {
    let found = |rank, text: String| Some(HelpMatch { rank, name: entry.name.to_owned(), text });
    let names = [&[entry.name], entry.aliases].concat().join(" ");
    let summary = entry.summary();
    if has(&names) {
        return found(Rank::Name, summary);
    }
    if has(&format!("{names} {summary}")) {
        return found(Rank::Summary, summary);
    }
    let mut parser = (entry.parser)();
    parser.build();
    for arg in parser.get_arguments() {
        let text = format!("{arg}  {}", arg.get_help().map(ToString::to_string).unwrap_or_default());
        if has(&text) {
            return found(Rank::Option, text);
        }
    }
    let long = parser.get_long_about().map(ToString::to_string).unwrap_or_default();
    if has(&format!("{long} {}", entry.examples.join(" "))) { found(Rank::Text, summary) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(words: &[&str]) -> String {
        search(words).into_iter().next().map(|found| found.name).unwrap_or_default()
    }

    #[test]
    fn a_name_is_better_than_a_text() {
        assert_eq!(first(&["rollback"]), "org rollback");
        assert_eq!(first(&["journalctl"]), "journalctl (systemd)");
        let memory: Vec<String> = search(&["memory"]).into_iter().map(|found| found.name).collect();
        assert!(memory.contains(&"tsm start".to_owned()), "{memory:?}");
        assert!(search(&["edit-mode"]).iter().any(|found| found.name == "set edit-mode"));
        assert!(search(&["no", "such", "words", "zzz"]).is_empty());
    }
}
