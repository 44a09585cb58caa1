//! What is right and wrong in a line while it is typed, and what is left to be typed: from the parse that completion uses.

use std::any::TypeId;
use std::fmt::Write;

use clap::Arg;

use super::engine;
use super::name_kind::NameKind;
use super::options::{self, WordRole, takes_many};
use super::values::kind_of;
use super::{CompletionContext, CursorContext, CursorKind};
use crate::base::environment::Tier;
use crate::command::CommandSpec;
use crate::command::argument::{SettingValue, SettingWord, StartWord};
use crate::command::context::{SETTINGS, validation_error};

/// What a word after a command is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArgumentClass {
    /// An option that the command has.
    Option,
    /// An option or a value that it does not take.
    Invalid,
    /// A word that it knows: one of several values, or the name of something that exists.
    Known,
    /// An environment.
    Environment,
    /// A production environment.
    Production,
    /// Anything else.
    Other,
}

/// The names that exist, by kind.
pub(super) type IsName<'a> = &'a dyn Fn(NameKind, &str) -> bool;

/// The classes of the words after a command. The word of the index `typing` is not finished: it is invalid only if nothing valid begins
/// like it.
#[must_use]
pub fn judge(entry: &CommandSpec, words: &[String], typing: Option<usize>, is_name: IsName<'_>) -> Vec<ArgumentClass> {
    let parser = engine::parser(options::augment, entry);
    let parsed = options::parse_args(&parser, words);
    // The words after a program are its own.
    let is_program = |role: &WordRole<'_>| matches!(role, WordRole::Value(Some(arg)) if arg.get_value_parser().type_id() == TypeId::of::<StartWord>());
    let program = parsed.roles.iter().position(is_program).unwrap_or(usize::MAX);
    let judge = |(index, (word, role)): (usize, (&String, &WordRole<'_>))| {
        let is_typing = typing == Some(index);
        match *role {
            WordRole::Separator => ArgumentClass::Option,
            WordRole::Option(None) if is_typing && begins_option(&parser, word) => ArgumentClass::Other,
            WordRole::Option(None) if index > program => ArgumentClass::Other,
            WordRole::Option(None) => ArgumentClass::Invalid,
            WordRole::Option(Some(arg)) => match word.split_once('=').filter(|_| word.starts_with("--")) {
                Some((_, value)) => {
                    JudgedValue { arg, word: value, is_typing, words }.class(is_name).unwrap_or(ArgumentClass::Option)
                }
                None => ArgumentClass::Option,
            },
            WordRole::Value(Some(arg)) => {
                JudgedValue { arg, word, is_typing, words }.class(is_name).unwrap_or(ArgumentClass::Other)
            }
            // It has no place here; the command reports that.
            WordRole::Value(None) => ArgumentClass::Other,
        }
    };
    words.iter().zip(&parsed.roles).enumerate().map(judge).collect()
}

/// A word in the place of a value.
struct JudgedValue<'a> {
    arg: &'a Arg,
    word: &'a str,
    is_typing: bool,
    /// All words of the line, for a value that depends on another.
    words: &'a [String],
}

impl JudgedValue<'_> {
    fn class(&self, is_name: IsName<'_>) -> Option<ArgumentClass> {
        let listed = self.arg.get_possible_values();
        if !listed.is_empty() {
            let names: Vec<&str> = listed.iter().flat_map(clap::builder::PossibleValue::get_name_and_aliases).collect();
            return Some(self.one_of(&names));
        }
        let of = self.arg.get_value_parser().type_id();
        if of == TypeId::of::<SettingWord>() {
            return Some(self.one_of(&SETTINGS.iter().map(|setting| setting.name).collect::<Vec<_>>()));
        }
        if of == TypeId::of::<SettingValue>() {
            let setting = SETTINGS.iter().find(|setting| self.words.iter().any(|word| word == setting.name))?;
            let words: Vec<&str> = setting.accepts.words().iter().map(|(word, _)| *word).collect();
            if words.is_empty() {
                return validation_error(setting.name, self.word).map(|_| ArgumentClass::Invalid);
            }
            return Some(self.one_of(&words));
        }
        let kind = kind_of(self.arg)?;
        if !is_name(kind, self.word) {
            return None;
        }
        Some(match kind {
            NameKind::Env if Tier::of(self.word) == Some(Tier::Prod) => ArgumentClass::Production,
            NameKind::Env => ArgumentClass::Environment,
            _ => ArgumentClass::Known,
        })
    }

    fn one_of(&self, names: &[&str]) -> ArgumentClass {
        match names {
            _ if names.contains(&self.word) => ArgumentClass::Known,
            _ if self.is_typing && names.iter().any(|name| name.starts_with(self.word)) => ArgumentClass::Other,
            _ => ArgumentClass::Invalid,
        }
    }
}

fn begins_option(parser: &clap::Command, word: &str) -> bool {
    match word.strip_prefix("--") {
        Some(typed) => parser.get_arguments().filter_map(Arg::get_long).any(|long| long.starts_with(typed)),
        None => word == "-",
    }
}

