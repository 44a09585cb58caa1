//! Completion candidates for the words before the cursor.

use std::any::TypeId;

use clap::Arg;

use super::name_kind::NameKind;
use super::options::{self, Expected};
use super::sources::{CandidateSource, Scope};
use super::values::{at_environments, choose, placeholder, setting_values, topics, values};
use super::{CompletionContext, RawCandidate, files};
use crate::command::argument::{
    AbbreviationDefinition, AliasDefinition, CommandWord, HelpWord, SettingValue, StartWord,
};
use crate::command::{CommandSpec, registry, short_form};

/// The most words of a command name.
const MAX_NAME_WORDS: usize = 3;

/// The limit of nested lines (`watch watch …`).
pub(super) const MAX_DEPTH: usize = 4;

/// The word at the cursor.
#[derive(Clone, Copy)]
pub(super) struct TypedWord<'a> {
    /// What is typed of it, without quotes.
    pub text: &'a str,
    /// A quote of it is not closed.
    pub is_open: bool,
    /// How many lines may still be inside of each other.
    pub depth: usize,
}

/// The candidates after `before`, given the typed beginning of the next word.
pub(super) fn complete_line(
    known: &CompletionContext<'_>,
    before: &[String],
    word: TypedWord<'_>,
) -> Vec<RawCandidate> {
    let typed = word.text;
    let globals = built((known.augment)(clap::Command::new("tetra").disable_help_flag(true)));
    let (given, before) = match skip_globals(&globals, before) {
        AfterGlobals::Words(words) => before.split_at(before.len() - words.len()),
        AfterGlobals::Value(arg) => return values(arg, typed, known.source),
    };
    let chosen = Scope::of(&options::parse_args(&globals, given), given);
    let aliased = expand(known, before);
    let lengthened = lengthen(known, aliased.as_deref().unwrap_or(before));
    let before = strip_tsm(known, lengthened.as_deref().or(aliased.as_deref()).unwrap_or(before));
    let Some(plain) = strip_inner_globals(known, &globals, before) else { return Vec::new() };
    let before = &plain[..];
    let mut found = match command(known, before) {
        Some((entry, named)) => arguments(known, entry, &Words { chosen, given: &before[named..] }, word),
        None if before.len() < 2 && typed.starts_with('-') => dash_options(&globals, &[], typed, known.source),
        None => Vec::new(),
    };
    if before.len() < MAX_NAME_WORDS {
        found.extend(name_words(known, before, typed));
    }
    if before.is_empty() && known.is_prompt {
        add_short_forms(known, typed, &mut found);
    }
    found
}

/// Adds the commands that need no group at the prompt, once a letter is typed.
fn add_short_forms(known: &CompletionContext<'_>, typed: &str, found: &mut Vec<RawCandidate>) {
    if typed.is_empty() || !typed.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
        return;
    }
    let begun = |it: &RawCandidate| it.value.starts_with(typed);
    let mut short = name_words(known, &[short_form::GROUP.to_owned()], typed);
    short.retain(|it| begun(it) && short_form::is_short(&[&it.value]));
    if !short.is_empty() {
        found.retain(begun);
    }
    found.extend(short);
}

/// The words with the group that they do without at the prompt; none if they have one.
pub(super) fn lengthen(known: &CompletionContext<'_>, words: &[String]) -> Option<Vec<String>> {
    let is_short = known.is_prompt && short_form::is_short(words);
    is_short.then(|| [&[short_form::GROUP.to_owned()], words].concat())
}

/// The command of the words: the longest name wins.
pub(super) fn command(known: &CompletionContext<'_>, words: &[String]) -> Option<(&'static CommandSpec, usize)> {
    (1..=words.len().min(MAX_NAME_WORDS)).rev().find_map(|count| {
        let name = words[..count].join(" ");
        let entry = known.commands.iter().find(|entry| entry.name == name || entry.aliases.contains(&name.as_str()))?;
        Some((entry, count))
    })
}

