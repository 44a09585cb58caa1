//! What is left in the unit after its daemon has ended: swept away if it was a stop, left alone if the daemon died.

use std::time::{Duration, Instant};

use super::log::Level;
use super::record::{DaemonRecord, DaemonState};
use super::stop::stop_all;
use super::work::Say;
use crate::base::fault::Fault;
use crate::ops::OpContext;
use crate::ops::stop_order::is_up;
use crate::supervise::client::{self, UnitGroup};
use crate::tsm::store::Process;

/// How long processes that still have a supervisor may take to end.
const STOP_TIME: Duration = Duration::from_secs(5);

/// How long all others may take to die.
const KILL_TIME: Duration = Duration::from_secs(3);

/// Sweeps the unit that this process is in, after its main process ended with the result that systemd calls `result`.
///
/// # Errors
///
/// Fails if the processes cannot be listed.
pub fn sweep(context: &OpContext, result: &str, say: &mut Say) -> Result<(), Fault> {
    let record = DaemonRecord::read(context.paths);
    if !was_stopped(result, record.as_ref().map(|record| record.state)) {
        client::hand_back_unit();
        say(Level::Warning, format!("the daemon ended ({result}); its services go on"));
        return Ok(());
    }
    let Some(group) = UnitGroup::own() else { return Ok(()) };
    let members = group.members();
    if members.is_empty() {
        return Ok(());
    }
    let is_member = |process: &Process| {
        let state = &process.meta.run_state;
        [state.guard_pid, state.worker_pid].iter().any(|pid| members.contains(pid))
    };
    let mut up: Vec<Process> = context.processes()?.into_iter().filter(is_up).collect();
    up.retain(is_member);
    stop_all(context, &up, Instant::now() + STOP_TIME, say);
    let (killed, left) = group.kill_members(Instant::now() + KILL_TIME);
    if !killed.is_empty() {
        say(Level::Warning, format!("killed {} processes that were left in the unit: {}", killed.len(), list(&killed)));
    }
    if !left.is_empty() {
        say(Level::Error, format!("{} processes are still in the unit: {}", left.len(), list(&left)));
    }
    Ok(())
}

fn list(pids: &[u32]) -> String {
    pids.iter().take(10).map(u32::to_string).collect::<Vec<_>>().join(" ")
}

/// True if the daemon ended because it was stopped, also when it was killed while it stopped what runs.
fn was_stopped(result: &str, state: Option<DaemonState>) -> bool {
    result == "success" || matches!(state, Some(DaemonState::Stopping | DaemonState::Stopped))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_after_a_stop_something_is_swept_away() {
        use DaemonState::{Running, Stopped, Stopping};
        for (result, state, expected) in [
            ("success", Some(Stopped), true),
            ("success", None, true),
            ("timeout", Some(Stopping), true),
            ("signal", Some(Stopping), true),
            ("signal", Some(Running), false),
            ("watchdog", Some(Running), false),
            ("exit-code", None, false),
        ] {
            assert_eq!(was_stopped(result, state), expected, "{result} {state:?}");
        }
    }
}
