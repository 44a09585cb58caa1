//! The secrets of a process that is to be started: closed if they are open to others, opened if they are only there sealed. If
//! that cannot be, there is no start.

use std::error::Error;
use std::path::{Path, PathBuf};

use crate::base::fault::{Fault, FaultKind, UserFacingError};
use crate::sys::file::{self, FileError};

use super::plan::StartPlan;
use super::progress::Progress;

/// Opens the sealed form of a secrets file; nothing if there is none.
pub type Unsealer<'a> = dyn Fn(&Path) -> Result<Vec<(String, String)>, Fault> + 'a;

/// Why a process cannot have its secrets.
#[derive(Debug, thiserror::Error)]
pub enum SecretsError {
    /// They could not be closed.
    #[error(transparent)]
    File(#[from] FileError),
    /// They are sealed, and cannot be opened.
    #[error("failed to unseal the secrets in `{}`", path.display())]
    Sealed {
        /// Where they would be.
        path: PathBuf,
        /// Why.
        source: Box<dyn Error + Send + Sync>,
        /// What that means.
        kind: FaultKind,
        /// What to do.
        advice: Option<String>,
    },
}

impl UserFacingError for SecretsError {
    fn kind(&self) -> FaultKind {
        match self {
            Self::File(error) => error.kind(),
            Self::Sealed { kind, .. } => *kind,
        }
    }

    fn advice(&self) -> Option<String> {
        let key =
            "set TETRA_AGE_IDENTITY=FILE to the key, or choose another environment with `--env @ENV` before `tsm`";
        match self {
            Self::File(error) => error.advice(),
            Self::Sealed { advice, .. } => {
                Some(advice.iter().map(String::as_str).chain([key]).collect::<Vec<_>>().join("\n"))
            }
        }
    }
}

/// True where the secrets are only there sealed, and can be opened: a supervisor alone does not see that they changed.
#[must_use]
pub fn are_sealed(plan: &StartPlan, unseal: &Unsealer) -> bool {
    let sealed = plan.secrets.as_ref().filter(|path| !path.exists());
    sealed.is_some_and(|path| unseal(path).is_ok_and(|values| !values.is_empty()))
}

/// The plan with its secrets at hand. Once a file is open its sealed form does not count.
///
/// # Errors
///
/// Fails if they cannot be closed, or are sealed and cannot be opened.
pub fn unseal_secrets(
    plan: &StartPlan,
    unseal: &Unsealer,
    on_progress: &mut dyn FnMut(Progress),
) -> Result<StartPlan, SecretsError> {
    let mut plan = plan.clone();
    let Some(path) = plan.secrets.clone() else { return Ok(plan) };
    if plan.secrets_exposed
        && let Some(notice) = file::read_private(&path)?.notice
    {
        on_progress(Progress::SecretsRestricted { notice });
    }
    if path.exists() {
        return Ok(plan);
    }
    plan.unsealed_secrets = unseal(&path).map_err(|fault| {
        let Fault { kind, error, advice, .. } = fault;
        SecretsError::Sealed { path, source: error, kind, advice }
    })?;
    if !plan.unsealed_secrets.is_empty() {
        on_progress(Progress::SecretsUnsealed { environment: plan.environment.clone() });
    }
    Ok(plan)
}
