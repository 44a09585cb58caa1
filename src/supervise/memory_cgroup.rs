//! A control group that limits the memory of one child and of all that it starts.
//!
//! Of version 1 it is made below the supervisor's own memory group. Of version 2 it is made in the unit that the supervisor is in, if
//! systemd delegated the groups of that unit (`Delegate=yes`; <https://systemd.io/CGROUP_DELEGATION>): all other groups have one
//! writer, systemd. A group that holds processes cannot hand a controller down, so those of the unit move into a leaf first. Where
//! there is no systemd, the supervisor's own group is tried. Where there is no group, the caller takes a weaker limit, or
//! launches the supervisor in a scope of its own ([`needs_scope`]).

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::cgroup::{V2_MOUNTS, is_ours, name, outside_ours};
use super::systemd_unit::{LEAF, delegated_ancestor, unit_of_group};

/// The place of version 1's memory controller.
const V1_MOUNT: &str = "/sys/fs/cgroup/memory";

/// The group of one process directory.
#[derive(Debug)]
pub(super) struct MemoryCgroup {
    path: PathBuf,
    version: CgroupVersion,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CgroupVersion {
    V1,
    V2,
}

impl MemoryCgroup {
    /// The group of the process directory `dir`, which may or may not be there; `None` where no memory is controlled.
    pub(super) fn of_directory(dir: &Path) -> Option<Self> {
        let found = fs::metadata(dir).ok()?;
        let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
        let (own, version) = own_group(&groups)?;
        let own = outside_ours(&own);
        let parent = match version {
            CgroupVersion::V2 => delegated_ancestor(&own)?,
            CgroupVersion::V1 => &own,
        };
        Some(Self { path: parent.join(name(&found)), version })
    }

    /// Makes the group of the process directory `dir` with this limit in bytes; `None` where that is not allowed.
    pub(super) fn create(dir: &Path, bytes: u64) -> Option<Self> {
        let group = Self::of_directory(dir)?;
        if group.version == CgroupVersion::V2 && !delegate_memory(group.path.parent()?) {
            return None;
        }
        if !group.path.is_dir() {
            fs::create_dir(&group.path).ok()?;
        }
        if group.limit(&bytes.to_string()).is_err() {
            group.remove();
            return None;
        }
        if group.version == CgroupVersion::V2 {
            // What is killed for lack of memory ends as a whole; older kernels have no such file.
            let _ = fs::write(group.path.join("memory.oom.group"), "1");
        }
        Some(group)
    }

    /// The group that a living child is in, if it is one of ours.
    pub(super) fn of_child(pid: u32) -> Option<Self> {
        let groups = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
        let (directory, version) = own_group(&groups)?;
        is_ours(directory.file_name()?).then_some(Self { path: directory, version })
    }

    /// Takes in a process, and with it all that it starts from now on.
    pub(super) fn add_process(&self, pid: u32) -> io::Result<()> {
        fs::write(self.path.join("cgroup.procs"), pid.to_string())
    }

    /// The file that counts the kernel's kills for lack of memory.
    pub(super) fn oom_counter_path(&self) -> PathBuf {
        self.path.join(match self.version {
            CgroupVersion::V1 => "memory.oom_control",
            CgroupVersion::V2 => "memory.events",
        })
    }

    /// Lifts the limit, if the group was left from before.
    pub(super) fn remove_limit(&self) {
        // There is nothing to lift where there is no file.
        let _ = self.path.is_dir().then(|| self.limit("max"));
    }

    /// Removes it, if it is empty.
    pub(super) fn remove(&self) {
        // One that holds a survivor stays as it is.
        let _ = fs::remove_dir(&self.path);
    }

