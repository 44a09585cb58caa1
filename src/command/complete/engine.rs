//! Completion candidates for the words before the cursor.

use std::any::TypeId;
use std::path::PathBuf;

use clap::Arg;

use super::options::{self, Expected};
use super::sources::{CandidateSource, NameKind};
use super::{CompletionContext, RawCandidate, files, rank};
use crate::base::environment::EnvName;
use crate::base::name::{AliasName, OrgName, ProcessName, ServiceName};
use crate::base::signal::Signal;
use crate::command::argument::{
    CommandWord, ContextWord, DirectoryPath, EnvSource, FilePath, ProcessTarget, ServiceWord, SettingWord, StartWord,
    UserName,
};
use crate::command::context::SETTINGS;
use crate::command::{CommandSpec, registry};

/// The most candidates with a description: each costs reading a file.
const MAX_DESCRIBED: usize = 200;

/// The most words of a command name.
const MAX_NAME_WORDS: usize = 3;

/// The limit of nested lines (`watch watch …`).
const MAX_DEPTH: usize = 4;

/// The candidates after `before`, given the typed beginning of the next word.
pub(super) fn candidates(known: &CompletionContext<'_>, before: &[String], typed: &str) -> Vec<RawCandidate> {
    complete_line(known, before, typed, MAX_DEPTH)
}

