//! Files and folders as answers.

use std::path::PathBuf;

use super::live::{Kind, Listed, Live};
use super::{Proposal, rank};

/// Files and folders that begin with what was typed.
pub(super) fn files(typed: &str, live: &dyn Live) -> Vec<Proposal> {
    matching(typed, live, |_| true)
}

/// Files, then programs that begin with what was typed. Nothing typed means no program: there are thousands.
pub(super) fn runnable(typed: &str, live: &dyn Live) -> Vec<Proposal> {
    let mut proposals = files(typed, live);
    let mut programs = live.names(Kind::Program);
    programs.retain(|name| !typed.is_empty() && name.starts_with(typed));
    if !programs.is_empty() {
        // Next to what begins so, files that only hold the letters somewhere are noise.
        proposals.retain(|proposal| proposal.value.starts_with(typed));
    }
    let marks: Vec<usize> = (0..typed.chars().count()).collect();
    proposals.extend(programs.into_iter().map(|value| Proposal {
        value,
        about: Some("program".to_owned()),
        marks: marks.clone(),
        open: false,
    }));
    proposals
}

/// Files that end so, and the folders on the way to them.
pub(super) fn ending(end: &str, typed: &str, live: &dyn Live) -> Vec<Proposal> {
    matching(typed, live, |listed| listed.folder || listed.name.ends_with(end))
}

/// Folders only.
pub(super) fn folders(typed: &str, live: &dyn Live) -> Vec<Proposal> {
    matching(typed, live, |listed| listed.folder)
}

/// Files that hold an environment: `dev` for `env/dev.env` or `dev.env`, then every file.
pub(super) fn env_sources(typed: &str, live: &dyn Live) -> Vec<Proposal> {
    let mut names: Vec<(String, String)> = Vec::new();
    for folder in ["env", "."] {
        for listed in live.folder(&PathBuf::from(folder)) {
            let stem = listed.name.strip_suffix(".env").filter(|stem| !stem.is_empty());
            if let (Some(stem), false) = (stem, listed.folder) {
                let file = if folder == "." { listed.name.clone() } else { format!("{folder}/{}", listed.name) };
                if !names.iter().any(|(name, _)| name == stem) {
                    names.push((stem.to_owned(), file));
                }
            }
        }
    }
    let mut proposals: Vec<Proposal> = rank::fitting(typed, names, |(name, _)| name)
        .into_iter()
        .map(|((value, file), marks)| Proposal { value, about: Some(file), marks, open: false })
        .collect();
    proposals.extend(files(typed, live));
    proposals
}

fn matching(typed: &str, live: &dyn Live, wanted: impl Fn(&Listed) -> bool) -> Vec<Proposal> {
    if typed == "~" {
        return vec![Proposal { value: "~/".to_owned(), about: None, marks: vec![0], open: true }];
    }
    let (folder, leaf) = typed.rfind('/').map_or(("", typed), |at| typed.split_at(at + 1));
    let hidden = leaf.starts_with('.');
    let listed = live
        .folder(&PathBuf::from(if folder.is_empty() { "." } else { folder }))
        .into_iter()
        .filter(|listed| (hidden || !listed.name.starts_with('.')) && wanted(listed));
    let width = folder.chars().count();
    rank::fitting(leaf, listed, |listed| &listed.name)
        .into_iter()
        .map(|(listed, marks)| Proposal {
            value: format!("{folder}{}{}", listed.name, if listed.folder { "/" } else { "" }),
            about: None,
            marks: marks.into_iter().map(|mark| mark + width).collect(),
            open: listed.folder,
        })
        .collect()
}
