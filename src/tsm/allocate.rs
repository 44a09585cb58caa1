//! What only the moment decides: a free name, a free port, the lowest free id.

use std::borrow::Cow;

use crate::base::fault::{FaultKind, UserFacingError};
use crate::base::name::{InvalidName, ProcessName};
use crate::base::sort::SortExt;
use crate::supervise::meta::ProcessState;

use super::conflict::Conflict;
use super::plan::StartPlan;
use super::port::PortSpec;
use super::process_index::ExistingProcesses;
use super::store::Process;

/// Where a plan finds its place among the processes there are.
#[derive(Debug)]
pub struct Allocation<'a> {
    /// Its full name.
    pub name: ProcessName,
    /// Its id.
    pub id: u32,
    /// Its port.
    pub port: Option<u16>,
    /// The stopped process that is started again.
    pub existing: Option<Cow<'a, Process>>,
    /// Who has the guessed port.
    pub guessed_port_conflict: Option<Conflict>,
}

/// Why a plan finds no place.
#[derive(Debug, thiserror::Error)]
pub enum AllocationError {
    /// A process of this name runs.
    #[error("process '{name}' is already running{}", facts(*id, *pid))]
    AlreadyRunning {
        /// Its name.
        name: ProcessName,
        /// Its id.
        id: Option<u32>,
        /// Its pid.
        pid: Option<u32>,
    },
    /// A process of this name is due to be started again by itself.
    #[error("process '{name}' is already running: waiting for its next restart")]
    Waiting {
        /// Its name.
        name: ProcessName,
    },
    /// A process of this name is due to be started again at its hour.
    #[error("process '{name}' is already scheduled")]
    Scheduled {
        /// Its name.
        name: ProcessName,
    },
    /// It cannot be said what the process of this name does.
    #[error("the state of process '{name}' is unknown: {why}")]
    Unknown {
        /// Its name.
        name: ProcessName,
        /// What cannot be read.
        why: String,
    },
    /// The port is in use.
    #[error("{}", conflict.line())]
    PortTaken {
        /// Who.
        conflict: Box<Conflict>,
        /// The options and the command with which it would get the next free one.
        next: String,
    },
    /// Every port from here on is taken.
    #[error("no free port from {from} on")]
    NoFreePort {
        /// The first that was tried.
        from: u16,
    },
    /// The name becomes illegal with its port.
    #[error(transparent)]
    Name(#[from] InvalidName),
}

fn facts(id: Option<u32>, pid: Option<u32>) -> String {
    match (id, pid) {
        (Some(id), Some(pid)) => format!(" (TSM ID: {id}, PID: {pid})"),
        (Some(id), None) => format!(" (TSM ID: {id})"),
        _ => String::new(),
    }
}

impl UserFacingError for AllocationError {
    fn kind(&self) -> FaultKind {
        match self {
            Self::Name(error) => error.kind(),
            _ => FaultKind::Failed,
        }
    }

    fn advice(&self) -> Option<String> {
        match self {
            Self::AlreadyRunning { name, .. } | Self::Waiting { name } => Some(format!(
                "run `tsm restart {name}` to restart it, or use --name to start a second one under another name"
            )),
            Self::Scheduled { name } => {
                Some(format!("run `tsm restart {name}` to run it now, `tsm info {name}` to see when it runs by itself"))
            }
            Self::PortTaken { conflict, next } => {
                Some(format!("{}, or use {next} for the next free port", conflict.suggestion()))
            }
            Self::Unknown { .. } => Some("use --name to give the new one another name".to_owned()),
            Self::NoFreePort { .. } => Some("start with a lower port".to_owned()),
            Self::Name(error) => error.advice(),
        }
    }
}

/// Finds the place of a plan. `taken` says who has a port.
///
/// # Errors
///
/// Fails if a process of a given name, or of a name with a port, runs; if an explicit port is taken; or if none is free.
pub fn allocate<'a>(
    plan: &StartPlan,
    others: &'a dyn ExistingProcesses,
    taken: &dyn Fn(u16) -> Option<Conflict>,
) -> Result<Allocation<'a>, AllocationError> {
    let (name, port, in_the_way) = match &plan.port {
        None => (portless(plan, others)?, None, None),
        Some(choice) => match choice.spec {
            PortSpec::AtLeast(first) => {
                let (name, port) = next_free(plan, others, first, taken)?;
                (name, Some(port), None)
            }
            PortSpec::Exact(port) => {
                let name = plan.base.with_port(Some(port))?;
                check(&name, others)?;
                let conflict = taken(port);
                if let Some(conflict) = conflict.clone().filter(|_| choice.source.is_claim()) {
                    let own = plan.own_port.as_ref().map(|own| format!(" {}", own.with_variable));
                    let next = format!("--port {port}+{}", own.unwrap_or_default());
                    return Err(AllocationError::PortTaken { conflict: Box::new(conflict), next });
                }
                (name, Some(port), conflict)
            }
            PortSpec::None => (portless(plan, others)?, None, None),
        },
    };
    let again = others.named(&name);
    let id = again.as_ref().and_then(|process| process.id()).unwrap_or_else(|| lowest_free(others));
    Ok(Allocation { name, id, port, existing: again, guessed_port_conflict: in_the_way })
}

/// The lowest id that no process has.
#[must_use]
pub fn lowest_free(others: &dyn ExistingProcesses) -> u32 {
    let mut used = others.ids();
    used.order();
    used.dedup();
    (0..).zip(used.iter().chain([&u32::MAX])).find(|(free, used)| free != *used).map_or(0, |(free, _)| free)
}

fn portless(plan: &StartPlan, others: &dyn ExistingProcesses) -> Result<ProcessName, AllocationError> {
    let mut refused = None;
    for name in plan.base.portless() {
        let name = name?;
        match check(&name, others) {
            Ok(()) => return Ok(name),
            Err(error) => refused = refused.or(Some(error)),
        }
    }
    Err(refused.expect("there is at least one name, and it was refused"))
}

fn next_free(
    plan: &StartPlan,
    others: &dyn ExistingProcesses,
    first: u16,
    taken: &dyn Fn(u16) -> Option<Conflict>,
) -> Result<(ProcessName, u16), AllocationError> {
    for port in first..=u16::MAX {
        let name = plan.base.with_port(Some(port))?;
        if plan.base.is_complete {
            check(&name, others)?;
        }
        if check(&name, others).is_ok() && taken(port).is_none() {
            return Ok((name, port));
        }
    }
    Err(AllocationError::NoFreePort { from: first })
}

/// A name is free if no process has it, or only one that neither runs nor is about to.
fn check(name: &ProcessName, others: &dyn ExistingProcesses) -> Result<(), AllocationError> {
    match others.named(name) {
        Some(process) if process.is_running() => {
            Err(AllocationError::AlreadyRunning { name: name.clone(), id: process.id(), pid: process.pid() })
        }
        Some(process) if process.live.is_unknown() => {
            let why = process.unknown.clone().unwrap_or_default();
            Err(AllocationError::Unknown { name: name.clone(), why })
        }
        // Without a supervisor it waits in vain.
        Some(process) if process.live.supervised && process.live.state == ProcessState::Waiting => {
            Err(AllocationError::Waiting { name: name.clone() })
        }
        Some(process) if process.is_scheduled() => Err(AllocationError::Scheduled { name: name.clone() }),
        _ => Ok(()),
    }
}
