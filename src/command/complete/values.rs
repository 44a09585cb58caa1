//! The values of an argument, by its type.

use std::any::TypeId;
use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::Arg;

use super::name_kind::NameKind;
use super::sources::CandidateSource;
use super::{RawCandidate, files, free, rank};
use crate::base::environment::{EnvName, Tier};
use crate::base::line;
use crate::base::name::{AliasName, OrgName, ProcessName, ServiceName};
use crate::base::signal::Signal;
use crate::command::argument::{
    AbbreviationDefinition, AliasDefinition, ContextWord, DeclaredService, DirectoryPath, EnvSource, FilePath,
    GeneratedEnv, HistoryId, PortName, PortRangeWord, ProcessId, ProcessPid, ProcessTarget, ProfileName, ProfileWord,
    SecretName, ServiceWord, SettingWord, SingleProcess, StackName, StartWord, TomlAssignment, TomlTable, UsedPort,
    UserName, VariableName, VersionId,
};
use crate::command::context::{SETTINGS, setting};
use crate::command::daemon::logs::LogsWord;
use crate::command::help;
use crate::command::tkm::target::{KeySelector, KeyTarget};
use crate::config::path::KeyPath;
use crate::tkm::host::HostName;

/// The most candidates with a description: each costs reading a file.
const MAX_DESCRIBED: usize = 200;

/// The lines of the history that are offered before a number is typed.
const MAX_RECALLED: usize = 10;

/// The values of an argument: its possible values, those of its type, or examples; where none fits, what it should be.
pub(super) fn values(arg: &Arg, typed: &str, live: &dyn CandidateSource) -> Vec<RawCandidate> {
    instead_of_nothing(arg, typed, offered(arg, typed, live))
}

/// A placeholder for no values, and for a lone example, which would be inserted without having been chosen.
fn instead_of_nothing(arg: &Arg, typed: &str, found: Vec<RawCandidate>) -> Vec<RawCandidate> {
    match &found[..] {
        [] => vec![placeholder(arg, typed)],
        [only] if only.is_example && only.value != typed => {
            let like = line::quote(&only.value);
            vec![RawCandidate {
                display: Some(format!("<{}, like {like}>", value_name(arg))),
                ..placeholder(arg, typed)
            }]
        }
        _ => found,
    }
}

/// What the help calls a value.
pub(super) fn value_name(arg: &Arg) -> &str {
    arg.get_value_names().and_then(|names| names.first()).map_or("VALUE", |name| name.as_str())
}

/// The same, without a placeholder.
pub(super) fn offered(arg: &Arg, typed: &str, live: &dyn CandidateSource) -> Vec<RawCandidate> {
    let listed = arg.get_possible_values();
    if !listed.is_empty() {
        let shown = listed.iter().filter(|value| !value.is_hide_set());
        let about =
            |value: &clap::builder::PossibleValue| value.get_help().map(ToString::to_string).unwrap_or_default();
        return choose(typed, shown.map(|value| (value.get_name().to_owned(), about(value))).collect());
    }
    match SOURCES.iter().find(|(of, _)| arg.get_value_parser().type_id() == of()) {
        Some((_, source)) => source(typed, live),
        None => {
            let examples = free::examples(arg);
            let is_example = |value: &str| examples.iter().any(|it| it.value == value && !it.is_word);
            let listed = examples.iter().map(|it| (it.value.clone(), it.about.clone())).collect();
            let mut found = choose(typed, listed);
            found.iter_mut().for_each(|it| it.is_example = is_example(&it.value));
            found
        }
    }
}

/// What an argument takes, in the place of a value: `<TIME, like 10m>`. It leaves the typed text as it is.
pub(super) fn placeholder(arg: &Arg, typed: &str) -> RawCandidate {
    let like = free::examples(arg).first().map(|it| format!(", like {}", line::quote(&it.value))).unwrap_or_default();
    RawCandidate {
        display: Some(format!("<{}{like}>", value_name(arg))),
        continues: true,
        is_placeholder: true,
        ..RawCandidate::new(typed.to_owned(), arg.get_help().map(ToString::to_string), Vec::new())
    }
}

/// The source of values for a type.
type CompletionSource = (fn() -> TypeId, fn(&str, &dyn CandidateSource) -> Vec<RawCandidate>);

