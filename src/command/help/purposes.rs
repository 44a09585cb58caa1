//! The commands by what one wants to do.

use crate::base::sort::SortExt;
use crate::command::CommandSpec;
use crate::command::registry::COMMANDS;

/// Something to do, with the commands for it.
#[derive(Debug, Clone, Copy)]
pub struct HelpPurpose {
    /// What one wants to do.
    pub title: &'static str,
    /// The names of commands; a name also means those that begin with it, as far as no longer name is listed.
    pub names: &'static [&'static str],
}

/// All of them, in the order of the help. What fits none is shown at the end.
pub const PURPOSES: &[HelpPurpose] = &[
    HelpPurpose {
        title: "Run something",
        names: &[
            "tsm start",
            "tsm stop",
            "tsm restart",
            "tsm reload",
            "tsm scale",
            "tsm signal",
            "tsm delete",
            "tsm kill",
        ],
    },
    HelpPurpose {
        title: "See what runs",
        names: &[
            "tsm list",
            "tsm info",
            "tsm why",
            "tsm stats",
            "tsm monitor",
            "tsm tview",
            "tsm env",
            "tsm paths",
            "watch",
        ],
    },
    HelpPurpose { title: "Read logs", names: &["tsm logs"] },
    HelpPurpose {
        title: "Keep it as a service, and start it at boot",
        names: &[
            "tsm save",
            "tsm import",
            "tsm show",
            "tsm services",
            "tsm enable",
            "tsm disable",
            "tsm rm",
            "tsm up",
            "tsm startup",
            "tsm stack",
            "daemon",
        ],
    },
    HelpPurpose {
        title: "Find out what is wrong, and put it right",
        names: &["tsm doctor", "tsm patrol", "tsm cleanup", "tsm audit", "tsm upgrade"],
    },
    HelpPurpose {
        title: "Ports, nginx and HTTP",
        names: &["tsm ports", "tsm ranges", "tsm scan-ports", "tsm nginx", "serve"],
    },
    HelpPurpose {
        title: "Environments of an organization: dev, staging, prod",
        names: &["org", "use", "context", "select"],
    },
    HelpPurpose { title: "Env files of a project", names: &["env"] },
    HelpPurpose { title: "Secrets and keys", names: &["secrets", "tkm"] },
    HelpPurpose {
        title: "Events of a web application",
        names: &[
            "tsm stream",
            "tsm analytics",
            "tsm sessions",
            "tsm users",
            "tsm patterns",
            "tsm journey",
            "tsm clicks",
            "tsm click-perf",
            "tsm triggers",
        ],
    },
    HelpPurpose {
        title: "The shell itself",
        names: &[
            "help", "tsm help", "tour", "cd", "pwd", "clear", "history", "source", "alias", "unalias", "abbr", "set",
            "config", "setup", "version", "repl", "exit",
        ],
    },
];

/// The purpose of a command, by the longest name that fits.
#[must_use]
fn of(entry: &CommandSpec) -> Option<&'static HelpPurpose> {
    let fit = |purpose: &'static HelpPurpose| {
        let fitting = purpose.names.iter().filter(|name| is_within(entry.name, name));
        Some((fitting.map(|name| name.len()).max()?, purpose))
    };
    PURPOSES.iter().filter_map(fit).max_by_key(|(length, _)| *length).map(|(_, purpose)| purpose)
}

/// True for a name, and for one that goes on after it.
pub(super) fn is_within(name: &str, outer: &str) -> bool {
    name.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
}

/// The visible commands of a purpose, in the order of its names; those of none without one.
pub(super) fn commands(purpose: Option<&'static HelpPurpose>) -> Vec<&'static CommandSpec> {
    let own = |entry: &&CommandSpec| !entry.is_hidden() && of(entry).map(|it| it.title) == purpose.map(|it| it.title);
    let mut found: Vec<&CommandSpec> = COMMANDS.iter().filter(own).collect();
    let place = |entry: &&CommandSpec| {
        purpose.and_then(|purpose| purpose.names.iter().position(|name| is_within(entry.name, name)))
    };
    found.order_by_key(place);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_command_is_without_a_purpose() {
        let none: Vec<_> = commands(None).iter().map(|entry| entry.name).collect();
        assert!(none.is_empty(), "add these to a row of `PURPOSES`: {none:?}");
    }

    #[test]
    fn every_purpose_has_commands_and_every_command_one() {
        let shown: usize = PURPOSES.iter().map(|purpose| commands(Some(purpose)).len()).sum();
        assert_eq!(shown, COMMANDS.iter().filter(|entry| !entry.is_hidden()).count());
        assert!(PURPOSES.iter().all(|purpose| !commands(Some(purpose)).is_empty()));
    }
}
