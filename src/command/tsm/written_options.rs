//! The options of a command as they were given, for lines that are shown: written by the definitions that read them.

use std::marker::PhantomData;

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Args, Command, FromArgMatches};

use crate::base::sort::SortExt;

/// The options of `C` that were given, each by its long name with its value, in their order; none where no word behind the program
/// could be an option. The first field of `C`: what is read before
/// it is taken out of what was given.
#[derive(Debug)]
pub(super) struct WrittenOptions<C>(pub Vec<String>, PhantomData<C>);

impl<C: Args> Args for WrittenOptions<C> {
    fn augment_args(command: Command) -> Command {
        command
    }

    fn augment_args_for_update(command: Command) -> Command {
        command
    }
}

impl<C: Args> FromArgMatches for WrittenOptions<C> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        // The only line that shows them moves options before the program that were given behind it. The definitions of a start
        // take longer to make than all of its words to read.
        let has_options_behind = matches
            .ids()
            .filter_map(|id| matches.try_get_raw(id.as_str()).ok().flatten())
            .flatten()
            .any(|value| value.as_encoded_bytes().starts_with(b"-"));
        Ok(Self(if has_options_behind { all::<C>(matches) } else { Vec::new() }, PhantomData))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// All options that were given.
fn all<C: Args>(matches: &ArgMatches) -> Vec<String> {
    let command = C::augment_args(Command::new("of"));
    let mut given: Vec<(usize, Vec<String>)> =
        command.get_arguments().flat_map(|option| written(option, matches)).collect();
    given.order_by_key(|(index, _)| *index);
    given.into_iter().flat_map(|(_, words)| words).collect()
}

/// An option with each of its values, and where it was given.
fn written(option: &Arg, matches: &ArgMatches) -> Vec<(usize, Vec<String>)> {
    let id = option.get_id().as_str();
    let Some(long) = option.get_long().filter(|_| matches.value_source(id) == Some(ValueSource::CommandLine)) else {
        return Vec::new();
    };
    let long = format!("--{long}");
    let indices = matches.indices_of(id).into_iter().flatten();
    if !option.get_action().takes_values() {
        return indices.take(1).map(|index| (index, vec![long.clone()])).collect();
    }
    let values = matches.get_raw(id).into_iter().flatten().map(|value| value.to_string_lossy().into_owned());
    let words = values.map(|value| match value.starts_with('-') {
        true => vec![format!("{long}={value}")],
        false => vec![long.clone(), value],
    });
    indices.zip(words).collect()
}

#[cfg(test)]
mod tests {
    use super::super::start::Start;
    use super::*;

    fn own(words: &[&str]) -> Vec<String> {
        let command = Start::augment_args(Command::new("x").no_binary_name(true));
        let matches = command.try_get_matches_from(words).expect("they are options");
        all::<Start>(&matches)
    }

    #[test]
    fn they_are_written_only_where_options_stand_behind_the_program() {
        let written = |words: &[&str]| {
            let command = Start::augment_args(Command::new("x").no_binary_name(true));
            let matches = command.try_get_matches_from(words).expect("they are options");
            Start::from_arg_matches(&matches).expect("they are valid").written.0
        };
        assert_eq!(written(&["--name", "a", "app.js", "x"]), [""; 0]);
        assert_eq!(written(&["--name", "a", "--", "app.js", "-i", "max"]), ["--name", "a"]);
    }

    /// Whatever options there are: one that is new is written too.
    #[test]
    fn every_option_of_a_start_is_written_as_it_was_given() {
        let command = Start::augment_args(Command::new("x"));
        let options: Vec<&Arg> = command.get_opts().collect();
        assert!(options.len() > 30, "{}", options.len());
        for option in options {
            let long = format!("--{}", option.get_long().expect("each has a long name"));
            let table = crate::tsm::options::OPTIONS.iter().find(|row| row.name == option.get_id().as_str());
            let words = match (option.get_action().takes_values(), table, long.as_str()) {
                (false, ..) => vec![long.as_str()],
                (true, Some(row), _) => vec![long.as_str(), row.example[0]],
                (true, None, "--port" | "--instances") => vec![long.as_str(), "4"],
                (true, None, _) => vec![long.as_str(), "a b"],
            };
            assert_eq!(own(&words), words);
        }
    }

    #[test]
    fn they_are_in_their_order_and_what_may_be_repeated_is() {
        let words = ["--wait", "--deps", "db,web", "-e", "A=1", "--restart=always", "-eB=2", "-N", "x", "app.js", "y"];
        let expected = "--wait --deps db --deps web --env A=1 --restart always --env B=2 --name x";
        assert_eq!(own(&words).join(" "), expected);
        assert_eq!(own(&["--env-file=-own.env"]), ["--env-file=-own.env"]);
    }
}
