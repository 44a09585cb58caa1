//! Processes that carry our marks and are not managed.

use std::path::Path;

use crate::base::sort::SortExt;
use crate::supervise::ownership;
use crate::sys::net::{self, Protocol};
use crate::sys::paths::Paths;
use crate::sys::process::{self, ProcessStat};
use crate::tsm::detect::interpreter_kind;
use crate::tsm::store::Process;

/// A process that is not managed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Orphan {
    /// Its pid.
    pub pid: u32,
    /// Its parent.
    pub parent: u32,
    /// Why it is one.
    pub kind: OrphanKind,
    /// `node`, `python`, … or the name of its program.
    pub program: String,
    /// The TCP ports that it listens on.
    pub ports: Vec<u16>,
    /// The words it was started with.
    pub command: String,
}

/// Why a process is an orphan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum OrphanKind {
    /// It was started here, and no record knows it any more.
    Unrecorded,
    /// An interpreter that was never started from here.
    Unmanaged,
}

impl OrphanKind {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unrecorded => "lost",
            Self::Unmanaged => "stranger",
        }
    }
}

/// Every orphan of this user (of every user, for root): what was lost first, then by pid.
#[must_use]
pub fn find(paths: &Paths, processes: &[Process]) -> Vec<Orphan> {
    let own = process::own_uid();
    let ancestors = process::ancestors(process::own_pid());
    let known: Vec<u32> = processes
        .iter()
        .flat_map(|it| [it.pid().unwrap_or(0), it.meta.run_state.guard_pid, it.meta.run_state.worker_pid])
        .filter(|pid| *pid != 0)
        .collect();
    let mut orphans: Vec<Orphan> = process::all_pids()
        .into_iter()
        .filter(|pid| own == 0 || process::owner(*pid) == Some(own))
        .filter(|pid| !ancestors.contains(pid))
        .filter_map(|pid| process::stat(pid).filter(ProcessStat::is_alive))
        .filter_map(|stat| Some((kind(&stat, &paths.processes())?, stat)))
        .filter(|(_, stat)| !process::ancestors(stat.pid).iter().any(|pid| known.contains(pid)))
        // What another program of this kind supervises is not ours to judge.
        .filter(|(kind, stat)| *kind == OrphanKind::Unrecorded || !is_supervised(stat.pid))
        .map(|(kind, stat)| orphan(kind, &stat))
        .collect();
    fill_ports(&mut orphans);
    orphans.order_by_key(|orphan| (orphan.kind, orphan.pid));
    orphans
}

fn kind(stat: &ProcessStat, dir: &Path) -> Option<OrphanKind> {
    // Every supervisor sets the directory of its record in the environment of its child, which passes it on. Any process can set it too.
    let dir_variable = process::variable(stat.pid, "TSM_PROCESS_DIR");
    let ours =
        || ownership::user_of(stat.pid) == Some(process::own_uid()) && ownership::means_same_place(stat.pid, dir);
    if dir_variable.is_some_and(|dir_variable| Path::new(&dir_variable).starts_with(dir) && ours()) {
        return Some(OrphanKind::Unrecorded);
    }
    is_interpreter(&stat.comm).then_some(OrphanKind::Unmanaged)
}

fn is_interpreter(comm: &str) -> bool {
    use crate::tsm::detect::ProcessType;

    let known =
        matches!(interpreter_kind(comm), Some(kind) if !matches!(kind, ProcessType::Bash | ProcessType::Command));
    known || ["npm", "yarn", "pnpm"].iter().any(|name| comm.starts_with(name))
}

/// A supervisor is among its ancestors.
fn is_supervised(pid: u32) -> bool {
    process::ancestors(pid).into_iter().any(|pid| ownership::supervisor_of(pid).is_some())
}

fn orphan(kind: OrphanKind, stat: &ProcessStat) -> Orphan {
    let program = interpreter_kind(&stat.comm).map_or_else(|| stat.comm.clone(), |it| it.as_str().to_owned());
    let command = process::command_line(stat.pid).unwrap_or_default();
    Orphan { pid: stat.pid, parent: stat.ppid, kind, program, ports: Vec::new(), command }
}

fn fill_ports(orphans: &mut [Orphan]) {
    let mut listeners = net::listeners();
    listeners.retain(|listener| listener.protocol == Protocol::Tcp);
    let owners = net::owners(listeners.iter().map(|listener| listener.inode));
    for orphan in orphans {
        let own = listeners.iter().filter(|listener| owners.get(&listener.inode) == Some(&orphan.pid));
        orphan.ports = own.map(|listener| listener.port).collect();
        orphan.ports.order();
        orphan.ports.dedup();
    }
}
