//! The control group of the unit of systemd that this process is in, as the daemon of that unit sees it.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::clock::sleep;
use super::proc::{self, SignalTarget};
use super::systemd_unit::{LEAF, delegated_ancestor, unit_of_group};

use crate::base::sort::SortExt;

/// Where version 2 is mounted if there is no other.
const V2_MOUNT: &str = "/sys/fs/cgroup";

/// Where version 1 has the groups by which systemd knows what belongs to a unit.
const V1_MOUNT: &str = "/sys/fs/cgroup/systemd";

/// The group in which systemd runs what is not the main process of a delegated unit.
const CONTROL: &str = ".control";

/// The pause between two looks at what was killed.
const KILL_INTERVAL: Duration = Duration::from_millis(5);

/// Steps into a group below that of the unit, if its groups are delegated: of version 2 a group that hands a controller down must
/// not hold processes itself. Does nothing elsewhere. `is_delegated` is asked for the unit's name where the kernel does not say it:
/// the manager of a user may not write that down.
///
/// # Errors
///
/// Fails if the group cannot be made or entered.
pub fn enter_leaf(is_delegated: impl FnOnce(&str) -> bool) -> io::Result<()> {
    let groups = fs::read_to_string("/proc/self/cgroup")?;
    let Some(own) = group_of_v2(&groups).filter(|_| Path::new(V2_MOUNT).join("cgroup.controllers").exists()) else {
        return Ok(());
    };
    if unit_of_group(&own) != Some(&own) {
        return Ok(());
    }
    let name = own.file_name().and_then(OsStr::to_str).unwrap_or_default();
    if delegated_ancestor(&own) != Some(&own) && !is_delegated(name) {
        return Ok(());
    }
    let leaf = own.join(LEAF);
    match fs::create_dir(&leaf) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        Ok(()) | Err(_) => {}
    }
    fs::write(leaf.join("cgroup.procs"), "0")
}

fn group_of_v2(groups: &str) -> Option<PathBuf> {
    let path = groups.lines().find_map(|line| line.strip_prefix("0::/"))?;
    Some(Path::new(V2_MOUNT).join(path))
}

/// The group of a unit.
#[derive(Debug)]
pub struct UnitGroup(PathBuf);

impl UnitGroup {
    /// That of the unit that this process is in; none outside of systemd.
    #[must_use]
    pub fn own() -> Option<Self> {
        let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
        let old = groups.lines().find_map(|line| Some(line.split_once(":name=systemd:/")?.1));
        let own = match old {
            Some(path) => Path::new(V1_MOUNT).join(path),
            None => group_of_v2(&groups)?,
        };
        unit_of_group(&own).map(|unit| Self(unit.to_owned()))
    }

    /// The name of the unit: `tetra-dev.service`.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.0.file_name().and_then(OsStr::to_str)
    }

    /// The processes in it and in all groups below, without this one and without what systemd runs beside the main process.
    #[must_use]
    pub fn members(&self) -> Vec<u32> {
        let mut found = Vec::new();
        let mut open = vec![self.0.clone()];
        while let Some(group) = open.pop() {
            let procs = fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
            found.extend(procs.lines().filter_map(|pid| pid.parse::<u32>().ok()));
            let below = fs::read_dir(&group).into_iter().flatten().flatten();
            let below = below.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
            open.extend(below.filter(|entry| entry.file_name() != CONTROL).map(|entry| entry.path()));
        }
        found.retain(|pid| *pid != std::process::id());
        found.order();
        found
    }

    /// Kills what is in it until nothing is left or the deadline passes; what was killed at first, and what is left.
    #[must_use]
    pub fn kill_members(&self, deadline: Instant) -> (Vec<u32>, Vec<u32>) {
        let first = self.members();
        let mut left = first.clone();
        while !left.is_empty() && Instant::now() < deadline {
            for pid in &left {
                // The handle comes before the look, so that no other process that gets the pid is killed.
                if let Ok(handle) = proc::open_pidfd(*pid)
                    && self.members().contains(pid)
                {
                    let _ = proc::signal(&handle, libc::SIGKILL, SignalTarget::Process);
                }
            }
            sleep(KILL_INTERVAL);
            left = self.members();
        }
        (first, left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_members_are_those_of_all_groups_but_what_systemd_runs_beside() {
        let root = tempfile::tempdir().expect("a directory");
        let unit = root.path().join("tetra-dev.service");
        for (group, pids) in [("", "7\n"), (LEAF, "3\n5\n"), ("tetra-1-2/deeper", "9\n"), (CONTROL, "11\n")] {
            fs::create_dir_all(unit.join(group)).expect("a group");
            fs::write(unit.join(group).join("cgroup.procs"), pids).expect("written");
        }
        let group = UnitGroup(unit);
        assert_eq!((group.members(), group.name()), (vec![3, 5, 7, 9], Some("tetra-dev.service")));
    }
}
