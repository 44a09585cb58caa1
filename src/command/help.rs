//! Help: the text of a command from its parser, of a group from the table.

mod at_cursor;
pub mod keys;
mod keywords;
mod purposes;
mod search;
pub mod services;
mod topics;

pub use at_cursor::at_cursor;
pub use purposes::{HelpPurpose, PURPOSES};
pub use search::{HelpMatch, search};
pub use topics::{TOPICS, Topic, list as list_of_topics, topic};

use super::argument::HelpWord;
use super::complete::NameFit;
use super::registry::{self, COMMANDS, CommandMatch, GROUPS, SUBGROUPS, commands_of};
use super::{CommandSpec, Effect};
use crate::report::Prose;

/// How much to tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HelpDetail {
    /// `-h`
    Short,
    /// `--help`
    Long,
}

/// Words after `help` that are neither a command nor a topic.
const LISTS: [&str; 4] = ["all", "topics", "topic", HelpWord::SEARCH];

/// True if there is help for these words, or for some that begin like them.
#[must_use]
pub fn has_subject(words: &[&str], fit: NameFit) -> bool {
    let text = words.join(" ");
    if fit == NameFit::Beginning {
        let commands = COMMANDS.iter().flat_map(|it| it.aliases.iter().copied().chain([it.name]));
        let groups = GROUPS.iter().chain(SUBGROUPS).map(|(name, _)| *name);
        let topics = TOPICS.iter().map(|it| it.name).chain(LISTS);
        return commands.chain(groups).chain(topics).any(|name| name.starts_with(&text));
    }
    let is_command = match registry::resolve(words) {
        CommandMatch::Command(_, count) | CommandMatch::Group(_, count) => count == words.len(),
        CommandMatch::Nothing => false,
    };
    is_command || LISTS.contains(&text.as_str()) || topic(&text).is_some()
}

/// The help of one command, at most `width` columns wide.
#[must_use]
pub fn of_command(entry: &CommandSpec, detail: HelpDetail, width: usize) -> Prose {
    let mut after = String::new();
    if !entry.examples.is_empty() {
        after.push_str("Examples:\n");
        for example in entry.examples {
            after.push_str(&format!("  {example}\n"));
        }
        after.push('\n');
    }
    if !entry.aliases.is_empty() {
        after.push_str(&format!("Also called: {}\n", entry.aliases.join(", ")));
    }
    after.push_str(&format!("Effect: {}", effect_text(entry)));
    let mut parser = entry.full_parser().term_width(width.min(Prose::WIDEST)).after_help(after);
    let text = match detail {
        HelpDetail::Short => parser.render_help(),
        HelpDetail::Long => parser.render_long_help(),
    };
    Prose(text.to_string())
}

/// The help of a group: its commands with what they do.
#[must_use]
pub fn of_group(group: &str) -> Prose {
    let mut text = String::new();
    if let Some((name, meaning)) = GROUPS.iter().find(|(name, _)| *name == group) {
        text.push_str(&format!("{name}: {meaning}\n\n"));
    }
    text.push_str(&format!("Usage: {group} <COMMAND> [OPTIONS]\n\nCommands:\n"));
    text.push_str(&rows(
        commands_of(group)
            .filter(|entry| !entry.is_hidden())
            .map(|entry| (mark(entry.effect), entry.name, entry.summary())),
    ));
    text.push_str(&format!("\n{LEGEND}\n`{group} <COMMAND> --help` shows more about one.\n"));
    Prose(text)
}

/// How many commands to list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listing {
    /// Those of a group in a group as one row.
    Folded,
    /// Each.
    Whole,
}