fn complete_line(known: &CompletionContext<'_>, before: &[String], typed: &str, depth: usize) -> Vec<RawCandidate> {
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
fn command(known: &CompletionContext<'_>, words: &[String]) -> Option<(&'static CommandSpec, usize)> {
    (1..=words.len().min(MAX_NAME_WORDS)).rev().find_map(|count| {
        let name = words[..count].join(" ");
        let entry = known.commands.iter().find(|entry| entry.name == name || entry.aliases.contains(&name.as_str()))?;
        Some((entry, count))
    })
}

/// The words without `tsm` before a group that is also available below `tsm`.
fn strip_tsm<'a>(known: &CompletionContext<'_>, words: &'a [String]) -> &'a [String] {
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
fn expand(known: &CompletionContext<'_>, words: &[String]) -> Option<Vec<String>> {
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
enum AfterGlobals<'a> {
    /// The words of a command.
    Words(&'a [String]),
    /// A global option whose value is missing.
    Value(&'a Arg),
}

fn skip_globals<'a>(globals: &'a clap::Command, words: &'a [String]) -> AfterGlobals<'a> {
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
        words.extend(named(known.source, NameKind::Alias));
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
    known.groups.iter().find(|(known, _)| *known == name).map(|(_, about)| (*about).to_owned()).unwrap_or_default()
}

/// The candidates after the name of a command and these words.
fn arguments(
    known: &CompletionContext<'_>,
    entry: &CommandSpec,
    words: &[String],
    typed: &str,
    depth: usize,
) -> Vec<RawCandidate> {
    let parser = built((known.augment)((entry.parser)()));
    let reading = options::parse_args(&parser, words);
    match reading.expected {
        Expected::Value(arg) => values(arg, typed, known.source),
        Expected::Options => dash_options(&parser, &reading.used, typed, known.source),
        Expected::Positional(_) if typed.starts_with('-') => dash_options(&parser, &reading.used, typed, known.source),
        Expected::Positional(arg) | Expected::OnlyPositional(arg) if is::<CommandWord>(arg) && depth > 0 => {
            if arg.is_trailing_var_arg_set() {
                return complete_line(known, &reading.earlier, typed, depth - 1);
            }
            name_words(known, strip_tsm(known, &reading.earlier), typed)
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

/// The values of an argument: its possible values, else those of its type.
fn values(arg: &Arg, typed: &str, live: &dyn CandidateSource) -> Vec<RawCandidate> {
    let listed = arg.get_possible_values();
    if !listed.is_empty() {
        let shown = listed.iter().filter(|value| !value.is_hide_set());
        let about =
            |value: &clap::builder::PossibleValue| value.get_help().map(ToString::to_string).unwrap_or_default();
        return choose(typed, shown.map(|value| (value.get_name().to_owned(), about(value))).collect());
    }
    let source = SOURCES.iter().find(|(of, _)| arg.get_value_parser().type_id() == of());
    source.map_or_else(Vec::new, |(_, source)| source(typed, live))
}

/// True if the values of an argument are known.
#[cfg(test)]
pub(super) fn is_known(arg: &Arg) -> bool {
    let by_type = SOURCES.iter().any(|(of, _)| arg.get_value_parser().type_id() == of());
    by_type || is::<CommandWord>(arg) || !arg.get_possible_values().is_empty()
}

/// The source of values for a type.
type Source = (fn() -> TypeId, fn(&str, &dyn CandidateSource) -> Vec<RawCandidate>);

/// The source of values for an argument, by its type.
const SOURCES: &[Source] = &[
    (TypeId::of::<ProcessTarget>, |typed, live| things(typed, live, NameKind::Process)),
    (TypeId::of::<ProcessName>, |typed, live| things(typed, live, NameKind::Process)),
    (TypeId::of::<ServiceName>, |typed, live| things(typed, live, NameKind::Service)),
    (TypeId::of::<OrgName>, |typed, live| things(typed, live, NameKind::Org)),
    (TypeId::of::<AliasName>, |typed, live| things(typed, live, NameKind::Alias)),
    (TypeId::of::<EnvName>, environments),
    (TypeId::of::<ContextWord>, context),
    (TypeId::of::<SettingWord>, |typed, _| choose(typed, settings())),
    (TypeId::of::<EnvSource>, files::env_sources),
    (TypeId::of::<StartWord>, startable),
    (TypeId::of::<ServiceWord>, service_or_file),
    (TypeId::of::<UserName>, |typed, live| things(typed, live, NameKind::User)),
    (TypeId::of::<Signal>, signals),
    (TypeId::of::<FilePath>, files::files),
    (TypeId::of::<DirectoryPath>, files::directories),
    (TypeId::of::<PathBuf>, files::files),
];

fn signals(typed: &str, _: &dyn CandidateSource) -> Vec<RawCandidate> {
    let names: Vec<String> = Signal::standard().map(|signal| signal.to_string()).collect();
    rank::ranked_matches(typed, names, |name| name)
        .into_iter()
        .map(|(value, marks)| RawCandidate { value, description: None, match_indices: marks, continues: false })
        .collect()
}

/// The names of a kind, the first ones with a description.
fn things(typed: &str, live: &dyn CandidateSource, kind: NameKind) -> Vec<RawCandidate> {
    rank::ranked_matches(typed, live.names(kind), |name| name)
        .into_iter()
        .enumerate()
        .map(|(index, (value, marks))| {
            let about = if index < MAX_DESCRIBED { live.description(kind, &value) } else { None };
            RawCandidate { value, description: about, match_indices: marks, continues: false }
        })
        .collect()
}

/// What can be started: services, processes, files, and programs after a typed letter.
fn startable(typed: &str, live: &dyn CandidateSource) -> Vec<RawCandidate> {
    let mut found = things(typed, live, NameKind::Service);
    let processes = things(typed, live, NameKind::Process);
    let services: Vec<String> = found.iter().map(|it| it.value.clone()).collect();
    found.extend(processes.into_iter().filter(|it| !services.contains(&it.value)));
    found.extend(files::executables(typed, live));
    found
}

fn service_or_file(typed: &str, live: &dyn CandidateSource) -> Vec<RawCandidate> {
    let mut found = things(typed, live, NameKind::Service);
    found.extend(files::with_extension(".tsm", typed, live));
    found
}

fn environments(typed: &str, live: &dyn CandidateSource) -> Vec<RawCandidate> {
    if typed.starts_with('@') { choose(typed, at_environments(live)) } else { things(typed, live, NameKind::Env) }
}

/// An organization, or an environment after `@`.
fn context(typed: &str, live: &dyn CandidateSource) -> Vec<RawCandidate> {
    choose(typed, [named(live, NameKind::Org), at_environments(live)].concat())
}

fn settings() -> Vec<(String, String)> {
    SETTINGS.iter().map(|(name, _, help)| ((*name).to_owned(), (*help).to_owned())).collect()
}

fn at_environments(live: &dyn CandidateSource) -> Vec<(String, String)> {
    named(live, NameKind::Env).into_iter().map(|(name, about)| (format!("@{name}"), about)).collect()
}

fn named(live: &dyn CandidateSource, kind: NameKind) -> Vec<(String, String)> {
    let about = |name: &str| live.description(kind, name).unwrap_or_default();
    live.names(kind).into_iter().map(|name| (about(&name), name)).map(|(about, name)| (name, about)).collect()
}

fn choose(typed: &str, words: Vec<(String, String)>) -> Vec<RawCandidate> {
    rank::ranked_matches(typed, words, |(word, _)| word)
        .into_iter()
        .map(|((value, about), marks)| RawCandidate {
            value,
            description: Some(about).filter(|it| !it.is_empty()),
            match_indices: marks,
            continues: false,
        })
        .collect()
}

fn is<T: 'static>(arg: &Arg) -> bool {
    arg.get_value_parser().type_id() == TypeId::of::<T>()
}

fn built(mut parser: clap::Command) -> clap::Command {
    parser.build();
    parser
}
