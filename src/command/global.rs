//! The options that every command understands, before its words or after them.
//!
//! A command that has an option of the same letter or word keeps it for itself: after `tsm start`, `--env` is the file.

use clap::{Arg, ArgAction, ArgMatches};

use crate::base::environment::EnvName;
use crate::base::fault::Fault;
use crate::base::name::OrgName;
use crate::base::suggest;
use crate::command::registry::{self, CommandMatch};
use crate::report::{Color, OutputOptions};
use crate::tkm::host::HostName;

/// One global option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GlobalOption {
    /// The name under which a parser keeps it; no field of a command can be called so.
    pub id: &'static str,
    /// The word behind `--`.
    pub long: &'static str,
    /// The letter behind `-`.
    pub short: Option<char>,
    /// What its value is called; none for a switch.
    pub value: Option<&'static str>,
    /// What it is for.
    pub help: &'static str,
}

/// All of them, in the order of the help.
pub const GLOBALS: &[GlobalOption] = &[
    GlobalOption { id: "--json", long: "json", short: None, value: None, help: "Print data as JSON" },
    GlobalOption {
        id: "--color",
        long: "color",
        short: None,
        value: Some("WHEN"),
        help: "Colour: auto, always or never",
    },
    GlobalOption {
        id: "--org",
        long: "org",
        short: None,
        value: Some("ORG"),
        help: "The organization, for this command",
    },
    GlobalOption {
        id: "--env",
        long: "env",
        short: None,
        value: Some("ENV"),
        help: "The environment, for this command",
    },
    GlobalOption {
        id: "--dir",
        long: "dir",
        short: None,
        value: Some("DIR"),
        help: "The directory of everything, instead of $TETRA_DIR",
    },
    GlobalOption {
        id: "--on",
        long: "on",
        short: None,
        value: Some("@ENV"),
        help: "Run this command on the hosts of an environment",
    },
    GlobalOption {
        id: "--host",
        long: "host",
        short: None,
        value: Some("HOST,…"),
        help: "Run this command on these hosts",
    },
    GlobalOption { id: "--yes", long: "yes", short: Some('y'), value: None, help: "Answer every question with yes" },
    GlobalOption { id: "--quiet", long: "quiet", short: Some('q'), value: None, help: "Print data and errors only" },
    GlobalOption {
        id: "--verbose",
        long: "verbose",
        short: Some('v'),
        value: None,
        help: "Show more; twice for still more",
    },
];

/// What global options say about one command.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Globals {
    /// `--json`, `--color`, `--quiet`.
    pub output: OutputOptions,
    /// `--org`.
    pub org: Option<OrgName>,
    /// `--env`.
    pub env: Option<EnvName>,
    /// `--dir`.
    pub dir: Option<String>,
    /// `--on`.
    pub on: Option<EnvName>,
    /// `--host`.
    pub hosts: Vec<HostName>,
    /// `--yes`.
    pub yes: bool,
    /// How often `-v` was given.
    pub verbose: u8,
    /// `--help` stood before the words of the command.
    pub help: bool,
    /// `--version` stood there.
    pub version: bool,
}

impl Globals {
    /// Takes the global options from the front of `words`; how many words they are.
    ///
    /// # Errors
    ///
    /// Fails for an unknown option, a missing value and an invalid one.
    pub fn parse_leading<S: AsRef<str>>(&mut self, words: &[S]) -> Result<usize, Fault> {
        let mut taken = 0;
        while let Some(word) = words.get(taken)
            && is_option(word.as_ref())
        {
            taken += self.parse_one(&words[taken..])?;
        }
        Ok(taken)
    }

