//! The first lines of a unit: that it is ours, and the hash of the rest, so that an edit is seen.
//!
//! `Environment=` and `EnvironmentFile=` lines that are not ours do not count: an operator may add some, and they are kept.

use crate::sys::digest;

/// How the first line begins. `setup` knows its own files by these words as well.
const MARK: &str = "# Written by tetra setup and tetra daemon install, sha256 ";

/// Variables that the unit gives itself; a line that sets one of them is no addition.
const OWN_VARIABLES: [&str; 7] = ["TETRA_SRC", "TETRA_DIR", "TETRA_ENV", "TETRA_ORG", "TETRA_PORT", "PATH", "HOME"];

/// What a unit file is to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnitOrigin {
    /// As it was written, apart from added variables.
    Intact,
    /// Written by us, and edited since.
    Edited,
    /// As the documents show it, or by an earlier version: it starts tetra, and has no header.
    Guide,
    /// Something else.
    Foreign,
}

/// What a unit file is to us, by its text.
#[must_use]
pub fn origin(text: &str) -> UnitOrigin {
    match text.lines().next().and_then(|line| line.strip_prefix(MARK)) {
        Some(hash) if hash == hash_of(body(text)) => UnitOrigin::Intact,
        Some(_) => UnitOrigin::Edited,
        None if service_lines(text).any(starts_tetra) => UnitOrigin::Guide,
        None => UnitOrigin::Foreign,
    }
}

/// The lines with variables that an operator added to a unit.
#[must_use]
pub fn kept_environment(text: &str) -> Vec<String> {
    service_lines(text).filter(|line| is_added(line)).map(str::to_owned).collect()
}

/// A text of a unit with its header.
pub(super) fn with_header(name: &str, body: &str) -> String {
    format!(
        "{MARK}{}\n# Changes belong into a drop-in (`systemctl edit {name}`), which stays; so do Environment= lines added here.\n{body}",
        hash_of(body)
    )
}

/// All behind the comments at the beginning.
fn body(text: &str) -> &str {
    let mut rest = text;
    while rest.starts_with('#') {
        rest = rest.split_once('\n').map_or("", |(_, rest)| rest);
    }
    rest
}

fn hash_of(body: &str) -> String {
    let counted: Vec<&str> = body.lines().filter(|line| !is_added(line)).collect();
    digest::sha256(counted.join("\n").trim_end().as_bytes())
}

/// The lines of the `[Service]` section.
fn service_lines(text: &str) -> impl Iterator<Item = &str> {
    let mut is_inside = false;
    text.lines().map(str::trim).filter(move |line| {
        if line.starts_with('[') {
            is_inside = *line == "[Service]";
        }
        is_inside
    })
}

/// True for a line that gives variables of which none is our own.
fn is_added(line: &str) -> bool {
    if line.trim_start().starts_with("EnvironmentFile=") {
        return true;
    }
    let Some(given) = line.trim_start().strip_prefix("Environment=") else { return false };
    let name = given.trim_start_matches(['"', '\'']).split('=').next().unwrap_or_default();
    !OWN_VARIABLES.contains(&name)
}

/// True for a command line that runs us: the guide's `tsm start tetra`, an earlier template.
fn starts_tetra(line: &str) -> bool {
    let command = line.strip_prefix("ExecStart=").unwrap_or_default();
    ["tsm start", "tsm daemon", "tetra daemon run", "tetra.sh"].iter().any(|mark| command.contains(mark))
}
