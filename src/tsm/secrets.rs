//! The secrets of a process that is to be started: closed if they are open to others, opened if they are only there sealed. If
//! that cannot be, there is no start.

use std::error::Error;
use std::path::{Path, PathBuf};

use crate::base::fault::{Advise, Fault, Kind};
use crate::sys::file::{self, FileError};

use super::plan::StartPlan;
use super::start::Starter;

/// Opens the sealed form of a secrets file; nothing if there is none.
pub type Opener<'a> = dyn Fn(&Path) -> Result<Vec<(String, String)>, Fault> + 'a;

/// Why a process cannot have its secrets.
#[derive(Debug, thiserror::Error)]
pub enum SecretsError {
    /// They could not be closed.
    #[error(transparent)]
    File(#[from] FileError),
    /// They are sealed, and cannot be opened.
    #[error("the secrets in `{}` are sealed and cannot be opened", path.display())]
    Sealed {
        /// Where they would be.
        path: PathBuf,
        /// Why.
        source: Box<dyn Error + Send + Sync>,
        /// What that means.
        kind: Kind,
        /// What to do.
        advice: Option<String>,
    },
}

impl Advise for SecretsError {
    fn kind(&self) -> Kind {
        match self {
            Self::File(error) => error.kind(),
            Self::Sealed { kind, .. } => *kind,
        }
    }

    fn advice(&self) -> Option<String> {
        let key = "TETRA_AGE_IDENTITY=FILE names a key; `--env @ENV` before `tsm` chooses another environment";
        match self {
            Self::File(error) => error.advice(),
            Self::Sealed { advice, .. } => {
                Some(advice.iter().map(String::as_str).chain([key]).collect::<Vec<_>>().join("\n"))
            }
        }
    }
}

/// The plan with its secrets at hand. Once a file is open its sealed form does not count.
///
/// # Errors
///
/// Fails if they cannot be closed, or are sealed and cannot be opened.
pub fn at_hand(plan: &StartPlan, starter: &mut Starter) -> Result<StartPlan, SecretsError> {
    let mut plan = plan.clone();
    let Some(path) = plan.secrets.clone() else { return Ok(plan) };
    if plan.secrets_open
        && let Some(notice) = file::read_private(&path)?.notice
    {
        (starter.say)(&notice);
    }
    if path.exists() {
        return Ok(plan);
    }
    plan.opened = (starter.open)(&path).map_err(|fault| {
        let Fault { kind, error, advice, .. } = fault;
        SecretsError::Sealed { path, source: error, kind, advice }
    })?;
    if !plan.opened.is_empty() {
        (starter.say)(&format!("opened the sealed secrets of {}", plan.environment));
    }
    Ok(plan)
}
