//! What is right and wrong in a line while it is typed, and what is left to be typed: from the parse that completion uses.

use std::any::TypeId;
use std::fmt::Write;

use clap::Arg;

use super::engine;
use super::name_kind::NameKind;
use super::options::{self, WordRole, takes_many};
use super::values::{kind_of, value_name};
use super::{CompletionContext, CursorContext, CursorKind, beginning};
use crate::base::environment::Tier;
use crate::command::argument::{ContextWord, HelpWord, SettingValue, SettingWord, StartWord};
use crate::command::context::{SETTINGS, validation_error};
use crate::command::{CommandSpec, help, short_form};

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

/// How much of a name a word is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameFit {
    /// All of it.
    Whole,
    /// Its beginning, or all of it.
    Beginning,
}

/// The names that exist, by kind.
pub(super) type IsName<'a> = &'a dyn Fn(NameKind, &str, NameFit) -> bool;

/// The classes of the words after a command. The word of the index `typing` is not finished: it is invalid only if nothing valid begins
/// like it.
#[must_use]
pub fn judge(entry: &CommandSpec, words: &[String], typing: Option<usize>, is_name: IsName<'_>) -> Vec<ArgumentClass> {
    let parser = engine::parser(options::augment, entry);
    let parsed = options::parse_args(&parser, words);
    // The words after a program are its own.
    let is_program = |role: &WordRole<'_>| matches!(role, WordRole::Value(Some(arg)) if is::<StartWord>(arg));
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
            WordRole::Value(Some(arg)) if is::<HelpWord>(arg) => {
                let is_subject =
                    |role: &WordRole<'_>| matches!(role, WordRole::Value(Some(arg)) if is::<HelpWord>(arg));
                let subject = words.iter().zip(&parsed.roles).take(index + 1).filter(|(_, role)| is_subject(role));
                let subject: Vec<&str> = subject.map(|(word, _)| word.as_str()).collect();
                help_word(&subject, is_typing, is_name)
            }
            WordRole::Value(Some(arg)) => {
                JudgedValue { arg, word, is_typing, words }.class(is_name).unwrap_or(ArgumentClass::Other)
            }
            // It has no place here; the command reports that.
            WordRole::Value(None) => ArgumentClass::Other,
        }
    };
    words.iter().zip(&parsed.roles).enumerate().map(judge).collect()
}

fn is<T: 'static>(arg: &Arg) -> bool {
    arg.get_value_parser().type_id() == TypeId::of::<T>()
}

/// The last of the words that help is asked for with.
fn help_word(subject: &[&str], is_typing: bool, is_name: IsName<'_>) -> ArgumentClass {
    if subject.len() > 1 && subject[0] == HelpWord::SEARCH {
        return ArgumentClass::Other;
    }
    let within = [&[short_form::GROUP], subject].concat();
    let is_alias = |fit| matches!(subject, [name] if is_name(NameKind::Alias, name, fit));
    let fits = |fit| help::has_subject(subject, fit) || help::has_subject(&within, fit) || is_alias(fit);
    match is_typing {
        _ if fits(NameFit::Whole) => ArgumentClass::Known,
        true if fits(NameFit::Beginning) => ArgumentClass::Other,
        _ => ArgumentClass::Invalid,
    }
}

/// A word in the place of a value.
#[derive(Clone, Copy)]
struct JudgedValue<'a> {
    arg: &'a Arg,
    word: &'a str,
    is_typing: bool,
    /// All words of the line, for a value that depends on another.
    words: &'a [String],
}