/// The parser of a command with the options of every command.
pub(super) fn parser(augment: fn(clap::Command) -> clap::Command, entry: &CommandSpec) -> clap::Command {
    built(augment((entry.parser)()))
}

/// The command of a line and how many words name it. Without an alias in front: its words are put in its place.
pub(super) fn command_of(
    known: &CompletionContext<'_>,
    words: &mut Vec<String>,
) -> Option<(&'static CommandSpec, usize)> {
    let options = words.iter().take_while(|word| word.starts_with('-')).count();
    words.drain(..options);
    if let Some(expanded) = expand(known, words) {
        *words = expanded;
    }
    if let Some(long) = lengthen(known, words) {
        *words = long;
    }
    let skipped = words.len() - strip_tsm(known, words).len();
    words.drain(..skipped);
    command(known, words)
}

/// The words without `tsm` before a group that is also available below `tsm`.
pub(super) fn strip_tsm<'a>(known: &CompletionContext<'_>, words: &'a [String]) -> &'a [String] {
    match words {
        [tsm, group, ..]
            if tsm == "tsm"
                && registry::TSM_SUBGROUPS.contains(&group.as_str())
                && known.groups.iter().any(|(name, _)| name == group) =>
        {
            &words[1..]
        }
        _ => words,
    }
}

/// Expands an alias at the start of the words.
pub(super) fn expand(known: &CompletionContext<'_>, words: &[String]) -> Option<Vec<String>> {
    let (first, rest) = words.split_first()?;
    if command(known, words).is_some() || known.groups.iter().any(|(group, _)| group == first) {
        return None;
    }
    let text = known.source.description(NameKind::Alias, first)?;
    let line = crate::base::line::lex(&text).ok()?;
    let statement = line.statements.last()?;
    Some(statement.words.iter().map(|word| word.text.clone()).chain(rest.iter().cloned()).collect())
}

/// The state of the line after its leading global options.
pub(super) enum AfterGlobals<'a> {
    /// The words of a command.
    Words(&'a [String]),
    /// A global option whose value is missing.
    Value(&'a Arg),
}

pub(super) fn skip_globals<'a>(globals: &'a clap::Command, words: &'a [String]) -> AfterGlobals<'a> {
    let mut start = 0;
    while let Some(word) = words.get(start).filter(|word| word.starts_with('-')) {
        start += 1;
        if let Expected::Value(arg) = options::parse_args(globals, std::slice::from_ref(word)).expected {
            if start == words.len() {
                return AfterGlobals::Value(arg);
            }
            start += 1;
        }
    }
    AfterGlobals::Words(words.get(start..).unwrap_or_default())
}

/// The words without global options between a group and its command; none if the value of one of them is missing.
fn strip_inner_globals(
    known: &CompletionContext<'_>,
    globals: &clap::Command,
    words: &[String],
) -> Option<Vec<String>> {
    match words {
        [group, option, ..] if option.starts_with('-') && known.groups.iter().any(|(name, _)| name == group) => {
            let AfterGlobals::Words(rest) = skip_globals(globals, &words[1..]) else { return None };
            Some([std::slice::from_ref(group), rest].concat())
        }
        _ => Some(words.to_vec()),
    }
}

/// The command names, or the second words of a group.
fn name_words(known: &CompletionContext<'_>, before: &[String], typed: &str) -> Vec<RawCandidate> {
    let start = before.iter().map(|word| format!("{word} ")).collect::<String>();
    let mut words: Vec<(String, String)> = Vec::new();
    let mut second: Vec<(String, String)> = Vec::new();
    for entry in known.commands.iter().filter(|entry| !entry.is_hidden()) {
        if let Some(rest) = entry.name.strip_prefix(&start) {
            match rest.split_once(' ') {
                None => words.push((rest.to_owned(), entry.summary())),
                Some((group, _)) if words.iter().any(|(word, _)| word == group) => {}
                Some((group, _)) => words.push((group.to_owned(), about_group(known, &start, group))),
            }
        }
        let aliases = entry.aliases.iter().filter_map(|alias| alias.strip_prefix(&start));
        let aliases = aliases.filter(|alias| !alias.contains(' '));
        second.extend(aliases.map(|alias| (alias.to_owned(), format!("{} (`{}`)", entry.summary(), entry.name))));
    }
    if before.is_empty() {
        words.extend(known.source.described(NameKind::Alias));
        if typed.starts_with('@') {
            words.extend(at_environments(known.source));
        }
    }
    let found = choose(typed, words);
    // Alternative names only after a typed letter.
    let begun = |proposal: &RawCandidate| proposal.value.starts_with(typed);
    second.retain(|(word, _)| !typed.is_empty() && word.starts_with(typed));
    if second.is_empty() || found.iter().any(begun) { found } else { choose(typed, second) }
}

fn about_group(known: &CompletionContext<'_>, start: &str, group: &str) -> String {
    let name = format!("{start}{group}");
    known
        .groups
        .iter()
        .chain(registry::SUBGROUPS)
        .find(|(known, _)| *known == name)
        .map(|(_, about)| (*about).to_owned())
        .unwrap_or_default()
}

/// The words after the name of a command.
struct Words<'a> {
    /// What the options before it choose.
    chosen: Scope,
    given: &'a [String],
}

