//! A control group that limits the memory of one child and of all that it starts.
//!
//! Made below the supervisor's own memory group: of version 1 where the memory controller lives there, of version 2 where our group
//! may hand that controller down. A group that holds processes may not, unless it is the outermost; the scope of a session is
//! such a group, so beside it, in its slice, is tried too. A service is not left, for its unit ends and limits what is in it. Where
//! there is no group, the caller takes a weaker limit.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::cgroup::{Cgroup, MOUNTS, above, is_ours, name};
use super::limits::MemoryBy;
use super::worker::Worker;

/// The place of version 1's memory controller.
const OLD: &str = "/sys/fs/cgroup/memory";

/// The group of one process directory.
#[derive(Debug)]
pub(super) struct MemoryGroup {
    folder: PathBuf,
    version: Version,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    One,
    Two,
}

impl MemoryGroup {
    /// The group of the process directory `dir`, which may or may not be there; `None` where no memory is controlled.
    pub(super) fn of_directory(dir: &Path) -> Option<Self> {
        let found = fs::metadata(dir).ok()?;
        let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
        let (own, version) = place(&groups)?;
        let own = above(&own);
        let parent = match version {
            Version::Two => slice_of(&own).unwrap_or(&own),
            Version::One => &own,
        };
        Some(Self { folder: parent.join(name(&found)), version })
    }

    /// Makes the group of the process directory `dir` with this limit in bytes; `None` where that is not allowed.
    pub(super) fn make(dir: &Path, bytes: u64) -> Option<Self> {
        let group = Self::of_directory(dir)?;
        if group.version == Version::Two && !hands_down(group.folder.parent()?) {
            return None;
        }
        if !group.folder.is_dir() {
            fs::create_dir(&group.folder).ok()?;
        }
        if group.limit(&bytes.to_string()).is_err() {
            group.remove();
            return None;
        }
        if group.version == Version::Two {
            // What is killed for lack of memory ends as a whole; older kernels have no such file.
            let _ = fs::write(group.folder.join("memory.oom.group"), "1");
        }
        Some(group)
    }

    /// The group that a living child is in, if it is one of ours.
    pub(super) fn of_child(pid: u32) -> Option<Self> {
        let groups = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
        let (folder, version) = place(&groups)?;
        is_ours(folder.file_name()?).then_some(Self { folder, version })
    }

    /// Takes in a process, and with it all that it starts from now on.
    pub(super) fn take(&self, pid: u32) -> io::Result<()> {
        fs::write(self.folder.join("cgroup.procs"), pid.to_string())
    }

    /// The file that counts the kernel's kills for lack of memory.
    pub(super) fn counter(&self) -> PathBuf {
        self.folder.join(match self.version {
            Version::One => "memory.oom_control",
            Version::Two => "memory.events",
        })
    }

    /// Lifts the limit, if the group was left from before.
    pub(super) fn lift(&self) {
        // There is nothing to lift where there is no file.
        let _ = self.folder.is_dir().then(|| self.limit("max"));
    }

    /// Removes it, if it is empty.
    pub(super) fn remove(&self) {
        // One that holds a survivor stays as it is.
        let _ = fs::remove_dir(&self.folder);
    }

    fn limit(&self, value: &str) -> io::Result<()> {
        match self.version {
            Version::One => {
                fs::write(self.folder.join("memory.limit_in_bytes"), if value == "max" { "-1" } else { value })
            }
            Version::Two => fs::write(self.folder.join("memory.max"), value),
        }
    }
}

impl Worker {
    /// Decides what limits the memory of the life that begins.
    pub(super) fn limit_memory(&mut self) {
        let most = self.meta.run.limits.memory_max;
        self.memory_group = if most > 0 { MemoryGroup::make(&self.dir, most) } else { None };
        self.meta.life.memory_by = match self.memory_group {
            _ if most == 0 => MemoryBy::Nothing,
            Some(_) => MemoryBy::Group,
            None => MemoryBy::Data,
        };
        if most == 0
            && !self.fresh
            && let Some(old) = MemoryGroup::of_directory(&self.dir)
        {
            old.lift();
        }
    }

