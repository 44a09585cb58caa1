//! Where a program went: version managers keep each version of it in a directory of its own, and remove the old one.

use std::ffi::OsStr;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// A search path in which each directory of a version that is gone has become that of the newest version beside it. None if there is no
/// such directory.
pub(super) fn repair_search_path(search: &[u8]) -> Option<Vec<u8>> {
    let mut changed = false;
    let directories = search.split(|byte| *byte == b':').map(|directory| {
        let path = Path::new(OsStr::from_bytes(directory));
        match newer_version_dir(path).filter(|_| path.is_absolute() && !path.exists()) {
            Some(found) => {
                changed = true;
                found.into_os_string().into_vec()
            }
            None => directory.to_vec(),
        }
    });
    let directories: Vec<Vec<u8>> = directories.collect();
    changed.then(|| directories.join(&b':'))
}

/// The same directory below the newest version beside the one that is gone: `versions/v18.1.0/bin` may be `versions/v20.2.0/bin`.
pub(crate) fn newer_version_dir(gone: &Path) -> Option<PathBuf> {
    let kept = gone.ancestors().find(|directory| directory.is_dir())?;
    let mut rest = gone.strip_prefix(kept).ok()?.components();
    version(rest.next()?.as_os_str())?;
    let rest = rest.as_path();
    let others = kept.read_dir().ok()?.flatten();
    let found = others.filter_map(|other| Some((version(&other.file_name())?, other.path().join(rest))));
    found.filter(|(_, path)| path.is_dir()).max().map(|(_, path)| path)
}

/// The numbers of `v20.11.1` or `3.12`.
fn version(name: &OsStr) -> Option<Vec<u64>> {
    let name = name.to_str()?;
    name.strip_prefix('v').unwrap_or(name).split('.').map(|number| number.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_of_a_version_that_is_gone_becomes_that_of_the_newest() {
        let root = tempfile::tempdir().expect("a directory");
        for directory in ["n/v9.9.9/bin", "n/v20.2.0/bin", "n/v20.10.1/bin", "n/v22.0.0", "n/lts/bin"] {
            std::fs::create_dir_all(root.path().join(directory)).expect("a directory");
        }
        let at = |directory: &str| root.path().join(directory).display().to_string();
        let search = |directory: &str| ["/usr/bin", &at(directory), "bin"].join(":");
        assert_eq!(repair_search_path(search("n/v18.1.0/bin").as_bytes()), Some(search("n/v20.10.1/bin").into_bytes()));
        for directory in ["n/v20.2.0/bin", "n/old/bin", "m/v18.1.0/bin", "n/v18.1.0/sbin"] {
            assert_eq!(repair_search_path(search(directory).as_bytes()), None, "{directory}");
        }
    }
}