impl JudgedValue<'_> {
    fn class(&self, is_name: IsName<'_>) -> Option<ArgumentClass> {
        if self.word.trim_start_matches('@').starts_with('$') {
            let fit = if self.is_typing { NameFit::Beginning } else { NameFit::Whole };
            if is_name(NameKind::SessionVariable, self.word.trim_start_matches('@'), fit) {
                // A variable has its value when the line is run.
                return None;
            }
            if kind_of(self.arg).is_some() && !is::<StartWord>(self.arg) {
                // No name begins so.
                return Some(ArgumentClass::Invalid);
            }
        }
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
        if of == TypeId::of::<ContextWord>() {
            return Some(self.context(is_name));
        }
        match kind_of(self.arg) {
            Some(NameKind::Env) if is_name(NameKind::Env, env_name(self.word), NameFit::Whole) => {
                Some(environment(env_name(self.word)))
            }
            // The options of every command choose one that there is; a command may make one.
            Some(NameKind::Env) if self.arg.get_id().as_str().starts_with("--") => {
                Some(self.env(env_name(self.word), is_name))
            }
            Some(NameKind::Org) => Some(self.name(NameKind::Org, self.word, is_name)),
            Some(kind) if is_name(kind, self.word, NameFit::Whole) => Some(ArgumentClass::Known),
            _ => self.is_refused().then_some(ArgumentClass::Invalid),
        }
    }

    /// What `use` takes: `ORG`, `@ENV`, `ORG@ENV`, `-`.
    fn context(&self, is_name: IsName<'_>) -> ArgumentClass {
        let is_org = |word: &String| !word.starts_with(['@', '-']);
        match self.word.split_once('@') {
            _ if self.word == "-" => ArgumentClass::Known,
            Some(("", _)) if self.words.iter().any(is_org) => ArgumentClass::Other,
            Some(("", env)) => self.env(env, is_name),
            Some((org, _)) => Self { is_typing: false, ..*self }.name(NameKind::Org, org, is_name),
            None => self.name(NameKind::Org, self.word, is_name),
        }
    }

    fn env(&self, env: &str, is_name: IsName<'_>) -> ArgumentClass {
        match self.name(NameKind::KnownEnv, env, is_name) {
            ArgumentClass::Known => environment(env),
            _ if Tier::of(env).is_some() => environment(env),
            other => other,
        }
    }

    /// A name of something that has to be there.
    fn name(&self, kind: NameKind, name: &str, is_name: IsName<'_>) -> ArgumentClass {
        match is_name(kind, name, NameFit::Whole) {
            true => ArgumentClass::Known,
            false if self.is_typing && is_name(kind, name, NameFit::Beginning) => ArgumentClass::Other,
            false => ArgumentClass::Invalid,
        }
    }

    /// True if the parser of the argument does not take it; while it is typed, if nothing that the parser takes begins like it.
    fn is_refused(&self) -> bool {
        beginning::is_judged(self.arg)
            && !(self.is_typing && beginning::may_be(self.arg, self.word))
            && !beginning::is_value(self.arg, self.word)
    }

    fn one_of(&self, names: &[&str]) -> ArgumentClass {
        match names {
            _ if names.contains(&self.word) => ArgumentClass::Known,
            _ if self.is_typing && names.iter().any(|name| name.starts_with(self.word)) => ArgumentClass::Other,
            _ => ArgumentClass::Invalid,
        }
    }
}

fn env_name(word: &str) -> &str {
    word.strip_prefix('@').unwrap_or(word)
}

fn environment(env: &str) -> ArgumentClass {
    if Tier::of(env) == Some(Tier::Prod) { ArgumentClass::Production } else { ArgumentClass::Environment }
}

fn begins_option(parser: &clap::Command, word: &str) -> bool {
    match word.strip_prefix("--") {
        Some(typed) => parser.get_arguments().filter_map(Arg::get_long).any(|long| long.starts_with(typed)),
        None => word == "-",
    }
}

/// What may follow a line whose command is known: ` [TARGETS]... [--all]`; empty if there is nothing, or no command yet. What was
/// given already is left out, even where more of it is taken.
#[must_use]
pub fn usage(text: &str, known: &CompletionContext<'_>) -> String {
    let place = CursorContext::find(text, text.len());
    let CursorKind::Command(words) = place.kind else { return String::new() };
    if place.typed.starts_with('-') {
        return String::new();
    }
    if place.is_open {
        // A quoted line ends like any other; what else is quoted is for the operator to close.
        return engine::inner_line(known, &words, &place.typed).map_or_else(String::new, |line| usage(line, known));
    }
    let is_in_word = !place.typed.is_empty();
    let words = words.into_iter().chain(is_in_word.then_some(place.typed)).collect();
    let parts = left(words, known).map(|left| left.parts).unwrap_or_default();
    match (parts.is_empty(), is_in_word) {
        (true, _) => String::new(),
        (false, true) => format!(" {}", parts.join(" ")),
        (false, false) => parts.join(" "),
    }
}

