//! Everything that an environment is made of, read once.

use std::rc::Rc;

use super::draft::ProfileChain;
use super::error::OrgError;
use super::manifest::Manifest;
use super::promote::EnvPromotion;
use super::set_option::SetOption;
use super::store::OrgStore;
use super::variables::Names;
use crate::base::environment::{EnvName, Tier};
use crate::base::name::OrgName;
use crate::config::document::Document;
use crate::config::path::KeyPath;

/// The ingredients of one environment.
#[derive(Debug)]
pub struct PromotionInputs {
    /// The organization.
    pub org: OrgName,
    /// The environment.
    pub env: EnvName,
    /// local.toml.
    pub local: Rc<Document>,
    /// The profile with those that it extends.
    pub chain: ProfileChain,
    /// `--set`
    pub options: Vec<SetOption>,
    names: Names,
    home: Option<String>,
}

/// What holds for every environment that is made in one go.
#[derive(Debug, Clone)]
pub struct SharedInputs {
    /// local.toml.
    pub local: Rc<Document>,
    /// The manifest.
    pub manifest: Manifest,
    /// The operator's home directory.
    pub home: Option<String>,
}

impl SharedInputs {
    /// Reads local.toml and the manifest.
    ///
    /// # Errors
    ///
    /// Fails if one of them is missing or wrong.
    pub fn read(store: &OrgStore, home: Option<&str>) -> Result<Self, OrgError> {
        let manifest = store.manifest()?;
        Ok(Self { local: Rc::new(store.local()?), manifest, home: home.map(str::to_owned) })
    }
}

impl PromotionInputs {
    /// Reads the profiles of an environment.
    ///
    /// # Errors
    ///
    /// Fails if there is none or it is invalid.
    pub fn open(
        store: &OrgStore,
        common: &SharedInputs,
        env: &EnvName,
        options: &[SetOption],
    ) -> Result<Self, OrgError> {
        if env.as_str() == "local" {
            return Err(OrgError::PromotedLocal);
        }
        let mut names = common.manifest.variables.clone();
        names.insert("TETRA_ORG".to_owned(), store.org().to_string());
        names.insert("TETRA_ENV".to_owned(), env.to_string());
        Ok(Self {
            org: store.org().clone(),
            env: env.clone(),
            local: Rc::clone(&common.local),
            chain: store.chain(env)?,
            options: options.to_vec(),
            names,
            home: common.home.clone(),
        })
    }

    /// What the environment is made of.
    #[must_use]
    pub fn promotion(&self) -> EnvPromotion<'_> {
        EnvPromotion {
            org: &self.org,
            env: &self.env,
            local: &self.local,
            chain: &self.chain,
            options: &self.options,
            names: &self.names,
            home: self.home.as_deref(),
        }
    }
}

/// How careful to be in an environment that has no file yet, as its profile says; none if it says nothing.
#[must_use]
pub fn tier(chain: &ProfileChain) -> Option<Tier> {
    let wanted = KeyPath::of(&["environment", "type"]);
    let rules = chain.profiles.iter().rev().flat_map(|profile| &profile.rules);
    rules.filter(|rule| rule.path == wanted).find_map(|rule| Tier::of(rule.value.as_str()?))
}