/// The candidates after the name of a command and these words.
fn arguments(
    known: &CompletionContext<'_>,
    entry: &CommandSpec,
    words: &Words<'_>,
    word: TypedWord<'_>,
) -> Vec<RawCandidate> {
    let typed = word.text;
    let parser = parser(known.augment, entry);
    let reading = options::parse_args(&parser, words.given);
    let scoped = words.chosen.clone().or(Scope::of(&reading, words.given)).apply(known.source);
    let source = scoped.as_deref().unwrap_or(known.source);
    match reading.expected {
        Expected::Value(arg) => values(arg, typed, source),
        Expected::Options => dash_options(&parser, &reading.used, typed, source),
        Expected::Positional(_) if typed.starts_with('-') => dash_options(&parser, &reading.used, typed, source),
        Expected::Positional(arg) | Expected::OnlyPositional(arg) => {
            positional(&CompletionContext { source, ..*known }, arg, &reading, words.given, word)
        }
    }
}

/// The candidates for a word in the place of a positional argument.
fn positional(
    known: &CompletionContext<'_>,
    arg: &Arg,
    reading: &options::ParsedArgs<'_>,
    words: &[String],
    TypedWord { text: typed, is_open, depth }: TypedWord<'_>,
) -> Vec<RawCandidate> {
    let earlier = &reading.earlier;
    if is::<HelpWord>(arg) {
        return help_words(known, arg, earlier, typed);
    }
    if is::<CommandWord>(arg) && depth > 0 {
        if earlier.is_empty() && (is_open || typed.contains(' ')) {
            return nested_line(known, "", typed, depth);
        }
        return complete_line(known, earlier, TypedWord { text: typed, is_open, depth: depth - 1 });
    }
    if is::<SettingValue>(arg) {
        return setting_values(words, arg, typed);
    }
    if is::<AliasDefinition>(arg) || is::<AbbreviationDefinition>(arg) {
        return match typed.split_once('=') {
            Some((name, line)) => nested_line(known, &format!("{name}="), line, depth),
            None => values(arg, typed, known.source),
        };
    }
    if is::<StartWord>(arg) && !earlier.is_empty() {
        // The words after the program are its own.
        return files::files(typed, known.source);
    }
    let mut found = values(arg, typed, known.source);
    // The same target is not offered twice.
    found.retain(|proposal| proposal.is_placeholder || !earlier.contains(&proposal.value));
    found
}

