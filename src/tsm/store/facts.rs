//! What a record alone cannot know, asked of the kernel.

use std::fs;
use std::path::Path;

use super::Way;
use crate::supervise::client;
use crate::supervise::meta::{self, Meta, State};
use crate::sys::process;
use crate::tsm::view::{self, Facts};

/// What is asked for where the answer matters. A supervisor knows of its child, unless it was stopped (SIGSTOP).
pub(super) fn facts(meta: &Meta, dir: &Path, way: Way) -> Result<Facts, String> {
    let supervised = match way.folder {
        Some(folder) => client::supervised_in(folder, way.dir),
        None => client::supervision(way.dir),
    };
    let supervised = supervised.map_err(|error| format!("it cannot be seen whether it is supervised: {error}"))?;
    let this_boot = meta.life.boot_id.is_empty() || meta.life.boot_id == process::boot_id();
    let matters = if supervised { meta.state == State::Online } else { this_boot } && meta.pid != 0;
    let lives = matters.then(|| process::is_certainly_same(meta.pid, meta.life.start_ticks));
    let child_lives = match lives {
        Some(None) if !supervised => return Err(format!("it cannot be seen whether pid {} runs", meta.pid)),
        Some(lives) => lives.unwrap_or(true),
        None => false,
    };
    let stopped = matters && supervised && !child_lives && is_stopped(meta);
    let fresh = !supervised && meta.state == State::Starting && is_being_started(meta) && is_fresh(dir);
    Ok(Facts { supervised, child_lives, stopped, this_boot, fresh })
}

fn is_stopped(meta: &Meta) -> bool {
    let pids = [meta.life.guard_pid, meta.life.worker_pid];
    pids.iter().any(|pid| process::stat(*pid).is_some_and(|stat| stat.is_stopped()))
}

/// False when the command that was starting it was killed. Its number may be somebody else's by now; that costs patience only.
fn is_being_started(meta: &Meta) -> bool {
    let starter = meta.life.starter_pid;
    starter == 0 || process::stat(starter).is_some_and(|stat| stat.is_alive())
}

fn is_fresh(dir: &Path) -> bool {
    let written = fs::metadata(meta::path(dir)).and_then(|entry| entry.modified());
    written.is_ok_and(|written| written.elapsed().is_ok_and(|age| age < view::START_GRACE))
}
