//! The unit of systemd that a process is in: whether groups may be made in it, and whether systemd stops it.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

/// How the names of scopes begin that are made for supervisors.
pub const SCOPE_PREFIX: &str = "tetra-";

/// How they end.
pub const SCOPE_SUFFIX: &str = ".scope";

/// The group that the processes of a delegated unit are moved into.
pub(super) const LEAF: &str = "supervisor";

/// The innermost unit that the group `own` is in; `None` outside of systemd.
pub(super) fn unit_of_group(own: &Path) -> Option<&Path> {
    own.ancestors().find(|group| group.extension().is_some_and(|kind| kind == "service" || kind == "scope"))
}

/// The group at or above `own` in which groups may be made: the unit, if it is delegated; outside of any unit `own` itself.
/// All other groups have one writer, systemd (<https://systemd.io/CGROUP_DELEGATION>).
pub(super) fn delegated_ancestor(own: &Path) -> Option<&Path> {
    delegated_ancestor_by(own, is_delegated)
}

fn delegated_ancestor_by(own: &Path, is_delegated: impl Fn(&Path) -> bool) -> Option<&Path> {
    match unit_of_group(own) {
        Some(unit) => is_delegated(unit).then_some(unit),
        None => Some(own),
    }
}

/// True if systemd delegated the groups below. It says so twice: `user.` can be read by everybody, `trusted.` is older. The manager
/// of a user (252) says it nowhere; a scope of ours was asked for with delegation, and in a unit that has a leaf for supervisors the
/// daemon asked for it ([`super::unit_group::enter_leaf`]).
fn is_delegated(unit: &Path) -> bool {
    let is_own_scope = unit
        .file_name()
        .and_then(OsStr::to_str)
        .is_some_and(|name| name.strip_prefix(SCOPE_PREFIX).is_some_and(|rest| rest.ends_with(SCOPE_SUFFIX)));
    is_own_scope
        || unit.join(LEAF).is_dir()
        || ["user.delegate", "trusted.delegate"].iter().any(|name| {
            let mut value = [0; 1];
            rustix::fs::getxattr(unit, *name, &mut value).is_ok() && value == *b"1"
        })
}

/// The unit of a process, as a path below the root of the groups.
fn unit_of_process(process: &str) -> Option<PathBuf> {
    let groups = fs::read_to_string(format!("/proc/{process}/cgroup")).ok()?;
    unit_of_group(Path::new(group_of_systemd(&groups)?)).map(Path::to_owned)
}

/// The group of version 2, or that of version 1 that systemd keeps for itself.
fn group_of_systemd(groups: &str) -> Option<&str> {
    let path = |mark: &str| groups.lines().find_map(|line| Some(line.split_once(mark)?.1));
    path(":name=systemd:").or_else(|| path("0::"))
}

/// True if this process and `child` are in one unit, all processes of which systemd ends together.
pub(super) fn is_shared_with(child: u32) -> bool {
    let own = unit_of_process("self");
    own.is_some() && own == unit_of_process(&child.to_string())
}

/// True if this process is in a unit.
pub(super) fn is_in_unit() -> bool {
    unit_of_process("self").is_some()
}

/// True for the process that sends SIGTERM when a unit is stopped: the first one, or the manager of a user.
pub(super) fn is_service_manager(pid: u32) -> bool {
    let is_systemd = || fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name.trim_end() == "systemd");
    pid == 1 || pid != 0 && is_systemd()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_made_only_in_a_unit_that_is_delegated() {
        let root = Path::new("/sys/fs/cgroup");
        let delegated =
            |unit: &Path| ["user@1000.service", "tetra-dev.service"].iter().any(|name| unit.ends_with(name));
        let user = "user.slice/user-1000.slice";
        for (own, expected) in [
            // Delegated to the manager of the user, who does not delegate the unit.
            (format!("{user}/user@1000.service/app.slice/web.service"), None),
            (format!("{user}/session-4.scope"), None),
            ("system.slice/ssh.service".to_owned(), None),
            ("system.slice/tetra-dev.service".to_owned(), Some("system.slice/tetra-dev.service")),
            ("system.slice/tetra-dev.service/supervisor".to_owned(), Some("system.slice/tetra-dev.service")),
            // Without systemd.
            ("box".to_owned(), Some("box")),
        ] {
            let own = root.join(own);
            let expected = expected.map(|it| root.join(it));
            assert_eq!(delegated_ancestor_by(&own, delegated), expected.as_deref(), "{}", own.display());
        }
    }

    #[test]
    fn a_scope_of_ours_is_delegated_though_nothing_says_so() {
        let slice = Path::new("/sys/fs/cgroup/nowhere/app.slice");
        assert!(is_delegated(&slice.join("tetra-web-3000-1a2b3c4d.scope")));
        for other in ["session-4.scope", "tetra-dev.service", "app-tetra.scope"] {
            assert!(!is_delegated(&slice.join(other)), "{other}");
        }
    }

    #[test]
    fn a_unit_with_a_leaf_is_delegated_and_one_with_other_groups_is_not() {
        let slice = tempfile::tempdir().expect("a directory");
        let unit = slice.path().join("tetra-dev.service");
        fs::create_dir_all(unit.join(".control")).expect("a group");
        assert_eq!(delegated_ancestor(&unit), None);
        fs::create_dir(unit.join(LEAF)).expect("a group");
        for own in [unit.clone(), unit.join(LEAF), unit.join("tetra-1-2")] {
            assert_eq!(delegated_ancestor(&own), Some(unit.as_path()), "{}", own.display());
        }
    }

    #[test]
    fn the_unit_is_that_of_systemd_in_each_version() {
        let unit = |groups: &str| {
            let group = group_of_systemd(groups).map(PathBuf::from);
            group.as_deref().and_then(unit_of_group).map(|unit| unit.display().to_string())
        };
        assert_eq!(unit("0::/system.slice/a.service/tetra-1-2\n").as_deref(), Some("/system.slice/a.service"));
        let both = "9:memory:/b.service\n1:name=systemd:/system.slice/a.service\n0::/\n";
        assert_eq!(unit(both).as_deref(), Some("/system.slice/a.service"));
        assert_eq!(unit("0::/\n"), None);
    }
}
