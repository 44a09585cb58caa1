//! The systemd unit that starts everything after a boot.

use std::path::Path;

use super::Finding;
use super::places::entries;
use crate::sys::kernel;
use crate::sys::systemd::Unit;

const CHECK: &str = "unit";

/// Whether a unit of ours is installed, enabled, and not failing.
#[must_use]
pub fn unit(folders: &[&Path], ask: impl Fn(&str) -> Option<Unit>) -> Finding {
    let found: Vec<_> = folders.iter().flat_map(|folder| entries(folder)).filter(|path| is_ours(path)).collect();
    let [first, ..] = found.as_slice() else {
        return match kernel::runs_systemd() {
            true => Finding::warning(CHECK, "no unit is installed: after a boot nothing is started")
                .advise("tetra daemon install"),
            false => Finding::good(CHECK, "systemd does not run here, and no unit is installed"),
        };
    };
    if let Some(unit) = found.iter().filter_map(|path| ask(file_name(path))).find(Unit::is_failing) {
        return failing(&unit);
    }
    let enabled = folders.iter().flat_map(|folder| entries(folder)).any(|folder| {
        let wants = folder.extension().is_some_and(|ending| ending == "wants" || ending == "requires");
        wants && entries(&folder).iter().any(|link| is_ours(link))
    });
    let shown = first.display();
    if enabled {
        Finding::good(CHECK, format!("`{shown}` is installed and enabled"))
    } else {
        let message = format!("`{shown}` is installed and not enabled: after a boot nothing is started");
        Finding::warning(CHECK, message).advise("tetra daemon enable")
    }
}

fn file_name(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).unwrap_or_default()
}

fn is_ours(path: &Path) -> bool {
    let name = file_name(path);
    name.starts_with("tetra") && name.ends_with(".service")
}

fn failing(unit: &Unit) -> Finding {
    let Unit { name, result, restarts, .. } = unit;
    let again = match restarts {
        0 => String::new(),
        restarts => format!(", after systemd restarted it {restarts} times"),
    };
    let state = if unit.active == "failed" { "has failed" } else { "fails and is restarted again and again" };
    Finding::error(CHECK, format!("`{name}` {state} (result: {result}){again}"))
        .advise(format!("`journalctl -u {name} -n 30` shows why"))
}

#[cfg(test)]
mod tests {
    use super::super::Grade;
    use super::*;

    #[test]
    fn a_unit_counts_when_it_is_wanted() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("tetra-dev.service"), "").expect("a unit");
        assert_eq!(unit(&[folder.path()], |_| None).grade, Grade::Warning);
        let wants = folder.path().join("multi-user.target.wants");
        std::fs::create_dir(&wants).expect("a folder");
        std::os::unix::fs::symlink("../tetra-dev.service", wants.join("tetra-dev.service")).expect("a link");
        assert_eq!(unit(&[folder.path()], |_| None).grade, Grade::Good);
    }

    #[test]
    fn a_unit_that_fails_again_and_again_is_an_error() {
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["tetra-dev.service", "other.service"] {
            std::fs::write(folder.path().join(name), "").expect("a unit");
        }
        let looping = |name: &str| {
            assert_eq!(name, "tetra-dev.service");
            let (active, sub) = ("activating".to_owned(), "auto-restart".to_owned());
            Some(Unit {
                name: name.to_owned(),
                active,
                sub,
                result: "exit-code".to_owned(),
                restarts: 7,
                ..Unit::default()
            })
        };
        let found = unit(&[folder.path()], looping);
        assert_eq!(found.grade, Grade::Error);
        assert!(found.message.contains("restarted it 7 times"), "{}", found.message);
        let running = |name: &str| {
            let (active, sub) = ("active".to_owned(), "running".to_owned());
            Some(Unit { name: name.to_owned(), active, sub, ..Unit::default() })
        };
        assert_ne!(unit(&[folder.path()], running).grade, Grade::Error);
    }
}
