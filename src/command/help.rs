//! Help: the text of a command from its parser, of a group from the table.

use super::registry::{COMMANDS, GROUPS, commands_of};
use super::{CommandSpec, Effect};
use crate::base::fault::FaultKind;

/// How much to tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HelpDetail {
    /// `-h`
    Short,
    /// `--help`
    Long,
}

/// The help of one command, at most `width` columns wide.
#[must_use]
pub fn of_command(entry: &CommandSpec, detail: HelpDetail, width: usize) -> String {
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
    after.push_str(&format!("Effect: {}", confirmation_text(entry.effect)));
    let mut parser = entry.full_parser().term_width(width).after_help(after);
    let text = match detail {
        HelpDetail::Short => parser.render_help(),
        HelpDetail::Long => parser.render_long_help(),
    };
    text.to_string()
}

/// The help of a group: its commands with what they do.
#[must_use]
pub fn of_group(group: &str) -> String {
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
    text
}

/// The help of the whole shell.
#[must_use]
pub fn of_all() -> String {
    let mut text = "tetra: an operator shell\n\n\
        Usage:\n\
        \x20 tetra [--plain] [--norc]   the prompt, on a terminal\n\
        \x20 tetra COMMAND [WORDS]      one command\n\
        \x20 tetra -c 'LINE'            a line, as if typed\n\
        \x20 tetra [--keep-going] FILE  a script; `-` is the standard input\n\n\
        \x20 --plain       a prompt without editor and colour, as with TERM=dumb\n\
        \x20 --norc        does not run ~/.config/tetra/rc.tetra before the prompt\n\
        \x20 --keep-going  continues with the next line after a failure\n\n"
        .to_owned();
    for (group, meaning) in GROUPS {
        text.push_str(&format!("{group}: {meaning}\n"));
        text.push_str(&rows(
            commands_of(group)
                .filter(|entry| !entry.is_hidden())
                .map(|entry| (mark(entry.effect), entry.name, entry.summary())),
        ));
        text.push('\n');
    }
    text.push_str("The shell's own:\n");
    let own = COMMANDS.iter().filter(|entry| entry.group().is_none() && !entry.is_hidden());
    text.push_str(&rows(own.map(|entry| (mark(entry.effect), entry.name, entry.summary()))));
    text.push_str("\nGlobal options, before a command or after it:\n");
    let option = |global: &super::global::GlobalOption| {
        let short = global.short.map_or_else(|| "    ".to_owned(), |letter| format!("-{letter}, "));
        let value = global.value.map_or_else(String::new, |value| format!(" {value}"));
        format!("{short}--{}{value}", global.long)
    };
    let options: Vec<(String, &str)> = super::global::GLOBALS.iter().map(|it| (option(it), it.help)).collect();
    text.push_str(&rows(options.iter().map(|(name, help)| (' ', name.as_str(), (*help).to_owned()))));
    text.push_str(&format!(
        "\n{LEGEND}\nTopics: {}\n",
        TOPICS.iter().map(|topic| format!("`help {}`", topic.name)).collect::<Vec<_>>().join(", ")
    ));
    text
}

const LEGEND: &str = "* changes something, ! ends or removes something: `help guard` explains when these ask first.";

/// A text about what is not one command.
#[derive(Debug, Clone, Copy)]
pub struct Topic {
    /// The word after `help`.
    pub name: &'static str,
    /// What it is about.
    pub summary: &'static str,
    /// Writes it.
    pub text: fn() -> String,
}

/// All topics.
pub const TOPICS: &[Topic] = &[
    Topic { name: "exit-codes", summary: "what each exit code means", text: exit_codes },
    Topic { name: "lines", summary: "quotes, pipes, redirection, several commands", text: lines },
    Topic { name: "context", summary: "organization, environment and process of a command", text: context },
    Topic { name: "guard", summary: "when a command asks before it acts", text: guard },
    Topic { name: "prompt", summary: "keys and settings of the prompt", text: prompt },
];

