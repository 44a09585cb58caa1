//! Programs as files: found along a search path, allowed to run or not.

use std::path::{Path, PathBuf};

use nix::unistd::{AccessFlags, access};

use crate::disk;

/// True if `path` is a file that we may execute.
#[must_use]
pub fn is_executable(path: &Path) -> bool {
    path.is_file() && access(path, AccessFlags::X_OK).is_ok()
}

/// The first executable of this name in the folders of a search path. Relative folders start from `cwd`.
#[must_use]
pub fn find(name: &str, search: &str, cwd: &Path) -> Option<PathBuf> {
    if name.is_empty() || name.contains('/') {
        return None;
    }
    std::env::split_paths(search).map(|folder| cwd.join(folder).join(name)).find(|path| is_executable(path))
}

/// The interpreter line of a script: the program and what stands behind it; `None` if it has none.
#[must_use]
pub fn interpreter_line(path: &Path) -> Option<(String, Option<String>)> {
    use std::io::Read;

    let mut head = Vec::new();
    // The kernel reads no further either.
    disk::given().open(path).ok()?.take(256).read_to_end(&mut head).ok()?;
    let line = head.strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()?;
    let line = std::str::from_utf8(line).ok()?.trim();
    match line.split_once([' ', '\t']) {
        Some((program, rest)) => Some((program.to_owned(), Some(rest.trim().to_owned()))),
        None if line.is_empty() => None,
        None => Some((line.to_owned(), None)),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn only_executable_files_are_found_and_in_order() {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, mode) in [("a/tool", 0o644), ("b/tool", 0o755), ("c/tool", 0o755)] {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            fs::write(&path, "").expect("a file");
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("a mode");
        }
        fs::create_dir_all(folder.path().join("a/sub")).expect("a folder");
        let found = |name| find(name, "a:b:c", folder.path());
        assert_eq!(found("tool"), Some(folder.path().join("b/tool")));
        assert_eq!(found("sub"), None, "a folder is no program");
        assert_eq!(found("b/tool"), None, "a path is not searched for");
        assert_eq!(found("none"), None);
    }

    #[test]
    fn reads_the_interpreter_line() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("x");
        for (text, expected) in [
            ("#!/bin/sh\necho", Some(("/bin/sh", None))),
            ("#! /usr/bin/env  -S node --x\n", Some(("/usr/bin/env", Some("-S node --x")))),
            ("echo\n", None),
            ("#!\n", None),
            ("", None),
        ] {
            fs::write(&path, text).expect("a file");
            let expected = expected.map(|(program, rest)| (program.to_owned(), rest.map(str::to_owned)));
            assert_eq!(interpreter_line(&path), expected, "{text:?}");
        }
    }
}
