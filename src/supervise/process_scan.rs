//! Which process directories running processes belong to, read once for many directories without a supervisor.

use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use super::cgroup::Cgroup;
use super::environment::{PROCESS_DIR_VAR, RUN_MARKER_VAR};
use super::log_writer::{ERR, OUT};
use super::meta::{Meta, PreviousRun};
use super::ownership::RunMarker;
use super::proc::{self, ProcStat, ProcessIdentity, variable_of};
use super::sweep::{Search, SweepScope};

/// The traces of all processes at one moment, read when the first is asked for.
#[derive(Debug, Default)]
pub struct ProcessScan(OnceCell<ScanResult>);

#[derive(Debug, Default)]
struct ScanResult {
    process_dirs: HashSet<Vec<u8>>,
    markers: HashSet<Vec<u8>>,
    /// Of each session the youngest member.
    sessions: HashMap<u32, u64>,
    outputs: HashSet<(u64, u64)>,
}

impl ScanResult {
    fn now() -> Self {
        let mut seen = Self::default();
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        for pid in pids.filter(|pid| *pid != std::process::id()) {
            let Some(stat) = ProcStat::of(pid).filter(|stat| !stat.is_dead()) else { continue };
            seen.process_dirs.extend(variable_of(pid, PROCESS_DIR_VAR));
            seen.markers.extend(variable_of(pid, RUN_MARKER_VAR));
            let youngest = seen.sessions.entry(stat.session).or_default();
            *youngest = stat.start_ticks.max(*youngest);
            seen.outputs.extend([1, 2].iter().filter_map(|fd| fifo_id(Path::new(&format!("/proc/{pid}/fd/{fd}")))));
        }
        seen
    }

    fn may_match(&self, quarry: &SweepScope) -> bool {
        self.process_dirs.contains(quarry.dir.as_os_str().as_bytes())
            || quarry.markers.iter().any(|mark| self.markers.contains(mark.to_string().as_bytes()))
            || quarry.roots.iter().any(|root| self.sessions.get(&root.pid).is_some_and(|at| *at >= root.start_ticks))
            || quarry.fifos.iter().any(|fifo| self.outputs.contains(fifo))
            || quarry.cgroup.is_some_and(|group| !group.members().is_empty())
    }
}

/// Device and inode of a FIFO.
fn fifo_id(path: &Path) -> Option<(u64, u64)> {
    let found = fs::metadata(path).ok().filter(|found| found.file_type().is_fifo())?;
    Some((found.dev(), found.ino()))
}

impl ProcessScan {
    /// True if something lives of the process in `dir`, whose record is `meta`, and which has no supervisor.
    #[must_use]
    pub fn has_survivors_of(&self, dir: &Path, meta: &Meta) -> bool {
        // A supervisor names its directory without the links that may lead to it.
        let Ok(dir) = dir.canonicalize() else { return false };
        let own = nix::unistd::geteuid().as_raw();
        let cgroup = Cgroup::of_directory(&dir);
        let boot = proc::boot_id();
        let former = meta.run_state.previous.iter().cloned();
        let lives: Vec<PreviousRun> =
            former.chain(meta.as_previous().filter(|_| !meta.run_state.nonce.is_empty())).collect();
        let is_of_this_boot = |life: &&PreviousRun| life.pid != 0 && life.boot_id == boot;
        let quarry = SweepScope {
            search: Search::AllProcesses,
            dir: &dir,
            tree_root: 0,
            markers: lives.iter().filter_map(|life| RunMarker::with(meta.tsm_id, &life.nonce)).collect(),
            roots: lives
                .iter()
                .filter(is_of_this_boot)
                .map(|life| ProcessIdentity { pid: life.pid, start_ticks: life.start_ticks })
                .collect(),
            users: [own, meta.run.user.as_ref().map_or(own, |user| user.uid)],
            fifos: [OUT, ERR].map(|name| fifo_id(&dir.join(name)).unwrap_or_default()),
            cgroup: cgroup.as_ref(),
        };
        self.0.get_or_init(ScanResult::now).may_match(&quarry) && !quarry.find_strays().is_empty()
    }
}
