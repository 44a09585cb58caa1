//! The systemd unit that starts everything after a boot.

use std::path::Path;

use super::Finding;
use super::places::entries;
use crate::sys::kernel;

const CHECK: &str = "unit";

/// Whether a unit of ours is installed and enabled.
#[must_use]
pub fn unit(folders: &[&Path]) -> Finding {
    let is_ours = |path: &Path| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.starts_with("tetra") && name.ends_with(".service")
    };
    let found: Vec<_> = folders.iter().flat_map(|folder| entries(folder)).filter(|path| is_ours(path)).collect();
    let [first, ..] = found.as_slice() else {
        return match kernel::runs_systemd() {
            true => Finding::warning(CHECK, "no unit is installed: after a boot nothing is started")
                .advise("tetra daemon install"),
            false => Finding::good(CHECK, "systemd does not run here, and no unit is installed"),
        };
    };
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

#[cfg(test)]
mod tests {
    use super::super::Grade;
    use super::*;

    #[test]
    fn a_unit_counts_when_it_is_wanted() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("tetra-dev.service"), "").expect("a unit");
        assert_eq!(unit(&[folder.path()]).grade, Grade::Warning);
        let wants = folder.path().join("multi-user.target.wants");
        std::fs::create_dir(&wants).expect("a folder");
        std::os::unix::fs::symlink("../tetra-dev.service", wants.join("tetra-dev.service")).expect("a link");
        assert_eq!(unit(&[folder.path()]).grade, Grade::Good);
    }
}
