//! Programs as files: found along a search path, allowed to run or not.

use std::path::{Path, PathBuf};

use nix::unistd::{AccessFlags, access};

use crate::disk;

/// True if `path` is a file that we may execute.
#[must_use]
pub fn is_executable(path: &Path) -> bool {
    path.is_file() && access(path, AccessFlags::X_OK).is_ok()
}

/// The first executable of this name in the directories of a search path. Relative directories start from `cwd`.
#[must_use]
pub fn find(name: &str, search: &str, cwd: &Path) -> Option<PathBuf> {
    if name.is_empty() || name.contains('/') {
        return None;
    }
    std::env::split_paths(search).map(|directory| cwd.join(directory).join(name)).find(|path| is_executable(path))
}

/// The interpreter line of a script: the program and what follows it; `None` if it has none.
#[must_use]
pub fn shebang(path: &Path) -> Option<(String, Option<String>)> {
    use std::io::Read;

    let mut head = Vec::new();
    // The kernel reads no further either.
    disk::user_file().open(path).ok()?.take(256).read_to_end(&mut head).ok()?;
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
        let directory = tempfile::tempdir().expect("a directory");
        for (name, mode) in [("a/tool", 0o644), ("b/tool", 0o755), ("c/tool", 0o755)] {
            let path = directory.path().join(name);
            fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
            fs::write(&path, "").expect("a file");
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("a mode");
        }
        fs::create_dir_all(directory.path().join("a/sub")).expect("a directory");
        let found = |name| find(name, "a:b:c", directory.path());
        assert_eq!(found("tool"), Some(directory.path().join("b/tool")));
        assert_eq!(found("sub"), None, "a directory is not a program");
        assert_eq!(found("b/tool"), None, "a path is not searched for");
        assert_eq!(found("none"), None);
    }

    #[test]
    fn reads_the_interpreter_line() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("x");
        for (text, expected) in [
            ("#!/bin/sh\necho", Some(("/bin/sh", None))),
            ("#! /usr/bin/env  -S node --x\n", Some(("/usr/bin/env", Some("-S node --x")))),
            ("echo\n", None),
            ("#!\n", None),
            ("", None),
        ] {
            fs::write(&path, text).expect("a file");
            let expected = expected.map(|(program, rest)| (program.to_owned(), rest.map(str::to_owned)));
            assert_eq!(shebang(&path), expected, "{text:?}");
        }
    }
}
