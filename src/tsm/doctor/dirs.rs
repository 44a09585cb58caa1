//! Directories and their permissions.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::{Finding, Fix, or_ok};
use crate::base::sort::SortExt;
use crate::sys::paths::Paths;
use crate::sys::{disk_space, net, process};

/// The directories are there, are directories, and can be written.
#[must_use]
pub fn directories(paths: &Paths) -> Vec<Finding> {
    const CHECK: &str = "directories";
    let home = paths.home();
    if !home.exists() {
        let message = format!("`{}` does not exist: tetra is not set up", home.display());
        return vec![
            Finding::error(CHECK, message).with_advice("tetra setup").fix(Fix::CreateDirectory(home.to_owned())),
        ];
    }
    let all = [
        home.to_owned(),
        paths.tsm(),
        paths.runtime(),
        paths.processes(),
        paths.services_available(),
        paths.services_enabled(),
        paths.logs(),
    ];
    let mut findings = Vec::new();
    for dir in all {
        let shown = dir.display();
        match fs::metadata(&dir) {
            Ok(found) if !found.is_dir() => {
                findings
                    .push(Finding::error(CHECK, format!("`{shown}` is not a directory")).with_advice("move it away"));
            }
            Ok(_) if !disk_space::is_writable(&dir) => {
                let advice = format!("run the command as {}, or change the owner", owner(&dir));
                findings.push(Finding::error(CHECK, format!("`{shown}` is not writable")).with_advice(advice));
            }
            Ok(_) => {}
            // It is created by what needs it.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => findings.push(Finding::error(CHECK, format!("failed to inspect `{shown}`: {error}"))),
        }
    }
    or_ok(findings, CHECK, format!("`{}` and its subdirectories are writable", home.display()))
}

/// Private directories are closed, and nothing can be changed by others.
#[must_use]
pub fn permissions(paths: &Paths) -> Vec<Finding> {
    const CHECK: &str = "permissions";
    let mut findings = Vec::new();
    let mut private = vec![paths.runtime(), paths.keys()];
    let orgs = fs::read_dir(paths.orgs()).into_iter().flatten().flatten();
    private.extend(orgs.map(|org| org.path().join("secrets")));
    for dir in private {
        if let Some(mode) = mode(&dir).filter(|mode| mode & 0o077 != 0) {
            findings.push(open(CHECK, &dir, mode, "must be private and is accessible by others", 0o700));
        }
    }
    let shared = [paths.home().to_owned(), paths.tsm(), paths.ports(), paths.services_available(), paths.audit()];
    for path in shared {
        if let Some(mode) = mode(&path).filter(|mode| mode & 0o022 != 0) {
            findings.push(open(CHECK, &path, mode, "is writable by others", mode & !0o022));
        }
    }
    or_ok(findings, CHECK, "private directories are closed to other users")
}

/// What is too open; it can be closed by its owner alone.
pub(super) fn open(check: &'static str, path: &Path, mode: u32, what: &str, wanted: u32) -> Finding {
    let finding = Finding::error(check, format!("`{}` {what} (mode {mode:04o})", path.display()));
    let finding = finding.with_advice(format!("chmod {wanted:04o} {}", path.display()));
    let ours = fs::metadata(path).is_ok_and(|it| it.uid() == process::own_uid());
    if ours { finding.fix(Fix::SetMode(path.to_owned(), wanted)) } else { finding }
}

pub(super) fn mode(path: &Path) -> Option<u32> {
    fs::metadata(path).ok().map(|found| found.mode() & 0o7777)
}

fn owner(path: &Path) -> String {
    fs::metadata(path).map_or_else(|_| "its owner".to_owned(), |found| net::user_name(found.uid()))
}

/// Entries of a directory, by name; none if it is not there.
pub(super) fn entries(dir: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(dir).into_iter().flatten().flatten().map(|it| it.path()).collect();
    found.order();
    found
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::super::CheckStatus;
    use super::*;

    #[test]
    fn a_home_that_is_not_there_is_an_error_and_a_fresh_one_is_well() {
        let dir = tempfile::tempdir().expect("a directory");
        let paths = Paths::under(dir.path());
        assert_eq!(directories(&paths)[0].status, CheckStatus::Error);
        fs::create_dir_all(paths.home()).expect("a directory");
        assert_eq!(directories(&paths)[0].status, CheckStatus::Ok);
        fs::write(paths.tsm(), "").expect("a file");
        assert!(directories(&paths)[0].message.contains("is not a directory"));
    }

    #[test]
    fn an_open_private_directory_is_found_with_its_cure() {
        let dir = tempfile::tempdir().expect("a directory");
        let paths = Paths::under(dir.path());
        fs::create_dir_all(paths.runtime()).expect("a directory");
        fs::set_permissions(paths.runtime(), fs::Permissions::from_mode(0o755)).expect("a mode");
        let found = permissions(&paths);
        assert_eq!(found[0].with_fix, Some(Fix::SetMode(paths.runtime(), 0o700)));
        fs::set_permissions(paths.runtime(), fs::Permissions::from_mode(0o700)).expect("a mode");
        assert_eq!(permissions(&paths)[0].status, CheckStatus::Ok);
    }
}
