//! Folders and their permissions.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::{Finding, Mend, or_good};
use crate::sys::paths::Paths;
use crate::sys::{net, process, room};

/// The folders are there, are folders, and can be written.
#[must_use]
pub fn directories(paths: &Paths) -> Vec<Finding> {
    const CHECK: &str = "directories";
    let home = paths.home();
    if !home.exists() {
        let message = format!("`{}` is not there: nothing is set up", home.display());
        return vec![Finding::error(CHECK, message).advise("tetra setup").mend(Mend::Make(home.to_owned()))];
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
    for folder in all {
        let shown = folder.display();
        match fs::metadata(&folder) {
            Ok(found) if !found.is_dir() => {
                findings.push(Finding::error(CHECK, format!("`{shown}` is no folder")).advise("move it away"));
            }
            Ok(_) if !room::is_writable(&folder) => {
                let advice = format!("act as {}, or chown it", owner(&folder));
                findings.push(Finding::error(CHECK, format!("`{shown}` cannot be written")).advise(advice));
            }
            Ok(_) => {}
            // Whoever needs it makes it.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => findings.push(Finding::error(CHECK, format!("`{shown}` cannot be looked at: {error}"))),
        }
    }
    or_good(findings, CHECK, format!("`{}` and the folders below it can be written", home.display()))
}

/// Private folders are closed, and nothing can be changed by others.
#[must_use]
pub fn permissions(paths: &Paths) -> Vec<Finding> {
    const CHECK: &str = "permissions";
    let mut findings = Vec::new();
    let mut private = vec![paths.runtime(), paths.keys()];
    let orgs = fs::read_dir(paths.orgs()).into_iter().flatten().flatten();
    private.extend(orgs.map(|org| org.path().join("secrets")));
    for folder in private {
        if let Some(mode) = mode(&folder).filter(|mode| mode & 0o077 != 0) {
            findings.push(open(CHECK, &folder, mode, "is private and open to others", 0o700));
        }
    }
    let shared = [paths.home().to_owned(), paths.tsm(), paths.ports(), paths.services_available(), paths.audit()];
    for path in shared {
        if let Some(mode) = mode(&path).filter(|mode| mode & 0o022 != 0) {
            findings.push(open(CHECK, &path, mode, "can be changed by others", mode & !0o022));
        }
    }
    or_good(findings, CHECK, "private folders are closed, and others can change nothing")
}

/// What is too open; it can be closed by its owner alone.
pub(super) fn open(check: &'static str, path: &Path, mode: u32, what: &str, wanted: u32) -> Finding {
    let finding = Finding::error(check, format!("`{}` {what} (mode {mode:04o})", path.display()));
    let finding = finding.advise(format!("chmod {wanted:04o} {}", path.display()));
    let ours = fs::metadata(path).is_ok_and(|it| it.uid() == process::own_uid());
    if ours { finding.mend(Mend::Close(path.to_owned(), wanted)) } else { finding }
}

pub(super) fn mode(path: &Path) -> Option<u32> {
    fs::metadata(path).ok().map(|found| found.mode() & 0o7777)
}

fn owner(path: &Path) -> String {
    fs::metadata(path).map_or_else(|_| "its owner".to_owned(), |found| net::login(found.uid()))
}

/// Entries of a folder, by name; none if it is not there.
pub(super) fn entries(folder: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(folder).into_iter().flatten().flatten().map(|it| it.path()).collect();
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::super::Grade;
    use super::*;

    #[test]
    fn a_home_that_is_not_there_is_an_error_and_a_fresh_one_is_well() {
        let folder = tempfile::tempdir().expect("a folder");
        let paths = Paths::under(folder.path());
        assert_eq!(directories(&paths)[0].grade, Grade::Error);
        fs::create_dir_all(paths.home()).expect("a folder");
        assert_eq!(directories(&paths)[0].grade, Grade::Good);
        fs::write(paths.tsm(), "").expect("a file");
        assert!(directories(&paths)[0].message.contains("is no folder"));
    }

    #[test]
    fn an_open_private_folder_is_found_with_its_cure() {
        let folder = tempfile::tempdir().expect("a folder");
        let paths = Paths::under(folder.path());
        fs::create_dir_all(paths.runtime()).expect("a folder");
        fs::set_permissions(paths.runtime(), fs::Permissions::from_mode(0o755)).expect("a mode");
        let found = permissions(&paths);
        assert_eq!(found[0].mend, Some(Mend::Close(paths.runtime(), 0o700)));
        fs::set_permissions(paths.runtime(), fs::Permissions::from_mode(0o700)).expect("a mode");
        assert_eq!(permissions(&paths)[0].grade, Grade::Good);
    }
}