    fn limit(&self, value: &str) -> io::Result<()> {
        match self.version {
            CgroupVersion::V1 => {
                fs::write(self.path.join("memory.limit_in_bytes"), if value == "max" { "-1" } else { value })
            }
            CgroupVersion::V2 => fs::write(self.path.join("memory.max"), value),
        }
    }
}

/// Steps out of another process's memory group, when this supervisor was started from within it.
pub(super) fn leave_other_groups() {
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    // Of version 2 it is the same group that is left for everything else.
    if let Some((own, CgroupVersion::V1)) = own_group(&groups)
        && outside_ours(&own) != own
    {
        // Refused, it stays there and shares that limit.
        let _ = fs::write(outside_ours(&own).join("cgroup.procs"), "0");
    }
}

/// The memory group that `/proc/PID/cgroup` names.
fn own_group(groups: &str) -> Option<(PathBuf, CgroupVersion)> {
    let old = groups.lines().find_map(|line| {
        let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
        controllers.split(',').any(|it| it == "memory").then(|| Path::new(V1_MOUNT).join(path.trim_start_matches('/')))
    });
    if let Some(old) = old {
        return Some((old, CgroupVersion::V1));
    }
    let path = groups.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let mount = V2_MOUNTS.iter().find(|mount| Path::new(mount).join("cgroup.controllers").exists())?;
    Some((Path::new(mount).join(path), CgroupVersion::V2))
}

/// True where a limit of memory needs a control group that only systemd may make: in a unit whose groups are not delegated.
#[must_use]
pub fn needs_scope() -> bool {
    let place = fs::read_to_string("/proc/self/cgroup").ok().and_then(|groups| own_group(&groups));
    place
        .is_some_and(|(own, version)| version == CgroupVersion::V2 && delegated_ancestor(&outside_ours(&own)).is_none())
}

/// The file that says which controllers the groups below have.
const SUBTREE_CONTROL: &str = "cgroup.subtree_control";

fn has_memory_controller(control: &Path) -> bool {
    fs::read_to_string(control).is_ok_and(|text| text.split_whitespace().any(|it| it == "memory"))
}

/// Whether groups below `parent` can have a limit of memory; lets them, if that is allowed.
fn delegate_memory(parent: &Path) -> bool {
    let control = parent.join(SUBTREE_CONTROL);
    for _ in 0..MAX_ATTEMPTS {
        if has_memory_controller(&control) {
            return true;
        }
        match fs::write(&control, "+memory") {
            Ok(()) => {}
            Err(error) if error.raw_os_error() == Some(libc::EBUSY) && unit_of_group(parent) == Some(parent) => {
                if move_processes_to_leaf(parent).is_err() {
                    return false;
                }
            }
            Err(_) => return false,
        }
    }
    has_memory_controller(&control)
}

/// Takes the controller back from the groups below the unit that this process is in, and with it their limits, so that systemd can
/// start the next main process in the unit: a group that hands controllers down takes no processes. [`limit_again`] undoes it.
pub fn hand_back_unit() {
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    if let Some((own, CgroupVersion::V2)) = own_group(&groups)
        && let Some(unit) = unit_of_group(&own).filter(|unit| has_memory_controller(&unit.join(SUBTREE_CONTROL)))
    {
        // Where it is refused, systemd says so when it starts the unit.
        let _ = fs::write(unit.join(SUBTREE_CONTROL), "-memory");
    }
}

/// Gives the group of the process directory `dir`, if there is one, its limit in bytes again.
pub fn limit_again(dir: &Path, bytes: u64) {
    if MemoryCgroup::of_directory(dir).is_some_and(|group| group.path.is_dir()) {
        let _ = MemoryCgroup::create(dir, bytes);
    }
}

/// How often the processes of a unit are moved: others may be started meanwhile.
const MAX_ATTEMPTS: u32 = 10;

/// Moves the processes of a unit itself one level down.
fn move_processes_to_leaf(unit: &Path) -> io::Result<()> {
    let leaf = unit.join(LEAF);
    match fs::create_dir(&leaf) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        Ok(()) | Err(_) => {}
    }
    for pid in fs::read_to_string(unit.join("cgroup.procs"))?.lines() {
        match fs::write(leaf.join("cgroup.procs"), pid) {
            // It ended meanwhile.
            Err(error) if error.raw_os_error() != Some(libc::ESRCH) => return Err(error),
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_old_controller_wins_where_it_has_the_memory() {
        let place = |text: &str| own_group(text).map(|(path, version)| (path.display().to_string(), version));
        let mixed = "9:name=systemd:/\n4:memory:/a/b\n1:cpu:/\n0::/x\n";
        assert_eq!(place(mixed), Some(("/sys/fs/cgroup/memory/a/b".to_owned(), CgroupVersion::V1)));
        let joined = "4:cpu,memory:/\n";
        assert_eq!(place(joined), Some(("/sys/fs/cgroup/memory/".to_owned(), CgroupVersion::V1)));
        assert_eq!(place("1:cpu:/\n"), None);
    }

    #[test]
    fn the_processes_of_a_unit_are_moved_into_its_leaf() {
        let root = tempfile::tempdir().expect("a directory");
        let unit = root.path().join("tetra.service");
        fs::create_dir_all(unit.join(LEAF)).expect("a group");
        fs::write(unit.join("cgroup.procs"), "17\n18\n").expect("written");
        move_processes_to_leaf(&unit).expect("moved");
        // In a real group each write moves one process.
        assert_eq!(fs::read_to_string(unit.join(LEAF).join("cgroup.procs")).expect("moved"), "18");
    }
}