    /// Puts a child that stands before the gate into the group that limits its memory; where that is refused, it limits itself.
    pub(super) fn take_into_group(&mut self, pid: u32) {
        let Some(group) = &self.memory_group else { return };
        if group.take(pid).is_err() {
            group.remove();
            self.memory_group = None;
            self.meta.life.memory_by = MemoryBy::Data;
        } else if let Some(cgroup) = Cgroup::of_child(pid) {
            // Of version 2 it is the group for everything else, too.
            if let Some(before) = self.cgroup.replace(cgroup) {
                before.remove();
            }
        }
    }
}

/// Steps out of another process's memory group, when this supervisor was started from within it.
pub(super) fn leave_others() {
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    // Of version 2 it is the same group that is left for everything else.
    if let Some((own, Version::One)) = place(&groups)
        && above(&own) != own
    {
        // Refused, it stays there and shares that limit.
        let _ = fs::write(above(&own).join("cgroup.procs"), "0");
    }
}

/// The memory group that `/proc/PID/cgroup` names.
fn place(groups: &str) -> Option<(PathBuf, Version)> {
    let old = groups.lines().find_map(|line| {
        let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
        controllers.split(',').any(|it| it == "memory").then(|| Path::new(OLD).join(path.trim_start_matches('/')))
    });
    if let Some(old) = old {
        return Some((old, Version::One));
    }
    let path = groups.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let mount = MOUNTS.iter().find(|mount| Path::new(mount).join("cgroup.controllers").exists())?;
    Some((Path::new(mount).join(path), Version::Two))
}

/// The slice in which the scope of a session stands, if it already limits the memory of what is in it.
fn slice_of(group: &Path) -> Option<&Path> {
    let scope = group.extension().is_some_and(|kind| kind == "scope");
    group.parent().filter(|slice| scope && is_given(&slice.join(CONTROL)))
}

/// The file that says which controllers the groups below have.
const CONTROL: &str = "cgroup.subtree_control";

fn is_given(control: &Path) -> bool {
    fs::read_to_string(control).is_ok_and(|text| text.split_whitespace().any(|it| it == "memory"))
}

/// Whether groups below `parent` can have a limit of memory; lets them, if that is allowed.
fn hands_down(parent: &Path) -> bool {
    let control = parent.join(CONTROL);
    is_given(&control) || (fs::write(&control, "+memory").is_ok() && is_given(&control))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_old_controller_wins_where_it_has_the_memory() {
        let place = |text: &str| place(text).map(|(path, version)| (path.display().to_string(), version));
        let mixed = "9:name=systemd:/\n4:memory:/a/b\n1:cpu:/\n0::/x\n";
        assert_eq!(place(mixed), Some(("/sys/fs/cgroup/memory/a/b".to_owned(), Version::One)));
        let joined = "4:cpu,memory:/\n";
        assert_eq!(place(joined), Some(("/sys/fs/cgroup/memory/".to_owned(), Version::One)));
        assert_eq!(place("1:cpu:/\n"), None);
    }

    #[test]
    fn a_session_is_left_for_its_slice_and_a_service_is_not() {
        let root = tempfile::tempdir().expect("a folder");
        let slice = root.path().join("user-0.slice");
        let [scope, service] = ["session-4.scope", "tetra-dev.service"].map(|name| slice.join(name));
        for group in [&scope, &service] {
            fs::create_dir_all(group).expect("a group");
        }
        assert_eq!(slice_of(&scope), None, "the slice does not limit memory");
        fs::write(slice.join(CONTROL), "cpu memory pids\n").expect("written");
        assert_eq!(slice_of(&scope), Some(slice.as_path()));
        assert_eq!(slice_of(&service), None);
    }
}
