//! What a parser complains about, as a fault in our words.

use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::{CommandSpec, foreign, global};
use crate::base::fault::{Fault, UserFacingError};
use crate::base::invalid_value;
use crate::base::name::InvalidName;
use crate::tkm::host::InvalidAddress;

/// A complaint about the words after a command's name.
pub struct ArgumentError {
    /// The complaint.
    pub fault: Box<Fault>,
    /// The word that is meant, if it is one of those given.
    pub word: Option<String>,
}

impl From<Fault> for ArgumentError {
    fn from(fault: Fault) -> Self {
        Self { fault: Box::new(fault), word: None }
    }
}

/// Puts the complaint of a command's parser about the words after its name into our words.
#[must_use]
pub fn from_clap(entry: &CommandSpec, words: &[String], error: &clap::Error) -> ArgumentError {
    let meant = negative_value(entry, words, error);
    let error = meant.as_ref().unwrap_or(error);
    let name = entry.name;
    let text = |kind| context_value(error, kind);
    let argument = text(ContextKind::InvalidArg);
    let value = text(ContextKind::InvalidValue);
    let option = argument.as_deref().unwrap_or_default().split([' ', '=']).next().unwrap_or_default().to_owned();
    let (message, word) = match error.kind() {
        ErrorKind::UnknownArgument if is_negative_number(&option) => {
            (format!("unexpected negative number `{option}` for `{name}`"), Some(option))
        }
        ErrorKind::UnknownArgument if option.starts_with('-') => {
            (format!("unknown option `{option}` for `{name}`"), Some(option))
        }
        ErrorKind::UnknownArgument => (format!("unexpected argument `{option}` for `{name}`"), Some(option)),
        ErrorKind::InvalidValue if is_value_missing(error) => (format!("`{option}` requires a value"), Some(option)),
        ErrorKind::InvalidValue => {
            let value = value.unwrap_or_default();
            (format!("invalid value `{value}` for {}", argument_name(&argument)), Some(value))
        }
        ErrorKind::ValueValidation => {
            let value = value.unwrap_or_default();
            (
                invalid_value::explain(&value, Some(&argument_name(&argument)), std::error::Error::source(error)),
                Some(value),
            )
        }
        ErrorKind::MissingRequiredArgument => {
            let missing: Vec<String> = context_values(error, ContextKind::InvalidArg);
            (format!("missing argument for `{name}`: {}", missing.join(", ")), None)
        }
        ErrorKind::ArgumentConflict => {
            let others: Vec<String> =
                context_values(error, ContextKind::PriorArg).iter().map(|it| format!("`{it}`")).collect();
            match others.as_slice() {
                [same] if same.trim_matches('`') == argument.as_deref().unwrap_or_default() => {
                    (format!("`{option}` cannot be used multiple times"), Some(option))
                }
                _ => (format!("`{option}` cannot be used with {}", others.join(" and ")), Some(option)),
            }
        }
        _ => (plain(error), None),
    };
    let of_another = word.as_deref().filter(|_| error.kind() == ErrorKind::UnknownArgument);
    let of_another = of_another.and_then(|option| foreign::option_advice(name, option, words));
    let ordered = (error.kind() == ErrorKind::ValueValidation).then(|| foreign::order_advice(name, words)).flatten();
    let advice = of_another.or(ordered).unwrap_or_else(|| advice(entry, error));
    ArgumentError { fault: Box::new(Fault::usage(message).with_advice(advice)), word }
}

/// True if an option has no value.
#[must_use]
pub fn is_value_missing(error: &clap::Error) -> bool {
    let value = context_value(error, ContextKind::InvalidValue);
    error.kind() == ErrorKind::InvalidValue && value.as_deref().is_none_or(str::is_empty)
}

/// What is wrong with a negative number that is the value of the option before it: `--kill-timeout -5s`. None otherwise.
fn negative_value(entry: &CommandSpec, words: &[String], error: &clap::Error) -> Option<clap::Error> {
    let argument =
        context_value(error, ContextKind::InvalidArg).filter(|_| error.kind() == ErrorKind::UnknownArgument)?;
    let is_it = |word: &String| is_negative_number(&argument) && word.starts_with(&argument);
    let at = words.iter().take_while(|word| *word != "--").position(is_it)?;
    let option = words.get(at.checked_sub(1)?).filter(|it| it.starts_with('-') && !it.contains('='))?;
    let mut joined = words.to_vec();
    joined[at - 1] = format!("{option}={}", words[at]);
    joined.remove(at);
    let error = entry.full_parser().try_get_matches_from((entry.reorder_args)(joined)).err()?;
    let is_about_it = context_value(&error, ContextKind::InvalidValue).as_ref() == Some(&words[at]);
    Some(error).filter(|error| is_about_it && error.kind() == ErrorKind::ValueValidation)
}

fn is_negative_number(word: &str) -> bool {
    word.strip_prefix('-').is_some_and(|it| it.starts_with(|c: char| c.is_ascii_digit()))
}

