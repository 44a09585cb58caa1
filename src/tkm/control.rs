//! Control sockets of the operator's own ssh, by which several calls use one connection.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::sys::attached::Attached;
use crate::sys::{kernel, process};

/// What the names of the sockets begin with; the pid of their command follows.
pub(super) const PREFIX: &str = ".control-";

/// The longest path that ssh can make a socket at, in bytes: `sun_path` without its end, and without the 17 bytes that ssh adds
/// while it makes it.
const MAX_SOCKET_PATH: usize = 107 - 17;

/// How long ssh keeps a connection that later commands may use and none does, in seconds.
const KEPT_FOR: u64 = 60;

/// How a call uses a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Control<'a> {
    /// It has one of its own.
    Own,
    /// It makes one that others share.
    Make(&'a Path),
    /// It makes one that others share, also when it has ended: ssh stays for a while.
    Keep(&'a Path),
    /// It shares this one.
    Share(&'a Path),
}

impl Control<'_> {
    /// The options of `ssh -o`.
    pub(super) fn options(self) -> [String; 3] {
        let (master, path, kept) = match self {
            Self::Own => ("no", "none".to_owned(), 0),
            Self::Make(path) => ("yes", quoted(path), 0),
            Self::Keep(path) => ("yes", quoted(path), KEPT_FOR),
            Self::Share(path) => ("no", quoted(path), 0),
        };
        let persist = if kept == 0 { "no".to_owned() } else { kept.to_string() };
        [format!("ControlMaster={master}"), format!("ControlPath={path}"), format!("ControlPersist={persist}")]
    }
}

/// A path as the options of ssh have it.
pub(super) fn quoted(path: &Path) -> String {
    format!("\"{}\"", path.display().to_string().replace('%', "%%"))
}

/// The connections that are shared. Those that do not last end with the last clone of this.
#[derive(Debug, Clone, Default)]
pub struct Sharing {
    all: Arc<Mutex<Vec<Shared>>>,
    /// True if later commands use them too.
    pub(super) lasts: bool,
}

/// A connection that is shared.
#[derive(Debug)]
pub(super) struct Shared {
    /// Who logged in, and how.
    pub who: String,
    /// Its socket.
    pub socket: PathBuf,
    /// What ssh said of its login.
    pub said: String,
    /// The program that holds it and ends with this; none for one that lasts.
    pub master: Option<Attached>,
    /// True if an earlier command made it.
    pub is_reused: bool,
}

impl Sharing {
    pub(super) fn lasting() -> Self {
        Self { lasts: true, ..Self::default() }
    }

    pub(super) fn all(&self) -> MutexGuard<'_, Vec<Shared>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        let Some(master) = &mut self.master else { return };
        master.end();
        // ssh removes it if it is asked to end; not if it was killed.
        let _ = fs::remove_file(&self.socket);
    }
}

/// Where a socket of this command can be; none if the path is too long for one. Those of commands that were killed are removed.
pub(super) fn free_socket(dir: &Path) -> Option<PathBuf> {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let pid = name.to_str().and_then(|name| name.strip_prefix(PREFIX)?.split('-').next()?.parse().ok());
        if pid.is_some_and(|pid: u32| process::stat(pid).is_none()) {
            let _ = fs::remove_file(entry.path());
        }
    }
    let token = kernel::random_token();
    let socket = dir.join(format!("{PREFIX}{}-{}", process::own_pid(), token.get(..8).unwrap_or(&token)));
    (socket.as_os_str().len() <= MAX_SOCKET_PATH).then_some(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_has_a_path_that_the_kernel_takes() {
        let dir = tempfile::tempdir().expect("a directory");
        let stale = dir.path().join(format!("{PREFIX}4294967295-x"));
        fs::write(&stale, "").expect("written");
        assert!(free_socket(dir.path()).is_some_and(|path| path.starts_with(dir.path())));
        assert!(!stale.exists());
        assert_eq!(free_socket(&dir.path().join("x".repeat(80))), None);
    }
}
