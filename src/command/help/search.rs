//! `help search`: where a word is in the help.

use super::keywords::KEYWORDS;
use super::purposes::{self, PURPOSES};
use super::topics::{TOPICS, topic};
use crate::command::CommandSpec;
use crate::command::context::SETTINGS;
use crate::command::foreign::{Counterpart, VERBS};
use crate::command::global::GLOBALS;
use crate::command::registry::COMMANDS;

/// A place where all the words were found; a lesser rank is better.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HelpMatch {
    rank: (Fit, Place),
    /// What is typed after `help`, or as it is.
    pub name: String,
    /// The text in which they were found.
    pub text: String,
}

/// How well words fit a text; that of several is the worst of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fit {
    Word,
    Beginning,
    Part,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    /// The words are a name.
    Whole,
    /// Which of the places of a row of [`KEYWORDS`].
    Keyword(usize),
    Foreign,
    Name,
    Topic,
    Summary,
    Option,
    Setting,
    Text,
}

/// Every command, option, topic and setting whose text has each of the words, best first; a command once.
#[must_use]
pub fn search(words: &[&str]) -> Vec<HelpMatch> {
    let words: Vec<String> = words.iter().flat_map(|word| word.split_whitespace()).map(str::to_lowercase).collect();
    let mut found = answers(&words);
    found.extend(COMMANDS.iter().filter(|it| !it.is_hidden()).filter_map(|entry| command(entry, &words)));
    for verb in VERBS.iter().filter(|verb| verb.word.eq_ignore_ascii_case(&words.join(" "))) {
        let text = match verb.here {
            Counterpart::Line(line) => {
                format!("`{}`", line.replace("{}", "NAME").replace("{1}", "SIGNAL").replace("{2}", "NAME"))
            }
            Counterpart::Text(text) => text.to_owned(),
        };
        let rank = (Fit::Word, Place::Foreign);
        found.push(HelpMatch { rank, name: format!("{} ({})", verb.word, verb.of), text });
    }
    for topic in TOPICS {
        let place = |place, text: &str| fit(text, &words).map(|fit| (fit, place));
        let named = place(Place::Topic, &format!("{} {} {}", topic.name, topic.aliases.join(" "), topic.summary));
        if let Some(rank) = named.or_else(|| place(Place::Text, &(topic.text)())) {
            found.push(HelpMatch { rank, name: format!("help {}", topic.name), text: topic.summary.to_owned() });
        }
    }
    for setting in SETTINGS {
        if let Some(fit) = fit(&format!("{} {}", setting.name, setting.help), &words) {
            let rank = (fit, Place::Setting);
            found.push(HelpMatch { rank, name: format!("set {}", setting.name), text: setting.meaning() });
        }
    }
    best_first(found)
}

/// Sorts; of what is found twice, as itself or as an option of it, the best stays.
fn best_first(mut found: Vec<HelpMatch>) -> Vec<HelpMatch> {
    let order: Vec<&str> = PURPOSES.iter().flat_map(|it| purposes::commands(Some(it))).map(|it| it.name).collect();
    let position = |name: &str| order.iter().position(|it| *it == name).unwrap_or(order.len());
    found.sort_by_cached_key(|it| (it.rank, position(&it.name), it.name.clone()));
    let mut best: Vec<HelpMatch> = Vec::new();
    for one in found {
        let is_there =
            |it: &HelpMatch| it.name == one.name || it.name.split_once(" --").is_some_and(|(name, _)| name == one.name);
        if !best.iter().any(is_there) {
            best.push(one);
        }
    }
    best
}

/// What the rows of [`KEYWORDS`] say whose phrase is among the words.
fn answers(words: &[String]) -> Vec<HelpMatch> {
    let is_among = |phrase: &str| phrase.split(' ').all(|it| words.iter().any(|word| is_same(word, it)));
    let longest = |phrases: &[&str]| {
        phrases.iter().filter(|phrase| is_among(phrase)).map(|phrase| phrase.split(' ').count()).max()
    };
    let rows = KEYWORDS.iter().filter_map(|row| Some((longest(row.phrases)?, row)));
    let most = rows.clone().map(|(length, _)| length).max();
    let places = rows.filter(|(length, _)| Some(*length) == most).flat_map(|(_, row)| row.places.iter().enumerate());
    places
        .map(|(number, place)| {
            let text = text_of(place).unwrap_or_default();
            HelpMatch { rank: (Fit::Word, Place::Keyword(number)), name: (*place).to_owned(), text }
        })
        .collect()
}

/// What is at a place of [`KEYWORDS`].
fn text_of(place: &str) -> Option<String> {
    if let Some(long) = place.strip_prefix("--") {
        return GLOBALS.iter().find(|it| it.long == long).map(|it| it.help.to_owned());
    }
    if let Some(name) = place.strip_prefix("help ") {
        return topic(name).map(|it| it.summary.to_owned());
    }
    if let Some(name) = place.strip_prefix("set ") {
        return SETTINGS.iter().find(|it| it.name == name).map(|it| it.meaning());
    }
    let (name, option) = place.split_once(" --").map_or((place, None), |(name, long)| (name, Some(long)));
    if let Some(long) = option {
        let entry = COMMANDS.iter().find(|it| it.name == name)?;
        let parser = (entry.parser)();
        let arg = parser.get_arguments().find(|it| it.get_long() == Some(long))?;
        return arg.get_help().map(ToString::to_string);
    }
    super::summary_of(name)
}

