//! What a command is given: the active choices and the surroundings.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::base::environment::{EnvName, EnvRef};
use crate::base::name::{OrgName, ProcessName};
use crate::base::suggest::closest_match;
use crate::base::time::{HumanDuration, InvalidDuration};
use crate::ops::OpContext;
use crate::report::{Console, ShorthandKind};
use crate::sys::history::HistoryEntry;
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

/// A setting of the session: a key of `config.toml` and of `set`.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// Its name.
    pub name: &'static str,
    /// Its value as long as none is set.
    pub default: &'static str,
    /// What it takes.
    pub accepts: Accepts,
    /// What it is for.
    pub help: &'static str,
    /// A prompt takes its value when it starts; a change later has no effect in it.
    pub is_read_at_start: bool,
}

impl Setting {
    /// What it is for, with the words that it takes.
    #[must_use]
    pub fn meaning(&self) -> String {
        match self.accepts {
            Accepts::Words(_) => format!("{}: {}", self.help, self.accepts.expected()),
            Accepts::Switch | Accepts::Number(_) | Accepts::Time => self.help.to_owned(),
        }
    }
}

/// What a setting takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accepts {
    /// `on` or `off`; in a file also `true` or `false`.
    Switch,
    /// One of these words, each with what it means.
    Words(&'static [(&'static str, &'static str)]),
    /// A whole number of these.
    Number(&'static str),
    /// A time such as `15m`, or `off`.
    Time,
}

impl Accepts {
    /// What it takes, in words: "on or off".
    #[must_use]
    pub fn expected(self) -> String {
        match self {
            Self::Switch => "on or off".to_owned(),
            Self::Words(words) => {
                let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
                match words.split_last() {
                    Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
                    _ => words.concat(),
                }
            }
            Self::Number(unit) => format!("a whole number of {unit}"),
            Self::Time => "a time span such as 30m, or off".to_owned(),
        }
    }

    /// The words it takes with what they mean; none for a number.
    #[must_use]
    pub fn words(self) -> Vec<(&'static str, &'static str)> {
        match self {
            Self::Switch => vec![("on", ""), ("off", "")],
            Self::Words(words) => words.to_vec(),
            Self::Number(_) => Vec::new(),
            Self::Time => vec![("off", ""), ("15m", ""), ("1h", "")],
        }
    }

    /// What is wrong with a value; none if it is taken.
    fn problem(self, value: &str) -> Option<InvalidSetting> {
        let why = match self {
            Self::Switch | Self::Words(_) if self.words().iter().any(|(word, _)| *word == value) => return None,
            Self::Number(_) if value.parse::<u32>().is_ok() => return None,
            Self::Time if value == "off" => return None,
            Self::Time => match value.parse::<HumanDuration>() {
                Ok(span) if span.0 >= SHORTEST_TIME => return None,
                Ok(_) => "expected at least 1s, or off".to_owned(),
                Err(InvalidDuration::NoUnit(number)) => format!("add a unit, like {number}m"),
                Err(InvalidDuration::Syntax(_)) => format!("expected {}", self.expected()),
            },
            Self::Switch | Self::Words(_) | Self::Number(_) => format!("expected {}", self.expected()),
        };
        Some(InvalidSetting { why, near: self.near(value) })
    }

    /// The word that was meant by one that it does not take.
    fn near(self, value: &str) -> Option<&'static str> {
        let value = value.to_lowercase();
        match (self, value.as_str()) {
            (Self::Switch, "true" | "yes" | "y" | "1" | "enable" | "enabled") => Some("on"),
            (Self::Switch, "false" | "no" | "n" | "0" | "disable" | "disabled")
            | (Self::Time, "false" | "no" | "none" | "never" | "0") => Some("off"),
            (Self::Switch | Self::Words(_), value) => closest_match(value, self.words().into_iter().map(|it| it.0)),
            (Self::Number(_) | Self::Time, _) => None,
        }
    }
}

/// Why a setting does not take a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidSetting {
    /// What was expected.
    pub why: String,
    /// The word that was meant.
    pub near: Option<&'static str>,
}

/// A shorter time of [`Accepts::Time`] cannot be meant.
const SHORTEST_TIME: Duration = Duration::from_secs(1);

