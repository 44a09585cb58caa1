//! Why a process does not run after a restart.

use crate::base::fault::{FaultKind, UserFacingError};
use crate::base::name::ProcessName;
use crate::supervise::meta::ExitStatus;
use crate::tsm::control::ControlError;
use crate::tsm::exit_text;
use crate::tsm::plan::PlanError;
use crate::tsm::start::{AfterDeath, StartError, tail_text};
use crate::tsm::startup::StartupError;

/// Why a process does not run.
#[derive(Debug, thiserror::Error)]
pub enum RestartError {
    /// The order had no success.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// What it was started with is gone.
    #[error("failed to restart `{name}`")]
    Plan {
        /// The process.
        name: ProcessName,
        /// Why.
        source: Box<PlanError>,
    },
    /// It did not run, and could not be started.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The program could not be run.
    #[error("failed to restart `{name}`: {why}")]
    NotRun {
        /// The process.
        name: ProcessName,
        /// The supervisor's words.
        why: String,
        /// What happens to it now.
        next: AfterDeath,
    },
    /// It was stopped, and could not be started as it is defined now.
    #[error("failed to restart `{name}`")]
    Startup {
        /// The process.
        name: ProcessName,
        /// Why.
        source: Box<StartupError>,
    },
    /// One before it is not ready.
    #[error("`{name}` was not restarted: `{before}` did not become ready")]
    Skipped {
        /// The process.
        name: ProcessName,
        /// The one before it.
        before: ProcessName,
    },
    /// Another order won over ours.
    #[error("`{name}` was stopped by another command")]
    Stopped {
        /// The process.
        name: ProcessName,
    },
    /// It came up and ended before it had settled.
    #[error("failed to restart `{name}`: process died immediately ({}){}", exit_text::describe(*how), tail_text(tail))]
    Died {
        /// The process.
        name: ProcessName,
        /// How it ended.
        how: ExitStatus,
        /// Its last lines on stderr.
        tail: Vec<String>,
        /// What happens to it now.
        next: AfterDeath,
    },
}

impl UserFacingError for RestartError {
    fn kind(&self) -> FaultKind {
        match self {
            Self::Control(error) => error.kind(),
            Self::Plan { source, .. } => source.kind(),
            Self::Start(error) => error.kind(),
            Self::Startup { source, .. } => source.kind(),
            Self::NotRun { .. } | Self::Skipped { .. } | Self::Stopped { .. } | Self::Died { .. } => FaultKind::Failed,
        }
    }

    fn ended_process(&self) -> Option<&str> {
        match self {
            Self::Start(error) => error.ended_process(),
            Self::Startup { source, .. } => source.ended_process(),
            Self::NotRun { name, .. } | Self::Died { name, .. } => Some(name.as_str()),
            Self::Control(_) | Self::Plan { .. } | Self::Skipped { .. } | Self::Stopped { .. } => None,
        }
    }

    fn advice(&self) -> Option<String> {
        match self {
            Self::Control(error) => error.advice(),
            Self::Plan { source, .. } => source.advice(),
            Self::Start(error) => error.advice(),
            Self::Startup { source, .. } => source.advice(),
            Self::Skipped { before, .. } => {
                Some(format!("it keeps running unchanged; run `tsm logs {before}` to see what is wrong"))
            }
            Self::Stopped { name } => Some(format!("run `tsm start {name}` to start it again")),
            Self::NotRun { name, next, .. } | Self::Died { name, next, .. } if next.goes_on() => next.advice(name),
            Self::NotRun { name, .. } | Self::Died { name, .. } => {
                Some(format!("run `tsm logs {name}` to see its output, `tsm start {name}` to try again"))
            }
        }
    }
}
