//! Parses words into a command: leading options, command table, parser, global options.

use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::base::fault::Fault;
use crate::command::global::Globals;
use crate::command::help::{self, HelpDetail};
use crate::command::parse_error::{self, ArgumentError};
use crate::command::registry::{self, CommandMatch};
use crate::command::{CommandSpec, ParsedCommand};
use crate::report::Report;

/// The result of parsing words.
pub enum Parsed {
    /// A command with its arguments.
    Command(&'static CommandSpec, Box<dyn ParsedCommand>),
    /// Something to show: help, version.
    Show(Report),
}

/// A command line that cannot be parsed.
pub struct CommandLineError {
    /// Why.
    pub fault: Box<Fault>,
    /// The index of the wrong word, if one is.
    pub word: Option<usize>,
}

impl From<Fault> for CommandLineError {
    fn from(fault: Fault) -> Self {
        Self { fault: Box::new(fault), word: None }
    }
}

/// Finds and parses the command of `words`. Global options are stored in `globals`, also on failure; help is at most `width`
/// columns wide.
///
/// # Errors
///
/// Fails if the words are not a valid command line.
pub fn parse(words: &[String], globals: &mut Globals, width: usize) -> Result<Parsed, CommandLineError> {
    let found = parse_words(words, globals, width);
    // A usage error is JSON too if `--json` is among the words.
    globals.output.json |= found.is_err() && words.iter().take_while(|word| *word != "--").any(|word| word == "--json");
    found
}

fn parse_words(words: &[String], globals: &mut Globals, width: usize) -> Result<Parsed, CommandLineError> {
    let mut rest = globals.take_leading(words)?;
    if let [only] = &rest[..]
        && only.len() > 1
        && only.starts_with('@')
    {
        rest.insert(0, "use".to_owned());
    }
    // `tsm --version`, which a link is called as.
    let is_group = matches!(registry::resolve(&rest), CommandMatch::Group(_, count) if count == rest.len());
    if globals.version && (rest.is_empty() || is_group) {
        rest = vec!["version".to_owned()];
    }
    match registry::resolve(&rest) {
        CommandMatch::Command(entry, count) => {
            let misplaced = |word: &String| words.iter().rposition(|given| given == word);
            parse_command(entry, rest.split_off(count), globals, width)
                .map_err(|wrong| CommandLineError { fault: wrong.fault, word: wrong.word.as_ref().and_then(misplaced) })
        }
        CommandMatch::Group(group, depth) => match rest.get(depth).map(String::as_str) {
            None | Some("-h" | "--help" | "help") => Ok(Parsed::Show(Report::of(help::of_group(group)))),
            Some(_) => Err(CommandLineError {
                fault: Box::new(registry::unknown(&rest)),
                word: Some(words.len() - rest.len() + depth),
            }),
        },
        CommandMatch::Nothing if rest.is_empty() => Ok(Parsed::Show(Report::of(help::of_all(help::Listing::Folded)))),
        CommandMatch::Nothing => Err(CommandLineError {
            fault: Box::new(registry::unknown(&rest)),
            word: Some(words.len().saturating_sub(rest.len())),
        }),
    }
}

fn parse_command(
    entry: &'static CommandSpec,
    words: Vec<String>,
    globals: &mut Globals,
    width: usize,
) -> Result<Parsed, ArgumentError> {
    if globals.help {
        return Ok(Parsed::Show(Report::of(help::of_command(entry, HelpDetail::Long, width))));
    }
    let short = words.iter().take_while(|word| *word != "--").any(|word| word == "-h");
    let given = words.clone();
    let complain = |error: clap::Error| parse_error::from_clap(entry, &given, &error);
    let matches = match entry.full_parser().try_get_matches_from((entry.reorder_args)(words)) {
        Ok(matches) => matches,
        Err(error) if error.kind() == ErrorKind::DisplayHelp || asks_for_help(&given, &error) => {
            let detail = if short { HelpDetail::Short } else { HelpDetail::Long };
            return Ok(Parsed::Show(Report::of(help::of_command(entry, detail, width))));
        }
        Err(error) => return Err(complain(error)),
    };
    globals.merge(&matches)?;
    let ready = (entry.parse)(&matches).map_err(complain)?;
    Ok(Parsed::Command(entry, ready))
}

/// True if help is asked for in the place of the value that an option wants, also of one whose values may begin with a hyphen.
fn asks_for_help(words: &[String], error: &clap::Error) -> bool {
    let is_separated = words.iter().any(|word| word == "--");
    let Some(last @ ("--help" | "-h")) = words.last().map(String::as_str) else { return false };
    let is_taken = matches!(error.get(ContextKind::InvalidValue), Some(ContextValue::String(value)) if value == last);
    !is_separated && (is_taken || parse_error::is_value_missing(error))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::command::registry::COMMANDS;

    fn prepared(line: &str) -> (Result<Parsed, CommandLineError>, Globals) {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        let mut globals = Globals::default();
        (parse(&words, &mut globals, 80), globals)
    }

    /// The command of a line, the shown report, or the error.
    fn leads_to(line: &str) -> String {
        match prepared(line).0 {
            Ok(Parsed::Command(entry, _)) => entry.name.to_owned(),
            Ok(Parsed::Show(report)) => format!("{:?}", report.blocks),
            Err(misled) => format!("{} [{:?}]", misled.fault, misled.word),
        }
    }

    #[test]
    fn options_may_stand_before_within_and_behind_the_words() {
        for line in ["--json tsm list", "tsm --json list", "tsm list --json", "-q tsm -v --json list -y"] {
            assert_eq!(leads_to(line), "tsm list");
            assert!(prepared(line).1.output.json, "{line}");
        }
        assert_eq!(leads_to("@dev"), "use");
        assert_eq!(leads_to("--yes @dev"), "use");
    }

    #[test]
    fn a_complaint_is_in_json_if_that_is_wanted() {
        for (line, json) in
            [("tsm nope --json", true), ("nope x --json", true), ("nope -- --json", false), ("nope", false)]
        {
            assert_eq!(prepared(line).1.output.json, json, "{line}");
        }
    }

    #[test]
    fn help_is_shown_wherever_it_is_asked_for() {
        for line in ["tsm list --help", "--help tsm list", "tsm --help list", "tsm list -h"] {
            assert!(leads_to(line).contains("Usage: tsm list"), "{line}");
        }
        for line in ["tsm logs --since --help", "tsm logs api -n -h", "tsm logs --org --help"] {
            assert!(leads_to(line).contains("Usage: tsm logs"), "{line}: {}", leads_to(line));
        }
        // An option whose values may begin with a hyphen.
        for line in ["tsm start x --env-file --help", "tsm start x --env --help"] {
            assert!(leads_to(line).contains("Usage: tsm start"), "{line}: {}", leads_to(line));
        }
        assert!(leads_to("tsm start x --env-file=--help").contains("invalid value"));
        assert!(leads_to("tsm logs --since --follow").contains("requires a value"));
        for line in ["tsm", "tsm --help", "tsm -h", "--json tsm"] {
            assert!(leads_to(line).contains("Usage: tsm <COMMAND>"), "{line}");
        }
        assert!(leads_to("--help").contains("an operator shell"));
        for line in ["--version", "tsm --version", "--version org"] {
            assert_eq!(leads_to(line), "version", "{line}");
        }
    }

    #[test]
    fn the_wrong_word_is_named() {
        for (line, complaint) in [
            ("tsm lst", "unknown command `tsm lst` [Some(1)]"),
            ("--json verzion", "unknown command `verzion` [Some(1)]"),
            ("version now", "unexpected argument `now` for `version` [Some(1)]"),
            ("version --wat", "unknown option `--wat` for `version` [Some(1)]"),
        ] {
            assert_eq!(leads_to(line), complaint);
        }
    }

    proptest! {
        #[test]
        fn no_words_break_it(
            entry in 0..COMMANDS.len(),
            words in proptest::collection::vec("(--?[a-z]{0,6}=?[a-z]{0,3})|[ -~é]{0,6}|--|-|@|[0-9]{1,6}", 0..6),
            cut in 0..3_usize,
        ) {
            let mut line: Vec<String> = COMMANDS[entry].name.split(' ').skip(cut).map(str::to_owned).collect();
            line.extend(words);
            let (count, prepared) = (line.len(), parse(&line, &mut Globals::default(), 80));
            if let Err(misled) = prepared {
                prop_assert_eq!(misled.fault.kind.code(), 2);
                prop_assert!(misled.word.is_none_or(|word| word < count));
            }
        }
    }
}
