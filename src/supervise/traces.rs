//! What processes tell of where they belong, read once for many process directories of which nobody looks after.

use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use super::cgroup::Cgroup;
use super::environment::{HOME, MARK};
use super::meta::{Former, Meta};
use super::output::{ERR, OUT};
use super::proc::{self, Identity, Stat, environment_of};
use super::sweep::{Ground, Quarry};
use super::whose::Mark;

/// The traces of all processes at one moment, read when the first is asked for.
#[derive(Debug, Default)]
pub struct Traces(OnceCell<Seen>);

#[derive(Debug, Default)]
struct Seen {
    homes: HashSet<Vec<u8>>,
    marks: HashSet<Vec<u8>>,
    /// Of each session the youngest member.
    sessions: HashMap<u32, u64>,
    outputs: HashSet<(u64, u64)>,
}

impl Seen {
    fn now() -> Self {
        let mut seen = Self::default();
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        for pid in pids.filter(|pid| *pid != std::process::id()) {
            let Some(stat) = Stat::of(pid).filter(|stat| !stat.is_dead()) else { continue };
            seen.homes.extend(environment_of(pid, HOME));
            seen.marks.extend(environment_of(pid, MARK));
            let youngest = seen.sessions.entry(stat.session).or_default();
            *youngest = stat.start_ticks.max(*youngest);
            seen.outputs.extend([1, 2].iter().filter_map(|fd| place(Path::new(&format!("/proc/{pid}/fd/{fd}")))));
        }
        seen
    }

    fn may_concern(&self, quarry: &Quarry) -> bool {
        self.homes.contains(quarry.dir.as_os_str().as_bytes())
            || quarry.marks.iter().any(|mark| self.marks.contains(mark.to_string().as_bytes()))
            || quarry.roots.iter().any(|root| self.sessions.get(&root.pid).is_some_and(|at| *at >= root.start_ticks))
            || quarry.fifos.iter().any(|fifo| self.outputs.contains(fifo))
            || quarry.cgroup.is_some_and(|group| !group.members().is_empty())
    }
}

/// Device and inode of a FIFO.
fn place(path: &Path) -> Option<(u64, u64)> {
    let found = fs::metadata(path).ok().filter(|found| found.file_type().is_fifo())?;
    Some((found.dev(), found.ino()))
}

impl Traces {
    /// True if something lives of the process in `dir`, whose record is `meta`, and which nobody supervises.
    #[must_use]
    pub fn lead_to(&self, dir: &Path, meta: &Meta) -> bool {
        // A supervisor names its directory without the links that may lead to it.
        let Ok(dir) = dir.canonicalize() else { return false };
        let own = nix::unistd::geteuid().as_raw();
        let cgroup = Cgroup::of_directory(&dir);
        let boot = proc::boot_id();
        let former = meta.life.former.iter().cloned();
        let lives: Vec<Former> = former.chain(meta.as_former().filter(|_| !meta.life.nonce.is_empty())).collect();
        let is_of_this_boot = |life: &&Former| life.pid != 0 && life.boot_id == boot;
        let quarry = Quarry {
            ground: Ground::Everywhere,
            dir: &dir,
            top: 0,
            marks: lives.iter().filter_map(|life| Mark::with(meta.tsm_id, &life.nonce)).collect(),
            roots: lives
                .iter()
                .filter(is_of_this_boot)
                .map(|life| Identity { pid: life.pid, start_ticks: life.start_ticks })
                .collect(),
            users: [own, meta.run.user.as_ref().map_or(own, |user| user.uid)],
            fifos: [OUT, ERR].map(|name| place(&dir.join(name)).unwrap_or_default()),
            cgroup: cgroup.as_ref(),
        };
        self.0.get_or_init(Seen::now).may_concern(&quarry) && !quarry.find().is_empty()
    }
}
