//! The options of a process on the command line, for every command that makes one: a flag for each row of the table.

use std::path::Path;

use clap::builder::{PossibleValue, PossibleValuesParser, ValueParser};
use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgMatches};

use crate::base::home;
use crate::base::name::ServiceName;
use crate::base::signal::Signal;
use crate::command::Cx;
use crate::command::argument::{FilePath, StackName, UserName};
use crate::tsm::options::kind::{Completion, OptionArgument};
use crate::tsm::options::table::ServiceOption;
use crate::tsm::options::value::RawOptionValue;
use crate::tsm::options::{OPTIONS, ServiceOptions};

/// The options of a process.
#[derive(Debug)]
pub struct ServiceArgs(ServiceOptions);

impl ServiceArgs {
    /// What was given. Shells leave the `~` of `--watch=~/src` as it is.
    pub(super) fn options(&self, cx: &Cx) -> ServiceOptions {
        let mut options = self.0.clone();
        let paths = options.watch.iter_mut().chain(&mut options.env_file).flatten();
        paths.for_each(|path| *path = below_home(path, cx));
        options
    }
}

/// A path that was given, whose `~` is the operator's home directory.
pub(super) fn below_home(path: &str, cx: &Cx) -> String {
    home::expand(path, cx.host.variable("HOME"))
}

impl clap::Args for ServiceArgs {
    fn augment_args(command: clap::Command) -> clap::Command {
        command.args(OPTIONS.iter().map(arg))
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Self::augment_args(command)
    }
}

impl clap::FromArgMatches for ServiceArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut options = ServiceOptions::default();
        for option in OPTIONS {
            let values = values(option, matches);
            if !values.is_empty() {
                read(option, &values, &mut options)
                    .map_err(|error| clap::Error::raw(ErrorKind::ValueValidation, error))?;
            }
        }
        Ok(Self(options))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

fn read(option: &ServiceOption, values: &[String], options: &mut ServiceOptions) -> Result<(), String> {
    let raw = RawOptionValue { values, list: true, dir: Path::new("/") };
    option.read(options, &raw).map_err(|expected| {
        format!("invalid value `{}` for `--{}`: expected {expected}", values.join(" "), option.flag)
    })
}

/// The flag of an option. The type of its value decides how it is completed.
fn arg(option: &'static ServiceOption) -> Arg {
    let arg = Arg::new(option.name).long(option.flag).help(option.full_help());
    let (arg, name, completion) = match option.argument {
        OptionArgument::Switch(_) => return arg.action(ArgAction::SetTrue),
        OptionArgument::One(name, completion) => (arg.action(ArgAction::Set), name, completion),
        OptionArgument::Many(name, completion) => (arg.action(ArgAction::Append), name, completion),
    };
    let arg = arg.value_name(name).value_parser(parser(option, completion));
    match completion {
        Completion::Services => arg.value_delimiter(','),
        Completion::OptionalFiles => arg.allow_hyphen_values(true),
        _ => arg,
    }
}

fn parser(option: &'static ServiceOption, completion: Completion) -> ValueParser {
    let checked = move |given: &str| {
        read(option, &[given.to_owned()], &mut ServiceOptions::default())?;
        Ok::<String, String>(given.to_owned())
    };
    match completion {
        Completion::Words(words) => {
            PossibleValuesParser::new(words.iter().map(|(word, help)| PossibleValue::new(*word).help(*help))).into()
        }
        Completion::None => ValueParser::new(checked),
        Completion::Files | Completion::OptionalFiles => {
            ValueParser::new(move |given: &str| checked(given).map(FilePath))
        }
        Completion::Stacks => ValueParser::new(move |given: &str| checked(given).map(StackName)),
        Completion::Users => ValueParser::new(move |given: &str| checked(given).map(UserName)),
        Completion::Signals => {
            ValueParser::new(move |given: &str| checked(given)?.parse::<Signal>().map_err(|error| error.to_string()))
        }
        Completion::Services => ValueParser::new(move |given: &str| {
            checked(given)?.parse::<ServiceName>().map_err(|error| error.to_string())
        }),
    }
}

/// The values of an option as they were given; none if it was not.
fn values(option: &ServiceOption, matches: &ArgMatches) -> Vec<String> {
    match option.argument {
        OptionArgument::Switch(value) => matches.get_flag(option.name).then(|| value.to_owned()).into_iter().collect(),
        OptionArgument::One(..) | OptionArgument::Many(..) => {
            let raw = matches.get_raw(option.name).into_iter().flatten();
            raw.map(|value| value.to_string_lossy().into_owned()).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{Args, FromArgMatches};

    fn parse(words: &[&str]) -> Result<ServiceOptions, clap::Error> {
        let command = ServiceArgs::augment_args(clap::Command::new("x").no_binary_name(true));
        ServiceArgs::from_arg_matches(&command.try_get_matches_from(words)?).map(|args| args.0)
    }

    #[test]
    fn every_option_has_a_flag_that_means_what_its_key_means() {
        for option in OPTIONS {
            let flag = format!("--{}", option.flag);
            let values: Vec<String> = option.example.iter().map(|value| (*value).to_owned()).collect();
            let words = match option.argument {
                OptionArgument::Switch(_) => vec![flag],
                OptionArgument::One(..) | OptionArgument::Many(..) => {
                    values.iter().flat_map(|value| [flag.clone(), value.clone()]).collect()
                }
            };
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            let mut expected = ServiceOptions::default();
            read(option, &values, &mut expected).expect(option.name);
            assert_eq!(parse(&words).expect(option.name), expected, "{}", option.name);
            assert_ne!(expected, ServiceOptions::default(), "{}", option.name);
        }
        assert_eq!(parse(&[]).expect("nothing is required"), ServiceOptions::default());
    }

    #[test]
    fn an_invalid_value_is_refused_with_what_is_expected() {
        for (words, expected) in [
            (["--kill-timeout", "3000"], "a time span with a unit, such as 500ms"),
            (["--max-memory", "200"], "a size of at least 4M with a unit"),
            (["--stop-signal", "SIGSTOP"], "a signal other than STOP and CONT"),
            (["--cron", "now"], "five fields"),
            (["--cron-tz", "Nowhere/Land"], "a time zone"),
            (["--restart", "maybe"], "possible values: never, on-failure, always"),
            (["--deps", "a b/c"], "names of services"),
            (["--stack", "a/b"], "the name of a stack"),
            (["--env-file", "--stack"], "an env file"),
        ] {
            let error = parse(&words).expect_err("invalid").to_string();
            assert!(error.contains(expected), "{words:?}: {error}");
        }
    }
}
