//! Why there is no plan.

use std::path::PathBuf;

use crate::base::fault::{FaultKind, Location, UserFacingError};
use crate::base::name::{InvalidName, ProcessName};
use crate::tsm::environment::EnvironmentError;
use crate::tsm::interpreter::ProgramError;
use crate::tsm::limits::UserError;
use crate::tsm::port::InvalidPort;
use crate::tsm::request::RequestError;
use crate::tsm::terms::TermsError;

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// What was asked means nothing.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The program cannot be executed.
    #[error(transparent)]
    Program(#[from] ProgramError),
    /// The variables cannot be had.
    #[error(transparent)]
    Environment(#[from] EnvironmentError),
    /// It belongs to another environment, or its own cannot be read.
    #[error(transparent)]
    Terms(#[from] Box<TermsError>),
    /// The name is not legal.
    #[error(transparent)]
    Name(#[from] InvalidName),
    /// The directory to run in is not a directory.
    #[error("cannot run in `{}`: {why}", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// What it is instead.
        why: &'static str,
    },
    /// It cannot run as that user.
    #[error(transparent)]
    User(#[from] UserError),
    /// What is to be watched is not there.
    #[error("cannot watch `{}`: no such file or directory", path.display())]
    NotFound {
        /// The file or directory.
        path: PathBuf,
    },
    /// All instances would have the port of the command line.
    #[error("{instances} instances cannot share the port {port} of the command line")]
    SharedPort {
        /// How many.
        instances: u32,
        /// The port.
        port: String,
    },
    /// Ports end at 65535.
    #[error("fewer than {instances} ports from {first} on")]
    TooFewPorts {
        /// How many are needed.
        instances: u32,
        /// The first of them.
        first: u16,
    },
    /// The record of a process is damaged, and with it what it ran is lost.
    #[error("the record of `{name}` cannot be used: {why}")]
    NoRecord {
        /// The process.
        name: ProcessName,
        /// What is wrong with it.
        why: String,
    },
    /// The state of a process cannot be read.
    #[error("the state of `{name}` is unknown: {why}")]
    Unknown {
        /// The process.
        name: ProcessName,
        /// What cannot be read.
        why: String,
    },
    /// Its definition gives it another name, and with that another directory.
    #[error("`{name}` cannot be restarted: its definition now has the name `{now}`")]
    Renamed {
        /// The process.
        name: ProcessName,
        /// What it would be called.
        now: ProcessName,
        /// The service.
        service: String,
    },
    /// A variable holds no port.
    #[error("invalid port `{value}` in {key}")]
    Port {
        /// The variable.
        key: String,
        /// Its value.
        value: String,
        /// Where it is set, if in a file.
        at: Option<Location>,
    },
}

impl PlanError {
    fn inner(&self) -> Option<&dyn UserFacingError> {
        match self {
            Self::Request(error) => Some(error),
            Self::Program(error) => Some(error),
            Self::Environment(error) => Some(error),
            Self::Terms(error) => Some(&**error),
            Self::Name(error) => Some(error),
            Self::User(error) => Some(error),
            Self::Directory { .. }
            | Self::NotFound { .. }
            | Self::SharedPort { .. }
            | Self::TooFewPorts { .. }
            | Self::NoRecord { .. }
            | Self::Unknown { .. }
            | Self::Renamed { .. }
            | Self::Port { .. } => None,
        }
    }
}

impl UserFacingError for PlanError {
    fn kind(&self) -> FaultKind {
        match self {
            Self::Directory { .. } | Self::NotFound { .. } => FaultKind::NotFound,
            Self::Port { at: None, .. } | Self::SharedPort { .. } | Self::TooFewPorts { .. } => FaultKind::Usage,
            _ => self.inner().map_or(FaultKind::Failed, UserFacingError::kind),
        }
    }

    fn advice(&self) -> Option<String> {
        match self {
            Self::Directory { .. } => {
                Some("create it, or name another one: `tsm start --cwd DIR`, where it does not run, or TSM_CWD of the service".to_owned())
            }
            Self::Renamed { name, service, .. } => Some(format!(
                "it was not stopped; run `tsm stop {name} && tsm start {service}` to start it under the new name, then `tsm delete {name}` to remove the old one"
            )),
            Self::NotFound { .. } => {
                Some("paths of --watch and TSM_WATCH are relative to the working directory of the process".to_owned())
            }
            Self::SharedPort { .. } => Some("give the first port with --port, and use $PORT in the command".to_owned()),
            Self::TooFewPorts { .. } => Some("start with a lower port".to_owned()),
            Self::NoRecord { name, .. } => {
                Some(format!("run `tsm start --name {name} COMMAND` to define it anew; its logs are kept"))
            }
            Self::Unknown { .. } => Some("try again when it can be read".to_owned()),
            Self::Port { value, .. } => InvalidPort(value.clone()).advice(),
            _ => self.inner().and_then(UserFacingError::advice),
        }
    }

    fn location(&self) -> Option<Location> {
        match self {
            Self::Port { at, .. } => at.clone(),
            _ => self.inner().and_then(UserFacingError::location),
        }
    }
}