/// What there is help for; words of the operator's behind `search`.
fn help_words(known: &CompletionContext<'_>, arg: &Arg, earlier: &[String], typed: &str) -> Vec<RawCandidate> {
    if earlier.first().is_some_and(|word| word == HelpWord::SEARCH) {
        let about = Some("a word of what is looked for".to_owned());
        return vec![RawCandidate {
            display: Some("<WORD>".to_owned()),
            description: about,
            ..placeholder(arg, typed)
        }];
    }
    let mut found = name_words(known, strip_tsm(known, earlier), typed);
    if earlier.is_empty() {
        found.extend(choose(typed, topics()));
    }
    found
}

/// Options, or the value of one after its `=`.
fn dash_options(parser: &clap::Command, used: &[&Arg], typed: &str, live: &dyn CandidateSource) -> Vec<RawCandidate> {
    if let Some((option, value)) = typed.strip_prefix("--").and_then(|rest| rest.split_once('=')) {
        let Some(arg) = options::by_long(parser, option) else { return Vec::new() };
        return values(arg, value, live)
            .into_iter()
            .map(|proposal| with_prefix(&format!("--{option}="), proposal))
            .collect();
    }
    let unused = |arg: &&Arg| options::takes_many(arg) || !used.iter().any(|used| used.get_id() == arg.get_id());
    let options = parser.get_arguments().filter(|arg| !arg.is_positional() && !arg.is_hide_set()).filter(unused);
    let letter = typed.strip_prefix('-').filter(|rest| rest.chars().count() == 1 && *rest != "-");
    let names = options.filter_map(|arg| {
        let short = arg.get_short().map(|short| format!("-{short}"));
        let name = match letter {
            // `-n` is complete: only its description is of use.
            Some(_) => short.filter(|short| short == typed),
            None => arg.get_long().map(|long| format!("--{long}")).or(short),
        };
        Some((name?, arg.get_help().map(ToString::to_string).unwrap_or_default()))
    });
    choose(typed, names.collect())
}

fn with_prefix(start: &str, mut proposal: RawCandidate) -> RawCandidate {
    let width = start.chars().count();
    proposal.value.insert_str(0, start);
    proposal.match_indices.iter_mut().for_each(|mark| *mark += width);
    proposal
}

/// A line inside of a word: `watch 'tsm st'`, `alias z='tsm st'`. The values are the whole word.
fn nested_line(known: &CompletionContext<'_>, start: &str, line: &str, depth: usize) -> Vec<RawCandidate> {
    if depth == 0 {
        return Vec::new();
    }
    let nested = |(candidate, span): (RawCandidate, std::ops::Range<usize>)| {
        let whole = format!("{}{}", &line[..span.start], super::quoted(&candidate.value));
        RawCandidate {
            value: format!("{start}{whole}"),
            display: candidate.display.or(Some(candidate.value)),
            line: Some(whole),
            ..candidate
        }
    };
    super::raw_candidates(line, line.len(), known, depth - 1).into_iter().map(nested).collect()
}

/// True if an argument is a line of its own.
pub(super) fn is_nested(arg: &Arg) -> bool {
    is::<CommandWord>(arg)
}

/// The line inside of a word that comes after these, if one can be.
pub(super) fn inner_line<'a>(known: &CompletionContext<'_>, words: &[String], word: &'a str) -> Option<&'a str> {
    let mut words = words.to_vec();
    let (entry, named) = command_of(known, &mut words)?;
    let parser = parser(known.augment, entry);
    let reading = options::parse_args(&parser, &words[named..]);
    match reading.expected {
        Expected::Positional(arg) | Expected::OnlyPositional(arg) if reading.earlier.is_empty() => {
            let is_definition = is::<AliasDefinition>(arg) || is::<AbbreviationDefinition>(arg);
            let defined = || word.split_once('=').map(|(_, line)| line).filter(|_| is_definition);
            Some(word).filter(|_| is::<CommandWord>(arg)).or_else(defined)
        }
        _ => None,
    }
}

fn is<T: 'static>(arg: &Arg) -> bool {
    arg.get_value_parser().type_id() == TypeId::of::<T>()
}

pub(super) fn built(mut parser: clap::Command) -> clap::Command {
    parser.build();
    parser
}