/// All settings, by name. Completion, `set`, the page of `config.toml` and its errors follow from the row.
pub const SETTINGS: &[Setting] = &[
    Setting {
        name: "confirm",
        default: "type",
        accepts: Accepts::Words(&[
            ("type", "the name of the organization is typed before something in prod is stopped or removed"),
            ("yes", "a y is enough for every question"),
        ]),
        help: "how questions are answered",
        is_read_at_start: false,
    },
    Setting {
        name: "edit-mode",
        default: "emacs",
        accepts: Accepts::Words(&[("emacs", "Ctrl-A, Ctrl-E and Alt-B move"), ("vi", "Esc begins commands")]),
        help: "the keys of the prompt",
        is_read_at_start: false,
    },
    Setting {
        name: "history-size",
        default: "20000",
        accepts: Accepts::Number("lines"),
        help: "how many lines the prompt keeps; read at its start, 0: none",
        is_read_at_start: true,
    },
    Setting {
        name: "idle",
        default: "off",
        accepts: Accepts::Time,
        help: "a prompt in prod that is left alone for so long returns to the default environment; a question is answered with no",
        is_read_at_start: false,
    },
    Setting {
        name: "keep-going",
        default: "off",
        accepts: Accepts::Switch,
        help: "on: a script continues after a failure",
        is_read_at_start: false,
    },
    Setting {
        name: "notices",
        default: "on",
        accepts: Accepts::Switch,
        help: "off: the prompt does not say that a process crashed, was given up or became unhealthy, or that a deploy ended",
        is_read_at_start: false,
    },
    Setting {
        name: "plain",
        default: "off",
        accepts: Accepts::Switch,
        help: "on: a prompt without an editor; read at its start",
        is_read_at_start: true,
    },
    Setting {
        name: "private",
        default: "off",
        accepts: Accepts::Switch,
        help: "on: no line is kept in the history",
        is_read_at_start: false,
    },
    Setting {
        name: "rc",
        default: "on",
        accepts: Accepts::Switch,
        help: "off: `rc.tetra` is not run at the start of the prompt",
        is_read_at_start: true,
    },
    Setting {
        name: "readonly",
        default: "off",
        accepts: Accepts::Switch,
        help: "on: commands that change something are refused, also where programs that are started from here run them",
        is_read_at_start: false,
    },
    Setting {
        name: "shell-escape",
        default: "off",
        accepts: Accepts::Switch,
        help: "on: `!cmd` is allowed in scripts and after -c; no effect in config.toml, as it always is at the prompt",
        is_read_at_start: false,
    },
    Setting {
        name: "terminal-marks",
        default: "auto",
        accepts: Accepts::Words(&[
            ("auto", "for terminals that are known to understand them"),
            ("on", "for this terminal too"),
            ("off", "never"),
        ]),
        help: "whether the terminal gets a title, and marks where prompts and output begin (OSC 133)",
        is_read_at_start: false,
    },
    Setting {
        name: "theme",
        default: "default",
        accepts: Accepts::Words(&[
            ("default", "cyan, yellow and red of the terminal"),
            ("red-green", "green in the place of cyan"),
            ("light", "for a light background"),
            ("contrast", "bright colors, nothing dim"),
            ("blue-orange", "without red and green"),
            ("mono", "without colors"),
        ]),
        help: "the colors of the prompt and of what is shown at it; no theme says anything by color alone",
        is_read_at_start: false,
    },
    Setting {
        name: "transient-prompt",
        default: "on",
        accepts: Accepts::Switch,
        help: "off: the prompt keeps its text when a line is run, not only from staging on",
        is_read_at_start: false,
    },
];

/// The setting of a name.
#[must_use]
pub fn setting(name: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.name == name)
}

/// What was set in this session.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Settings {
    /// Settings that were changed; the others are as in [`SETTINGS`].
    pub values: BTreeMap<String, String>,
    /// Lines with a name of their own.
    pub aliases: BTreeMap<String, String>,
    /// Words that are written out while they are typed.
    pub abbreviations: BTreeMap<String, String>,
}

/// What is wrong with a value of a setting, or with a setting that does not exist; none if it is valid.
#[must_use]
pub fn validation_error(key: &str, value: &str) -> Option<InvalidSetting> {
    match setting(key) {
        Some(setting) => setting.accepts.problem(value),
        None => Some(InvalidSetting { why: "not a setting".to_owned(), near: None }),
    }
}

impl Settings {
    /// The value of a setting; empty if there is none of that name.
    #[must_use]
    pub fn get(&self, key: &str) -> &str {
        let default = || setting(key).map_or("", |setting| setting.default);
        self.values.get(key).map_or_else(default, String::as_str)
    }

    /// The time of a setting that takes one; none if it is `off`.
    #[must_use]
    pub fn time(&self, key: &str) -> Option<Duration> {
        self.get(key).parse::<HumanDuration>().ok().map(|it| it.0)
    }

    /// The lines of a kind, by name.
    #[must_use]
    pub fn lines(&self, kind: ShorthandKind) -> &BTreeMap<String, String> {
        match kind {
            ShorthandKind::Alias => &self.aliases,
            ShorthandKind::Abbreviation => &self.abbreviations,
        }
    }

    /// The same, to change them.
    pub fn lines_mut(&mut self, kind: ShorthandKind) -> &mut BTreeMap<String, String> {
        match kind {
            ShorthandKind::Alias => &mut self.aliases,
            ShorthandKind::Abbreviation => &mut self.abbreviations,
        }
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
    /// The environment that an option of this command names; the selection has it too.
    pub env_option: Option<&'a EnvName>,
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
    /// The line of the prompt that is being run, as it is in the history; none if it is not there.
    pub running_line: Option<&'a str>,
    /// The lines of the prompt that the history has not got yet, latest first.
    pub unwritten_lines: &'a [HistoryEntry],
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_is_not_taken_is_answered_with_one_that_is() {
        for (key, value, why, near) in [
            ("idle", "3", "add a unit, like 3m", None),
            ("idle", "0", "expected at least 1s, or off", Some("off")),
            ("idle", "500ms", "expected at least 1s, or off", None),
            ("idle", "15x", "expected a time span such as 30m, or off", None),
            ("confirm", "typ", "expected type or yes", Some("type")),
            ("confirm", "no", "expected type or yes", None),
            ("readonly", "True", "expected on or off", Some("on")),
            ("readonly", "no", "expected on or off", Some("off")),
            ("readonly", "maybe", "expected on or off", None),
            ("history-size", "20k", "expected a whole number of lines", None),
            ("edit-mod", "vi", "not a setting", None),
        ] {
            let expected = InvalidSetting { why: why.to_owned(), near };
            assert_eq!(validation_error(key, value), Some(expected), "{key} {value}");
        }
        for (key, value) in
            [("idle", "30m"), ("idle", "off"), ("confirm", "yes"), ("readonly", "on"), ("history-size", "0")]
        {
            assert_eq!(validation_error(key, value), None, "{key} {value}");
        }
    }
}
