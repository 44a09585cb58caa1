//! Restarting processes that are known.

use crate::base::fault::Fault;
use crate::tsm::progress::OnProgress;
use crate::tsm::restart::{RestartError, RestartOptions, Restarted};
use crate::tsm::start::{StartDeps, WaitFor};
use crate::tsm::store::Process;

use super::{OpContext, secrets};

/// Restarts processes by their definitions as they are now; those that do not run are started. The results are in their order.
///
/// # Errors
///
/// Fails if the processes or the limits of the active environment cannot be read; nothing is restarted then.
pub fn restart(
    context: &OpContext,
    processes: &[Process],
    options: RestartOptions,
    wait_for: WaitFor,
    on_progress: &mut OnProgress,
) -> Result<Vec<Result<Restarted, RestartError>>, Fault> {
    let all = context.processes()?;
    let start = context.start_context(&all)?;
    let unseal = secrets::unsealer(context.paths, context.host);
    let (paths, host) = (context.paths, context.host);
    let mut deps = StartDeps { paths, host, wait_for, on_progress, unseal: &unseal };
    let processes: Vec<&Process> = processes.iter().collect();
    Ok(context.with_control(|control| control.restart(&processes, &start, options, &mut deps)))
}
