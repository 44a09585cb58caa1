//! Files that are whole or absent: temp, sync, rename; private modes.

use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Replaces a file with whole new contents and the given mode. Readers see the old or the new file, also after a power cut.
///
/// # Errors
///
/// Fails if the folder does not exist or cannot be written. The old file is then as it was.
pub fn replace(path: &Path, contents: &[u8], mode: u32) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    let mut file =
        tempfile::Builder::new().prefix(".tetra-").permissions(Permissions::from_mode(mode)).tempfile_in(folder)?;
    file.write_all(contents)?;
    // The mode above went through the umask.
    file.as_file().set_permissions(Permissions::from_mode(mode))?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    File::open(folder)?.sync_all()
}

/// Makes a folder and those above it; one that exists is left alone.
///
/// # Errors
///
/// Fails if one of them cannot be made.
pub fn make_folder(path: &Path, mode: u32) -> io::Result<()> {
    if let Some(above) = path.parent() {
        fs::create_dir_all(above)?;
    }
    match fs::create_dir(path) {
        Ok(()) => fs::set_permissions(path, Permissions::from_mode(mode)),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaces_a_file_whole_and_with_its_mode() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("context");
        for contents in ["old and long", "new"] {
            replace(&path, contents.as_bytes(), 0o600).expect("it is written");
            assert_eq!(fs::read_to_string(&path).expect("it is there"), contents);
        }
        let mode = fs::metadata(&path).expect("it is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1, "nothing is left beside it");
    }

    #[test]
    fn a_folder_has_its_mode_from_the_start_and_keeps_a_later_one() {
        let above = tempfile::tempdir().expect("a folder");
        let path = above.path().join("a/b");
        make_folder(&path, 0o700).expect("it is made");
        fs::set_permissions(&path, Permissions::from_mode(0o750)).expect("ours");
        make_folder(&path, 0o700).expect("it is there");
        assert_eq!(fs::metadata(&path).expect("it is there").permissions().mode() & 0o777, 0o750);
    }
}
