//! What a record alone cannot know, asked of the kernel.

use std::fs;
use std::path::Path;

use super::DirHandle;
use crate::supervise::client;
use crate::supervise::meta::{self, Meta, ProcessState};
use crate::sys::process;
use crate::tsm::live_state::{self, Observed};

/// What is asked for where the answer matters. A supervisor knows of its child, unless it was stopped (SIGSTOP).
pub(super) fn observe(meta: &Meta, dir: &Path, way: DirHandle) -> Result<Observed, String> {
    let supervised = match way.dir_fd {
        Some(directory) => client::is_supervised_at(directory, way.dir),
        None => client::try_is_supervised(way.dir),
    };
    let supervised = supervised.map_err(|error| format!("failed to check whether it is supervised: {error}"))?;
    let this_boot = meta.run_state.boot_id.is_empty() || meta.run_state.boot_id == process::boot_id();
    let matters = if supervised { meta.state == ProcessState::Online } else { this_boot } && meta.pid != 0;
    let lives = matters.then(|| process::try_is_same(meta.pid, meta.run_state.start_ticks));
    let child_lives = match lives {
        Some(None) if !supervised => return Err(format!("failed to check whether pid {} is running", meta.pid)),
        Some(lives) => lives.unwrap_or(true),
        None => false,
    };
    let stopped = matters && supervised && !child_lives && is_stopped(meta);
    let fresh = !supervised && meta.state == ProcessState::Starting && is_being_started(meta) && is_fresh(dir);
    Ok(Observed { supervised, child_lives, stopped, this_boot, fresh })
}

fn is_stopped(meta: &Meta) -> bool {
    let pids = [meta.run_state.guard_pid, meta.run_state.worker_pid];
    pids.iter().any(|pid| process::stat(*pid).is_some_and(|stat| stat.is_stopped()))
}

/// False when the command that was starting it was killed. Its pid may be reused by now; that costs patience only.
fn is_being_started(meta: &Meta) -> bool {
    let deps = meta.run_state.starter_pid;
    deps == 0 || process::stat(deps).is_some_and(|stat| stat.is_alive())
}

fn is_fresh(dir: &Path) -> bool {
    let written = fs::metadata(meta::path(dir)).and_then(|entry| entry.modified());
    written.is_ok_and(|written| written.elapsed().is_ok_and(|age| age < live_state::START_GRACE))
}
