//! Where a program went: version managers keep each version of it in a folder of its own, and remove the old one.

use std::ffi::OsStr;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// A search path in which each folder of a version that is gone has become that of the newest version beside it. None if there is no
/// such folder.
pub(super) fn mended(search: &[u8]) -> Option<Vec<u8>> {
    let mut changed = false;
    let folders = search.split(|byte| *byte == b':').map(|folder| {
        let path = Path::new(OsStr::from_bytes(folder));
        match beside(path).filter(|_| path.is_absolute() && !path.exists()) {
            Some(found) => {
                changed = true;
                found.into_os_string().into_vec()
            }
            None => folder.to_vec(),
        }
    });
    let folders: Vec<Vec<u8>> = folders.collect();
    changed.then(|| folders.join(&b':'))
}

/// The same folder below the newest version beside the one that is gone: `versions/v18.1.0/bin` may be `versions/v20.2.0/bin`.
pub(super) fn beside(gone: &Path) -> Option<PathBuf> {
    let kept = gone.ancestors().find(|folder| folder.is_dir())?;
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
    fn a_folder_of_a_version_that_is_gone_becomes_that_of_the_newest() {
        let root = tempfile::tempdir().expect("a folder");
        for folder in ["n/v9.9.9/bin", "n/v20.2.0/bin", "n/v20.10.1/bin", "n/v22.0.0", "n/lts/bin"] {
            std::fs::create_dir_all(root.path().join(folder)).expect("a folder");
        }
        let at = |folder: &str| root.path().join(folder).display().to_string();
        let search = |folder: &str| ["/usr/bin", &at(folder), "bin"].join(":");
        assert_eq!(mended(search("n/v18.1.0/bin").as_bytes()), Some(search("n/v20.10.1/bin").into_bytes()));
        for folder in ["n/v20.2.0/bin", "n/old/bin", "m/v18.1.0/bin", "n/v18.1.0/sbin"] {
            assert_eq!(mended(search(folder).as_bytes()), None, "{folder}");
        }
    }
}
