//! From the words before the cursor to what could follow them.

use std::any::TypeId;
use std::path::PathBuf;

use clap::Arg;

use super::live::{Kind, Live};
use super::options::{self, Next};
use super::{Known, Proposal, files, rank};
use crate::base::environment::EnvName;
use crate::base::name::{AliasName, OrgName, ProcessName, ServiceName};
use crate::base::signal::Signal;
use crate::command::argument::{
    CommandWord, ContextWord, EnvSource, FilePath, FolderPath, ProcessTarget, ServiceWord, SettingWord, StartWord,
    UserName,
};
use crate::command::context::SETTINGS;
use crate::command::{Entry, registry};

/// Describing costs a file each, so what no screen shows is not described.
const DESCRIBED: usize = 200;

/// The most words that name a command.
const LONGEST_NAME: usize = 3;

/// How often a line may hold a line (`watch watch …`).
const DEPTH: usize = 4;

/// What could follow `before`, given what is typed of the next word.
pub(super) fn proposals(known: &Known<'_>, before: &[String], typed: &str) -> Vec<Proposal> {
    line(known, before, typed, DEPTH)
}

fn line(known: &Known<'_>, before: &[String], typed: &str, depth: usize) -> Vec<Proposal> {
    let globals = built((known.augment)(clap::Command::new("tetra").disable_help_flag(true)));
    let before = match skip_globals(&globals, before) {
        Before::Words(words) => words,
        Before::Value(arg) => return values(arg, typed, known.live),
    };
    let aliased = expand(known, before);
    let before = without_tsm(known, aliased.as_deref().unwrap_or(before));
    let Some(plain) = without_inner_globals(known, &globals, before) else { return Vec::new() };
    let before = &plain[..];
    let mut found = match command(known, before) {
        Some((entry, named)) => arguments(known, entry, (&before[named..], typed), depth),
        None if before.len() < 2 && typed.starts_with('-') => with_dash(&globals, &[], typed, known.live),
        None => Vec::new(),
    };
    if before.len() < LONGEST_NAME {
        found.extend(name_words(known, before, typed));
    }
    found
}

/// The command that the words name: the longest name wins.
fn command(known: &Known<'_>, words: &[String]) -> Option<(&'static Entry, usize)> {
    (1..=words.len().min(LONGEST_NAME)).rev().find_map(|count| {
        let name = words[..count].join(" ");
        let entry = known.commands.iter().find(|entry| entry.name == name || entry.aliases.contains(&name.as_str()))?;
        Some((entry, count))
    })
}

/// The words without `tsm` in front of a group that may also be called so.
fn without_tsm<'a>(known: &Known<'_>, words: &'a [String]) -> &'a [String] {
    match words {
        [tsm, group, ..]
            if tsm == "tsm"
                && registry::ALSO_BELOW_TSM.contains(&group.as_str())
                && known.groups.iter().any(|(name, _)| name == group) =>
        {
            &words[1..]
        }
        _ => words,
    }
}

/// The words with an alias at their start replaced by what it stands for.
fn expand(known: &Known<'_>, words: &[String]) -> Option<Vec<String>> {
    let (first, rest) = words.split_first()?;
    if command(known, words).is_some() || known.groups.iter().any(|(group, _)| group == first) {
        return None;
    }
    let text = known.live.about(Kind::Alias, first)?;
    let line = crate::base::line::lex(&text).ok()?;
    let statement = line.statements.last()?;
    Some(statement.words.iter().map(|word| word.text.clone()).chain(rest.iter().cloned()).collect())
}

