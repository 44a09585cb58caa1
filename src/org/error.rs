//! Why something about an organization could not be done.

use std::path::{Path, PathBuf};

use super::path::KeyPath;
use crate::base::diagnostic::Diagnostic;
use crate::base::environment::EnvName;
use crate::base::fault::{Advise, Kind};
use crate::base::name::OrgName;
use crate::sys::file::FileError;

/// What went wrong with an organization, its files or its history.
#[derive(Debug, thiserror::Error)]
pub enum OrgError {
    /// There is no such organization.
    #[error("there is no organization `{org}`")]
    NoOrg {
        /// Its name.
        org: OrgName,
        /// One that may have been meant.
        near: Option<String>,
    },
    /// There is no local.toml.
    #[error("there is no `{}` to promote from", path.display())]
    NoLocal {
        /// Where it should be.
        path: PathBuf,
    },
    /// An environment was not generated yet, and has no file.
    #[error("there is no environment `@{env}` in `{org}` yet")]
    NoEnvironment {
        /// The organization.
        org: OrgName,
        /// The environment.
        env: EnvName,
    },
    /// There is no such profile.
    #[error("no profile is called `{name}`")]
    NoProfile {
        /// Its name.
        name: String,
        /// One that may have been meant.
        near: Option<String>,
    },
    /// local.toml is what everything is made from.
    #[error("`local` is the source and cannot be promoted to")]
    PromotedLocal,
    /// A text says what it should not.
    #[error("{what}")]
    Wrong {
        /// Of what, and how much of it.
        what: String,
        /// Each mistake with its place.
        found: Vec<Diagnostic>,
        /// What it means for the exit code.
        kind: Kind,
    },
    /// Profiles that extend each other, or too many.
    #[error("the profile `{}` cannot be used: it extends {}", chain.first().map_or("", String::as_str), chain[1..].join(", which extends "))]
    Circle {
        /// From the first to the one that is too much.
        chain: Vec<String>,
    },
    /// A profile that others extend, and nothing else.
    #[error("the profile `{name}` is only there to be extended")]
    Abstract {
        /// Its name.
        name: String,
    },
    /// A file is larger than anything that is written by hand.
    #[error("`{}` is too large: {} MiB, and {} MiB is the most", path.display(), size >> 20, super::read::LARGEST >> 20)]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size in bytes.
        size: u64,
    },
    /// A file is no text.
    #[error("`{}` is no UTF-8 text: byte {at} makes no sense", path.display())]
    NoText {
        /// The file.
        path: PathBuf,
        /// How many bytes are before the first that is wrong.
        at: usize,
        /// Its line, counted from 1.
        line: usize,
    },
    /// A link leads out of the folder of the organization, or a file is none.
    #[error("`{}` {why}", path.display())]
    Outside {
        /// The link.
        path: PathBuf,
        /// What it does.
        why: String,
    },
    /// A generated file is not as it was generated.
    #[error("`{}` was edited by hand after it was generated:\n{}", path.display(), changes.join("\n"))]
    HandEdited {
        /// The file.
        path: PathBuf,
        /// Its environment.
        env: EnvName,
        /// What differs, one line each.
        changes: Vec<String>,
    },
    /// This source was rolled back from before.
    #[error("`@{env}` was rolled back from this very local.toml on {when} by {by}")]
    RolledBack {
        /// The environment.
        env: EnvName,
        /// When.
        when: String,
        /// By whom.
        by: String,
    },
    /// The manifest wants another environment first.
    #[error("`@{env}` wants this local.toml in `@{after}` first, as the manifest says")]
    Gate {
        /// The environment.
        env: EnvName,
        /// The one before.
        after: EnvName,
    },
    /// There is no such version, or none before.
    #[error("{what}")]
    NoVersion {
        /// What was looked for.
        what: String,
        /// The environment.
        env: EnvName,
    },
    /// There is no such key.
    #[error("`@{env}` has no key `{key}`")]
    NoKey {
        /// The environment.
        env: EnvName,
        /// The key.
        key: KeyPath,
        /// One that may have been meant.
        near: Option<String>,
    },
    /// The record of versions was changed by somebody.
    #[error("the history `{}` is broken at line {line}: {why}", path.display())]
    Chain {
        /// The record.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// Why.
        why: &'static str,
    },
    /// Something is there already.
    #[error("`{}` is there already", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// A file could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
}

