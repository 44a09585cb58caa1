//! Parses the words after a command: used options, and the argument at the cursor.

use clap::Arg;

use crate::base::environment::EnvName;
use crate::base::name::OrgName;
use crate::command::argument::DirectoryPath;
use crate::command::global;
use crate::tkm::host::HostName;

/// Adds the global options, with types that determine the completion of their values.
pub(super) fn augment(parser: clap::Command) -> clap::Command {
    let own: Vec<clap::Id> = parser.get_arguments().map(|arg| arg.get_id().clone()).collect();
    let mut parser = global::with_global_args(parser);
    for (id, kind) in [
        ("--org", clap::value_parser!(OrgName).into()),
        ("--env", clap::value_parser!(EnvName).into()),
        ("--on", clap::value_parser!(EnvName).into()),
        ("--host", clap::value_parser!(HostName).into()),
        ("--dir", clap::value_parser!(DirectoryPath).into()),
        ("--color", clap::builder::ValueParser::from(["auto", "always", "never"])),
    ] {
        if parser.get_arguments().any(|arg| arg.get_id() == id) && !own.iter().any(|own| own == id) {
            parser = parser.mut_arg(id, |arg| arg.value_parser(kind));
        }
    }
    parser
}

/// The words so far.
pub(super) struct ParsedArgs<'a> {
    /// What the next word is.
    pub expected: Expected<'a>,
    /// Options that were given.
    pub used: Vec<&'a Arg>,
    /// The previous values of the argument at the cursor, if it takes several.
    pub earlier: Vec<String>,
    /// What each of the words is.
    pub roles: Vec<WordRole<'a>>,
    /// The positional arguments that follow, with one that takes several even if it has some.
    pub left: Vec<&'a Arg>,
}

/// What a word of a line is.
#[derive(Clone, Copy)]
pub(super) enum WordRole<'a> {
    /// `--`.
    Separator,
    /// An option of this name, or of none that there is.
    Option(Option<&'a Arg>),
    /// A value, if anything takes one here.
    Value(Option<&'a Arg>),
}

/// What a word is.
pub(super) enum Expected<'a> {
    /// The value of an option.
    Value(&'a Arg),
    /// A positional argument, or an option.
    Positional(&'a Arg),
    /// A positional argument; `--` or the argument itself excludes options.
    OnlyPositional(&'a Arg),
    /// Only options.
    Options,
}

/// Parses the words before the cursor. Invalid words are skipped: the line is not complete.
pub(super) fn parse_args<'a>(parser: &'a clap::Command, words: &[String]) -> ParsedArgs<'a> {
    let places: Vec<&Arg> = parser.get_positionals().collect();
    let mut reading = ParsedArgs {
        expected: Expected::Options,
        used: Vec::new(),
        earlier: Vec::new(),
        roles: Vec::new(),
        left: Vec::new(),
    };
    let (mut place, mut only_places) = (0, false);
    let mut waiting: Option<&Arg> = None;
    for word in words {
        if let Some(arg) = waiting.take() {
            reading.roles.push(WordRole::Value(Some(arg)));
            continue;
        }
        let role = match word.as_str() {
            "--" if !only_places => {
                only_places = true;
                WordRole::Separator
            }
            long if long.starts_with("--") && !only_places => {
                let (name, value) =
                    long[2..].split_once('=').map_or((&long[2..], None), |(name, value)| (name, Some(value)));
                let arg = by_long(parser, name);
                reading.used.extend(arg);
                waiting = arg.filter(|arg| value.is_none() && needs_value(arg));
                WordRole::Option(arg)
            }
            short if short.len() > 1 && short.starts_with('-') && !only_places && !is_number(short) => {
                let before = reading.used.len();
                waiting = read_shorts(parser, &short[1..], &mut reading.used);
                WordRole::Option(reading.used.get(before..).and_then(<[_]>::last).copied())
            }
            _ => {
                let arg = positional_at(&places, place);
                if arg.is_some_and(takes_many) {
                    reading.earlier.push(word.clone());
                }
                only_places |= arg.is_some_and(Arg::is_trailing_var_arg_set);
                place += 1;
                WordRole::Value(arg)
            }
        };
        reading.roles.push(role);
    }
    reading.left = positional_at(&places, place).into_iter().chain(places.iter().copied().skip(place + 1)).collect();
    reading.expected = match (waiting, positional_at(&places, place)) {
        (Some(arg), _) => Expected::Value(arg),
        (None, Some(arg)) if only_places => Expected::OnlyPositional(arg),
        (None, Some(arg)) => Expected::Positional(arg),
        (None, None) => Expected::Options,
    };
    reading
}

/// The positional argument at an index; the last one takes the rest if it takes several.
fn positional_at<'a>(places: &[&'a Arg], place: usize) -> Option<&'a Arg> {
    places.get(place).or_else(|| places.last().filter(|arg| takes_many(arg))).copied()
}

/// Parses `-abc` and `-n5`; returns the option whose value is the next word.
fn read_shorts<'a>(parser: &'a clap::Command, letters: &str, used: &mut Vec<&'a Arg>) -> Option<&'a Arg> {
    for (index, letter) in letters.char_indices() {
        let arg = parser.get_arguments().find(|arg| {
            arg.get_short() == Some(letter) || arg.get_all_short_aliases().is_some_and(|all| all.contains(&letter))
        })?;
        used.push(arg);
        if needs_value(arg) {
            return letters[index + letter.len_utf8()..].is_empty().then_some(arg);
        }
    }
    None
}

/// The option that a word names: `--port`, `--port=1`, the last letter of `-it`.
pub(super) fn named<'a>(parser: &'a clap::Command, word: &str) -> Option<&'a Arg> {
    match word.strip_prefix("--") {
        Some(long) => by_long(parser, long.split_once('=').map_or(long, |(name, _)| name)),
        None => {
            let mut used = Vec::new();
            read_shorts(parser, word.strip_prefix('-')?, &mut used);
            used.pop()
        }
    }
}

/// The option with a long name or alias.
pub(super) fn by_long<'a>(parser: &'a clap::Command, name: &str) -> Option<&'a Arg> {
    parser
        .get_arguments()
        .find(|arg| arg.get_long() == Some(name) || arg.get_all_aliases().is_some_and(|all| all.contains(&name)))
}

fn needs_value(arg: &Arg) -> bool {
    arg.get_num_args().map_or_else(|| arg.get_action().takes_values(), |count| count.min_values() > 0)
}

/// True if it can be repeated or takes several values.
pub(super) fn takes_many(arg: &Arg) -> bool {
    arg.get_num_args().is_some_and(|count| count.max_values() > 1)
        || matches!(arg.get_action(), clap::ArgAction::Append | clap::ArgAction::Count)
}

fn is_number(word: &str) -> bool {
    word.parse::<f64>().is_ok()
}
