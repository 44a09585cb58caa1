//! The table of all commands, read from top to bottom, and how words find their row.

use super::{Entry, entry};
use crate::command::shell as own;

/// Every command there is. Order is the order of the help.
pub const COMMANDS: &[Entry] = &[entry::<own::setup::Setup>(), entry::<own::exit::Exit>()];

/// The groups with their one-line meaning. A bare group name prints the group's help.
pub const GROUPS: &[(&str, &str)] = &[("tsm", "start, watch, log and stop processes")];

/// What the first words of a line lead to.
pub enum Found {
    /// A command and how many words name it.
    Command(&'static Entry, usize),
    /// A group alone.
    Group(&'static str),
    /// Nothing of that name.
    Nothing,
}

/// Finds the command whose name or alias is the longest match of the first words.
#[must_use]
pub fn resolve<S: AsRef<str>>(words: &[S]) -> Found {
    let Some(first) = words.first().map(AsRef::as_ref) else { return Found::Nothing };
    let second = words.get(1).map(AsRef::as_ref);
    let named = |entry: &&Entry, wanted: &str| entry.name == wanted || entry.aliases.contains(&wanted);
    if let Some(second) = second {
        let both = format!("{first} {second}");
        if let Some(entry) = COMMANDS.iter().find(|entry| named(entry, &both)) {
            return Found::Command(entry, 2);
        }
    }
    if let Some(entry) = COMMANDS.iter().find(|entry| named(entry, first)) {
        return Found::Command(entry, 1);
    }
    match GROUPS.iter().find(|(group, _)| *group == first) {
        Some((group, _)) => Found::Group(group),
        None => Found::Nothing,
    }
}
