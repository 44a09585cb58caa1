//! What pages there are.

use super::{ManualBlock, Page, markdown};
use crate::base::fault::FaultKind;
use crate::command::CommandSpec;
use crate::command::global::GLOBALS;
use crate::command::help::{TOPICS, effect_text, services};
use crate::command::registry::{COMMANDS, GROUPS, commands_of};

/// Where the formats of files are described.
const FORMATS: &str = include_str!("../../../docs/formats.md");

/// Groups that are also names of the program.
const PROGRAMS: [&str; 3] = ["tsm", "tkm", "org"];

/// Formats: the page, what it is about, the part of [`FORMATS`].
const FILES: [(&str, &str, &str); 3] = [
    ("tetra.tsm", "a service of tetra", "Services: `.tsm`"),
    ("tetra-local.toml", "the source of the environments of an organization", "`local.toml`"),
    ("tetra-config.toml", "settings of the prompt of tetra", "Settings: `config.toml`"),
];

const ENVIRONMENT: [(&str, &str); 8] = [
    ("TETRA_DIR", "the directory of everything; `~/tetra` unless set"),
    ("TETRA_ORG, TETRA_ENV", "the organization and the environment, unless an option or the session says otherwise"),
    ("TETRA_PLAIN", "set to 1: the prompt has no editor"),
    (
        "TETRA_READONLY",
        "set to 1: commands that change something are refused. A prompt after `set readonly on` gives it to the programs that it \
         starts",
    ),
    ("VISUAL, EDITOR", "the editor of `Ctrl-O` and of commands that edit"),
    (
        "TETRA_PAGER, PAGER",
        "what shows an output that is longer than the screen: `less -FRSX` unless set; `cat` for none",
    ),
    ("NO_COLOR, CLICOLOR_FORCE", "no colour, or colour also without a terminal"),
    ("COLUMNS", "the width of tables without a terminal"),
];

const PLACES: [(&str, &str); 4] = [
    ("$TETRA_DIR, ~/tetra", "services, organizations, records and logs of processes"),
    ("~/.config/tetra/config.toml", "settings, see `tetra-config.toml(5)`"),
    ("~/.config/tetra/rc.tetra", "lines that are run at the start of the prompt"),
    ("~/.local/state/tetra", "the history of the prompt"),
];

/// Every page: the program, each group of commands, each format of a file.
#[must_use]
pub fn pages() -> Vec<Page> {
    let mut pages = vec![program()];
    pages.extend(GROUPS.iter().map(|(name, meaning)| group(name, meaning)));
    pages.extend(FILES.iter().map(|(name, summary, part)| file(name, summary, part)));
    let names: Vec<String> = pages.iter().map(|page| format!("{}({})", page.name, page.section)).collect();
    for page in &mut pages {
        let own = format!("{}({})", page.name, page.section);
        let others: Vec<&str> = names.iter().filter(|name| **name != own).map(String::as_str).collect();
        page.blocks.extend([part("See also"), ManualBlock::Text(others.join(", "))]);
    }
    pages
}

fn part(title: &str) -> ManualBlock {
    ManualBlock::Part(title.to_owned())
}

fn items(pairs: &[(&str, &str)]) -> Vec<ManualBlock> {
    pairs.iter().map(|(term, text)| ManualBlock::Item((*term).to_owned(), (*text).to_owned())).collect()
}

/// The name of the page of a group.
fn page_of(group: &str) -> String {
    if PROGRAMS.contains(&group) { group.to_owned() } else { format!("tetra-{group}") }
}

fn program() -> Page {
    let own = COMMANDS.iter().filter(|it| !GROUPS.iter().any(|(group, _)| it.name.starts_with(&format!("{group} "))));
    let mut blocks = vec![
        part("Synopsis"),
        ManualBlock::Lines("tetra [--plain] [--norc] [--private]\ntetra COMMAND [WORDS]\ntetra -c 'LINE'\ntetra [--keep-going] FILE".to_owned()),
        part("Description"),
        ManualBlock::Text(
            "Without arguments, on a terminal, a prompt begins. With words it runs one command, after `-c` a line as in a \
             script, and with a file the lines of one; `-` is the standard input."
                .to_owned(),
        ),
        part("Groups of commands"),
    ];
    blocks.extend(
        GROUPS
            .iter()
            .map(|(name, meaning)| ManualBlock::Item((*name).to_owned(), format!("{meaning}; `{}(1)`", page_of(name)))),
    );
    blocks.push(part("Commands"));
    blocks.extend(own.filter(|it| !it.is_hidden()).flat_map(command));
    blocks.extend(global_options());
    blocks.push(part("Topics"));
    let topics = TOPICS.iter().filter(|it| it.name != "exit-codes" && it.name != "services");
    blocks.extend(
        topics.flat_map(|it| [ManualBlock::Heading(format!("help {}", it.name)), ManualBlock::Lines((it.text)())]),
    );
    blocks.extend(exit_codes());
    blocks.push(part("Environment"));
    blocks.extend(items(&ENVIRONMENT));
    blocks.push(part("Files"));
    blocks.extend(items(&PLACES));
    Page { name: "tetra".to_owned(), section: 1, summary: "an operator shell".to_owned(), blocks }
}