/// The source of values for an argument, by its type. What has neither a row here nor one in [`free`] is found by a test.
const SOURCES: &[CompletionSource] = &[
    (TypeId::of::<ProcessTarget>, targets),
    (TypeId::of::<SingleProcess>, processes),
    (TypeId::of::<ProcessName>, |typed, live| things(typed, live, NameKind::Process)),
    (TypeId::of::<ProcessId>, |typed, live| listed(typed, live, NameKind::Id)),
    (TypeId::of::<HistoryId>, |typed, live| listed(typed, live, NameKind::HistoryLine)),
    (TypeId::of::<ProcessPid>, |typed, live| listed(typed, live, NameKind::Pid)),
    (TypeId::of::<UsedPort>, |typed, live| listed(typed, live, NameKind::Port)),
    (TypeId::of::<PortName>, |typed, live| listed(typed, live, NameKind::PortName)),
    (TypeId::of::<PortRangeWord>, port_ranges),
    (TypeId::of::<ServiceName>, |typed, live| things(typed, live, NameKind::Service)),
    (TypeId::of::<StackName>, |typed, live| listed(typed, live, NameKind::Stack)),
    (TypeId::of::<OrgName>, |typed, live| things(typed, live, NameKind::Org)),
    (TypeId::of::<AliasName>, |typed, live| things(typed, live, NameKind::Alias)),
    (TypeId::of::<AbbreviationDefinition>, |typed, live| things(typed, live, NameKind::Abbreviation)),
    (TypeId::of::<AliasDefinition>, |typed, live| things(typed, live, NameKind::Alias)),
    (TypeId::of::<EnvName>, environments),
    (TypeId::of::<GeneratedEnv>, generated_environments),
    (TypeId::of::<ProfileWord>, |typed, live| listed(typed, live, NameKind::Profile)),
    (TypeId::of::<ProfileName>, profiles),
    (TypeId::of::<VersionId>, |typed, live| listed(typed, live, NameKind::Version)),
    (TypeId::of::<SecretName>, |typed, live| listed(typed, live, NameKind::Secret)),
    (TypeId::of::<VariableName>, |typed, live| listed(typed, live, NameKind::Variable)),
    (TypeId::of::<KeyPath>, |typed, live| listed(typed, live, NameKind::TomlKey)),
    (TypeId::of::<TomlAssignment>, assignments),
    (TypeId::of::<DeclaredService>, declared_services),
    (TypeId::of::<TomlTable>, |typed, live| listed(typed, live, NameKind::TomlTable)),
    (TypeId::of::<LogsWord>, |typed, live| choose(typed, at_environments(live))),
    (TypeId::of::<ContextWord>, context),
    (TypeId::of::<SettingWord>, |typed, _| choose(typed, settings())),
    (TypeId::of::<EnvSource>, files::env_sources),
    (TypeId::of::<StartWord>, startable),
    (TypeId::of::<ServiceWord>, service_or_file),
    (TypeId::of::<KeyTarget>, key_targets),
    (TypeId::of::<KeySelector>, |typed, _| choose(typed, purposes())),
    (TypeId::of::<HostName>, hosts),
    (TypeId::of::<UserName>, |typed, live| things(typed, live, NameKind::User)),
    (TypeId::of::<Signal>, signals),
    (TypeId::of::<FilePath>, files::files),
    (TypeId::of::<DirectoryPath>, files::directories),
    (TypeId::of::<PathBuf>, files::files),
];

/// The kind of names that an argument takes, if it takes names of one kind.
pub(super) fn kind_of(arg: &Arg) -> Option<NameKind> {
    let kinds: [(TypeId, NameKind); 10] = [
        (TypeId::of::<ProcessTarget>(), NameKind::Process),
        (TypeId::of::<SingleProcess>(), NameKind::Process),
        (TypeId::of::<ProcessName>(), NameKind::Process),
        (TypeId::of::<StartWord>(), NameKind::Service),
        (TypeId::of::<ServiceName>(), NameKind::Service),
        (TypeId::of::<ServiceWord>(), NameKind::Service),
        (TypeId::of::<OrgName>(), NameKind::Org),
        (TypeId::of::<EnvName>(), NameKind::Env),
        (TypeId::of::<GeneratedEnv>(), NameKind::Env),
        (TypeId::of::<HostName>(), NameKind::Host),
    ];
    kinds.into_iter().find(|(of, _)| arg.get_value_parser().type_id() == *of).map(|(_, kind)| kind)
}