/// The topic of a name.
#[must_use]
pub fn topic(name: &str) -> Option<&'static Topic> {
    TOPICS.iter().find(|topic| topic.name == name)
}

fn exit_codes() -> String {
    let mut text = "0    done\n".to_owned();
    for (_, code, _, meaning) in FaultKind::ALL {
        text.push_str(&format!("{code:<4} {meaning}\n"));
    }
    text
}

fn lines() -> String {
    "A line is one command or several with `;` between them; it stops at the first failure.\n\n\
     'a b'  \"a b\"  a\\ b   one word\n\
     # text              a comment\n\
     \\ at the end        the line goes on\n\
     COMMAND | PROGRAM   the output goes to `sh -c PROGRAM`, up to the next `;` outside quotes and parentheses\n\
     COMMAND > FILE      the output goes to a file; >> adds to it; ~/ is your home\n\
     !PROGRAM            runs the rest of the line with `sh -c`, at the prompt\n\n\
     The same holds at the prompt, after `tetra -c` and in scripts. `source FILE` runs a script here.\n"
        .to_owned()
}

fn context() -> String {
    "The context is the organization, the environment and the process that commands use when none is named.\n\n\
     use ORG, use @ENV, @ENV   choose for this session; `use -` goes back\n\
     select PROCESS            choose a process for this session\n\
     --org ORG, --env ENV      choose for one command\n\n\
     What counts, first to last: the option, this session, TETRA_ORG and TETRA_ENV, the kept choice, the only one there is.\n"
        .to_owned()
}

fn prompt() -> String {
    "The prompt shows organization, environment and process, and the exit code of the last line if it failed.\n\n\
     Tab                  completes, or shows what could stand here; Tab again goes through it\n\
     Right, Ctrl-F        takes the grey rest of an earlier line; Alt-F takes one word of it\n\
     Up, Ctrl-R           earlier lines; Ctrl-R finds those that hold each word\n\
     Alt-Enter            a further line; an open quote or a `\\` at the end goes on by itself\n\
     Ctrl-O, Ctrl-X Ctrl-E  the line in $VISUAL or $EDITOR\n\
     Ctrl-C               drops the line, or ends the command; the session goes on\n\
     Ctrl-D               leaves, on an empty line\n\
     Ctrl-Z               takes the last change of the line back\n\n\
     Lines are kept for this user alone, their secrets as `***`; one with a blank in front is not kept.\n\
     `~/.config/tetra/config.toml` holds settings (`edit-mode = \"vi\"`; `set` lists them) and a table `aliases`; the\n\
     lines of `rc.tetra` beside it are run at the start, unless `--norc` is given. `--plain`, TETRA_PLAIN=1 or TERM=dumb\n\
     give a prompt without an editor, for screen readers and poor terminals.\n"
        .to_owned()
}

fn guard() -> String {
    "Commands read, write or destroy. Whether they ask first depends on the environment:\n\n\
     \x20            write   destroy\n\
     local, dev   runs    runs\n\
     staging      runs    asks\n\
     prod         asks    asks for the organization's name\n\n\
     The strictest counts: the environment of the command, of the context, or of the process itself.\n\
     An environment of your own counts as its type says, and as prod if it says nothing.\n\
     `--yes` answers; without a terminal it is needed, else nothing is done and the exit code is 4.\n"
        .to_owned()
}

fn confirmation_text(effect: Effect) -> &'static str {
    match effect {
        Effect::Read => "only looks",
        Effect::Write => "changes something; asks first in prod",
        Effect::Destroy => "ends or removes something; asks first in staging and prod",
    }
}

fn mark(effect: Effect) -> char {
    match effect {
        Effect::Read => ' ',
        Effect::Write => '*',
        Effect::Destroy => '!',
    }
}

fn rows<'a>(rows: impl Iterator<Item = (char, &'a str, String)>) -> String {
    let rows: Vec<_> = rows.collect();
    let width = rows.iter().map(|(_, name, _)| name.len()).max().unwrap_or(0);
    rows.iter().map(|(mark, name, text)| format!("{mark} {name:width$}  {text}\n")).collect()
}
