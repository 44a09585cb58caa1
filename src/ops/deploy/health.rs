//! How what runs is, and whether it is what was deployed: an answer on the port does not show it, for it may be that of the old
//! process.

use std::collections::BTreeMap;

use super::place::Place;
use crate::base::fault::Fault;
use crate::base::name::ProcessName;
use crate::deploy::wire::Health;
use crate::ops::service_health::{self, Condition, Judge};
use crate::supervise::meta::ProcessState;
use crate::sys::net;
use crate::tsm::store::Process;

/// The lives of processes right after a release was applied: one that has another later was restarted.
pub type Lives = BTreeMap<ProcessName, String>;

/// The lives of the processes that run.
#[must_use]
pub fn lives(processes: &[Process]) -> Lives {
    let running = processes.iter().filter(|process| process.is_running());
    running.map(|process| (process.name.clone(), process.meta.run_state.nonce.clone())).collect()
}

/// How an environment is since it was applied.
///
/// # Errors
///
/// Fails if services or processes cannot be listed.
pub fn look(place: &Place, since: &Lives) -> Result<Health, Fault> {
    let processes = place.processes()?;
    for process in &processes {
        if let Some(why) = problem(process, since) {
            return Ok(Health::Bad(format!("{} {why}", process.name)));
        }
    }
    let judge = Judge { now: place.host.now(), own_mark: None };
    let own: Vec<&Process> = processes.iter().collect();
    let services = service_health::of_enabled(place.paths, place.host.variables(), &own, judge)?;
    let declared = place.services()?;
    let mut waits = None;
    for service in services.into_iter().filter(|service| declared.contains(&service.name)) {
        match service.condition {
            Condition::Up | Condition::Off => {}
            Condition::Down(why) => return Ok(Health::Bad(format!("{}: {why}", service.name))),
            Condition::Starting(why) => waits = waits.or(Some(format!("{}: {why}", service.name))),
        }
    }
    Ok(waits.map_or(Health::Well, Health::NotYet))
}

/// What is wrong with a process beyond its own state.
fn problem(process: &Process, since: &Lives) -> Option<String> {
    if process.live.state != ProcessState::Online {
        return None;
    }
    if since.get(&process.name).is_some_and(|life| *life != process.meta.run_state.nonce) {
        return Some("was restarted since".to_owned());
    }
    let (port, pid) = (process.meta.port?, process.pid()?);
    let inodes: Vec<u64> = net::listening_on(port).iter().map(|listener| listener.inode).collect();
    if inodes.is_empty() || net::listener_in_tree(pid, &inodes).is_some() {
        return None;
    }
    let who = inodes
        .iter()
        .find_map(|inode| net::owner(*inode))
        .map_or_else(|| "another process".to_owned(), |owner| format!("PID {}, which it did not start", owner.pid));
    Some(format!("does not answer on port {port}: that is {who}"))
}
