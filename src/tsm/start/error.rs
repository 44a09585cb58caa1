//! Why a process does not run.

use crate::base::fault::{FaultKind, UserFacingError};
use crate::base::name::ProcessName;
use crate::supervise::client::{LaunchError, SpawnStep};
use crate::supervise::meta::ExitStatus;
use crate::tsm::allocate::AllocationError;
use crate::tsm::conflict::Conflict;
use crate::tsm::create::CreateError;
use crate::tsm::exit_text;
use crate::tsm::limits;
use crate::tsm::secrets::SecretsError;

/// Why a process does not run.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// It could not be made.
    #[error(transparent)]
    Create(#[from] CreateError),
    /// The secrets of the environment cannot be had.
    #[error(transparent)]
    Secrets(#[from] SecretsError),
    /// The supervisor could not be started.
    #[error("failed to start `{name}`")]
    Launch {
        /// The process.
        name: ProcessName,
        /// Why.
        source: LaunchError,
    },
    /// The program never ran.
    #[error("failed to start `{name}`: {}", reason(*step, *errno, why))]
    NotRun {
        /// The process.
        name: ProcessName,
        /// What could not be done.
        step: SpawnStep,
        /// The error number.
        errno: i32,
        /// The supervisor's own words.
        why: String,
    },
    /// The pre-start command failed, so the program was not run.
    #[error("failed to start `{name}`: its pre-start command failed with exit code {code}{}", tail_text(tail))]
    Hook {
        /// The process.
        name: ProcessName,
        /// The exit code.
        code: u8,
        /// The last lines that it wrote.
        tail: Vec<String>,
    },
    /// The operator ended the pre-start command.
    #[error("`{name}` was not started: its pre-start command was interrupted")]
    Interrupted {
        /// The process.
        name: ProcessName,
    },
    /// It ran and ended before it had settled.
    #[error("{}{}{}", next.message(name, *how), in_use(conflict), tail_text(tail))]
    Died {
        /// The process.
        name: ProcessName,
        /// How it ended.
        how: ExitStatus,
        /// Its last lines on stderr.
        tail: Vec<String>,
        /// Its port is in use.
        conflict: Option<Box<Conflict>>,
        /// What happens to it now.
        next: AfterDeath,
    },
}

/// What happens to a process that ended soon after its start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AfterDeath {
    /// Nothing: it was to go on.
    Nothing,
    /// Nothing: it was a task, which has failed.
    Task,
    /// It is being started again by itself.
    Restart,
    /// It runs again then: [`next_run`](crate::tsm::schedule::next_run).
    Schedule(String),
}

impl AfterDeath {
    /// True if it runs again by itself.
    pub(in crate::tsm) fn goes_on(&self) -> bool {
        matches!(self, Self::Restart | Self::Schedule(_))
    }

    /// What to do about a process that runs again by itself.
    pub(in crate::tsm) fn advice(&self, name: &ProcessName) -> Option<String> {
        match self {
            Self::Restart => Some(format!(
                "it is being restarted; run `tsm logs {name}` to see its output, `tsm stop {name}` to stop it"
            )),
            Self::Schedule(_) => Some(format!(
                "run `tsm logs {name}` to see its output, `tsm restart {name}` to run it now, `tsm stop {name}` if it is not to run again"
            )),
            Self::Nothing | Self::Task => None,
        }
    }

    fn message(&self, name: &ProcessName, how: ExitStatus) -> String {
        let how = exit_text::describe(how);
        match self {
            Self::Nothing | Self::Restart => format!("failed to start `{name}`: process died immediately ({how})"),
            Self::Task => format!("`{name}` failed: {how}"),
            Self::Schedule(next) => format!("the first run of `{name}` failed: {how}; it runs again {next}"),
        }
    }
}

impl UserFacingError for StartError {
    fn kind(&self) -> FaultKind {
        match self {
            Self::Create(error) => error.kind(),
            Self::Secrets(error) => error.kind(),
            Self::Interrupted { .. } => FaultKind::Interrupted,
            _ => FaultKind::Failed,
        }
    }

    fn ended_process(&self) -> Option<&str> {
        match self {
            Self::NotRun { name, .. } | Self::Hook { name, .. } | Self::Died { name, .. } => Some(name.as_str()),
            Self::Create(_) | Self::Secrets(_) | Self::Launch { .. } | Self::Interrupted { .. } => None,
        }
    }

    fn advice(&self) -> Option<String> {
        match self {
            Self::Create(error) => error.advice(),
            Self::Secrets(error) => error.advice(),
            Self::Launch { .. } => Some("run `tsm doctor` to find the cause".to_owned()),
            Self::NotRun { errno, .. } if *errno == ENOEXEC => {
                Some("start the script with a line such as #!/bin/sh, or run it with its interpreter".to_owned())
            }
            Self::NotRun { step: SpawnStep::Limit, .. } => Some(limits::RAISE_ADVICE.to_owned()),
            Self::NotRun { .. } | Self::Hook { .. } | Self::Interrupted { .. } => {
                Some("no process was left behind".to_owned())
            }
            Self::Died { name, next, .. } if next.goes_on() => next.advice(name),
            Self::Died { how, .. } if how.is_success() => {
                let advice = "start it with `--oneshot` if it is a task that ends by itself; a server must stay in the \
                              foreground, such as `nginx -g 'daemon off;'`";
                Some(advice.to_owned())
            }
            Self::Died { name, .. } => Some(format!("run `tsm logs {name}` to see its output")),
        }
    }
}

/// The error number of a file that is not a program.
const ENOEXEC: i32 = 8;

fn reason(step: SpawnStep, errno: i32, why: &str) -> String {
    if why.is_empty() { format!("{step}: {}", std::io::Error::from_raw_os_error(errno)) } else { why.to_owned() }
}

pub(in crate::tsm) fn tail_text(tail: &[String]) -> String {
    if tail.is_empty() {
        return String::new();
    }
    format!("\nProcess error output:\n  {}", tail.join("\n  "))
}

fn in_use(conflict: &Option<Box<Conflict>>) -> String {
    conflict.as_ref().map(|conflict| format!("; {}", conflict.line())).unwrap_or_default()
}

impl StartError {
    /// Who has the port that this process should have had.
    #[must_use]
    pub fn conflict(&self) -> Option<&Conflict> {
        match self {
            Self::Create(CreateError::Allocation(AllocationError::PortTaken { conflict, .. })) => Some(conflict),
            Self::Died { conflict, .. } => conflict.as_deref(),
            _ => None,
        }
    }
}