/// What stands in front of the cursor, behind the global options.
enum Before<'a> {
    /// The words of a command.
    Words(&'a [String]),
    /// Only a global option that waits for its value.
    Value(&'a Arg),
}

fn skip_globals<'a>(globals: &'a clap::Command, words: &'a [String]) -> Before<'a> {
    let mut start = 0;
    while let Some(word) = words.get(start).filter(|word| word.starts_with('-')) {
        start += 1;
        if let Next::Value(arg) = options::read(globals, std::slice::from_ref(word)).next {
            if start == words.len() {
                return Before::Value(arg);
            }
            start += 1;
        }
    }
    Before::Words(words.get(start..).unwrap_or_default())
}

/// The words without global options between a group and its command; none if one of them still waits for its value.
fn without_inner_globals(known: &Known<'_>, globals: &clap::Command, words: &[String]) -> Option<Vec<String>> {
    match words {
        [group, option, ..] if option.starts_with('-') && known.groups.iter().any(|(name, _)| name == group) => {
            let Before::Words(rest) = skip_globals(globals, &words[1..]) else { return None };
            Some([std::slice::from_ref(group), rest].concat())
        }
        _ => Some(words.to_vec()),
    }
}

/// The words that can stand where a command begins, or goes on after its group.
fn name_words(known: &Known<'_>, before: &[String], typed: &str) -> Vec<Proposal> {
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
        words.extend(named(known.live, Kind::Alias));
        if typed.starts_with('@') {
            words.extend(at_environments(known.live));
        }
    }
    let found = choose(typed, words);
    // Second names only for those who type them.
    let begun = |proposal: &Proposal| proposal.value.starts_with(typed);
    second.retain(|(word, _)| !typed.is_empty() && word.starts_with(typed));
    if second.is_empty() || found.iter().any(begun) { found } else { choose(typed, second) }
}

fn about_group(known: &Known<'_>, start: &str, group: &str) -> String {
    let name = format!("{start}{group}");
    known.groups.iter().find(|(known, _)| *known == name).map(|(_, about)| (*about).to_owned()).unwrap_or_default()
}

/// What could follow the words behind a command's name.
fn arguments(known: &Known<'_>, entry: &Entry, (words, typed): (&[String], &str), depth: usize) -> Vec<Proposal> {
    let parser = built((known.augment)((entry.parser)()));
    let reading = options::read(&parser, words);
    match reading.next {
        Next::Value(arg) => values(arg, typed, known.live),
        Next::Options => with_dash(&parser, &reading.used, typed, known.live),
        Next::Place(_) if typed.starts_with('-') => with_dash(&parser, &reading.used, typed, known.live),
        Next::Place(arg) | Next::OnlyPlace(arg) if is::<CommandWord>(arg) && depth > 0 => {
            if arg.is_trailing_var_arg_set() {
                return line(known, &reading.earlier, typed, depth - 1);
            }
            name_words(known, without_tsm(known, &reading.earlier), typed)
        }
        // Behind the program come its own words.
        Next::Place(arg) | Next::OnlyPlace(arg) if is::<StartWord>(arg) && !reading.earlier.is_empty() => {
            files::files(typed, known.live)
        }
        Next::Place(arg) | Next::OnlyPlace(arg) => {
            let mut found = values(arg, typed, known.live);
            // The same target twice helps nobody.
            found.retain(|proposal| !reading.earlier.contains(&proposal.value));
            found
        }
    }
}

/// Options, or the value of one behind its `=`.
fn with_dash(parser: &clap::Command, used: &[&Arg], typed: &str, live: &dyn Live) -> Vec<Proposal> {
    if let Some((option, value)) = typed.strip_prefix("--").and_then(|rest| rest.split_once('=')) {
        let Some(arg) = options::by_long(parser, option) else { return Vec::new() };
        return values(arg, value, live)
            .into_iter()
            .map(|proposal| behind(&format!("--{option}="), proposal))
            .collect();
    }
    let unused = |arg: &&Arg| options::takes_many(arg) || !used.iter().any(|used| used.get_id() == arg.get_id());
    let options = parser.get_arguments().filter(|arg| !arg.is_positional() && !arg.is_hide_set()).filter(unused);
    let letter = typed.strip_prefix('-').filter(|rest| rest.chars().count() == 1 && *rest != "-");
    let names = options.filter_map(|arg| {
        let short = arg.get_short().map(|short| format!("-{short}"));
        let name = match letter {
            // `-n` is whole: what it means is all that is left to say.
            Some(_) => short.filter(|short| short == typed),
            None => arg.get_long().map(|long| format!("--{long}")).or(short),
        };
        Some((name?, arg.get_help().map(ToString::to_string).unwrap_or_default()))
    });
    choose(typed, names.collect())
}

fn behind(start: &str, mut proposal: Proposal) -> Proposal {
    let width = start.chars().count();
    proposal.value.insert_str(0, start);
    proposal.marks.iter_mut().for_each(|mark| *mark += width);
    proposal
}