fn group(name: &str, meaning: &str) -> Page {
    let call = if PROGRAMS.contains(&name) { name.to_owned() } else { format!("tetra {name}") };
    let mut blocks = vec![part("Synopsis"), ManualBlock::Lines(format!("{call} COMMAND [WORDS]")), part("Commands")];
    blocks.extend(commands_of(name).filter(|it| !it.is_hidden()).flat_map(command));
    blocks.extend(global_options());
    blocks.extend(exit_codes());
    Page { name: page_of(name), section: 1, summary: meaning.to_owned(), blocks }
}

fn file(name: &str, summary: &str, title: &str) -> Page {
    let mut blocks = vec![part("Description")];
    blocks.extend(markdown::part(FORMATS, title));
    if name == "tetra.tsm" {
        blocks.extend([part("Every key"), ManualBlock::Lines(services::template())]);
    }
    Page { name: name.to_owned(), section: 5, summary: summary.to_owned(), blocks }
}

fn global_options() -> Vec<ManualBlock> {
    let option = |it: &crate::command::global::GlobalOption| {
        let short = it.short.map_or_else(String::new, |letter| format!("-{letter}, "));
        let value = it.value.map_or_else(String::new, |value| format!(" {value}"));
        ManualBlock::Item(format!("{short}--{}{value}", it.long), it.help.to_owned())
    };
    let intro = "Before a command or after it. A command that has an option of the same name keeps it for itself.";
    let mut blocks = vec![part("Options of every command"), ManualBlock::Text(intro.to_owned())];
    blocks.extend(GLOBALS.iter().map(option));
    blocks
}

fn exit_codes() -> Vec<ManualBlock> {
    let mut blocks = vec![part("Exit codes"), ManualBlock::Item("0".to_owned(), "done".to_owned())];
    blocks.extend(
        FaultKind::ALL.iter().map(|(_, code, _, meaning)| ManualBlock::Item(code.to_string(), (*meaning).to_owned())),
    );
    blocks
}

/// One command: what it does, how it is called, its arguments.
fn command(entry: &'static CommandSpec) -> Vec<ManualBlock> {
    let mut parser = (entry.parser)();
    let usage = parser.render_usage().to_string();
    let usage = usage.trim().strip_prefix("Usage:").unwrap_or(&usage).trim();
    let mut blocks = vec![ManualBlock::Heading(entry.name.to_owned()), ManualBlock::Lines(usage.to_owned())];
    let about = parser.get_long_about().or(parser.get_about()).map(ToString::to_string).unwrap_or_default();
    blocks.extend(about.split("\n\n").filter(|it| !it.trim().is_empty()).map(|it| ManualBlock::Text(sentence(it))));
    blocks.extend(parser.get_arguments().filter(|it| !it.is_hide_set() && it.get_id() != "help").map(argument));
    if !entry.examples.is_empty() {
        blocks.extend([ManualBlock::Text("Examples:".to_owned()), ManualBlock::Lines(entry.examples.join("\n"))]);
    }
    let aliases = match entry.aliases {
        [] => String::new(),
        names => format!("Also called `{}`. ", names.join("`, `")),
    };
    blocks.push(ManualBlock::Text(format!("{aliases}Effect: {}.", effect_text(entry))));
    blocks
}

/// The first line of a help has no full stop.
fn sentence(text: &str) -> String {
    let text = text.trim();
    if text.ends_with(['.', ':', '?', '`']) { text.to_owned() } else { format!("{text}.") }
}

fn argument(arg: &clap::Arg) -> ManualBlock {
    let values = arg.get_value_names().unwrap_or_default().iter().map(|name| format!("<{name}>"));
    let value = if arg.get_action().takes_values() { values.collect::<Vec<_>>().join(" ") } else { String::new() };
    let short = arg.get_short().map(|letter| format!("-{letter}"));
    let names: Vec<String> = short.into_iter().chain(arg.get_long().map(|long| format!("--{long}"))).collect();
    let mut term = names.join(", ");
    if !value.is_empty() {
        term = format!("{term} {value}").trim().to_owned();
    }
    let help = arg.get_long_help().or(arg.get_help()).map(ToString::to_string).unwrap_or_default();
    let mut text = help;
    let possible: Vec<String> = match arg.is_hide_possible_values_set() || !arg.get_action().takes_values() {
        true => Vec::new(),
        false => arg.get_possible_values().iter().map(|it| format!("`{}`", it.get_name())).collect(),
    };
    if !possible.is_empty() {
        text.push_str(&format!(" [{}]", possible.join(", ")));
    }
    let default: Vec<String> = arg.get_default_values().iter().map(|it| it.to_string_lossy().into_owned()).collect();
    if !default.concat().is_empty() && arg.get_action().takes_values() {
        text.push_str(&format!(" [default: {}]", default.join(" ")));
    }
    ManualBlock::Item(if term.is_empty() { arg.get_id().to_string().to_uppercase() } else { term }, text)
}
