//! Whose files are trusted.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Gid, Uid, fchown};
use rustix::process::geteuid;

/// Why nothing is run that a file says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UntrustedFileError {
    /// It is neither ours nor root's.
    #[error("`{}` defines what is run, and belongs to another user (uid {owner})", path.display())]
    ForeignOwner {
        /// The file, or the directory in which it lies.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
    },
    /// Others may change it.
    #[error("`{}` defines what is run, and is writable by other users (mode {mode:04o})", path.display())]
    WritableByOthers {
        /// The file, or the directory in which it lies.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
}

impl UntrustedFileError {
    /// What to do about it.
    #[must_use]
    pub fn advice(&self) -> String {
        match self {
            Self::ForeignOwner { path, owner } => {
                format!(
                    "run it as that user (`sudo -u '#{owner}' tsm …`), or `chown $USER '{}'` after reading it",
                    path.display()
                )
            }
            Self::WritableByOthers { path, mode } => format!("chmod {:04o} '{}'", mode & !0o022, path.display()),
        }
    }
}

/// Neither ours nor root's.
pub(super) fn is_foreign(uid: u32) -> bool {
    uid != 0 && uid != geteuid().as_raw()
}

/// Refuses a file that says what is run, unless it and its directory belong to us or root, and only its owner can change it.
///
/// # Errors
///
/// Fails if it is not to be trusted; a file that cannot be looked at is no more than not there.
pub(super) fn check_trusted(path: &Path, file: &File) -> Result<(), UntrustedFileError> {
    let Ok(found) = file.metadata() else { return Ok(()) };
    let real = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    check_one(path, &found, 0)?;
    let Some(dir) = real.parent() else { return Ok(()) };
    // In a sticky directory everybody may make files, and change their own only.
    fs::metadata(dir).map_or(Ok(()), |found| check_one(dir, &found, STICKY))
}

/// Files in such a directory are removed and renamed by their owners alone.
const STICKY: u32 = 0o1000;

fn check_one(path: &Path, found: &fs::Metadata, harmless: u32) -> Result<(), UntrustedFileError> {
    if is_foreign(found.uid()) {
        return Err(UntrustedFileError::ForeignOwner { path: path.to_owned(), owner: found.uid() });
    }
    let mode = found.mode() & 0o7777;
    let group = mode & 0o020 != 0 && !is_private_group(found.uid(), found.gid());
    if (mode & 0o002 != 0 || group) && mode & harmless == 0 {
        return Err(UntrustedFileError::WritableByOthers { path: path.to_owned(), mode });
    }
    Ok(())
}

/// True if only `uid` is in the group: many systems give each user one, and let the group write what the user makes.
fn is_private_group(uid: u32, gid: u32) -> bool {
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let groups = fs::read_to_string("/etc/group").unwrap_or_default();
    is_sole_member(&users, &groups, uid, gid)
}

fn is_sole_member(users: &str, groups: &str, uid: u32, gid: u32) -> bool {
    let (uid, gid) = (uid.to_string(), gid.to_string());
    let fields = |line: &str| line.split(':').map(str::to_owned).collect::<Vec<_>>();
    let has = |line: &[String], at: usize, value: &str| line.get(at).is_some_and(|it| it == value);
    let owner = users.lines().map(fields).find(|line| has(line, 2, &uid));
    let Some(owner) = owner.filter(|line| has(line, 3, &gid)) else { return false };
    let others = users.lines().map(fields).any(|line| has(&line, 3, &gid) && !has(&line, 2, &uid));
    let mut members = groups.lines().map(fields).filter(|line| has(line, 2, &gid));
    !others && members.all(|line| line.get(3).is_none_or(|names| names.is_empty() || *names == owner[0]))
}

/// The owner and the group of a directory, or of the nearest one above it if it is not there.
#[must_use]
pub fn nearest_owner(path: &Path) -> Option<(u32, u32)> {
    path.ancestors().find_map(owner_of)
}

/// The owner and the group of what is there.
#[must_use]
pub fn owner_of(path: &Path) -> Option<(u32, u32)> {
    fs::metadata(path).ok().map(|found| (found.uid(), found.gid()))
}

/// What root makes in a directory of another user becomes that user's, who could never change it otherwise.
///
/// # Errors
///
/// Fails if the system does not allow it.
pub fn chown_to_dir_owner(made: &File, dir: &Path) -> io::Result<()> {
    if !geteuid().is_root() {
        return Ok(());
    }
    let around = fs::metadata(dir)?;
    if around.uid() == 0 || made.metadata()?.uid() != 0 {
        return Ok(());
    }
    Ok(fchown(made, Some(Uid::from_raw(around.uid())), Some(Gid::from_raw(around.gid())))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_private_if_only_its_user_is_in_it() {
        let users =
            "root:x:0:0::/root:/bin/sh\nann:x:1000:1000::/home/ann:\nbob:x:1001:1001::/:\neve:x:1002:1001::/:\n";
        let groups = "root:x:0:\nann:x:1000:\nbob:x:1001:\nops:x:50:ann,bob\n";
        assert!(is_sole_member(users, groups, 1000, 1000));
        assert!(is_sole_member(users, "ann:x:1000:ann\n", 1000, 1000));
        assert!(!is_sole_member(users, "ann:x:1000:bob\n", 1000, 1000), "a member");
        assert!(!is_sole_member(users, groups, 1001, 1001), "another user's first group");
        assert!(!is_sole_member(users, groups, 1000, 50), "not the user's own");
        assert!(!is_sole_member(users, groups, 1003, 1003), "an unknown user");
    }
}
