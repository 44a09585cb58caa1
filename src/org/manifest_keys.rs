//! Keys of `manifest.toml` that mean nothing to tetra.

use std::collections::BTreeSet;

use crate::base::diagnostic::Diagnostic;
use crate::base::suggest::closest_match;
use crate::config::document::{Document, Leaf};

/// A table and its keys.
struct KnownTable {
    name: &'static str,
    /// Below it; `*` is any name.
    keys: &'static [&'static [&'static str]],
    /// What to write.
    help: &'static str,
    /// Other keys may be the operator's own, and only slips are named.
    has_own_keys: bool,
}

/// `[rollout]` is not among them: there an unknown key is an error.
const TABLES: [KnownTable; 7] = [
    KnownTable {
        name: "organization",
        keys: &[&["name"], &["description"]],
        help: "the keys of `[organization]` are name and description",
        has_own_keys: true,
    },
    KnownTable {
        name: "deployment",
        keys: &[&["strategy"], &["prod_requires_approval"], &["history_retention"]],
        help: "the keys of `[deployment]` are strategy, prod_requires_approval and history_retention",
        has_own_keys: false,
    },
    KnownTable {
        name: "profiles",
        keys: &[&["*"]],
        help: "write the name of a profile for each environment: dev = \"user\"",
        has_own_keys: false,
    },
    KnownTable {
        name: "promotion",
        keys: &[&["*", "after"]],
        help: "write prod = { after = \"staging\" }",
        has_own_keys: false,
    },
    KnownTable {
        name: "environments",
        keys: &[&["*", "readonly"]],
        help: "the key of `[environments.NAME]` is readonly",
        has_own_keys: false,
    },
    KnownTable {
        name: "variables",
        keys: &[&["*"]],
        help: "write a string or a number for each name: DOMAIN = \"example.com\"",
        has_own_keys: false,
    },
    KnownTable {
        name: "secrets",
        keys: &[&["recipients", "*"]],
        help: "the keys of `[secrets.recipients]` are names, each with a public key",
        has_own_keys: false,
    },
];

/// A warning for each key that is not known in a table that is, and for each table that looks like a slip of one. Other tables are
/// the operator's own.
pub(super) fn unknown(document: &Document) -> Vec<Diagnostic> {
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for leaf in &document.leaves {
        let keys: Vec<&str> = leaf.path.keys().iter().map(String::as_str).collect();
        let Some((first, below)) = keys.split_first() else { continue };
        match TABLES.iter().find(|table| table.name == *first) {
            Some(table) => found.extend(unknown_key(document, leaf, table, below)),
            None if *first == "rollout" => {}
            None if below.is_empty() => found.extend(outside(document, leaf, first)),
            None => {
                let names = TABLES.iter().map(|table| table.name).chain(["rollout"]);
                let near = closest_match(first, names).filter(|_| seen.insert((*first).to_owned()));
                let Some(near) = near else { continue };
                let header = document.sections[leaf.section].header.clone().unwrap_or(leaf.statement.clone());
                let warning = document.shown().warning(format!("unknown table `{first}`"), header, "");
                found.push(warning.help(format!("did you mean `{near}`?")));
            }
        }
    }
    found
}

fn unknown_key(document: &Document, leaf: &Leaf, table: &KnownTable, below: &[&str]) -> Option<Diagnostic> {
    let fits = |pattern: &[&str], keys: &[&str]| {
        pattern.len() == keys.len() && pattern.iter().zip(keys).all(|(known, key)| *known == "*" || known == key)
    };
    if table.keys.iter().any(|pattern| fits(pattern, below)) {
        return None;
    }
    // Of a key of two words the one that is not as it should be.
    let slips =
        table.keys.iter().filter(|pattern| pattern.len() == below.len()).flat_map(|pattern| pattern.iter().zip(below));
    let mut slips = slips.filter(|(known, key)| **known != "*" && known != key);
    let near = slips.find_map(|(known, key)| closest_match(key, [*known]));
    let help = match near {
        Some(near) => format!("did you mean `{near}`?"),
        None if table.has_own_keys => return None,
        None => table.help.to_owned(),
    };
    Some(document.shown().warning(format!("unknown key `{}`", leaf.path), leaf.key.clone(), "").help(help))
}

/// A key of a table that is written outside of it.
fn outside(document: &Document, leaf: &Leaf, key: &str) -> Option<Diagnostic> {
    let is_of = |table: &&KnownTable| table.keys.iter().any(|pattern| pattern.last() == Some(&key));
    let help = TABLES.iter().find(is_of)?.help;
    Some(document.shown().warning(format!("unknown key `{key}`"), leaf.key.clone(), "").help(help))
}
