//! Whether an environment is up to date with local.toml.

use super::diff::diff_with_current;
use super::error::OrgError;
use super::header::GeneratedFileState;
use super::history::VersionAction;
use super::inputs::{PromotionInputs, SharedInputs};
use super::promote::rules_hash;
use super::set_option::{SetOption, parse_set_options};
use super::store::OrgStore;
use super::{header, store};
use crate::base::environment::EnvName;
use crate::base::sort::SortExt;
use crate::config::document::Document;
use crate::config::path::KeyPath;

/// The state of an environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EnvStatus {
    /// It is the source.
    Source,
    /// A promotion would change nothing.
    UpToDate,
    /// A promotion would change so many values.
    Stale(usize),
    /// The generated file was edited.
    HandEdited,
    /// It was rolled back, and local.toml is as it was then.
    RolledBack,
    /// There is not a file yet.
    NotGenerated,
    /// It was generated elsewhere: there is no local.toml here.
    Copied,
    /// The file was not generated.
    NotGeneratedByTetra,
    /// Something about it cannot be read; why.
    Broken(String),
}

impl EnvStatus {
    /// The word for it.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::UpToDate => "up-to-date",
            Self::Stale(_) => "stale",
            Self::HandEdited => "hand-edited",
            Self::RolledBack => "rolled-back",
            Self::NotGenerated => "not-generated",
            Self::Copied => "copied",
            Self::NotGeneratedByTetra => "foreign",
            Self::Broken(_) => "broken",
        }
    }
}

/// An environment with its state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvState {
    /// The environment.
    pub env: EnvName,
    /// Its state.
    pub status: EnvStatus,
    /// What its first lines say, if it was generated.
    pub header: Option<Box<header::Header>>,
}

/// The state of every environment of an organization: those with a file, and the built-in ones.
#[must_use]
pub fn statuses(org: &OrgStore, home: Option<&str>) -> Vec<EnvState> {
    let common = SharedInputs::read(org, home);
    let mut envs = org.environments();
    if common.is_ok() {
        for (name, _) in crate::base::environment::BUILT_IN {
            let env: EnvName = name.parse().expect("it is a name");
            if !envs.contains(&env) {
                envs.push(env);
            }
        }
    }
    envs.order_by_key(|env| (env.tier().is_none(), env.tier(), env.clone()));
    envs.into_iter().map(|env| status_of(org, &env, common.as_ref())).collect()
}

/// The state of one environment.
#[must_use]
pub fn status_of(org: &OrgStore, env: &EnvName, common: Result<&SharedInputs, &OrgError>) -> EnvState {
    let stood = |standing, header| EnvState { env: env.clone(), status: standing, header };
    if *env == store::local_env() {
        return stood(
            if let Err(error) = common { EnvStatus::Broken(error.to_string()) } else { EnvStatus::Source },
            None,
        );
    }
    let current = match org.current(env) {
        Ok(None) => return stood(EnvStatus::NotGenerated, None),
        Ok(Some(current)) => current,
        Err(error) => return stood(EnvStatus::Broken(error.to_string()), None),
    };
    let header = match current.state {
        GeneratedFileState::NotOurs => return stood(EnvStatus::NotGeneratedByTetra, None),
        GeneratedFileState::Edited(header) => return stood(EnvStatus::HandEdited, Some(header)),
        GeneratedFileState::Intact(header) => header,
    };
    let standing = match common {
        Err(OrgError::NoLocal { .. }) => EnvStatus::Copied,
        Err(error) => EnvStatus::Broken(error.to_string()),
        Ok(common) => compare(org, env, &current.text, common, &header)
            .unwrap_or_else(|error| EnvStatus::Broken(error.to_string())),
    };
    stood(standing, Some(header))
}

fn compare(
    org: &OrgStore,
    env: &EnvName,
    text: &str,
    common: &SharedInputs,
    header: &header::Header,
) -> Result<EnvStatus, OrgError> {
    let there = Document::parse(&org.environment_path(env).display().to_string(), text)
        .map_err(|found| OrgError::invalid(&org.environment_path(env), found))?;
    let bench = PromotionInputs::open(org, common, env, &options(&there))?;
    let source = header::hash(common.local.source.text.as_bytes());
    let record = org.record(env)?;
    if let Some(last) = record.entries.last().filter(|last| last.action == VersionAction::Rollback)
        && last.from.as_deref() == Some(source.as_str())
    {
        return Ok(EnvStatus::RolledBack);
    }
    if header.source == source && header.rules == rules_hash(&bench.chain) {
        return Ok(EnvStatus::UpToDate);
    }
    let recipe = bench.promotion();
    let made = recipe.run()?;
    let rows = diff_with_current(&made, &bench.chain, Some(&there));
    let stale = rows.iter().filter(|row| row.is_stale()).count();
    Ok(if stale == 0 { EnvStatus::UpToDate } else { EnvStatus::Stale(stale) })
}

/// The `--set` that an environment was made with.
#[must_use]
pub fn options(there: &Document) -> Vec<SetOption> {
    let leaf = there.leaf(&KeyPath::of(&[super::draft::METADATA, "set"]));
    let texts = leaf.and_then(|leaf| leaf.value.as_array()).into_iter().flatten();
    texts.filter_map(|text| parse_set_options(text.as_str()?).ok()).flatten().collect()
}
