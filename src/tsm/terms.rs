//! What an environment says about what is started in it: where it is chosen, and for a service that belongs to it.

use std::error::Error;

use crate::base::environment::{EnvRef, env_file_word};
use crate::base::fault::{Fault, FaultKind, Location, UserFacingError};
use crate::sys::paths::Paths;

use super::definition::Definition;
use super::request::{StartContext, StartRequest};
pub use super::request::{Terms, TermsReader};

/// Why a service cannot be started in its environment.
#[derive(Debug, thiserror::Error)]
pub enum TermsError {
    /// Another environment is chosen.
    #[error("`{name}` belongs to {own}, and the chosen environment is {chosen}")]
    Elsewhere {
        /// The service.
        name: String,
        /// Its environment.
        own: EnvRef,
        /// What is chosen.
        chosen: String,
    },
    /// The env file that is asked for is another environment's.
    #[error("`{name}` belongs to {own}, and the env file `{file}` belongs to another environment")]
    OtherFile {
        /// The service.
        name: String,
        /// Its environment.
        own: EnvRef,
        /// The env file.
        file: String,
    },
    /// The terms cannot be read.
    #[error("failed to read the settings of {own} for `{name}`")]
    Unreadable {
        /// The service.
        name: String,
        /// Its environment.
        own: EnvRef,
        /// Why.
        source: Box<dyn Error + Send + Sync>,
        /// What that means.
        kind: FaultKind,
        /// What to do.
        advice: Option<String>,
        /// Where.
        at: Option<Box<Location>>,
    },
}

impl UserFacingError for TermsError {
    fn kind(&self) -> FaultKind {
        match self {
            Self::Elsewhere { .. } | Self::OtherFile { .. } => FaultKind::Refused,
            Self::Unreadable { kind, .. } => *kind,
        }
    }

    fn advice(&self) -> Option<String> {
        match self {
            Self::Elsewhere { own, .. } => {
                let org = own.org.as_ref().map(|org| format!("--org {org} ")).unwrap_or_default();
                Some(format!(
                    "select its environment: `tetra {org}--env {} tsm …`, or `use @{}` at the prompt",
                    own.env, own.env
                ))
            }
            Self::OtherFile { .. } => {
                Some("omit --env: the service has its own; single variables (--env K=V) are allowed".to_owned())
            }
            Self::Unreadable { advice, .. } => advice.clone(),
        }
    }

    fn location(&self) -> Option<Location> {
        match self {
            Self::Unreadable { at, .. } => at.as_deref().cloned(),
            Self::Elsewhere { .. } | Self::OtherFile { .. } => None,
        }
    }
}

impl Definition {
    /// Refuses a start from another environment than the service's own: their variables would be mixed.
    ///
    /// # Errors
    ///
    /// Fails if another environment is chosen, or an env file of another one is asked for.
    pub fn refuse_elsewhere(&self, request: &StartRequest, context: &StartContext) -> Result<(), Box<TermsError>> {
        let Some(own) = self.environment() else { return Ok(()) };
        let other_org = context.org.is_some_and(|org| own.org.as_ref() != Some(org));
        if other_org || context.env.is_some_and(|env| *env != own.env) {
            let org = context.org.map(ToString::to_string);
            let env = context.env.map(ToString::to_string);
            let chosen = org.into_iter().chain(env).collect::<Vec<_>>().join("/");
            return Err(Box::new(TermsError::Elsewhere { name: self.name.clone(), own, chosen }));
        }
        let others = |file: &&str| environment_of(file).is_some_and(|env| is_another(env, &own, context.paths));
        match request.env_files().find(others) {
            Some(file) => Err(Box::new(TermsError::OtherFile { name: self.name.clone(), file: file.to_owned(), own })),
            None => Ok(()),
        }
    }

    /// The terms of the environment that the service belongs to; none if it belongs to none.
    ///
    /// # Errors
    ///
    /// Fails if they cannot be read.
    pub fn terms(&self, context: &StartContext) -> Result<Option<(EnvRef, Terms)>, Box<TermsError>> {
        let Some(own) = self.environment() else { return Ok(None) };
        match (context.terms)(context.paths, &own) {
            Ok(terms) => Ok(Some((own, terms))),
            Err(Fault { kind, error, advice, at, .. }) => {
                let name = self.name.clone();
                Err(Box::new(TermsError::Unreadable { name, own, source: error, kind, advice, at }))
            }
        }
    }
}

/// The word that an env file is called by: `dev` of `env/dev.env`.
fn environment_of(file: &str) -> Option<&str> {
    Some(env_file_word(file.rsplit('/').next()?))
}

/// True for the name of an environment that is not `own`.
fn is_another(word: &str, own: &EnvRef, paths: &Paths) -> bool {
    let Ok(env) = word.parse::<crate::base::environment::EnvName>() else { return false };
    let known = env.tier().is_some() || own.org.as_ref().is_some_and(|org| paths.environment(org, &env).is_file());
    env != own.env && known
}
