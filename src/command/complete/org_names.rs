//! Names that are read from the files of organizations, projects and the registry of ports.

use std::collections::BTreeMap;
use std::path::Path;

use super::name_kind::NameKind;
use crate::base::environment::EnvName;
use crate::base::sort::SortExt;
use crate::command::Selection;
use crate::config::document::Document;
use crate::disk;
use crate::org::store::OrgStore;
use crate::sys::history::{HistoryEntry, HistoryQuery, HistoryReader};
use crate::sys::paths::Paths;
use crate::tsm::store::{Process, ProcessStore};
use crate::tsm::{ports, stack};

/// Where names are looked for.
pub(super) struct NamePlace<'a> {
    /// The paths of all files.
    pub paths: &'a Paths,
    /// The active selection.
    pub selection: &'a Selection,
    /// The working directory.
    pub cwd: &'a Path,
}

/// The most versions that are offered, the latest ones.
const MAX_VERSIONS: usize = 50;

/// The most lines of the history that are offered, the latest ones.
const MAX_LINES: u32 = 200;

/// The names of such a kind with what is known about each. None if they cannot be read: completion does not report errors.
pub(super) fn names(place: &NamePlace<'_>, kind: NameKind) -> Vec<(String, String)> {
    match kind {
        NameKind::Id => numbers(place, |process| process.id().map(|id| id.to_string())),
        NameKind::Pid => numbers(place, |process| process.pid().map(|pid| pid.to_string())),
        NameKind::Port => numbers(place, |process| process.meta.port.map(|port| port.to_string())),
        NameKind::PortName => port_names(place),
        NameKind::Stack => stacks(place),
        NameKind::Profile => org(place).map(|org| plain(org.profile_names())).unwrap_or_default(),
        NameKind::Version => versions(place),
        NameKind::Secret => secrets(place),
        NameKind::Variable => variables(place),
        NameKind::TomlKey => toml_keys(place),
        NameKind::TomlTable => toml_tables(place),
        NameKind::HistoryLine => history_lines(place),
        _ => Vec::new(),
    }
}

fn plain(names: Vec<String>) -> Vec<(String, String)> {
    names.into_iter().map(|name| (name, String::new())).collect()
}

fn org<'a>(place: &NamePlace<'a>) -> Option<OrgStore<'a>> {
    OrgStore::open(place.paths, place.selection.org.as_ref()?).ok()
}

fn numbers(place: &NamePlace<'_>, number: fn(&Process) -> Option<String>) -> Vec<(String, String)> {
    let processes = ProcessStore::open(place.paths).all().unwrap_or_default();
    processes.iter().filter_map(|process| Some((number(process)?, process.name.to_string()))).collect()
}

fn port_names(place: &NamePlace<'_>) -> Vec<(String, String)> {
    let entries = ports::read(place.paths).unwrap_or_default();
    entries.into_iter().map(|entry| (entry.name, format!("port {}", entry.port))).collect()
}

fn stacks(place: &NamePlace<'_>) -> Vec<(String, String)> {
    let processes = ProcessStore::open(place.paths).all().unwrap_or_default();
    let stacks = stack::all(place.paths, &std::collections::BTreeMap::new(), &processes).unwrap_or_default();
    stacks.into_iter().map(|stack| (stack.name, stack.services.join(", "))).collect()
}

/// The latest lines of the history, the last one first.
fn history_lines(place: &NamePlace<'_>) -> Vec<(String, String)> {
    let latest = HistoryQuery { limit: MAX_LINES, ..HistoryQuery::default() };
    let entries = HistoryReader::open(&place.paths.history()).and_then(|history| history.entries(&latest));
    let line = |entry: HistoryEntry| (entry.id.to_string(), entry.line.replace('\n', "⏎"));
    entries.unwrap_or_default().into_iter().rev().map(line).collect()
}

/// The versions of the active environment, or of all if none is active; the latest first.
fn versions(place: &NamePlace<'_>) -> Vec<(String, String)> {
    let Some(org) = org(place) else { return Vec::new() };
    let chosen = place.selection.env.as_ref().map(|env| org.resolve_alias(env));
    let mut found: BTreeMap<String, String> = BTreeMap::new();
    for env in chosen.map_or_else(|| org.environments(), |env| vec![env]) {
        for entry in org.record(&env).map(|record| record.entries).unwrap_or_default() {
            let about = format!("{env}: {} by {}", entry.action.word(), entry.by);
            // Environments that were generated together have versions of the same name.
            found.entry(entry.id).and_modify(|all| *all = format!("{all}; {about}")).or_insert(about);
        }
    }
    found.into_iter().rev().take(MAX_VERSIONS).collect()
}

/// The names in the unsealed files of the active environment, or of all if none is active. No value is kept.
fn secrets(place: &NamePlace<'_>) -> Vec<(String, String)> {
    let Some(org) = &place.selection.org else { return Vec::new() };
    let all = place
        .selection
        .env
        .as_ref()
        .map_or_else(|| self::org(place).map(|org| org.environments()).unwrap_or_default(), |env| vec![env.clone()]);
    let of = |env: &EnvName| {
        let names = assigned(&place.paths.secrets(org, env));
        names.into_iter().map(|name| (name, format!("of {env}"))).collect::<Vec<_>>()
    };
    all.iter().flat_map(of).collect()
}

/// The names on the left of `=` in an env file.
fn assigned(file: &Path) -> Vec<String> {
    let text = disk::read_to_string(file).unwrap_or_default();
    let name = |line: &str| {
        let (name, _) = line.trim().trim_start_matches("export ").split_once('=')?;
        let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        is_name.then(|| name.to_owned())
    };
    text.lines().filter_map(name).collect()
}

/// The variables of the env files of the project here, and `all`.
fn variables(place: &NamePlace<'_>) -> Vec<(String, String)> {
    let files = std::fs::read_dir(place.cwd.join("env")).into_iter().flatten().flatten();
    let files = files.map(|it| it.path()).filter(|path| path.extension().is_some_and(|it| it == "env"));
    let mut names: Vec<String> = files.flat_map(|file| assigned(&file)).collect();
    names.order();
    names.dedup();
    let mut found = plain(names);
    found.push(("all".to_owned(), "every one".to_owned()));
    found
}

fn toml_keys(place: &NamePlace<'_>) -> Vec<(String, String)> {
    let Some(Ok(document)) = org(place).map(|org| org.local()) else { return Vec::new() };
    let mut found: Vec<String> = document.leaves.iter().map(|leaf| leaf.path.to_toml()).collect();
    found.dedup();
    plain(found)
}

fn toml_tables(place: &NamePlace<'_>) -> Vec<(String, String)> {
    let file = place.cwd.join(crate::env::project::FILE);
    let Ok(document) = Document::read(&file, crate::env::project::FILE) else { return Vec::new() };
    let keys = |path: &crate::config::path::KeyPath| format!("{} keys", document.values_below(path).count());
    let tables = document.tables.keys().filter(|path| !path.keys().is_empty());
    tables.map(|path| (path.keys().join("."), keys(path))).collect()
}
