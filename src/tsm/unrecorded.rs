//! Processes whose directory was removed while they ran. No record knows them any more, but the kernel does: their supervisors hold
//! its lock, and every supervisor sets the directory of its record in the environment of its child, which passes it on.

use std::path::{Path, PathBuf};

use crate::base::name::ProcessName;
use crate::base::sort::SortExt;
use crate::supervise::ownership::{ClaimedProcesses, ProcessClaims};
use crate::sys::paths::Paths;
use crate::sys::process::{self, ProcessStat, ProcessTable};

/// The living processes of the name `word` if there is no directory of that name, the oldest first; its supervisors if nothing
/// else is left of it. Looks at every process there is, so it is for words that match nothing else.
#[must_use]
pub fn find(word: &str, paths: &Paths) -> Vec<u32> {
    let Ok(name) = word.parse::<ProcessName>() else { return Vec::new() };
    if paths.process(&name).exists() {
        return Vec::new();
    }
    of(&name, paths, &ProcessClaims::default())
}

/// The same for a name of which it is known that there is no directory.
#[must_use]
pub(super) fn of(name: &ProcessName, paths: &Paths, claims: &ProcessClaims) -> Vec<u32> {
    let left = process_dirs(paths).into_iter().map(|all| claims.for_dir(&all.join(name.as_str())));
    let ClaimedProcesses { supervisors, mut others } = left.fold(ClaimedProcesses::default(), |mut all, left| {
        all.supervisors.extend(left.supervisors);
        all.others.extend(left.others);
        all
    });
    if !supervisors.is_empty() {
        let census = ProcessTable::snapshot();
        let below = supervisors.iter().flat_map(|pid| census.tree(*pid)).filter(|stat| stat.is_alive());
        others.extend(below.map(|stat| stat.pid).filter(|pid| !supervisors.contains(pid)));
    }
    if others.is_empty() {
        others = supervisors;
    }
    // Numbers begin anew sooner or later; who was started in the same instant comes after his parents.
    let age = |pid| {
        // One that has ended since it was found is not named: it would come first.
        let stat = process::stat(pid).filter(ProcessStat::is_alive)?;
        Some((stat.start_ticks, process::ancestors(pid).len(), pid))
    };
    let mut aged: Vec<_> = others.into_iter().filter_map(age).collect();
    aged.order();
    aged.dedup();
    aged.into_iter().map(|(_, _, pid)| pid).collect()
}

/// The directory of all process directories, by its path and without the links that may lead to it, as a supervisor names it; also
/// when only what is above it is still there.
pub(super) fn process_dirs(paths: &Paths) -> Vec<PathBuf> {
    let all = paths.processes();
    let real = all.ancestors().find(|path| path.exists()).and_then(|there| {
        let rest = all.strip_prefix(there).unwrap_or(Path::new(""));
        Some(there.canonicalize().ok()?.join(rest))
    });
    let real = real.filter(|real| *real != all);
    [Some(all), real].into_iter().flatten().collect()
}