    /// Takes the global options before the name of the command, and in it: `tsm --json list`. The words without them.
    ///
    /// # Errors
    ///
    /// As [`Globals::parse_leading`].
    pub fn take_leading(&mut self, words: &[String]) -> Result<Vec<String>, Fault> {
        let before = self.parse_leading(words)?;
        let mut rest = words[before..].to_vec();
        if let (CommandMatch::Group(..), Some(second)) = (registry::resolve(&rest), rest.get(1))
            && is_option(second)
        {
            let count = self.parse_leading(&rest[1..])?;
            rest.drain(1..=count);
        }
        Ok(rest)
    }

    /// Takes the option that `words` begin with; how many words it is, with its value.
    ///
    /// # Errors
    ///
    /// As [`Globals::parse_leading`].
    pub fn parse_one<S: AsRef<str>>(&mut self, words: &[S]) -> Result<usize, Fault> {
        let Some(word) = words.first().map(AsRef::as_ref) else { return Ok(0) };
        let Some(long) = word.strip_prefix("--") else {
            for letter in word.chars().skip(1) {
                self.set_short(letter).ok_or_else(|| unknown(word))?;
            }
            return Ok(1);
        };
        let (long, value) = match long.split_once('=') {
            Some((long, value)) => (long, Some(value.to_owned())),
            None => (long, None),
        };
        let takes_value = GLOBALS.iter().any(|global| global.long == long && global.value.is_some());
        match value {
            Some(_) if !takes_value => Err(unknown(word)),
            None if takes_value => {
                self.set_long(long, words.get(1).map(|word| word.as_ref().to_owned()))?;
                Ok(2)
            }
            value => {
                self.set_long(long, value)?;
                Ok(1)
            }
        }
    }

    fn set_short(&mut self, letter: char) -> Option<()> {
        match letter {
            'h' => self.help = true,
            'V' => self.version = true,
            _ => {
                let global = GLOBALS.iter().find(|global| global.short == Some(letter))?;
                self.set_long(global.long, None).ok()?;
            }
        }
        Some(())
    }

    /// Sets one option by its word.
    fn set_long(&mut self, long: &str, value: Option<String>) -> Result<(), Fault> {
        let needed = || value.clone().ok_or_else(|| Fault::usage(format!("`--{long}` requires a value")));
        match long {
            "json" => self.output.json = true,
            "quiet" => self.output.quiet = true,
            "yes" => self.yes = true,
            "verbose" => self.verbose = self.verbose.saturating_add(1),
            "help" => self.help = true,
            "version" => self.version = true,
            "color" => self.output.color = Some(color(&needed()?)?),
            "org" => self.org = Some(needed()?.parse()?),
            "env" => self.env = Some(needed()?.parse()?),
            "dir" => self.dir = Some(needed()?),
            "on" => self.on = Some(needed()?.parse()?),
            "host" => self.hosts = needed()?.split(',').map(str::parse).collect::<Result<_, _>>()?,
            _ => return Err(unknown(&format!("--{long}"))),
        }
        Ok(())
    }

    /// Adds what a command's own parser found behind its words.
    ///
    /// # Errors
    ///
    /// Fails for an invalid value.
    pub fn merge(&mut self, matches: &ArgMatches) -> Result<(), Fault> {
        for global in GLOBALS {
            let id = global.id;
            if global.value.is_some() {
                if let Ok(Some(value)) = matches.try_get_one::<String>(id) {
                    self.set_long(global.long, Some(value.clone()))?;
                }
                continue;
            }
            let count = match matches.try_get_one::<u8>(id) {
                Ok(count) => count.copied().unwrap_or(0),
                Err(_) => u8::from(matches!(matches.try_get_one::<bool>(id), Ok(Some(true)))),
            };
            for _ in 0..count {
                self.set_long(global.long, None)?;
            }
        }
        Ok(())
    }
}

