//! A control group that limits the memory of one child and of all that it starts.
//!
//! Made below the supervisor's own memory group: of version 1 where the memory controller lives there, of version 2 where our group
//! may hand that controller down. A group that holds processes may not, unless it is the outermost; then there is none, and
//! the caller takes a weaker limit.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::cgroup::{MOUNTS, PREFIX, above};

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
        Some(Self { folder: above(&own).join(format!("{PREFIX}{:x}-{:x}", found.dev(), found.ino())), version })
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
        let ours = folder.file_name()?.as_encoded_bytes().starts_with(PREFIX.as_bytes());
        ours.then_some(Self { folder, version })
    }

    /// Where a process writes `0` to enter.
    pub(super) fn door(&self) -> PathBuf {
        self.folder.join("cgroup.procs")
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

    fn limit(&self, value: &str) -> std::io::Result<()> {
        match self.version {
            Version::One => {
                fs::write(self.folder.join("memory.limit_in_bytes"), if value == "max" { "-1" } else { value })
            }
            Version::Two => fs::write(self.folder.join("memory.max"), value),
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

/// Whether groups below `parent` can have a limit of memory; lets them, if that is allowed.
fn hands_down(parent: &Path) -> bool {
    let control = parent.join("cgroup.subtree_control");
    let given = || fs::read_to_string(&control).is_ok_and(|text| text.split_whitespace().any(|it| it == "memory"));
    given() || (fs::write(&control, "+memory").is_ok() && given())
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
}