/// The help of the whole shell: commands by what one wants to do.
#[must_use]
pub fn of_all(listing: Listing) -> Prose {
    let mut text = "tetra: an operator shell\n\n\
        Usage:\n\
        \x20 tetra [--plain] [--norc] [--private]  the prompt, on a terminal\n\
        \x20 tetra COMMAND [WORDS]                 one command\n\
        \x20 tetra -c 'LINE'                       a line, as in a script\n\
        \x20 tetra [--keep-going] FILE             a script; `-` is the standard input\n\n\
        \x20 --plain       a prompt without editor and colour, as with TERM=dumb\n\
        \x20 --norc        does not run ~/.config/tetra/rc.tetra before the prompt\n\
        \x20 --private     keeps no line of this prompt in the history\n\
        \x20 --keep-going  continues with the next line after a failure\n\n"
        .to_owned();
    for purpose in PURPOSES.iter().map(Some).chain([None]) {
        let commands = purposes::commands(purpose);
        if !commands.is_empty() {
            text.push_str(&format!("{}\n", purpose.map_or("Other", |purpose| purpose.title)));
            text.push_str(&rows(folded(&commands, listing).into_iter()));
            text.push('\n');
        }
    }
    if listing == Listing::Folded {
        text.push_str("`help all` lists every command; a row with … has more: `help tsm logs`.\n");
    }
    text.push_str("\nGlobal options, before a command or after it:\n");
    let option = |global: &super::global::GlobalOption| {
        let short = global.short.map_or_else(|| "    ".to_owned(), |letter| format!("-{letter}, "));
        let value = global.value.map_or_else(String::new, |value| format!(" {value}"));
        format!("{short}--{}{value}", global.long)
    };
    let options: Vec<(String, &str)> = super::global::GLOBALS.iter().map(|it| (option(it), it.help)).collect();
    text.push_str(&rows(options.iter().map(|(name, help)| (' ', name.as_str(), (*help).to_owned()))));
    text.push_str("\nTopics:\n");
    text.push_str(&rows(TOPICS.iter().map(|it| (' ', format!("help {}", it.name), it.summary.to_owned()))));
    text.push_str(&format!(
        "\n`help search WORD` finds commands, options and topics by a word of their text.\n{LEGEND}\n"
    ));
    Prose(text)
}

/// The rows of commands: the mark, the name, what it does. Folded, those of a group in a group are one row.
fn folded(commands: &[&'static CommandSpec], listing: Listing) -> Vec<(char, String, String)> {
    let mut rows: Vec<(char, String, String)> = Vec::new();
    for entry in commands {
        let outer: Vec<&str> = entry.name.split(' ').take(2).collect();
        let group = outer.join(" ");
        let inner = commands.iter().filter(|it| it.name != group && purposes::is_within(it.name, &group)).count();
        if listing == Listing::Whole || inner == 0 {
            rows.push((mark(entry.effect), entry.name.to_owned(), entry.summary()));
            continue;
        }
        let name = format!("{group} …");
        if !rows.iter().any(|(_, shown, _)| *shown == name) {
            rows.push((' ', name, summary_of(&group).unwrap_or_default()));
        }
    }
    rows
}

/// What a command is for, or a group within a group.
fn summary_of(name: &str) -> Option<String> {
    let own = COMMANDS.iter().find(|it| it.name == name).map(CommandSpec::summary);
    own.or_else(|| SUBGROUPS.iter().find(|(it, _)| *it == name).map(|(_, meaning)| (*meaning).to_owned()))
}

const LEGEND: &str = "* changes something, ! ends or removes something: `help guard` explains when these ask first.";

/// What a command does at most, and when it asks first.
pub(super) fn effect_text(entry: &CommandSpec) -> &'static str {
    match (entry.effect, entry.name) {
        (Effect::Read, "use" | "select" | "cd" | "set" | "clear" | "exit" | "repl") => "changes only this session",
        (Effect::Read, "watch" | "source" | "tour") => {
            "that of the commands that it runs, which ask as they do by themselves"
        }
        (Effect::Read, "daemon run") => "starts and stops services, and never asks: it is run by systemd",
        (Effect::Read, _) => "only looks",
        (Effect::Own, _) => "changes only what is yours: settings, lines of the prompt or a new file; never asks",
        (Effect::Write, _) => "changes something; asks first in prod",
        (Effect::Destroy, _) => "ends or removes something; asks first in staging and prod",
    }
}

fn mark(effect: Effect) -> char {
    match effect {
        Effect::Read => ' ',
        Effect::Own | Effect::Write => '*',
        Effect::Destroy => '!',
    }
}

fn rows<S: AsRef<str>>(rows: impl Iterator<Item = (char, S, String)>) -> String {
    let rows: Vec<_> = rows.collect();
    let width = rows.iter().map(|(_, name, _)| name.as_ref().chars().count()).max().unwrap_or(0);
    rows.iter().map(|(mark, name, text)| format!("{mark} {:width$}  {text}\n", name.as_ref())).collect()
}