/// Processes by name; by id, pid or port after a digit.
fn processes(typed: &str, live: &dyn CandidateSource) -> Vec<RawCandidate> {
    let mut found = things(typed, live, NameKind::Process);
    if typed.starts_with(|c: char| c.is_ascii_digit()) {
        for kind in [NameKind::Id, NameKind::Port, NameKind::Pid] {
            let numbers = listed(typed, live, kind).into_iter().filter(|it| it.value.starts_with(typed));
            found.extend(numbers.filter(|it| !found.iter().any(|known| known.value == it.value)).collect::<Vec<_>>());
        }
    }
    found
}

/// Processes, and `all`.
fn targets(typed: &str, live: &dyn CandidateSource) -> Vec<RawCandidate> {
    let mut found = processes(typed, live);
    // One letter that a name begins with is not taken for all of them.
    let is_name = typed.len() == 1 && found.iter().any(|it| it.value.starts_with(typed));
    if (typed.is_empty() && found.len() > 1) || (!typed.is_empty() && !is_name && "all".starts_with(typed)) {
        found.extend(choose(typed, vec![("all".to_owned(), "every process".to_owned())]));
    }
    found
}

/// Hosts; after a comma those that were not named yet.
fn hosts(typed: &str, live: &dyn CandidateSource) -> Vec<RawCandidate> {
    let Some((before, last)) = typed.rsplit_once(',') else { return things(typed, live, NameKind::Host) };
    let named: Vec<&str> = before.split(',').collect();
    let mut found = things(last, live, NameKind::Host);
    found.retain(|it| !named.contains(&it.value.as_str()));
    for it in &mut found {
        it.value = format!("{before},{}", it.value);
        it.match_indices.iter_mut().for_each(|index| *index += before.len() + 1);
    }
    found
}

/// Hosts, environments with their `@`, and `all`.
fn key_targets(typed: &str, live: &dyn CandidateSource) -> Vec<RawCandidate> {
    let mut found = things(typed, live, NameKind::Host);
    found.extend(choose(typed, at_environments(live)));
    found.extend(choose(typed, vec![("all".to_owned(), "the keys of every environment".to_owned())]));
    found
}

fn purposes() -> Vec<(String, String)> {
    let words = [("deploy", "what tetra does on hosts"), ("admin", "a person at work"), ("test", "trying out")];
    words.map(|(word, what)| (word.to_owned(), what.to_owned())).into()
}

fn port_ranges(typed: &str, live: &dyn CandidateSource) -> Vec<RawCandidate> {
    let mut found = things(typed, live, NameKind::Env);
    found.extend(choose(typed, vec![("proxy".to_owned(), "ports of proxies".to_owned())]));
    found
}

/// Keys, each with its `=`.
fn assignments(typed: &str, live: &dyn CandidateSource) -> Vec<RawCandidate> {
    let mut found = listed(typed, live, NameKind::TomlKey);
    for it in &mut found {
        it.value.push('=');
        it.continues = true;
    }
    found
}

/// The values of the setting that the words name.
pub(super) fn setting_values(words: &[String], arg: &Arg, typed: &str) -> Vec<RawCandidate> {
    let Some(setting) = words.iter().find_map(|word| setting(word)) else { return Vec::new() };
    let about = |word: &str, about: &str| match (word == setting.default, about) {
        (false, about) => about.to_owned(),
        (true, "") => "the default".to_owned(),
        (true, about) => format!("{about}; the default"),
    };
    let mut known = setting.accepts.words();
    let is_example = known.is_empty();
    if is_example {
        known.push((setting.default, ""));
    }
    let known = known.into_iter().map(|(word, help)| (word.to_owned(), about(word, help))).collect();
    let mut found = choose(typed, known);
    found.iter_mut().for_each(|it| it.is_example = is_example);
    instead_of_nothing(arg, typed, found)
}

pub(super) fn topics() -> Vec<(String, String)> {
    let more = [
        ("search", "find commands, options and topics by a word"),
        ("topics", "what there is help for beside commands"),
        ("all", "every command"),
    ];
    let topics = help::TOPICS.iter().map(|topic| (topic.name, topic.summary));
    topics.chain(more).map(|(name, about)| (name.to_owned(), about.to_owned())).collect()
}