impl OrgError {
    /// Everything that is wrong in one text.
    #[must_use]
    pub fn wrong(path: &Path, found: Vec<Diagnostic>) -> Self {
        let count = if found.len() == 1 { "a mistake".to_owned() } else { format!("{} mistakes", found.len()) };
        Self::Wrong { what: format!("`{}` has {count}", path.display()), found, kind: Kind::Failed }
    }
}

impl Advise for OrgError {
    fn kind(&self) -> Kind {
        match self {
            Self::File(error) => error.kind(),
            Self::Wrong { kind, .. } => *kind,
            Self::NoOrg { .. }
            | Self::NoEnvironment { .. }
            | Self::NoProfile { .. }
            | Self::NoVersion { .. }
            | Self::NoKey { .. } => Kind::NotFound,
            Self::NoLocal { .. } => Kind::No,
            Self::PromotedLocal | Self::Abstract { .. } => Kind::Usage,
            Self::HandEdited { .. } => Kind::HandEdited,
            Self::RolledBack { .. } | Self::Gate { .. } => Kind::Review,
            Self::Circle { .. }
            | Self::TooLarge { .. }
            | Self::NoText { .. }
            | Self::Outside { .. }
            | Self::Chain { .. }
            | Self::Exists { .. } => Kind::Failed,
        }
    }

    fn advice(&self) -> Option<String> {
        let meant = |near: &Option<String>, or: String| {
            Some(near.as_ref().map_or(or, |near| format!("did you mean `{near}`?")))
        };
        match self {
            Self::File(error) => error.advice(),
            Self::NoOrg { org, near } => meant(near, format!("`tsm org init {org}` makes it")),
            Self::NoLocal { .. } => {
                Some("`tsm org init` writes one; on a server there is none, and nothing to promote".to_owned())
            }
            Self::NoEnvironment { env, .. } => Some(format!("`tsm org promote @{env}` generates it from local.toml")),
            Self::NoProfile { name, near } => meant(near, format!("`tsm org profile new {name}` writes one")),
            Self::PromotedLocal => Some("`tsm org promote @dev` makes dev.toml from it".to_owned()),
            Self::Abstract { name } => Some(format!("write a profile with `extends = \"{name}\"`")),
            Self::Circle { .. } => {
                Some("`extends = \"builtin:NAME\"` means the built-in one, whatever else has its name".to_owned())
            }
            Self::TooLarge { .. } => Some("is it the right file?".to_owned()),
            Self::NoText { line, .. } => Some(format!("look at line {line}; `iconv -f latin1 -t utf8` may help")),
            Self::Outside { .. } => Some("put the file itself there".to_owned()),
            Self::HandEdited { env, .. } => Some(format!(
                "`tsm org promote @{env} --keep-as-override` writes these into local.toml, below [overrides.{env}]\n\
                 `tsm org promote @{env} --discard-edits` keeps a copy in the history and generates anew"
            )),
            Self::RolledBack { env, .. } => {
                Some(format!("change local.toml, or `tsm org promote @{env} --force` if it is meant"))
            }
            Self::Gate { after, .. } => Some(format!("`tsm org promote @{after}`, look at it, then again")),
            Self::NoVersion { env, .. } => Some(format!("`tsm org history @{env}` shows what there is")),
            Self::NoKey { env, near, .. } => meant(near, format!("`tsm org env show {env}` shows all keys")),
            Self::Chain { .. } => Some("somebody changed it; the versions beside it can still be read".to_owned()),
            Self::Exists { .. } => Some("edit it, or take another name".to_owned()),
            Self::Wrong { .. } => None,
        }
    }

    fn diagnostics(&self) -> Vec<Diagnostic> {
        match self {
            Self::Wrong { found, .. } => found.clone(),
            _ => Vec::new(),
        }
    }
}
