//! The table of all commands, read from top to bottom, and how words find their row.

use super::{Entry, entry};
use crate::base::fault::Fault;
use crate::base::near::nearest;
use crate::command::shell as own;
use crate::command::tsm;

/// Every command there is. Order is the order of the help.
pub const COMMANDS: &[Entry] = &[
    entry::<tsm::start::Start>(),
    entry::<tsm::stop::Stop>(),
    entry::<tsm::restart::Restart>(),
    entry::<tsm::delete::Delete>(),
    entry::<tsm::kill::Kill>(),
    entry::<tsm::list::List>(),
    entry::<tsm::info::Info>(),
    entry::<tsm::logs::Logs>(),
    entry::<tsm::save::Save>(),
    entry::<tsm::import::Import>(),
    entry::<tsm::show::Show>(),
    entry::<tsm::services::Services>(),
    entry::<tsm::enable::Enable>(),
    entry::<tsm::enable::Disable>(),
    entry::<tsm::rm::Rm>(),
    entry::<tsm::startup::Startup>(),
    entry::<tsm::stack::Stacks>(),
    entry::<own::choose::Use>(),
    entry::<own::select::Select>(),
    entry::<own::context::Context>(),
    entry::<own::help::Help>(),
    entry::<own::help::TsmHelp>(),
    entry::<own::history::History>(),
    entry::<own::source::Source>(),
    entry::<own::watch::Watch>(),
    entry::<own::alias::Alias>(),
    entry::<own::set::Set>(),
    entry::<own::setup::Setup>(),
    entry::<own::version::Version>(),
    entry::<own::repl::Repl>(),
    entry::<own::complete::Complete>(),
    entry::<own::exit::Exit>(),
];

/// The groups with their one-line meaning. A bare group name prints the group's help.
pub const GROUPS: &[(&str, &str)] = &[("tsm", "start, watch, log and stop processes")];

/// Groups that may also be called behind `tsm`.
const ALSO_BELOW_TSM: [&str; 2] = ["org", "daemon"];

/// The most words that name a command.
const LONGEST_NAME: usize = 3;

/// What the first words of a line lead to.
pub enum Found {
    /// A command and how many words name it.
    Command(&'static Entry, usize),
    /// A group, with or without words behind it that name no command.
    Group(&'static str),
    /// Nothing of that name.
    Nothing,
}

/// Finds the command whose name or alias is the longest match of the first words.
#[must_use]
pub fn resolve<S: AsRef<str>>(words: &[S]) -> Found {
    let words: Vec<&str> = words.iter().take(LONGEST_NAME + 1).map(AsRef::as_ref).collect();
    if let ["tsm", group, ..] = words[..]
        && ALSO_BELOW_TSM.contains(&group)
        && let found @ (Found::Command(..) | Found::Group(_)) = resolve(&words[1..])
    {
        return match found {
            Found::Command(entry, count) => Found::Command(entry, count + 1),
            other => other,
        };
    }
    for count in (1..=words.len().min(LONGEST_NAME)).rev() {
        let wanted = words[..count].join(" ");
        if let Some(entry) = COMMANDS.iter().find(|entry| entry.name == wanted || entry.aliases.contains(&&*wanted)) {
            return Found::Command(entry, count);
        }
        if let Some(group) = COMMANDS.iter().find_map(|entry| group_of(entry.name, &wanted)) {
            return Found::Group(group);
        }
    }
    Found::Nothing
}

/// The first words of `name`, if they are `wanted` and others follow.
fn group_of(name: &'static str, wanted: &str) -> Option<&'static str> {
    name.strip_prefix(wanted)?.starts_with(' ').then(|| &name[..wanted.len()])
}

/// The commands of a group, in order.
pub fn members(group: &str) -> impl Iterator<Item = &'static Entry> {
    COMMANDS.iter().filter(move |entry| group_of(entry.name, group).is_some())
}

/// Says that there is no such command, and which one may have been meant.
#[must_use]
pub fn unknown<S: AsRef<str>>(words: &[S]) -> Fault {
    let words: Vec<&str> = words.iter().map(AsRef::as_ref).collect();
    let (given, near) = match resolve(&words) {
        Found::Group(group) => {
            let depth = group.split(' ').count();
            let verb = words.get(depth).copied().unwrap_or_default();
            let verbs = members(group).flat_map(names).filter_map(|name| name.strip_prefix(group)?.strip_prefix(' '));
            (format!("{group} {verb}"), nearest(verb, verbs).map(|verb| format!("{group} {verb}")))
        }
        Found::Command(..) | Found::Nothing => {
            let first = words.first().copied().unwrap_or_default();
            (first.to_owned(), near_first(first, words.get(1).copied()))
        }
    };
    let fault = Fault::usage(format!("no command is called `{given}`"));
    match near {
        Some(near) => fault.advise(format!("did you mean `{near}`?")),
        None => fault.advise("`help` lists the commands"),
    }
}

/// A command near to one that was given without its group, or with a slip in its first word.
fn near_first(first: &str, second: Option<&str>) -> Option<String> {
    let last_word = |name: &'static str| name.rsplit(' ').next().filter(|last| *last == first);
    if let Some(entry) = COMMANDS.iter().find(|entry| last_word(entry.name).is_some()) {
        return Some(entry.name.to_owned());
    }
    let firsts = COMMANDS.iter().flat_map(names).filter_map(|name| name.split(' ').next());
    let near = nearest(first, firsts)?;
    let both = second.map(|second| format!("{near} {second}"));
    Some(
        both.filter(|both| matches!(resolve(&both.split(' ').collect::<Vec<_>>()), Found::Command(_, 2)))
            .unwrap_or_else(|| near.to_owned()),
    )
}

/// The name of a command and its other names.
fn names(entry: &'static Entry) -> impl Iterator<Item = &'static str> {
    std::iter::once(entry.name).chain(entry.aliases.iter().copied())
}
