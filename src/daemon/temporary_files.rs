//! The temporary files of a unit that keeps them over a crash of its daemon: gone after a stop, as those of other units are.

use std::fs;
use std::path::{Component, Path};

use crate::sys::file::FileError;
use crate::sys::host::Host;

/// Where systemd keeps the directory that is `/tmp` in a unit of ours.
const CACHES: &str = "/var/cache";

/// Empties the directory that is `/tmp` in the unit of this process. Does nothing in a unit that has none of its own, for only
/// systemd sets `CACHE_DIRECTORY`.
///
/// # Errors
///
/// Fails if something in it cannot be removed; the rest is.
pub fn clear(host: &dyn Host) -> Result<(), FileError> {
    let Some(dir) = host.variable("CACHE_DIRECTORY").map(Path::new).filter(|dir| is_of_unit(dir)) else {
        return Ok(());
    };
    let mut result = Ok(());
    for entry in fs::read_dir(dir).map_err(FileError::io("list", dir))?.flatten() {
        let path = entry.path();
        // A link is removed, and not what it leads to.
        let is_dir = entry.file_type().is_ok_and(|kind| kind.is_dir());
        let removed = if is_dir { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        result = result.and(removed.map_err(FileError::io("remove", &path)));
    }
    result
}

/// True for a directory right below that of the caches, of a name that our units have.
fn is_of_unit(dir: &Path) -> bool {
    let is_plain = dir.components().all(|part| matches!(part, Component::RootDir | Component::Normal(_)));
    let name = dir.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    is_plain && dir.parent() == Some(Path::new(CACHES)) && name.starts_with("tetra")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_directory_of_our_own_is_emptied() {
        for (dir, expected) in [
            ("/var/cache/tetra-staging", true),
            ("/var/cache/tetra", true),
            ("/var/cache", false),
            ("/var/cache/apt", false),
            ("/var/cache/tetra/../apt", false),
            ("/tmp/tetra", false),
            ("tetra", false),
        ] {
            assert_eq!(is_of_unit(Path::new(dir)), expected, "{dir}");
        }
    }
}
