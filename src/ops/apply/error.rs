//! Why an environment cannot be applied.

use std::path::PathBuf;

use crate::base::environment::{EnvName, EnvRef, Tier};
use crate::base::fault::{FaultKind, UserFacingError};
use crate::base::name::{OrgName, ServiceName};

/// Why an environment cannot be applied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApplyError {
    /// It runs as another user; root may apply all.
    #[error("`{env}` runs as `{user}` and you are `{caller}`; nothing was changed")]
    OtherUser {
        /// The environment.
        env: EnvName,
        /// Its user.
        user: String,
        /// Who asks.
        caller: String,
    },
    /// Services belong to another environment.
    #[error("services already applied from {env}: {names}; a service belongs to one environment")]
    OtherEnvironment {
        /// The other environment.
        env: EnvRef,
        /// The services.
        names: String,
    },
    /// Services were saved by hand.
    #[error("services of the same name were saved by hand: {names}")]
    SavedByHand {
        /// The services.
        names: String,
    },
    /// What runs could not be started again.
    #[error("`{service}` cannot be restarted as it is defined now: {why}; nothing was changed")]
    CannotRestart {
        /// The service.
        service: ServiceName,
        /// Why.
        why: String,
    },
    /// It is the source of the others.
    #[error("`local` cannot be applied: it is the source of the other environments")]
    Local,
    /// Its generated file does not exist here.
    #[error("environment `@{env}` does not exist in `{org}`")]
    NotGenerated {
        /// The environment.
        env: EnvName,
        /// Its organization.
        org: OrgName,
        /// Where its file should be.
        path: PathBuf,
    },
    /// The generated file was edited.
    #[error("`{}` was edited after it was generated", path.display())]
    Edited {
        /// The file.
        path: PathBuf,
    },
}

impl UserFacingError for ApplyError {
    fn kind(&self) -> FaultKind {
        match self {
            Self::OtherUser { .. } | Self::OtherEnvironment { .. } | Self::SavedByHand { .. } => FaultKind::Refused,
            Self::CannotRestart { .. } => FaultKind::Preflight,
            Self::Local => FaultKind::Usage,
            Self::NotGenerated { .. } => FaultKind::NotFound,
            Self::Edited { .. } => FaultKind::HandEdited,
        }
    }

    fn advice(&self) -> Option<String> {
        Some(match self {
            Self::OtherUser { env, user, caller } => {
                let line = match env.tier() {
                    Some(Tier::Dev) => format!("{env} = \"user\" below [profiles] in manifest.toml"),
                    _ => format!("deployment.user = \"{caller}\" below [overrides.{env}] in local.toml"),
                };
                format!("apply it as root or as `{user}`; to run `{env}` as you, write {line} and promote it again")
            }
            Self::OtherEnvironment { .. } => "nothing was changed; `org apply --force` moves them here. For two environments on one machine, \
                give each a directory of its own (`tetra --dir DIR` or TETRA_DIR; `org init ORG --server` in it, and copy the \
                environment there), with ports of its own"
                .to_owned(),
            Self::SavedByHand { .. } => "`org apply --force` replaces them; nothing was changed".to_owned(),
            Self::CannotRestart { service, .. } => {
                format!("correct it in local.toml and promote it again, or apply it while `{service}` does not run")
            }
            Self::Local => "`tsm org promote @dev`, then `tsm org apply @dev`".to_owned(),
            Self::NotGenerated { env, path, .. } => format!(
                "copy {env}.toml here, to {}; or `tsm org promote @{env}` where its local.toml is",
                path.display()
            ),
            Self::Edited { .. } => {
                "generate and copy it again; set differences below [overrides] in local.toml".to_owned()
            }
        })
    }
}
