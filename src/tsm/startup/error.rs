//! Why a service was not started with the others.

use std::path::PathBuf;

use crate::base::fault::{FaultKind, UserFacingError};
use crate::tsm::allocate::AllocationError;
use crate::tsm::create::CreateError;
use crate::tsm::definition::DefinitionError;
use crate::tsm::plan::PlanError;
use crate::tsm::service::ServiceError;
use crate::tsm::start::StartError;

/// Why a service was not started with the others.
#[derive(Debug, thiserror::Error)]
pub enum StartupError {
    /// Its link or its definition cannot be found.
    #[error(transparent)]
    Service(#[from] ServiceError),
    /// The link of an enabled service is dangling.
    #[error("`{}` is a dangling link", link.display())]
    BrokenLink {
        /// The link.
        link: PathBuf,
    },
    /// Its definition cannot be used.
    #[error(transparent)]
    Definition(#[from] DefinitionError),
    /// What it would run cannot be found out.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// It needs itself.
    #[error("circular dependency: {}", circle.join(" → "))]
    Cycle {
        /// From one name on round to the same.
        circle: Vec<String>,
    },
    /// What it needs is not ready.
    #[error("its dependency `{need}` is not ready")]
    DependencyFailed {
        /// What it needs.
        need: String,
    },
    /// Its start failed.
    #[error(transparent)]
    Start(#[from] StartError),
    /// Processes cannot be made at all.
    #[error("failed to create a process: {why}")]
    NotCreated {
        /// Why.
        why: String,
    },
    /// The operator had enough.
    #[error("not started: interrupted")]
    Interrupted,
}

impl StartupError {
    /// True if it is due to be started again by itself, after a crash.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        matches!(self, Self::Start(StartError::Create(CreateError::Allocation(AllocationError::Waiting { .. }))))
    }
}

impl UserFacingError for StartupError {
    fn kind(&self) -> FaultKind {
        match self {
            Self::Interrupted => FaultKind::Interrupted,
            Self::Plan(PlanError::Terms(error)) => error.kind(),
            _ => FaultKind::Failed,
        }
    }

    fn ended_process(&self) -> Option<&str> {
        if let Self::Start(error) = self { error.ended_process() } else { None }
    }

    fn advice(&self) -> Option<String> {
        match self {
            Self::Service(error) => error.advice(),
            Self::BrokenLink { link } => {
                let name = link.file_stem().unwrap_or_default().to_string_lossy();
                Some(format!("run `tsm disable {name}` to remove it"))
            }
            Self::Definition(error) => error.advice(),
            Self::Plan(error) => error.advice(),
            Self::Cycle { .. } => Some("remove one of them from the TSM_DEPS of another".to_owned()),
            Self::Start(error) => error.advice(),
            Self::DependencyFailed { .. } | Self::NotCreated { .. } | Self::Interrupted => None,
        }
    }
}

/// Whether what a service needs is there.
pub(super) enum DependencyState {
    Met,
    Pending,
    Failed(String),
}

/// An error with its causes.
pub(super) fn with_causes(error: &CreateError) -> String {
    let causes = std::iter::successors(std::error::Error::source(error), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
