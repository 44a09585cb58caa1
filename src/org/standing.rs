//! How an environment stands to local.toml.

use super::difference::against;
use super::document::Document;
use super::error::OrgError;
use super::header::State;
use super::history::Action;
use super::path::KeyPath;
use super::promote::rules_hash;
use super::setting::{Setting, settings};
use super::store::Store;
use super::workbench::{Common, Workbench};
use super::{header, store};
use crate::base::environment::EnvName;

/// How an environment stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It is the source.
    Source,
    /// A promotion would change nothing.
    UpToDate,
    /// A promotion would change so many values.
    Stale(usize),
    /// Somebody edited the generated file.
    HandEdited,
    /// It was rolled back, and local.toml is as it was then.
    RolledBack,
    /// There is no file yet.
    NotGenerated,
    /// It was generated elsewhere: there is no local.toml here.
    Copied,
    /// The file was not generated.
    Foreign,
    /// Something about it cannot be read; why.
    Broken(String),
}

impl Standing {
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
            Self::Foreign => "foreign",
            Self::Broken(_) => "broken",
        }
    }
}

/// An environment with how it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stood {
    /// The environment.
    pub env: EnvName,
    /// How it stands.
    pub standing: Standing,
    /// What its first lines say, if it was generated.
    pub header: Option<Box<header::Header>>,
}

/// How every environment of an organization stands: those with a file, and the built-in ones.
#[must_use]
pub fn all(org: &Store, home: Option<&str>) -> Vec<Stood> {
    let common = Common::read(org, home);
    let mut envs = org.environments();
    if common.is_ok() {
        for (name, _) in crate::base::environment::BUILT_IN {
            let env: EnvName = name.parse().expect("it is a name");
            if !envs.contains(&env) {
                envs.push(env);
            }
        }
    }
    envs.sort_by_key(|env| (env.rung().is_none(), env.rung(), env.clone()));
    envs.into_iter().map(|env| of(org, &env, common.as_ref())).collect()
}

/// How one environment stands.
#[must_use]
pub fn of(org: &Store, env: &EnvName, common: Result<&Common, &OrgError>) -> Stood {
    let stood = |standing, header| Stood { env: env.clone(), standing, header };
    if *env == store::local() {
        return stood(
            if let Err(error) = common { Standing::Broken(error.to_string()) } else { Standing::Source },
            None,
        );
    }
    let current = match org.current(env) {
        Ok(None) => return stood(Standing::NotGenerated, None),
        Ok(Some(current)) => current,
        Err(error) => return stood(Standing::Broken(error.to_string()), None),
    };
    let header = match current.state {
        State::Foreign => return stood(Standing::Foreign, None),
        State::Edited(header) => return stood(Standing::HandEdited, Some(header)),
        State::Intact(header) => header,
    };
    let standing = match common {
        Err(OrgError::NoLocal { .. }) => Standing::Copied,
        Err(error) => Standing::Broken(error.to_string()),
        Ok(common) => compared(org, (env, &current.text), (common, &header))
            .unwrap_or_else(|error| Standing::Broken(error.to_string())),
    };
    stood(standing, Some(header))
}

fn compared(
    org: &Store,
    (env, text): (&EnvName, &str),
    (common, header): (&Common, &header::Header),
) -> Result<Standing, OrgError> {
    let there = Document::parse(&org.environment(env).display().to_string(), text)
        .map_err(|found| OrgError::wrong(&org.environment(env), found))?;
    let bench = Workbench::open(org, common, (env, &options(&there)))?;
    let source = header::hash(common.local.source.text.as_bytes());
    let record = org.record(env)?;
    if let Some(last) = record.entries.last().filter(|last| last.action == Action::Rollback)
        && last.from.as_deref() == Some(source.as_str())
    {
        return Ok(Standing::RolledBack);
    }
    if header.source == source && header.rules == rules_hash(&bench.chain) {
        return Ok(Standing::UpToDate);
    }
    let recipe = bench.recipe();
    let made = recipe.make()?;
    let rows = against(&made, &bench.chain, Some(&there));
    let stale = rows.iter().filter(|row| row.is_stale()).count();
    Ok(if stale == 0 { Standing::UpToDate } else { Standing::Stale(stale) })
}

/// The `--set` that an environment was made with.
#[must_use]
pub fn options(there: &Document) -> Vec<Setting> {
    let leaf = there.leaf(&KeyPath::of(&[super::draft::METADATA, "set"]));
    let texts = leaf.and_then(|leaf| leaf.value.as_array()).into_iter().flatten();
    texts.filter_map(|text| settings(text.as_str()?).ok()).flatten().collect()
}