/// The parser of a command with the global options that it does not define itself.
#[must_use]
pub fn with_global_args(mut parser: clap::Command) -> clap::Command {
    for global in GLOBALS {
        let own = |arg: &Arg| {
            arg.get_long() == Some(global.long)
                || arg.get_all_aliases().is_some_and(|aliases| aliases.contains(&global.long))
        };
        if parser.get_arguments().any(own) {
            continue;
        }
        let letter = global.short.filter(|letter| {
            let own = |arg: &Arg| {
                arg.get_short() == Some(*letter)
                    || arg.get_all_short_aliases().is_some_and(|aliases| aliases.contains(letter))
            };
            !parser.get_arguments().any(own)
        });
        let mut arg = Arg::new(global.id).long(global.long).help(global.help).help_heading("Global options");
        arg = match global.value {
            Some(name) => arg.value_name(name).action(ArgAction::Set),
            None if global.long == "verbose" => arg.action(ArgAction::Count),
            None => arg.action(ArgAction::SetTrue).overrides_with(global.id),
        };
        if let Some(letter) = letter {
            arg = arg.short(letter);
        }
        parser = parser.arg(arg);
    }
    parser
}

/// True for a word that looks like an option; `-` alone is none.
#[must_use]
pub fn is_option(word: &str) -> bool {
    word.len() > 1 && word.starts_with('-')
}

fn color(word: &str) -> Result<Color, Fault> {
    match word {
        "auto" => Ok(Color::Auto),
        "always" => Ok(Color::Always),
        "never" => Ok(Color::Never),
        _ => Err(Fault::usage(format!("invalid value `{word}` for `--color`: expected auto, always or never"))),
    }
}

/// True if an option may be advised in place of what was typed. One that takes a question away only where it was clearly meant, and
/// those that run a command elsewhere nearly never.
#[must_use]
pub fn may_be_meant(given: &str, option: &str) -> bool {
    match option.trim_start_matches('-') {
        "yes" | "force" => suggest::is_typo(given, option),
        "on" => false,
        "host" => given.len() >= option.len() && suggest::is_typo(given, option),
        _ => true,
    }
}

fn unknown(word: &str) -> Fault {
    let bare = word.trim_start_matches('-');
    let all = GLOBALS.iter().map(|global| global.long).chain(["help", "version"]);
    let fault = Fault::usage(format!("unknown option `{word}`"));
    match suggest::closest_match(bare, all.filter(|option| may_be_meant(bare, option))) {
        Some(near) => fault.with_advice(format!("did you mean `--{near}`?")),
        None => fault.with_advice("`tetra --help` lists the options; options of a command come after its name"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_taken_from_the_front_only() {
        let mut globals = Globals::default();
        let words = ["--json", "-qyv", "--env=production", "--org", "acme", "tsm", "--dir", "x"];
        assert_eq!(globals.parse_leading(&words).expect("they are right"), 5);
        assert!(globals.output.json && globals.output.quiet && globals.yes && globals.verbose == 1);
        assert_eq!(globals.env.as_ref().map(EnvName::as_str), Some("prod"));
        assert_eq!(globals.org.as_ref().map(OrgName::as_str), Some("acme"));
        assert_eq!(globals.dir, None);
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (words, message) in [
            (&["--jsn"][..], "unknown option `--jsn`"),
            (&["--env"], "`--env` requires a value"),
            (&["--json=1"], "unknown option `--json=1`"),
            (&["-x"], "unknown option `-x`"),
            (&["--color", "blue"], "invalid value `blue` for `--color`: expected auto, always or never"),
        ] {
            let fault = Globals::default().parse_leading(words).expect_err("it is wrong");
            assert_eq!((fault.to_string().as_str(), fault.kind.code()), (message, 2));
        }
    }

    #[test]
    fn a_command_keeps_what_it_defines() {
        let own = clap::Command::new("x").no_binary_name(true).arg(Arg::new("env").short('v').long("env"));
        let matches =
            with_global_args(own).try_get_matches_from(["--env", "file", "--json", "--verbose"]).expect("it is right");
        let mut globals = Globals::default();
        globals.merge(&matches).expect("it is right");
        assert_eq!((globals.env, globals.output.json, globals.verbose), (None, true, 1));
    }
}