/// True if a line is a command that takes nothing more.
pub(super) fn is_complete(line: &str, known: &CompletionContext<'_>) -> bool {
    let CursorKind::Command(words) = CursorContext::find(&format!("{line} "), line.len() + 1).kind else {
        return false;
    };
    left(words, known).is_some_and(|left| left.parts.is_empty() && !left.takes_more)
}

/// What a command takes beside what every command takes.
struct Left {
    /// What was not given yet.
    parts: Vec<String>,
    /// It takes more of what was given.
    takes_more: bool,
}

/// What a command takes after these words; none if they name no command.
fn left(mut words: Vec<String>, known: &CompletionContext<'_>) -> Option<Left> {
    let (entry, named) = engine::command_of(known, &mut words)?;
    let parser = engine::parser(known.augment, entry);
    let parsed = options::parse_args(&parser, &words[named..]);
    if let options::Expected::OnlyPositional(arg) = parsed.expected
        && engine::is_nested(arg)
        && !parsed.earlier.is_empty()
    {
        let nothing = Left { parts: Vec::new(), takes_more: true };
        return Some(left(parsed.earlier, known).unwrap_or(nothing));
    }
    let mut parts = Vec::new();
    if let options::Expected::Value(arg) = parsed.expected {
        parts.push(format!("<{}>", value_name(arg)));
    }
    let is_given = |arg: &&&Arg| takes_many(arg) && !parsed.earlier.is_empty();
    let positionals = parsed.left.iter().filter(|arg| !arg.is_hide_set());
    let mut takes_more = positionals.clone().any(|arg| is_given(&arg));
    parts.extend(positionals.filter(|arg| !is_given(arg)).map(|arg| positional(arg)));
    // Those of every command are left out.
    let own = |arg: &&Arg| {
        !arg.is_positional() && !arg.is_hide_set() && !arg.get_id().as_str().starts_with("--") && arg.get_id() != "help"
    };
    for arg in parser.get_arguments().filter(own) {
        match parsed.used.iter().any(|used| used.get_id() == arg.get_id()) {
            true => takes_more |= takes_many(arg),
            false => parts.extend(option(arg)),
        }
    }
    Some(Left { parts, takes_more })
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
            variables: Vec::new(),
        }
    }

    /// The classes of the words after the command of a line, the last of which is being typed if there is no blank after it.
    fn judged(line: &str) -> Vec<ArgumentClass> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        let CommandMatch::Command(entry, count) = resolve(&words) else { panic!("`{line}` has no command") };
        let words = &words[count..];
        let typing = (!line.ends_with(' ')).then(|| words.len().wrapping_sub(1));
        let is_name = |kind, name: &str, fit| {
            let names: &[&str] = match kind {
                NameKind::Process => &["api"],
                NameKind::Env => &["dev", "prod"],
                NameKind::KnownEnv => &["dev", "prod", "qa"],
                NameKind::Org => &["acme"],
                NameKind::Alias => &["down"],
                NameKind::SessionVariable => &["$env", "$last", "$?"],
                _ => &[],
            };
            match fit {
                NameFit::Whole => names.contains(&name),
                NameFit::Beginning => names.iter().any(|known| known.starts_with(name)),
            }
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
    fn a_value_is_judged_by_the_parser_that_takes_it() {
        use ArgumentClass::{Environment, Invalid, Known, Option, Other, Production};
        for (line, classes) in [
            ("tsm logs -n x", &[Option, Invalid][..]),
            ("tsm logs -n 5", &[Option, Other]),
            ("tsm logs --lines=x ", &[Invalid]),
            ("tsm logs --since 10q", &[Option, Invalid]),
            ("tsm logs --since 10", &[Option, Other]),
            ("tsm logs --since 10 ", &[Option, Invalid]),
            ("tsm logs --since 10m ", &[Option, Other]),
            ("tsm logs --since 2026-1", &[Option, Other]),
            ("tsm signal api SIGBAD", &[Known, Invalid]),
            ("tsm signal api SIGT", &[Known, Other]),
            ("tsm signal api SIGT ", &[Known, Invalid]),
            ("tsm signal api usr1 ", &[Known, Other]),
            ("tsm start x --port y ", &[Other, Option, Invalid]),
            ("tsm start x --port 3000+ ", &[Other, Option, Other]),
            ("tsm start x --max-memory 300M ", &[Other, Option, Other]),
            ("tsm start x --max-memory 30q ", &[Other, Option, Invalid]),
            ("tsm start x --cron bad ", &[Other, Option, Invalid]),
            ("use bad", &[Invalid]),
            ("use ac", &[Other]),
            ("use acme", &[Known]),
            ("use acme@prod", &[Known]),
            ("use bad@prod", &[Invalid]),
            ("use @bad", &[Invalid]),
            ("use @q", &[Other]),
            ("use @qa", &[Environment]),
            ("use @production", &[Production]),
            ("use acme @other", &[Known, Other]),
            ("use -", &[Known]),
            ("tsm list --env bad ", &[Option, Invalid]),
            ("tsm list --env @prod ", &[Option, Production]),
            ("tsm logs -n $? --env $env ", &[Option, Other, Option, Other]),
            ("tsm logs -n $nosuch --env $nosuch ", &[Option, Invalid, Option, Invalid]),
            ("tsm stop $last ", &[Other]),
            ("tsm stop $la", &[Other]),
            ("tsm stop $la ", &[Invalid]),
            ("tsm stop $nosuch", &[Invalid]),
            ("tsm start $nosuch $HOME ", &[Other, Other]),
            ("help lines ", &[Known]),
            ("help line", &[Other]),
            ("help nosuch", &[Invalid]),
            ("help tsm stop ", &[Known, Known]),
            ("help stop ", &[Known]),
            ("help down ", &[Known]),
            ("help dow", &[Other]),
            ("help down stop ", &[Known, Invalid]),
            ("help tsm sto", &[Known, Other]),
            ("help tsm sto ", &[Known, Invalid]),
            ("help tsm stop lines ", &[Known, Known, Invalid]),
            ("help search nosuch ", &[Known, Other]),
            ("help all ", &[Known]),
            ("tsm help stop ", &[Known]),
            ("tsm help lines ", &[Known]),
            ("tsm help nosuch ", &[Invalid]),
            ("use @$env ", &[Other]),
            ("org promote @new ", &[Other]),
            ("org init new ", &[Other]),
            ("org init b/d ", &[Invalid]),
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
        let given = usage("tsm logs api ");
        assert!(given.starts_with("[--") && !given.contains("TARGETS"), "what is there is not repeated: {given}");
        assert!(!usage("tsm start --env dev ").contains("[--env "), "{}", usage("tsm start --env dev "));
        assert_eq!(usage("watch set edit-mode "), "[VALUE]", "the line, once there is one");
        assert_eq!(usage("watch 'set edit-mode "), "[VALUE]");
        assert_eq!(usage("alias z='set edit-mode "), "[VALUE]");
        assert_eq!(usage("watch -n 2 "), "<COMMAND>... [--count <N>] [--until <change|CODE>]");
        assert_eq!(usage("tsm logs 'a "), "");
        assert!(usage("tsm stop --env ").starts_with("<ENV> [TARGETS]..."), "{}", usage("tsm stop --env "));
        for line in ["", "tsm st", "nothing ", "set --", "!set ", "set > "] {
            assert_eq!(usage(line), "", "{line}");
        }
    }
}
