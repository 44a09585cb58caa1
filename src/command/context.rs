//! What a command is given: the active choices and the surroundings.

use std::collections::BTreeMap;

use crate::base::environment::{EnvName, EnvRef};
use crate::base::name::{OrgName, ProcessName};
use crate::ops::OpContext;
use crate::report::Console;
use crate::sys::host::Host;
use crate::sys::paths::Paths;
use crate::tsm::progress::Progress;

/// The active organization, environment and process, with every rule about their order already applied.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Selection {
    /// The organization, if one is chosen or there is only one.
    pub org: Option<OrgName>,
    /// The environment, if one is chosen.
    pub env: Option<EnvName>,
    /// The selected process of this session.
    pub process: Option<ProcessName>,
}

impl Selection {
    /// An environment of the active organization.
    #[must_use]
    pub fn qualify(&self, env: EnvName) -> EnvRef {
        EnvRef { org: self.org.clone(), env }
    }

    /// The active environment.
    #[must_use]
    pub fn environment(&self) -> Option<EnvRef> {
        EnvRef::of(self.org.as_ref(), self.env.as_ref())
    }
}

/// What can be set in a session, with what it is at first and what it is for.
pub const SETTINGS: &[(&str, &str, &str)] = &[
    ("edit-mode", "emacs", "the keys of the prompt: emacs or vi"),
    ("history-size", "20000", "how many lines the prompt keeps; read at its start, 0: none"),
    ("keep-going", "off", "on: a script continues after a failure"),
    ("plain", "off", "on: a prompt without an editor; read at its start"),
    ("rc", "on", "off: `rc.tetra` is not run at the start of the prompt"),
    ("shell-escape", "off", "on: `!cmd` is allowed in scripts and after -c"),
];

/// What was set in this session.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Settings {
    /// Settings that were changed; the others are as in [`SETTINGS`].
    pub values: BTreeMap<String, String>,
    /// Lines with a name of their own.
    pub aliases: BTreeMap<String, String>,
}

/// What a setting expects instead of `value`; none if it is valid.
#[must_use]
pub fn validation_error(key: &str, value: &str) -> Option<&'static str> {
    let first = SETTINGS.iter().find(|(name, ..)| *name == key).map(|(_, first, _)| *first);
    match first {
        Some("on" | "off") => (!matches!(value, "on" | "off")).then_some("write on or off"),
        Some("emacs") => (!matches!(value, "emacs" | "vi")).then_some("write emacs or vi"),
        Some(_) => value.parse::<u32>().is_err().then_some("write a whole number"),
        None => Some("`set` shows the settings"),
    }
}

impl Settings {
    /// The value of a setting; empty if there is none of that name.
    #[must_use]
    pub fn get(&self, key: &str) -> &str {
        let first = || SETTINGS.iter().find(|(name, ..)| *name == key).map_or("", |(_, value, _)| value);
        self.values.get(key).map_or_else(first, String::as_str)
    }

    /// True if a setting is `on`.
    #[must_use]
    pub fn is_on(&self, key: &str) -> bool {
        self.get(key) == "on"
    }
}

/// Lives for one command. Domain code never receives it, only the part it needs.
pub struct Cx<'a> {
    /// Where everything is.
    pub paths: &'a Paths,
    /// The active choices; a command that wants to change them returns [`FollowUp::ChangeSelection`](crate::report::FollowUp::ChangeSelection).
    pub selection: &'a Selection,
    /// What was set in this session.
    pub settings: &'a Settings,
    /// The surroundings.
    pub host: &'a dyn Host,
    /// The operator. Commands note and ask; they show nothing themselves.
    pub console: &'a mut dyn Console,
    /// `--yes`: every question is answered.
    pub yes: bool,
    /// How often `-v` was given.
    pub verbose: u8,
}

impl<'a> Cx<'a> {
    /// What operations are given.
    #[must_use]
    pub fn operation(&self) -> OpContext<'a> {
        let Selection { org, env, .. } = self.selection;
        OpContext { paths: self.paths, host: self.host, org: org.as_ref(), env: env.as_ref() }
    }

    /// Shows what an operation reports while it runs.
    pub fn progress(&mut self) -> impl FnMut(Progress) + '_ {
        |progress| self.console.note(&progress.to_string())
    }
}
