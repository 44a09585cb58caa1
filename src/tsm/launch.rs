//! Launching a supervisor where its process can have what it asks for: by the daemon if one runs, so that the process belongs to
//! the unit of the daemon, else here.

pub mod by_daemon;
pub mod owner;
pub mod request;

use std::io;
use std::path::{Path, PathBuf};

use crate::base::name::ProcessName;
use crate::supervise::client::{self, LaunchError, LaunchResult, TransientScope};
use crate::sys::paths::Paths;
use crate::sys::{kernel, logind, process};

/// How the names of scopes begin that watchers of deploys are in. Not as those of processes, in which groups may be made.
const WATCHER_PREFIX: &str = "tetra_revert-";

/// Launches the supervisor of a process: by the daemon, within the place of this command, or in a scope of its own when its limit of memory needs
/// a control group that cannot be made here, or when the end of this login would end it.
pub(super) fn supervisor(
    program: &Path,
    dir: &Path,
    name: &ProcessName,
    memory_max: u64,
) -> Result<LaunchResult, LaunchError> {
    if let Some(answer) = by_daemon::supervisor(program, dir) {
        return answer;
    }
    let uid = process::own_uid();
    let needs_scope = memory_max > 0 && client::memory_needs_scope() || ends_here();
    if !needs_scope || !outlives_session(uid) {
        return client::launch(program, dir);
    }
    client::launch_in_scope(program, dir, &scope_of(name.as_str(), uid))
}

/// Starts the sidecar of the process in `dir`: by the daemon, or where its supervisor would be launched.
pub(super) fn sidecar(program: &Path, dir: &Path) -> io::Result<()> {
    if let Some(answer) = by_daemon::sidecar(dir) {
        return answer;
    }
    let uid = process::own_uid();
    let name = dir.file_name().unwrap_or_default().to_string_lossy();
    let scope = (ends_here() && outlives_session(uid)).then(|| scope_of(&name, uid));
    let here = || super::sidecar::start(program, dir, &[]);
    // Without systemd's help it is here after all; what is wrong with itself it says once more.
    scope.map_or_else(here, |scope| super::sidecar::start(program, dir, &scope.call()).or_else(|_| here()))
}

/// True if all that is in the unit of this process ends without having ended by itself: with a login, or with the watcher of a deploy.
fn ends_here() -> bool {
    logind::login_end_kills() || logind::is_in_scope(WATCHER_PREFIX)
}

/// The scope that a watcher of a deploy needs to go on when the session of the deploy ends; none where it goes on without one.
///
/// # Errors
///
/// Fails if it would end with the session whatever is done.
pub fn scope_of_watcher(txid: &str) -> Result<Option<TransientScope>, EndsWithSession> {
    let uid = process::own_uid();
    let ends = logind::login_end_kills();
    if ends && !outlives_session(uid) {
        return Err(EndsWithSession);
    }
    let is_needed = ends || uid == 0 && kernel::runs_systemd();
    Ok(is_needed.then(|| TransientScope {
        unit: format!("{WATCHER_PREFIX}{txid}{}", client::SCOPE_SUFFIX),
        description: format!("tetra, watching deploy {txid}"),
        user_runtime_dir: runtime_dir(uid),
    }))
}

/// The machine ends all processes of a login, and this user has no place outside of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EndsWithSession;

/// True if a scope of a user goes on when that user logs out: the manager of a user that does not linger ends then, and takes along
/// all that it made. A process that ends with its session is worse than a weaker limit.
fn outlives_session(uid: u32) -> bool {
    uid == 0 || logind::lingers(uid)
}

/// True if a limit of memory for all processes together needs that the user lingers.
#[must_use]
pub fn memory_needs_linger() -> bool {
    kernel::runs_systemd() && client::memory_needs_scope() && !outlives_session(process::own_uid())
}

/// True if what is launched now ends with this login: the machine ends all of it then, and there is no other place for it.
#[must_use]
pub fn ends_with_login(paths: &Paths) -> bool {
    logind::login_end_kills() && !outlives_session(process::own_uid()) && !by_daemon::listens(&paths.daemon_socket())
}

fn scope_of(name: &str, uid: u32) -> TransientScope {
    scope(name, uid, &kernel::random_token())
}

/// The scope of one launch: one that a former supervisor left may still hold its child.
fn scope(name: &str, uid: u32, suffix: &str) -> TransientScope {
    TransientScope {
        unit: format!("{}{name}-{suffix}{}", client::SCOPE_PREFIX, client::SCOPE_SUFFIX),
        description: format!("tetra process {name}"),
        user_runtime_dir: runtime_dir(uid),
    }
}

/// The runtime directory of an ordinary user, whose own manager makes scopes.
fn runtime_dir(uid: u32) -> Option<PathBuf> {
    (uid != 0).then(|| PathBuf::from(format!("/run/user/{uid}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scope_of_an_ordinary_user_is_made_by_the_manager_of_that_user() {
        assert_eq!(scope("web-3000", 0, "1a2b").user_runtime_dir, None);
        let scope = scope("web-3000", 1000, "1a2b");
        assert_eq!(scope.user_runtime_dir.as_deref(), Some(Path::new("/run/user/1000")));
        assert_eq!(scope.unit, "tetra-web-3000-1a2b.scope");
    }
}