/// The values that an argument can have: those it lists itself, else those of its type.
fn values(arg: &Arg, typed: &str, live: &dyn Live) -> Vec<Proposal> {
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

/// Something is known about the values of an argument.
#[cfg(test)]
pub(super) fn is_known(arg: &Arg) -> bool {
    let by_type = SOURCES.iter().any(|(of, _)| arg.get_value_parser().type_id() == of());
    by_type || is::<CommandWord>(arg) || !arg.get_possible_values().is_empty()
}

/// What completes arguments of a type.
type Source = (fn() -> TypeId, fn(&str, &dyn Live) -> Vec<Proposal>);

/// What completes an argument, by its type.
const SOURCES: &[Source] = &[
    (TypeId::of::<ProcessTarget>, |typed, live| things(typed, live, Kind::Process)),
    (TypeId::of::<ProcessName>, |typed, live| things(typed, live, Kind::Process)),
    (TypeId::of::<ServiceName>, |typed, live| things(typed, live, Kind::Service)),
    (TypeId::of::<OrgName>, |typed, live| things(typed, live, Kind::Org)),
    (TypeId::of::<AliasName>, |typed, live| things(typed, live, Kind::Alias)),
    (TypeId::of::<EnvName>, environments),
    (TypeId::of::<ContextWord>, context),
    (TypeId::of::<SettingWord>, |typed, _| choose(typed, settings())),
    (TypeId::of::<EnvSource>, files::env_sources),
    (TypeId::of::<StartWord>, startable),
    (TypeId::of::<ServiceWord>, service_or_file),
    (TypeId::of::<UserName>, |typed, live| things(typed, live, Kind::User)),
    (TypeId::of::<Signal>, signals),
    (TypeId::of::<FilePath>, files::files),
    (TypeId::of::<FolderPath>, files::folders),
    (TypeId::of::<PathBuf>, files::files),
];

fn signals(typed: &str, _: &dyn Live) -> Vec<Proposal> {
    let names: Vec<String> = Signal::usual().map(|signal| signal.to_string()).collect();
    rank::fitting(typed, names, |name| name)
        .into_iter()
        .map(|(value, marks)| Proposal { value, about: None, marks, open: false })
        .collect()
}

/// Things of a kind; only those that may be seen are described.
fn things(typed: &str, live: &dyn Live, kind: Kind) -> Vec<Proposal> {
    rank::fitting(typed, live.names(kind), |name| name)
        .into_iter()
        .enumerate()
        .map(|(index, (value, marks))| {
            let about = if index < DESCRIBED { live.about(kind, &value) } else { None };
            Proposal { value, about, marks, open: false }
        })
        .collect()
}

/// What can be started: services, processes there are, files, and programs once a letter is typed.
fn startable(typed: &str, live: &dyn Live) -> Vec<Proposal> {
    let mut found = things(typed, live, Kind::Service);
    let processes = things(typed, live, Kind::Process);
    let services: Vec<String> = found.iter().map(|it| it.value.clone()).collect();
    found.extend(processes.into_iter().filter(|it| !services.contains(&it.value)));
    found.extend(files::runnable(typed, live));
    found
}

fn service_or_file(typed: &str, live: &dyn Live) -> Vec<Proposal> {
    let mut found = things(typed, live, Kind::Service);
    found.extend(files::ending(".tsm", typed, live));
    found
}

fn environments(typed: &str, live: &dyn Live) -> Vec<Proposal> {
    if typed.starts_with('@') { choose(typed, at_environments(live)) } else { things(typed, live, Kind::Env) }
}

/// An organization, or an environment behind `@`.
fn context(typed: &str, live: &dyn Live) -> Vec<Proposal> {
    choose(typed, [named(live, Kind::Org), at_environments(live)].concat())
}

fn settings() -> Vec<(String, String)> {
    SETTINGS.iter().map(|(name, _, help)| ((*name).to_owned(), (*help).to_owned())).collect()
}

fn at_environments(live: &dyn Live) -> Vec<(String, String)> {
    named(live, Kind::Env).into_iter().map(|(name, about)| (format!("@{name}"), about)).collect()
}

fn named(live: &dyn Live, kind: Kind) -> Vec<(String, String)> {
    let about = |name: &str| live.about(kind, name).unwrap_or_default();
    live.names(kind).into_iter().map(|name| (about(&name), name)).map(|(about, name)| (name, about)).collect()
}

fn choose(typed: &str, words: Vec<(String, String)>) -> Vec<Proposal> {
    rank::fitting(typed, words, |(word, _)| word)
        .into_iter()
        .map(|((value, about), marks)| Proposal {
            value,
            about: Some(about).filter(|it| !it.is_empty()),
            marks,
            open: false,
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