/// What may be meant, or else where to read about it.
fn advice(entry: &CommandSpec, error: &clap::Error) -> String {
    let suggested = context_values(error, ContextKind::SuggestedArg)
        .into_iter()
        .chain(context_values(error, ContextKind::SuggestedValue));
    let given = context_value(error, ContextKind::InvalidArg).unwrap_or_default();
    let is_safe = |it: &String| global::may_be_meant(&given, it);
    let suggested: Vec<String> = suggested.filter(is_safe).map(|it| format!("`{it}`")).collect();
    if !suggested.is_empty() {
        return format!("did you mean {}?", suggested.join(" or "));
    }
    let valid = context_values(error, ContextKind::ValidValue);
    if !valid.is_empty() {
        return format!("expected one of {}", valid.join(", "));
    }
    // What is wrong with a name or an address is not in the help of every command that takes one.
    let source = std::error::Error::source(error);
    let own = source.and_then(|why| why.downcast_ref::<InvalidName>()).and_then(UserFacingError::advice);
    let own = own.or_else(|| source?.downcast_ref::<InvalidAddress>()?.advice());
    let own = own.or_else(|| environment_option(entry, error));
    own.unwrap_or_else(|| format!("`{} --help` shows how to write it", entry.name))
}

/// How a command that takes an environment by an option is given one, where it was typed as an argument.
fn environment_option(entry: &CommandSpec, error: &clap::Error) -> Option<String> {
    let argument = context_value(error, ContextKind::InvalidArg)?;
    let value = context_value(error, ContextKind::InvalidValue).unwrap_or_else(|| argument.clone());
    let is_env = |it: &clap::Arg| it.get_long() == Some("env");
    let is_meant =
        value.starts_with('@') && !argument.starts_with("--env") && (entry.parser)().get_arguments().any(is_env);
    is_meant.then(|| format!("`--env {value}` names the environment"))
}

fn argument_name(argument: &Option<String>) -> String {
    argument.as_ref().map_or_else(|| "this".to_owned(), |argument| format!("`{argument}`"))
}

fn context_value(error: &clap::Error, kind: ContextKind) -> Option<String> {
    context_values(error, kind).into_iter().next()
}

fn context_values(error: &clap::Error, kind: ContextKind) -> Vec<String> {
    match error.get(kind) {
        Some(ContextValue::String(text)) => vec![text.clone()],
        Some(ContextValue::Strings(texts)) => texts.clone(),
        _ => Vec::new(),
    }
}

/// The parser's own message, for the complaints that hardly ever happen.
fn plain(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let first = text.lines().next().unwrap_or_default();
    first.strip_prefix("error: ").unwrap_or(first).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time::HumanDuration;
    use crate::command::org::deploy::rollback::DeployRollback;
    use crate::command::{Command, Cx, Effect, spec};
    use crate::report::Report;

    /// Wait
    #[derive(Debug, clap::Args)]
    struct Wait {
        target: String,
        #[arg(long)]
        grace: Option<HumanDuration>,
        #[arg(long, value_parser = ["never", "always"], conflicts_with = "grace")]
        restart: Option<String>,
    }

    impl Command for Wait {
        const NAME: &'static str = "tsm wait";
        const EFFECT: Effect = Effect::Read;
        const EXAMPLES: &'static [&'static str] = &[];

        fn run(self, _: &mut Cx) -> Result<Report, Fault> {
            Ok(Report::default())
        }
    }

    #[test]
    fn complaints_name_the_command_and_what_was_meant() {
        for (words, message, word, advice) in [
            (
                &["a", "--grce", "1"][..],
                "unknown option `--grce` for `tsm wait`",
                Some("--grce"),
                "did you mean `--grace`?",
            ),
            (
                &["a", "b"],
                "unexpected argument `b` for `tsm wait`",
                Some("b"),
                "`tsm wait --help` shows how to write it",
            ),
            (&[], "missing argument for `tsm wait`: <TARGET>", None, "`tsm wait --help` shows how to write it"),
            (
                &["a", "--restart", "nevr"],
                "invalid value `nevr` for `--restart <RESTART>`",
                Some("nevr"),
                "did you mean `never`?",
            ),
            (
                &["a", "--restart", "x"],
                "invalid value `x` for `--restart <RESTART>`",
                Some("x"),
                "expected one of never, always",
            ),
            (
                &["a", "--grace"],
                "`--grace` requires a value",
                Some("--grace"),
                "`tsm wait --help` shows how to write it",
            ),
            (
                &["a", "--grace", "soon"],
                "invalid duration `soon`: expected 500ms, 10s, 5m, 2h, 3d or 1h30m",
                Some("soon"),
                "`tsm wait --help` shows how to write it",
            ),
            (
                &["a", "--grace", "1s", "--restart", "never"],
                "`--grace` cannot be used with `--restart <RESTART>`",
                Some("--grace"),
                "`tsm wait --help` shows how to write it",
            ),
            (
                &["a", "--grace", "1s", "--grace", "2s"],
                "`--grace` cannot be used multiple times",
                Some("--grace"),
                "`tsm wait --help` shows how to write it",
            ),
        ] {
            let entry = spec::<Wait>();
            let error = (entry.parser)().try_get_matches_from(words).expect_err("it is wrong");
            let misused = from_clap(&entry, &[], &error);
            assert_eq!(misused.fault.to_string(), message);
            assert_eq!(misused.word.as_deref(), word, "{message}");
            assert_eq!(misused.fault.advice.as_deref(), Some(advice), "{message}");
        }
    }

    #[test]
    fn an_environment_in_the_place_of_an_argument_leads_to_its_option() {
        let entry = spec::<DeployRollback>();
        for words in [&["@dev"][..], &["20261120T103045Z-1a2b3c4d", "@dev"]] {
            let error = (entry.parser)().try_get_matches_from(words).expect_err("it is wrong");
            let misused = from_clap(&entry, &[], &error);
            assert_eq!(misused.fault.advice.as_deref(), Some("`--env @dev` names the environment"), "{words:?}");
        }
    }
}
