//! Guard and worker of a process directory, as its record names them, and how they are continued when they were stopped.

use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::meta;
use super::ownership;
use super::proc::{self, ProcStat, SignalTarget};

/// Continues guard and worker of `dir`, if they were stopped (SIGSTOP).
pub fn resume_if_stopped(dir: &Path) {
    for (_, handle) in supervisors(dir, |pid| ProcStat::of(pid).is_some_and(|stat| stat.is_stopped())) {
        // It may have ended meanwhile, which the caller will see.
        let _ = proc::signal(&handle, libc::SIGCONT, SignalTarget::Process);
    }
}

/// The guard and the worker that the record of `dir` names, in this order, if they still are that and `is` is true of them.
pub(super) fn supervisors(dir: &Path, is: impl Fn(u32) -> bool) -> Vec<(u32, OwnedFd)> {
    let life = meta::read(dir).ok().flatten().map(|meta| meta.run_state).unwrap_or_default();
    let named = [life.guard_pid, life.worker_pid].into_iter().filter(|pid| *pid != 0 && is(*pid));
    // The handle comes before the look, so that it is not on another process.
    named.filter_map(|pid| Some((pid, proc::open_pidfd(pid).ok()?))).filter(|(pid, _)| supervises(*pid, dir)).collect()
}

fn supervises(pid: u32, dir: &Path) -> bool {
    let place = |path: &Path| fs::metadata(path).map(|it| (it.dev(), it.ino())).ok();
    // Its path may be that of another directory here.
    let theirs = place(Path::new(&format!("/proc/{pid}/cwd")));
    ownership::supervisor_of(pid).is_some() && theirs.is_some() && theirs == place(dir)
}
