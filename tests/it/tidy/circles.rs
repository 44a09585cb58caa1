//! No file imports one that imports it again, also not through others.

use std::collections::{BTreeMap, BTreeSet};

use super::{Source, sources};

/// Circles that are still to be cut: each is called by its first file.
const NOT_YET: &[&str] =
    &["base::diagnostic", "env::seal::age", "org::error", "supervise::client", "supervise::meta", "sys::net"];

/// For each module those that it imports.
type Graph = BTreeMap<String, BTreeSet<String>>;

#[test]
fn no_import_leads_back() {
    let sources = sources();
    let names: BTreeSet<String> = sources.iter().map(module).collect();
    let graph: Graph = sources.iter().map(|file| (module(file), imports(file, &names))).collect();
    let found = circles(&graph);
    let new: Vec<_> = found.iter().filter(|circle| !NOT_YET.contains(&circle[0].as_str())).collect();
    assert!(new.is_empty(), "these files import each other; move what they share into one below both: {new:#?}");
}

/// `shell::monitor::draw` for `src/shell/monitor/draw.rs`.
fn module(file: &Source) -> String {
    let path = file.below_src().with_extension("").display().to_string().replace('/', "::");
    path.strip_suffix("::mod").map(str::to_owned).unwrap_or(path)
}

fn imports(file: &Source, names: &BTreeSet<String>) -> BTreeSet<String> {
    let own = module(file);
    let here: Vec<&str> = own.split("::").collect();
    let target = |path: &Vec<String>| {
        let climbs = path.iter().take_while(|part| *part == "super").count();
        let mut full: Vec<&str> = match path[0].as_str() {
            "crate" => Vec::new(),
            "super" => here[..here.len().checked_sub(climbs)?].to_vec(),
            "self" => here.clone(),
            _ => return None,
        };
        full.extend(path[climbs.max(1)..].iter().map(String::as_str));
        (1..=full.len()).rev().map(|length| full[..length].join("::")).find(|name| names.contains(name))
    };
    paths(&file.code).iter().filter_map(target).filter(|name| *name != own).collect()
}

/// Every path that begins at the crate or at a module around, from `use` trees and from expressions.
fn paths(code: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for start in ["crate::", "super::", "self::"] {
        for (at, _) in code.match_indices(start) {
            let before = code[..at].chars().next_back();
            if !before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') {
                let tree = &code[at..];
                expand(&[], &tree[..end_of(tree)], &mut found);
            }
        }
    }
    found
}

/// The length of a path with its braces.
fn end_of(tree: &str) -> usize {
    let mut open = 0_usize;
    for (at, c) in tree.char_indices() {
        match c {
            '{' if at == 0 || open > 0 || tree[..at].ends_with("::") => open += 1,
            '}' if open > 1 => open -= 1,
            '}' if open == 1 => return at + 1,
            _ if open > 0 || c.is_alphanumeric() || c == '_' || c == ':' => {}
            _ => return at,
        }
    }
    tree.len()
}

/// The paths of a tree: `a::{b, c::{d}}` has `a::b` and `a::c::d`.
fn expand(prefix: &[String], tree: &str, found: &mut Vec<Vec<String>>) {
    let (path, inner) = match tree.split_once('{') {
        Some((path, inner)) => (path, inner.strip_suffix('}')),
        None => (tree, None),
    };
    let words = path.split("::").map(|word| word.split_whitespace().next().unwrap_or_default().to_owned());
    let path: Vec<String> = prefix.iter().cloned().chain(words.filter(|word| !word.is_empty())).collect();
    let Some(inner) = inner else {
        found.push(path);
        return;
    };
    let (mut open, mut from) = (0, 0);
    for (at, c) in inner.char_indices() {
        match c {
            '{' => open += 1,
            '}' => open -= 1,
            ',' if open == 0 => {
                expand(&path, inner[from..at].trim(), found);
                from = at + 1;
            }
            _ => {}
        }
    }
    if !inner[from..].trim().is_empty() {
        expand(&path, inner[from..].trim(), found);
    }
}

/// The groups of modules each of which is reached from each other one.
fn circles(graph: &Graph) -> Vec<Vec<String>> {
    let reached: BTreeMap<&String, BTreeSet<&String>> =
        graph.keys().map(|name| (name, reached_from(graph, name))).collect();
    let mut found: Vec<Vec<String>> = Vec::new();
    for name in graph.keys().filter(|name| reached[*name].contains(name)) {
        let circle: Vec<String> =
            reached[name].iter().filter(|it| reached[**it].contains(name)).map(|it| (*it).clone()).collect();
        if !found.contains(&circle) {
            found.push(circle);
        }
    }
    found
}

fn reached_from<'a>(graph: &'a Graph, name: &str) -> BTreeSet<&'a String> {
    let mut reached = BTreeSet::new();
    let mut open: Vec<&String> = graph[name].iter().collect();
    while let Some(next) = open.pop() {
        if reached.insert(next) {
            open.extend(graph[next].iter());
        }
    }
    reached
}

#[test]
fn circles_are_found_through_others() {
    let graph = |edges: &[(&str, &[&str])]| -> Graph {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        edges.iter().map(|(name, others)| ((*name).to_owned(), names(others))).collect()
    };
    let found = circles(&graph(&[("a", &["b"]), ("b", &["c"]), ("c", &["b", "d"]), ("d", &[])]));
    assert_eq!(found, [["b", "c"]]);
    let code = "use crate::{ui::a, base::{b, c as d}};\nuse super::x::{self, Y};\nlet z = crate::sys::f(1);";
    let found: Vec<String> = paths(code).iter().map(|path| path.join("::")).collect();
    let wanted = ["crate::ui::a", "crate::base::b", "crate::base::c", "crate::sys::f", "super::x::self", "super::x::Y"];
    assert_eq!(found, wanted);
}
