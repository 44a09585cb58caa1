//! Completion candidates for the words before the cursor.

use std::any::TypeId;

use clap::Arg;

use super::name_kind::NameKind;
use super::options::{self, Expected};
use super::sources::CandidateSource;
use super::values::{at_environments, choose, setting_values, topics, values};
use super::{CompletionContext, RawCandidate, files};
use crate::command::argument::{AbbreviationDefinition, AliasDefinition, CommandWord, SettingValue, StartWord};
use crate::command::{CommandSpec, registry};

/// The most words of a command name.
const MAX_NAME_WORDS: usize = 3;

/// The limit of nested lines (`watch watch …`).
pub(super) const MAX_DEPTH: usize = 4;

/// The candidates after `before`, given the typed beginning of the next word.
pub(super) fn complete_line(
    known: &CompletionContext<'_>,
    before: &[String],
    typed: &str,
    depth: usize,
) -> Vec<RawCandidate> {
    let globals = built((known.augment)(clap::Command::new("tetra").disable_help_flag(true)));
    let before = match skip_globals(&globals, before) {
        AfterGlobals::Words(words) => words,
        AfterGlobals::Value(arg) => return values(arg, typed, known.source),
    };
    let aliased = expand(known, before);
    let before = strip_tsm(known, aliased.as_deref().unwrap_or(before));
    let Some(plain) = strip_inner_globals(known, &globals, before) else { return Vec::new() };
    let before = &plain[..];
    let mut found = match command(known, before) {
        Some((entry, named)) => arguments(known, entry, &before[named..], typed, depth),
        None if before.len() < 2 && typed.starts_with('-') => dash_options(&globals, &[], typed, known.source),
        None => Vec::new(),
    };
    if before.len() < MAX_NAME_WORDS {
        found.extend(name_words(known, before, typed));
    }
    found
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

/// The candidates after the name of a command and these words.
fn arguments(
    known: &CompletionContext<'_>,
    entry: &CommandSpec,
    words: &[String],
    typed: &str,
    depth: usize,
) -> Vec<RawCandidate> {
    let parser = parser(known.augment, entry);
    let reading = options::parse_args(&parser, words);
    match reading.expected {
        Expected::Value(arg) => values(arg, typed, known.source),
        Expected::Options => dash_options(&parser, &reading.used, typed, known.source),
        Expected::Positional(_) if typed.starts_with('-') => dash_options(&parser, &reading.used, typed, known.source),
        Expected::Positional(arg) | Expected::OnlyPositional(arg) if is::<CommandWord>(arg) && depth > 0 => {
            if arg.is_trailing_var_arg_set() {
                if reading.earlier.is_empty() && typed.contains(' ') {
                    return nested_line(known, "", typed, depth);
                }
                return complete_line(known, &reading.earlier, typed, depth - 1);
            }
            let mut found = name_words(known, strip_tsm(known, &reading.earlier), typed);
            if reading.earlier.is_empty() {
                found.extend(choose(typed, topics()));
            }
            found
        }
        Expected::Positional(arg) | Expected::OnlyPositional(arg) if is::<SettingValue>(arg) => {
            setting_values(words, arg, typed)
        }
        Expected::Positional(arg) | Expected::OnlyPositional(arg)
            if is::<AliasDefinition>(arg) || is::<AbbreviationDefinition>(arg) =>
        {
            match typed.split_once('=') {
                Some((name, line)) => nested_line(known, &format!("{name}="), line, depth),
                None => values(arg, typed, known.source),
            }
        }
        // The words after the program are its own.
        Expected::Positional(arg) | Expected::OnlyPositional(arg)
            if is::<StartWord>(arg) && !reading.earlier.is_empty() =>
        {
            files::files(typed, known.source)
        }
        Expected::Positional(arg) | Expected::OnlyPositional(arg) => {
            let mut found = values(arg, typed, known.source);
            // The same target is not offered twice.
            found.retain(|proposal| !reading.earlier.contains(&proposal.value));
            found
        }
    }
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
    super::raw_candidates(line, line.len(), known, depth - 1)
        .into_iter()
        .map(|(candidate, span)| RawCandidate {
            value: format!("{start}{}{}", &line[..span.start], super::quoted(&candidate.value)),
            display: candidate.display.or(Some(candidate.value)),
            is_nested: true,
            ..candidate
        })
        .collect()
}

fn is<T: 'static>(arg: &Arg) -> bool {
    arg.get_value_parser().type_id() == TypeId::of::<T>()
}

pub(super) fn built(mut parser: clap::Command) -> clap::Command {
    parser.build();
    parser
}