/// What may follow a line whose command is known: ` [TARGETS]... [--all]`; empty if there is nothing, or no command yet.
#[must_use]
pub fn usage(text: &str, known: &CompletionContext<'_>) -> String {
    let place = CursorContext::find(text, text.len());
    let CursorKind::Command(mut words) = place.kind else { return String::new() };
    let is_in_word = !place.typed.is_empty();
    if place.typed.starts_with('-') {
        return String::new();
    }
    words.extend(is_in_word.then_some(place.typed));
    let Some((entry, named)) = engine::command_of(known, &mut words) else { return String::new() };
    let parser = engine::parser(known.augment, entry);
    let parsed = options::parse_args(&parser, &words[named..]);
    let mut parts = Vec::new();
    if let options::Expected::Value(arg) = parsed.expected {
        parts.push(format!("<{}>", value_name(arg)));
    }
    parts.extend(parsed.left.iter().filter(|arg| !arg.is_hide_set()).map(|arg| positional(arg)));
    // Those of every command are left out.
    let own = |arg: &&Arg| {
        !arg.is_positional() && !arg.is_hide_set() && !arg.get_id().as_str().starts_with("--") && arg.get_id() != "help"
    };
    let unused = |arg: &&Arg| takes_many(arg) || !parsed.used.iter().any(|used| used.get_id() == arg.get_id());
    parts.extend(parser.get_arguments().filter(own).filter(unused).filter_map(option));
    match (parts.is_empty(), is_in_word) {
        (true, _) => String::new(),
        (false, true) => format!(" {}", parts.join(" ")),
        (false, false) => parts.join(" "),
    }
}

fn value_name(arg: &Arg) -> &str {
    arg.get_value_names().and_then(|names| names.first()).map_or("VALUE", |name| name.as_str())
}

fn positional(arg: &Arg) -> String {
    let name = value_name(arg);
    let more = if takes_many(arg) { "..." } else { "" };
    if arg.is_required_set() { format!("<{name}>{more}") } else { format!("[{name}]{more}") }
}

fn option(arg: &Arg) -> Option<String> {
    let mut text = match (arg.get_long(), arg.get_short()) {
        (Some(long), _) => format!("--{long}"),
        (None, short) => format!("-{}", short?),
    };
    if arg.get_action().takes_values() {
        // A string takes everything.
        let _ = write!(text, " <{}>", value_name(arg));
    }
    Some(if arg.is_required_set() { text } else { format!("[{text}]") })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::complete::DiskSource;
    use crate::command::registry::{CommandMatch, resolve};

    fn source() -> DiskSource {
        let nowhere = std::path::PathBuf::from("/nonexistent");
        DiskSource {
            paths: crate::sys::paths::Paths::under(&nowhere),
            selection: crate::command::Selection::default(),
            cwd: nowhere.clone(),
            home: nowhere,
            aliases: vec![("down".to_owned(), "tsm stop".to_owned())],
            abbreviations: Vec::new(),
            programs: String::new(),
        }
    }

    /// The classes of the words after the command of a line, the last of which is being typed if there is no blank after it.
    fn judged(line: &str) -> Vec<ArgumentClass> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        let CommandMatch::Command(entry, count) = resolve(&words) else { panic!("`{line}` has no command") };
        let words = &words[count..];
        let typing = (!line.ends_with(' ')).then(|| words.len().wrapping_sub(1));
        let is_name = |kind, name: &str| match kind {
            NameKind::Process => name == "api",
            NameKind::Env => ["dev", "prod"].contains(&name),
            _ => false,
        };
        judge(entry, words, typing, &is_name)
    }

    #[test]
    fn options_and_values_are_judged_and_names_are_known() {
        use ArgumentClass::{Environment, Invalid, Known, Option, Other, Production};
        for (line, classes) in [
            ("tsm stop api --no-wait ", &[Known, Invalid][..]),
            ("tsm stop nothing --json ", &[Other, Option]),
            ("tsm stop --jso", &[Other]),
            ("tsm stop --jsx", &[Invalid]),
            ("tsm stop --env prod api", &[Option, Production, Known]),
            ("tsm stop --env=dev ", &[Environment]),
            ("version --color always ", &[Option, Known]),
            ("version --color alw", &[Option, Other]),
            ("version --color blue ", &[Option, Invalid]),
            ("version --color=blue ", &[Invalid]),
            ("set edit-mode vi ", &[Known, Known]),
            ("set edit-mode v", &[Known, Other]),
            ("set edit-mode ed ", &[Known, Invalid]),
            ("set edt ", &[Invalid]),
            ("set history-size many ", &[Known, Invalid]),
            ("tsm start ./x --its-own ", &[Other, Other]),
            ("tsm start --its-own ./x ", &[Invalid, Other]),
        ] {
            assert_eq!(judged(line), classes, "{line}");
        }
    }

    #[test]
    fn what_is_left_to_be_typed_is_shown() {
        let source = source();
        let usage = |line: &str| usage(line, &CompletionContext::full(&source));
        assert_eq!(usage("set"), " [KEY] [VALUE]");
        assert_eq!(usage("set "), "[KEY] [VALUE]");
        assert_eq!(usage("set edit-mode "), "[VALUE]");
        assert_eq!(usage("set edit-mode vi "), "");
        assert!(usage("version; tsm stop ").starts_with("[TARGETS]..."), "{}", usage("tsm stop "));
        assert_eq!(usage("down "), usage("tsm stop "));
        assert!(usage("tsm stop --env ").starts_with("<ENV> [TARGETS]..."), "{}", usage("tsm stop --env "));
        for line in ["", "tsm st", "nothing ", "set --", "!set ", "set > "] {
            assert_eq!(usage(line), "", "{line}");
        }
    }
}
