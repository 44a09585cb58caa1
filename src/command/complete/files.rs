//! Files and directories as candidates.

use std::path::PathBuf;

use super::name_kind::NameKind;
use super::sources::{CandidateSource, ListedFile};
use super::{RawCandidate, rank};
use crate::tsm::environment;

/// Programs with the typed prefix, then directories that others are in. After a `/` the files of a directory.
pub(super) fn programs(typed: &str, live: &dyn CandidateSource) -> Vec<RawCandidate> {
    if typed.contains('/') || typed.starts_with('~') {
        return files(typed, live);
    }
    let programs = live.names(NameKind::Program).into_iter().filter(|name| name.starts_with(typed));
    let marks: Vec<usize> = (0..typed.chars().count()).collect();
    let mut found: Vec<RawCandidate> =
        programs.map(|value| RawCandidate::new(value, Some("program".to_owned()), marks.clone())).collect();
    found.extend(directories(typed, live).into_iter().filter(|it| it.value.starts_with(typed)));
    found
}

/// Files and directories with the typed prefix.
pub(super) fn files(typed: &str, live: &dyn CandidateSource) -> Vec<RawCandidate> {
    matching(typed, live, |_| true)
}

/// Files, then programs with the typed prefix. No programs without one: there are thousands.
pub(super) fn executables(typed: &str, live: &dyn CandidateSource) -> Vec<RawCandidate> {
    let mut proposals = files(typed, live);
    let mut programs = live.names(NameKind::Program);
    programs.retain(|name| !typed.is_empty() && name.starts_with(typed));
    if !programs.is_empty() {
        // Beside prefix matches, files that match elsewhere are left out.
        proposals.retain(|proposal| proposal.value.starts_with(typed));
    }
    let marks: Vec<usize> = (0..typed.chars().count()).collect();
    let about = || Some("program".to_owned());
    proposals.extend(programs.into_iter().map(|value| RawCandidate::new(value, about(), marks.clone())));
    proposals
}

/// Files with a suffix, and directories.
pub(super) fn with_extension(end: &str, typed: &str, live: &dyn CandidateSource) -> Vec<RawCandidate> {
    matching(typed, live, |listed| listed.is_dir || listed.name.ends_with(end))
}

/// Directories only.
pub(super) fn directories(typed: &str, live: &dyn CandidateSource) -> Vec<RawCandidate> {
    matching(typed, live, |listed| listed.is_dir)
}

/// Environment files: `dev` for `env/dev.env` or `dev.env`, `none`, then every file.
pub(super) fn env_sources(typed: &str, live: &dyn CandidateSource) -> Vec<RawCandidate> {
    let mut names: Vec<(String, String)> = Vec::new();
    for directory in ["env", "."] {
        for listed in live.list_dir(&PathBuf::from(directory)) {
            let stem = listed.name.strip_suffix(".env").filter(|stem| !stem.is_empty());
            if let (Some(stem), false) = (stem, listed.is_dir) {
                let file = if directory == "." { listed.name.clone() } else { format!("{directory}/{}", listed.name) };
                if !names.iter().any(|(name, _)| name == stem) {
                    names.push((stem.to_owned(), file));
                }
            }
        }
    }
    names.push((environment::NONE.to_owned(), "no env file".to_owned()));
    // A candidate without others would be inserted before a letter was typed.
    let is_example = |name: &str| typed.is_empty() && name == environment::NONE;
    let mut proposals: Vec<RawCandidate> = rank::ranked_matches(typed, names, |(name, _)| name)
        .into_iter()
        .map(|((value, file), marks)| RawCandidate {
            is_example: is_example(&value),
            ..RawCandidate::new(value, Some(file), marks)
        })
        .collect();
    proposals.extend(files(typed, live));
    proposals
}

fn matching(typed: &str, live: &dyn CandidateSource, wanted: impl Fn(&ListedFile) -> bool) -> Vec<RawCandidate> {
    if typed == "~" {
        return vec![RawCandidate { continues: true, ..RawCandidate::new("~/".to_owned(), None, vec![0]) }];
    }
    let (directory, leaf) = typed.rfind('/').map_or(("", typed), |at| typed.split_at(at + 1));
    let hidden = leaf.starts_with('.');
    let listed = live
        .list_dir(&PathBuf::from(if directory.is_empty() { "." } else { directory }))
        .into_iter()
        .filter(|listed| (hidden || !listed.name.starts_with('.')) && wanted(listed));
    let width = directory.chars().count();
    rank::ranked_matches(leaf, listed, |listed| &listed.name)
        .into_iter()
        .map(|(listed, marks)| {
            let value = format!("{directory}{}{}", listed.name, if listed.is_dir { "/" } else { "" });
            let marks = marks.into_iter().map(|mark| mark + width).collect();
            RawCandidate { continues: listed.is_dir, ..RawCandidate::new(value, None, marks) }
        })
        .collect()
}