/// The lines that `!` puts back: by number, or counted from the last one after `-`; a few before anything is typed.
pub(super) fn recalled(typed: &str, live: &dyn CandidateSource) -> Vec<RawCandidate> {
    let lines = live.described(NameKind::HistoryLine).into_iter();
    let recalled: Vec<(String, String)> = match typed.strip_prefix('-') {
        Some(_) => (1..).zip(lines).map(|(back, (_, line))| (format!("-{back}"), line)).collect(),
        None => lines.collect(),
    };
    let most = if typed.is_empty() { MAX_RECALLED } else { usize::MAX };
    let begun = recalled.into_iter().filter(|(number, _)| number.starts_with(typed)).take(most);
    choose(typed, begun.collect())
}

/// The variables of the prompt, each with what it is now.
pub(super) fn variables(typed: &str, live: &dyn CandidateSource) -> Vec<RawCandidate> {
    let variables = live.described(NameKind::SessionVariable).into_iter();
    let begun = variables.filter(|(name, _)| typed.trim_start_matches('@').starts_with('$') && name.starts_with(typed));
    let mut found = choose(typed, begun.collect());
    found.iter_mut().for_each(|it| it.is_verbatim = true);
    found
}

fn signals(typed: &str, _: &dyn CandidateSource) -> Vec<RawCandidate> {
    let names: Vec<String> = Signal::standard().map(|signal| signal.to_string()).collect();
    rank::ranked_matches(typed, names, |name| name)
        .into_iter()
        .map(|(value, marks)| RawCandidate::new(value, None, marks))
        .collect()
}

/// The names of a kind, the first ones with a description.
fn things(typed: &str, live: &dyn CandidateSource, kind: NameKind) -> Vec<RawCandidate> {
    rank::ranked_matches(typed, live.names(kind), |name| name)
        .into_iter()
        .enumerate()
        .map(|(index, (value, marks))| {
            let about = if index < MAX_DESCRIBED { live.description(kind, &value) } else { None };
            RawCandidate::new(value, about, marks)
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

/// Profiles, also with the `@` of an environment.
fn profiles(typed: &str, live: &dyn CandidateSource) -> Vec<RawCandidate> {
    let mark = if typed.starts_with('@') { "@" } else { "" };
    let names = live.described(NameKind::Profile).into_iter();
    choose(typed, names.map(|(name, about)| (format!("{mark}{name}"), about)).collect())
}

/// Environments without the one that the others are generated from.
fn generated_environments(typed: &str, live: &dyn CandidateSource) -> Vec<RawCandidate> {
    let mut found = environments(typed, live);
    found.retain(|it| it.value.parse().ok().and_then(|env: EnvName| env.tier()) != Some(Tier::Local));
    found
}

/// An organization, or an environment after `@`.
fn context(typed: &str, live: &dyn CandidateSource) -> Vec<RawCandidate> {
    choose(typed, [live.described(NameKind::Org), at_environments(live)].concat())
}

fn settings() -> Vec<(String, String)> {
    SETTINGS.iter().map(|it| (it.name.to_owned(), it.help.to_owned())).collect()
}

pub(super) fn at_environments(live: &dyn CandidateSource) -> Vec<(String, String)> {
    live.described(NameKind::Env).into_iter().map(|(name, about)| (format!("@{name}"), about)).collect()
}

/// The services of `local.toml`: the second part of `services.web.command`.
fn declared_services(typed: &str, live: &dyn CandidateSource) -> Vec<RawCandidate> {
    let keys = live.described(NameKind::TomlKey);
    let name = |(key, _): &(String, String)| Some(key.strip_prefix("services.")?.split('.').next()?.to_owned());
    let names: BTreeSet<String> = keys.iter().filter_map(name).collect();
    choose(typed, names.into_iter().map(|name| (name, String::new())).collect())
}

/// The names of a kind that is read with its descriptions.
fn listed(typed: &str, live: &dyn CandidateSource, kind: NameKind) -> Vec<RawCandidate> {
    choose(typed, live.described(kind))
}

pub(super) fn choose(typed: &str, words: Vec<(String, String)>) -> Vec<RawCandidate> {
    rank::ranked_matches(typed, words, |(word, _)| word)
        .into_iter()
        .map(|((value, about), marks)| RawCandidate::new(value, Some(about).filter(|it| !it.is_empty()), marks))
        .collect()
}