/// How well all the words fit a text, if each is in it.
fn fit(text: &str, words: &[String]) -> Option<Fit> {
    let text = text.to_lowercase();
    let tokens = || text.split(|c: char| !c.is_alphanumeric()).filter(|it| !it.is_empty());
    let of_word = |word: &String| {
        if tokens().any(|token| is_same(token, word))
            || (word.contains(|c: char| !c.is_alphanumeric()) && text.contains(word.as_str()))
        {
            Some(Fit::Word)
        } else if tokens().any(|token| token.starts_with(word.as_str())) {
            Some(Fit::Beginning)
        } else {
            text.contains(word.as_str()).then_some(Fit::Part)
        }
    };
    words.iter().map(of_word).try_fold(Fit::Word, |worst, fit| Some(worst.max(fit?)))
}

/// True for the same word, in the singular or the plural.
fn is_same(one: &str, other: &str) -> bool {
    one == other || one.strip_suffix('s') == Some(other) || other.strip_suffix('s') == Some(one)
}

/// The best place in a command.
fn command(entry: &CommandSpec, words: &[String]) -> Option<HelpMatch> {
    let found = |place, fit, text: String| HelpMatch { rank: (fit, place), name: entry.name.to_owned(), text };
    let names = [&[entry.name], entry.aliases].concat().join(" ");
    let summary = entry.summary();
    let mut all: Vec<HelpMatch> = Vec::new();
    if [&[entry.name], entry.aliases].concat().contains(&words.join(" ").as_str()) {
        all.push(found(Place::Whole, Fit::Word, summary.clone()));
    }
    all.extend(fit(&names, words).map(|it| found(Place::Name, it, summary.clone())));
    all.extend(fit(&format!("{names} {summary}"), words).map(|it| found(Place::Summary, it, summary.clone())));
    let mut parser = (entry.parser)();
    parser.build();
    for arg in parser.get_arguments() {
        let text = format!("{arg}  {}", arg.get_help().map(ToString::to_string).unwrap_or_default());
        all.extend(fit(&text, words).map(|it| found(Place::Option, it, text.clone())));
    }
    let long = parser.get_long_about().map(ToString::to_string).unwrap_or_default();
    let whole = format!("{long} {}", entry.examples.join(" "));
    all.extend(fit(&whole, words).map(|it| found(Place::Text, it, summary)));
    all.into_iter().min_by_key(|it| it.rank)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(line: &str) -> Vec<String> {
        search(&line.split(' ').collect::<Vec<_>>()).into_iter().map(|found| found.name).collect()
    }

    #[test]
    fn every_place_of_a_keyword_is_in_the_help() {
        for row in KEYWORDS {
            for place in row.places {
                assert!(text_of(place).is_some_and(|text| !text.is_empty()), "`{place}` of {:?}", row.phrases);
            }
            for phrase in row.phrases {
                let found = names(phrase);
                assert!(found.iter().take(2).any(|name| name == row.places[0]), "{phrase}: {found:?}");
            }
        }
    }

    #[test]
    fn what_people_type_leads_to_the_right_command_first_or_second() {
        let mut wrong = Vec::new();
        for (line, right) in [
            ("cron", "tsm start --cron"),
            ("memory", "tsm start --max-memory"),
            ("rollback", "org rollback"),
            ("ssh key", "tkm generate"),
            ("port", "tsm ports"),
            ("boot", "tsm enable"),
            ("rotate", "tsm logs rotate"),
            ("rotate", "tkm rotate"),
            ("env file", "tsm start --env"),
            ("crash", "tsm why"),
            ("why", "tsm why"),
            ("zero downtime", "tsm reload"),
            ("json", "--json"),
            ("health", "tsm start --health"),
            ("health", "help services"),
            ("restart", "tsm restart"),
            ("restarts", "tsm restart"),
            ("stop", "tsm stop"),
            ("logs", "tsm logs"),
            ("log", "tsm logs"),
            ("status", "tsm list"),
            ("secret", "help secrets"),
            ("password", "secrets set"),
            ("deploy", "org deploy"),
            ("delete", "tsm delete"),
            ("signal", "tsm signal"),
            ("pm2", "help from-pm2"),
            ("systemd", "help from-systemd"),
            ("procfile", "tsm import"),
            ("nginx", "tsm nginx generate"),
            ("staging", "help environments"),
            ("history", "history"),
            ("alias", "alias"),
            ("undo", "org rollback"),
            ("scale", "tsm scale"),
            ("upgrade", "tsm upgrade"),
            ("cluster mode", "tsm scale"),
            ("journalctl", "journalctl (systemd)"),
            ("readonly", "set readonly"),
            ("edit-mode", "set edit-mode"),
            ("fleet", "help fleet"),
        ] {
            let found = names(line);
            let first: Vec<&String> = found.iter().take(2).collect();
            if !first.iter().any(|name| *name == right) {
                wrong.push(format!("`help search {line}` leads to {first:?}, not to `{right}`"));
            }
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
    }

    #[test]
    fn words_that_are_nowhere_lead_nowhere() {
        assert!(names("no such words zzz").is_empty());
    }
}
